"""Which disease the relapse is of, when a chart names several (rules 6, 11.16)."""

from __future__ import annotations

import pytest
from builders import Resource, condition, judge, procedure

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
