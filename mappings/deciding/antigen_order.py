"""How an antigen result lies against infusion, relapse and later therapy: the order that decides whether it counts.

Sources: rules CD-1, 11.3 (window, age), 11.10 (exposure), 11.11 (order that cannot be known).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from mappings.dates import ClinicalDate, before, days_between
from mappings.deciding.course_model import Course
from mappings.facts import Antigen, AntigenResult, CarTInfusion, Facts, PriorTherapy


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
        return None
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
