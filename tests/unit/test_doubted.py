"""What cannot be read, named or ordered leaves an answer unknown; nothing older answers instead (H-08, H-11)."""

from __future__ import annotations

import pytest
from builders import (
    Resource,
    category,
    codes_of,
    condition,
    judge,
    observation,
    pet,
    procedure,
    relapsed,
    relapsed_ball,
    report,
    stain,
    state,
)

LATER, EARLIER = "2025-09-25", "2025-09-21"
LOST: Resource = {"valueCodeableConcept": {"text": [None, 3]}}


def in_remission(*resources: Resource) -> str:
    listed = condition("Diffuse large B-cell lymphoma", clinical="remission")
    return category(judge(listed, procedure(), *resources))


@pytest.mark.parametrize(
    "value",
    [LOST, {"valueCodeableConcept": {"coding": {}}}, {"valueString": 7}, {"interpretation": [[]]}],
)
def test_h11_a_newer_value_that_cannot_be_read_leaves_the_antigen_unknown(value: Resource) -> None:
    made = relapsed(stain("Positive", when=EARLIER, id="old"), stain(value, when=LATER, id="new"))
    assert state(made) == "unknown"
    assert "unread-value" in codes_of(made, "unread")


def test_an_older_value_that_cannot_be_read_gives_way_to_a_later_one_of_its_kind() -> None:
    made = relapsed(stain(LOST, when=EARLIER, id="old"), stain("Positive", when=LATER, id="new"))
    assert state(made) == "positive"
    assert "unread-value" in codes_of(made, "unread")


def test_h11_a_result_without_a_name_on_the_same_specimen_leaves_the_antigen_unknown() -> None:
    unnamed = stain("Positive", id="unnamed", status="final")
    del unnamed["code"]
    made = relapsed(stain("Negative", status="preliminary"), unnamed)
    assert state(made) == "unknown"
    assert "no-code" in codes_of(made, "unread")
    assert {row.state for row in made.facts.seen if row.type == "Observation"} == {"incomplete"}
    void = {**unnamed, "status": "entered-in-error"}
    assert state(relapsed(stain("Negative"), void)) == "negative"


def test_h11_a_result_of_a_status_nobody_knows_gives_no_state() -> None:
    made = relapsed(stain("Negative", status="COMPLETED?"))
    assert state(made) == "unknown"
    assert "status-unknown" in codes_of(made, "set-aside")
    assert state(relapsed(stain("Negative", status=" Final "))) == "negative"
    assert state(relapsed(report("Lymphoma cells are CD19 negative.", status="signed off"))) == "unknown"


def test_h11_a_relapse_told_under_a_status_nobody_knows_is_neither_relapse_nor_none() -> None:
    assert in_remission(pet("Progression of lymphoma.", status="signed off")) == "insufficient-data"
    assert in_remission(pet("Complete metabolic response.", status="signed off")) == "no-relapse"


def test_an_infusion_of_a_status_nobody_knows_is_a_possible_one() -> None:
    made = judge(condition(), procedure(status="COMPLETED?"), stain("Negative"))
    assert category(made) == "cd19-negative"
    assert {"status-unknown", "incomplete"} <= codes_of(made, "remark")


@pytest.mark.parametrize("collection", [{"collectedDateTime": "0000-00-00"}, [None, 3], "soon"])
def test_h11_a_collection_that_cannot_be_read_is_not_replaced_by_another_date(collection: object) -> None:
    taken = {"resourceType": "Specimen", "id": "s", "type": {"text": "Lymph node"}, "collection": collection}
    result = stain("Positive", specimen=None, contained=[taken])
    result["specimen"] = {"reference": "#s"}
    made = relapsed(result)
    assert state(made) == "unknown"
    assert "order-unknown" in codes_of(made, "set-aside")


@pytest.mark.parametrize("when", [None, "soon", "2025"])
def test_h11_a_suspicion_without_an_order_to_the_infusion_is_not_no_relapse(when: str | None) -> None:
    assert in_remission(pet("Deauville 5, suspicious for relapse.", when)) == "insufficient-data"  # type: ignore[arg-type]


def test_evidence_that_a_partial_date_still_puts_before_the_infusion_says_nothing() -> None:
    assert in_remission(pet("Deauville 5. Progression of lymphoma.", "2024")) == "no-relapse"


def test_h11_a_status_of_the_disease_that_cannot_be_read_is_not_no_relapse() -> None:
    status = observation("Cancer disease status", {"valueCodeableConcept": {"coding": {}}})
    assert in_remission(status) == "insufficient-data"


def test_h11_a_second_bag_without_a_full_date_may_be_later_than_the_result() -> None:
    bag = "Obecabtagene autoleucel infusion"
    first, second = procedure(bag, "2025-02-03", id="one"), procedure(bag, "2025", id="two")
    disease = condition("B-cell acute lymphoblastic leukemia")
    between = stain("Negative", when="2025-02-10", specimen="Bone marrow aspirate")
    told = report("Relapse of B-lymphoblastic leukemia.", "2025-08-12", specimen="Bone marrow aspirate")
    made = judge(disease, first, second, between, told)
    assert state(made) == "unknown"
    assert "order-unknown" in codes_of(made, "set-aside")


def test_h11_a_second_relapse_of_a_year_does_not_take_the_result_of_the_first() -> None:
    first = stain("Positive", when="2025-06-03", specimen="Bone marrow aspirate")
    remission = report(
        "Complete remission, MRD negative.", "2025-07-08", specimen="Bone marrow aspirate", id="r"
    )
    second = report("Second relapse of B-lymphoblastic leukemia.", "2025", specimen="Bone marrow", id="s")
    assert state(relapsed_ball(first, remission, second)) == "unknown"
