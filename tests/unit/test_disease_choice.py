"""Which disease the relapse is of, when a chart names several (rules 6, 11.16)."""

from __future__ import annotations

import pytest
from builders import Resource, condition, judge, procedure, report

ENTRY = tuple[str, str]


def chosen(*entries: ENTRY) -> tuple[str, str, str]:
    """(group, scope, reference) for entries of (name, clinical status)."""
    listed = [condition(name, status, id=f"c{n}") for n, (name, status) in enumerate(entries)]
    told = judge(*listed, procedure()).assessment
    return told.disease_group, told.disease_scope, told.disease.source.reference if told.disease else ""


FL, DLBCL, TFL = "Follicular lymphoma", "Diffuse large B-cell lymphoma", "Transformed follicular lymphoma"
CLL, RICHTER = "Chronic lymphocytic leukemia", "Richter transformation of CLL"
LYMPHOMA, MM, MCL = "Non-Hodgkin lymphoma", "Multiple myeloma", "Mantle cell lymphoma"
CASES: list[tuple[list[ENTRY], tuple[str, str, str]]] = [
    ([(FL, "active")], ("fl", "in", "Condition/c0")),
    ([(FL, "active"), (DLBCL, "active")], ("lbcl", "in", "Condition/c1")),
    ([(FL, "relapse"), (DLBCL, "active")], ("fl", "in", "Condition/c0")),
    ([(FL, "active"), (DLBCL, "relapse")], ("lbcl", "in", "Condition/c1")),
    ([(FL, "active"), (TFL, "active")], ("lbcl", "in", "Condition/c1")),
    ([(FL, "relapse"), (TFL, "active")], ("lbcl", "in", "Condition/c1")),
    ([(FL, "relapse"), (TFL, "remission")], ("fl", "in", "Condition/c0")),
    ([(MCL, "remission"), (DLBCL, "relapse")], ("lbcl", "in", "Condition/c1")),
    ([(LYMPHOMA, "relapse"), (DLBCL, "active")], ("lbcl", "in", "Condition/c1")),
    ([(LYMPHOMA, "relapse"), (MCL, "active")], ("mcl", "in", "Condition/c1")),
    ([(MM, "relapse"), (DLBCL, "active")], ("lbcl", "in", "Condition/c1")),
    ([(CLL, "active")], ("cll", "outside", "Condition/c0")),
    ([(CLL, "active"), (RICHTER, "relapse")], ("richter", "outside", "Condition/c1")),
    (
        [(DLBCL, "active"), ("Primary mediastinal large B-cell lymphoma", "active")],
        ("lbcl", "in", "Condition/c1"),
    ),
    ([("Acute myeloid leukemia", "active"), (DLBCL, "relapse")], ("lbcl", "in", "Condition/c1")),
    ([("Type 2 diabetes", "active")], ("", "", "")),
]


@pytest.mark.parametrize(
    ("entries", "wanted"), CASES, ids=[" + ".join(f"{n} {s}" for n, s in entries) for entries, _ in CASES]
)
def test_choice(entries: list[ENTRY], wanted: tuple[str, str, str]) -> None:
    assert chosen(*entries) == wanted


def test_pmbcl_makes_its_own_options_fit() -> None:
    def pmbcl(*names: str) -> bool:
        listed: list[Resource] = [condition(name, "active", id=f"c{n}") for n, name in enumerate(names)]
        return judge(*listed, procedure()).assessment.pmbcl

    assert pmbcl("Primary mediastinal large B-cell lymphoma")
    assert not pmbcl(DLBCL)


@pytest.mark.parametrize("status", ["refuted", "entered-in-error"])
def test_a_refuted_entry_is_never_chosen(status: str) -> None:
    told = judge(
        condition(MCL, "relapse", status, id="a"), condition(DLBCL, "active", id="b"), procedure()
    ).assessment
    assert told.disease_group == "lbcl"


TRANSFORMED = (
    "Inguinal node: diffuse large B-cell lymphoma, transformed from follicular lymphoma. CD19 negative."
)


@pytest.mark.parametrize(
    ("reports", "wanted"),
    [
        ([(TRANSFORMED, "2025-09-22")], "lbcl"),
        (
            [("Lymph node biopsy: relapse of follicular lymphoma, grade 2. CD19 negative.", "2025-09-22")],
            "fl",
        ),
        (
            [(TRANSFORMED, "2025-09-22"), ("Lymph node biopsy: follicular lymphoma, grade 2.", "2025-10-02")],
            "fl",
        ),
    ],
)
def test_tissue_after_car_t_decides_whether_follicular_lymphoma_has_transformed(
    reports: list[tuple[str, str]], wanted: str
) -> None:
    """Rules 6: check for transformation first; the entry on the problem list may be older than the biopsy."""
    texts = [report(text, when, id=f"r{at}") for at, (text, when) in enumerate(reports)]
    told = judge(condition(FL, "relapse"), procedure(), *texts)
    assert told.assessment.disease_group == wanted
    says = [
        remark.reason for remark in told.assessment.remarks if "stands on the problem list" in remark.reason
    ]
    assert bool(says) == (wanted == "lbcl")


def test_a_transformation_shown_before_car_t_is_the_disease_it_was_given_for() -> None:
    told = judge(condition(FL, "relapse"), procedure(), report(TRANSFORMED, "2024-11-02"))
    assert told.assessment.disease_group == "lbcl"
