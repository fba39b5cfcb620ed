"""Names of orders as hospitals write them: transplants, regimens, drugs by reference, tests that are none, long texts."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from builders import PATIENT, body, bundle, concept, condition, knowledge, patient, prefetch, procedure
from ordering import context, drafts, drug, service, standing

from cds_hooks.needs import NEEDS, prefetch_templates, words_of
from ehr.references import missing_references
from ehr.site import Site
from mappings.orders import DraftOrder, OrderRole
from mappings.reading.decode import Decoded, decode_request
from mappings.reading.orders import read_drafts

SETS = ("transplant-allogeneic", "transplant-autologous", "transplant-unspecified", "transplant-plan")


def _phrases(concept_id: str) -> set[str]:
    return {phrase for phrase, one in knowledge().synonyms if one.id == concept_id}


@pytest.mark.parametrize("name", SETS)
def test_every_transplant_phrase_has_its_twin_in_ation(name: str) -> None:
    """D-row of the value sets: who orders a "transplantation" is heard like who orders a "transplant"."""
    phrases = _phrases(name)
    assert any("transplantation" in phrase for phrase in phrases)
    missing = {
        phrase
        for phrase in phrases
        if re.search(r"\btransplant\b", phrase)
        and re.sub(r"\btransplant\b", "transplantation", phrase) not in phrases
    }
    assert missing == set()


def counts_as_allogeneic(order: DraftOrder) -> bool:
    """Whether order rules take it for a transplant that is or may be allogeneic."""
    if order.role is OrderRole.TRANSPLANT_PLAN:
        return True
    types = [one.text("type") for one in order.concepts if one.kind == "transplant"]
    return order.role is OrderRole.TREATMENT and any(kind != "auto" for kind in types)


PLANS = """\
Allogeneic stem cell transplantation
Allogeneic (hematopoietic) stem cell transplantation
Allogeneic stem cell transplantation planning
Allogeneic bone marrow transplantation
Transplantation of bone marrow, allogeneic
Hematopoietic stem cell transplantation, allogeneic
Haploidentical stem cell transplantation
Unrelated donor bone marrow transplantation
Umbilical cord blood transplantation
Matched sibling donor transplantation
Allogeneic transplantation consult
Stem cell transplantation
Donor search, unrelated
Allogeneic transplant evaluation, prior auto-SCT 2021
Referral for allogeneic transplant (automatic referral)
Allo-SCT consult; history of autoimmune cytopenia
Stem cell transplant evaluation (prior auto)
Allogeneic transplant candidate, not eligible for auto
Evaluation for allogeneic transplant after CAR T
Start inotuzumab as bridge to allogeneic transplant""".splitlines()

NO_PLANS = """\
Allogeneic transplant declined
Allogeneic transplant, declined by patient
Allogeneic transplantation cancelled
Ineligible for allogeneic transplant
No allogeneic transplant
History of allogeneic transplant
s/p allo-SCT 2020
Stem cell collection
Stem cell mobilization
Autologous stem cell transplantation
Stem cell transplant, autologous
Auto-SCT evaluation
Post-BMT clinic visit
BMT follow up visit
GVHD assessment after allogeneic transplant
Post allogeneic stem cell transplant vaccination
CMV PCR post HSCT
BMT unit bed request
Chimerism study post allo-SCT
HLA typing stem cell donor
Kidney transplant evaluation
Kidney transplant, unrelated donor""".splitlines()


@pytest.mark.parametrize("name", PLANS)
def test_a_planned_transplant_is_heard_however_it_is_written(name: str) -> None:
    (one,) = drafts(service(name))
    assert counts_as_allogeneic(one)


@pytest.mark.parametrize("name", NO_PLANS)
def test_what_is_behind_refused_or_something_else_is_no_plan(name: str) -> None:
    (one,) = drafts(service(name))
    assert not counts_as_allogeneic(one)


def test_details_may_complete_a_transplant() -> None:
    (one,) = drafts(service("Transplant", orderDetail=[concept("allogeneic, matched sibling")]))
    assert counts_as_allogeneic(one)


def test_a_drug_on_the_way_to_a_transplant_is_still_checked() -> None:
    (one,) = drafts(service("Start inotuzumab as bridge to allogeneic transplant"))
    assert {found.id for found in one.concepts} == {"inotuzumab-ozogamicin", "transplant-allogeneic"}


REGIMENS = {
    "BR": {"bendamustine", "rituximab"},
    "R-B": {"bendamustine", "rituximab"},
    "BR x6": {"bendamustine", "rituximab"},
    "Pola-BR": {"polatuzumab-vedotin", "bendamustine", "rituximab"},
    "tafa-len": {"tafasitamab", "lenalidomide"},
    "R2": {"rituximab", "lenalidomide"},
    "R-lenalidomide": {"rituximab", "lenalidomide"},
    "R-Len": {"rituximab", "lenalidomide"},
    "Lonca-R": {"loncastuximab-tesirine", "rituximab"},
    "R-CVP": {"rituximab"},
    "EPOCH-R": {"rituximab"},
    "Glofit-GemOx": {"glofitamab", "gemcitabine", "oxaliplatin"},
}


@pytest.mark.parametrize("name", REGIMENS)
def test_regimens_are_read_in_all_their_parts(name: str) -> None:
    (one,) = drafts(drug(name))
    assert {found.id for found in one.concepts} == REGIMENS[name]


@pytest.mark.parametrize("name", ["MRI BR", "R2", "Vitamin B, R", "XR elbow R"])
def test_letters_without_a_word_of_treatment_are_no_regimen_in_a_service(name: str) -> None:
    (one,) = drafts(service(name))
    assert one.concepts == ()


def test_regimens_among_open_orders_of_the_chart() -> None:
    made = {**drug("BR"), "status": "active"}
    (one,) = standing(made)
    assert {found.id for found in one.concepts} == {"bendamustine", "rituximab"}


GIVEN_ALL_THE_SAME = {
    "Start blinatumomab, patient education": "blinatumomab",
    "Begin glofitamab cycle 1 with follow up visit": "glofitamab",
    "R-GemOx, authorization obtained": "rituximab",
    "Glofitamab treatment plan": "glofitamab",
    "Glofitamab cycle 2, history of CRS": "glofitamab",
    "Blinatumomab, prior allo-SCT 2020": "blinatumomab",
}


@pytest.mark.parametrize("name", GIVEN_ALL_THE_SAME)
def test_words_beside_a_drug_do_not_make_a_test_of_it(name: str) -> None:
    (one,) = drafts(service(name))
    assert one.role is OrderRole.TREATMENT
    assert GIVEN_ALL_THE_SAME[name] in {found.id for found in one.concepts}


@pytest.mark.parametrize("name", ["Rituximab level", "Rituximab antibody screen", "Glofitamab trough"])
def test_an_assay_of_a_drug_stays_a_test(name: str) -> None:
    (one,) = drafts(service(name))
    assert (one.role, one.concepts) == (OrderRole.TESTING, ())


MEDICATION = {"resourceType": "Medication", "id": "glofi", "code": {"text": "glofitamab"}}


def by_reference(**more: Any) -> dict[str, Any]:
    return drug(medicationReference={"reference": "Medication/glofi", **more})


def read_with(chart: Decoded | None, *orders: dict[str, Any]) -> tuple[DraftOrder, ...]:
    return read_drafts(context(*orders), knowledge(), chart)


@pytest.mark.parametrize("given", [MEDICATION, bundle([MEDICATION])], ids=["alone", "in a set"])
def test_a_medication_of_the_prefetch_names_the_drug_of_a_draft(given: dict[str, Any]) -> None:
    chart = decode_request(body(prefetch(condition(), drugs=given)))
    (one,) = read_with(chart, by_reference())
    assert [found.id for found in one.concepts] == ["glofitamab"]
    (unread,) = read_with(decode_request(body(prefetch(condition()))), by_reference())
    assert unread.problem == "no-drug"


def test_displays_and_an_empty_name_are_read() -> None:
    coded = {**MEDICATION, "code": {"coding": [{"system": "urn:local", "code": "9"}]}}
    parts = {
        "resourceType": "Medication",
        "id": "glofi",
        "ingredient": [{"itemReference": {"reference": "Substance/s", "display": "glofitamab"}}],
    }
    empty = {**by_reference(), "medicationCodeableConcept": {}}
    for orders in (
        (by_reference(display="COLUMVI (glofitamab)"), coded),
        (by_reference(), parts),
        (empty, MEDICATION),
        (by_reference(), MEDICATION, {**MEDICATION, "code": {"text": "saline"}}),
    ):
        (one,) = drafts(*orders)
        assert [found.id for found in one.concepts] == ["glofitamab"]


@pytest.mark.parametrize(
    ("held", "wanted"), [((), ["Medication/glofi"]), ((MEDICATION,), [])], ids=["not held", "in the drafts"]
)
def test_drugs_of_drafts_are_read_from_the_server_in_the_one_extra_round(
    held: tuple[dict[str, Any], ...], wanted: list[str]
) -> None:
    whole = json.loads(body(prefetch(condition())))
    whole["context"] = context(by_reference(display="a code name"), *held)
    site = Site("s", fhir_base="https://fhir.example.org/r4")
    asked = missing_references(decode_request(json.dumps(whole).encode()), site)
    assert [query.path for query in asked] == wanted
    foreign = by_reference()
    foreign["medicationReference"]["reference"] = "https://else.example.org/r4/Medication/glofi"
    whole["context"] = context(foreign)
    assert missing_references(decode_request(json.dumps(whole).encode()), site) == ()


def test_the_same_id_on_another_server_is_another_patient() -> None:
    """H-01: by the judgement that sorts the chart."""
    chart = decode_request(body(prefetch(patient(), condition(), procedure())))
    elsewhere = drug("glofitamab", subject={"reference": f"https://else.example.org/fhir/Patient/{PATIENT}"})
    (one,) = read_with(chart, elsewhere)
    assert (one.problem, one.concepts) == ("other-patient", ())
    (own,) = read_with(chart, drug("glofitamab"))
    assert own.problem == ""


def test_an_identifier_of_somebody_else_is_another_patient() -> None:
    """H-01."""
    number = {"system": "urn:mrn", "value": "1"}
    chart = decode_request(body(prefetch(patient(identifier=[number]), condition(), procedure())))
    (one,) = read_with(chart, drug("glofitamab", subject={"identifier": {**number, "value": "2"}}))
    assert one.problem == "other-patient"
    (own,) = read_with(chart, drug("glofitamab", subject={"identifier": number}))
    assert [found.id for found in own.concepts] == ["glofitamab"]


@pytest.mark.parametrize(
    "name",
    [
        "Skin biopsy",
        "Skin lesion, punch biopsy",
        "Liver biopsy",
        "Endomyocardial biopsy",
        "Prostate biopsy",
        "Biopsy of colon polyp",
        "Kidney transplant biopsy",
        "Lymph node biopsy - result review",
        "CD19/CD20/CD22 flow, peripheral blood B cells",
        "CD19, CD20 and CD22, lymphocyte subsets",
    ],
)
def test_orders_that_settle_nothing_withhold_no_suggestion(name: str) -> None:
    """H-49, H-17, rules 4: neither tissue of this disease nor its antigens."""
    (one,) = drafts(service(name))
    assert (one.antigens, one.biopsy) == ((), False)


@pytest.mark.parametrize(
    ("name", "antigens", "biopsy"),
    [
        ("Lymph node biopsy", (), True),
        ("Liver biopsy for lymphoma relapse", (), True),
        ("Skin biopsy with CD19 and CD20 IHC", ("CD19", "CD20"), True),
        ("CD19/CD22 flow cytometry on blasts, peripheral blood", ("CD19", "CD22"), False),
        ("CD19, CD20, CD22 flow cytometry", ("CD19", "CD20", "CD22"), False),
    ],
)
def test_orders_that_settle_it_still_count(name: str, antigens: tuple[str, ...], biopsy: bool) -> None:
    (one,) = drafts(service(name))
    assert (one.antigens, one.biopsy) == (antigens, biopsy)


LONG = {
    "a drug": (drug("glofitamab " + "a b " * 250_000), ""),
    "CAR T": (service("infusion CAR-T " * 70_000), ""),
    "letters": (service("R-" * 500_000), "unreadable"),
    "one word": (service("CD19" * 250_000), "unreadable"),
    "nothing": (drug("x " * 300_000), "unreadable"),
}


@pytest.mark.parametrize("case", LONG)
def test_a_name_of_a_megabyte_is_read_at_once_or_named_as_not_read(case: str) -> None:
    """H-11: seconds for one name would be a way to hold the service up; its unread rest is never silence."""
    order, problem = LONG[case]
    drafts(drug("warm"))
    began = time.perf_counter()
    (one,) = drafts(order)
    assert time.perf_counter() - began < 1.0
    assert one.problem == problem
    assert len(one.label) <= 400


def test_orders_for_services_are_asked_for() -> None:
    """H-49: without them no suggestion knows what is ordered already, and no rule that a transplant is planned."""
    (need,) = [one for one in NEEDS if one.type == "ServiceRequest"]
    assert (need.key, need.on_orders) == ("serviceRequests", True)
    assert prefetch_templates()["serviceRequests"].startswith("ServiceRequest?patient={{context.patientId}}")
    assert words_of("ServiceRequest") == "orders for procedures and tests"
