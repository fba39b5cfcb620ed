"""Results that are there but cannot be counted: of a status that nobody knows, or without a name.

What they may say is not lost: an antigen, a relapse they may tell of is unknown, never "no" (rules 11.6; H-11).
"""

from __future__ import annotations

from dataclasses import replace

from mappings.facts import (
    Antigen,
    AntigenResult,
    AntigenState,
    DiseaseEvent,
    EventKind,
    Remark,
    SeenType,
    Sighting,
    SourceRef,
    SpecimenKind,
)
from mappings.reading import values
from mappings.reading.antigens import AntigenReading
from mappings.reading.chart import Chart, Hit
from mappings.reading.components import values_text
from mappings.reading.context import VOID, Context, Surroundings, status_unknown
from mappings.reading.recognise import texts_of
from mappings.reading.reports import ReportsReading

_MAY_BE_RELAPSE = frozenset(
    {
        EventKind.RELAPSE,
        EventKind.PROGRESSION,
        EventKind.REFRACTORY,
        EventKind.MALIGNANT_CELLS,
        EventKind.SUSPECTED,
        EventKind.MRD_POSITIVE,
        EventKind.UNDETERMINED,
    }
)


def doubt_unknown_status(
    chart: Chart, antigens: AntigenReading, reports: ReportsReading, events: list[DiseaseEvent]
) -> list[DiseaseEvent]:
    """Takes the word of results of an unknown status back, with a remark each; returns the events that are left."""
    doubted = {
        hit.reference: hit
        for hit in chart.of_type("Observation", "DiagnosticReport", "DocumentReference")
        if status_unknown(hit)
    }
    if not doubted:
        return events
    told = {result.source.reference for result in (*antigens.results, *reports.results)}
    told |= {event.source.reference for event in (*events, *reports.events)}
    told |= {s.source.reference for s in (*reports.lineage_switch, *reports.t_cell_malignancy, *reports.cns)}
    for reference in sorted(told & doubted.keys()):
        reason = f"has status “{doubted[reference].status}”, which is none that is known: it may not hold"
        antigens.remarks.append(
            Remark("set-aside", reason, SourceRef(reference), about="report", code="status-unknown")
        )
    for reading in (antigens, reports):
        reading.results = [
            replace(r, state=AntigenState.UNKNOWN, unreadable=True) if r.source.reference in doubted else r
            for r in reading.results
        ]
    reports.events = _without(reports.events, doubted)
    reports.lineage_switch = _sure(reports.lineage_switch, doubted)
    reports.t_cell_malignancy = _sure(reports.t_cell_malignancy, doubted)
    reports.cns = _sure(reports.cns, doubted)
    reports.diagnoses = [d for d in reports.diagnoses if d.source.reference not in doubted]
    return _without(events, doubted)


def _without(events: list[DiseaseEvent], doubted: dict[str, Hit]) -> list[DiseaseEvent]:
    """The events, where those of doubted results only say that there may be a relapse."""
    kept = []
    for event in events:
        if event.source.reference not in doubted:
            kept.append(event)
        elif event.kind in _MAY_BE_RELAPSE:
            kept.append(replace(event, kind=EventKind.UNDETERMINED, unreadable=True, new_episode=False))
    return kept


def _sure(sightings: list[Sighting], doubted: dict[str, Hit]) -> list[Sighting]:
    return [sighting for sighting in sightings if sighting.source.reference not in doubted]


def note_unnamed(chart: Chart, surroundings: Surroundings, antigens: AntigenReading) -> None:
    """Results without a name: unread, Observation counts as read in part, and an antigen of the same specimen is
    not known, since each may be its newer version."""
    for hit in chart.of_type("Observation"):
        if texts_of(hit.resource.code) or hit.concepts or hit.resource.component or hit.resource.hasMember:
            continue
        code = hit.resource.code
        if code is not None and any(coding.code for coding in code.coding or ()):
            continue
        valued = values.of_resource(hit.resource)
        text = values_text(valued)
        if hit.status in VOID or not (text or values.unreadable(valued)):
            continue
        source = SourceRef(hit.reference, "code", text[:200])
        reason = "does not say what was looked for: it has a value and no code"
        antigens.remarks.append(Remark("unread", reason, source, about="antigen", code="no-code"))
        count = chart.counts.get("Observation", 0)
        seen = chart.seen.get("Observation")
        if seen is None or seen.state == "complete":
            reason = "a result does not say what was looked for"
            chart.seen["Observation"] = SeenType("Observation", "incomplete", count, reason)
        context = surroundings.of(hit)
        for antigen in Antigen:
            of_specimen = [r for r in antigens.results if r.antigen is antigen and _shares(context, r)]
            if of_specimen:
                antigens.results.append(_stand_in(hit, context, of_specimen[0]))


def _shares(context: Context, result: AntigenResult) -> bool:
    """Whether a result is of the same specimen: by accession, else by day and the name or kind of specimen."""
    if context.accession and result.accession:
        return context.accession == result.accession
    if context.date is None or result.collected is None or context.date.first != result.collected.first:
        return False
    same_kind = context.specimen is result.specimen and context.specimen is not SpecimenKind.UNSPECIFIED
    return same_kind or (bool(context.specimen_text) and context.specimen_text == result.specimen_text)


def _stand_in(hit: Hit, context: Context, like: AntigenResult) -> AntigenResult:
    source = SourceRef(hit.reference, "value", "a result without a name on the same specimen")
    return replace(
        like,
        state=AntigenState.UNKNOWN,
        unreadable=True,
        source=source,
        method=context.method if context.method.value != "unspecified" else like.method,
        status=context.status,
        preliminary=context.preliminary,
        amended=context.amended,
        issued=context.issued,
        percent="",
        h_score="",
        intensity="",
        words=(),
        band=False,
    )
