"""The one-patient summary for the terminal: answer, gaps, course, why, options with figures, limits."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

from cds_hooks import card_lines as lines
from cds_hooks.names import card_names
from cds_hooks.remark_words import remark_sentence
from cds_hooks.standing import confirmation_line, later_therapy_line
from mappings.deciding.options_plan import NOT_SEEN
from mappings.evaluation import Evaluation, OptionMatch, RelapseCategory, Route
from mappings.facts import Remark
from smart_app.figures import boxed_lines, citation_line, leading_figures

if TYPE_CHECKING:
    from mappings.loading import Knowledge

WIDTH = 92
_ROUTES = (
    (Route.CONSIDER, "Can be considered, not ranked"),
    (Route.NEEDS_RESULT, "Needs a result first"),
    (Route.SPECIALIST, "Specialist team or trial only"),
    (Route.NOT_SUITABLE, "Not suitable with what is on record"),
)


def summary(evaluation: Evaluation, knowledge: Knowledge) -> str:
    """The summary as plain text of at most 92 columns."""
    rows: list[str] = []
    _answer(rows, evaluation, knowledge)
    _gaps(rows, evaluation)
    _course(rows, evaluation)
    _why(rows, evaluation)
    if evaluation.assessment.category is not RelapseCategory.DECEASED:
        _options(rows, evaluation, knowledge)
    _limits(rows, evaluation, knowledge)
    return "\n".join(rows)


def _wrap(text: str, first: str = "", rest: str = "") -> list[str]:
    return textwrap.wrap(
        shown(text), WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    ) or [first.rstrip()]


def shown(text: str) -> str:
    """Chart text without control or direction characters; a terminal acts on some of them."""
    return "".join(char if char.isprintable() else " " for char in text)


def _heading(rows: list[str], text: str) -> None:
    rows += ["", text.upper(), "-" * len(text)]


def _answer(rows: list[str], evaluation: Evaluation, knowledge: Knowledge) -> None:
    assessment = evaluation.assessment
    patient = evaluation.facts.patient
    born = f", born {patient.birth_date.display()}" if patient.birth_date else ""
    sex = f", {patient.sex}" if patient.sex else ""
    rows += _wrap(f"{patient.name or 'Patient'} ({patient.id}){born}{sex}")
    category = knowledge.categories[assessment.category.value]
    rows += ["", *_wrap(f"{category.label.upper()}  [{category.id}]")]
    rows += _wrap(" ".join(part for part in (category.meaning, later_therapy_line(evaluation)) if part))
    timing = assessment.timing
    names = card_names(knowledge)
    if assessment.anchor is not None:
        days = f"day {timing.days} after" if timing.days is not None else "day not known after"
        binned = f" ({timing.bin})" if timing.bin else ""
        event = (
            f"Relapse {lines.shown_date(timing.relapse_date)}: {days} " if timing.relapse_date else "After "
        )
        label = assessment.anchor.label or names.infusion(assessment.anchor)
        rows += _wrap(f"{event}{label}, infused {lines.shown_date(assessment.anchor.first)}{binned}")
    if assessment.disease is not None:
        rows += _wrap(f"Disease: {assessment.disease.label}")
    if assessment.category.value.startswith("cd19-") or assessment.category is RelapseCategory.LINEAGE_SWITCH:
        rows += _wrap(confirmation_line(evaluation))
    branch = lines.branch_line(assessment)
    if branch:
        rows += _wrap(branch)
    if assessment.anchor is not None:
        rows.append("")
        for view in assessment.antigens:
            rows += _wrap(
                f"{view.antigen.value}  {lines.STATE_WORDS[view.state]:<14}  {view.because}", "  ", " " * 24
            )


def _gaps(rows: list[str], evaluation: Evaluation) -> None:
    assessment = evaluation.assessment
    gaps = [item for item in assessment.missing if item.code != "unseen"]
    parts = [
        f"Missing: {item.what}" + (f" (to settle it: {item.remedy})" if item.remedy else "") for item in gaps
    ]
    parts += lines.unseen_lines(evaluation)
    for label, remarks in (
        ("Set aside", assessment.set_aside),
        ("Conflict", assessment.conflicts),
        ("Not readable", assessment.unread),
        ("Note", assessment.remarks),
    ):
        parts += [f"{label}: {_remark(one)}" for one in remarks]
    if not parts:
        return
    _heading(rows, "Before you decide")
    for part in dict.fromkeys(parts):
        rows += _wrap(part, "- ", "  ")


def _remark(remark: Remark) -> str:
    where = f" [{remark.source.reference}]" if remark.source else ""
    return f"{remark_sentence(remark)}{where}"


def _course(rows: list[str], evaluation: Evaluation) -> None:
    if not evaluation.timeline:
        return
    _heading(rows, "Course")
    for entry in evaluation.timeline:
        when = entry.when.display() if entry.when else "undated"
        day = f"day {entry.day}".replace("-", "−") if entry.day is not None else ""
        aside = " (set aside)" if entry.set_aside else ""
        detail = f": {entry.detail}" if entry.detail else ""
        rows += _wrap(f"{entry.label}{detail}{aside}", f"{when:<12} {day:<9} {entry.lane:<11} ", " " * 35)


def _why(rows: list[str], evaluation: Evaluation) -> None:
    if not evaluation.assessment.trail:
        return
    _heading(rows, "Why")
    for step in evaluation.assessment.trail:
        sources = ", ".join(dict.fromkeys(source.reference for source in step.sources))
        origin = f"; {sources}" if sources else ""
        rows += _wrap(
            f"{step.criterion}: {step.because} ({step.rule}{origin})", f"{step.outcome.value:<8} ", " " * 9
        )


def _options(rows: list[str], evaluation: Evaluation, knowledge: Knowledge) -> None:
    if not any(match.route is not Route.OUT_OF_SCOPE for match in evaluation.matches):
        return
    _heading(rows, "Options, not orders")
    rows += _wrap("Within a route: testing, trial, then A to Z. No ranking, no dose.")
    for route, title in _ROUTES:
        matches = [match for match in evaluation.matches if match.route is route]
        if not matches:
            continue
        rows += ["", f"{title} ({len(matches)})"]
        for match in matches:
            _option(rows, match, evaluation, knowledge)


def _option(rows: list[str], match: OptionMatch, evaluation: Evaluation, knowledge: Knowledge) -> None:
    given = f" (already given: {match.given_before})" if match.given_before else ""
    rows += _wrap(f"* {match.label}{given}: {match.why}", "  ", "    ")
    if match.route is Route.NOT_SUITABLE:
        return
    parts = [*match.notes, *_status(match, evaluation.regions), *boxed_lines(match.boxed)]
    if match.no_evidence:
        parts.append("No figures after CAR T were read for this option and disease.")
    rows += _wrap(". ".join(part.rstrip(".") for part in parts) + ".", "    ", "    ") if parts else []
    for line in leading_figures(match, knowledge):
        rows += _wrap(line, "    ", "      ")
    # antigen checks carry words without chart values; an unseen check carries "not seen"
    seen, missing = [], []
    for check in match.checks:
        label = _check_label(check.fact, knowledge)
        if check.values or check.value not in ("", NOT_SEEN):
            seen.append(f"{label}: {check.value}")
        else:
            missing.append(label)
    checks = [f"On record: {'; '.join(seen)}."] if seen else []
    checks += [f"Check first, not seen: {', '.join(missing)}."] if missing else []
    rows += _wrap(" ".join(checks), "    ", "    ") if checks else []


def _check_label(fact: str, knowledge: Knowledge) -> str:
    known = knowledge.checks.get(fact)
    return known.label if known is not None else fact


def _status(match: OptionMatch, regions: Iterable[str]) -> list[str]:
    wanted = set(regions)
    rows = []
    for row in match.status:
        if row.get("region") in wanted:
            rows.append(f"{row['region']}: {row.get('state')} (as of {row.get('as_of')})")
    return [", ".join(rows)] if rows else []


def _limits(rows: list[str], evaluation: Evaluation, knowledge: Knowledge) -> None:
    shown_studies = [key for match in _shown(evaluation) for key in match.evidence[:1]]
    cited = [knowledge.evidence[key].citation_id for key in shown_studies]
    if cited:
        _heading(rows, "Sources")
        for key in dict.fromkeys(cited):
            rows += _wrap(citation_line(knowledge.citations[key]), f"[{key}] ", "    ")
    rows.append("")
    stamp = evaluation.knowledge
    overlay = f", overlay {stamp.overlay}" if stamp.overlay else ""
    rows += _wrap(
        f"Chart as of {lines.shown_moment(evaluation.as_of)}; labels of {' and '.join(evaluation.regions)}; "
        f"knowledge {stamp.version} ({stamp.digest}{overlay}). "
        "For health professionals, not for emergencies. It reads reported results, never slides or flow "
        "files; what was not seen is not absent. Confirm on the reports."
    )


def _shown(evaluation: Evaluation) -> list[OptionMatch]:
    hidden = (Route.NOT_SUITABLE, Route.OUT_OF_SCOPE)
    return [match for match in evaluation.matches if match.route not in hidden]
