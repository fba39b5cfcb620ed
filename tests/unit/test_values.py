"""Coded and numeric values of an antigen result: words, bands, comparators, fractions, ranges (rules 11.1, 11.19)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import (
    LOINC,
    SNOMED,
    UCUM,
    concept,
    flow,
    interpreted,
    knowledge,
    percent,
    relapsed,
    stain,
    state,
)
from hypothesis import given
from hypothesis import strategies as st

from mappings.facts import AntigenState
from mappings.reading.values import number_of, share_state
from mappings.reading.wire import Quantity

POSITIVE, LOW, NEGATIVE, UNKNOWN = "positive", "low-or-partial", "negative", "unknown"


def read(value: Any, **elements: Any) -> str:
    return state(relapsed(flow(value, **elements)))


def coded(system: str, code: str) -> dict[str, Any]:
    return {"valueCodeableConcept": concept(None, (system, code))}


CODES = [
    (LOINC, "LA6576-8", POSITIVE), (LOINC, "LA6577-6", NEGATIVE), (LOINC, "LA9633-4", POSITIVE),
    (LOINC, "LA9634-2", NEGATIVE),
    (SNOMED, "10828004", POSITIVE), (SNOMED, "260385009", NEGATIVE), (SNOMED, "260373001", POSITIVE),
    (SNOMED, "260415000", NEGATIVE), (SNOMED, "52101004", POSITIVE), (SNOMED, "2667000", NEGATIVE),
    (SNOMED, "82334004", UNKNOWN), (SNOMED, "42425007", UNKNOWN), (SNOMED, "260408008", LOW),
]  # fmt: skip
FLAGS = [
    ("POS", POSITIVE), ("NEG", NEGATIVE), ("DET", POSITIVE), ("ND", NEGATIVE), ("IND", UNKNOWN), ("E", UNKNOWN),
    ("WR", LOW), ("RR", POSITIVE), ("NR", NEGATIVE), ("A", UNKNOWN), ("N", UNKNOWN), ("H", UNKNOWN), ("L", UNKNOWN),
    ("HH", UNKNOWN), ("AA", UNKNOWN), ("QCF", UNKNOWN), ("IE", UNKNOWN), ("XYZ", UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("system", "code", "wanted"), CODES)
def test_coded_answers(system: str, code: str, wanted: str) -> None:
    assert read(coded(system, code)) == wanted
    assert read(coded(f" {system}/", f" {code} ")) == wanted


@pytest.mark.parametrize(("system", "code", "wanted"), CODES)
def test_a_coded_answer_counts_at_any_place_of_the_codings(system: str, code: str, wanted: str) -> None:
    assert read({"valueCodeableConcept": concept(None, ("urn:oid:1.2", "77"), (system, code))}) == wanted


@pytest.mark.parametrize(("flag", "wanted"), FLAGS)
def test_an_interpretation_alone(flag: str, wanted: str) -> None:
    assert read(interpreted(flag)) == wanted


@pytest.mark.parametrize("flag", ["QCF", "IE"])
def test_a_value_the_laboratory_withdrew_does_not_count(flag: str) -> None:
    made = relapsed(flow({**coded(SNOMED, "260385009"), **interpreted(flag)}))
    assert state(made) == UNKNOWN
    assert any(row.code == "discarded" for row in made.assessment.set_aside)


@pytest.mark.parametrize(("value", "flag"), [("10828004", "NEG"), ("260385009", "POS")])
def test_value_against_flag_is_unknown(value: str, flag: str) -> None:
    assert read({**coded(SNOMED, value), **interpreted(flag)}) == UNKNOWN


@pytest.mark.parametrize(("value", "flag"), [("260408008", "POS"), ("10828004", "WR")])
def test_weak_beside_positive_is_low(value: str, flag: str) -> None:
    assert read({**coded(SNOMED, value), **interpreted(flag)}) == LOW


WORDS = [
    ("Positive", POSITIVE), ("POSITIVE", POSITIVE), ("positive.", POSITIVE), ("Negative", NEGATIVE),
    ("negative ", NEGATIVE),
    ("Not detected", NEGATIVE), ("Detected", POSITIVE), ("Dim", LOW), ("Weakly positive", LOW),
    ("Partially positive", LOW),
    ("Heterogeneous", LOW), ("Dim/partial", LOW), ("Subset positive", LOW), ("Equivocal", UNKNOWN),
    ("Indeterminate", UNKNOWN),
    ("Not performed", UNKNOWN), ("Pending", UNKNOWN), ("See report", UNKNOWN), ("See comment", UNKNOWN),
    ("Insufficient", UNKNOWN),
    ("Abnormal", UNKNOWN), ("Normal", UNKNOWN), ("", UNKNOWN), ("?", UNKNOWN), ("Quantity not sufficient", UNKNOWN),
    ("Cannot be assessed", UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("word", "wanted"), WORDS)
@pytest.mark.parametrize("form", ["concept", "string"])
def test_words(word: str, wanted: str, form: str) -> None:
    value = {"valueString": word} if form == "string" else {"valueCodeableConcept": {"text": word}}
    assert read(value) == wanted


BANDS = [
    (100, POSITIVE), (95, POSITIVE), (80, POSITIVE), (80.0, POSITIVE), (79.9, LOW), (40, LOW), (5, LOW),
    (5.0, LOW), (4.99, NEGATIVE),
    (4, NEGATIVE), (0.5, NEGATIVE), (0, NEGATIVE), (-1, UNKNOWN), (101, UNKNOWN), (1000, UNKNOWN),
    ("85", POSITIVE), ("2,5", NEGATIVE),
    ("12,5", LOW), ("many", UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("number", "wanted"), BANDS)
def test_bands_of_a_share(number: Any, wanted: str) -> None:
    made = relapsed(flow(percent(number)))
    assert state(made) == wanted
    assert made.assessment.antigens[0].band is (wanted != UNKNOWN)


COMPARED = [
    ("<", 1, NEGATIVE), ("<", 5, NEGATIVE), ("<=", 5, LOW), ("<", 10, LOW), ("<", 90, LOW), (">", 95, POSITIVE),
    (">", 80, POSITIVE),
    (">=", 80, POSITIVE), (">", 79, LOW), (">", 50, LOW), (">=", 5, LOW), ("<=", 4, NEGATIVE), (">", 0, LOW),
    ("<", 100, LOW),
]  # fmt: skip


@pytest.mark.parametrize(("comparator", "number", "wanted"), COMPARED)
def test_a_comparator_counts(comparator: str, number: float, wanted: str) -> None:
    assert read(percent(number, comparator)) == wanted


@pytest.mark.parametrize("comparator", ["~", "ad", "sa", "≈"])
def test_a_comparator_that_is_not_known_never_makes_a_number_firm(comparator: str) -> None:
    assert read(percent(4, comparator)) in (UNKNOWN, LOW)


@pytest.mark.parametrize(
    ("unit", "code", "number", "wanted"),
    [
        ("%", "%", 90, POSITIVE), ("%", None, 90, POSITIVE), ("PCT", None, 90, POSITIVE), ("PCT", None, 3, NEGATIVE),
        ("percent", None, 3, NEGATIVE), ("% of blasts", "%", 30, LOW), ("1", "1", 0.9, POSITIVE),
        ("1", "1", 0.02, NEGATIVE),
        ("1", "1", 0.4, LOW), ("1", "1", 1, POSITIVE), ("1", "1", 0, NEGATIVE), ("", None, 90, UNKNOWN),
        ("", None, 0.9, UNKNOWN),
        ("MFI", None, 90, UNKNOWN), ("molecules/cell", None, 2500, UNKNOWN), ("{MESF}", "{MESF}", 3, UNKNOWN),
        ("ABC", None, 3, UNKNOWN), ("mg/dL", "mg/dL", 3, UNKNOWN), ("ratio", None, 3, UNKNOWN),
        ("PCT", None, 1, NEGATIVE), ("PCT", None, 0.9, NEGATIVE), ("percent", None, 1, NEGATIVE),
        ("pct", "PCT", 0.5, NEGATIVE),
        ("% of blasts", None, 0.9, NEGATIVE), ("%", "%", 0.9, NEGATIVE), ("%", "%", 1, NEGATIVE),
        ("fraction", "1", 0.9, POSITIVE),
        ("", "1", 0.9, POSITIVE), ("1", None, 0.9, POSITIVE), ("fraction", "1", 0.03, NEGATIVE),
    ],
)  # fmt: skip
def test_units(unit: str, code: str | None, number: float, wanted: str) -> None:
    assert read(percent(number, None, unit, code)) == wanted


@pytest.mark.parametrize("number", [2, 50, 90])
def test_a_unit_of_one_beyond_one_is_no_fraction(number: float) -> None:
    """`90` with unit `1` may be a per cent or nothing; it is never a firm answer in the wrong direction."""
    assert read(percent(number, None, "1", "1")) != NEGATIVE or number < 5


RANGES = [
    ((0, 2), NEGATIVE),
    ((0, 10), LOW),
    ((10, 30), LOW),
    ((60, 90), LOW),
    ((80, 100), POSITIVE),
    ((0, 100), LOW),
    ((2, 80), LOW),
]


@pytest.mark.parametrize(("ends", "wanted"), RANGES)
def test_ranges_are_low_if_any_part_is(ends: tuple[float, float], wanted: str) -> None:
    low, high = ({"value": end, "unit": "%", "system": UCUM, "code": "%"} for end in ends)
    assert read({"valueRange": {"low": low, "high": high}}) == wanted


def test_half_a_range_gives_no_firm_state() -> None:
    assert read({"valueRange": {"low": {"value": 90, "unit": "%"}}}) in (UNKNOWN, LOW)


@pytest.mark.parametrize(
    ("top", "bottom", "wanted"), [(90, 100, POSITIVE), (1, 100, NEGATIVE), (30, 60, LOW), (1, 0, UNKNOWN)]
)
def test_ratios(top: float, bottom: float, wanted: str) -> None:
    assert read({"valueRatio": {"numerator": {"value": top}, "denominator": {"value": bottom}}}) == wanted


H_SCORES = [
    (300, POSITIVE),
    (150, POSITIVE),
    (149, LOW),
    (40, LOW),
    (5, LOW),
    (4, NEGATIVE),
    (0, NEGATIVE),
    (301, UNKNOWN),
    (-1, UNKNOWN),
]


@pytest.mark.parametrize(("number", "wanted"), H_SCORES)
def test_h_scores(number: float, wanted: str) -> None:
    value = {"valueQuantity": {"value": number, "unit": "H-score"}}
    assert state(relapsed(stain(value))) == wanted


@pytest.mark.parametrize(
    "value", [{"valueInteger": 1}, {"valueInteger": 90}, {"valueBoolean": True}, {"valueBoolean": False}]
)
def test_bare_numbers_and_flags_are_not_firm_without_unit(value: dict[str, Any]) -> None:
    assert read(value) == UNKNOWN


@pytest.mark.parametrize(
    "value", [{}, {"dataAbsentReason": concept("not performed")}, {"valueQuantity": {}}, {"valueQuantity": 5}]
)
def test_no_value_is_no_state(value: dict[str, Any]) -> None:
    assert read(value) == UNKNOWN


@pytest.mark.parametrize(
    ("word", "number", "wanted"),
    [("Dim", 95, LOW), ("Positive", 40, POSITIVE), ("Negative", 90, NEGATIVE), ("Partial", 2, LOW)],
)
def test_the_laboratorys_word_goes_before_its_number(word: str, number: float, wanted: str) -> None:
    made = relapsed(flow({**percent(number), "interpretation": [{"text": word}]}))
    assert state(made) == wanted
    assert not made.assessment.antigens[0].band


def test_bands_switched_off_leave_a_number_unknown_and_shown() -> None:
    off = replace(knowledge().policy, share_bands_on=False, h_score_bands_on=False)
    without = replace(knowledge(), policy=off, digest="bands-off")
    made = relapsed(flow(percent(2)), using=without)
    assert state(made) == UNKNOWN
    assert [result.percent for result in made.facts.antigens] == ["2 %"]
    assert (
        state(relapsed(stain({"valueQuantity": {"value": 0, "unit": "H-score"}}), using=without)) == UNKNOWN
    )


def test_a_sites_own_band_is_followed() -> None:
    site = replace(knowledge().policy, share_negative_below=20.0)
    made = relapsed(flow(percent(12)), using=replace(knowledge(), policy=site, digest="site"))
    assert state(made) == NEGATIVE


ORDER = [AntigenState.NEGATIVE, AntigenState.LOW_OR_PARTIAL, AntigenState.POSITIVE]


@given(st.floats(0, 100), st.floats(0, 100))
def test_more_cells_never_mean_less_antigen(one: float, other: float) -> None:
    low, high = sorted((one, other))
    states = []
    for number in (low, high):
        found = share_state(Quantity(value=number, unit="%", code="%"), knowledge())
        assert found is not None
        assert found.state is not None
        states.append(ORDER.index(found.state))
    assert states == sorted(states)


@given(st.floats(0, 100), st.sampled_from(["<", "<=", ">", ">="]))
def test_a_comparator_is_firm_only_where_the_whole_open_range_is(number: float, comparator: str) -> None:
    found = share_state(Quantity(value=number, comparator=comparator, unit="%", code="%"), knowledge())
    inside = (0.0, number) if comparator[0] == "<" else (number, 100.0)
    if found is not None and found.state is AntigenState.POSITIVE:
        assert inside[0] >= 80
    if found is not None and found.state is AntigenState.NEGATIVE:
        assert inside[1] <= 5


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5.0),
        (5.5, 5.5),
        ("5", 5.0),
        ("5.5", 5.5),
        ("5,5", 5.5),
        (" 5 ", 5.0),
        ("", None),
        ("x", None),
        (None, None),
    ],
)
def test_numbers(value: Any, number: float | None) -> None:
    assert number_of(value) == number


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "Infinity", "1e400"])
def test_words_that_python_takes_for_numbers_are_no_share(text: str) -> None:
    assert read(percent(text)) == UNKNOWN


@pytest.mark.parametrize("unit", [None, "MFI", "/uL", "molecules/cell", "mg/dL"])
@pytest.mark.parametrize(("low", "high"), [(85, 95), (0, 2), (0.9, 1), (10, 60)])
def test_a_range_without_the_unit_of_a_share_is_no_share(unit: str | None, low: float, high: float) -> None:
    ends = [{"value": end, **({"unit": unit} if unit else {})} for end in (low, high)]
    assert read({"valueRange": {"low": ends[0], "high": ends[1]}}) == UNKNOWN


@pytest.mark.parametrize("unit", ["MFI", "molecules/cell", "/uL", "mg/dL"])
@pytest.mark.parametrize(("top", "bottom"), [(9, 10), (1, 128), (3, 1)])
def test_a_ratio_of_something_else_is_no_share(unit: str, top: float, bottom: float) -> None:
    ratio = {"numerator": {"value": top, "unit": unit}, "denominator": {"value": bottom, "unit": unit}}
    assert read({"valueRatio": ratio}) == UNKNOWN


@pytest.mark.parametrize(
    ("low", "high", "wanted"), [(0.9, 1, POSITIVE), (0, 0.02, NEGATIVE), (0.1, 0.9, LOW)]
)
def test_a_range_of_fractions(low: float, high: float, wanted: str) -> None:
    ends = [{"value": end, "unit": "1", "code": "1"} for end in (low, high)]
    assert read({"valueRange": {"low": ends[0], "high": ends[1]}}) == wanted


@pytest.mark.parametrize("word", ["positive", "negative"])
@pytest.mark.parametrize(
    "text", ["{} control only", "isotype control {}", "control cells {}, patient pending", "previously {}"]
)
def test_words_about_something_else_are_no_state(word: str, text: str) -> None:
    assert read(text.format(word)) == UNKNOWN
