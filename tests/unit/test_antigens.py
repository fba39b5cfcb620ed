"""Antigen states from coded results and panels, blood counts apart (rules 4, 11.15, 11.18; H-17, H-19)."""

from __future__ import annotations

from typing import Any

import pytest
from builders import (
    LOINC,
    PATIENT,
    Resource,
    category,
    codes_of,
    concept,
    condition,
    flow,
    judge,
    observation,
    percent,
    procedure,
    relapsed,
    relapsed_ball,
    report,
    specimen,
    stain,
    state,
)

from mappings.facts import Method, SpecimenKind
from mappings.reading.antigens import clone_of

NEGATIVE = {"valueCodeableConcept": {"text": "Negative"}}


def loinc(code: str, value: Any = "Negative", **more: Any) -> Resource:
    return observation(concept(None, (LOINC, code)), value, **more)


TUMOUR = [
    ("13840-4", "CD19"), ("14964-1", "CD19"), ("51101-4", "CD19"), ("51102-2", "CD19"),
    ("13842-0", "CD20"), ("14966-6", "CD20"), ("51115-4", "CD20"), ("51116-2", "CD20"),
    ("51124-6", "CD22"), ("51125-3", "CD22"), ("51126-1", "CD22"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "antigen"), TUMOUR)
@pytest.mark.parametrize("where", [None, "Bone marrow", "Peripheral blood", "Lymph node"])
def test_codes_of_tumour_antigens_count_by_themselves(code: str, antigen: str, where: str | None) -> None:
    made = relapsed_ball(loinc(code, specimen=where))
    assert state(made, antigen) == "negative"
    assert all(state(made, other) == "unknown" for other in {"CD19", "CD20", "CD22"} - {antigen})


@pytest.mark.parametrize("code", ["8116-6", "8117-4"])
@pytest.mark.parametrize(
    "value", [percent(0), percent(12), {"valueQuantity": {"value": 0, "unit": "/uL"}}, "Negative", "Positive"]
)
@pytest.mark.parametrize("where", [None, "Peripheral blood", "Bone marrow", "Lymph node biopsy"])
def test_lymphocyte_subsets_are_monitoring_in_either_direction(
    code: str, value: Any, where: str | None
) -> None:
    made = relapsed(loinc(code, value, specimen=where))
    assert state(made) == "unknown"
    assert not made.facts.antigens
    assert len(made.facts.monitoring) == 1


def test_a_subset_count_as_component_or_member_stays_monitoring() -> None:
    part = {"code": concept(None, (LOINC, "8117-4")), **percent(0)}
    assert (
        state(relapsed(observation("Flow cytometry, lymphoma", component=[part], specimen="Lymph node")))
        == "unknown"
    )


@pytest.mark.parametrize("code", ["51118-8", "51119-6", "51120-4"])
def test_cytoplasmic_cd22_alone_is_unknown(code: str) -> None:
    made = relapsed_ball(loinc(code, "Positive", specimen="Bone marrow"))
    assert state(made, "CD22") == "unknown"


def test_cd19_in_a_respiratory_specimen_says_nothing() -> None:
    made = relapsed(loinc("97597-9"))
    assert state(made) == "unknown"
    assert "not-tumour" in codes_of(made, "set-aside")


@pytest.mark.parametrize(
    ("name", "where", "wanted"),
    [
        ("CD19", "Bone marrow", "negative"), ("CD19", "Lymph node", "negative"), ("CD19", "CSF", "negative"),
        ("CD19", "Pleural effusion", "negative"), ("CD19", "Peripheral blood", "unknown"), ("CD19", None, "unknown"),
        ("CD19 on blasts", "Peripheral blood", "negative"),
        ("CD19 on lymphoma cells", "Peripheral blood", "negative"),
        ("CD19 on blasts", None, "negative"), ("CD19 B cells", "Peripheral blood", "unknown"),
        ("CD19 absolute count", "Peripheral blood", "unknown"), ("CD19 absolute count", "Bone marrow", "unknown"),
        ("CD19+ lymphocytes", None, "unknown"), ("Lymphocyte subsets CD19", None, "unknown"),
        ("CD 19", "Bone marrow", "negative"),
        ("CD-19", "Bone marrow", "negative"), ("CD19 by IHC", None, "negative"), ("CD190", "Bone marrow", "unknown"),
        ("CD195", "Bone marrow", "unknown"), ("CD19/CD20", "Bone marrow", "unknown"),
    ],
)  # fmt: skip
def test_a_name_needs_a_tumour(name: str, where: str | None, wanted: str) -> None:
    assert state(relapsed(observation(name, "Negative", specimen=where))) == wanted


@pytest.mark.parametrize("unit", ["/uL", "cells/uL", "10*3/uL", "10*9/L", "/mm3", "cells/µL"])
def test_a_concentration_is_a_count_wherever_it_was_taken(unit: str) -> None:
    for where in ("Peripheral blood", "Bone marrow", "Lymph node"):
        for value in ({"value": 0, "unit": unit}, {"value": 0, "code": unit}):
            made = relapsed(observation("CD19", {"valueQuantity": value}, specimen=where))
            assert state(made) == "unknown"
            assert made.facts.monitoring


@pytest.mark.parametrize(
    "name", ["Anti-CD19 CAR T cells", "CAR-T cells, CD19 CAR positive", "CD19 CAR transgene persistence"]
)
def test_persistence_is_neither_tumour_status_nor_infusion(name: str) -> None:
    made = relapsed(observation(name, "Positive", specimen="Bone marrow"))
    assert state(made) == "unknown"
    assert len(made.facts.infusions) == 1


def test_blood_known_only_from_the_specimen_resource_is_monitoring() -> None:
    taken = specimen("Peripheral blood", "2025-09-20")
    result = observation("CD19", "Negative")
    result["specimen"] = {"reference": "Specimen/spec"}
    assert state(relapsed(taken, result)) == "unknown"
    assert state(relapsed(specimen("Bone marrow", "2025-09-20"), result)) == "negative"


def panel(*members: str, **more: Any) -> Resource:
    links = [{"reference": f"Observation/{member}"} for member in members]
    return observation("Flow cytometry panel", id="panel", hasMember=links, **more)


def test_members_inherit_specimen_date_method_and_status() -> None:
    member = observation("CD19", "Negative", when=None, id="m")
    del member["status"]
    made = relapsed(panel("m", specimen="Bone marrow", method="Flow cytometry", status="preliminary"), member)
    (result,) = made.facts.antigens
    assert (result.specimen, result.method, result.preliminary) == (SpecimenKind.MARROW, Method.FLOW, True)
    assert result.collected is not None
    assert result.collected.text == "2025-09-20"


def test_a_member_keeps_what_it_carries_itself() -> None:
    member = observation("CD19", "Negative", when="2024-12-01", specimen="Bone marrow", id="m")
    made = relapsed(panel("m", specimen="Lymph node", when="2025-09-20"), member)
    assert state(made) == "unknown"
    assert "before-infusion" in codes_of(made)


def test_members_of_a_withdrawn_panel_prove_nothing() -> None:
    made = relapsed(
        panel("m", specimen="Bone marrow", status="entered-in-error"), observation("CD19", "Negative", id="m")
    )
    assert state(made) == "unknown"


def test_members_of_a_blood_panel_are_monitoring() -> None:
    assert (
        state(relapsed(panel("m", specimen="Peripheral blood"), observation("CD19", "Negative", id="m")))
        == "unknown"
    )


def test_results_of_a_report_inherit_from_it() -> None:
    held = report(None, specimen="Bone marrow aspirate", result=[{"reference": "Observation/m"}])
    assert state(relapsed(held, observation("CD19", "Negative", when=None, id="m"))) == "negative"


def test_panels_that_name_each_other_do_not_hang() -> None:
    one = observation("CD19", "Negative", id="a", hasMember=[{"reference": "Observation/b"}])
    two = observation("Panel", id="b", hasMember=[{"reference": "Observation/a"}], specimen="Bone marrow")
    assert state(relapsed(one, two)) == "negative"


def test_components_are_read_each_by_itself() -> None:
    parts = [
        {"code": concept("CD19"), "valueCodeableConcept": {"text": "Negative"}},
        {"code": concept("CD20"), "valueString": "positive"},
        {"code": concept("CD22"), **percent(40)},
        {"code": concept("CD3"), "valueString": "negative"},
        5,
        {"code": "CD19", "valueString": "positive"},
    ]
    made = relapsed(observation("Immunophenotype of blasts", component=parts, specimen="Bone marrow"))
    assert [state(made, antigen) for antigen in ("CD19", "CD20", "CD22")] == [
        "negative",
        "positive",
        "low-or-partial",
    ]


VOID = ["entered-in-error", "cancelled", "registered", " entered-in-error ", "CANCELLED"]


@pytest.mark.parametrize("status", VOID)
def test_results_of_void_status_say_nothing(status: str) -> None:
    assert state(relapsed(stain("Negative", status=status))) == "unknown"


@pytest.mark.parametrize(
    "status",
    ["final", "amended", "corrected", "appended", "preliminary", "partial", "unknown", " final", None],
)
def test_results_of_any_other_status_count(status: str | None) -> None:
    made = relapsed(stain("Negative", status=status))
    assert category(made) == "cd19-negative"
    assert made.assessment.antigens[0].preliminary is (status in ("preliminary", "partial"))


@pytest.mark.parametrize(
    ("focus", "counts"),
    [
        ({"reference": f"Patient/{PATIENT}"}, True), ({"reference": "Condition/disease"}, True),
        ({"reference": "Specimen/x"}, True),
        ({"reference": "Patient/donor"}, False), ({"reference": "RelatedPerson/1"}, False),
        ({"reference": "Group/1"}, False),
        ({"display": "Stem cell donor"}, False), ({"display": "Sister of the patient"}, False),
        ({"display": "Right axilla"}, True),
    ],
)  # fmt: skip
def test_a_focus_on_somebody_else_is_set_aside(focus: dict[str, str], counts: bool) -> None:
    made = relapsed(stain("Negative", focus=[focus]))
    assert (state(made) == "negative") is counts
    assert ("focus" in codes_of(made, "set-aside")) is not counts


@pytest.mark.parametrize(
    ("text", "clone"),
    [
        ("CD19 by flow, clone FMC63", "FMC63"),
        ("CD19 (clone: J3-119)", "J3-119"),
        ("CD19 by IHC", ""),
        ("Clonal B cells", ""),
    ],
)
def test_clones_are_named_or_unknown(text: str, clone: str) -> None:
    assert clone_of(text) == clone


def test_a_percentage_is_kept_as_reported() -> None:
    (result,) = relapsed(flow(percent(12.5))).facts.antigens
    assert (result.percent, result.band) == ("12.5 %", True)


def test_a_battery_code_whose_meanings_contradict_says_nothing() -> None:
    assert state(relapsed(loinc("22049-1", "Negative", specimen="Bone marrow"))) == "unknown"


@pytest.mark.parametrize(
    "name",
    ["CD19 bone marrow", "Marrow CD19", "Tumor CD19", "CD19 marrow flow", "CD19 in marrow", "B-cell marker CD19",
    "CD19 Ag [Presence]",
     "CD19 expression", "CD19 result", "Surface CD19", "CD19 (bright/dim/neg)", "FLOW CD19 BM"],
)  # fmt: skip
def test_local_names_of_a_result_are_read_or_listed(name: str) -> None:
    """A result under a name nobody foresaw is never lost without a word (hazard H-13)."""
    made = relapsed(
        observation(name, "Negative", specimen="Bone marrow", method="Flow cytometry", id="local")
    )
    listed = [
        row
        for row in (*made.assessment.set_aside, *made.assessment.unread)
        if row.source and row.source.reference == "Observation/local"
    ]
    assert state(made) == "negative" or listed


@pytest.mark.parametrize(
    "whole", ["total events", "all cells", "leukocytes", "WBC", "nucleated cells", "CD45+ cells"]
)
@pytest.mark.parametrize("number", [1, 90])
def test_a_share_of_all_cells_is_no_share_of_malignant_ones(whole: str, number: float) -> None:
    named = observation(
        f"CD19 (% of {whole})", percent(number), specimen="Bone marrow", method="Flow cytometry"
    )
    assert state(relapsed(named)) == "unknown"


def test_results_contained_in_a_report_are_read_or_listed() -> None:
    inside = observation("CD19 by IHC", "Negative", specimen="Lymph node", id="c1")
    made = relapsed(report(None, contained=[inside], result=[{"reference": "#c1"}]))
    assert state(made) == "negative" or made.assessment.unread or made.assessment.set_aside


PANELS = [
    "Leukemia/lymphoma panel CD19", "Leukemia Lymphoma Evaluation Panel: CD19", "CD19, leukemia/lymphoma",
    "CD19 (lymphoma panel)",
    "Lymphoma flow, CD19 %", "CD19 leukaemia immunophenotyping", "Tumor marker panel CD19", "Lymphoma screen CD19",
]  # fmt: skip
QUIET = (condition(clinical="remission"), procedure())


@pytest.mark.parametrize("name", PANELS)
@pytest.mark.parametrize("value", [percent(0), percent(14), "Negative", "Positive"], ids=str)
def test_the_name_of_a_panel_is_no_malignant_cell(name: str, value: Any) -> None:
    """Blood of a patient in remission, tested on a lymphoma panel: B-cell aplasia, neither relapse nor loss (rules 4)."""
    made = judge(*QUIET, observation(name, value, specimen="Peripheral blood", method="Flow cytometry"))
    assert (category(made), state(made)) == ("no-relapse", "unknown")


@pytest.mark.parametrize("where", ["Peripheral blood", "Bone marrow aspirate"])
@pytest.mark.parametrize("form", ["component", "member"])
def test_so_it_is_for_the_parts_of_a_panel(form: str, where: str) -> None:
    name = "Leukemia/Lymphoma immunophenotyping"
    if form == "component":
        chart = [observation(name, component=[{"code": concept("CD19"), **percent(0)}], specimen=where)]
    else:
        links = [{"reference": "Observation/m"}]
        chart = [
            observation(name, hasMember=links, specimen=where, id="p"),
            observation("CD19", percent(0), id="m"),
        ]
    assert category(judge(*QUIET, *chart)) == "no-relapse"


@pytest.mark.parametrize(
    "text",
    [
        "B-cell aplasia persists: no CD19+ B cells detected.",
        "B cells (CD19) 0 %.",
        "CD19 B lymphocytes absent.",
    ],
)
@pytest.mark.parametrize("where", ["Peripheral blood", "Bone marrow aspirate", "Lymph node"])
def test_aplasia_in_words_is_neither_relapse_nor_loss(text: str, where: str) -> None:
    made = judge(*QUIET, report(text, name="Flow cytometry, leukemia/lymphoma panel", specimen=where))
    assert (category(made), state(made)) == ("no-relapse", "unknown")


@pytest.mark.parametrize(
    "code", ["CD19", concept("CD19", (LOINC, "20593-0"))], ids=["name", "ambiguous code"]
)
@pytest.mark.parametrize("number", [0, 1, 30, 90])
def test_a_bare_number_of_marrow_cells_is_no_share_of_malignant_ones(code: Any, number: float) -> None:
    """The bands are for a share of malignant cells (11.1): without them named it may be a count of all cells."""
    result = observation(code, percent(number), specimen="Bone marrow aspirate", method="Flow cytometry")
    assert state(relapsed(result)) == "unknown"
    assert state(relapsed(observation(code, "Negative", specimen="Bone marrow aspirate"))) == "negative"


@pytest.mark.parametrize(
    "name", ["CD19 on blasts", "CD19 (% of lymphoma cells)", "CD19, malignant cells", "CD19 tumor cells %"]
)
def test_a_number_of_named_malignant_cells_is_banded(name: str) -> None:
    made = relapsed(observation(name, percent(1), specimen="Bone marrow aspirate", method="Flow cytometry"))
    assert (state(made), made.assessment.antigens[0].band) == ("negative", True)
