"""Lines that a letterhead or a form broke in mid-sentence: a report must say the same with and without the breaks.

A negation that stands at the end of a line belongs to the next one (hazard H-23). Where the reading as written and the
reading with the lines joined do not agree on an antigen, neither is taken.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace

from mappings.facts import Antigen, AntigenState
from mappings.reading.report.model import AntigenFinding, ReportReading

_ENDS = (".", "!", "?", ":", ";", "|")
_ITEM = re.compile(r"\s*(?:[-*•–]\s|\d{1,2}[.)]\s|\[|#)")
_COLUMNS = re.compile(r"\S(?:\s{2,}|\t|\|)\S|\t|\.\.\.|;\S|<")
_SPLIT_WORD = re.compile(r"[a-zà-ÿ]-$")
_LABEL = re.compile(r"\s*[^\s:=][^:=\n]{0,30}[:=]")
_LOWER = re.compile(r"\s*[^\W\d_A-Z]")
REASON = "line-breaks"


def rewrapped(text: str) -> Iterator[str]:
    """The text with lines joined that go on in lower case, then with all that were full; only where it differs."""
    if "\n" not in text.strip():
        return
    lines = text.split("\n")
    width = max(len(line.rstrip()) for line in lines)
    pairs = [(before, line) for before, line in itertools.pairwise(lines) if before.strip() and line.strip()]
    printed = 3 * sum(_was_full(before, line, width) for before, line in pairs) >= len(pairs)
    seen = {text}
    for full in (False, True) if printed else (False,):
        joined = _joined(lines, width, full)
        if joined not in seen:
            seen.add(joined)
            yield joined


def _joined(lines: list[str], width: int, full: bool) -> str:
    out = lines[:1]
    for before, line in itertools.pairwise(lines):
        if _goes_on(before, line) and (_LOWER.match(line) or (full and _was_full(before, line, width))):
            head = out[-1].rstrip()
            out[-1] = head[:-1] + line.lstrip() if _SPLIT_WORD.search(head) else f"{head} {line.lstrip()}"
        else:
            out.append(line)
    return "\n".join(out)


def _goes_on(before: str, line: str) -> bool:
    if not before.strip() or not line.strip() or before.rstrip().endswith(_ENDS):
        return False
    if len(line) - len(line.lstrip()) > len(before) - len(before.lstrip()):
        return False
    return not (_ITEM.match(line) or _COLUMNS.search(before) or _COLUMNS.search(line) or _LABEL.match(line))


def _was_full(before: str, line: str, width: int) -> bool:
    """Whether the first word of the next line had no room left on this one, as where a printer broke the line."""
    return len(before.rstrip()) + 1 + len(line.split(maxsplit=1)[0]) > width


def agreed(readings: list[ReportReading]) -> ReportReading:
    """The last reading, with every antigen unknown on which the readings do not agree (rules 11.1)."""
    last = readings[-1]
    findings: dict[Antigen, AntigenFinding | None] = {}
    for antigen in Antigen:
        found = [reading.findings.get(antigen) for reading in readings]
        states = {one.state if one is not None else None for one in found}
        kept = found[0]
        if len(states) > 1:
            kept = replace(next(one for one in found if one), state=AntigenState.UNKNOWN, reason=REASON)
        findings[antigen] = kept
    return replace(last, findings=findings)
