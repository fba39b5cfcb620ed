"""The published hazard log: every hazard has a control, every control a test, every named test exists, ratings add up."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LOG: list[dict[str, Any]] = json.loads((ROOT / "docs" / "safety" / "hazards.json").read_text("utf-8"))
# Rating by likelihood and severity (minor, significant, considerable, major, catastrophic), as NHS England prints it.
SEVERITIES = ("Mi", "Si", "Co", "Ma", "Ca")
MATRIX = {
    "VH": (3, 4, 4, 5, 5),
    "H": (2, 3, 3, 4, 5),
    "M": (2, 2, 3, 3, 4),
    "L": (1, 2, 2, 3, 4),
    "VL": (1, 1, 2, 2, 3),
}


@cache
def functions(file: str) -> dict[str, str]:
    """The functions of a file with their docstrings."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    found = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return {node.name: ast.get_docstring(node) or "" for node in found}


def speaks_of(node: str, row: str) -> bool:
    """Whether a test names the hazard, in its own name or in its docstring."""
    file, _, name = node.partition("::")
    return name.startswith(f"test_h{row[2:]}_") or row in functions(file)[name]


def rating(written: str) -> tuple[str, str, int]:
    severity, likelihood, number = written.split()
    return severity, likelihood, int(number)


@pytest.mark.parametrize("row", LOG, ids=[row["id"] for row in LOG])
def test_a_row_is_whole_and_its_tests_exist(row: dict[str, Any]) -> None:
    assert set(row) == {"id", "hazard", "control", "test", "first", "left"}
    assert re.fullmatch(r"H-\d\d", row["id"])
    assert row["hazard"].endswith(".")
    assert row["control"].endswith(".")
    assert row["test"]
    assert len(set(row["test"])) == len(row["test"])
    for node in row["test"]:
        file, _, name = node.partition("::")
        assert name in functions(file), node
    assert any(speaks_of(node, row["id"]) for node in row["test"])


@pytest.mark.parametrize("row", LOG, ids=[row["id"] for row in LOG])
def test_ratings_follow_the_matrix_and_fall(row: dict[str, Any]) -> None:
    for written in (row["first"], row["left"]):
        severity, likelihood, number = rating(written)
        assert MATRIX[likelihood][SEVERITIES.index(severity)] == number
    first, left = rating(row["first"]), rating(row["left"])
    assert left[0] == first[0], "software lowers likelihood, not severity"
    assert left[2] <= first[2]
    assert left[2] <= 3


def test_rows_are_in_order_and_once() -> None:
    ids = [row["id"] for row in LOG]
    assert ids == sorted(set(ids))


def test_every_hazard_test_is_in_the_log() -> None:
    named = {node for row in LOG for node in row["test"]}
    for path in sorted((ROOT / "tests" / "hazards").glob("test_h_*.py")):
        file = path.relative_to(ROOT).as_posix()
        for name in functions(file):
            found = re.match(r"test_h(\d\d)_", name)
            assert found is None or f"{file}::{name}" in named, name
            if found is not None:
                assert f"{file}::{name}" in next(row["test"] for row in LOG if row["id"] == f"H-{found[1]}")


def test_hazards_of_the_invented_charts_are_known() -> None:
    charts = sorted((ROOT / "tests" / "vignettes").glob("*/expected.json"))
    exercised = {hazard for chart in charts for hazard in json.loads(chart.read_text("utf-8"))["hazards"]}
    assert exercised - {"H-48"} <= {row["id"] for row in LOG}  # H-48 is of the faces
