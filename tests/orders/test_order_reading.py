"""Drafts and open orders out of what EHRs send: codes, texts, references, statuses, strangers, dirt."""

from __future__ import annotations

import json
from typing import Any

import pytest
from builders import HCPCS, LOINC, PATIENT, RXNORM, concept, knowledge, order, procedure
from hypothesis import given
from hypothesis import strategies as st
from ordering import context, drafts, drug, service, standing

from mappings.orders import OrderRole
from mappings.reading.guard import BadBody
from mappings.reading.orders import read_drafts

NAMES = {
    "Zynlonta": ["loncastuximab-tesirine"],
    "LONCASTUXIMAB TESIRINE 10 mg": ["loncastuximab-tesirine"],
    "Blincyto": ["blinatumomab"],
    "Monjuvi": ["tafasitamab"],
    "Tafasitamab + lenalidomide": ["tafasitamab", "lenalidomide"],
    "Columvi": ["glofitamab"],
    "Besponsa": ["inotuzumab-ozogamicin"],
    "Keytruda": ["pembrolizumab"],
    "Imbruvica": ["ibrutinib"],
    "Kymriah": ["tisagenlecleucel"],
    "Anti-CD20 antibody ZZ-7": ["directed-at-cd20"],
    "metformin": [],
    "": [],
}


@pytest.mark.parametrize("name", NAMES)
def test_medicines_by_brand_and_generic(name: str) -> None:
    (one,) = drafts(drug(name))
    assert [concept.id for concept in one.concepts] == NAMES[name]
    assert one.role is (OrderRole.TREATMENT if NAMES[name] else OrderRole.OTHER)


CODED = sorted(
    (system, code, found.id)
    for (system, code), rows in knowledge().by_code.items()
    for found in rows
    if found.kind == "therapy" and system in (RXNORM, HCPCS)
)


@pytest.mark.parametrize(("system", "code", "drug_id"), CODED)
def test_medicines_by_code_alone(system: str, code: str, drug_id: str) -> None:
    """Every verified RxNorm and HCPCS code of a drug is enough, without any text."""
    (one,) = drafts(drug(concept(None, (system, code))))
    assert drug_id in {found.id for found in one.concepts}


def test_missing_or_unknown_codes_do_not_hide_the_text() -> None:
    coded = {"coding": [{"system": RXNORM, "code": "999999999", "display": "Zynlonta"}]}
    bare = {"coding": [{"display": "Zynlonta"}]}
    second = {"coding": [{"system": "urn:local", "code": "X1"}, {"display": "Zynlonta"}]}
    for name in (coded, bare, second):
        (one,) = drafts(drug(name))
        assert [found.id for found in one.concepts] == ["loncastuximab-tesirine"]


SERVICES: dict[str, OrderRole] = {
    "CD19 CAR T infusion": OrderRole.TREATMENT,
    "Axi-cel infusion": OrderRole.TREATMENT,
    "Axi-cel infusion after biopsy": OrderRole.TREATMENT,
    "Glofitamab infusion with monitoring": OrderRole.TREATMENT,
    "Blinatumomab infusion, inpatient visit": OrderRole.TREATMENT,
    "Allogeneic stem cell transplant": OrderRole.TREATMENT,
    "Leukapheresis": OrderRole.COLLECTION,
    "Leukapheresis for axi-cel": OrderRole.COLLECTION,
    "CAR-T evaluation": OrderRole.COLLECTION,
    "Referral for allogeneic transplant": OrderRole.TRANSPLANT_PLAN,
    "CD19 flow cytometry on lymph node": OrderRole.TESTING,
    "CD19 by immunohistochemistry": OrderRole.TESTING,
    "CAR T persistence by PCR": OrderRole.TESTING,
    "Rituximab level": OrderRole.TESTING,
    "Lymph node core biopsy": OrderRole.TESTING,
    "Platelets, apheresis": OrderRole.OTHER,
    "CAR T follow up visit": OrderRole.TESTING,
    "No blinatumomab": OrderRole.OTHER,
    "Echocardiogram": OrderRole.OTHER,
}


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_told_apart(name: str) -> None:
    (one,) = drafts(service(name))
    assert one.role is SERVICES[name]
    assert bool(one.concepts) == (one.role is OrderRole.TREATMENT)


def test_details_of_a_service_are_read() -> None:
    (one,) = drafts(service("Infusion", orderDetail=[concept("Glofitamab")]))
    assert [found.id for found in one.concepts] == ["glofitamab"]


@pytest.mark.parametrize(
    ("name", "antigens", "biopsy"),
    [
        ("CD19, CD20 and CD22 by flow cytometry", ("CD19", "CD20", "CD22"), False),
        ("Bone marrow biopsy with CD22 IHC", ("CD22",), True),
        ("Lymph node excisional biopsy", (), True),
        ("Prostate cancer biopsy", (), False),
        ("CD19 B cell count, blood", (), False),
    ],
)
def test_what_a_test_order_asks_for(name: str, antigens: tuple[str, ...], biopsy: bool) -> None:
    (one,) = drafts(service(name))
    assert (one.antigens, one.biopsy) == (antigens, biopsy)


def test_a_loinc_code_names_the_antigen_of_a_test() -> None:
    (one,) = drafts(service(concept(None, (LOINC, "51124-6"))))
    assert (one.role, one.antigens) == (OrderRole.TESTING, ("CD22",))


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error", "stopped", "revoked", "Cancelled "])
def test_orders_that_are_over_are_ignored(status: str) -> None:
    assert drafts(drug("Zynlonta", status=status), service("Axi-cel infusion", status=status)) == ()


@pytest.mark.parametrize("status", ["active", "on-hold", "draft", "unknown", None])
def test_signing_again_is_still_an_order(status: str | None) -> None:
    (one,) = drafts(drug("Zynlonta", status=status))
    assert one.role is OrderRole.TREATMENT


def test_an_order_not_to_do_it_is_none() -> None:
    assert drafts(drug("Zynlonta", doNotPerform=True)) == ()
    assert len(drafts(drug("Zynlonta", doNotPerform=False))) == 1


@pytest.mark.parametrize("kind", ["NutritionOrder", "DeviceRequest", "VisionPrescription", "Observation"])
def test_other_kinds_of_orders_are_ignored(kind: str) -> None:
    assert drafts({**drug("Zynlonta"), "resourceType": kind}) == ()


def medication(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Medication", "id": "m1", **elements}


def by_reference(reference: str, **elements: Any) -> dict[str, Any]:
    return drug(medicationReference={"reference": reference}, **elements)


def test_a_medication_inside_beside_or_named_is_followed() -> None:
    inside = by_reference("#m1", contained=[medication(code=concept("Zynlonta"))])
    beside = (by_reference("Medication/m1"), medication(code=concept("Zynlonta")))
    url = "urn:uuid:5b8c8a7e-0d3f-4f3b-9a52-4b8f6a7a1c11"
    addressed = (by_reference(url), {"fullUrl": url, "resource": medication(code=concept("Zynlonta"))})
    absolute = (
        by_reference("https://ehr.example.org/fhir/Medication/m1"),
        medication(code=concept("Zynlonta")),
    )
    mixed = (
        by_reference("Medication/m1"),
        medication(ingredient=[{"itemCodeableConcept": concept("Zynlonta")}]),
    )
    shown = drug(medicationReference={"reference": "Medication/none", "display": "Zynlonta"})
    for given_orders in ((inside,), beside, addressed, absolute, mixed, (shown,)):
        (one,) = drafts(*given_orders)
        assert [found.id for found in one.concepts] == ["loncastuximab-tesirine"]


def test_a_medication_that_was_not_given_is_told() -> None:
    (one,) = drafts(by_reference("Medication/none"))
    assert one.problem == "no-drug"


def test_an_order_of_another_patient_is_named_and_not_read() -> None:
    """H-01: the drug of a stranger's order never reaches a rule."""
    (one,) = drafts(drug("Zynlonta", subject={"reference": "Patient/somebody-else"}))
    assert (one.problem, one.concepts, one.label) == ("other-patient", (), "")
    (own,) = drafts(
        drug("Zynlonta", subject={"reference": f"https://ehr.example.org/fhir/Patient/{PATIENT}"})
    )
    assert own.problem == ""


def test_a_bundle_without_type_as_the_public_sandbox_sends_it() -> None:
    made = context(drug("Zynlonta", id="a"), selections=["MedicationRequest/a"])
    del made["draftOrders"]["type"]
    (one,) = read_drafts(made, knowledge())
    assert [found.id for found in one.concepts] == ["loncastuximab-tesirine"]
    assert one.selected


def test_a_bundle_without_its_type_of_resource_and_a_bare_list() -> None:
    made = context(drug("Zynlonta"))
    del made["draftOrders"]["resourceType"]
    assert len(read_drafts(made, knowledge())) == 1
    made["draftOrders"] = [drug("Zynlonta"), drug("metformin")]
    assert len(read_drafts(made, knowledge())) == 2


@pytest.mark.parametrize("value", [None, "text", 3, True])
def test_draft_orders_that_are_no_bundle_are_refused(value: Any) -> None:
    made = context()
    made["draftOrders"] = value
    with pytest.raises(BadBody) as fault:
        read_drafts(made, knowledge())
    assert fault.value.field == "context.draftOrders"


def test_a_context_that_is_no_object_is_refused() -> None:
    with pytest.raises(BadBody):
        read_drafts(b"[]", knowledge())


def test_an_empty_bundle_holds_no_order() -> None:
    made = context()
    assert read_drafts(made, knowledge()) == ()
    del made["draftOrders"]["entry"]
    assert read_drafts(made, knowledge()) == ()


def test_dirt_in_one_entry_takes_no_other_with_it() -> None:
    """H-11: a misfit is repaired or named alone."""
    misfit = drug("Zynlonta", authoredOn={"not": "a date"}, code=[{"text": "odd"}])
    found = drafts(misfit, {"resource": "text"}, {"resource": {"id": "x"}}, drug("glofitamab"))
    assert [found_one.problem for found_one in found] == ["", "", "unreadable", "unreadable"]
    assert {one.id for made in found for one in made.concepts} == {"loncastuximab-tesirine", "glofitamab"}


def test_what_is_selected_is_marked_and_the_rest_is_kept() -> None:
    orders = (drug("Zynlonta", id="a"), drug("glofitamab", id="b"))
    both = drafts(*orders, selections=["MedicationRequest/b"])
    assert [one.selected for one in both] == [False, True]
    assert [one.selected for one in drafts(*orders)] == [True, True]
    assert [one.selected for one in drafts(*orders, selections=["MedicationRequest/none"])] == [False, False]
    url = "urn:uuid:5b8c8a7e-0d3f-4f3b-9a52-4b8f6a7a1c11"
    (addressed,) = drafts({"fullUrl": url, "resource": drug("Zynlonta", id="c")}, selections=[url])
    assert addressed.selected


def test_bytes_and_mapping_read_the_same() -> None:
    made = context(drug("Zynlonta", id="a"))
    assert read_drafts(json.dumps(made).encode(), knowledge()) == read_drafts(made, knowledge())


def test_open_orders_of_the_chart() -> None:
    found = standing(
        service("Leukapheresis", id="a", status="active"),
        service("Lymph node biopsy", id="b", status="completed"),
        service("CD19 flow cytometry", id="c", status="draft"),
        service("Echocardiogram", id="d", status="active"),
        service("Leukapheresis", id="e", status="active", subject={"reference": "Patient/stranger"}),
        order("Breyanzi", "2025-11-01", id="f"),
        procedure("Leukapheresis", None, "preparation", id="g"),
        procedure("Leukapheresis", "2024-12-01", "completed", id="h"),
    )
    assert [one.reference for one in found] == [
        "MedicationRequest/f",
        "Procedure/g",
        "ServiceRequest/a",
        "ServiceRequest/c",
    ]
    assert not any(one.selected for one in found)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = (
    "status",
    "subject",
    "medicationCodeableConcept",
    "medicationReference",
    "contained",
    "doNotPerform",
)


@given(
    st.dictionaries(st.sampled_from(FIELDS), JSON), st.sampled_from(["MedicationRequest", "ServiceRequest"])
)
def test_no_shape_of_an_order_brings_reading_down(changes: dict[str, Any], kind: str) -> None:
    """H-11: whatever an element holds, reading ends with orders or named problems."""
    made = {**drug("Zynlonta"), "resourceType": kind, "code": concept("Zynlonta"), **changes}
    for one in drafts(made):
        assert one.problem in ("", "other-patient", "no-drug", "unreadable")


@given(JSON)
def test_no_context_brings_reading_down(value: Any) -> None:
    try:
        found = read_drafts({"draftOrders": value, "selections": value, "patientId": value}, knowledge())
    except BadBody as fault:
        found, field = (), fault.field
    else:
        field = "context.draftOrders"
    assert field == "context.draftOrders"
    assert all(one.problem == "unreadable" for one in found)
