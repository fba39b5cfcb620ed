"""Entries that are valid and do not say what they are: masked, or without a name. They may be what decides (rules 11.5).

An infusion, a lymphoma or a relapse may hide behind each; what is not named is not *no* (H-08, H-11).
"""

from __future__ import annotations

from collections.abc import Iterable

from mappings.facts import Remark, SourceRef
from mappings.reading import wire
from mappings.reading.chart import Chart
from mappings.reading.misfits import NAMELESS
from mappings.reading.wire import Concept, Resource

NAMED = frozenset({"Condition", "Procedure", "MedicationAdministration", "DiagnosticReport"})
"""Types of which one entry decides a *no*."""
_NOTHING_DONE = frozenset({"not-done", "entered-in-error", "cancelled", "preparation", "stopped"})
_NO_DIAGNOSIS = frozenset({"entered-in-error", "refuted"})
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_REASON = "does not say what it is: it has no name"


def nameless(resource: Resource) -> bool:
    """Whether an entry that counts says nothing of what it is; a reason for the absence of a name is no name."""
    if _says(resource.code or resource.medicationCodeableConcept) or resource.medicationReference:
        return False
    if (resource.status or "").strip().lower() in _NOTHING_DONE:
        return False
    if resource.resourceType == "DiagnosticReport":
        said = (resource.conclusion, resource.conclusionCode, resource.presentedForm)
        return all(not raw or bytes(raw).strip() in (b"null", b'""', b"[]") for raw in said)
    return not _codes(resource.verificationStatus) & _NO_DIAGNOSIS


def note_nameless(chart: Chart, resources: Iterable[Resource]) -> None:
    """Lists such entries under the code that holds their type back, unless they are listed as unreadable already."""
    listed = {remark.source.reference for remark in chart.remarks if remark.source is not None}
    for resource in resources:
        element = (
            "medicationCodeableConcept" if resource.resourceType == "MedicationAdministration" else "code"
        )
        reference = f"{resource.resourceType}/{resource.id or '?'}"
        if reference not in listed:
            source = SourceRef(reference, element)
            chart.remarks.append(Remark("unread", _REASON, source, about="chart", code=NAMELESS))


def _says(concept: Concept | None) -> bool:
    if concept is None:
        return False
    named = any((c.code or c.display) and c.system != _ABSENT for c in concept.coding or ())
    return named or bool(concept.text and concept.text.strip())


def _codes(raw: wire.Raw) -> set[str]:
    concept = wire.peek(raw, Concept)
    return {(c.code or "").strip().lower() for c in concept.coding or ()} if concept is not None else set()
