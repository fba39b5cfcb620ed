"""A decoded input to one patient's chart: strangers set aside, the few resources that matter picked out in one pass.

Sources: rules 11.14; hazards H-01, H-04, H-11. The pass is the hot path of a hook call: a laboratory value costs one
look-up and an append, and is read only where options ask for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mappings.facts import Remark, SeenType, SourceRef
from mappings.reading import wire
from mappings.reading.chart import Chart, Hit, make_hit, reference_key, resolve
from mappings.reading.decode import Decoded
from mappings.reading.recognise import Recogniser, label_of
from mappings.reading.seen import what_was_seen
from mappings.reading.wire import Resource

if TYPE_CHECKING:
    from mappings.loading import Concept

_WITHDRAWN = frozenset({"entered-in-error", "cancelled"})
Placed = tuple[Resource, str | None]


@dataclass(frozen=True, slots=True)
class Triggers:
    """Stems that make an entry without a known name worth reading: of results, and of procedures."""

    results: re.Pattern[bytes]
    procedures: re.Pattern[bytes]


_ALWAYS = frozenset(
    {"Patient", "DiagnosticReport", "DocumentReference", "Specimen", "Medication", "FamilyMemberHistory"}
)
_LISTED_STRANGERS = 50


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
            inner.subject = inner.subject or report.subject
            yield inner, None


def read_chart(decoded: Decoded, patient_id: str, recogniser: Recogniser, triggers: Triggers) -> Chart:
    """Sorts a decoded input: this patient's resources that matter, strangers set aside, what was seen of each type."""
    chart = Chart(patient_id=patient_id, remarks=list(decoded.remarks))
    everything = list(_walk(decoded))
    patients = [placed for placed in everything if placed[0].resourceType == "Patient"]
    chart.patient = _find_patient(patients, patient_id, chart)
    mine = _own_references(chart, patients)
    chart.make_index = lambda: _index(everything, mine)
    _pick(decoded, everything, mine, chart, recogniser, triggers)
    chart.hits = [_with_medication(hit, chart, recogniser) for hit in chart.hits]
    _drop_repeats(chart)
    chart.seen = what_was_seen(decoded, chart)
    if chart.foreign_patient:
        _refuse_identity(chart)
    return chart


def _pick(
    decoded: Decoded,
    everything: list[Placed],
    mine: set[str],
    chart: Chart,
    recogniser: Recogniser,
    triggers: Triggers,
) -> None:
    """The one pass over all resources."""
    foreign: frozenset[str] | None = None
    owners: dict[str, bool] = {}
    unowned: list[str] = []
    labs = chart.lab_values
    counts, hits, concepts_of = chart.counts, chart.hits, recogniser.concepts
    for resource, _ in everything:
        kind = resource.resourceType or ""
        counts[kind] = counts.get(kind, 0) + 1
        owner = resource.subject or resource.patient
        reference = owner.reference if owner is not None else None
        if reference is not None:
            is_mine = owners.get(reference)
            if is_mine is None:
                if foreign is None and "://" in reference:
                    foreign = _foreign_bases(decoded, everything, mine)
                is_mine = owners[reference] = _is_mine(reference, mine, foreign or frozenset())
            if not is_mine or (resource.patient is not None and _other_owner(resource, mine)):
                _set_stranger_aside(chart, resource)
                continue
        concepts = concepts_of(resource.code or resource.medicationCodeableConcept or resource.vaccineCode)
        if not concepts and kind not in _ALWAYS and not _worth_reading(resource, kind, recogniser, triggers):
            continue
        if kind == "Observation" and len(concepts) == 1 and reference is not None:
            concept = concepts[0]
            if concept.kind == "safety" and not _speaks(resource, triggers.results):
                labs.append((resource, concepts))
                continue
        hit = make_hit(resource, concepts)
        if reference is None:
            unowned.append(hit.reference)
        hits.append(hit)
    _note_unowned(chart, unowned)


def _foreign_bases(decoded: Decoded, everything: list[Placed], mine: set[str]) -> frozenset[str]:
    """Addresses under which the same id means somebody else (H-01).

    A server may be written in several ways (proxy, scheme, capitals), so an address is foreign only beside
    entries that name this patient under an address known to be the chart's own, or without one.
    """
    request = decoded.request
    known = (
        {_base(f"{request.fhirServer.rstrip('/')}/x/y")}
        if request is not None and request.fhirServer
        else set()
    )
    known |= {_base(url) for _, url in everything if url and "://" in url}
    seen: set[str] = set()
    own = False
    for resource, _ in everything:
        owner = resource.subject or resource.patient
        reference = owner.reference if owner is not None else None
        if reference is None or reference_key(reference) not in mine:
            continue
        if "://" in reference:
            seen.add(_base(reference))
        else:
            own = True
    return frozenset(seen - known) if own or seen & known or len(seen) > 1 else frozenset()


def _base(url: str) -> str:
    """The server part of an absolute reference, without scheme and in small letters."""
    return url.split("/_history/", 1)[0].split("://", 1)[-1].rsplit("/", 2)[0].lower()


def _is_mine(reference: str, mine: set[str], foreign: frozenset[str]) -> bool:
    """Whether a reference names this patient."""
    if reference_key(reference) not in mine:
        return False
    return not foreign or "://" not in reference or _base(reference) not in foreign


def _other_owner(resource: Resource, mine: set[str]) -> bool:
    """Whether a second statement of whose it is names somebody else."""
    second = resource.patient.reference if resource.patient is not None else None
    return second is not None and reference_key(second) not in mine


def _refuse_identity(chart: Chart) -> None:
    """The Patient given is not the one asked for: nothing of this input counts, and nothing counts as seen (H-01)."""
    chart.hits, chart.lab_values = [], []
    reason = "the Patient given is not the patient asked for"
    chart.seen = {kind: SeenType(kind, "not-seen", 0, reason) for kind in chart.seen}


def _find_patient(patients: Iterable[Placed], patient_id: str, chart: Chart) -> Resource | None:
    others = 0
    found: Resource | None = None
    for resource, _ in patients:
        if resource.id == patient_id:
            found = resource
        else:
            others += 1
            chart.remarks.append(
                Remark("set-aside", "is another patient's record", SourceRef("Patient"), code="other-patient")
            )
    chart.foreign_patient = found is None and others > 0
    return found


def _own_references(chart: Chart, patients: Iterable[Placed]) -> set[str]:
    mine = {f"Patient/{chart.patient_id}"}
    for resource, url in patients:
        if resource is chart.patient and url:
            mine.add(url)
            mine.add(reference_key(url))
    links = wire.peek_list(chart.patient.link, PatientLink) if chart.patient is not None else []
    for link in links:
        other = reference_key(link.other.reference if link.other else None)
        if link.type == "replaces" and other:
            mine.add(other)
            reason = "an older record of the same person, which this record replaces, is read as well"
            chart.remarks.append(
                Remark("remark", reason, SourceRef(f"Patient/{chart.patient_id}"), code="replaces")
            )
        elif other:
            reason = f"is linked as “{link.type or 'unstated'}” and is not read: history may lie under another record"
            chart.remarks.append(Remark("set-aside", reason, SourceRef("Patient"), code="linked-record"))
    return mine


class PatientLink(wire.Struct, gc=False):
    """Patient.link."""

    other: wire.Reference | None = None
    type: str | None = None


def _set_stranger_aside(chart: Chart, resource: Resource) -> None:
    chart.strangers += 1
    kind = resource.resourceType or ""
    chart.strangers_by_type[kind] = chart.strangers_by_type.get(kind, 0) + 1
    if chart.strangers <= _LISTED_STRANGERS:
        reference = f"{resource.resourceType}/{resource.id or '?'}"
        chart.remarks.append(
            Remark("set-aside", "belongs to another patient", SourceRef(reference), code="other-patient")
        )


def _note_unowned(chart: Chart, references: list[str]) -> None:
    for reference in references:
        if not reference.startswith(("Patient/", "Medication/")):
            reason = "names no patient; read because it came with this patient's chart"
            chart.remarks.append(Remark("remark", reason, SourceRef(reference), code="no-subject"))


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
        chart.remarks.append(
            Remark("unread", reason, SourceRef(hit.reference), about="medication", code="no-drug")
        )
        return hit
    concepts: tuple[Concept, ...] = recogniser.concepts(named)
    hit.resource.medicationCodeableConcept, hit.resource.medicationReference = named, wire.NOTHING
    return Hit(hit.resource, concepts, hit.reference, hit.status)


def _worth_reading(resource: Resource, kind: str, recogniser: Recogniser, triggers: Triggers) -> bool:
    """Whether a resource without a known name must be looked at: by reference, or for what its words say."""
    if kind == "Observation":
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


def _index(everything: list[Placed], mine: set[str]) -> dict[str, Resource]:
    index: dict[str, Resource] = {}
    for resource, url in everything:
        owner = resource.subject or resource.patient
        if owner is not None and owner.reference is not None and reference_key(owner.reference) not in mine:
            continue
        if resource.id:
            index[f"{resource.resourceType}/{resource.id}"] = resource
        if url and url.startswith("urn:"):
            index[url] = resource
    return index


def _drop_repeats(chart: Chart) -> None:
    """Keeps one of several copies of a resource: the newest version, a withdrawn one where no order is told.

    Two copies that differ and tell no order contradict each other: a result then counts in neither form.
    """
    best: dict[str, Hit] = {}
    loose: list[Hit] = []
    torn: set[str] = set()
    for hit in chart.hits:
        old = best.get(hit.reference) if hit.resource.id else None
        if not hit.resource.id:
            loose.append(hit)
        elif old is None:
            best[hit.reference] = hit
        elif _version(hit.resource) != _version(old.resource):
            best[hit.reference] = max(old, hit, key=lambda one: _version(one.resource))
        elif hit.status in _WITHDRAWN or old.status in _WITHDRAWN:
            best[hit.reference] = hit if hit.status in _WITHDRAWN else old
        elif hit.resource != old.resource:
            torn.add(hit.reference)
    for reference in sorted(torn):
        reason = "is given twice with different content and no order of versions"
        chart.remarks.append(
            Remark("conflict", reason, SourceRef(reference), about="antigen", code="two-versions")
        )
        if reference.startswith(("Observation/", "DiagnosticReport/")):
            del best[reference]
    chart.hits = sorted(best.values(), key=lambda hit: hit.reference) + sorted(loose, key=_loose_order)


def _loose_order(hit: Hit) -> tuple[str, str, str]:
    return hit.reference, label_of(hit.resource.code), hit.resource.effectiveDateTime or ""


class _Meta(wire.Struct, gc=False):
    versionId: str | None = None  # noqa: N815
    lastUpdated: str | None = None  # noqa: N815


def _version(resource: Resource) -> tuple[str, int]:
    meta = wire.peek(resource.meta, _Meta) if resource.meta else None
    if meta is None:
        return "", 0
    return meta.lastUpdated or "", int(meta.versionId) if meta.versionId and meta.versionId.isdecimal() else 0
