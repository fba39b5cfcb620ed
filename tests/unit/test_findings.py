"""Disease status, Deauville score and minimal residual disease as Observations (rules 11.9, EN-2; hazard H-30)."""

from __future__ import annotations

from typing import Any

import pytest
from builders import (
    LOINC,
    SNOMED,
    Resource,
    category,
    codes_of,
    concept,
    condition,
    flow,
    judge,
    observation,
    pet,
    procedure,
)

NCI = "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl"
QUIET = (condition(clinical="active"), procedure())
BALL = (condition("B-cell acute lymphoblastic leukemia", "active"), procedure("Tisagenlecleucel infusion"))


def status(value: Any, **more: Any) -> Resource:
    return observation(concept("Cancer disease status", (LOINC, "97509-4")), value, **more)


def deauville(value: Any, **more: Any) -> Resource:
    return observation(concept("Deauville five point scale", (SNOMED, "708895006")), value, **more)


def coded(system: str, code: str) -> dict[str, Any]:
    return {"valueCodeableConcept": concept(None, (system, code))}


def judged(*resources: Resource) -> tuple[str, str]:
    made = judge(*QUIET, *resources)
    return category(made), made.assessment.confirmation.value


@pytest.mark.parametrize(
    ("code", "wanted"),
    [("268910001", ("no-relapse", "none")), ("359746009", ("no-relapse", "none")),
    ("709137006", ("no-relapse", "none")),
     ("271299001", ("cd19-unknown", "stated"))],
)  # fmt: skip
def test_trend_of_the_disease(code: str, wanted: tuple[str, str]) -> None:
    assert judged(status(coded(SNOMED, code))) == wanted


@pytest.mark.parametrize("clinical", ["entered-in-error", "cancelled", "registered"])
def test_a_void_status_says_nothing(clinical: str) -> None:
    assert judged(status(coded(SNOMED, "271299001"), status=clinical)) == ("no-relapse", "none")


def test_worsening_before_the_infusion_is_no_relapse_after_it() -> None:
    assert judged(status(coded(SNOMED, "271299001"), when="2024-12-01")) == ("no-relapse", "none")


def test_worsening_on_the_day_of_the_infusion_is_not_after_it() -> None:
    assert judged(status(coded(SNOMED, "271299001"), when="2025-01-10"))[0] == "no-relapse"


def test_worsening_of_another_cancer_is_not_this_relapse() -> None:
    other = condition("Carcinoma of breast", "active", id="breast")
    focused = status(coded(SNOMED, "271299001"), focus=[{"reference": "Condition/breast"}])
    made = judge(*QUIET, other, focused)
    assert category(made) == "no-relapse"
    assert "focus" in codes_of(made, "set-aside")
    assert (
        judged(status(coded(SNOMED, "271299001"), note=[{"text": "Breast cancer progressing"}]))[0]
        == "no-relapse"
    )


def test_worsening_with_focus_on_the_lymphoma_counts() -> None:
    assert (
        judged(status(coded(SNOMED, "271299001"), focus=[{"reference": "Condition/disease"}]))[0]
        == "cd19-unknown"
    )


CODES = [("C99728", "no-relapse"), ("C99747", "no-relapse"), ("C99748", "no-relapse"), ("C99749", "no-relapse"),
         ("C99750", "cd19-unknown"), ("C136879", "no-relapse")]  # fmt: skip


@pytest.mark.parametrize(("code", "wanted"), CODES)
def test_deauville_by_code(code: str, wanted: str) -> None:
    assert judged(deauville(coded(NCI, code)))[0] == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [({"valueInteger": 5}, "cd19-unknown"), ({"valueInteger": 3}, "no-relapse"),
    ({"valueQuantity": {"value": 5}}, "cd19-unknown"),
     ({"valueString": "5"}, "cd19-unknown"), ({"valueString": "Score 2"}, "no-relapse"),
     ({"valueInteger": 6}, "no-relapse"),
     ({"valueInteger": 0}, "no-relapse"), ({"valueQuantity": {"value": 4.5}}, "no-relapse"),
     ({"valueString": "not applicable"}, "no-relapse")],
    ids=str,
)  # fmt: skip
def test_deauville_by_number_and_text(value: dict[str, Any], wanted: str) -> None:
    assert judged(deauville(value))[0] == wanted


@pytest.mark.parametrize(
    ("note", "wanted"),
    [("New and increasing uptake.", ("cd19-unknown", "suspected")),
    ("Increased in size.", ("cd19-unknown", "suspected")),
     ("Decreased in size.", ("no-relapse", "none")), ("", ("no-relapse", "none"))],
)  # fmt: skip
def test_deauville_4_goes_with_the_change(note: str, wanted: tuple[str, str]) -> None:
    assert judged(deauville({"valueInteger": 4}, note=[{"text": note}])) == wanted


def mrd(value: Any, when: str, name: str) -> Resource:
    return observation(
        "Minimal residual disease by flow", value, when, "Bone marrow aspirate", "Flow cytometry", id=name
    )


CLEAR = mrd("Negative", "2025-04-01", "mrd-1")
BACK = mrd("Positive", "2025-09-20", "mrd-2")


def test_mrd_that_returns_with_a_phenotype_is_a_relapse_at_mrd_level() -> None:
    made = judge(*BALL, CLEAR, BACK, flow("Negative", specimen="Bone marrow aspirate"))
    assert category(made) == "cd19-negative"
    assert made.assessment.confirmation.value == "mrd"


def test_blasts_of_another_specimen_or_day_confirm() -> None:
    node = flow("Negative", specimen="Lymph node biopsy")
    assert judge(*BALL, CLEAR, BACK, node).assessment.confirmation.value == "confirmed"
    later = flow("Negative", when="2025-10-20", specimen="Bone marrow aspirate")
    assert judge(*BALL, CLEAR, BACK, later).assessment.confirmation.value == "confirmed"


def test_a_phenotype_of_an_old_specimen_does_not_describe_what_came_back() -> None:
    assert category(judge(*BALL, flow("Negative", when="2024-11-01"), CLEAR, BACK)) == "no-relapse"


def test_mrd_that_returns_without_a_phenotype_is_no_relapse() -> None:
    assert category(judge(*BALL, CLEAR, BACK)) == "no-relapse"


def test_mrd_that_was_never_negative_is_no_relapse() -> None:
    assert category(judge(*BALL, mrd("Positive", "2025-02-10", "mrd-0"), BACK)) == "no-relapse"


def test_mrd_that_stays_negative_is_no_relapse() -> None:
    assert category(judge(*BALL, CLEAR, mrd("Negative", "2025-09-20", "mrd-2"))) == "no-relapse"


def test_mrd_in_lymphoma_is_no_relapse() -> None:
    assert category(judge(*QUIET, CLEAR, BACK)) == "no-relapse"


@pytest.mark.parametrize(
    ("value", "negative"),
    [({"valueQuantity": {"value": 0.9, "unit": "%"}}, False), ({"valueQuantity": {"value": 0, "unit": "%"}}, True),
     ({"valueQuantity": {"value": 0.01, "comparator": "<", "unit": "%"}}, True), ("Not detected", True),
     ("Detected", False)],
    ids=str,
)  # fmt: skip
def test_mrd_percentage_is_burden_never_antigen_share(value: Any, negative: bool) -> None:
    made = judge(*BALL, mrd(value, "2025-04-01", "mrd-1"))
    assert not made.facts.antigens
    assert [event.kind.value for event in made.facts.events] == [
        "mrd-negative" if negative else "mrd-positive"
    ]


def test_imaging_after_a_worsened_status_does_not_undo_it() -> None:
    assert (
        judged(status(coded(SNOMED, "271299001"), when="2025-09-20"), pet("Stable disease.", "2025-09-25"))[0]
        == "cd19-unknown"
    )
