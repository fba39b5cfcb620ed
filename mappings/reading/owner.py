"""Whose resource it is: this patient's, an older record's of the same person, or a stranger's (rules 11.14; H-01)."""

from __future__ import annotations

from collections.abc import Iterable

from mappings.facts import Remark, SeenType, SourceRef
from mappings.reading import wire
from mappings.reading.chart import Chart, reference_key
from mappings.reading.decode import Decoded
from mappings.reading.wire import Resource

Placed = tuple[Resource, str | None]
_LISTED_STRANGERS = 50


def foreign_bases(decoded: Decoded, everything: list[Placed], mine: set[str]) -> frozenset[str]:
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


def names_patient(reference: str, mine: set[str], foreign: frozenset[str]) -> bool:
    """Whether a reference names this patient."""
    if reference_key(reference) not in mine:
        return False
    return not foreign or "://" not in reference or _base(reference) not in foreign


def other_owner(resource: Resource, mine: set[str]) -> bool:
    """Whether a second statement of whose it is names somebody else."""
    second = resource.patient.reference if resource.patient is not None else None
    return second is not None and reference_key(second) not in mine


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


def note_unowned(chart: Chart, references: list[str]) -> None:
    """Says which entries name no patient at all."""
    for reference in references:
        if not reference.startswith(("Patient/", "Medication/")):
            reason = "names no patient; read because it came with this patient's chart"
            chart.remarks.append(Remark("remark", reason, SourceRef(reference), code="no-subject"))
