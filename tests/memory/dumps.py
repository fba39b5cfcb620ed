"""Everything a database holds, as bytes, the way a thief of a backup would read it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from postgresql import BINARIES
from sqlalchemy import Connection, select, text

from smart_app.store.engine import SURE, database_url, make_engine, sqlite_file
from smart_app.store.tables import AUDIT


def dump(url: str) -> bytes:
    """The SQLite files whole (with the log of writes), or the dump of a PostgreSQL database with its rows."""
    file = sqlite_file(database_url(url))
    if file is not None:
        return b"".join(path.read_bytes() for path in sorted(file.parent.glob(f"{file.name}*")))
    done = subprocess.run(
        [str(BINARIES / "pg_dump"), "--inserts", url], capture_output=True, check=True, timeout=60
    )
    return done.stdout


def audit_of(url: str) -> Sequence[Any]:
    """All audit rows in order."""
    engine = make_engine(database_url(url), SURE)
    with engine.begin() as connection:
        rows = connection.execute(select(AUDIT).order_by(AUDIT.c.seq)).all()
    engine.dispose()
    return rows


def tamper(url: str, *statements: str) -> None:
    """Changes the audit as somebody would who owns the database: the guard is taken away first."""
    engine = make_engine(database_url(url), SURE)
    with engine.begin() as connection:
        _unguard(connection)
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def _unguard(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.execute(text("DROP TRIGGER IF EXISTS audit_no_update"))
        connection.execute(text("DROP TRIGGER IF EXISTS audit_no_delete"))
    else:
        connection.execute(text("DROP TRIGGER IF EXISTS audit_append_only ON audit"))


def spooled(folder: Path) -> list[Path]:
    """Spool files in a folder."""
    return sorted(folder.glob("audit-spool-*.jsonl"))
