"""Laboratory units: one unit per fact, whatever way the sender spelled it, and never a guessed number.

Sources: UCUM; hazard H-25 (10*3/uL, mg/dL, fraction as percent, decimal comma, missing unit). Exact spellings
of the wanted unit and the commonest conversions need no library; anything else goes through pint, imported on
first need, and each pair of units is worked out once.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from mappings.reading.unit_spellings import SPELLINGS

# Arithmetic of units (factor from, to), so that everyday charts never load the unit library; a test holds it
# to pint.
_FACTORS = {
    ("/uL", "10*9/L"): 0.001,
    ("g/L", "mg/dL"): 100.0,
    ("g/L", "g/dL"): 0.1,
    ("g/dL", "mg/dL"): 1000.0,
    ("mg/dL", "mg/L"): 10.0,
    ("mg/dL", "g/dL"): 0.001,
    ("mg/L", "mg/dL"): 0.1,
    ("ng/mL", "mg/L"): 0.001,
    ("s", "ms"): 1000.0,
    ("[lb_av]", "kg"): 0.45359237,
    ("g", "kg"): 0.001,
}
# Pairs that no factor joins without a molar mass: mass against amount of substance.
_MOLAR = {"umol/L", "mmol/L", "nmol/L", "mol/L"}
_MASS = {"mg/dL", "g/dL", "g/L", "mg/L", "ng/mL"}
_TO_PINT = {
    "10*9/L": "1e9/liter",
    "/uL": "1/microliter",
    "U/L": "enzyme_unit/liter",
    "m[IU]/mL": "0.001*intl_unit/milliliter",
}
_TO_PINT |= {"[IU]/mL": "intl_unit/milliliter", "%": "0.01", "[lb_av]": "pound", "{score}": "score", "1": "1"}
_TO_PINT |= {"mL/min/{1.73_m2}": "milliliter/minute/body_surface"}
# Nothing but unit names with a small power, joined by `/` and `.`: the library evaluates what it is given.
_TERM = r"(?:10[*^e]\d{1,2}|[A-Za-z]{1,12}[23]?|\d{1,4})"
_UCUM = re.compile(rf"/?{_TERM}(?:[/.]{_TERM}){{0,3}}")
_GIGA_PER_LITRE = frozenset({"G/l", "G/L"})
_NUMBER = re.compile(r"\s*(<=|>=|<|>|≤|≥|~)?\s*([-−+]?\d+(?:[.,]\d+)?)\s*(\S.*)?$")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in the wanted unit."""

    number: float
    unit: str


@dataclass(frozen=True, slots=True)
class Charted:
    """A value as written: the number where it is beyond doubt, comparator, unit text, and the words
    themselves.
    """

    number: float | None
    comparator: str
    unit: str
    text: str


def read_value(text: str) -> Charted | None:
    """Reads `1.2 mg/dL`, `<0,3`, `12`; None where no number leads. `1,234` could be either, so it has no
    number.
    """
    match = _NUMBER.match(text)
    if match is None:
        return None
    comparator, digits, unit = match.groups()
    return Charted(read_number(digits), comparator or "", (unit or "").strip(), text.strip())


def read_number(digits: str) -> float | None:
    """A number written with point or comma; None where a comma may part thousands (`1,234`)."""
    digits = digits.strip().replace("−", "-")
    if "," in digits:
        whole, _, part = digits.partition(",")
        if "," in part or "." in digits or (len(part) == 3 and whole.lstrip("+-") != "0"):
            return None
        digits = f"{whole}.{part}"
    return finite(digits)


def finite(value: float | int | str) -> float | None:
    """A value as a finite number; None for what is none: text, NaN, infinity, an integer beyond all measures."""
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _fold(unit: str) -> str:
    folded = (
        unit.strip()
        .replace("µ", "u")
        .replace("μ", "u")
        .replace("³", "^3")
        .replace("²", "2")
        .replace("⁹", "^9")
    )
    folded = folded.replace("×", "x").replace("⁶", "^6").replace("·", "*").lower()
    return re.sub(r"\s+", "", folded)


@lru_cache(maxsize=4096)
def canonical(unit: str) -> str:
    """The unit's UCUM spelling where known, else the text as it came, trimmed."""
    return SPELLINGS.get(_fold(unit), unit.strip())


@lru_cache(maxsize=4096)
def factor(unit: str, wanted: str, molar_mass: float | None = None) -> float | None:
    """What a number in `unit` is multiplied by to read in `wanted`; None where the two do not measure the
    same.
    """
    given, target = canonical(unit), canonical(wanted)
    if target == "10*9/L" and unit.strip() in _GIGA_PER_LITRE:
        return 1.0  # German-speaking laboratories; a count is never in gram
    if given == target:
        return 1.0
    known = _FACTORS.get((given, target))
    if known is not None:
        return known
    if (given in _MOLAR and target in _MASS) or (given in _MASS and target in _MOLAR):
        return _molar_factor(given, target, molar_mass) if molar_mass else None
    return _by_pint(given, target)


def same_kind(unit: str, wanted: str) -> bool:
    """Whether two units differ only by the molar mass: mass against amount of substance in a volume."""
    given, target = canonical(unit), canonical(wanted)
    return (given in _MOLAR and target in _MASS) or (given in _MASS and target in _MOLAR)


def normalise(value: float, unit: str, wanted: str, molar_mass: float | None = None) -> Quantity | None:
    """The value in the wanted unit; None where the unit is missing or measures something else (H-25)."""
    if not unit.strip():
        return None
    by = factor(unit, wanted, molar_mass)
    if by is None:
        return None
    return Quantity(value if by == 1.0 else float(f"{value * by:.12g}"), wanted)


@cache
def _registry() -> Any:
    import pint

    registry: Any = pint.UnitRegistry(cache_folder=None)
    for line in (
        "enzyme_unit = [enzyme]",
        "intl_unit = [intl]",
        "score = [score]",
        "body_surface = [normalised]",
    ):
        registry.define(line)
    return registry


def _by_pint(given: str, target: str) -> float | None:
    import pint

    registry = _registry()
    try:
        quantity = registry.Quantity(1.0, "") * registry.parse_expression(_expression(given))
        aim = registry.Quantity(1.0, "") * registry.parse_expression(_expression(target))
        ratio = float((quantity / aim).to("").magnitude)
    except (
        pint.PintError,
        AssertionError,
        ValueError,
        TypeError,
        ZeroDivisionError,
        AttributeError,
        SyntaxError,
    ):
        return None
    return float(f"{ratio:.12g}")


def _molar_factor(given: str, target: str, molar_mass: float) -> float | None:
    """Mass to amount or back, with the molar mass in g/mol of the knowledge folder."""
    if given in _MOLAR:
        grams = _by_pint(given, "mol/L")
        rest = _by_pint("g/L", target)
        return float(f"{grams * molar_mass * rest:.12g}") if grams and rest else None
    grams = _by_pint(given, "g/L")
    rest = _by_pint("mol/L", target)
    return float(f"{grams / molar_mass * rest:.12g}") if grams and rest else None


def _expression(unit: str) -> str:
    known = _TO_PINT.get(unit)
    if known is not None:
        return known
    if not unit or not _UCUM.fullmatch(unit):
        raise ValueError("not a unit expression")
    text = re.sub(r"\b10[*^e](\d+)", r"1e\1", unit.replace(".", "*"))
    return "1" + text if text.startswith("/") else text
