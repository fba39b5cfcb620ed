"""A report says the same with and without the line breaks a printer put in (hazard H-23)."""

from __future__ import annotations

import textwrap

import pytest

from mappings.facts import Antigen
from mappings.reading.report import answers
from mappings.reading.report.wraps import rewrapped

SENTENCES = (
    "Lymph node: relapsed diffuse large B-cell lymphoma. Lymphoma cells are no longer CD19 positive.",
    "Lymph node: relapsed diffuse large B-cell lymphoma. None of the lymphoma cells express CD19.",
    "Lymph node: relapsed diffuse large B-cell lymphoma. The lymphoma cells never lost CD19.",
    "Lymph node: relapsed diffuse large B-cell lymphoma. CD19 loss cannot be ruled out.",
)


@pytest.mark.parametrize("text", SENTENCES)
@pytest.mark.parametrize("width", range(24, 80, 4))
def test_a_break_never_makes_or_turns_an_answer(text: str, width: int) -> None:
    whole = answers(text)[Antigen.CD19.value]
    wrapped = answers("\n".join(textwrap.wrap(text, width)))[Antigen.CD19.value]
    assert wrapped in (whole, "unknown")


def test_a_row_of_a_list_is_no_broken_line() -> None:
    assert list(rewrapped("CD19: negative\nCD20: positive\nCD22: not done")) == []
    assert list(rewrapped("- CD19 negative\n- CD20 positive")) == []
    assert list(rewrapped("CD19  negative\nCD20  positive")) == []


def test_a_word_split_at_the_end_of_a_line_is_put_together() -> None:
    assert list(rewrapped("The blasts are posi-\ntive for CD19.")) == ["The blasts are positive for CD19."]
