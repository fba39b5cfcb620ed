"""Hostile and long texts: the reader stays linear, never raises, and reads only the head of what is too long."""

from __future__ import annotations

import time

import pytest

from mappings.reading.report import answers, read_report

UNITS = [
    "CD19 - ",
    "CD19,",
    "(((((",
    "| CD19 | + ",
    "CD19\n",
    "CD19   pos   98\n",
    "not ",
    "a = pos, ",
    "<td",
    "&amp",
    "CD19/20/22/",
    "prior CD19+ 2020 ",
    "ab-\n",
    "[ ] pos ",
    "1 of ",
    "CD19" + " " * 60,
    "\\par{",
    "....",
    "\n - 3 -",
]


def _took(text: str) -> float:
    """Seconds of this thread's own work, the best of three: what else the machine does stays out of it."""
    best = float("inf")
    for _ in range(3):
        begun = time.thread_time()
        read_report(text)
        best = min(best, time.thread_time() - begun)
    return best


@pytest.mark.parametrize("unit", UNITS)
def test_time_grows_with_length(unit: str) -> None:
    small, large = unit * (800 // len(unit)), unit * (3200 // len(unit))
    assert _took(large) < 4 * 2.3 * _took(small) + 0.02


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n\n",
        "CD19",
        "\x00\x01CD19+",
        "CD19" * 3,
        "(" * 50,
        "CD19 \ud83d\ude00 +",
        "\u0130\u0130 CD19+",
    ],
)
def test_odd_texts_do_not_raise(text: str) -> None:
    assert set(answers(text)) == {"CD19", "CD20", "CD22"}


def test_too_long_a_text_is_cut_and_marked() -> None:
    reading = read_report("Blasts CD19 positive. " + "x" * 300_000)
    assert reading.cut
    assert not read_report("Blasts CD19 positive.").cut
