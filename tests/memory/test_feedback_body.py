"""Feedback bodies: what the specification allows is taken, all else is refused with the field (F1 to F6, T-19)."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import NOW

from cds_hooks import feedback
from cds_hooks.feedback import MOST_ROWS, feedback_validator, read_feedback
from cds_hooks.memory import FeedbackRow
from cds_hooks.outcome import Refusal

CARD = "9368d37b-283f-44a0-93ea-547cebab93ed"
OVERRIDDEN = {"card": CARD, "outcome": "overridden", "outcomeTimestamp": "2026-03-01T12:00:05Z"}
ACCEPTED = {**OVERRIDDEN, "outcome": "accepted", "acceptedSuggestions": [{"id": "s-1"}, {"id": "s-2"}]}


def read(*rows: Any, **more: Any) -> tuple[FeedbackRow, ...]:
    return read_feedback(json.dumps({"feedback": list(rows), **more}).encode(), "north", "relapse", NOW)


def refused(body: Any) -> Refusal:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(Refusal) as caught:
        read_feedback(content, "north", "relapse", NOW)
    return caught.value


def test_overridden_with_reason_and_comment() -> None:
    reason = {"code": "x", "system": "https://example.org/r", "display": "X"}
    (row,) = read({**OVERRIDDEN, "overrideReason": {"reason": reason, "userComment": "ünïcode 😀\n"}})
    assert row == FeedbackRow(
        NOW, "north", "relapse", CARD, "overridden", "2026-03-01T12:00:05Z",
        (), "x", "https://example.org/r", "X", "ünïcode 😀\n",
    )  # fmt: skip


def test_accepted_with_its_suggestions() -> None:
    (row,) = read(ACCEPTED)
    assert (row.outcome, row.accepted_suggestions) == ("accepted", ("s-1", "s-2"))


@pytest.mark.parametrize(
    "row",
    [
        OVERRIDDEN,
        {**OVERRIDDEN, "overrideReason": {"userComment": "only text"}},
        {**OVERRIDDEN, "overrideReason": {"reason": {"code": "x"}}},
        {**OVERRIDDEN, "overrideReason": {}},
        {**OVERRIDDEN, "overrideReason": None, "acceptedSuggestions": None},
        {**OVERRIDDEN, "card": "no uuid, and not one of ours"},
        {**OVERRIDDEN, "hookInstance": "x", "extension": {"org.example": [1, {"deep": None}]}, "userId": "x"},
        {**ACCEPTED, "overrideReason": {"userComment": "and yet"}},
    ],
)
def test_what_the_specification_allows_and_what_clients_add_is_taken(row: dict[str, Any]) -> None:
    assert len(read(row, row, somethingElse={"a": 1})) == 2


def test_no_rows_are_fine() -> None:
    assert read() == ()


@pytest.mark.parametrize(
    ("stamp", "kept"),
    [
        ("2026-03-01T12:00:05Z", "2026-03-01T12:00:05Z"),
        ("2026-03-01T12:00:05.000Z", "2026-03-01T12:00:05Z"),
        ("2026-03-01T14:00:05+02:00", "2026-03-01T12:00:05Z"),
        ("2026-03-01t12:00:05z", "2026-03-01T12:00:05Z"),
        ("2026-03-01T12:00:05.1234567890Z", "2026-03-01T12:00:05.123456Z"),
        ("2026-06-30T23:59:60Z", "2026-06-30T23:59:59Z"),
        ("2026-03-01T12:00:05-00:00", "2026-03-01T12:00:05Z"),
    ],
)
def test_h49_one_moment_has_one_spelling_so_that_a_repeat_is_known(stamp: str, kept: str) -> None:
    (row,) = read({**OVERRIDDEN, "outcomeTimestamp": stamp})
    assert row.outcome_timestamp == kept


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "required", "feedback"),
        ({"feedback": {}}, "wrong-type", "feedback"),
        ({"feedback": None}, "wrong-type", "feedback"),
        ([], "wrong-type", ""),
        ("text", "wrong-type", ""),
        ({"feedback": ["x"]}, "wrong-type", "feedback.0"),
        (
            {"feedback": [OVERRIDDEN, {**OVERRIDDEN, "outcome": "ignored"}]},
            "wrong-value",
            "feedback.1.outcome",
        ),
        ({"feedback": [{**OVERRIDDEN, "card": ""}]}, "wrong-value", "feedback.0.card"),
        ({"feedback": [{**OVERRIDDEN, "card": 7}]}, "wrong-type", "feedback.0.card"),
        ({"feedback": [{**OVERRIDDEN, "card": "x" * 201}]}, "too-long", "feedback.0.card"),
        ({"feedback": [{**OVERRIDDEN, "card": "a\x00b"}]}, "nul", "feedback.0.card"),
        ({"feedback": [{"card": CARD, "outcome": "overridden"}]}, "required", "feedback.0.outcomeTimestamp"),
        (
            {"feedback": [{**OVERRIDDEN, "outcomeTimestamp": "yesterday"}]},
            "wrong-value",
            "feedback.0.outcomeTimestamp",
        ),
        (
            {"feedback": [{**OVERRIDDEN, "outcomeTimestamp": "2026-02-30T00:00:00Z"}]},
            "wrong-value",
            "feedback.0.outcomeTimestamp",
        ),
        (
            {"feedback": [{**OVERRIDDEN, "outcomeTimestamp": "2026-03-01T12:00:05"}]},
            "wrong-value",
            "feedback.0.outcomeTimestamp",
        ),
        (
            {"feedback": [{**OVERRIDDEN, "outcomeTimestamp": "0001-01-01T00:00:00+05:00"}]},
            "wrong-value",
            "feedback.0.outcomeTimestamp",
        ),
        ({"feedback": [{**OVERRIDDEN, "outcome": "accepted"}]}, "required", "feedback.0.acceptedSuggestions"),
        (
            {"feedback": [{**ACCEPTED, "acceptedSuggestions": []}]},
            "required",
            "feedback.0.acceptedSuggestions",
        ),
        (
            {"feedback": [{**ACCEPTED, "acceptedSuggestions": [{}]}]},
            "required",
            "feedback.0.acceptedSuggestions.0.id",
        ),
        ({"feedback": [{**OVERRIDDEN, "overrideReason": "x"}]}, "wrong-type", "feedback.0.overrideReason"),
        (
            {"feedback": [{**OVERRIDDEN, "overrideReason": {"userComment": "x\x00"}}]},
            "nul",
            "feedback.0.overrideReason.userComment",
        ),
        (
            {"feedback": [{**OVERRIDDEN, "overrideReason": {"userComment": "x" * 4001}}]},
            "too-long",
            "feedback.0.overrideReason.userComment",
        ),
        (
            {"feedback": [{**OVERRIDDEN, "overrideReason": {"reason": {"display": "\x00"}}}]},
            "nul",
            "feedback.0.overrideReason.reason.display",
        ),
    ],
)
def test_t19_what_does_not_fit_is_refused_with_its_field(body: Any, code: str, field: str) -> None:
    fault = refused(body)
    assert (fault.status, fault.code, fault.field) == (400, code, field)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xef\xbb\xbf{}",
        b'{"feedback": [{"card": "\\ud800"}]}',
        b'{"feedback": [], "x": "\xff"}',
        b'{"feedback": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"feedback": [], "x": ' + b'{"a":' * 3000 + b"1" + b"}" * 3000 + b"}",
        b"NaN",
    ],
)
def test_what_is_no_json_object_is_400(body: bytes) -> None:
    assert refused(body).status == 400


def test_t19_ten_thousand_rows_and_huge_bodies_are_413_and_quick() -> None:
    begun = time.process_time()
    many = refused({"feedback": [OVERRIDDEN] * 10_000})
    assert (many.status, many.code, many.field) == (413, "too-many", "feedback")
    assert refused(b" " * (8 * 1024 * 1024 + 1)).status == 413
    assert (
        refused({"feedback": [OVERRIDDEN] * (MOST_ROWS - 1) + [{}]}).field == f"feedback.{MOST_ROWS - 1}.card"
    )
    assert len(read(*[OVERRIDDEN] * MOST_ROWS)) == MOST_ROWS
    assert time.process_time() - begun < 5


def test_no_refusal_repeats_what_was_sent() -> None:
    row = {**OVERRIDDEN, "MARK": "MARK", "outcome": "MARK", "card": "MARK\x00", "overrideReason": {"MARK": 1}}
    fault = refused({"feedback": [row], "MARK": 1})
    assert "MARK" not in fault.message + fault.field + fault.code


_LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=5),
    st.sampled_from(["accepted", "overridden", "2026-03-01T12:00:05Z", "a\x00", "x" * 201, "x" * 4001]),
    st.just([]), st.just({}), st.just([{"id": "s"}]), st.just([{"id": ""}]),
)  # fmt: skip
_REASONS = st.dictionaries(st.sampled_from(["code", "system", "display", "other"]), _LEAVES, max_size=3)
_OVERRIDES = st.dictionaries(
    st.sampled_from(["reason", "userComment", "other"]), st.one_of(_LEAVES, _REASONS), max_size=3
)
_NAMES = ["card", "outcome", "outcomeTimestamp", "acceptedSuggestions", "overrideReason", "other"]
_CHANGES = st.dictionaries(st.sampled_from(_NAMES), st.one_of(_LEAVES, _OVERRIDES), max_size=3)
_ROWS = st.builds(
    lambda base, changes, gone: {key: value for key, value in {**base, **changes}.items() if key not in gone},
    st.sampled_from([OVERRIDDEN, ACCEPTED]),
    _CHANGES,
    st.sets(st.sampled_from(_NAMES), max_size=1),
)


@given(
    st.one_of(_LEAVES, st.fixed_dictionaries({"feedback": st.one_of(_LEAVES, st.lists(_ROWS, max_size=3))}))
)
def test_the_typed_shape_and_the_schema_are_one_decision(body: Any) -> None:
    content = json.dumps(body).encode()
    fits = feedback_validator().is_valid(body)
    try:
        rows = feedback._typed.decode(content).feedback
        typed = all(row.outcome == "overridden" or row.acceptedSuggestions for row in rows)
    except msgspec.ValidationError:
        typed = False
    assert typed == fits
    if fits:
        assert len(read_feedback(content, "north", "relapse", NOW)) == len(body["feedback"])
    else:
        assert refused(body).status == 400
