"""One row of a marker table -> a claim: columns of the current malignant cells, notes, ticks (narrative rule 12)."""

from __future__ import annotations

import re

from mappings.reading.report.cells import Cell, Column, cell_value, marker_of
from mappings.reading.report.layout import meaning_value
from mappings.reading.report.model import Claim
from mappings.reading.report.tokens import Scanner
from mappings.reading.report.words import Words

_MARK = re.compile(r"\((?:\d|\*)\)$|\*{1,2}$|[¹²³†‡]$")


_TICK = re.compile(r"[(\[][ ]{0,3}[xX✓✔]?[ ]{0,3}[)\]]|[☐☑☒✓✔xX□■]|")


_TICKED = re.compile(r"[(\[][ ]?[xX✓✔][ ]?[)\]]|[☑☒✓✔xX■]")


_SHARE = re.compile(r"[<>]?[ ]?(?:100|\d{1,2})(?:[.,]\d+)?[ ]?%?")


def read_footnote(placed: dict[int, Cell], wanted: list[int], text: str, words: Words, claim: Claim) -> None:
    """A result with a note mark is only as good as the note (narrative rules 1 and 9)."""
    for at in wanted:
        mark = _MARK.search(placed[at].text) if at in placed else None
        if not mark:
            continue
        note = re.search(
            r"^[ \t]*" + re.escape(mark.group()) + r"[ :.)]?(.{4,200})$",
            text[claim.end : claim.end + 4000],
            re.MULTILINE,
        )
        kinds = (
            {t.kind for t in Scanner(note.group(1).lower(), words, frozenset(), {}).run()} if note else set()
        )
        if kinds & {
            "norm",
            "cells",
            "small",
            "failed",
            "artefact",
            "hedge",
            "history",
            "withdrawn",
            "pending",
            "openw",
        }:
            claim.value, claim.reason = "unk", "note"


def ticked_head(placed: dict[int, Cell], columns: list[Column], words: Words) -> str | None:
    """The head of the ticked column, where the heads are the choices; None for any other table."""
    heads = {i: meaning_value(c.text, words) for i, c in enumerate(columns) if i}
    if (
        len({h for h in heads.values() if h}) < 2
        or not placed
        or not all(_TICK.fullmatch(c.text) for c in placed.values())
    ):
        return None
    marked = [heads.get(i, "") for i, c in placed.items() if _TICKED.fullmatch(c.text)]
    return marked[0] if len(marked) == 1 and marked[0] else "unk"


def mostly_numbers(rows: list[tuple[int, str, list[Cell]]]) -> bool:
    """Whether the first value column mostly holds plain numbers, so that a lone dash there is a gap."""
    first = [cells[1].text for _, _, cells in rows if len(cells) > 1 and marker_of(cells[0])]
    return sum(bool(re.fullmatch(r"[\d.,][\d.,\s-]+", t)) for t in first) * 2 > len(first)


def compartment_of(placed: dict[int, Cell], columns: list[Column], wanted: list[int], words: Words) -> str:
    """The cells that a row speaks of, where a column names them."""
    for at, cell in placed.items():
        if at not in wanted and columns[at].role == "":
            kinds = {t.kind for t in Scanner(cell.text.lower(), words, frozenset(), {}).run()}
            if kinds & {"mal", "dx"}:
                return "mal"
            if kinds & {"norm", "cells", "small"}:
                return "norm"
    return ""


def read_comment(placed: dict[int, Cell], columns: list[Column], words: Words, claim: Claim) -> None:
    for at, cell in placed.items():
        if columns[at].role == "comment":
            value, _ = cell_value(cell.text, words, {}, "comment")
            kinds = {t.kind for t in Scanner(cell.text.lower(), words, frozenset(), {}).run()}
            if value == "unk" or kinds & {"artefact", "hedge", "withdrawn"}:
                claim.value, claim.reason = "unk", "failed"
            elif value == "low" and claim.value == "pos":
                claim.value = "low"


def place_of(cell: Cell, offset: int, columns: list[Column]) -> int:
    start, end = cell.start - offset, cell.end - offset
    best, score = 1, 10**9
    for at, column in enumerate(columns[1:], 1):
        gap = max(0, column.start - end, start - column.end)
        distance = gap * 4 + min(abs(column.start - start), abs(column.end - end))
        if distance < score:
            best, score = at, distance
    return best


def wanted_columns(columns: list[Column]) -> list[int] | None:
    """The columns that speak of the malignant cells now; None when the head says nothing usable."""
    current = [i for i, c in enumerate(columns) if i and c.role == "current"]
    dated = [i for i, c in enumerate(columns) if i and c.when and c.role in ("date", "current")]
    marked = [i for i in current if columns[i].when] or current
    if dated and not current:
        newest = max(columns[i].when for i in dated)
        return [i for i in dated if columns[i].when == newest]
    if any(columns[i].when for i in current) or (dated and current):
        return marked
    measures = [
        i
        for i, c in enumerate(columns)
        if i and c.role in ("percent", "intensity", "call", "method", "hscore")
    ]
    if current:
        return current + [i for i in measures if columns[i].role != "other"]
    if measures:
        return measures
    if any(c.role == "other" for c in columns[1:]):
        return [i for i, c in enumerate(columns) if i and c.role == ""]
    return None


def row_claim(
    antigen: str,
    first: Cell,
    placed: dict[int, Cell],
    columns: list[Column],
    wanted: list[int],
    words: Words,
    legend: dict[str, str],
) -> Claim:
    claim = Claim(
        antigen,
        "unk",
        first.start,
        first.end,
        reason="missing",
        pop="mal",
        current=True,
        order=first.start,
        section="table",
    )
    values: list[tuple[str, str]] = []
    share = any("%" in c.text or "percent" in c.text for c in columns)
    for at in wanted:
        cell = placed.get(at)
        if cell is None:
            continue
        role = columns[at].role
        if role == "current" and share and _SHARE.fullmatch(cell.text):
            role = "percent"
        value, kind = cell_value(cell.text, words, legend, role)
        kind = "intensity" if columns[at].role == "intensity" and kind == "word" else kind
        claim.end = max(claim.end, cell.end)
        if value:
            values.append(
                (value, kind if columns[at].role not in ("method", "current") else columns[at].role + str(at))
            )
        if kind == "pct":
            claim.percent = cell.text
    _weigh(values, claim)
    return claim


def _weigh(values: list[tuple[str, str]], claim: Claim) -> None:
    states = {v for v, _ in values}
    shares = {v for v, k in values if k in ("pct", "hscore")}
    calls = {v for v, k in values if k not in ("pct", "hscore", "intensity")}
    if shares and not calls and not shares & {"pos"}:
        values = [(v, k) for v, k in values if k in ("pct", "hscore")]
    words = {v for v, k in values if k not in ("pct", "hscore")}
    methods = {v for v, k in values if k.startswith("method")}
    if not states:
        return
    if len(methods) > 1:
        claim.reason = "discordant"
    elif "unk" in words:
        claim.reason = "failed"
    elif "low" in words:
        claim.value = "low"
    elif len(words) == 1:
        claim.value = next(iter(words))
    elif words == {"pos", "neg"}:
        claim.value = "low" if all(k.startswith("current") for _, k in values) else "unk"
        claim.reason = "discordant" if claim.value == "unk" else ""
    else:
        claim.value = "low" if len(states) > 1 else next(iter(states))
        claim.band = True
    if claim.value != "unk":
        claim.reason = ""
