"""A decoded input to one patient's chart: strangers set aside, the few resources that matter picked out in one pass.

Sources: rules 11.14; hazards H-01, H-04, H-11. The pass is the hot path of a hook call: a laboratory value costs one
look-up and an append, and is read only where options ask for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mappings.facts import Remark, SourceRef
from mappings.reading import wire
from mappings.reading.chart import Chart, Hit, Index, make_hit, resolve
from mappings.reading.copies import drop_repeats
from mappings.reading.decode import Decoded
from mappings.reading.nameless import NAMED as _NAMED
from mappings.reading.nameless import nameless, note_nameless
from mappings.reading.owner import (
    Owners,
    Placed,
    find_patient,
    note_unowned,
    own_references,
    own_server,
    refuse_identity,
    set_stranger_aside,
)
from mappings.reading.recognise import Recogniser
from mappings.reading.seen import what_was_seen
from mappings.reading.wire import Resource

if TYPE_CHECKING:
    from mappings.loading import Concept


@dataclass(frozen=True, slots=True)
class Triggers:
    """Stems that make an entry without a known name worth reading: of results, and of procedures."""

    results: re.Pattern[bytes]
    procedures: re.Pattern[bytes]


_NOT_GIVEN = frozenset({"not-done", "not-taken", "entered-in-error", "cancelled"})
_ALWAYS = frozenset(
    {"Patient", "DiagnosticReport", "DocumentReference", "Specimen", "Medication", "FamilyMemberHistory"}
)


def patient_ids(decoded: Decoded) -> tuple[str, ...]:
    """Ids of all Patient resources given, for inputs that do not name their patient."""
    return tuple(dict.fromkeys(r.id for r, _ in _walk(decoded) if r.resourceType == "Patient" and r.id))


def _walk(decoded: Decoded) -> Iterator[Placed]:
    for value in decoded.keys.values():
        if value is not None:
            yield from _flatten(value, None, 0)


def _flatten(value: Resource, url: str | None, depth: int) -> Iterator[Placed]:
    if value.resourceType != "Bundle":
        yield value, url
        if value.resourceType == "DiagnosticReport" and value.contained:
            yield from _contained_results(value)
        return
    for entry in value.entry or ():
        resource = entry.resource
        if resource is None:
            continue
        if resource.resourceType == "Bundle" and depth < 4:
            yield from _flatten(resource, entry.fullUrl, depth + 1)
        else:
            yield from (
                _flatten(resource, entry.fullUrl, depth + 4)
                if resource.contained
                else ((resource, entry.fullUrl),)
            )


def _contained_results(report: Resource) -> Iterator[Placed]:
    """Results that a report carries inside itself, named `report#result` and of the report's own patient."""
    for inner in wire.peek_list(report.contained, Resource):
        if inner.resourceType == "Observation" and inner.id:
            inner.id = f"{report.id or '?'}#{inner.id.lstrip('#')}"
            # the report's own patient is asked as well: a result inside a stranger's report is a stranger's
            inner.subject, inner.patient = inner.subject or report.subject, report.subject or report.patient
            yield inner, None


def read_chart(decoded: Decoded, patient_id: str, recogniser: Recogniser, triggers: Triggers) -> Chart:
    """Sorts a decoded input: this patient's resources that matter, strangers set aside, what was seen of each type."""
    chart = Chart(patient_id=patient_id, remarks=list(decoded.remarks), server=own_server(decoded))
    everything = list(_walk(decoded))
    patients = [placed for placed in everything if placed[0].resourceType == "Patient"]
    chart.patient = find_patient(patients, patient_id, chart)
    mine = own_references(chart, patients)
    owners = Owners(decoded, everything, mine, chart)
    chart.make_index = lambda: _index(everything, owners)
    _pick(everything, owners, chart, recogniser, triggers)
    chart.hits = [_with_medication(hit, chart, recogniser) for hit in chart.hits]
    drop_repeats(chart)
    chart.seen = what_was_seen(decoded, chart)
    if chart.foreign_patient:
        refuse_identity(chart)
    return chart


def _pick(
    everything: list[Placed],
    owners: Owners,
    chart: Chart,
    recogniser: Recogniser,
    triggers: Triggers,
) -> None:
    """The one pass over all resources."""
    known: dict[str | None, bool | None] = {None: None}
    unowned: list[Hit] = []
    unnamed: list[Resource] = []
    labs = chart.lab_values
    counts, hits, concepts_of = chart.counts, chart.hits, recogniser.concepts
    for resource, _ in everything:
        kind = resource.resourceType or ""
        counts[kind] = counts.get(kind, 0) + 1
        owner = resource.subject
        if owner is None or owner.identifier or resource.patient is not None:
            is_mine = owners.of(resource)
        elif (reference := owner.reference) in known:
            is_mine = known[reference]
        else:
            is_mine = known[reference] = owners.of(resource)
        if is_mine is False:
            set_stranger_aside(chart, resource)
            continue
        concepts = concepts_of(resource.code or resource.medicationCodeableConcept or resource.vaccineCode)
        if not concepts and kind in _NAMED and nameless(resource):
            unnamed.append(resource)
        if not concepts and kind not in _ALWAYS and not _worth_reading(resource, kind, recogniser, triggers):
            continue
        if kind == "Observation" and len(concepts) == 1 and is_mine:
            concept = concepts[0]
            if concept.kind == "safety" and not _speaks(resource, triggers.results):
                labs.append((resource, concepts))
                continue
        hit = make_hit(resource, concepts)
        if is_mine is None:
            unowned.append(hit)
        hits.append(hit)
    note_nameless(chart, unnamed)
    note_unowned(chart, unowned)


def _with_medication(hit: Hit, chart: Chart, recogniser: Recogniser) -> Hit:
    """A medication given by reference takes the name and concepts of the Medication it points to."""
    if not hit.resource.medicationReference or hit.resource.medicationCodeableConcept is not None:
        return hit
    reference = wire.peek(hit.resource.medicationReference, wire.Reference)
    medication = resolve(reference.reference if reference else None, hit.resource, chart)
    named = medication.code if medication is not None else None
    if named is None and reference is not None and reference.display:
        named = wire.Concept(text=reference.display)
    if named is None:
        reason = "names its drug by a reference that was not given: which drug it was is not known"
        code = "no-drug-not-given" if hit.status in _NOT_GIVEN else "no-drug"
        chart.remarks.append(
            Remark("unread", reason, SourceRef(hit.reference), about="medication", code=code)
        )
        return hit
    concepts: tuple[Concept, ...] = recogniser.concepts(named)
    hit.resource.medicationCodeableConcept, hit.resource.medicationReference = named, wire.NOTHING
    return Hit(hit.resource, concepts, hit.reference, hit.status)


def _worth_reading(resource: Resource, kind: str, recogniser: Recogniser, triggers: Triggers) -> bool:
    """Whether a resource without a known name must be looked at: by reference, or for what its words say."""
    if kind == "Observation":
        if resource.code is None or not (resource.code.text or resource.code.coding):
            return True  # nobody knows what it is of: it is read as unread, not passed over
        return recogniser.speaks(resource.code, triggers.results) or _speaks(resource, triggers.results)
    if kind == "Procedure":
        return recogniser.speaks(resource.code, triggers.procedures)
    if resource.medicationReference:
        return True
    return recogniser.speaks(resource.medicationCodeableConcept, triggers.procedures)


def _speaks(resource: Resource, triggers: re.Pattern[bytes]) -> bool:
    """Whether an Observation says something in words or parts that must be read whatever its code."""
    if resource.component or resource.hasMember:
        return True
    if resource.valueString and triggers.search(resource.valueString):
        return True
    if resource.note and triggers.search(resource.note):
        return True
    return bool(resource.valueCodeableConcept and triggers.search(resource.valueCodeableConcept))


def _index(everything: list[Placed], owners: Owners) -> Index:
    index: Index = {}
    for resource, url in everything:
        if owners.of(resource) is False:
            continue
        if resource.id:
            index[f"{resource.resourceType}/{resource.id}"] = resource, url
        if url and url.startswith("urn:"):
            index[url] = resource, url
    return index
