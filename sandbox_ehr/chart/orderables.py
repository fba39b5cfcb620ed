"""What can be ordered in the box: drugs of each target, one CAR T, a biopsy, and something unrelated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox_ehr.fhir.records import USER_ID, Resource
from sandbox_ehr.patients.codes import HCPCS, RXNORM, concept, words


@dataclass(frozen=True, slots=True)
class Orderable:
    """One row of the order list."""

    key: str
    label: str
    group: str
    kind: str
    code: dict[str, Any]


def _drug(key: str, group: str, system: str, code: str, label: str = "") -> Orderable:
    name = label or key
    return Orderable(key, name, group, "MedicationRequest", concept((system, code, ""), text=name))


def _act(key: str, label: str, group: str, code: dict[str, Any]) -> Orderable:
    return Orderable(key, label, group, "ServiceRequest", code)


_CD19, _CD20, _CD22 = "CD19-directed", "CD20-directed", "CD22-directed"
_BIOPSY = "Core biopsy with CD19, CD20 and CD22 by flow cytometry and immunohistochemistry"
_SECOND = "Axicabtagene ciloleucel, second infusion"
ORDERABLES: tuple[Orderable, ...] = (
    _drug("loncastuximab", _CD19, HCPCS, "J9359", "loncastuximab tesirine"),
    _drug("tafasitamab", _CD19, RXNORM, "2387211"),
    _drug("blinatumomab", _CD19, RXNORM, "1597258"),
    _act("axi-cel", _SECOND, _CD19, concept((HCPCS, "Q2041", ""), text=_SECOND)),
    _drug("epcoritamab", _CD20, RXNORM, "2637392"),
    _drug("glofitamab", _CD20, HCPCS, "J9286"),
    _drug("mosunetuzumab", _CD20, HCPCS, "J9350"),
    _drug("rituximab", _CD20, RXNORM, "121191"),
    _drug("inotuzumab", _CD22, RXNORM, "1942950", "inotuzumab ozogamicin"),
    _drug("polatuzumab", "CD79b-directed", RXNORM, "2174090", "polatuzumab vedotin"),
    _drug("pembrolizumab", "PD-1 blockade", RXNORM, "1547545"),
    _drug("bendamustine", "No antigen needed", RXNORM, "134547"),
    _drug("lenalidomide", "No antigen needed", RXNORM, "342369"),
    _act("biopsy", _BIOPSY, "Tests", words(_BIOPSY)),
    Orderable(
        "amlodipine",
        "amlodipine 5 mg oral tablet",
        "Other",
        "MedicationRequest",
        words("amlodipine 5 mg oral tablet"),
    ),
)
BY_KEY = {one.key: one for one in ORDERABLES}


def grouped() -> dict[str, list[Orderable]]:
    """The order list by group, in its order."""
    groups: dict[str, list[Orderable]] = {}
    for one in ORDERABLES:
        groups.setdefault(one.group, []).append(one)
    return groups


def draft_of(order: Orderable, patient: str, moment: str) -> Resource:
    """A draft order without a dose, signed by nobody."""
    field = "medicationCodeableConcept" if order.kind == "MedicationRequest" else "code"
    return {
        "resourceType": order.kind,
        "status": "draft",
        "intent": "order",
        field: order.code,
        "subject": {"reference": f"Patient/{patient}"},
        "authoredOn": moment,
        "requester": {"reference": f"Practitioner/{USER_ID}"},
    }


def order_text(resource: Resource) -> str:
    """How an order is called."""
    concept_of = resource.get("medicationCodeableConcept") or resource.get("code") or {}
    codings = concept_of.get("coding") or [{}]
    return str(concept_of.get("text") or codings[0].get("display") or codings[0].get("code") or "order")
