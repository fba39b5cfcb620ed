"""Feedback rows in and out, and what follows from them: which cards a user has overridden (H-44, H-49)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, or_, select

from cds_hooks.memory import FeedbackRow
from smart_app.store.keys import seal_text
from smart_app.store.tables import CARD, FEEDBACK, LONG, META, clean
from smart_app.store.upsert import insert_of

_KEY = ("site", "card", "outcome", "outcome_timestamp")
_SAID = ("reason_code", "reason_system", "reason_display", "accepted_suggestions")
_LONGEST_COMMENT = 4000


def put_feedback(connection: Connection, key: bytes, rows: Sequence[FeedbackRow]) -> None:
    """Stores rows, each of (site, card, outcome, outcomeTimestamp) once; what a repeat adds is added."""
    values = [_values(key, row) for row in rows]
    # one order for all writers: two that meet wait for each other instead of blocking for ever
    values.sort(key=lambda one: tuple(one[name] for name in _KEY))
    statement = insert_of(connection, FEEDBACK)
    new = statement.excluded
    newer: dict[str, Any] = {
        name: case((or_(new[name] == "", new[name] == "[]"), FEEDBACK.c[name]), else_=new[name])
        for name in _SAID
    }
    newer["comment"] = case((func.length(new.comment) == 0, FEEDBACK.c.comment), else_=new.comment)
    connection.execute(statement.on_conflict_do_update(index_elements=_KEY, set_=newer), values)


def _values(key: bytes, row: FeedbackRow) -> Mapping[str, Any]:
    return {
        "site": clean(row.site),
        "card": clean(row.card),
        "outcome": clean(row.outcome, 20),
        "outcome_timestamp": clean(row.outcome_timestamp, 40),
        "at": row.at,
        "service": clean(row.service),
        "accepted_suggestions": json.dumps([clean(one) for one in row.accepted_suggestions]),
        "reason_code": clean(row.reason_code),
        "reason_system": clean(row.reason_system, LONG),
        "reason_display": clean(row.reason_display),
        "comment": seal_text(key, clean(row.comment, _LONGEST_COMMENT)),
    }


_OVERRIDDEN = (
    select(CARD.c.kind)
    .join(FEEDBACK, (FEEDBACK.c.site == CARD.c.site) & (FEEDBACK.c.card == CARD.c.card))
    .where(
        *(CARD.c[name] == bindparam(name) for name in ("site", "user_key", "patient_key", "facts_digest")),
        FEEDBACK.c.outcome == "overridden",
        FEEDBACK.c.reason_code != "",
        FEEDBACK.c.at > select(META.c.value).where(META.c.name == "suppress_after").scalar_subquery(),
    )
)


def overridden_kinds(
    connection: Connection, site: str, user_key: str, patient_key: str, facts_digest: str
) -> frozenset[str]:
    """Kinds of cards overridden with a coded reason on these very facts, since the database was last restored."""
    given = {"site": site, "user_key": user_key, "patient_key": patient_key, "facts_digest": facts_digest}
    return frozenset(connection.scalars(_OVERRIDDEN, {name: clean(value) for name, value in given.items()}))
