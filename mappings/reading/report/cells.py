"""Cells and columns of a table in report text, and what one cell says."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mappings.reading.report.tokens import Scanner, Token
from mappings.reading.report.words import Policy, Words

_GAPS = re.compile(r"[ ]{2,}|\t+")


_DATE = re.compile(
    r"(?:(\d{1,2})[./-])?(?:(\d{1,2})[./-])?((?:19|20)\d\d)(?:-(\d{1,2}))?(?:-(\d{1,2}))?"
    r"|\b(\d{1,2})[./-](\d{1,2})[./-](\d{2})\b"
)


DATA = re.compile(r"[<>]?\s*\d+(?:[.,]\d+)?\s*%?|[+-]{1,4}|±|n/?a|nd", re.IGNORECASE)


_MONTHS = re.compile(
    r"\b(\d{1,2})[ .]{1,2}(jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec"
    r"|dez)[a-zé]{0,7}\.?[ ](?:(?:19|20)\d\d|\d\d\b)",
    re.IGNORECASE,
)


MARKER_CELL = re.compile(
    r"[^\w]{0,4}(?:\d{1,2}[.)] )?(?:anti-|s|c|cy|m)?CD(\d{1,3})[a-zA-Z]{0,2}(?!\d)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text and where it stands."""

    text: str
    start: int
    end: int


@dataclass(slots=True)
class Column:
    """One column: what its head says it holds."""

    role: str
    start: int
    end: int
    when: tuple[int, ...] = ()
    text: str = ""
    method: str = ""


def cells_of(text: str, start: int) -> list[Cell]:
    """The cells of one line, by bars, tabs or wide gaps."""
    out: list[Cell] = []
    if "|" in text:
        at = 0
        for part in text.split("|"):
            lead = len(part) - len(part.lstrip())
            out.append(Cell(part.strip(), start + at + lead, start + at + len(part.rstrip())))
            at += len(part) + 1
        while out and not out[0].text:
            out.pop(0)
        if out and not out[-1].text and text.rstrip().endswith("|"):
            out.pop()
        return out
    if text.count(";") >= 2 and "; " not in text and "\t" not in text:
        return cells_of(text.replace(";", "|"), start)
    at = 0
    for gap in [*_GAPS.finditer(text), None]:
        stop = gap.start() if gap else len(text)
        part = text[at:stop].strip()
        if part:
            lead = at + len(text[at:stop]) - len(text[at:stop].lstrip())
            out.append(Cell(part, start + lead, start + lead + len(part)))
        at = gap.end() if gap else stop
    return out


def marker_of(cell: Cell) -> str:
    match = MARKER_CELL.match(cell.text)
    return match.group(1) if match else ""


def column_of(cell: Cell, words: Words) -> Column:
    lowered = " ".join(cell.text.lower().strip(" :.").split())
    column = Column(words.table.get(lowered, ""), cell.start, cell.end, text=lowered)
    padded = f" {re.sub(r'[()/,]', ' ', lowered)} "
    if any(role == "other" and " " in name and f" {name} " in padded for name, role in words.table.items()):
        column.role = "other"
    named = _MONTHS.search(lowered)
    date = named or _DATE.search(lowered)
    if named:
        month = (
            "janfebmaraprmayjunjulaugsepoctnovdec".find(
                named.group(2)
                .replace("mär", "mar")
                .replace("mai", "may")
                .replace("okt", "oct")
                .replace("dez", "dec")
            )
            // 3
            + 1
        )
        column.when = (int(named.group()[-2:]), month, int(named.group(1)))
    elif date:
        column.when = _when(date)
    if column.when and column.when[0] > 99:
        column.when = (column.when[0] % 100, *column.when[1:])
    kinds = {t.kind for t in Scanner(lowered, words, frozenset(), {}).run()}
    if column.role == "" and "hscore" in kinds:
        column.role = "hscore"
    first = lowered.split(" ")[0]
    if column.role == "" and first in ("pct", "percent", "%") and " " in lowered and not kinds & {"norm"}:
        column.role = "percent"
    if (
        column.role == ""
        and words.table.get(first) in ("current", "other")
        and first not in ("patient", "case")
    ):
        column.role = words.table[first]
    if column.role == "" and "%" in lowered and not kinds & {"mal", "norm", "dx"}:
        column.role = "percent" if "norm" not in kinds else "other"
    if column.role == "":
        if ("norm" in kinds and "mal" not in kinds) or "control" in lowered:
            column.role = "other"
        elif "current" in kinds or lowered.startswith("this"):
            column.role = "current"
        elif "history" in kinds:
            column.role = "other"
        elif date:
            column.role = "date"
        elif kinds & {"mal", "dx"}:
            column.role = "current"
        elif kinds & {"flowm", "ihcm"}:
            column.role = "method"
        elif any(
            words.table.get(w) in ("other", "current", "call", "percent", "intensity")
            for w in lowered.split()
        ):
            column.role = next(
                words.table[w]
                for w in lowered.split()
                if words.table.get(w) in ("other", "current", "call", "percent", "intensity")
            )
    elif column.role == "current" and "history" in kinds:
        column.role = "other"
    return column


def _when(date: re.Match[str]) -> tuple[int, ...]:
    parts = date.groups()
    if parts[2]:
        if parts[3]:
            return int(parts[2]), int(parts[3]), int(parts[4] or 0)
        return int(parts[2]), int(parts[1] or parts[0] or 0), int(parts[0] or 0) if parts[1] else 0
    return 2000 + int(parts[7]), int(parts[6]), int(parts[5])


def cell_value(text: str, words: Words, legend: dict[str, str], role: str) -> tuple[str, str]:
    """What one cell says: a state and how (word, sign, percent, score)."""
    stripped = re.sub(r"[ ]?\((?:\d|\*)\)$|[¹²³†‡]+$", "", text.strip().strip("|").strip())
    if not stripped:
        return "", ""
    if stripped.lower() in legend:
        return legend[stripped.lower()], "word"
    number = re.fullmatch(r"[<>]?[ ]?=?[ ]?(\d{1,3}(?:[.,]\d+)?)[ ]?%?", stripped)
    if number and (role in ("percent", "hscore") or "%" in stripped):
        return _numbered(stripped, float(number.group(1).replace(",", ".")), role, words.policy)
    tokens = Scanner("CD1 " + stripped, words, frozenset(), legend).run()
    return _cell_tokens(tokens, words.policy, stripped)


def _numbered(text: str, value: float, role: str, policy: Policy) -> tuple[str, str]:
    if role == "hscore":
        return (
            "pos" if value >= policy.h_score_positive else "low" if value >= policy.h_score_low else "neg"
        ), "hscore"
    if text.startswith("<"):
        value -= 0.01
    return (
        "pos" if value >= policy.percent_positive else "low" if value >= policy.percent_low else "neg"
    ), "pct"


def _cell_tokens(tokens: list[Token], policy: Policy, text: str) -> tuple[str, str]:
    first, states = tokens[0], []
    if first.sign:
        states.append(first.sign)
    flip = False
    percent = ""
    for token in tokens[1:]:
        kind = token.kind
        if token is tokens[1] and token.text.startswith("repeat") and len(tokens) > 2:
            return "unk", "word"
        if kind in ("failed", "pending", "mask", "hedge") or token.text == "?":
            return "unk", "word"
        if kind in ("norm", "cells", "small"):
            break
        if kind in ("pos", "neg", "low") or kind == "v":
            value = token.val or kind
            states.append({"pos": "neg", "neg": "pos", "low": "pos"}[value] if flip else value)
            flip = False
        elif kind == "negator":
            flip = True
        elif kind == "pct" and not percent:
            percent = (
                "pos"
                if token.lo >= policy.percent_positive
                else "low"
                if token.hi >= policy.percent_low
                else "neg"
            )
    if states:
        known = set(states)
        if "unk" in known:
            return "unk", "word"
        return ("low" if "low" in known or len(known) > 1 else known.pop()), "word"
    if percent:
        return percent, "pct"
    if text in ("-", "–"):
        return "neg", "sign"
    if re.fullmatch(r"[-–—_.*#/ xX]+", text):
        return "unk", "word"
    return "", ""
