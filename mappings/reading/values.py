"""The value of an Observation or component in each form FHIR allows, and the state it stands for.

Sources: rules 11.1 (bands), 11.19 (result words), CD-3, CD-5; terminology (interpretation carries no polarity unless it
is POS, NEG, DET, ND, IND, E, WR, RR or NR).
"""

from __future__ import annotations

from dataclasses import dataclass

from mappings.facts import AntigenState
from mappings.loading import Knowledge
from mappings.reading import wire
from mappings.reading.units import finite
from mappings.reading.wire import Quantity, Raw

_PERCENT = frozenset(
    {
        "%",
        "percent",
        "per cent",
        "pct",
        "% of cells",
        "%{cells}",
        "% of blasts",
        "% of tumor cells",
        "% of tumour cells",
    }
)
_CELLS = frozenset({"", "1", "cells", "{cells}", "events", "{events}"})
_FRACTION = frozenset({"1", "{ratio}", "{fraction}", "fraction"})
_COMPARATORS = frozenset({"", "<", "<=", ">", ">="})
STATES = {state.value: state for state in AntigenState}


@dataclass(frozen=True, slots=True)
class Valued:
    """Anything with a value: an Observation or one of its components."""

    quantity: Raw
    concept: Raw
    string: Raw
    integer: Raw
    boolean: Raw
    range: Raw
    ratio: Raw
    absent: Raw
    interpretation: Raw


@dataclass(frozen=True, slots=True)
class CodedState:
    """A state and what it rests on; `discard` means the laboratory withdrew the value (QCF, IE)."""

    state: AntigenState | None
    text: str = ""
    band: bool = False
    percent: str = ""
    h_score: str = ""
    discard: bool = False
    hedged: bool = False


def of_resource(resource: wire.Resource) -> Valued:
    """The value elements of an Observation."""
    return Valued(
        resource.valueQuantity,
        resource.valueCodeableConcept,
        resource.valueString,
        resource.valueInteger,
        resource.valueBoolean,
        resource.valueRange,
        resource.valueRatio,
        resource.dataAbsentReason,
        resource.interpretation,
    )


_SHAPES: tuple[tuple[str, type], ...] = (
    ("quantity", Quantity),
    ("concept", wire.Concept),
    ("string", str),
    ("integer", int),
    ("boolean", bool),
    ("range", wire.Range),
    ("ratio", wire.Ratio),
)


def unreadable(valued: Valued) -> bool:
    """Whether a value or interpretation is there in a form that FHIR does not allow, so that what it says is lost."""
    for name, shape in _SHAPES:
        raw = getattr(valued, name)
        if raw and bytes(raw).strip() != b"null" and wire.peek(raw, shape) is None:
            return True
    raw = valued.interpretation
    if not raw or bytes(raw).strip() == b"null":
        return False
    items = wire.peek(raw, list[wire.Raw])
    given = [raw] if items is None else [item for item in items if bytes(item).strip() != b"null"]
    return any(wire.peek(item, wire.Concept) is None for item in given)


def polarity(valued: Valued, knowledge: Knowledge) -> CodedState | None:
    """The laboratory's own coded word: value concept first, then interpretation; None where neither has polarity."""
    concepts = [wire.peek(valued.concept, wire.Concept), *wire.peek_list(valued.interpretation, wire.Concept)]
    states: list[CodedState] = []
    for concept in concepts:
        for coding in (concept.coding or ()) if concept else ():
            word = knowledge.state_of(coding.system, coding.code)
            if word == "discard":
                return CodedState(None, coding.display or coding.code or "", discard=True)
            if word in STATES:
                states.append(CodedState(STATES[word], coding.display or coding.code or ""))
    if not states:
        return None
    if len({found.state for found in states}) > 1:
        weak = next((found for found in states if found.state is AntigenState.LOW_OR_PARTIAL), None)
        return weak or CodedState(AntigenState.UNKNOWN, "value and interpretation disagree")
    return states[0]


def quantity_of(valued: Valued) -> Quantity | None:
    """A numeric value, also from valueInteger, valueRange or valueRatio."""
    quantity = wire.peek(valued.quantity, Quantity)
    if quantity is not None:
        return quantity
    ratio = wire.peek(valued.ratio, wire.Ratio)
    if ratio is not None and ratio.numerator and ratio.denominator and _of_cells(ratio):
        top, bottom = number_of(ratio.numerator.value), number_of(ratio.denominator.value)
        if top is not None and bottom:
            return Quantity(value=100 * top / bottom, unit="%", code="%")
    return None


def _of_cells(ratio: wire.Ratio) -> bool:
    """Whether both sides of a ratio count cells or events, or carry no unit."""
    units = {(side.unit or "").strip().lower() for side in (ratio.numerator, ratio.denominator) if side}
    return units <= _CELLS


def number_of(value: float | int | str | None) -> float | None:
    """A number, also from text with a decimal comma."""
    if value is None:
        return None
    return finite(value.strip().replace(",", ".") if isinstance(value, str) else value)


def is_share(quantity: Quantity) -> bool:
    """Whether a quantity is a share of cells: per cent without another parent named, or a UCUM `1` fraction."""
    units = {(quantity.unit or "").strip().lower(), (quantity.code or "").strip().lower()} - {""}
    return bool(units) and units <= _PERCENT | _FRACTION


def _is_fraction(quantity: Quantity) -> bool:
    units = {(quantity.unit or "").strip().lower(), (quantity.code or "").strip().lower()} - {""}
    return not units & _PERCENT


def is_count(quantity: Quantity) -> bool:
    """Whether a quantity is a concentration of cells, as blood counts are."""
    return any(
        "/ul" in text or "/µl" in text or "/mm3" in text or "10*" in text or "10^" in text or "/l" in text
        for text in ((quantity.unit or "").lower(), (quantity.code or "").lower())
    )


def share_state(quantity: Quantity, knowledge: Knowledge) -> CodedState | None:
    """The state of a share of malignant cells by the local policy bands (rules 11.1)."""
    number = number_of(quantity.value)
    if number is None:
        return None
    if _is_fraction(quantity) and not 0 <= number <= 1:
        return CodedState(AntigenState.UNKNOWN, f"{quantity.value}")
    percent = number * 100 if _is_fraction(quantity) else number
    if not 0 <= percent <= 100:
        return CodedState(AntigenState.UNKNOWN, percent=f"{quantity.value}")
    text = f"{quantity.comparator or ''}{percent:g} %"
    policy = knowledge.policy
    if not policy.share_bands_on:
        return CodedState(AntigenState.UNKNOWN, text, percent=text)
    low, high = policy.share_negative_below, policy.share_positive_from
    return CodedState(_band(percent, quantity.comparator, low, high, 100.0), text, band=True, percent=text)


def _band(number: float, comparator: str | None, low: float, high: float, top: float) -> AntigenState:
    """The band of a number; with a comparator the whole open range must lie in one band, else low-or-partial."""
    comparator = (comparator or "").strip()
    if comparator not in _COMPARATORS:
        return AntigenState.UNKNOWN
    bottom_value, top_value = number, number
    if comparator in ("<", "<="):
        bottom_value = 0.0
        top_value = number - 1e-9 if comparator == "<" else number
    elif comparator in (">", ">="):
        top_value = top
        bottom_value = number + 1e-9 if comparator == ">" else number
    if top_value < low:
        return AntigenState.NEGATIVE
    if bottom_value >= high:
        return AntigenState.POSITIVE
    return AntigenState.LOW_OR_PARTIAL


def range_state(valued: Valued, knowledge: Knowledge) -> CodedState | None:
    """A reported range of a share: low-or-partial if any part of it is (rules 11.1)."""
    span = wire.peek(valued.range, wire.Range)
    if span is None or span.low is None or span.high is None:
        return None
    if not (is_share(span.low) and is_share(span.high)):
        return CodedState(
            AntigenState.UNKNOWN, f"{span.low.value}-{span.high.value} {span.high.unit or ''}".strip()
        )
    ends = [share_state(end, knowledge) for end in (span.low, span.high)]
    if any(end is None for end in ends):
        return None
    states = {end.state for end in ends if end}
    text = f"{span.low.value}-{span.high.value} %"
    state = states.pop() if len(states) == 1 else AntigenState.LOW_OR_PARTIAL
    return CodedState(state, text, band=True, percent=text)


def h_score_state(quantity: Quantity, knowledge: Knowledge) -> CodedState | None:
    """The state of an IHC H-score by the local policy bands (rules 11.1)."""
    number = number_of(quantity.value)
    if number is None:
        return None
    policy = knowledge.policy
    text = f"{quantity.comparator or ''}{number:g}"
    if not policy.h_score_bands_on or not 0 <= number <= 300:
        return CodedState(AntigenState.UNKNOWN, text, h_score=text)
    state = _band(
        number, quantity.comparator, policy.h_score_negative_below, policy.h_score_positive_from, 300.0
    )
    return CodedState(state, text, band=True, h_score=text)
