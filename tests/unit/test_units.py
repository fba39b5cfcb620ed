"""Units: each spelling of one unit, conversions, and what must not become a number (H-25)."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.reading import units
from mappings.reading.unit_spellings import SPELLINGS


@pytest.mark.parametrize(
    ("value", "unit", "wanted", "number"),
    [
        (0.4, "10*3/uL", "10*9/L", 0.4),
        (0.4, "10*3/µL", "10*9/L", 0.4),
        (0.4, "K/uL", "10*9/L", 0.4),
        (0.4, "x10E3/uL", "10*9/L", 0.4),
        (0.4, "10^9/L", "10*9/L", 0.4),
        (0.4, "×10⁹/L", "10*9/L", 0.4),
        (120, "G/l", "10*9/L", 120),
        (400, "/uL", "10*9/L", 0.4),
        (400, "cells/mm3", "10*9/L", 0.4),
        (400, "10*6/L", "10*9/L", 0.4),
        (1.2, "mg/dl", "mg/dL", 1.2),
        (12, "mg/L", "mg/dL", 1.2),
        (5.5, "g/L", "mg/dL", 550),
        (110, "g/L", "g/dL", 11),
        (0.45, "s", "ms", 450),
        (0.55, "1", "%", 55),
        (154, "[lb_av]", "kg", 69.85322498),
        (70, "mL/min/1.73 m2", "mL/min/{1.73_m2}", 70),
        (2, "ug/mL", "ng/mL", 2000),
    ],
)
def test_normalise(value: float, unit: str, wanted: str, number: float) -> None:
    """One unit per fact."""
    found = units.normalise(value, unit, wanted)
    assert found is not None
    assert found.number == pytest.approx(number)
    assert found.unit == wanted


@pytest.mark.parametrize(
    ("unit", "wanted"),
    [
        ("", "mg/dL"),
        ("  ", "10*9/L"),
        ("%", "10*9/L"),
        ("mg/dL", "U/L"),
        ("umol/L", "mg/dL"),
        ("mL/min", "mL/min/{1.73_m2}"),
        ("furlong", "mg/dL"),
        ("9**9**9**9", "mg/dL"),
        ("__import__('os')", "mg/dL"),
        ("mg/dL (fasting)", "mg/dL"),
    ],
)
def test_what_does_not_convert(unit: str, wanted: str) -> None:
    """A missing or unfitting unit gives no number, and nothing in it is carried out."""
    assert units.normalise(1.0, unit, wanted) is None


def test_molar_units_only_with_a_molar_mass() -> None:
    """Mass against amount needs a constant; without one the value stays as charted."""
    assert units.same_kind("umol/L", "mg/dL")
    assert not units.same_kind("%", "mg/dL")
    found = units.normalise(100, "umol/L", "mg/dL", molar_mass=100.0)
    assert found is not None
    assert found.number == pytest.approx(1.0)
    back = units.normalise(1.0, "mg/dL", "umol/L", molar_mass=100.0)
    assert back is not None
    assert back.number == pytest.approx(100.0)


def test_known_factors_agree_with_the_unit_library() -> None:
    """The short-cut table is arithmetic, not opinion."""
    for (given_unit, wanted), number in units._FACTORS.items():
        assert units._by_pint(given_unit, wanted) == pytest.approx(number)


def test_spellings_are_folded_and_stable() -> None:
    """Each key can be reached, and canonical forms stay themselves."""
    for spelling, canonical in SPELLINGS.items():
        assert units._fold(spelling) == spelling
        assert units.canonical(canonical) == canonical


@pytest.mark.parametrize(
    ("text", "number", "comparator", "unit"),
    [
        ("1.2 mg/dL", 1.2, "", "mg/dL"),
        ("1,2 mg/dl", 1.2, "", "mg/dl"),
        ("<0,3", 0.3, "<", ""),
        ("≥ 60 mL/min", 60, "≥", "mL/min"),
        ("0,125", 0.125, "", ""),
        ("1,234", None, "", ""),
        ("12", 12, "", ""),
    ],
)
def test_read_value(text: str, number: float | None, comparator: str, unit: str) -> None:
    """A comma that may part thousands gives no number."""
    found = units.read_value(text)
    assert found is not None
    assert (found.number, found.comparator, found.unit) == (number, comparator, unit)


@pytest.mark.parametrize("text", ["negative", "", "see report", "N/A"])
def test_read_value_needs_a_leading_number(text: str) -> None:
    """Words are no number."""
    assert units.read_value(text) is None


@given(st.text(max_size=60))
def test_any_unit_text_is_survived(text: str) -> None:
    """No unit text raises, and none turns into a factor that is not a positive number."""
    factor = units.factor(text, "mg/dL")
    assert factor is None or factor > 0


@given(st.floats(min_value=0.001, max_value=1e6), st.sampled_from(sorted(units._FACTORS)))
def test_ten_times_the_value_is_ten_times_the_number(value: float, pair: tuple[str, str]) -> None:
    """Conversion is linear: a factor-ten slip stays visible."""
    one, ten = units.normalise(value, *pair), units.normalise(10 * value, *pair)
    assert one is not None
    assert ten is not None
    assert ten.number == pytest.approx(10 * one.number)


def test_everyday_units_never_load_the_library() -> None:
    """Start-up and the hot path stay free of the unit library."""
    code = (
        "import sys; from mappings.reading import units;"
        "assert units.normalise(400, '/uL', '10*9/L').number == 0.4;"
        "assert units.normalise(88, 'umol/L', 'mg/dL') is None;"
        "assert 'pint' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
