"""Bytes to resources: forms of input, parser traps, and dirt that stays where it is (hazard H-11, safety notes 7.1)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from builders import (
    PATIENT,
    body,
    bundle,
    category,
    codes_of,
    condition,
    judge,
    judge_bytes,
    knowledge,
    patient,
    prefetch,
    procedure,
    relapsed,
    stain,
    state,
)

from mappings.reading.collect import patient_ids
from mappings.reading.decode import Decoded, decode_chart, decode_request
from mappings.reading.guard import BadBody

GOOD = (patient(), condition(), procedure(), stain("Negative"))


def request(**changes: Any) -> bytes:
    whole = json.loads(body(prefetch(*GOOD)))
    return json.dumps({**whole, **changes}).encode()


def spoiled(element: bytes) -> bytes:
    """A good request with one raw element put into one Observation that decides nothing."""
    harmless = {
        "resourceType": "Observation",
        "id": "x",
        "status": "final",
        "code": {"text": "Sodium"},
        "zz": 1,
    }
    raw = body(prefetch(*GOOD, more=bundle([harmless])))
    assert raw.count(b'"zz": 1') == 1
    return raw.replace(b'"zz": 1', element)


def verdict(raw: bytes) -> str:
    """`refused`, or the category that came out."""
    try:
        made = judge_bytes(raw)
    except BadBody:
        return "refused"
    return category(made)


# Each row of "parsers disagree": where the element is read, and where it is skipped.
REFUSED = {
    "invalid UTF-8": b'"%s": "a\xffb"',
    "2,000 levels": b'"%s": ' + b"[" * 2_000 + b"]" * 2_000,
    "900 levels": b'"%s": ' + b"[" * 900 + b"]" * 900,
    "not a number": b'"%s": NaN',
    "infinity": b'"%s": Infinity',
    "trailing comma": b'"%s": [1,]',
    "no value": b'"%s":',
}
READ_ON = {
    "1e400": b'"%s": 1e400',
    "40 digits": b'"%s": ' + b"9" * 40,
    "5,000 digits": b'"%s": ' + b"9" * 5_000,
    "duplicate key": b'"%s": 1, "%s": 2',
    "null": b'"%s": null',
    "NUL": b'"%s": "a\\u0000b"',
    "deep but allowed": b'"%s": ' + b"[" * 50 + b"]" * 50,
    "wrong shape": b'"%s": {"a": [[[1]]]}',
    "empty string": b'"%s": ""',
}
PLACES = ("valueQuantity", "status", "code", "component", "unheardOf")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("row", REFUSED)
def test_what_no_parser_agrees_on_is_refused_whole(row: str, place: str) -> None:
    element = REFUSED[row].replace(b"%s", place.encode())
    raw = spoiled(element) if place == "unheardOf" else spoiled(b'"y": 1').replace(b'"y": 1', element)
    assert verdict(raw) == "refused"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("row", READ_ON)
def test_a_strange_value_never_takes_its_neighbours_with_it(row: str, place: str) -> None:
    made = judge_bytes(spoiled(READ_ON[row].replace(b"%s", place.encode())))
    assert (category(made), state(made)) == ("cd19-negative", "negative")


@pytest.mark.parametrize("place", PLACES)
def test_lone_surrogates_are_refused_or_harmless(place: str) -> None:
    assert verdict(spoiled(b'"%s": "\\ud800"' % place.encode())) in ("refused", "cd19-negative")


def test_a_byte_order_mark_is_refused() -> None:
    assert verdict(b"\xef\xbb\xbf" + request()) == "refused"


@pytest.mark.parametrize(
    "raw",
    [b"", b" ", b"null", b"[]", b"1", b'"x"', b"{", b'{"hook"', b"}{", b"<html>", b"{} {}", request() + b"x"],
)
def test_what_is_no_request_is_refused(raw: bytes) -> None:
    with pytest.raises(BadBody) as caught:
        decode_request(raw)
    assert caught.value.code in ("not-json", "too-deep", "wrong-type")


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"hook": 1}, "hook"), ({"hookInstance": []}, "hookInstance"), ({"fhirServer": {}}, "fhirServer"),
     ({"prefetch": 5}, "prefetch"), ({"prefetch": []}, "prefetch"), ({"prefetch": "x"}, "prefetch")],
)  # fmt: skip
def test_a_misshapen_envelope_names_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BadBody) as caught:
        decode_request(request(**changes))
    assert (caught.value.code, caught.value.field) == ("wrong-type", field)


@pytest.mark.parametrize("prefetch_value", [None, {}])
def test_an_empty_prefetch_is_a_request_that_saw_nothing(prefetch_value: Any) -> None:
    made = judge_bytes(request(prefetch=prefetch_value))
    assert category(made) == "insufficient-data"


FORMS = {
    "hook request": body(prefetch(*GOOD)),
    "collection Bundle": json.dumps(bundle(GOOD, type="collection")).encode(),
    "Bundle of Bundles": json.dumps(bundle([bundle(GOOD[:2]), bundle(GOOD[2:])], type="collection")).encode(),
    "list": json.dumps(list(GOOD)).encode(),
    "NDJSON": b"\n".join(json.dumps(one).encode() for one in GOOD),
    "NDJSON with blank lines and CRLF": b"\r\n\r\n".join(json.dumps(one).encode() for one in GOOD) + b"\r\n",
    "indented Bundle": json.dumps(bundle(GOOD, type="collection"), indent=2).encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_a_chart_is_read(form: str) -> None:
    made = judge_bytes(decode_chart(FORMS[form]))
    assert (category(made), state(made)) == ("cd19-negative", "negative")


@pytest.mark.parametrize("form", FORMS)
def test_the_patient_of_a_chart_is_found(form: str) -> None:
    assert patient_ids(decode_chart(FORMS[form])) == (PATIENT,)


def test_a_single_resource_is_a_chart_that_saw_little() -> None:
    assert category(judge_bytes(decode_chart(json.dumps(condition()).encode()))) == "insufficient-data"


@pytest.mark.parametrize(
    "raw", [b"", b"\n \n", b"null", b"12", b"{}", b'{"a": 1}', b"<a/>", b'["', b"[", b"resource"]
)
def test_what_is_no_chart_is_refused(raw: bytes) -> None:
    with pytest.raises(BadBody):
        decode_chart(raw)


def test_a_bad_line_is_named_and_its_neighbours_are_read() -> None:
    lines = FORMS["NDJSON"].split(b"\n")
    made = judge_bytes(
        decode_chart(b"\n".join([*lines[:2], b'{"resourceType": "Observation", ]}', *lines[2:]]))
    )
    assert category(made) == "cd19-negative"
    assert any(row.source and row.source.reference == "line 3" for row in made.assessment.unread)


MISFITS: dict[str, Any] = {
    "number for a text": {"effectiveDateTime": 20250920},
    "text for an object": {"code": "Sodium"},
    "list for an object": {"code": [{"text": "Sodium"}]},
    "codings no list": {"code": {"coding": "C83.3"}},
    "one coding no object": {"code": {"coding": [5, {"code": "x"}]}},
    "display a number": {"code": {"coding": [{"code": "x", "display": 3}]}},
    "status a list": {"status": ["final"]},
    "subject a text": {"subject": "Patient/syn-1"},
    "subject a list": {"subject": [{"reference": "Patient/syn-1"}]},
    "subject with a nested misfit": {"subject": {"reference": f"Patient/{PATIENT}", "display": 4}},
    "id a number": {"id": 7},
    "type a number": {"resourceType": 7},
    "total a text": {"total": "many"},
}


@pytest.mark.parametrize("name", MISFITS)
def test_a_misfit_is_kept_apart_and_named(name: str) -> None:
    odd = {
        "resourceType": "Observation",
        "id": "odd",
        "status": "final",
        "code": {"text": "Sodium"},
        **MISFITS[name],
    }
    made = relapsed(stain("Negative"), more=bundle([odd, stain("Positive", "CD20")]))
    assert (category(made), state(made, "CD20")) == ("cd19-negative", "positive")
    decoded = decode_request(body(prefetch(more=bundle([odd]))))
    assert decoded.repaired >= 1
    assert len(decoded.remarks) <= 1


@pytest.mark.parametrize("odd", [5, "Observation", [], [{"resourceType": "Observation"}], True])
def test_an_entry_that_is_no_resource_is_unread_and_makes_its_set_incomplete(odd: Any) -> None:
    broken = {"resourceType": "Bundle", "type": "searchset", "total": 1, "entry": [{"resource": odd}]}
    made = relapsed(stain("Negative"), more=broken)
    assert category(made) == "cd19-negative"
    assert codes_of(made, "unread") & {"unreadable", "misfit"}


def seen_of(decoded_as: Any, kind: str = "Observation") -> str:
    made = judge(condition(clinical="active"), procedure(), observations=decoded_as)
    return next(row.state for row in made.facts.seen if row.type == kind)


@pytest.mark.parametrize(
    "entries",
    [5, "x", {}, True, [5], ["x"], [[]], [{"resource": 5}], [{"resource": "x"}], [{"resource": [stain()]}]],
)
def test_a_set_with_unreadable_entries_is_not_complete(entries: Any) -> None:
    """What could not be read may have been the relapse: no negative answer rests on it (hazards H-08, H-11)."""
    broken = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    assert seen_of(broken) != "complete"
    assert (
        category(judge(condition(clinical="active"), procedure(), observations=broken)) == "insufficient-data"
    )


@pytest.mark.parametrize("whole", [5, "x", [], True, {"resourceType": 5}, {"a": 1}, [stain()]])
def test_a_key_that_holds_no_resource_was_not_seen(whole: Any) -> None:
    assert seen_of(whole) != "complete"


def test_what_says_whose_it_is_must_be_readable_or_the_rest_does_not_count() -> None:
    lost = {**stain("Negative"), "subject": {"reference": 5}}
    made = relapsed(lost)
    assert state(made) == "unknown"
    assert "misfit" in codes_of(made, "unread")


def test_both_roads_read_the_same_chart_alike() -> None:
    fast, slow = (
        decode_request(body(prefetch(*GOOD))),
        decode_request(body(prefetch(*GOOD, more=bundle([{"id": 3}])))),
    )
    assert fast.repaired == 0
    assert slow.repaired >= 1
    assert state(judge_bytes(fast)) == state(judge_bytes(slow)) == "negative"


def test_nothing_decoded_is_nothing_seen() -> None:
    made = judge_bytes(Decoded(), using=knowledge())
    assert category(made) == "insufficient-data"
    assert all(row.state == "not-seen" for row in made.facts.seen)
