"""Words of problems and results that change what the chart says: CAR T on the problem list, CNS, Burkitt, hepatitis B."""

from __future__ import annotations

from typing import Any

import pytest
from builders import (
    ICD10CM,
    Resource,
    administration,
    category,
    concept,
    condition,
    judge,
    observation,
    procedure,
    stain,
)

from mappings.facts import CarTInfusion


def infusions(name: str, **elements: Any) -> tuple[CarTInfusion, ...]:
    return judge(condition(), condition(name, "active", id="x", **elements)).facts.infusions


@pytest.mark.parametrize(
    ("name", "product", "date"),
    [
        ("DLBCL s/p axi-cel 3/2025", "axicabtagene-ciloleucel", "2025-03"),
        ("R/R DLBCL s/p axi-cel (Yescarta) 3/14/2025", "axicabtagene-ciloleucel", "2025-03-14"),
        ("MCL treated with brexu-cel in March 2024", "brexucabtagene-autoleucel", "2024-03"),
        ("DLBCL, axi-cel 3/4/2025", "axicabtagene-ciloleucel", "2025"),
        ("DLBCL s/p R-CHOP, axi-cel 2025-03-01", "axicabtagene-ciloleucel", "2025-03-01"),
        ("DLBCL s/p axi-cel 3/2025, relapsed 9/2025", "axicabtagene-ciloleucel", "2025-03"),
        ("Relapse s/p axi-cel 9/2025", "axicabtagene-ciloleucel", None),
        ("ICANS after Breyanzi 3/2025", "lisocabtagene-maraleucel", None),
        ("Relapse after axi-cel", "axicabtagene-ciloleucel", None),
        ("No relapse after axi-cel", "axicabtagene-ciloleucel", None),
        ("Refractory to liso-cel", "lisocabtagene-maraleucel", None),
        ("Post-Yescarta cytopenia", "axicabtagene-ciloleucel", None),
    ],
)
def test_a_problem_that_names_a_product_given_is_an_infusion(
    name: str, product: str, date: str | None
) -> None:
    (one,) = infusions(name)
    assert one.cd19_directed
    assert (one.product, one.first.text if one.first else None) == (product, date)


@pytest.mark.parametrize(
    "name",
    [
        "Failed CAR-T manufacturing (Kymriah)",
        "Relapsed DLBCL after R-CHOP, for axi-cel",
        "DLBCL s/p R-CHOP, awaiting axi-cel",
        "Neutropenia following lymphodepletion for axi-cel",
        "Mother with lymphoma treated with Yescarta",
        "No prior Yescarta",
    ],
)
def test_a_problem_that_plans_or_denies_a_product_is_no_infusion(name: str) -> None:
    assert not infusions(name)


def test_the_onset_of_another_event_is_not_the_date_of_the_infusion() -> None:
    (one,) = infusions("DLBCL, relapsed after CAR-T", onsetDateTime="2022-01-01")
    assert one.first is None
    (one,) = infusions("Status post CAR-T (Yescarta)", onsetDateTime="2025-01-10")
    assert one.first is not None
    assert one.first.text == "2025-01-10"


def test_an_antigen_beside_a_relapse_is_not_the_target() -> None:
    (one,) = infusions("CD19-negative relapse after CAR-T")
    assert one.targets == ()


@pytest.mark.parametrize(
    "name", ["DLBCL s/p axi-cel 1/2025", "Relapse after axi-cel", "ICANS after Breyanzi"]
)
def test_car_t_on_the_problem_list_alone_is_never_a_no(name: str) -> None:
    made = judge(condition(), condition(name, "active", id="x"), stain("CD19", "negative"))
    assert category(made) in ("cd19-negative", "cd19-unknown", "insufficient-data")


def missing_of(name: str, value: str) -> set[str]:
    test = observation(name, value, id="hepatitis")
    made = judge(condition(), procedure(), stain(), stain(antigen="CD20"), test)
    assert made.facts.safety or any(r.about for r in made.assessment.set_aside)
    return {item.code for item in made.assessment.missing}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HBsAg", "Pending"),
        ("HBsAg", "Not performed"),
        ("HBsAg (donor)", "Positive"),
        ("Mother's HBsAg", "Negative"),
        ("Hepatitis B surface antibody", "Positive"),
        ("HBV DNA", "<10 IU/mL"),
    ],
)
def test_what_is_not_the_patients_hepatitis_b_serology_leaves_it_missing(name: str, value: str) -> None:
    assert "hbv" in missing_of(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("HBsAg", "Negative"), ("HBsAg", "Not detected; DNA pending"), ("Anti-HBc", "Reactive")],
)
def test_serology_with_a_result_is_not_missing(name: str, value: str) -> None:
    assert "hbv" not in missing_of(name, value)


@pytest.mark.parametrize("name", ["Primary CNS lymphoma", concept(None, (ICD10CM, "C83.390"))])
@pytest.mark.parametrize("onset", [None, "2022-01-01"])
def test_a_relapsed_lymphoma_of_the_cns_takes_the_cns_branch(name: str | Resource, onset: str | None) -> None:
    disease = condition(name, onsetDateTime=onset)
    told = observation("Cancer disease status", "Progression")
    assert judge(disease, procedure(), told).assessment.branch == "cns"
    brain = stain("Negative", specimen="Brain biopsy")
    made = judge(disease, procedure(), brain)
    assert (category(made), made.assessment.branch) == ("cd19-negative", "cns")
    words = "Relapsed PCNSL. Lymphoma cells CD19 positive, CD20 positive"
    said = observation("Immunophenotyping", words, specimen="Brain biopsy")
    made = judge(disease, procedure(), said)
    assert (category(made), made.assessment.branch) == ("cd19-positive", "cns")


def test_a_lymphoma_of_the_cns_keeps_its_branch_and_its_result_where_the_tissue_is_not_named() -> None:
    made = judge(condition("Primary CNS lymphoma"), procedure(), stain(specimen="Biopsy"))
    assert (category(made), made.assessment.branch) == ("cd19-positive", "cns")


def test_a_lymphoma_of_the_cns_in_remission_takes_no_branch() -> None:
    listed = condition("Primary CNS lymphoma", "remission", id="old")
    assert judge(condition(), listed, procedure(), stain()).assessment.branch is None


@pytest.mark.parametrize(
    "name",
    [
        "Burkitt leukaemia (mature B-ALL, L3)",
        "Burkitt's leukaemia",
        "Leucémie de Burkitt",
        "B-ALL, Burkitt-type",
    ],
)
def test_burkitt_leukaemia_is_burkitt_and_outside(name: str) -> None:
    made = judge(condition(name), procedure())
    assert (made.assessment.disease_group, made.assessment.disease_scope) == ("burkitt", "outside")


@pytest.mark.parametrize("name", ["Lymphoma of spouse", "DLBCL in brother", "Lymphoma of the donor"])
def test_a_relatives_lymphoma_is_not_the_patients(name: str) -> None:
    assert category(judge(condition(name, "active"), procedure())) == "no-lymphoid-malignancy"


@pytest.mark.parametrize(
    "name", ["Lymphoma of spleen", "Lymphoma of lymph nodes", "Diffuse large B-cell lymphoma in relapse"]
)
def test_a_site_of_lymphoma_is_no_relative(name: str) -> None:
    assert category(judge(condition(name, "active"), procedure())) != "no-lymphoid-malignancy"


@pytest.mark.parametrize("name", ["DLBCL, relapsed after CAR-T (HCC)", "Relapse after axi-cel"])
def test_a_relapse_placed_after_car_t_by_its_words_stands(name: str) -> None:
    listed = condition(name, "active", id="x", onsetDateTime="2022-01-01")
    made = judge(condition(clinical="active"), listed, procedure())
    assert (category(made), made.assessment.confirmation) == ("cd19-unknown", "stated")
    early = condition(name, "active", id="x", recordedDate="2023-02-01")
    assert category(judge(condition(clinical="active"), early, procedure())) != "cd19-unknown"


@pytest.mark.parametrize(
    "name", ["No relapse after axi-cel", "Relapse before CAR-T", "Monitoring for relapse after axi-cel"]
)
def test_a_relapse_that_is_denied_or_earlier_does_not(name: str) -> None:
    made = judge(condition(clinical="active"), condition(name, "active", id="x"), procedure())
    assert category(made) != "cd19-unknown"


@pytest.mark.parametrize("recorded", ["2025-11-01", "2025-01-15"])
def test_the_day_a_remission_was_typed_ends_no_relapse_shown_in_tissue(recorded: str) -> None:
    listed = condition(clinical="remission", onsetDateTime="2022-01-01", recordedDate=recorded)
    made = judge(listed, procedure(), stain("Negative"))
    assert category(made) == "cd19-negative"
    assert any(r.code == "remission-listed" for r in made.assessment.conflicts)


@pytest.mark.parametrize(
    ("period", "status", "marked"),
    [
        ({"start": "2025-09-01"}, "completed", True),
        ({"start": "2025-09-01"}, "stopped", True),
        ({"start": "2025-09-01", "end": "2025-09-02"}, "completed", False),
    ],
)
def test_a_course_without_an_end_is_marked(period: dict[str, str], status: str, marked: bool) -> None:
    given = administration("blinatumomab", None, status, effectivePeriod=period)
    made = judge(condition(), procedure(), given, stain())
    assert any(r.code == "open-end" for r in made.assessment.remarks) is marked
    cd19 = next(view for view in made.assessment.antigens if view.antigen == "CD19")
    assert ("after blinatumomab began" in cd19.because) is marked
