"""The one test a card may suggest: legal FHIR, right patient, no dose, not twice (H-49)."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest
from builders import (
    PATIENT,
    administration,
    condition,
    flow,
    judge,
    knowledge,
    patient,
    pet,
    procedure,
    relapsed,
    relapsed_ball,
    report,
    specimen,
    stain,
)
from fhir.resources.R4B.servicerequest import ServiceRequest
from ordering import context, drafts, service, standing
from pydantic import ValidationError

from cds_hooks import suggestions as module
from cds_hooks.suggestions import SELECTION, suggestions_for, with_suggestions
from mappings.evaluation import Evaluation
from mappings.orders import DraftOrder
from mappings.reading.orders import read_drafts

BIOPSY = "Tissue biopsy (or bone marrow) with CD19, CD20 and CD22 by flow cytometry or immunohistochemistry"


def made(evaluation: Evaluation, **more: Any) -> list[dict[str, Any]]:
    return suggestions_for(evaluation, PATIENT, **more)


def resource(found: list[dict[str, Any]]) -> dict[str, Any]:
    ((action,),) = [one["actions"] for one in found]
    held: dict[str, Any] = action["resource"]
    return held


def suspected() -> Evaluation:
    return judge(condition(clinical="active"), procedure(), pet("Deauville 5."))


OFFERED = {
    "nothing tested": (relapsed, "biopsy"),
    "imaging only": (suspected, "biopsy"),
    "CD19 stale": (
        lambda: relapsed(
            stain("Positive"),
            stain("Positive", "CD20"),
            stain("Positive", "CD22"),
            administration("Blinatumomab", "2025-10-20"),
        ),
        "biopsy",
    ),
    "results disagree": (lambda: relapsed(stain("Positive"), flow("Negative")), "biopsy"),
    "marrow only": (lambda: relapsed_ball(flow("Positive")), "biopsy"),
    "target of CAR T unknown": (lambda: judge(condition(), procedure("CAR-T cell infusion")), "biopsy"),
    "other antigens untested on tissue": (lambda: relapsed(stain("Negative")), "CD20 and CD22"),
    "tissue reported, nothing stained": (
        lambda: relapsed(report("Diffuse large B-cell lymphoma, relapsed.")),
        "CD19, CD20 and CD22",
    ),
}


@pytest.mark.parametrize("case", OFFERED)
def test_a_biopsy_or_a_stain_of_the_block(case: str) -> None:
    evaluation, wanted = OFFERED[case]
    found = made(evaluation())
    text = resource(found)["code"]["text"]
    if wanted == "biopsy":
        assert text == BIOPSY
    else:
        assert text == f"{wanted} by immunohistochemistry on the existing tissue block of this relapse"


NOT_OFFERED = {
    "all known and confirmed": lambda: relapsed(
        stain("Negative"), stain("Positive", "CD20"), stain("Positive", "CD22")
    ),
    "no relapse": lambda: judge(condition(clinical="remission"), procedure()),
    "no CAR T": lambda: judge(condition()),
    "deceased": lambda: judge(patient(deceasedBoolean=True), condition(), procedure()),
    "lineage switch": lambda: relapsed_ball(
        report("Lineage switch to acute myeloid leukemia.", specimen="Bone marrow biopsy")
    ),
    "data missing": lambda: judge(condition(), procedures=...),
}


@pytest.mark.parametrize("case", NOT_OFFERED)
def test_nothing_is_suggested_where_nothing_is_open(case: str) -> None:
    assert made(NOT_OFFERED[case]()) == []


def test_a_block_from_before_a_therapy_that_voids_it_is_none() -> None:
    """CD-1: staining tissue from before blinatumomab would not describe the present."""
    evaluation = relapsed(stain("Positive", "CD20"), administration("Blinatumomab", "2025-10-20"))
    assert resource(made(evaluation))["code"]["text"] == BIOPSY
    after = relapsed(
        stain("Positive", "CD20", when="2025-12-01"), administration("Blinatumomab", "2025-10-20")
    )
    assert resource(made(after))["code"]["text"].startswith("CD19 and CD22 by immunohistochemistry")


def test_a_block_from_before_the_infusion_is_none() -> None:
    evaluation = relapsed(report("Diffuse large B-cell lymphoma.", "2024-12-01"))
    assert resource(made(evaluation))["code"]["text"] == BIOPSY


@pytest.mark.parametrize("intent", ["order", "proposal"])
@pytest.mark.parametrize("case", OFFERED)
def test_what_goes_out_is_a_legal_draft_for_this_patient(case: str, intent: str) -> None:
    found = made(OFFERED[case][0](), intent=intent, encounter_id="enc-1")
    assert len(found) == 1
    held = resource(found)
    ServiceRequest.model_validate_json(json.dumps(held))
    assert (held["status"], held["intent"]) == ("draft", intent)
    assert held["subject"] == {"reference": f"Patient/{PATIENT}"}
    assert held["encounter"] == {"reference": "Encounter/enc-1"}
    assert [action["type"] for action in found[0]["actions"]] == ["create"]
    assert set(found[0]) == {"label", "uuid", "actions"}
    assert set(found[0]["actions"][0]) == {"type", "description", "resource"}
    assert uuid.UUID(found[0]["uuid"]).version == 5


@pytest.mark.parametrize("case", OFFERED)
def test_no_dose_no_identifier_beyond_the_subject(case: str) -> None:
    evaluation = OFFERED[case][0]()
    found = made(evaluation)
    text = json.dumps(found)
    assert text.count(PATIENT) == 1
    assert "id" not in resource(found)
    assert not re.search(r"\b\d+(\.\d+)?\s?(mg|mL|mcg|units?)\b|dos(e|age)", text)
    assert PATIENT not in found[0]["label"] + found[0]["uuid"] + found[0]["actions"][0]["description"]
    assert len(found[0]["label"]) <= 80


def test_the_block_points_to_its_report() -> None:
    held = resource(made(relapsed(report("Diffuse large B-cell lymphoma, relapsed."))))
    assert held["supportingInfo"] == [{"reference": "DiagnosticReport/report"}]


def test_the_reason_names_what_is_open_and_how_sure_the_relapse_is() -> None:
    assert resource(made(relapsed()))["reasonCode"][0]["text"] == (
        "Relapse after CD19 CAR T; not known: CD19, CD20, CD22"
    )
    open_target = judge(condition(), procedure("CAR-T cell infusion"))
    assert resource(made(open_target))["reasonCode"][0]["text"].startswith("Relapse after CAR T;")


def test_the_same_advice_has_the_same_uuid_and_no_other_has_it() -> None:
    """H-49: accept, open again, accept: one suggestion."""
    first, again = made(relapsed()), made(relapsed())
    assert first == again
    assert made(relapsed(), encounter_id="enc-1")[0]["uuid"] == first[0]["uuid"]
    others = [
        made(relapsed(pet("Progression.")))[0]["uuid"],
        made(relapsed(stain("Negative")))[0]["uuid"],
        made(relapsed(), intent="proposal")[0]["uuid"],
        suggestions_for(relapsed(), "somebody-else")[0]["uuid"],
    ]
    assert len({first[0]["uuid"], *others}) == 5


def test_with_a_call_the_uuid_is_of_that_call() -> None:
    """H-49: the basis stays the facts; a repeated call keeps its uuid, another call has its own."""
    one, again, other = (made(relapsed(), call=name)[0]["uuid"] for name in ("a", "a", "b"))
    assert one == again != other
    assert made(relapsed(stain("Negative")), call="a")[0]["uuid"] != one


def accepted(found: list[dict[str, Any]], status: str = "draft") -> tuple[DraftOrder, ...]:
    return drafts({**resource(found), "id": "accepted", "status": status})


@pytest.mark.parametrize("case", OFFERED)
@pytest.mark.parametrize("status", ["draft", "active"])
def test_what_was_accepted_is_not_offered_again(case: str, status: str) -> None:
    """H-49: the draft, or the order it became, is found again by its own words."""
    evaluation = OFFERED[case][0]()
    found = made(evaluation)
    assert made(evaluation, existing=accepted(found, status)) == []


EXISTING = {
    "Lymph node core biopsy": True,
    "Bone marrow biopsy": True,
    "CD19, CD20 and CD22 by flow cytometry": True,
    "CD19 flow cytometry": False,
    "Prostate cancer biopsy": False,
    "Echocardiogram": False,
    "CD19 B cell count, blood": False,
}


@pytest.mark.parametrize("name", EXISTING)
def test_an_order_that_asks_for_the_same_is_enough(name: str) -> None:
    for orders in (drafts(service(name)), standing(service(name, status="active"))):
        assert (made(relapsed(), existing=orders) == []) is EXISTING[name]


@pytest.mark.parametrize("status", ["completed", "revoked", "cancelled", "entered-in-error"])
def test_an_order_that_is_over_is_not_enough(status: str) -> None:
    assert made(relapsed(), existing=drafts(service("Lymph node biopsy", status=status))) != []


def test_an_order_from_before_the_infusion_or_of_another_patient_is_not_enough() -> None:
    old = drafts(service("Lymph node biopsy", status="active", authoredOn="2024-10-01"))
    strange = drafts(service("Lymph node biopsy", subject={"reference": "Patient/stranger"}))
    assert made(relapsed(), existing=(*old, *strange)) != []


def test_a_biopsy_is_not_the_stain_of_a_block() -> None:
    evaluation = relapsed(stain("Negative"))
    assert made(evaluation, existing=drafts(service("Lymph node biopsy"))) != []
    assert made(evaluation, existing=drafts(service("CD20 and CD22 IHC on block"))) == []


def test_an_odd_patient_id_gives_no_suggestion_and_an_odd_encounter_none_of_it() -> None:
    assert suggestions_for(relapsed(), "a b") == []
    assert suggestions_for(relapsed(), "a/../b") == []
    assert "encounter" not in resource(made(relapsed(), encounter_id="../Patient/other"))


def test_another_intent_is_a_fault_of_the_caller() -> None:
    with pytest.raises(ValueError, match="intent"):
        made(relapsed(), intent="plan")


def test_an_illegal_resource_never_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant 7: the R4B model stands between a builder's slip and the wire."""
    monkeypatch.setattr(module, "_reason", lambda *_: {"not": "text"})
    with pytest.raises(ValidationError):
        made(relapsed())


def test_a_card_carries_suggestions_with_their_behaviour_or_nothing() -> None:
    card = {"summary": "x"}
    found = made(relapsed())
    assert with_suggestions(card, []) == card
    assert with_suggestions(card, found) == {
        "summary": "x",
        "suggestions": found,
        "selectionBehavior": SELECTION,
    }
    assert SELECTION == "at-most-one"


def test_a_draft_read_back_names_all_three_antigens() -> None:
    held = {**resource(made(relapsed())), "id": "x"}
    (one,) = read_drafts(context(held), knowledge())
    assert (one.antigens, one.biopsy) == (("CD19", "CD20", "CD22"), True)


def test_a_specimen_alone_is_no_block() -> None:
    evaluation = relapsed(specimen("Lymph node", "2025-10-01"))
    assert resource(made(evaluation))["code"]["text"] == BIOPSY
