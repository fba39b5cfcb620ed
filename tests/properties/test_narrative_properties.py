"""Report texts bent in ways that keep their meaning: the answer follows (hazards H-23, H-24).

Exchanging two antigens exchanges their answers; what a report ends with, or how its lines end, changes none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import pytest
from builders import knowledge

from mappings.facts import Antigen
from mappings.reading.report import read_report

SETS = sorted((Path(__file__).parents[1] / "narratives").glob("*.jsonl"))
ROWS = [json.loads(line) for path in SETS for line in path.read_text("utf-8").splitlines() if line.strip()]
OPPOSITE = {("positive", "negative"), ("negative", "positive")}
NAME = re.compile(r"(CD[ -]?)(19|20|22)(?!\d)", re.IGNORECASE)
# Words that tie a sentence to one antigen: drugs, products, other names, names broken over lines or in markup.
TIED = re.compile(
    r"car|leu-?12|l26|b4|rituximab|siglec|ms4a1|blin|infus|direct|anti|target|thera|behandl|trait|bispec"
    r"|CD\s*\n|CD&|-\n|\n ?\d",
    re.IGNORECASE,
)
States = dict[str, str]


@lru_cache(maxsize=4096)
def _read(text: str, specimen: str, method: str) -> tuple[str, str, str]:
    found = read_report(text, specimen=specimen, method=method, lexicon=knowledge().lexicon).findings
    return tuple(row.state.value if (row := found.get(antigen)) else "" for antigen in Antigen)  # type: ignore[return-value]


def read(row: dict[str, str], text: str) -> States:
    states = _read(text, row.get("specimen") or "", row.get("method") or "")
    return dict(zip(("19", "20", "22"), states, strict=True))


def exchanged(text: str, one: str, other: str) -> str:
    swap = {one: other, other: one}
    return NAME.sub(lambda found: found[1] + swap.get(found[2], found[2]), text)


def pairs(row: dict[str, str], one: str, other: str) -> Iterator[tuple[str, str]]:
    before, after = read(row, row["text"]), read(row, exchanged(row["text"], one, other))
    swap = {one: other, other: one}
    for antigen in before:
        yield before[antigen], after[swap.get(antigen, antigen)]


@pytest.mark.parametrize(("one", "other"), [("19", "20"), ("19", "22"), ("20", "22")])
def test_exchanging_two_antigens_exchanges_their_answers(one: str, other: str) -> None:
    told, reversed_, changed = 0, [], []
    for row in ROWS:
        if TIED.search(row["text"]) or exchanged(row["text"], one, other) == row["text"]:
            continue
        told += 1
        found = list(pairs(row, one, other))
        reversed_ += [row["id"] for pair in found if pair in OPPOSITE]
        changed += [row["id"] for before, after in found if (before or "unknown") != (after or "unknown")]
    assert told > 200
    assert not reversed_
    assert len(set(changed)) <= told // 100, sorted(set(changed))


BENDS: dict[str, Callable[[str], str]] = {
    "line ends of another system": lambda text: text.replace("\n", "\r\n"),
    "blank lines around": lambda text: f"\n\n{text}\n\n",
    "a signature": lambda text: f"{text}\n\nElectronically signed.",
    "an unrelated line": lambda text: f"{text}\n\nHaemoglobin 9.4 g/dL.",
    "a byte order mark": lambda text: f"\ufeff{text}",
    "hard blanks": lambda text: text.replace(" CD", "\u00a0CD"),
}


@pytest.mark.parametrize("bend", BENDS)
def test_what_carries_no_meaning_changes_no_answer(bend: str) -> None:
    reversed_, changed = [], []
    for row in ROWS:
        before, after = read(row, row["text"]), read(row, BENDS[bend](row["text"]))
        for antigen, was in before.items():
            now = after[antigen]
            if (was, now) in OPPOSITE:
                reversed_.append(row["id"])
            if (was or "unknown") != (now or "unknown"):
                changed.append(row["id"])
    assert not reversed_
    assert len(set(changed)) <= len(ROWS) // 100, sorted(set(changed))


def test_saying_a_report_twice_never_turns_it_round() -> None:
    reversed_ = []
    for row in ROWS:
        before, after = read(row, row["text"]), read(row, f"{row['text']}\n\n{row['text']}")
        reversed_ += [row["id"] for antigen, was in before.items() if (was, after[antigen]) in OPPOSITE]
    assert not reversed_


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75, 0.9])
def test_a_report_that_breaks_off_never_raises(share: float) -> None:
    for row in ROWS:
        states = read(row, row["text"][: int(len(row["text"]) * share)])
        assert set(states.values()) <= {"", "positive", "negative", "low-or-partial", "unknown"}
