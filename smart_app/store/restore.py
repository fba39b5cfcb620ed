"""Notices that the database went back in time (an old copy was restored) and says so where it matters (H-63).

The end of the audit chain is written to a small file outside the database now and then. A database whose own end
lies before it was restored: the audit gets a row that marks the gap, and what users had overridden is shown again.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, select, update

from smart_app.store.audit import append, event_row, stored_tail
from smart_app.store.chain import Tail, read_tail
from smart_app.store.tables import META, moment_text

ANCHOR_FILE = "audit-anchor.json"


def write_anchor(folder: Path, database_id: str, tail: Tail) -> bool:
    """Writes down the end of the chain, whole or not at all; False where the disk refuses."""
    path = folder / ANCHOR_FILE
    draft = folder / f".{ANCHOR_FILE}.{os.getpid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_text(json.dumps({"database": database_id, "tail": tail.text()}), "utf-8")
        draft.chmod(0o600)
        draft.replace(path)
    except OSError:
        return False
    return True


def raise_anchor(folder: Path, database_id: str, tail: Tail) -> None:
    """Writes down an end of the chain where none so far along is: what this process itself has written."""
    known = read_anchor(folder, database_id)
    if known is None or known.seq < tail.seq:
        write_anchor(folder, database_id, tail)


def read_anchor(folder: Path, database_id: str) -> Tail | None:
    """The end of this database's chain as last written down; None where there is none of this database."""
    try:
        values = json.loads((folder / ANCHOR_FILE).read_text("utf-8"))
        return read_tail(values["tail"]) if values["database"] == database_id else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def database_id(connection: Connection) -> str:
    """The random name a database got when it was made."""
    return str(connection.scalars(select(META.c.value).where(META.c.name == "database_id")).one())


def mark_restore(connection: Connection, key: bytes, folder: Path, now: datetime) -> bool:
    """Marks the gap and clears suppression where the database ends before what was written down."""
    tail = stored_tail(connection)
    anchor = read_anchor(folder, database_id(connection))
    if anchor is None or anchor.seq <= tail.seq:
        return False
    gap = {"expected": anchor.text(), "found": tail.text()}
    append(connection, key, [event_row(now, "restored", "", gap)])
    connection.execute(update(META).where(META.c.name == "suppress_after").values(value=moment_text(now)))
    return True
