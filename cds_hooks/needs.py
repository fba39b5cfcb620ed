"""What the relapse service needs of a chart: the one list behind prefetch templates, FHIR queries, 412 and gap words."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from ehr.queries import Query

_PATIENT = "{{context.patientId}}"


@dataclass(frozen=True, slots=True)
class Need:
    """One prefetch key: its resource type, the query that asks for it, and the words a person reads.

    `query` is a prefetch template in the query subset that CDS Hooks 2.0.1 recommends; newest results come first, so
    that a cut loses the oldest (H-09). `on_orders`: no part of what the category rests on, asked for so that order
    checks and suggestions know what is ordered already (H-49).
    """

    key: str
    type: str
    query: str
    words: str
    on_orders: bool = False


NEEDS: tuple[Need, ...] = (
    Need("patient", "Patient", f"Patient/{_PATIENT}", "patient record"),
    Need("conditions", "Condition", f"Condition?patient={_PATIENT}&_count=1000", "problem list"),
    Need("procedures", "Procedure", f"Procedure?patient={_PATIENT}&_count=1000", "procedures"),
    Need(
        "observations",
        "Observation",
        f"Observation?patient={_PATIENT}&_sort=-date&_count=1000",
        "laboratory and pathology results",
    ),
    Need(
        "medicationAdministrations",
        "MedicationAdministration",
        f"MedicationAdministration?patient={_PATIENT}&_count=1000",
        "administrations",
    ),
    Need(
        "medicationRequests",
        "MedicationRequest",
        f"MedicationRequest?patient={_PATIENT}&_count=1000",
        "medication orders",
    ),
    Need(
        "reports",
        "DiagnosticReport",
        f"DiagnosticReport?patient={_PATIENT}&_sort=-date&_count=500",
        "pathology and imaging reports",
    ),
    Need(
        "serviceRequests",
        "ServiceRequest",
        f"ServiceRequest?patient={_PATIENT}&status=draft,active,on-hold&_count=500",
        "orders for procedures and tests",
        on_orders=True,
    ),
)

ESSENTIAL: tuple[tuple[str, ...], ...] = (("Condition",), ("Procedure", "MedicationAdministration"))
"""Of each group at least one type has to be seen, otherwise nothing can be said (rules 11.5)."""


def prefetch_templates() -> dict[str, str]:
    """Prefetch templates in the recommended query subset of CDS Hooks 2.0.1."""
    return {need.key: need.query for need in NEEDS}


def queries(patient_id: str, *types: str) -> tuple[Query, ...]:
    """The FHIR queries of these resource types for one patient, of all where none is named; keys as in prefetch."""
    return tuple(_query(need, patient_id) for need in NEEDS if not types or need.type in types)


def _query(need: Need, patient_id: str) -> Query:
    path, _, search = need.query.partition("?")
    parameters = tuple(
        (name, value.replace(_PATIENT, patient_id)) for name, value in parse_qsl(search, strict_parsing=False)
    )
    return Query(need.key, need.type, path.replace(_PATIENT, patient_id), parameters)


def words_of(resource_type: str) -> str:
    """How a resource type is called to a clinician; the type's own name where it is none of ours."""
    if resource_type == "Unreadable":
        return "entries whose type could not be read"
    return next((need.words for need in NEEDS if need.type == resource_type), resource_type)
