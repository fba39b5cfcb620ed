"""Which of an option's status rows speak of this patient's disease: asked by every face that shows or filters them.

A label is of a disease, not of a drug: the accelerated approval of one disease never stands for another (rules 9.8,
H-39). What the words of an indication do not tell is not guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mappings.evaluation import Assessment

_ENTITIES = {"lbcl": (frozenset({"lbcl", "dlbcl"}),)}
_PMBCL = (frozenset({"pmbcl"}), frozenset({"lbcl"}))


@dataclass(frozen=True, slots=True)
class RegionStatus:
    """The status rows of one region to go by; not `own`: the rows name other diseases only, all of them are here."""

    region: str
    rows: tuple[Mapping[str, Any], ...]
    own: bool


def status_here(status: Sequence[Mapping[str, Any]], assessment: Assessment) -> tuple[RegionStatus, ...]:
    """Per region, the rows that name this patient's disease; else those that name none; else all, as not of it."""
    regions = dict.fromkeys(str(row.get("region") or "") for row in status)
    return tuple(
        _of_region(region, [row for row in status if str(row.get("region") or "") == region], assessment)
        for region in regions
    )


def _of_region(region: str, rows: list[Mapping[str, Any]], assessment: Assessment) -> RegionStatus:
    for wanted in _wanted(assessment):
        own = tuple(row for row in rows if wanted.intersection(row.get("diseases") or ()))
        if own:
            return RegionStatus(region, own, True)
    untold = tuple(row for row in rows if not row.get("diseases"))
    return RegionStatus(region, untold or tuple(rows), bool(untold))


def _wanted(assessment: Assessment) -> tuple[frozenset[str], ...]:
    """The names a row may have for this disease, the closest first; a DLBCL label is not one of PMBCL."""
    group = assessment.disease_group
    if group == "lbcl" and assessment.pmbcl:
        return _PMBCL
    return _ENTITIES.get(group, (frozenset({group}),)) if group else ()
