"""What happens to a workspace's chart: read it in the background, evaluate it, lay statements over it, find a record."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import replace
from http import HTTPStatus

from cds_hooks.memory import FeedbackRow, StoreDown
from ehr.asking import WORDS
from ehr.queries import Fetched, Query, ReadState
from ehr.reading import charts_from
from ehr.transport import Deadline
from mappings.evaluation import Evaluation
from mappings.reading.chart import Chart as ChartRead
from mappings.reading.facts_of import read_patient
from smart_app.launch.charts import Chart, Step
from smart_app.launch.fault import LaunchFault
from smart_app.launch.opening import Opening
from smart_app.launch.parts import LaunchParts
from smart_app.launch.queries import (
    allowed,
    chart_queries,
    narrowed,
    records_of,
    referred_queries,
    resources_of,
)
from smart_app.launch.renewal import Giver, Renewal
from smart_app.launch.session import Session
from smart_app.launch.statements import stated_now, without_restated
from smart_app.launch.vault import Opened, Vault

SERVICE = "post-car-t-relapse"
FEEDBACK_SYSTEM = "https://postcart.org/fhir/CodeSystem/page-feedback"
MOST_STATED = 20
RUN_OUT = "the sign-in at the EHR has run out"
STOPPED = "reading was stopped by the user"
_NEW_TOKENS = 6
_LOOK_S = 0.2


class Desk:
    """Works on charts of opened workspaces; everything it is told about is the workspace it was opened with."""

    def __init__(self, parts: LaunchParts, vault: Vault, opening: Opening) -> None:
        self._parts = parts
        self._vault = vault
        self._renewal = Renewal(
            vault,
            lambda opened: opening.token_endpoint(opened.site, opened.session.token_endpoint),
            parts.clock,
        )

    def chart(self, opened: Opened) -> Chart:
        """The workspace's chart; reading begins here where this worker does not hold it yet."""
        there = self._parts.charts.get(opened.name)
        if there is None or there.patient != opened.session.patient:
            return self.read(opened, ())
        if there.ready and there.round != opened.session.round:
            # another worker was told to read again
            return self.read(opened, () if there.fault else there.retriable)
        if opened.session.went_on and not there.accepted:
            self._parts.charts.change(opened.name, lambda chart: replace(chart, accepted=True, cut=True))
        return self._parts.charts.get(opened.name) or there

    def ready_chart(self, opened: Opened) -> tuple[Chart, Evaluation]:
        """The chart with its evaluation; raises `LaunchFault` (`not-ready`) while it is being read."""
        chart = self.chart(opened)
        if chart.fault:
            raise LaunchFault(chart.fault)
        if chart.evaluation is None or chart.stopped:
            raise LaunchFault("not-ready")
        return chart, chart.evaluation

    def read(self, opened: Opened, only: Iterable[str]) -> Chart:
        """Begins to read the chart, or only the queries of these keys again, keeping what the others brought."""
        again = frozenset(only)
        before = self._parts.charts.get(opened.name)
        kept: dict[str, Fetched] = {}
        if again and before is not None:
            kept = {key: one for key, one in before.fetched.items() if key not in again}
        queries = tuple(q for q in chart_queries(opened.session.patient) if q.key not in kept)
        steps = {
            **{one.query.key: done_step(one) for one in kept.values()},
            **{query.key: Step(query) for query in queries},
        }
        chart = Chart(
            patient=opened.session.patient,
            steps=steps,
            fetched=kept,
            began=self._parts.clock().timestamp(),
            accepted=opened.session.went_on,
            round=opened.session.round,
            who=before.who if before is not None and "patient" in kept else None,
        )
        request_id = self._parts.request_id()
        return self._parts.charts.begin(
            opened.name,
            chart,
            lambda: self._work(opened, queries, kept, request_id),
            idle_s=opened.site.idle_minutes * 60.0,
        )

    def _work(
        self, opened: Opened, queries: tuple[Query, ...], kept: Mapping[str, Fetched], request_id: str
    ) -> None:
        """The background job. Whatever goes wrong ends in a screen, never in a page that waits for ever."""
        fault = "unforeseen"
        try:
            self._read_and_judge(opened, queries, kept, request_id)
            fault = ""
        except LaunchFault as known:
            fault = known.code
            if fault == "ended":
                self._parts.charts.drop(opened.name)
        except StoreDown:
            fault = "store-down"
        finally:
            if fault:
                self._parts.charts.change(opened.name, lambda chart: replace(chart, fault=fault))
                self._parts.note("chart-read-failed", code=fault)

    def _read_and_judge(
        self, opened: Opened, queries: tuple[Query, ...], kept: Mapping[str, Fetched], request_id: str
    ) -> None:
        scopes = opened.session.scopes
        deadline = Deadline.after(self._parts.read_wait_s)
        asked, withheld = allowed(queries, scopes)
        for one in withheld.values():
            self._tell(opened.name, one)
        found = {**kept, **withheld, **self._fetch(opened, asked, deadline, request_id)}
        referred, hidden = allowed(referred_queries(found, opened.site, opened.session.patient), scopes)
        found = {**found, **hidden, **self._fetch(opened, referred, deadline, request_id)}
        found = narrowed(found, scopes)
        self._check_patient(found, opened.session.patient)
        moment = self._parts.moment()
        decoded = charts_from(found, fhir_base=opened.site.fhir_base)
        evaluation = self._parts.judged(opened.site, decoded, opened.session.patient, moment)
        steps = {
            one.query.key: done_step(one)
            for one in found.values()
            if not one.query.key.startswith("referred-")
        }
        self._parts.charts.change(
            opened.name,
            lambda chart: replace(
                chart,
                steps=steps,
                fetched=found,
                evaluation=evaluation,
                records=records_of(found),
                read_at=moment,
            ),
        )

    def _fetch(
        self, opened: Opened, queries: tuple[Query, ...], deadline: Deadline, request_id: str
    ) -> dict[str, Fetched]:
        """Reads the queries side by side; ends early where the user goes on without or closes the page."""
        charts = self._parts.charts
        under_way = {charts.queries.submit(self._ask, opened, q, deadline, request_id): q for q in queries}
        found: dict[str, Fetched] = {}
        while under_way:
            done, _ = wait(under_way, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
            for future in done:
                query = under_way.pop(future)
                found[query.key] = future.result()
                self._tell(opened.name, found[query.key])
                if query.key == "patient":
                    self._know(opened, found[query.key])
            chart = charts.get(opened.name)
            if chart is None:
                raise LaunchFault("not-found", "closed")
            if chart.cut:
                break
        for future, query in under_way.items():
            future.cancel()
            found[query.key] = Fetched(query, ReadState.FAILED, (), STOPPED, "deadline")
        return found

    def _ask(self, opened: Opened, query: Query, deadline: Deadline, request_id: str) -> Fetched:
        """One query, with a fresh token each time one runs out or is refused; raises where the EHR ended the session."""
        for _ in range(_NEW_TOKENS):
            tokens = Giver(self._renewal, opened.name)
            first = tokens.given
            one = self._parts.link.fetch(
                opened.site,
                (query,),
                token=first,
                deadline=deadline,
                request_id=request_id,
                renew=tokens.another,
                current=tokens.current,
                progress=lambda query, pages, state: self._parts.charts.step(
                    opened.name, query, pages, "reading"
                ),
            )[query.key]
            if tokens.ended is not None:
                raise tokens.ended
            refused = one.code == "no-right" and one.status == HTTPStatus.UNAUTHORIZED
            if not refused or deadline.passed or self._renewal.token(opened.name) == first:
                break
        if refused and self._renewal.run_out(self._vault.peek(opened.name).session):
            one = replace(one, reason=one.reason.replace(WORDS["no-right"], RUN_OUT))
        return one

    def _tell(self, name: str, one: Fetched) -> None:
        step = done_step(one)
        if not one.query.key.startswith("referred-"):
            self._parts.charts.change(
                name, lambda chart: replace(chart, steps={**chart.steps, one.query.key: step})
            )

    def _know(self, opened: Opened, one: Fetched) -> None:
        """Keeps who the patient is for the banner of the loading page; the record of anybody else is not taken (H-01)."""
        read = charts_from({"patient": one}, fhir_base=opened.site.fhir_base).keys.get("patient")
        if read is not None:
            who = read_patient(ChartRead(opened.session.patient, patient=read))
            self._parts.charts.change(opened.name, lambda chart: replace(chart, who=who))

    @staticmethod
    def _check_patient(found: Mapping[str, Fetched], patient: str) -> None:
        """Refuses to go on where the patient record that came is somebody else's (H-01)."""
        one = found.get("patient")
        for _, head in resources_of(one) if one is not None else ():
            if head.resourceType == "Patient" and head.id != patient:
                raise LaunchFault("wrong-patient")

    def state_add(self, opened: Opened, form: Mapping[str, str]) -> Session:
        """Adds a statement of the user to the workspace."""
        now = self._parts.clock().timestamp()

        def add(session: Session) -> Session:
            kept = tuple(left for one in stated_now(session, now) if (left := without_restated(one, form)))
            if len(kept) >= MOST_STATED:
                raise LaunchFault("bad-form", "too-many")
            return replace(session, stated=(*kept, {**form, "at": str(now)}))

        return self._vault.change(opened.name, add)

    def state_clear(self, opened: Opened) -> Session:
        """Takes all statements back."""
        return self._vault.change(opened.name, lambda session: replace(session, stated=()))

    def retry(self, opened: Opened) -> None:
        """Asks again only for what failed; for the whole chart where nothing did.

        Raises `LaunchFault` (`signed-out`) where the token has run out for good; what was read stays.
        """
        if self._renewal.run_out(opened.session):
            raise LaunchFault("signed-out")
        session = self._vault.change(
            opened.name, lambda kept: replace(kept, round=opened.session.round + 1, went_on=False)
        )
        there = self._parts.charts.get(opened.name)
        failed = there.retriable if there is not None and there.ready and not there.fault else ()
        self.read(replace(opened, session=session), failed)

    def go_on(self, opened: Opened) -> None:
        """Shows what was read so far, what is missing marked; cuts reading short where it goes on."""
        self._vault.change(opened.name, lambda kept: replace(kept, went_on=True))
        self._parts.charts.change(opened.name, lambda chart: replace(chart, accepted=True, cut=True))

    def feedback(self, opened: Opened, *, reason: str, display: str) -> None:
        """Stores coded feedback on what the page says; raises `StoreDown`. No record and no patient is named.

        Never under the card's own id: a complaint about the page must not silence the card (H-44).
        """
        if self._parts.memory is None:
            raise StoreDown
        now = self._parts.clock()
        card = str(uuid.uuid5(uuid.NAMESPACE_URL, f"postcart:{opened.name}"))
        self._parts.memory.record_feedback(
            [
                FeedbackRow(
                    at=now,
                    site=opened.site.name,
                    service=SERVICE,
                    card=card,
                    outcome="overridden",
                    outcome_timestamp=now.isoformat(timespec="milliseconds"),
                    reason_code=reason,
                    reason_system=FEEDBACK_SYSTEM,
                    reason_display=display,
                )
            ]
        )

    def close(self, opened: Opened) -> None:
        """Ends the workspace: tokens and chart are gone."""
        self._vault.end(opened.name)
        self._parts.charts.drop(opened.name)


def done_step(one: Fetched) -> Step:
    """How one query ended, for the loading page; an outcome that came along is no record of the type."""
    records = 0
    if one.state is ReadState.COMPLETE:
        records = sum(head.resourceType == one.query.type for _, head in resources_of(one))
    return Step(one.query, one.state.value, len(one.pages), one.reason, records)
