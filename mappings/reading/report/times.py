"""Past or present, and what a heading line carries to the lines under it (narrative rule 3)."""

from __future__ import annotations

import re

from mappings.reading.report.disease import elsewhere
from mappings.reading.report.runs import Pair
from mappings.reading.report.story import Sentence, Story
from mappings.reading.report.tokens import Token
from mappings.reading.report.tokens import number as to_number

_YEAR = re.compile(r"(?:19|20)\d\d$")


_CARRIED = {
    "pos": "pos",
    "neg": "neg",
    "low": "low",
    "failed": "unk",
    "pending": "unk",
    "op_pos": "pos",
    "op_neg": "neg",
    "op_low": "low",
    "v": "",
}


def leading_cells(sentence: Sentence) -> str:
    for token in sentence.tokens:
        if token.kind in ("mal", "norm") and "control" not in token.text:
            return token.kind
        if token.kind == "cells":
            return "norm"
        if token.kind == "absent":
            return ""
    return ""


def carry_time(sentence: Sentence, story: Story, made: bool) -> None:
    """A heading line that names an outside, older or other person's result rules the lines under it."""
    tokens = sentence.tokens
    kinds = {t.kind for t in tokens}
    if sentence.first and not sentence.indent:
        story.header_past = (
            not made and "history" in kinds and not kinds & {"current", "agree"} and len(tokens) <= 12
        )
    if kinds & {"current", "agree"} or (
        sentence.section and sentence.section != "history" and sentence.first
    ):
        story.carried_past = False
    elif (not made and "history" in kinds and tokens[-1].text == ":") or (
        not made and sentence.first and tokens[0].kind == "history" and tokens[0].text.startswith("donor")
    ):
        story.carried_past = True
    elif story.carried_past and kinds & {"dx"} and sentence.first and not made:
        story.carried_past = False


def carry_value(sentence: Sentence, story: Story, marked: bool) -> None:
    """A line such as "Not expressed:" speaks for the lists of markers under it."""
    tokens = sentence.tokens
    if marked:
        last = max((i for i, t in enumerate(tokens) if t.kind == "m"), default=-1)
        if tokens[-1].text != ":" or not any(t.kind in _CARRIED for t in tokens[last + 1 :]):
            return
        tokens = tokens[last + 1 :]  # the head of the next list, drawn onto the last line of this one
    story.carried_value = ""
    if tokens[-1].text == ":" and len(tokens) <= 14:
        states = {t.val or _CARRIED[t.kind] for t in tokens if t.kind in _CARRIED}
        if states and not any(t.kind in ("norm", "history", "negator") for t in tokens):
            story.carried_value = (
                "unk"
                if "unk" in states
                else "low"
                if "low" in states
                else states.pop()
                if len(states) == 1
                else ""
            )


def _year_of_past(tokens: list[Token], year: Token) -> bool:
    at = next(i for i, t in enumerate(tokens) if t is year)
    before = tokens[at - 1] if at else None
    after = tokens[at + 1] if at + 1 < len(tokens) else None
    if after is not None and after.text in (
        "biopsy",
        "node",
        "sample",
        "marrow",
        "specimen",
        "tumour",
        "tumor",
        "case",
    ):
        return True
    return before is not None and (
        before.kind in ("prep", "dx", "and") or before.text in ("(", "since", "in", "from", "dated", ",")
    )


def times_of(sentence: Sentence, story: Story) -> dict[int, str]:
    """Past or present for every group of the sentence (narrative rule 3)."""
    out: dict[int, str] = {}
    older = sentence.line in story.old_lines or sentence.section == "history" or story.carried_past
    running = "past" if older or elsewhere(sentence, story) else ""
    seen_marker = bracket_past = False
    comparing = sentence.line in story.newest_lines
    deep = 0
    frozen = sentence.section == "history" and sentence.first
    if story.header_past and sentence.indent:
        running = "past"
    for token, group in zip(sentence.tokens, sentence.groups, strict=True):
        if token.text == "(":
            deep += 1
            at = next(i for i, t in enumerate(sentence.tokens) if t is token)
            if any(t.kind in ("history", "since") for t in sentence.tokens[max(0, at - 2) : at]):
                bracket_past = True
        elif token.text == ")":
            deep, bracket_past = max(0, deep - 1), False
        if token.text == ";" or token.kind == "but":
            seen_marker = False
        kind = token.kind
        if kind == "m":
            seen_marker = True
        if kind == "since":
            comparing = True
        if kind == "history" or (
            kind == "num"
            and not comparing
            and _YEAR.match(token.text)
            and _year_of_past(sentence.tokens, token)
        ):
            out[group] = "past"
            if not seen_marker:
                running = "past"
        elif kind in ("current", "agree") and not frozen:
            comparing = comparing or token.text.startswith("unchanged")
            if out.get(group) != "past" or kind in ("current", "agree"):
                out[group] = "now"
            if not deep:
                running = "now"
        out.setdefault(group, "past" if bracket_past else running)
    return out


def note_denominator(tokens: list[Token], story: Story) -> None:
    """How many malignant cells were counted, where markers are then given as numbers of cells."""
    first = next((i for i, t in enumerate(tokens) if t.kind == "m"), len(tokens))
    lead = tokens[:first]
    kinds = [t.kind for t in lead]
    if "num" not in kinds:
        return
    if "norm" in kinds and first == len(tokens):
        story.denominator = 0.0
    elif "mal" in kinds and any(
        t.text in ("events", "cells", "counted", "zellen") or t.text.endswith("cells") for t in lead
    ):
        story.denominator = to_number(next(t for t in lead if t.kind == "num").text)


def note_method(tokens: list[Token], story: Story, sentence: Sentence) -> None:
    for token in tokens[:3] if sentence.first else []:
        if token.kind in ("flowm", "ihcm"):
            story.method = token.kind[:-1].replace("flow", "flow")


def drop_moved(pair: Pair, sentence: Sentence, times: dict[int, str]) -> None:
    """Drops values that only say what was: before an arrow or "should read", or in a bracket about the past."""
    tokens = sentence.tokens
    stop = next((i for i in range(pair.index + 1, len(tokens)) if tokens[i].kind == "m"), len(tokens))
    turn = max(
        (i for i in range(pair.index + 1, stop) if tokens[i].kind in ("arrow", "shouldread")), default=-1
    )
    if turn > 0 and any(v.index > turn for v in pair.values):
        pair.values = [v for v in pair.values if v.index > turn]
        pair.token.sign = ""
    elif any(t.kind == "shouldread" for t in tokens[pair.index :]) and any(
        t.kind == "m" and t.val == pair.token.val for t in tokens[pair.index + 1 :]
    ):
        pair.values = []
        pair.listed = False
    here = times.get(sentence.groups[pair.index], "")
    if here != "past":
        kept = [v for v in pair.values if times.get(sentence.groups[v.index], "") != "past"]
        if kept and len(kept) < len(pair.values):
            pair.values = kept
