"""Brings a database to the tables this program knows, or refuses it; run by every process at start."""

from __future__ import annotations

import secrets
import threading
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert, inspect, select, text

from smart_app.store.engine import StoreRefused
from smart_app.store.tables import META

GENESIS = "0" * 64
_ADVISORY = 7_304_218_551_016
"""Any fixed number: the PostgreSQL lock under which the tables are made."""

# the library keeps the environment of a run in module state
_one_at_a_time = threading.Lock()


@cache
def _script_folder() -> str:
    return str(Path(__file__).with_name("migrations"))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", _script_folder().replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@cache
def known_revisions() -> tuple[str, ...]:
    """Revisions this program can read, newest first."""
    return tuple(step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions())


def check_sound(connection: Connection) -> bool:
    """Whether an SQLite file is whole (`PRAGMA quick_check`); PostgreSQL checks its own pages."""
    if connection.dialect.name != "sqlite":
        return True
    return bool(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() == "ok")


def refuse_newer(connection: Connection) -> str | None:
    """The revision of the database, None for an empty one; raises `StoreRefused` for one we do not know (H-61)."""
    heads = MigrationContext.configure(connection).get_current_heads()
    strangers = [head for head in heads if head not in known_revisions()]
    if strangers:
        raise StoreRefused(
            "db_newer",
            f"The database has tables of revision {strangers[0]}; this program knows up to {known_revisions()[0]}.",
            "Run the newer program, or restore the backup made before it was first started.",
        )
    return heads[0] if heads else None


def upgrade(connection: Connection) -> None:
    """Takes the lock, makes missing tables inside the open transaction; several processes may start at once."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ADVISORY})
    if refuse_newer(connection) != known_revisions()[0]:
        config = _config()
        config.attributes["connection"] = connection
        with _one_at_a_time:
            command.upgrade(config, "head")
    known = set(connection.scalars(select(META.c.name)))
    first = {
        "database_id": secrets.token_hex(16),
        "audit_tail": f"0:{GENESIS}",
        "suppress_after": "",
        "heartbeat": "",
        "knowledge": "",
    }
    rows = [{"name": name, "value": value} for name, value in first.items() if name not in known]
    if rows:
        connection.execute(insert(META), rows)


def has_tables(connection: Connection) -> bool:
    """Whether this is a database of ours at all, for commands that only read."""
    return inspect(connection).has_table("audit")
