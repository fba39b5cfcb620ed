"""How an antigen result lies against infusion, relapse and later therapy: the order that decides whether it counts.

Sources: rules CD-1, CD-2 (malignant cells), 11.3 (window, age), 11.10 (exposure), 11.11 (order that cannot be known).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from mappings.dates import ClinicalDate, before, days_between
from mappings.deciding.course_model import Course
from mappings.facts import (
    Antigen,
    AntigenResult,
    CarTInfusion,
    DiseaseEvent,
    EventKind,
    Facts,
    PriorTherapy,
    SpecimenKind,
)

_CLEAR = frozenset({EventKind.NO_MALIGNANCY, EventKind.MRD_NEGATIVE})
_CELLS = frozenset({EventKind.MALIGNANT_CELLS, EventKind.MRD_POSITIVE})


@dataclass(frozen=True, slots=True)
class Window:
    """The local policy that says which results are of this relapse (rules 8, 11.3), in days."""

    before_relapse: int
    max_age: int


def days_before(anchor: CarTInfusion, collected: ClinicalDate) -> str:
    days = days_between(collected, anchor.last) if anchor.last else None
    if days is None:
        return "was collected before the infusion"
    if days == 0:
        return "was collected on the day of the infusion"
    return f"was collected {days} day{'s' if days != 1 else ''} before the infusion"


def outside_window(result: AntigenResult, course: Course, window: Window) -> tuple[str, str] | None:
    if result.collected is None:
        return None
    if course.start is None:
        return _before_last_response(result, course)
    earliest = course.start.first - timedelta(days=window.before_relapse)
    if result.collected.last >= earliest:
        return _may_be_of_earlier(result, course, window)
    age = (course.start.first - result.collected.last).days
    of_earlier = any(
        start.first - timedelta(days=window.before_relapse) <= result.collected.last
        for start in course.earlier_starts
    )
    if of_earlier and age <= window.max_age:
        return None
    if of_earlier:
        return f"is of an earlier episode, {age} days before the present one: out of date", "out-of-date"
    return f"was collected {age} days before the relapse", "before-relapse"


def _may_be_of_earlier(result: AntigenResult, course: Course, window: Window) -> tuple[str, str] | None:
    """A present relapse dated by month or year alone: whether a result is of it or of an earlier one is open (11.11)."""
    if course.start is None or result.collected is None:
        return None
    vague = [item for item in course.relapse if item.date is not None and not item.date.exact]
    told_new = [item.date for item in vague if item.event.new_episode and item.date is not None]
    reason = "cannot be told to be of the present relapse, whose date is partial"
    for start in told_new:
        if result.collected.first < start.last - timedelta(days=window.before_relapse):
            return reason, "order-unknown"
    if not course.start.exact and _before_last_response(result, course) is not None:
        return reason, "order-unknown"
    return None


def _before_last_response(result: AntigenResult, course: Course) -> tuple[str, str] | None:
    """With an undated relapse a result from before a recorded response describes an earlier episode."""
    for response in course.responses:
        if response.date is not None and result.collected and before(result.collected, response.date):
            return "was collected before a recorded response: it describes an earlier episode", "out-of-date"
    return None


def against_therapy(result: AntigenResult, therapy: PriorTherapy) -> str:
    """`before`, `during`, `after` or `unknown`: the clock is the last dose (11.10)."""
    if result.collected is None or therapy.last is None:
        return "unknown"
    after_last = before(therapy.last, result.collected)
    if after_last:
        return "after"
    first = therapy.first or therapy.last
    started = before(result.collected, first)
    if started is True or (started is False and after_last is False and first == therapy.last):
        return "before"
    if started is False and after_last is False:
        return "during"
    return "unknown"


def other_car(result: AntigenResult, antigen: Antigen, facts: Facts, course: Course) -> str:
    """A later CAR of the same target, or one of unknown target, voids an older result."""
    for infusion in facts.infusions:
        if infusion is course.anchor or infusion.last is None or result.collected is None:
            continue
        hits = antigen.value in infusion.targets or (not infusion.targets and antigen is Antigen.CD19)
        if hits and before(infusion.last, result.collected) is not True:
            if (
                antigen is Antigen.CD19
                and course.anchor
                and course.anchor.last
                and infusion.last.last <= course.anchor.last.last
            ):
                continue
            return f"{infusion.label} ({infusion.last.display()})"
    return ""


class ClearSpecimens:
    """Specimens reported free of malignancy: a bare antigen result on one tells of normal cells alone (CD-2).

    A specimen is known by its accession, else by day and site; where malignant cells were seen as well it is not clear.
    """

    def __init__(self, facts: Facts) -> None:
        self._named: set[str] = set()
        self._placed: dict[tuple[date, str], set[str]] = {}
        self._cells: set[object] = set()
        for event in facts.events:
            if event.kind in _CELLS:
                self._cells |= {event.source.reference, event.accession, _place_of(event)} - {"", None}
            elif event.kind in _CLEAR and not event.imaging and not event.in_note:
                self._add(event)

    def _add(self, event: DiseaseEvent) -> None:
        accession = event.accession if event.accession != event.source.reference else ""
        if accession:
            self._named.add(accession)
        place = _place_of(event)
        if place is not None:
            self._placed.setdefault(place, set()).add(accession)

    def covers(self, result: AntigenResult) -> bool:
        """Whether a result stands on a specimen in which no malignancy was found."""
        site = "cns" if result.cns else result.specimen.value
        dated = result.collected is not None and not result.collected_is_bound
        day = result.collected.first if result.collected is not None and dated else None
        if {result.source.reference, result.accession or None, (day, site)} & self._cells:
            return False
        if result.accession in self._named:
            return True
        if day is None:
            return False
        named = self._placed.get((day, site), set()) | self._placed.get((day, _UNSPECIFIED), set())
        if site == SpecimenKind.TISSUE.value and result.accession:
            return "" in named  # two tissues of one day are two specimens where both are named
        return bool(named)


_UNSPECIFIED = SpecimenKind.UNSPECIFIED.value


def _place_of(event: DiseaseEvent) -> tuple[date, str] | None:
    return (event.when.first, event.site) if event.when is not None else None
