"""Spellings of signs and result words behind and before a marker (rules 11.19)."""

from __future__ import annotations

import itertools

import pytest

from mappings.reading.report import answers

POSITIVE = [
    "+",
    "++",
    "+++",
    "(+)",
    " +",
    " (+)",
    ": +",
    " +ve",
    " pos",
    " positive",
    "-positive",
    " - positive",
    " – positive",
    ": positive",
    "...POS",
    " = positive",
    " strong",
    " bright",
    " 2+",
    " 3+",
    "\u207a",
    " expressed",
]
NEGATIVE = [
    "-",
    "\u2212",
    "–",
    " -",
    "(-)",
    " (-)",
    ": -",
    " -ve",
    " neg",
    " negative",
    "-negative",
    " - negative",
    ": negative",
    "...NEG",
    " absent",
    " not expressed",
    " lost",
    " nil",
    " undetectable",
    "\u207b",
]
LOW = [
    "+/-",
    " +/-",
    "±",
    " dim",
    "dim",
    " weak",
    " faint",
    " 1+",
    " w+",
    " partial",
    " partially lost",
    " heterogeneous",
    " subset",
    " reduced",
    " low",
    " weakly positive",
    " dim to negative",
]
MISSING = [
    " ---",
    " ____",
    " n/a",
    " ND",
    " NT",
    " QNS",
    " pending",
    " not done",
    " ?",
    ": ?",
    " not performed",
    " failed",
]
FRAMES = ["Blasts: {}, CD10+.", "Lymphoma cells\n{}\nCD10 positive", "Tumour cells: CD10+, {}"]


def _cases() -> list[tuple[str, str, str]]:
    groups = [(POSITIVE, "positive"), (NEGATIVE, "negative"), (LOW, "low-or-partial"), (MISSING, "unknown")]
    return [(f, s, state) for signs, state in groups for s, f in itertools.product(signs, FRAMES)]


@pytest.mark.parametrize(("frame", "sign", "state"), _cases())
def test_sign(frame: str, sign: str, state: str) -> None:
    for antigen in ("CD19", "CD22"):
        assert answers(frame.format(antigen + sign))[antigen] == state


@pytest.mark.parametrize("name", ["CD19", "CD 19", "CD-19", "cd19", "CD\n19", "CD/19", "Leu-12", "Leu12"])
def test_name(name: str) -> None:
    assert answers(f"Lymphoma cells are negative for {name} and positive for CD10.")["CD19"] == "negative"


@pytest.mark.parametrize(
    "name", ["CD190", "CD199", "COVID-19", "S19-220", "trisomy 19", "19.20.2022", "CD119"]
)
def test_look_alike(name: str) -> None:
    assert answers(f"{name} positive. Lymphoma.")["CD19"] is None
