"""Episodes of active disease: which evidence is of the present relapse, and what gives way to what.

Sources: rules 11.3 (a new episode starts after a recorded response), 11.9 (what counts as relapse).
"""

from __future__ import annotations

from mappings.dates import before
from mappings.deciding.course_model import Course, Dated
from mappings.facts import Certainty, EventKind, Remark

_STRENGTH = {Certainty.CONFIRMED: 0, Certainty.STATED: 1, Certainty.SUSPECTED: 2, Certainty.MRD: 3}
_OUTSIDE_MARROW = frozenset({"csf", "cns", "tissue", "effusion"})


def find_episode(active: list[Dated], cleared: list[Dated], course: Course) -> None:
    """Fills in the evidence of the present episode, its start and how firmly it stands."""
    dated = sorted((d for d in active if d.date is not None), key=by_date)
    undated = [d for d in active if d.date is None]
    boundary = _last_boundary(dated, course)
    current = [d for d in dated if boundary is None or not _not_after(d, boundary)]
    earlier = _others(dated, current)
    if earlier:
        course.earlier_starts = [d.date for d in earlier if d.date is not None]
    current = _new_episode(current, course)
    current = _without_cleared(current, undated, cleared, course)
    if not current and undated:
        undated = _still_standing(undated, course)
    course.relapse = current + undated
    if not course.relapse:
        return
    course.start = next((d.date for d in current), None)
    course.certainty = min((d.event.certainty for d in course.relapse), key=lambda c: _STRENGTH.get(c, 9))
    _note_remission(course)


def _others(items: list[Dated], kept: list[Dated]) -> list[Dated]:
    """Those of the items that are not kept; told apart by identity, which stays linear in long charts."""
    held = {id(item) for item in kept}
    return [item for item in items if id(item) not in held]


def by_date(item: Dated) -> tuple[str, str]:
    return (item.date.first.isoformat() if item.date else ""), item.event.source.reference


def _last_boundary(dated: list[Dated], course: Course) -> Dated | None:
    """The last recorded response that ends an episode; a partial response only where disease grew again after it."""
    ends = [r for r in course.responses if r.date is not None and _ends_an_episode(r, dated, course)]
    ends += [p for p in course.partial if p.date is not None and any(_later(d, p) for d in dated)]
    return max(ends, key=by_date, default=None)


def _ends_an_episode(response: Dated, dated: list[Dated], course: Course) -> bool:
    """A response told only in a note does not end disease that was shown before it: both are shown (11.9)."""
    if not response.event.in_note or not any(_later(response, active) for active in dated):
        return True
    reason = "tells of a response in a note, while disease was shown before it: not taken as the end of the relapse"
    course.remarks.append(
        Remark("conflict", reason, response.event.source, about="course", code="response-in-note")
    )
    return False


def _later(item: Dated, other: Dated) -> bool:
    return item.date is not None and other.date is not None and before(other.date, item.date) is True


def _not_after(item: Dated, boundary: Dated) -> bool:
    """Whether active evidence belongs before a response. A clear marrow does not end disease elsewhere."""
    if boundary.event.site == "marrow" and item.event.site in _OUTSIDE_MARROW:
        return False
    if item.date is None or boundary.date is None:
        return False
    return before(item.date, boundary.date) is True


def _new_episode(current: list[Dated], course: Course) -> list[Dated]:
    """A report that says "second" or "new" relapse starts an episode (rules 11.3)."""
    starts = [d for d in current if d.event.new_episode and d.date is not None]
    if not starts:
        return current
    newest = max(starts, key=by_date)
    kept = [d for d in current if not _later(newest, d)]
    course.earlier_starts += [d.date for d in _others(current, kept) if d.date is not None]
    return kept


def _without_cleared(
    current: list[Dated], undated: list[Dated], cleared: list[Dated], course: Course
) -> list[Dated]:
    """Imaging or suspicion gives way to a later tissue result without malignancy, and the conflict is shown (11.9)."""
    if not current or undated or not all(_is_imaging(d) for d in current):
        return current
    last = max(current, key=by_date)
    later = [c for c in cleared if _later(c, last) and c.event.kind is EventKind.NO_MALIGNANCY]
    if not later:
        return current
    tissue = later[-1].event
    for item in current:
        reason = "is not borne out by the later tissue result without malignancy"
        course.remarks.append(
            Remark("conflict", reason, item.event.source, about="course", code="tissue-clear")
        )
    course.remarks.append(
        Remark(
            "conflict",
            "shows no malignancy after imaging that suspected it",
            tissue.source,
            about="course",
            code="tissue-clear",
        )
    )
    course.outdone = "tissue"
    return []


def _is_imaging(item: Dated) -> bool:
    return item.event.imaging or item.event.certainty is Certainty.SUSPECTED


def _still_standing(undated: list[Dated], course: Course) -> list[Dated]:
    """Undated words against a dated response: clinicalStatus is the state now, a bare code or text gives way (11.9)."""
    answered = [r for r in course.responses if r.date is not None]
    if not answered:
        return undated
    kept = []
    for item in undated:
        if item.event.current:
            kept.append(item)
            reason = (
                "says relapse now, while a response is on record: the problem list is taken as the state now"
            )
            course.remarks.append(
                Remark("conflict", reason, item.event.source, about="course", code="status-now")
            )
        else:
            reason = "names a relapse without a date, and a response after the infusion is on record"
            course.remarks.append(
                Remark("set-aside", reason, item.event.source, about="course", code="undated")
            )
    return kept


def _note_remission(course: Course) -> None:
    for response in course.responses:
        if response.date is None and response.event.element_is_status:
            reason = "still says remission, while later evidence shows active disease"
            course.remarks.append(
                Remark("conflict", reason, response.event.source, about="course", code="remission-listed")
            )
