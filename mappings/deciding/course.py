"""Facts to the course after CAR T: anchor infusion, episodes of active disease, the relapse that stands now.

Sources: rules EN-1, 11.3 (which relapse, which date), 11.6, 11.7, 11.9 (what counts as relapse), 11.10, 11.11.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mappings.dates import ClinicalDate, before, days_between
from mappings.facts import (
    AntigenState,
    CarTInfusion,
    CarTKnowledge,
    Certainty,
    DiseaseEvent,
    EventKind,
    Facts,
    Remark,
)

ACTIVE = frozenset(
    {
        EventKind.RELAPSE,
        EventKind.PROGRESSION,
        EventKind.REFRACTORY,
        EventKind.MALIGNANT_CELLS,
        EventKind.SUSPECTED,
    }
)
RESPONSES = frozenset({EventKind.RESPONSE, EventKind.REMISSION})
_STRENGTH = {Certainty.CONFIRMED: 0, Certainty.STATED: 1, Certainty.SUSPECTED: 2, Certainty.MRD: 3}
_OUTSIDE_MARROW = frozenset({"csf", "tissue", "effusion"})


@dataclass(frozen=True, slots=True)
class Dated:
    """A disease event with the date it has after the anchor; None where it is the state now, undated."""

    event: DiseaseEvent
    date: ClinicalDate | None


@dataclass(slots=True)
class Course:
    """What happened after the anchor infusion. `relapse` is the active evidence of the current episode."""

    anchor: CarTInfusion | None = None
    unknown_target: tuple[CarTInfusion, ...] = ()
    relapse: list[Dated] = field(default_factory=list)
    start: ClinicalDate | None = None
    earlier_starts: list[ClinicalDate] = field(default_factory=list)
    responses: list[Dated] = field(default_factory=list)
    partial: list[Dated] = field(default_factory=list)
    unordered: list[Dated] = field(default_factory=list)
    certainty: Certainty = Certainty.NONE
    refractory_stated: bool = False
    remarks: list[Remark] = field(default_factory=list)
    outdone: str = ""

    @property
    def in_relapse(self) -> bool:
        """Whether disease is active now after the anchor, on whatever evidence."""
        return bool(self.relapse)


def read_course(facts: Facts, disease_group: str) -> Course:
    """Works out anchor, episodes and the current relapse from dated and undated evidence."""
    course = Course()
    course.anchor = anchor_of(facts.infusions)
    course.unknown_target = tuple(i for i in facts.infusions if i.knowledge is CarTKnowledge.TARGET_UNKNOWN)
    reference = course.anchor or (course.unknown_target[-1] if course.unknown_target else None)
    if reference is None:
        return course
    active, cleared = _sort_events(facts, reference, course, disease_group)
    _find_episode(active, cleared, course, disease_group)
    return course


def anchor_of(infusions: tuple[CarTInfusion, ...]) -> CarTInfusion | None:
    """The latest CD19-directed infusion; a dated one goes before an undated one (rules 11.10)."""
    directed = [infusion for infusion in infusions if infusion.cd19_directed]
    dated = [infusion for infusion in directed if infusion.last is not None]
    if dated:
        return max(dated, key=lambda i: (i.last.last if i.last else None, i.product))
    return directed[-1] if directed else None


def _sort_events(
    facts: Facts, reference: CarTInfusion, course: Course, disease_group: str
) -> tuple[list[Dated], list[Dated]]:
    """Splits events into active evidence and tissue without malignancy, and files the responses."""
    active: list[Dated] = []
    cleared: list[Dated] = []
    for event in facts.events:
        placed = _place(event, reference, course)
        if placed is None:
            continue
        if event.kind in ACTIVE:
            if event.kind is EventKind.MALIGNANT_CELLS and _at_mrd_level(event, facts):
                continue  # burden below morphological relapse: weighed by _mrd_relapse
            active.append(placed)
            course.refractory_stated |= event.kind is EventKind.REFRACTORY
        elif event.kind in RESPONSES:
            course.responses.append(placed)
        elif event.kind is EventKind.PARTIAL_RESPONSE:
            course.partial.append(placed)
        elif event.kind is EventKind.NO_MALIGNANCY or event.kind is EventKind.MRD_NEGATIVE:
            cleared.append(placed)
            if disease_group == "b-all":
                course.responses.append(placed)
    _mrd_relapse(facts, reference, course, active, disease_group)
    if active:
        active.extend(_from_specimens(facts, reference, active))
    return active, cleared


def _from_specimens(facts: Facts, reference: CarTInfusion, active: list[Dated]) -> list[Dated]:
    """Antigen results on tumour tissue date and confirm a relapse that other evidence states (11.3)."""
    known = {item.event.source.reference for item in active}
    found = []
    for result in facts.antigens:
        date = result.collected
        if (
            date is None
            or reference.last is None
            or result.collected_is_bound
            or result.source.reference in known
        ):
            continue
        if result.state is AntigenState.UNKNOWN or before(reference.last, date) is not True:
            continue
        event = DiseaseEvent(
            kind=EventKind.MALIGNANT_CELLS,
            certainty=Certainty.CONFIRMED,
            when=date,
            source=result.source,
            site=result.specimen.value,
            words=f"{result.antigen.value} {result.state.value} on the specimen",
            phenotype=True,
            accession=result.accession,
        )
        if not _at_mrd_level(event, facts):
            found.append(Dated(event, date))
    return found


def _at_mrd_level(event: DiseaseEvent, facts: Facts) -> bool:
    """Whether malignant cells were those of a minimal-residual-disease measurement of the same specimen (11.9)."""
    for other in facts.events:
        if other.kind is not EventKind.MRD_POSITIVE:
            continue
        if event.accession and event.accession == other.accession:
            return True
        if event.when is not None and other.when is not None and event.when.first == other.when.first:
            return event.site == other.site
    return False


def _place(event: DiseaseEvent, reference: CarTInfusion, course: Course) -> Dated | None:
    """Where an event stands against the anchor: after it, now (undated), or not usable."""
    infused = reference.last
    if event.when is None and event.from_problem_list:
        return _place_condition(event, infused, course)
    if event.when is None:
        if event.current:
            return Dated(event, None)
        _undated(event, course)
        return None
    if infused is None:
        _unordered(event, event.when, course)
        return None
    after = before(infused, event.when)
    if after is None:
        _unordered(event, event.when, course)
        return None
    return Dated(event, event.when) if after else None


def _undated(event: DiseaseEvent, course: Course) -> None:
    course.unordered.append(Dated(event, None))
    reason = "has no date that puts it before or after the infusion"
    course.remarks.append(Remark("set-aside", reason, event.source, about="course", code="order-unknown"))


def _unordered(event: DiseaseEvent, date: ClinicalDate, course: Course) -> None:
    course.unordered.append(Dated(event, date))
    reason = "cannot be put before or after the infusion: one of the dates is missing or partial"
    course.remarks.append(Remark("set-aside", reason, event.source, about="course", code="order-unknown"))


def _place_condition(event: DiseaseEvent, infused: ClinicalDate | None, course: Course) -> Dated | None:
    """A problem-list entry: dated when its onset or recording lies after the anchor, else the state now (11.3).

    A status is the state now; a code or text that merely names a relapse counts only with a date after the anchor.
    """
    for date in (event.onset, event.recorded):
        if date is not None and infused is not None and before(infused, date):
            return Dated(event, date)
    if event.current:
        return Dated(event, None)
    if event.recorded is not None and infused is not None and before(infused, event.recorded) is False:
        reason = "was recorded before the infusion"
        course.remarks.append(
            Remark("set-aside", reason, event.source, about="course", code="before-infusion")
        )
        return None
    course.unordered.append(Dated(event, event.recorded))
    reason = "names a relapse, but no date puts it after the infusion"
    course.remarks.append(Remark("set-aside", reason, event.source, about="course", code="order-unknown"))
    return None


def _mrd_relapse(
    facts: Facts, reference: CarTInfusion, course: Course, active: list[Dated], disease_group: str
) -> None:
    """MRD that returns after a negative remission, with a described phenotype, in B-ALL (rules 11.9)."""
    if disease_group != "b-all" or any(item.event.certainty is not Certainty.MRD for item in active):
        return
    for event in facts.events:
        if event.kind is not EventKind.MRD_POSITIVE or event.when is None or reference.last is None:
            continue
        if before(reference.last, event.when) is not True:
            continue
        negative_before = any(
            item.date is not None and before(item.date, event.when) for item in course.responses
        )
        described = event.phenotype or any(
            r.source.reference == event.source.reference
            or (r.accession and r.accession == event.accession)
            or (r.collected is not None and r.collected.text == event.when.text)
            for r in facts.antigens
        )
        if negative_before and described:
            active.append(Dated(event, event.when))
        else:
            reason = "minimal residual disease that did not follow a negative result, or without a described phenotype"
            course.remarks.append(Remark("remark", reason, event.source, about="course", code="mrd"))


def _find_episode(active: list[Dated], cleared: list[Dated], course: Course, disease_group: str) -> None:
    dated = sorted((d for d in active if d.date is not None), key=_by_date)
    undated = [d for d in active if d.date is None]
    boundary = _last_boundary(dated, course)
    current = [d for d in dated if boundary is None or not _not_after(d, boundary)]
    earlier = [d for d in dated if d not in current]
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


def _by_date(item: Dated) -> tuple[str, str]:
    return (item.date.first.isoformat() if item.date else ""), item.event.source.reference


def _last_boundary(dated: list[Dated], course: Course) -> Dated | None:
    """The last recorded response that ends an episode; a partial response only where disease grew again after it."""
    ends = [r for r in course.responses if r.date is not None]
    ends += [p for p in course.partial if p.date is not None and any(_later(d, p) for d in dated)]
    return max(ends, key=_by_date, default=None)


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
    newest = max(starts, key=_by_date)
    kept = [d for d in current if not _later(newest, d)]
    course.earlier_starts += [d.date for d in current if d not in kept and d.date is not None]
    return kept


def _without_cleared(
    current: list[Dated], undated: list[Dated], cleared: list[Dated], course: Course
) -> list[Dated]:
    """Imaging or suspicion gives way to a later tissue result without malignancy, and the conflict is shown (11.9)."""
    if not current or undated or not all(_is_imaging(d) for d in current):
        return current
    last = max(current, key=_by_date)
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


def response_before_relapse(course: Course) -> DiseaseEvent | None:
    """The best dated response between infusion and relapse, complete before partial."""
    for group in (course.responses, course.partial):
        rows = sorted((r for r in group if r.date is not None), key=_by_date)
        for row in rows:
            if course.start is None or (row.date and before(row.date, course.start)):
                return row.event
    return None


def days_to_relapse(course: Course) -> int | None:
    """Calendar days from the first bag to the relapse (rules 11.10)."""
    if course.anchor is None or course.anchor.first is None or course.start is None:
        return None
    return days_between(course.anchor.first, course.start)
