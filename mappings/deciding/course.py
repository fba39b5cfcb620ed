"""Facts to the course after CAR T: anchor infusion, episodes of active disease, the relapse that stands now.

Sources: rules EN-1, 11.3 (which relapse, which date), 11.6, 11.7, 11.9 (what counts as relapse), 11.10, 11.11.
"""

from __future__ import annotations

from mappings.dates import ClinicalDate, before, days_between
from mappings.deciding.antigen_order import ClearSpecimens
from mappings.deciding.course_model import Course, Dated
from mappings.deciding.episodes import by_date, find_episode
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
from mappings.sources import is_stated

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


def read_course(facts: Facts, disease_group: str) -> Course:
    """Works out anchor, episodes and the current relapse from dated and undated evidence."""
    course = Course()
    course.anchor = anchor_of(facts.infusions)
    course.unknown_target = tuple(i for i in facts.infusions if i.knowledge is CarTKnowledge.TARGET_UNKNOWN)
    reference = course.anchor or (course.unknown_target[-1] if course.unknown_target else None)
    if reference is None:
        return course
    active, cleared = _sort_events(facts, reference, course, disease_group)
    find_episode(active, cleared, course)
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
        told = len(course.unordered)
        placed = _place(event, reference, course)
        if event.unreadable:
            _may_be_relapse(placed or _new(course.unordered, told), course, disease_group)
            continue
        if placed is None:
            open_order = _new(course.unordered, told)
            if open_order is not None and event.kind in ACTIVE:
                course.may_be_relapse.append(open_order)
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
            if disease_group == "b-all" and event.site == "marrow":
                course.responses.append(placed)
    _mrd_relapse(facts, reference, course, active, disease_group)
    if active:
        active.extend(_from_specimens(facts, reference, active))
    return active, cleared


def _new(unordered: list[Dated], known: int) -> Dated | None:
    """What was filed as of unknown order since `known` entries were."""
    return unordered[-1] if len(unordered) > known else None


def _may_be_relapse(item: Dated | None, course: Course, disease_group: str) -> None:
    """Files what could not be read; a measurement of residual disease is a relapse in B-ALL alone (11.9)."""
    if item is not None and (item.event.certainty is not Certainty.MRD or disease_group == "b-all"):
        course.may_be_relapse.append(item)


def _from_specimens(facts: Facts, reference: CarTInfusion, active: list[Dated]) -> list[Dated]:
    """Antigen results on tumour tissue date and confirm a relapse that other evidence states (11.3)."""
    known = {item.event.source.reference for item in active}
    found = []
    clear = ClearSpecimens(facts)
    for result in facts.antigens:
        date = result.collected
        if (
            date is None
            or reference.last is None
            or result.collected_is_bound
            or result.source.reference in known
            or clear.covers(result)
            or is_stated(result.source)  # a confirmation is a statement of its own (H-46)
        ):
            continue
        if result.state is AntigenState.UNKNOWN or before(reference.last, date) is not True:
            continue
        event = DiseaseEvent(
            kind=EventKind.MALIGNANT_CELLS,
            certainty=Certainty.CONFIRMED,
            when=date,
            source=result.source,
            site="cns" if result.cns else result.specimen.value,
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
    if event.kind in RESPONSES:
        return Dated(event, None)  # when an entry was typed or the disease began does not date its remission
    for date in (event.onset, event.recorded):
        if date is not None and infused is not None and before(infused, date):
            return Dated(event, date)
    early = event.recorded is not None and infused is not None and before(infused, event.recorded) is False
    if event.current and (event.element_is_status or not early):
        return Dated(event, None)
    if early:
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
        if event.kind is not EventKind.MRD_POSITIVE:
            continue
        after = None
        if event.when is not None and reference.last is not None:
            after = before(reference.last, event.when)
        if after is False:
            continue
        negative_before = event.when is not None and any(
            item.date is not None and before(item.date, event.when) for item in course.responses
        )
        described = event.phenotype or any(
            r.source.reference == event.source.reference
            or (r.accession and r.accession == event.accession)
            or (r.collected is not None and event.when is not None and r.collected.text == event.when.text)
            for r in facts.antigens
        )
        if described and not (after and negative_before) and _negative_may_precede(event, facts):
            course.may_be_relapse.append(Dated(event, event.when))
        if after is None:
            continue
        if negative_before and described:
            active.append(Dated(event, event.when))
        else:
            reason = "minimal residual disease that did not follow a negative result, or without a described phenotype"
            course.remarks.append(Remark("remark", reason, event.source, about="course", code="mrd"))


def _negative_may_precede(event: DiseaseEvent, facts: Facts) -> bool:
    """Whether a remission may lie before residual disease: dates of the two do not tell their order (11.11)."""
    for other in facts.events:
        if other.kind in RESPONSES | {EventKind.MRD_NEGATIVE, EventKind.NO_MALIGNANCY}:
            if other.when is None or event.when is None:
                return True
            if before(other.when, event.when) is not False:
                return True
    return False


def response_before_relapse(course: Course) -> DiseaseEvent | None:
    """The best dated response between infusion and relapse, complete before partial."""
    for group in (course.responses, course.partial):
        rows = sorted((r for r in group if r.date is not None), key=by_date)
        for row in rows:
            if course.start is None or (row.date and before(row.date, course.start)):
                return row.event
    return None


def days_to_relapse(course: Course) -> int | None:
    """Calendar days from the first bag to the relapse (rules 11.10)."""
    if course.anchor is None or course.anchor.first is None or course.start is None:
        return None
    return days_between(course.anchor.first, course.start)
