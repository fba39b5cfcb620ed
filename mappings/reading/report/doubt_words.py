"""The word lists that make a statement unsafe, as patterns (rules CD-3, 11.20)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Doubt:
    """The word lists as patterns: what lacks, what undoes, what is few, what is not read."""

    lacking: re.Pattern[str]
    nouns: re.Pattern[str]
    adjectives: re.Pattern[str]
    showing: re.Pattern[str]
    undoing: re.Pattern[str]
    harmless: re.Pattern[str]
    few: re.Pattern[str]
    most: re.Pattern[str]
    nothing: re.Pattern[str]
    answered: re.Pattern[str]
    answers: re.Pattern[str]
    supposed: re.Pattern[str]
    infused: re.Pattern[str]
    affirming: re.Pattern[str]
    partial: re.Pattern[str]
    positivity: re.Pattern[str]
    selecting: re.Pattern[str]
    part_of: re.Pattern[str]
    expected: re.Pattern[str]
    course_words: frozenset[str]
    foreign: re.Pattern[str]
    denied: re.Pattern[str]
    lineage_before: frozenset[str]
    lineage_after: re.Pattern[str]
    lineage_markers: Mapping[str, frozenset[str]]


def _alternatives(names: list[str]) -> str:
    parts = [
        re.escape(n).replace(r"\*", r"[^\W\d_]*").replace(r"\#", r"\d").replace(r"\ ", r"[\s-]+")
        for n in sorted(names, key=len, reverse=True)
    ]
    return r"(?<![^\W\d_])(?:" + "|".join(parts) + r")(?![^\W\d_])"


def compile_doubt(lists: Mapping[str, list[str]], lineage: Mapping[str, list[str]]) -> Doubt:
    """The patterns of one set of word lists; an asterisk takes any ending."""
    cells = _alternatives(lists["cells"])
    within = r"(?:[^\W\d_]+[\s-]+|of the[\s-]+){0,4}?"
    few = _alternatives(lists["few"])
    answers = "|".join(re.escape(n) for n in lists["answers_no"])
    letters = lists["foreign_letters"]
    return Doubt(
        lacking=re.compile(_alternatives(lists["lacking"])),
        nouns=re.compile(_alternatives(lists["lacking_nouns"])),
        adjectives=re.compile(_alternatives(lists["undoing_adjectives"])),
        showing=re.compile(_alternatives(lists["showing"])),
        undoing=re.compile(_alternatives(lists["undoing"])),
        harmless=re.compile(_alternatives(lists["harmless"])),
        few=re.compile(rf"{few}[\s-]+{within}{cells}|{_alternatives(lists['few_alone'])}"),
        most=re.compile(_alternatives(lists["most"])),
        nothing=re.compile(rf"{cells}[\s:=(]+(?:0(?:[.,]0+)?[ ]?%|0$|nil|none)"),
        answered=re.compile(
            rf"{_alternatives(lists['lacking'] + lists['showing'])}\s?[:=?]\s?(?:{answers})\s*$"
        ),
        answers=re.compile(rf"\s?=\s?(?:{answers})(?![^\W_])"),
        supposed=re.compile(_alternatives(lists["supposed"])),
        infused=re.compile(
            rf"^\W*(?:the )?{_alternatives(lists['infused'])}\s+{_alternatives(lists['verbs'])}"
        ),
        affirming=re.compile(_alternatives(lists["affirming"])),
        partial=re.compile(_alternatives(lists["partial"])),
        positivity=re.compile(_alternatives(lists["positivity"])),
        selecting=re.compile(_alternatives(lists["selecting"])),
        part_of=re.compile(_alternatives(lists["part_of"])),
        course_words=frozenset(lists["course_words"]),
        expected=re.compile(_alternatives(lists["expected"])),
        foreign=re.compile(
            rf"(?i:{_alternatives(lists['foreign'])})|(?<![^\W_])[^\W\d_A-ZÀ-Þ]*[{letters}][^\W\d_]*"
        ),
        denied=re.compile(
            rf"\s{{1,2}}{_alternatives([n for n in lists['denied_after'] if n not in lists['denied_answers']])}"
            rf"|\s?(?:[:=]|\s-)\s?{_alternatives(lists['denied_after'])}\s*(?:$|[.;\n)])"
        ),
        lineage_before=frozenset(lineage["before"]),
        lineage_after=re.compile(rf"[\s,-]{{0,3}}{_alternatives(lineage['after'])}"),
        lineage_markers={kind: frozenset(lineage[kind]) for kind in ("defining", "myeloid", "b")},
    )
