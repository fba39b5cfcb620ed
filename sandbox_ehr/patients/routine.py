"""The bulk every real chart has: years of blood counts and chemistry in which the few deciding results lie."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sandbox_ehr.patients.chart import ChartMaker, Shape
from sandbox_ehr.patients.codes import CD19_BLOOD, CD19_BLOOD_SHARE, LOINC, concept, quantity, words


@dataclass(frozen=True, slots=True)
class _Analyte:
    code: str
    text: str
    unit: str
    low: float
    high: float
    digits: int
    normal: tuple[float, float]


_ANALYTES = (
    _Analyte("718-7", "Haemoglobin", "g/dL", 9.1, 13.4, 1, (12.0, 16.0)),
    _Analyte("6690-2", "Leukocytes", "10*9/L", 2.1, 6.4, 1, (4.0, 10.0)),
    _Analyte("751-8", "Neutrophils", "10*9/L", 1.2, 3.9, 1, (1.8, 7.5)),
    _Analyte("731-0", "Lymphocytes", "10*9/L", 0.3, 1.3, 1, (1.0, 4.0)),
    _Analyte("777-3", "Platelets", "10*9/L", 74, 210, 0, (150, 400)),
    _Analyte("2160-0", "Creatinine", "mg/dL", 0.6, 1.1, 2, (0.5, 1.2)),
    _Analyte("1975-2", "Bilirubin, total", "mg/dL", 0.3, 0.9, 1, (0.2, 1.2)),
    _Analyte("1742-6", "ALT", "U/L", 14, 46, 0, (7, 45)),
    _Analyte("1920-8", "AST", "U/L", 15, 41, 0, (8, 40)),
    _Analyte("2532-0", "LDH", "U/L", 160, 410, 0, (120, 250)),
    _Analyte("1988-5", "C-reactive protein", "mg/L", 1, 24, 0, (0, 5)),
    _Analyte("2276-4", "Ferritin", "ng/mL", 90, 840, 0, (15, 300)),
)
_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


def between(seed: str, low: float, high: float, digits: int) -> float:
    """A value of a range that a text decides for ever: the same seed gives the same value."""
    share = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4]) / 0xFFFFFFFF
    return round(low + share * (high - low), digits)


def add_routine(maker: ChartMaker, *, first: int, last: int, every: int, weight: float = 71.0) -> None:
    """Visits from `first` to `last` days ago, each with counts, chemistry and weight."""
    for ago in range(first, last - 1, -every):
        for analyte in _ANALYTES:
            _add_lab(maker, analyte, ago)
        seed = f"{maker.story.key}/weight/{ago}"
        maker.result(
            concept((LOINC, "29463-7", "Body weight"), text="Body weight"),
            quantity(between(seed, weight - 2, weight + 2, 1), "kg"),
            ago,
            category="vital-signs",
        )


def _add_lab(maker: ChartMaker, analyte: _Analyte, ago: int) -> None:
    value = between(f"{maker.story.key}/{analyte.code}/{ago}", analyte.low, analyte.high, analyte.digits)
    code = concept((LOINC, analyte.code, ""), text=analyte.text)
    content = quantity(value, analyte.unit)
    if analyte.code == "1988-5" and value < 5:
        content = quantity(5, analyte.unit, comparator="<")
    elif maker.story.shape is Shape.ORACLE and analyte.code == "2276-4" and ago % 5 == 0:
        # as Oracle writes a result that the analyser did not give
        content = {"dataAbsentReason": words("error")}
    flag = "L" if value < analyte.normal[0] else "H" if value > analyte.normal[1] else ""
    if flag and "valueQuantity" in content:
        content["interpretation"] = [concept((_INTERPRETATION, flag, ""))]
    maker.result(code, content, ago)


def add_b_cells(maker: ChartMaker, days: dict[int, float], share: dict[int, float] | None = None) -> None:
    """B-cell counts in blood on given days: monitoring after CAR T, never the tumour."""
    for ago, value in days.items():
        maker.result(CD19_BLOOD, quantity(value, "cells/uL", "{cells}/uL"), ago, specimen="Whole blood")
    for ago, value in (share or {}).items():
        maker.result(CD19_BLOOD_SHARE, quantity(value, "%"), ago, specimen="Whole blood")


def add_support(maker: ChartMaker, *drugs: str, ago: int = 120) -> None:
    """Everyday orders, named in words only."""
    for drug in drugs:
        maker.ordered(words(drug), ago)
