"""What is refused of a body before anything decodes it, and what is not (hazard T-26)."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.reading import guard
from mappings.reading.guard import MAX_DEPTH, BadBody, check_body


def refusal(body: bytes) -> str:
    with pytest.raises(BadBody) as caught:
        check_body(body)
    assert str(caught.value)
    return caught.value.code


def nested(levels: int, opening: str = "[", closing: str = "]") -> bytes:
    return (opening * levels + closing * levels).encode()


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_depth_of_64_passes_and_65_is_refused(opening: str, closing: str) -> None:
    per = opening.count("[") + opening.count("{")
    at_limit = MAX_DEPTH // per
    inner = "1" if opening.endswith(":") else ""
    check_body((opening * at_limit + inner + closing * at_limit).encode())
    assert refusal((opening * (at_limit + 1) + inner + closing * (at_limit + 1)).encode()) == "too-deep"


@pytest.mark.parametrize("levels", [900, 3_000, 100_000])
def test_bodies_that_end_a_worker_are_refused(levels: int) -> None:
    assert refusal(nested(levels)) == "too-deep"
    assert refusal(b'{"prefetch":' + nested(levels, '{"a":', "}") + b"}") == "too-deep"


@pytest.mark.parametrize("levels", [900, 100_000])
def test_brackets_that_never_close_are_refused(levels: int) -> None:
    assert refusal(b"[" * levels) == "too-deep"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200,
        "}" * 200,
        '{"a": [',
        r"\"[[[[",
        "\\",
        '\\\\"[[[',
        "]]]]{{{{",
        "\u2028[[[",
        "é[[[",
        '"' + "[" * 70,
    ],
)
def test_brackets_inside_strings_are_not_nesting(text: str) -> None:
    check_body(json.dumps({"conclusion": text, "x": [1]}).encode())
    check_body(json.dumps({"conclusion": text, "x": [1]}, ensure_ascii=False).encode())


def test_deep_nesting_is_not_hidden_by_a_string() -> None:
    assert refusal(b'{"a":"]]]]","b":' + nested(70) + b"}") == "too-deep"


@pytest.mark.parametrize(
    "raw", [b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"\xe2\x82"]
)
def test_bytes_that_are_not_utf8_are_refused_wherever_they_stand(raw: bytes) -> None:
    assert refusal(b'{"skipped":"' + raw + b'"}') == "not-utf8"


def test_utf16_is_refused() -> None:
    assert refusal('{"hook":"patient-view é"}'.encode("utf-16")) == "not-utf8"


@pytest.mark.parametrize("key", ["hook", "hookInstance", "patientId"])
def test_keys_that_decide_must_be_unique(key: str) -> None:
    body = f'{{"{key}": "a", "context": {{"{key}" : "b"}}}}'.encode()
    with pytest.raises(BadBody) as caught:
        check_body(body)
    assert (caught.value.code, caught.value.field) == ("duplicate-key", key)


def test_context_given_twice_is_refused() -> None:
    body = b'{"hook":"patient-view","context":{"patientId":"a"},"context":{"userId":"x"}}'
    assert refusal(body) == "duplicate-key"


def test_such_a_word_as_a_value_is_no_key() -> None:
    check_body(b'{"hook":"patient-view","note":["hook","patientId","patientId"]}')


def test_a_key_spelled_in_escapes_is_still_the_same_key() -> None:
    assert refusal(b'{"context":{"patientId":"a","p\\u0061tientId":"b"}}') == "duplicate-key"


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MAX_BYTES", 20)
    check_body(b'{"a":"0123456789"}')
    assert refusal(b'{"a":"0123456789ab"}x') == "too-large"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=25,
)


@given(VALUES)
def test_ordinary_json_is_never_refused(value: object) -> None:
    check_body(json.dumps({"a": value}).encode())
    check_body(json.dumps({"a": value}, ensure_ascii=False).encode("utf-8", "replace"))


@pytest.mark.parametrize("body", [b'["' + b'\\"' * 4_000, b"[" + b'"\\' * 8_000, b'["' + b"\\" * 16_001])
def test_a_string_that_never_closes_costs_linear_time(body: bytes) -> None:
    started = time.perf_counter()
    refusal(body)
    assert time.perf_counter() - started < 0.1
