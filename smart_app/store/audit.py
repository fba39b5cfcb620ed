"""The audit: rows of calls and events, appended in batches by one writer at a time, read again for export."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, String, insert, select, type_coerce, update

from cds_hooks.memory import CallRecord
from smart_app.store.chain import Tail, chained, read_tail
from smart_app.store.tables import AUDIT, CARD, LONG, META, clean
from smart_app.store.upsert import insert_once

AuditRow = dict[str, Any]

_PAGE = 500
_MOST_CARDS = 20
_MOST_SUPPRESSED = 1000
_NO_CALL: AuditRow = {
    "service": "",
    "hook": "",
    "hook_instance": "",
    "tenant": "",
    "patient_key": "",
    "user_key": "",
    "category": "",
    "knowledge_digest": "",
    "milliseconds": 0.0,
    "silent": False,
    "suppressed": 0,
    "keys": "{}",
    "cards": "[]",
    "detail": "{}",
}
_CALL_TEXTS = (
    "site",
    "service",
    "hook",
    "hook_instance",
    "tenant",
    "patient_key",
    "user_key",
    "category",
    "knowledge_digest",
)


def call_row(record: CallRecord) -> AuditRow:
    """One answered call as it goes into the audit, without number and hash; `at` must have a zone."""
    if record.at.tzinfo is None:
        raise ValueError("the moment of a call has no zone")
    cards = [
        [
            clean(card.card),
            clean(card.kind),
            clean(card.facts_digest),
            [clean(one) for one in card.suggestions],
        ]
        for card in record.cards[:_MOST_CARDS]
    ]
    return {
        **_NO_CALL,
        **{name: clean(getattr(record, name)) for name in _CALL_TEXTS},
        "row_id": secrets.token_hex(16),
        "event": "call",
        "at": record.at,
        "milliseconds": float(record.milliseconds) if math.isfinite(record.milliseconds) else -1.0,
        "silent": bool(record.silent),
        "suppressed": max(0, min(int(record.suppressed), _MOST_SUPPRESSED)),
        "keys": _json({clean(key): clean(state) for key, state in record.keys.items()}),
        "cards": _json(cards),
    }


def event_row(at: datetime, event: str, site: str, detail: Mapping[str, str]) -> AuditRow:
    """One event that is not a call (a forced downgrade, a restore) as it goes into the audit."""
    return {
        **_NO_CALL,
        "row_id": secrets.token_hex(16),
        "event": clean(event, 40),
        "at": at,
        "site": clean(site),
        "detail": _json({clean(name): clean(value, LONG) for name, value in detail.items()}),
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), sort_keys=True)


def lock_tail(connection: Connection) -> Tail:
    """The end of the chain, held until this transaction ends.

    SQLite transactions of the writer hold the write lock from their first statement (BEGIN IMMEDIATE).
    """
    query = select(META.c.value).where(META.c.name == "audit_tail").with_for_update()
    return read_tail(connection.scalars(query).one())


def append(connection: Connection, key: bytes, rows: Sequence[AuditRow], again: bool = False) -> Tail:
    """Appends rows and the cards they name; `again` leaves out rows that are already there (from a spool)."""
    tail = lock_tail(connection)
    if again:
        ids = [row["row_id"] for row in rows]
        there = set(connection.scalars(select(AUDIT.c.row_id).where(AUDIT.c.row_id.in_(ids))))
        rows = list({row["row_id"]: row for row in rows if row["row_id"] not in there}.values())
    signed = list(chained(key, tail, rows))
    if not signed:
        return tail
    connection.execute(insert(AUDIT), signed)
    cards = [card for row in signed if row["event"] == "call" for card in _card_rows(row)]
    if cards:
        connection.execute(insert_once(connection, CARD), cards)
    last = Tail(signed[-1]["seq"], signed[-1]["hash"])
    connection.execute(update(META).where(META.c.name == "audit_tail").values(value=last.text()))
    return last


def _card_rows(row: AuditRow) -> Iterator[dict[str, Any]]:
    same = ("site", "at", "service", "category", "silent", "patient_key", "user_key")
    for card, kind, digest, _ in json.loads(row["cards"]):
        yield {**{name: row[name] for name in same}, "card": card, "kind": kind, "facts_digest": digest}


def stored_tail(connection: Connection) -> Tail:
    """The end of the chain as the database says."""
    return read_tail(connection.scalars(select(META.c.value).where(META.c.name == "audit_tail")).one())


def audit_rows(connection: Connection) -> Iterator[Row[Any]]:
    """All rows in order of their numbers, read page by page, `at` as the text that is stored.

    Somebody may have written anything there: what no moment can be made of must show as altered, not as an error.
    """
    columns = [
        type_coerce(column, String).label("at") if column.name == "at" else column for column in AUDIT.columns
    ]
    after = 0
    while True:
        query = select(*columns).where(AUDIT.c.seq > after).order_by(AUDIT.c.seq).limit(_PAGE)
        page = connection.execute(query).all()
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].seq
