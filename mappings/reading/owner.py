"""Whose resource it is: this patient's, an older record's of the same person, or a stranger's (rules 11.14; H-01)."""

from __future__ import annotations

from collections.abc import Iterable

from mappings.facts import Remark, SeenType, SourceRef
from mappings.reading import wire
from mappings.reading.chart import Chart, Hit, reference_key, server_of
from mappings.reading.decode import Decoded
from mappings.reading.identity import identifiers_of, same_person
from mappings.reading.wire import Reference, Resource

Placed = tuple[Resource, str | None]
_LISTED_STRANGERS = 50


def foreign_bases(decoded: Decoded, everything: list[Placed], mine: set[str]) -> frozenset[str]:
    """Addresses under which the same id means somebody else (H-01).

    A server may be written in several ways (proxy, scheme, capitals), so an address is foreign only beside
    entries that name this patient under an address known to be the chart's own, or without one.
    """
    known = {own_server(decoded)} - {""}
    known |= {server_of(url) for _, url in everything if url and "://" in url}
    seen: set[str] = set()
    own = False
    for resource, _ in everything:
        owner = resource.subject or resource.patient
        reference = owner.reference if owner is not None else None
        if reference is None or reference_key(reference) not in mine:
            continue
        if "://" in reference:
            seen.add(server_of(reference))
        else:
            own = True
    return frozenset(seen - known) if own or seen & known or len(seen) > 1 else frozenset()


def own_server(decoded: Decoded) -> str:
    """The FHIR server that a request names as its own, as `server_of` writes it; empty where none is named."""
    request = decoded.request
    return (
        server_of(f"{request.fhirServer.rstrip('/')}/x/y")
        if request is not None and request.fhirServer
        else ""
    )


def names_patient(reference: str, mine: set[str], foreign: frozenset[str]) -> bool:
    """Whether a reference names this patient."""
    if reference_key(reference) not in mine:
        return False
    return not foreign or "://" not in reference or server_of(reference) not in foreign


class Owners:
    """Tells of a resource whose it is, by all it says of that: reference and identifier of `subject` and `patient`."""

    def __init__(self, decoded: Decoded, everything: list[Placed], mine: set[str], chart: Chart) -> None:
        self._decoded = decoded
        self._everything = everything
        self._mine = mine
        links = [link for link in _links(chart) if link.type == "replaces" and link.other is not None]
        others = [link.other for link in links if link.other is not None]
        self._older = {reference_key(other.reference) for other in others}
        own = chart.patient.identifier if chart.patient is not None else wire.NOTHING
        self._identifiers = identifiers_of(own, *(other.identifier for other in others))
        self._foreign: frozenset[str] | None = None
        self._said: dict[tuple[str | None, bytes], bool | None] = {}

    def of(self, resource: Resource) -> bool | None:
        """True for this patient's, False for a stranger's, None where it does not tell; one stranger is enough."""
        said = [self._says(owner) for owner in (resource.subject, resource.patient) if owner is not None]
        return False if False in said else True if True in said else None

    def _says(self, owner: Reference) -> bool | None:
        key = owner.reference, bytes(owner.identifier)
        if key not in self._said:
            self._said[key] = self._judge(owner)
        return self._said[key]

    def _judge(self, owner: Reference) -> bool | None:
        """A reference goes before an identifier; where the two contradict each other it is somebody else's.

        An older record of the same person has a number of its own, so its references are not held against it.
        """
        same = same_person(owner.identifier, self._identifiers) if owner.identifier else None
        if owner.reference is None:
            return same
        if self._foreign is None and "://" in owner.reference:
            self._foreign = foreign_bases(self._decoded, self._everything, self._mine)
        if not names_patient(owner.reference, self._mine, self._foreign or frozenset()):
            return False
        return same is not False or reference_key(owner.reference) in self._older


def refuse_identity(chart: Chart) -> None:
    """The Patient given is not the one asked for: nothing of this input counts, and nothing counts as seen (H-01)."""
    chart.hits, chart.lab_values = [], []
    reason = "the Patient given is not the patient asked for"
    chart.seen = {kind: SeenType(kind, "not-seen", 0, reason) for kind in chart.seen}


def find_patient(patients: Iterable[Placed], patient_id: str, chart: Chart) -> Resource | None:
    """The Patient asked for; another one beside it is set aside, another one alone marks the chart as foreign."""
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


def own_references(chart: Chart, patients: Iterable[Placed]) -> set[str]:
    """References that name this patient, with those of older records that this one replaces."""
    mine = {f"Patient/{chart.patient_id}"}
    for resource, url in patients:
        if resource is chart.patient and url:
            mine.add(url)
            mine.add(reference_key(url))
    for link in _links(chart):
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


def _links(chart: Chart) -> list[PatientLink]:
    return wire.peek_list(chart.patient.link, PatientLink) if chart.patient is not None else []


class PatientLink(wire.Struct, gc=False):
    """Patient.link."""

    other: wire.Reference | None = None
    type: str | None = None


def set_stranger_aside(chart: Chart, resource: Resource) -> None:
    """Counts an entry of another patient and lists the first few, without naming anyone."""
    chart.strangers += 1
    kind = resource.resourceType or ""
    chart.strangers_by_type[kind] = chart.strangers_by_type.get(kind, 0) + 1
    if chart.strangers <= _LISTED_STRANGERS:
        reference = f"{resource.resourceType}/{resource.id or '?'}"
        chart.remarks.append(
            Remark("set-aside", "belongs to another patient", SourceRef(reference), code="other-patient")
        )


def note_unowned(chart: Chart, hits: list[Hit]) -> None:
    """Says which entries name no patient at all, or by an identifier that cannot be compared."""
    for hit in hits:
        if not hit.reference.startswith(("Patient/", "Medication/")):
            owner = hit.resource.subject or hit.resource.patient
            how = "no patient"
            if owner is not None and owner.identifier:
                how = "its patient by an identifier that this chart does not know"
            reason = f"names {how}; read because it came with this patient's chart"
            chart.remarks.append(Remark("remark", reason, SourceRef(hit.reference), code="no-subject"))
