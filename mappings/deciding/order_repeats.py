"""A treatment that was given before: before this relapse, or since with the disease progressing after it.

Sources: rules 11.6, 11.11. A fact to weigh; it changes no route, and a course that goes on is no repeat.
"""

from __future__ import annotations

from dataclasses import dataclass

from mappings.dates import ClinicalDate, before
from mappings.deciding.order_case import Case, Found, is_car, shown, span
from mappings.evaluation import RelapseCategory
from mappings.facts import Certainty, DiseaseEvent, EventKind, SourceRef
from mappings.loading import Concept, OrderCondition

_RELAPSE = frozenset(
    {
        RelapseCategory.CD19_POSITIVE,
        RelapseCategory.CD19_LOW_OR_PARTIAL,
        RelapseCategory.CD19_NEGATIVE,
        RelapseCategory.CD19_UNKNOWN,
        RelapseCategory.LINEAGE_SWITCH,
    }
)
_FAILURE = frozenset(
    {EventKind.RELAPSE, EventKind.PROGRESSION, EventKind.REFRACTORY, EventKind.MALIGNANT_CELLS}
)


@dataclass(frozen=True, slots=True)
class _Course:
    """One course of the treatment ordered, as it was given."""

    first: ClinicalDate | None
    last: ClinicalDate | None
    words: str
    sources: tuple[SourceRef, ...]


def given_before_relapse(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether the same treatment was given before this relapse, or since with progression after its last dose."""
    courses = _courses(case, ordered)
    if not courses or case.assessment.category not in _RELAPSE:
        return None
    relapse = case.assessment.timing.relapse_date
    since = [c for c in courses if relapse is not None and _is_before(relapse, c.first)]
    failures = [_failure_after(case, one) for one in since]
    if since and None in failures:
        return None
    failure = max((f for f in failures if f is not None), key=lambda f: _day(f.when), default=None)
    if failure is not None:
        said = f"{_KINDS[failure.kind]} after it on record, {shown(failure.when)}"
    elif relapse is not None and any(_is_before(c.first, relapse) for c in courses):
        said = f"relapse on record {shown(relapse)}"
    else:
        said = "its order to this relapse is not known"
    courses = sorted(courses, key=lambda c: _day(c.first))
    fills = (
        ("given", "; ".join(c.words for c in courses)),
        ("date", shown(courses[-1].first)),
        ("relapse", said),
    )
    sources = [source for c in courses for source in c.sources]
    return Found(fills, (*sources, *((failure.source,) if failure is not None else ())))


def given_not_seen(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether it cannot be told if a drug was given before, because doses were not read in full (rules 11.5)."""
    if case.assessment.category not in _RELAPSE or is_car(ordered) or _courses(case, ordered):
        return None
    missed = case.not_read(condition.types)
    return Found((("missed", " and ".join(missed)),)) if missed else None


_KINDS = {
    EventKind.RELAPSE: "relapse",
    EventKind.PROGRESSION: "progression",
    EventKind.REFRACTORY: "refractory disease",
    EventKind.MALIGNANT_CELLS: "malignant cells",
}


def _courses(case: Case, ordered: Concept) -> list[_Course]:
    facts = case.evaluation.facts
    rows = [
        _Course(t.first, t.last or t.first, f"{t.label}, {span(t)}", t.sources)
        for t in facts.therapies
        if t.administered and t.therapy == ordered.id
    ]
    infusions = [i for i in (*facts.infusions, *facts.other_cellular) if i.product == ordered.id]
    rows += [
        _Course(i.first, i.last or i.first, f"{i.label}, {shown(i.first)}", i.sources) for i in infusions
    ]
    return rows


def _failure_after(case: Case, course: _Course) -> DiseaseEvent | None:
    """The newest evidence of active disease that is surely later than the last dose (rules 11.11)."""
    found = [
        event
        for event in case.evaluation.facts.events
        if event.kind in _FAILURE
        and event.certainty is not Certainty.NONE
        and course.last is not None
        and event.when is not None
        and course.last.last < event.when.first  # a scan on the day of a dose tells nothing of that dose
    ]
    return max(found, key=lambda event: (_day(event.when), event.source.reference), default=None)


def _is_before(one: ClinicalDate | None, other: ClinicalDate | None) -> bool:
    """Whether one date lies before the other on every reading of both."""
    return one is not None and other is not None and before(one, other) is True


def _day(when: ClinicalDate | None) -> str:
    return when.last.isoformat() if when is not None else ""
