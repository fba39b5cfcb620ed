"""What the relapse service needs of a chart, in one list that discovery, 412 and the gap words follow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Need:
    """One prefetch key: its resource type, the query that asks for it, and the words a person reads."""

    key: str
    type: str
    query: str
    words: str


NEEDS: tuple[Need, ...] = (
    Need("patient", "Patient", "Patient/{{context.patientId}}", "patient record"),
    Need("conditions", "Condition", "Condition?patient={{context.patientId}}", "problem list"),
    Need("procedures", "Procedure", "Procedure?patient={{context.patientId}}", "procedures"),
    Need(
        "observations",
        "Observation",
        "Observation?patient={{context.patientId}}&_sort=-date&_count=1000",
        "laboratory and pathology results",
    ),
    Need(
        "medicationAdministrations",
        "MedicationAdministration",
        "MedicationAdministration?patient={{context.patientId}}",
        "administrations",
    ),
    Need(
        "medicationRequests",
        "MedicationRequest",
        "MedicationRequest?patient={{context.patientId}}",
        "medication orders",
    ),
    Need(
        "reports",
        "DiagnosticReport",
        "DiagnosticReport?patient={{context.patientId}}&_sort=-date&_count=500",
        "pathology and imaging reports",
    ),
)

ESSENTIAL: tuple[tuple[str, ...], ...] = (("Condition",), ("Procedure", "MedicationAdministration"))
"""Of each group at least one type has to be seen, otherwise nothing can be said (rules 11.5)."""


def prefetch_templates() -> dict[str, str]:
    """Prefetch templates in the recommended query subset of CDS Hooks 2.0.1."""
    return {need.key: need.query for need in NEEDS}


def words_of(resource_type: str) -> str:
    """How a resource type is called to a clinician; the type's own name where it is none of ours."""
    if resource_type == "Unreadable":
        return "entries whose type could not be read"
    return next((need.words for need in NEEDS if need.type == resource_type), resource_type)
