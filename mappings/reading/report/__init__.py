"""Reads what a report says of CD19, CD20 and CD22 on malignant cells; when in doubt, unknown (rules 3, 11.1, 11.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mappings.facts import Antigen, AntigenState, Method
from mappings.reading.report.model import AntigenFinding, ReportReading
from mappings.reading.report.reader import read
from mappings.reading.report.words import compile_words, packaged
from mappings.reading.report.wraps import agreed, rewrapped

__all__ = ["AntigenFinding", "ReportReading", "answers", "read_report"]

_compiled: dict[int, tuple[Mapping[str, Any], Any]] = {}


def read_report(
    text: str,
    *,
    specimen: str | None = None,
    method: str | None = None,
    lexicon: Mapping[str, Any] | None = None,
) -> ReportReading:
    """One report's findings per antigen, each with the words that decided (rules CD-4, 11.1, 11.2)."""
    if lexicon is None:
        words = packaged()
    else:
        kept = _compiled.get(id(lexicon))
        if kept is None or kept[0] is not lexicon:
            kept = (lexicon, compile_words(lexicon))
            _compiled.clear()
            _compiled[id(lexicon)] = kept
        words = kept[1]
    by = Method(method) if method in set(Method) else Method.UNSPECIFIED
    first = read(text, words, specimen or "", by)
    if not any(first.findings.values()) and first.malignancy == "not-stated":
        return first
    again = [read(other, words, specimen or "", by) for other in rewrapped(text)]
    return agreed([first, *again]) if again else first


def answers(
    text: str, specimen: str | None = None, method: str | None = None
) -> dict[str, AntigenState | None]:
    """One state or None per antigen name, as the narrative sets ask for it."""
    findings = read_report(text, specimen=specimen, method=method).findings
    return {a.value: found.state if (found := findings[a]) else None for a in Antigen}
