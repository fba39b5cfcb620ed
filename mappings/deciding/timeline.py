"""The course of the illness as dated entries in lanes, for picture and table alike.

Days are counted from the first bag of the latest CD19-directed infusion (rules 5, 11.10). What was set aside
stays in sight and is marked (invariant 4); entries without a date come last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from mappings.dates import ClinicalDate, days_between
from mappings.evaluation import Assessment, TimelineEntry, Timing
from mappings.facts import (
    AntigenResult,
    CarTInfusion,
    DiseaseEvent,
    EventKind,
    Facts,
    PriorTherapy,
    SourceRef,
)

LANES = ("car-t", "response", "relapse", "antigen", "biopsy", "therapy", "transplant", "monitoring")
_LANE_ORDER = {lane: rank for rank, lane in enumerate(LANES)}
_RESPONSES = frozenset(
    {
        EventKind.RESPONSE,
        EventKind.REMISSION,
        EventKind.PARTIAL_RESPONSE,
        EventKind.STABLE,
        EventKind.NO_MALIGNANCY,
        EventKind.MRD_NEGATIVE,
        EventKind.UNDETERMINED,
    }
)
_WORDS = {
    EventKind.NO_MALIGNANCY: "no malignancy",
    EventKind.MALIGNANT_CELLS: "malignant cells",
    EventKind.MRD_POSITIVE: "MRD positive",
    EventKind.MRD_NEGATIVE: "MRD negative",
    EventKind.STABLE: "stable disease",
    EventKind.UNDETERMINED: "undetermined",
    EventKind.SUSPECTED: "relapse suspected",
    EventKind.PARTIAL_RESPONSE: "partial response",
}


def build_timeline(facts: Facts, assessment: Assessment) -> tuple[TimelineEntry, ...]:
    """Every dated thing of the course with its day number, sorted; the same for any order of the input."""
    start = assessment.anchor.first if assessment.anchor is not None else None
    used = {result for view in assessment.antigens for result in view.results}
    aside = {remark.source for remark in assessment.set_aside if remark.about == "course"}
    entries = [
        *_infusions(facts, start),
        *(_event(event, start, event.source in aside, assessment.timing) for event in facts.events),
        *_antigens(facts, used, start),
        *_biopsies(facts, start),
        *(_therapy(therapy, start) for therapy in facts.therapies if therapy.administered),
        *_monitoring(facts, start),
    ]
    return tuple(_once(sorted(entries, key=_order)))


def _once(entries: Iterable[TimelineEntry]) -> Iterator[TimelineEntry]:
    """One entry for what several resources say of the same day in the same words."""
    told = set()
    for entry in entries:
        day = entry.when.text[:10] if entry.when is not None else ""
        words = (day, entry.lane, entry.label, entry.detail, entry.set_aside)
        if words not in told:
            told.add(words)
            yield entry


def _day(start: ClinicalDate | None, when: ClinicalDate | None) -> int | None:
    return days_between(start, when) if start is not None and when is not None else None


def _infusions(facts: Facts, start: ClinicalDate | None) -> Iterator[TimelineEntry]:
    for infusion, cd19 in _with_target(facts):
        remarks = []
        if infusion.split_doses and infusion.last is not None:
            remarks.append(f"split doses, last bag {infusion.last.display()}")
        if infusion.possibly_incomplete:
            remarks.append("dose may be incomplete")
        if infusion.history_only:
            remarks.append("history entry only")
        if not cd19:
            remarks.append(
                f"target {', '.join(infusion.targets)}" if infusion.targets else "target not recorded"
            )
        source = infusion.sources[0] if infusion.sources else None
        label = infusion.label or "CAR T cells"
        yield TimelineEntry(
            infusion.first, _day(start, infusion.first), "car-t", label, "; ".join(remarks), source
        )


def _with_target(facts: Facts) -> Iterable[tuple[CarTInfusion, bool]]:
    return ((infusion, infusion.cd19_directed) for infusion in (*facts.infusions, *facts.other_cellular))


def _event(event: DiseaseEvent, start: ClinicalDate | None, aside: bool, timing: Timing) -> TimelineEntry:
    """An event of the disease; the problem-list entry that dates the relapse stands at that date (rules 11.3)."""
    lane = "response" if event.kind in _RESPONSES else "relapse"
    label = _WORDS.get(event.kind, event.kind.value.replace("-", " "))
    when, dated = event.when, ""
    if when is None and event.source == timing.relapse_source and timing.relapse_date is not None:
        when = timing.relapse_date
        dated = "date of onset" if when == event.onset else "date of the problem-list entry"
    parts = (event.site, event.words, dated)
    detail = "; ".join(part for part in parts if part not in ("", "unspecified"))
    return TimelineEntry(when, _day(start, when), lane, label, detail, event.source, set_aside=aside)


def _antigens(facts: Facts, used: set[AntigenResult], start: ClinicalDate | None) -> Iterator[TimelineEntry]:
    for result in facts.antigens:
        parts = [result.specimen_text or result.specimen.value, result.method.value]
        if result.percent:
            parts.append(result.percent if "%" in result.percent else f"{result.percent} %")
        if result.h_score:
            parts.append(f"H-score {result.h_score}")
        if result.preliminary:
            parts.append("preliminary")
        if result.collected_is_bound:
            parts.append("date of issue, collection not given")
        label = f"{result.antigen.value} {result.state.value.replace('-', ' ')}"
        yield TimelineEntry(
            result.collected,
            _day(start, result.collected),
            "antigen",
            label,
            ", ".join(parts),
            result.source,
            set_aside=result not in used,
        )


def _biopsies(facts: Facts, start: ClinicalDate | None) -> Iterator[TimelineEntry]:
    """One entry for each specimen that antigen results came from."""
    groups: dict[tuple[str, str, str], AntigenResult] = {}
    for result in sorted(facts.antigens, key=lambda r: (r.source.reference, r.antigen.value)):
        day = result.collected.text[:10] if result.collected is not None else ""
        name = result.specimen_text or result.specimen.value
        groups.setdefault((day, name.lower(), result.accession), result)
    for result in groups.values():
        name = result.specimen_text or result.specimen.value
        detail = f"accession {result.accession}" if result.accession else ""
        source = SourceRef(result.source.reference, "specimen", name)
        yield TimelineEntry(result.collected, _day(start, result.collected), "biopsy", name, detail, source)


def _therapy(therapy: PriorTherapy, start: ClinicalDate | None) -> TimelineEntry:
    lane = "transplant" if "transplant" in therapy.classes else "therapy"
    first, last = therapy.first, therapy.last
    detail = ""
    if first is not None and last is not None and last.display() != first.display():
        detail = f"until {last.display()}"
    source = therapy.sources[0] if therapy.sources else None
    return TimelineEntry(first, _day(start, first), lane, therapy.label, detail, source)


def _monitoring(facts: Facts, start: ClinicalDate | None) -> Iterator[TimelineEntry]:
    for result in facts.monitoring:
        yield TimelineEntry(
            result.when, _day(start, result.when), "monitoring", result.label, result.value, result.source
        )


def _order(entry: TimelineEntry) -> tuple[bool, date, date, int, str, str, str]:
    when = entry.when
    first, last = (when.first, when.last) if when is not None else (date.max, date.max)
    reference = entry.source.reference if entry.source is not None else ""
    return (
        when is None,
        first,
        last,
        _LANE_ORDER.get(entry.lane, len(LANES)),
        entry.label,
        entry.detail,
        reference,
    )
