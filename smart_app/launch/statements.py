"""How long what a user stated stands, and what a new statement takes the place of (H-46)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from smart_app.launch.session import Session

STATED_LIFE_S = 30 * 60
_ANTIGEN_FIELDS = ("cd19", "cd20", "cd22")
_SAMPLE_FIELDS = ("specimen", "method", "collected")
_SAYING_FIELDS = (*_ANTIGEN_FIELDS, "product", "confirmed", "disregard")


def stated_now(session: Session, now: float) -> tuple[Mapping[str, str], ...]:
    """The statements that still stand: each ends thirty minutes after it was made (H-46)."""
    return tuple(one for one in session.stated if now - float(one["at"]) < STATED_LIFE_S)


def stated_left(session: Session, now: float) -> int | None:
    """In how many seconds the first of the statements ends; None where none stands (H-46)."""
    ends = [float(one["at"]) + STATED_LIFE_S - now for one in stated_now(session, now)]
    return math.ceil(min(ends)) if ends else None


def without_restated(earlier: Mapping[str, str], form: Mapping[str, str]) -> Mapping[str, str]:
    """An earlier statement without the antigens that the new one states again of one specimen; empty if nothing is left.

    A slip that was put right must not stand beside its correction as a result that disagrees.
    """
    again = {name for name in _ANTIGEN_FIELDS if form.get(name)}
    if any(earlier.get(name) != form.get(name) for name in _SAMPLE_FIELDS):
        return earlier
    left = {name: value for name, value in earlier.items() if name not in again}
    return left if any(left.get(name) for name in _SAYING_FIELDS) else {}
