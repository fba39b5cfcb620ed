"""What is missing for this patient, and what would settle each gap."""

from __future__ import annotations

import pytest
from builders import condition, judge, outcome, pet, procedure, relapsed, relapsed_ball, stain

from mappings.evaluation import Evaluation


def codes(made: Evaluation) -> list[str]:
    return [row.code for row in made.assessment.missing]


def test_a_bare_relapse_lacks_tissue_antigens_and_date() -> None:
    assert codes(relapsed())[:5] == ["tissue", "CD19", "CD20", "CD22", "relapse-date"]


def test_confirmed_and_tested_lacks_less() -> None:
    made = relapsed(stain("Negative"), stain("Positive", "CD20"))
    assert not {"tissue", "CD19", "CD20", "relapse-date", "infusion-date"} & set(codes(made))


def test_cd20_is_not_asked_for_in_b_all() -> None:
    assert "CD20" not in codes(relapsed_ball())
    assert {"CD19", "CD22"} <= set(codes(relapsed_ball()))


def test_an_infusion_without_date_is_named() -> None:
    assert "infusion-date" in codes(judge(condition(), procedure(when=None)))


def test_a_product_that_is_not_known_comes_first() -> None:
    assert codes(judge(condition(), procedure("CAR-T infusion")))[0] == "product"


def test_no_antigen_is_missed_on_a_relapse_that_nobody_told_of() -> None:
    """In remission with results unread, what was not read is named, and no stain is asked for."""
    made = judge(condition(clinical="remission"), procedure(), observations=outcome("suppressed"))
    assert made.assessment.category.value == "insufficient-data"
    assert codes(made) == ["unseen"]


def test_suspicion_asks_for_tissue() -> None:
    assert "tissue" in codes(judge(condition(clinical="active"), procedure(), pet("Deauville 5.")))


@pytest.mark.parametrize(
    "key", ["conditions", "procedures", "observations", "reports", "medicationAdministrations"]
)
@pytest.mark.parametrize("value", [..., None, outcome()])
def test_types_that_were_not_seen_are_named_with_the_reason(key: str, value: object) -> None:
    made = judge(condition(clinical="active"), procedure(), **{key: value})
    unseen = [row for row in made.assessment.missing if row.code == "unseen"]
    assert len(unseen) == 1
    assert unseen[0].remedy
    assert "not read" in unseen[0].what


def test_a_whole_chart_without_relapse_lacks_nothing() -> None:
    assert codes(judge(condition(clinical="remission"), procedure())) == []


def test_every_gap_has_a_remedy() -> None:
    assert all(row.what and row.remedy and row.code for row in relapsed(observations=...).assessment.missing)
