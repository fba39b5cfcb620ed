"""One patient's chart: whose each resource is, what was seen of each type, and which resources are worth reading.

Sources: rules 11.5 (what has been seen), 11.14 (about whom); CDS Hooks 2.0.1 prefetch states; hazards H-01, H-08,
H-09, H-11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mappings.facts import Remark, SeenType, SourceRef
from mappings.reading import wire
from mappings.reading.decode import Decoded
from mappings.reading.recognise import Recogniser, label_of
from mappings.reading.wire import Resource

if TYPE_CHECKING:
    from mappings.loading import Concept

# What a key of plain meaning holds (rules 11.5, contract "Prefetch keys").
KEY_TYPES = {
    "patient": ("Patient",),
    "conditions": ("Condition",),
    "problems": ("Condition",),
    "procedures": ("Procedure",),
    "observations": ("Observation",),
    "medicationAdministrations": ("MedicationAdministration",),
    "medicationRequests": ("MedicationRequest",),
    "medications": ("MedicationAdministration", "MedicationRequest"),
    "medicationStatements": ("MedicationStatement",),
    "reports": ("DiagnosticReport",),
    "diagnosticReports": ("DiagnosticReport",),
    "documents": ("DocumentReference",),
    "familyHistory": ("FamilyMemberHistory",),
}
DECIDING_TYPES = ("Condition", "Procedure", "MedicationAdministration", "Observation", "DiagnosticReport")
_ALWAYS = frozenset({"Patient", "DiagnosticReport", "DocumentReference", "Specimen", "Medication", "FamilyMemberHistory"})
_COMPLETE_CODES = frozenset({"4101", "4119"})
_REFERENCE = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/([^/|?#]+)(?:/_history/[^/]+)?$")
_NARRATIVE = ("valueString", "note", "component", "hasMember")


@dataclass(frozen=True, slots=True)
class Hit:
    """A resource of this patient worth reading, with the concepts its code names."""

    resource: Resource
    concepts: tuple[Concept, ...]
    reference: str
    status: str

    def of(self, *kinds: str) -> tuple[Concept, ...]:
        """The concepts of the given kinds."""
        return tuple(concept for concept in self.concepts if concept.kind in kinds)


@dataclass(slots=True)
class Chart:
    """What reading starts from. `index` resolves references; `seen` says what may be answered with *no*."""

    patient_id: str
    patient: Resource | None = None
    hits: list[Hit] = field(default_factory=list)
    seen: dict[str, SeenType] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    index: dict[str, Resource] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    foreign_patient: bool = False
    strangers: int = 0

    def of_type(self, *types: str) -> Iterator[Hit]:
        """The hits of the given resource types."""
        return (hit for hit in self.hits if hit.resource.resourceType in types)

    def state(self, kind: str) -> str:
        """`complete`, `incomplete` or `not-seen` for a resource type."""
        row = self.seen.get(kind)
        return row.state if row else "not-seen"


def reference_key(reference: str | None) -> str:
    """`Type/id` of a relative or absolute reference, the text itself for `urn:uuid:` and `#id`."""
    if not reference:
        return ""
    reference = reference.strip()
    match = _REFERENCE.search(reference)
    return f"{match[1]}/{match[2]}" if match else reference


def patient_ids(decoded: Decoded) -> tuple[str, ...]:
    """Ids of all Patient resources given, for inputs that do not name their patient."""
    return tuple(
        dict.fromkeys(
            resource.id for _, resource, _ in _walk(decoded) if resource.resourceType == "Patient" and resource.id
        )
    )


def _walk(decoded: Decoded) -> Iterator[tuple[str, Resource, str | None]]:
    for key, value in decoded.keys.items():
        if value is not None:
            yield from _flatten(key, value, None, 0)


def _flatten(key: str, value: Resource, url: str | None, depth: int) -> Iterator[tuple[str, Resource, str | None]]:
    if value.resourceType != "Bundle":
        yield key, value, url
        return
    for entry in value.entry or ():
        resource = entry.resource
        if resource is None:
            continue
        if resource.resourceType == "Bundle" and depth < 4:
            yield from _flatten(key, resource, entry.fullUrl, depth + 1)
        else:
            yield key, resource, entry.fullUrl


def read_chart(decoded: Decoded, patient_id: str, recogniser: Recogniser, triggers: re.Pattern[bytes]) -> Chart:
    """Sorts a decoded input: this patient's resources that matter, strangers set aside, what was seen of each type."""
    chart = Chart(patient_id=patient_id, remarks=list(decoded.remarks))
    everything = list(_walk(decoded))
    chart.patient = _find_patient(everything, patient_id, chart)
    mine = _own_references(chart, everything)
    owners: dict[str, bool] = {}
    unowned: list[str] = []
    for key, resource, url in everything:
        kind = resource.resourceType or ""
        counts = chart.counts
        counts[kind] = counts.get(kind, 0) + 1
        owner = resource.subject or resource.patient
        if owner is not None and owner.reference is not None:
            is_mine = owners.get(owner.reference)
            if is_mine is None:
                is_mine = owners[owner.reference] = reference_key(owner.reference) in mine
            if not is_mine:
                _set_stranger_aside(chart, resource)
                continue
        hit = _hit(resource, recogniser, triggers)
        if hit is None:
            continue
        if owner is None or owner.reference is None:
            unowned.append(hit.reference)
        chart.hits.append(hit)
    _note_unowned(chart, unowned)
    chart.index = _index(everything, mine)
    chart.hits = [_with_medication(hit, chart, recogniser) for hit in chart.hits]
    _drop_repeats(chart)
    chart.seen = _what_was_seen(decoded, chart)
    if chart.foreign_patient:
        _refuse_identity(chart)
    return chart


def _refuse_identity(chart: Chart) -> None:
    """The Patient given is not the one asked for: nothing of this input counts, and nothing counts as seen (H-01)."""
    chart.hits = []
    reason = "the Patient given is not the patient asked for"
    chart.seen = {kind: SeenType(kind, "not-seen", 0, reason) for kind in chart.seen}


def _find_patient(
    everything: Iterable[tuple[str, Resource, str | None]], patient_id: str, chart: Chart
) -> Resource | None:
    others = 0
    found: Resource | None = None
    for _, resource, _ in everything:
        if resource.resourceType != "Patient":
            continue
        if resource.id == patient_id:
            found = resource
        else:
            others += 1
            chart.remarks.append(
                Remark("set-aside", "is another patient's record", SourceRef("Patient"), code="other-patient")
            )
    chart.foreign_patient = found is None and others > 0
    return found


def _own_references(chart: Chart, everything: Iterable[tuple[str, Resource, str | None]]) -> set[str]:
    mine = {f"Patient/{chart.patient_id}"}
    for _, resource, url in everything:
        if resource is chart.patient and url:
            mine.add(url)
            mine.add(reference_key(url))
    if chart.patient is not None:
        for link in wire.peek_list(chart.patient.link, PatientLink):
            other = reference_key(link.other.reference if link.other else None)
            if link.type == "replaces" and other:
                mine.add(other)
                reason = "an older record of the same person, which this record replaces, is read as well"
                chart.remarks.append(Remark("remark", reason, SourceRef(f"Patient/{chart.patient_id}"), code="replaces"))
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
    if chart.strangers <= 50:
        reference = f"{resource.resourceType}/{resource.id or '?'}"
        chart.remarks.append(
            Remark("set-aside", "belongs to another patient", SourceRef(reference), code="other-patient")
        )


def _note_unowned(chart: Chart, references: list[str]) -> None:
    for reference in references:
        if not reference.startswith(("Patient/", "Medication/")):
            reason = "names no patient; read because it came with this patient's chart"
            chart.remarks.append(Remark("remark", reason, SourceRef(reference), code="no-subject"))


def _hit(resource: Resource, recogniser: Recogniser, triggers: re.Pattern[bytes]) -> Hit | None:
    concepts = recogniser.concepts(resource.code or resource.medicationCodeableConcept)
    kind = resource.resourceType
    if not concepts and kind not in _ALWAYS and not resource.medicationReference:
        if kind == "Observation":
            if not _speaks(resource, triggers):
                return None
        else:
            return None
    status = (resource.status or "").strip().lower()
    return Hit(resource, concepts, f"{kind}/{resource.id}" if resource.id else f"{kind}/?", status)


def _with_medication(hit: Hit, chart: Chart, recogniser: Recogniser) -> Hit:
    """A medication given by reference takes the name and concepts of the Medication it points to."""
    if not hit.resource.medicationReference or hit.resource.medicationCodeableConcept is not None:
        return hit
    reference = wire.peek(hit.resource.medicationReference, wire.Reference)
    medication = resolve(reference.reference if reference else None, hit.resource, chart)
    named = medication.code if medication is not None else None
    if named is None and reference is not None and reference.display:
        named = wire.Concept(text=reference.display)
    concepts = recogniser.concepts(named)
    if named is None or not concepts:
        return hit
    hit.resource.medicationCodeableConcept = named
    return Hit(hit.resource, concepts, hit.reference, hit.status)


def resolve(reference: str | None, holder: Resource, chart: Chart) -> Resource | None:
    """The resource a reference points to: contained, relative, absolute or `urn:uuid:`; None where it is not given."""
    if not reference:
        return None
    if reference.startswith("#"):
        for inner in wire.peek_list(holder.contained, Resource):
            if inner.id in (reference, reference[1:]):
                return inner
        return None
    return chart.index.get(reference_key(reference))


def _speaks(resource: Resource, triggers: re.Pattern[bytes]) -> bool:
    """Whether an Observation without a known code says something in words or parts that must be read."""
    if resource.component or resource.hasMember:
        return True
    if resource.valueString and triggers.search(resource.valueString):
        return True
    if resource.note and triggers.search(resource.note):
        return True
    return bool(resource.valueCodeableConcept and triggers.search(resource.valueCodeableConcept))


def _index(everything: list[tuple[str, Resource, str | None]], mine: set[str]) -> dict[str, Resource]:
    index: dict[str, Resource] = {}
    for _, resource, url in everything:
        owner = resource.subject or resource.patient
        if owner is not None and owner.reference is not None and reference_key(owner.reference) not in mine:
            continue
        if resource.id:
            index[f"{resource.resourceType}/{resource.id}"] = resource
        if url and url.startswith("urn:"):
            index[url] = resource
    return index


def _drop_repeats(chart: Chart) -> None:
    """Keeps one of several copies of a resource: the newest version where versions are told, else the first in order."""
    best: dict[str, Hit] = {}
    loose: list[Hit] = []
    for hit in chart.hits:
        if not hit.resource.id:
            loose.append(hit)
            continue
        old = best.get(hit.reference)
        if old is None or _version(hit.resource) > _version(old.resource):
            best[hit.reference] = hit
    chart.hits = sorted(best.values(), key=lambda hit: hit.reference) + sorted(loose, key=_loose_order)


def _loose_order(hit: Hit) -> tuple[str, str, str]:
    return hit.reference, label_of(hit.resource.code), hit.resource.effectiveDateTime or ""


class _Meta(wire.Struct, gc=False):
    versionId: str | None = None  # noqa: N815
    lastUpdated: str | None = None  # noqa: N815


def _version(resource: Resource) -> tuple[str, int, str]:
    meta = wire.peek(resource.meta, _Meta) if resource.meta else None
    if meta is None:
        return "", 0, resource.status or ""
    number = int(meta.versionId) if meta.versionId and meta.versionId.isdecimal() else 0
    return meta.lastUpdated or "", number, resource.status or ""


class _Issue(wire.Struct, gc=False):
    code: str | None = None
    severity: str | None = None
    details: wire.Concept | None = None


def _what_was_seen(decoded: Decoded, chart: Chart) -> dict[str, SeenType]:
    states: dict[str, list[tuple[str, str]]] = {}
    for key, value in decoded.keys.items():
        for kind, state, reason in _key_states(key, value):
            states.setdefault(kind, []).append((state, reason))
    if chart.patient is not None:
        states.setdefault("Patient", []).append(("complete", ""))
    seen = {}
    for kind, rows in states.items():
        complete = any(state == "complete" for state, _ in rows)
        partial = any(state in ("complete", "incomplete") for state, _ in rows)
        reason = "" if complete else next((reason for _, reason in rows if reason), "")
        state = "complete" if complete else "incomplete" if partial else "not-seen"
        seen[kind] = SeenType(kind, state, chart.counts.get(kind, 0), reason)
    for kind in DECIDING_TYPES:
        seen.setdefault(kind, SeenType(kind, "not-seen", 0, "not given"))
    return seen


def _key_states(key: str, value: Resource | None) -> Iterator[tuple[str, str, str]]:
    """What one key says of the types it holds: rows of (type, state, reason)."""
    types = KEY_TYPES.get(key, ())
    if value is None:
        yield from ((kind, "not-seen", "the EHR sent null") for kind in types)
        return
    if value.resourceType == "OperationOutcome":
        yield from ((kind, "not-seen", "the EHR answered with an error") for kind in types)
        return
    if value.resourceType != "Bundle":
        if value.resourceType == "Unreadable":
            yield from ((kind, "incomplete", "could not be read") for kind in types)
        elif not types and value.resourceType:
            yield value.resourceType, "incomplete", "a single resource was given"
        return
    entries = value.entry or []
    held = {
        entry.resource.resourceType: True
        for entry in entries
        if _is_match(entry) and entry.resource and entry.resource.resourceType not in (None, "OperationOutcome")
    }
    for entry in entries if "Bundle" in held else ():
        if entry.resource is not None and entry.resource.resourceType == "Bundle":
            yield from _key_states(key, entry.resource)
    reason = _cut_short(value, entries)
    state = "incomplete" if reason else "complete"
    for kind in dict.fromkeys((*types, *held, *_self_types(value))):
        by_key = kind in types and (not held or any(other in held for other in types))
        if kind in held or by_key or not held:
            yield kind, state, reason  # type: ignore[misc]


def _is_match(entry: wire.Entry) -> bool:
    return entry.search is None or entry.search.mode in (None, "match")


def _self_types(bundle: Resource) -> list[str]:
    types = []
    for link in wire.peek_list(bundle.link, wire.Link):
        if link.relation == "self" and link.url:
            last = link.url.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
            if last[:1].isupper() and last.isalpha():
                types.append(last)
    return types


def _cut_short(bundle: Resource, entries: list[wire.Entry]) -> str:
    """Why a searchset is not the whole answer, or empty (rules 11.5, hazard H-09)."""
    if any(link.relation == "next" for link in wire.peek_list(bundle.link, wire.Link)):
        return "more pages were announced than were given"
    matches = 0
    for entry in entries:
        resource = entry.resource
        if resource is None:
            continue
        if resource.resourceType == "OperationOutcome":
            reason = _withheld(resource)
            if reason:
                return reason
        elif resource.resourceType == "Unreadable":
            return "an entry could not be read"
        elif _is_match(entry):
            matches += 1
    if bundle.total is not None and bundle.total > matches:
        return f"{bundle.total} results were announced and {matches} given"
    return ""


def _withheld(outcome: Resource) -> str:
    for issue in wire.peek_list(outcome.issue, _Issue):
        codes = {(coding.code or "").strip() for coding in (issue.details.coding or () if issue.details else ())}
        if codes and codes <= _COMPLETE_CODES:
            continue
        if issue.severity in ("information", "success") and not codes:
            continue
        if codes & _COMPLETE_CODES and not (codes - _COMPLETE_CODES):
            continue
        return "the EHR withheld part of the answer"
    return ""
