"""Approval by region in words: for which disease it stands, and what the filters look at (rules 9.8, H-39)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mappings.deciding.approval import RegionStatus, status_here
from mappings.evaluation import Assessment, OptionMatch
from smart_app.page import words

_LABELLED = frozenset({"approved", "accelerated-approval", "conditional"})
_SHORT = {"lbcl": "LBCL", "dlbcl": "DLBCL", "pmbcl": "PMBCL", "fl": "FL", "mcl": "MCL", "b-all": "B-ALL"}
_LONGEST_WORDS = 60


@dataclass(frozen=True, slots=True)
class StatusLine:
    """One approval row as last seen, with all its words."""

    region: str
    state: str
    text: str
    as_of: str
    check_label: bool


@dataclass(frozen=True, slots=True)
class StatusHere:
    """What holds in one region for this patient's disease, in a few words; `as_of` where one row says it."""

    region: str
    said: str
    as_of: str


def status_lines(match: OptionMatch) -> tuple[StatusLine, ...]:
    """Every row that says something, whatever disease it is of."""
    rows = (_line(row) for row in match.status)
    return tuple(line for line in rows if line.state)


def statuses_here(match: OptionMatch, assessment: Assessment) -> tuple[StatusHere, ...]:
    """One line per region for the closed row and the print sheet: the state, and which disease it is of."""
    lines = []
    for one in status_here(match.status, assessment):
        told = [row for row in one.rows if _state(row)]
        if not told:
            continue
        said = "; ".join(dict.fromkeys(_said(row) for row in told))
        if not one.own:
            said += f"; {_disease_words(assessment)} not read"
        days = {words.iso_words(str(row.get("as_of") or "")) for row in told}
        lines.append(StatusHere(one.region, said, days.pop() if len(days) == 1 else ""))
    return tuple(lines)


def status_groups(match: OptionMatch, assessment: Assessment) -> dict[str, str]:
    """By region, the groups that a filter on status finds this option under; `other` where its disease is not read."""
    return {one.region.lower(): " ".join(_groups(one)) for one in status_here(match.status, assessment)}


def _groups(one: RegionStatus) -> list[str]:
    if not one.own:
        return ["other"]
    return list(dict.fromkeys(_group(str(row.get("state") or "")) for row in one.rows))


def _group(state: str) -> str:
    if state in _LABELLED:
        return "label"
    return {"off-label": "off", "investigational": "trial"}.get(state, "other")


def _state(row: Mapping[str, Any]) -> str:
    return words.STATUS_WORDS.get(str(row.get("state") or ""), "")


def _said(row: Mapping[str, Any]) -> str:
    """`Off-label for DLBCL`; where no disease is named, a label with the words it was read in."""
    named = [_SHORT[disease] for disease in row.get("diseases") or () if disease in _SHORT]
    if named:
        return f"{_state(row)} for {words.joined(named)}"
    if row.get("state") in _LABELLED:
        return f"{_state(row)}: {words.short(str(row.get('indication') or ''), _LONGEST_WORDS)}"
    return _state(row)


def _disease_words(assessment: Assessment) -> str:
    if assessment.pmbcl:
        return _SHORT["pmbcl"]
    return _SHORT.get(assessment.disease_group, "this disease")


def _line(row: Mapping[str, Any]) -> StatusLine:
    return StatusLine(
        region=str(row.get("region") or ""),
        state=_state(row),
        text=str(row.get("indication") or ""),
        as_of=words.iso_words(str(row.get("as_of") or "")),
        check_label=not row.get("seen", True),
    )
