"""Charts to bend: one of each kind of answer, as lists of resources, and the ways in which a resource can be spoiled."""

from __future__ import annotations

import copy
from typing import Any

from builders import (
    Resource,
    administration,
    condition,
    flow,
    observation,
    patient,
    percent,
    pet,
    procedure,
    report,
    stain,
)
from hypothesis import strategies as st

CHARTS: dict[str, list[Resource]] = {
    "positive": [patient(), condition(), procedure(), stain("Positive"), stain("Positive", "CD20"),
    pet("Progressive disease.")],
    "negative": [patient(), condition(), procedure(), stain("Negative"), flow("Negative", when="2025-09-22"),
    stain("Positive", "CD20")],
    "low": [patient(), condition(), procedure(), flow(percent(35)),
    report("Lymphoma cells are CD19 dim, CD20 positive.")],
    "discordant": [patient(), condition(), procedure(), stain("Positive"), flow("Negative")],
    "voided": [patient(), condition(), procedure(), stain("Positive"),
    administration("Loncastuximab tesirine", "2025-11-01")],
    "before": [patient(), condition(), procedure(), stain("Negative", when="2024-11-20")],
    "narrative": [patient(), condition(), procedure(),
    report("Diffuse large B-cell lymphoma. Lymphoma cells are CD19 negative.")],
    "lineage switch": [
        patient(birthDate="2015-03-01"), condition("B-cell acute lymphoblastic leukemia"),
        procedure("Tisagenlecleucel infusion"),
        report("Lineage switch to acute myeloid leukemia, blasts CD19 negative.", specimen="Bone marrow aspirate"),
    ],
    "remission": [
        patient(), condition(clinical="remission"), procedure(), pet("Complete metabolic response."),
        observation("CD19 absolute count", {"valueQuantity": {"value": 0, "unit": "/uL"}},
        specimen="Peripheral blood", id="aplasia"),
    ],
    "target unknown": [patient(), condition(), procedure("CAR-T infusion"), stain("Negative")],
    "no car": [patient(), condition(), stain("Positive")],
    "other disease": [patient(), condition("Type 2 diabetes", "active"),
    observation("Glucose", {"valueInteger": 7}, id="glu")],
    "deceased": [patient(deceasedBoolean=True), condition(), procedure(), stain("Negative")],
}  # fmt: skip
NAMES = sorted(CHARTS)

UNRELATED: list[Resource] = [
    observation("Sodium", {"valueQuantity": {"value": 140, "unit": "mmol/L"}}, id="u-sodium"),
    observation("Haemoglobin", {"valueQuantity": {"value": 9.1, "unit": "g/dL"}}, id="u-hb"),
    observation("Pain score", {"valueInteger": 3}, id="u-pain"),
    observation("Smoking status", "Never smoker", id="u-smoke"),
    observation("Blood culture", {"valueString": "No growth after 5 days"}, id="u-culture"),
    condition("Essential hypertension", "active", id="u-htn"),
    condition("Seasonal allergic rhinitis", "resolved", id="u-rhin"),
    procedure("Colonoscopy", "2025-05-05", id="u-colo"),
    procedure("Placement of central venous catheter", "2024-12-30", id="u-cvc"),
    administration("Paracetamol 500 mg tablet", "2025-09-01", id="u-para"),
    administration("Aciclovir", "2025-09-01", id="u-aci"),
    report("Chest clear. No focal consolidation.", name="Chest X-ray", specimen=None, id="u-cxr"),
    {"resourceType": "Immunization", "id": "u-flu", "status": "completed", "vaccineCode": {"text": "Influenza"},
     "patient": {"reference": "Patient/syn-1"}},
    {"resourceType": "Encounter", "id": "u-enc", "status": "finished", "subject": {"reference": "Patient/syn-1"}},
    {"resourceType": "Basic", "id": "u-basic", "code": {"text": "CD19"}, "subject": {"reference": "Patient/syn-1"}},
]  # fmt: skip

JUNK = st.sampled_from(
    [
        None,
        5,
        -1.5,
        True,
        "",
        " ",
        "x",
        [],
        {},
        [None],
        [[]],
        {"a": [1]},
        [{"coding": 5}],
        {"reference": 7},
        "9" * 400,
    ]
)
ELEMENTS = (
    "status", "code", "subject", "effectiveDateTime", "performedDateTime", "specimen", "method",
    "valueCodeableConcept",
    "valueQuantity", "clinicalStatus", "verificationStatus", "conclusion", "medicationCodeableConcept", "id", "note",
    "component", "category", "interpretation", "hasMember", "issued", "meta", "focus", "birthDate", "unheardOf",
    "resourceType",
)  # fmt: skip


@st.composite
def spoiled(draw: st.DrawFn, resource: Resource) -> tuple[str, Any]:
    """A resource with one element of the wrong type, missing or senseless; or something that is no resource."""
    if draw(st.integers(0, 9)) == 0:
        return "whole", draw(JUNK)
    bent = copy.deepcopy(resource)
    present = [name for name in ELEMENTS if name in bent]
    element = draw(st.sampled_from(present) | st.sampled_from(ELEMENTS))
    if draw(st.booleans()):
        bent.pop(element, None)
    else:
        bent[element] = draw(JUNK)
    return element, bent
