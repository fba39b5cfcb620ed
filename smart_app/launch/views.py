"""A workspace and its chart as the page wants them: statements laid over, context and warnings said."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from ehr.queries import ReadState
from ehr.site import Site
from mappings.evaluation import Evaluation
from mappings.stated import evaluate_with
from smart_app.launch.browser import csrf_token
from smart_app.launch.card_context import CARD_CONTEXT_ODD
from smart_app.launch.charts import Chart
from smart_app.launch.parts import LaunchParts
from smart_app.launch.queries import words_for
from smart_app.launch.statements import stated_left, stated_now
from smart_app.launch.vault import Opened
from smart_app.page.identity import Identity, identity_of_patient
from smart_app.page.states import POLL_MS, QueryRow, QueryState
from smart_app.page.view import ContextNote, Filters, PageView, Stated, read_filters
from smart_app.page.whatif import StatementFault, read_statements
from smart_app.page.words import upper_first

_STATES = {
    "waiting": QueryState.WAITING,
    "reading": QueryState.RUNNING,
    ReadState.COMPLETE.value: QueryState.DONE,
    ReadState.INCOMPLETE.value: QueryState.FAILED,
    ReadState.FAILED.value: QueryState.FAILED,
}
_AT_ONCE_S = 1.5
_SOON_MS = 120
_CONTEXT_NOTES = {"expired": ContextNote.EXPIRED, "other-patient": ContextNote.OTHER_PATIENT}
_NOTES = {
    "user-not-stated": "The EHR did not say who is signed in.",
}


def page_view(
    parts: LaunchParts,
    opened: Opened,
    chart: Chart,
    evaluation: Evaluation,
    *,
    secret: str,
    query: Mapping[str, str],
    form: Mapping[str, str] | None = None,
    faults: Mapping[str, str] | None = None,
    message: str = "",
) -> PageView:
    """The view of an evaluated chart with what the user stated so far."""
    session = opened.session
    statements, dropped = _statements(parts, opened, evaluation)
    shown = evaluation
    if statements:
        shown = evaluate_with(
            evaluation.facts,
            [one.statement for one in statements],
            parts.knowledge_of(opened.site),
            chart.read_at or parts.moment(),
            parts.regions_of(opened.site),
        )
    told = [message, *(_NOTES[note] for note in session.warnings if note in _NOTES)]
    if dropped:
        told.append("A statement no longer fits the chart as read now and was taken out.")
    return PageView(
        evaluation=shown,
        knowledge=parts.knowledge_of(opened.site),
        base=f"/w/{opened.name}",
        csrf=csrf_token(secret),
        read_at=chart.read_at or parts.moment(),
        user=session.user_name or session.user,
        site=opened.site.name,
        environment=environment_words(opened.site),
        need_banner=session.banner,
        highlighted=session.highlights,
        app_context=_context(opened),
        statements=statements,
        chart=evaluation if statements else None,
        filters=read_filters(query, evaluation) if query else Filters(),
        records=chart.records,
        form=form or {},
        form_faults=faults or {},
        message=" ".join(one for one in told if one),
        stated_left_s=stated_left(session, parts.clock().timestamp()) if statements else None,
    )


def query_rows(chart: Chart) -> tuple[QueryRow, ...]:
    """One row per query for the loading page; a withheld type says that it was not even asked for."""
    return tuple(
        QueryRow(
            name=upper_first(words_for(step.query)),
            state=_STATES.get(step.state, QueryState.RUNNING),
            records=step.records,
            page=step.pages,
            reason=step.reason,
        )
        for step in chart.steps.values()
    )


def who_of(opened: Opened, chart: Chart) -> Identity | None:
    """The patient for the banner of a page without an evaluation; None where the EHR shows its own banner."""
    return identity_of_patient(chart.who) if chart.who is not None and opened.session.banner else None


def poll_ms(parts: LaunchParts, chart: Chart) -> int:
    """After how many milliseconds the loading page asks again: soon at first, since most charts are read at once."""
    return _SOON_MS if parts.clock().timestamp() - chart.began < _AT_ONCE_S else POLL_MS


def environment_words(site: Site) -> str:
    """What a site that is not for care is called on every page."""
    return "" if site.environment == "production" else site.environment


def _statements(parts: LaunchParts, opened: Opened, evaluation: Evaluation) -> tuple[tuple[Stated, ...], int]:
    found: list[Stated] = []
    dropped = 0
    for form in stated_now(opened.session, parts.clock().timestamp()):
        try:
            read = read_statements(form, evaluation, parts.knowledge_of(opened.site))
        except StatementFault:
            dropped += 1
            continue
        at = datetime.fromtimestamp(float(form["at"]), UTC)
        found.extend(Stated(one, at, form.get("where", "")) for one in read)
    return tuple(found), dropped


def _context(opened: Opened) -> ContextNote:
    for warning in opened.session.warnings:
        if warning.startswith(CARD_CONTEXT_ODD):
            return _CONTEXT_NOTES.get(warning.removeprefix(f"{CARD_CONTEXT_ODD}-"), ContextNote.NOT_CHECKED)
    return ContextNote.OK if opened.session.card else ContextNote.NONE
