"""Every requirement of CDS Hooks 2.0.1 for a service has tests that exist, or a written reason why it has none."""

from __future__ import annotations

import ast
import csv
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BASE = "https://cds-hooks.hl7.org/2.0/#"
_HEADINGS = """
action calling-a-cds-service card-attributes cds-service-response cross-origin-resource-sharing discovery
extensions feedback fhir-resource-access http-status-codes http-status-codes_1 jwt-signing-algorithm link
overridden-guidance passing-the-access-token-to-the-cds-service prefetch-query-restrictions prefetch-template
prefetch-tokens providing-fhir-resources-to-a-cds-service reasons-for-rejecting-a-card response source suggestion
system-action trusting-cds-clients update-stale-guidance use-of-json
"""
CLAUSES = frozenset(_HEADINGS.split())
"""Headings of the specification that rows may point to."""
PARTS = {"A": 4, "B": 5, "C": 6, "D": 5, "E": 12, "F": 4, "G": 7}
STRENGTHS = frozenset({"SHALL", "SHALL NOT", "SHOULD", "MAY", "note", "choice"})


def rows() -> list[dict[str, str]]:
    with (HERE / "requirements.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


ROWS = rows()


@cache
def functions(path: Path) -> frozenset[str]:
    """Names of the test functions of a file that pytest collects."""
    tree = ast.parse(path.read_text("utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_all_43_rows_are_there_once_and_in_order() -> None:
    assert [row["id"] for row in ROWS] == [str(number) for number in range(1, 44)]
    found = [row["part"] for row in ROWS]
    assert found == sorted(found)
    assert {part: found.count(part) for part in set(found)} == PARTS


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_a_row_is_whole_and_its_tests_exist(row: dict[str, str]) -> None:
    assert row["clause"].startswith(BASE)
    assert row["clause"].removeprefix(BASE) in CLAUSES
    assert row["strength"] in STRENGTHS
    assert len(row["requirement"].split()) >= 5
    assert row["requirement"].endswith(".")
    named = row["tests"].split()
    assert named or len(row["reason"].split()) >= 5, "a row has tests or a reason"
    assert not row["reason"] or row["reason"].endswith(".")
    for name in named:
        place, _, function = name.partition("::")
        assert function.startswith("test_"), name
        assert (ROOT / place).is_file(), name
        assert Path(place).name.startswith("test_"), name
        assert function in functions(ROOT / place), name


def test_what_must_be_is_tested() -> None:
    """A SHALL without a test needs more than a reason: there is none."""
    assert [row["id"] for row in ROWS if row["strength"].startswith("SHALL") and not row["tests"]] == []


def test_a_name_that_is_not_there_would_be_found() -> None:
    assert "test_a_row_is_whole_and_its_tests_exist" in functions(Path(__file__))
    assert "test_of_something_else" not in functions(Path(__file__))
