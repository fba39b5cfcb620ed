"""Labelled narratives of the project: no wrong definite answer, and nearly all named antigens right (rules 3)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mappings.reading.report import answers

SETS = sorted((Path(__file__).parents[1] / "narratives").glob("*.jsonl"))
DEFINITE = ("positive", "low-or-partial", "negative")


def _items(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def _compare(items: list[dict[str, Any]]) -> tuple[list[str], int, int]:
    dangerous, right, named = [], 0, 0
    for item in items:
        found = answers(item["text"], specimen=item["specimen"], method=item["method"])
        for antigen, expected in item["expected"].items():
            state = found[antigen]
            said = state.value if state else None
            accepted = [expected, *item.get("accept", {}).get(antigen, [])]
            if expected is not None:
                named += 1
                right += said in accepted
            plain = [a or "unknown" for a in accepted]
            flips = {said, expected} == {"positive", "negative"}
            if (said or "unknown") not in plain and (
                flips or (said in DEFINITE and expected in (None, "unknown"))
            ):
                dangerous.append(f"{item['id']} {antigen}: {said}, expected {expected}")
    return dangerous, right, named


@pytest.mark.parametrize("path", SETS, ids=lambda p: p.stem)
def test_set(path: Path) -> None:
    dangerous, right, named = _compare(_items(path))
    assert not dangerous
    assert right >= 0.9 * named
