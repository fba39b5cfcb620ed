"""Log lines: a closed list of fields, and for each the one shape its values may have (H-66, T-28)."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smart_app.log import FIELDS, WITHHELD, write_log

UUID = "6f1c2a9e-0000-4000-8000-000000000001"


def written(**fields: object) -> dict[str, object]:
    out = io.StringIO()
    write_log("call", stream=out, **fields)
    text = out.getvalue()
    assert text.endswith("\n")
    assert text.count("\n") == 1
    assert text[:-1].isascii()
    assert text[:-1].isprintable()
    found: dict[str, object] = json.loads(text)
    return found


def test_what_the_log_is_for_passes() -> None:
    fields = {
        "request": "abc-1",
        "site": "Klinik Süd (test)",
        "tenant": "q3Jx0a9-_b",
        "service": "post-car-t-relapse",
        "hook": "patient-view",
        "instance": UUID,
        "status": 200,
        "ms": 3.25,
        "category": "cd19-negative",
        "cards": [UUID],
        "kinds": ["cd19-negative"],
        "keys": {"conditions": "complete"},
        "fetched": {"reports": "deadline"},
        "silent": True,
        "code": "data-needed",
        "why": "aud",
        "error": "KeyError",
        "message": "The overlay was not taken over: line 3.",
    }
    found = written(**fields)
    assert {name: found[name] for name in fields} == fields
    assert written(cards=1)["cards"] == 1


def test_a_field_outside_the_list_is_a_fault_of_the_program() -> None:
    with pytest.raises(KeyError, match="patient"):
        written(patient="x")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("instance", "Zztest, Alma"),
        ("category", "Zztest, Alma"),
        ("site", "a\nb"),
        ("site", "a\u202eb"),
        ("request", "a b"),
        ("cards", ["Zztest"]),
        ("cards", "Zztest"),
        ("keys", "Zztest"),
        ("status", "Zztest"),
        ("silent", "Zztest"),
        ("tenant", "st elsewhere"),
        ("code", "line\x1b[31m"),
        ("message", "one\ntwo"),
    ],
)
def test_h66_a_value_of_another_shape_is_withheld(field: str, value: object) -> None:
    found = written(**{field: value})
    assert WITHHELD in (found[field], *(found[field] if isinstance(found[field], list) else ()))
    assert "Zztest" not in json.dumps(found)


def test_h66_states_with_foreign_names_are_withheld() -> None:
    assert written(keys={"Alma Zztest": "Zztest, A"})["keys"] == {WITHHELD: WITHHELD}


def test_nothing_is_written_for_what_is_empty() -> None:
    assert set(written(site="", code=None, status=0)) == {"time", "level", "event", "status"}


JUNK = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(FIELDS)), JUNK)
def test_t28_no_value_can_break_a_line_or_add_a_control_character(field: str, value: object) -> None:
    written(**{field: value})
