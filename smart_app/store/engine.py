"""Connections to SQLite or PostgreSQL, each kind of work with the time and the durability it needs.

The error of a driver becomes one of a few closed codes here; its text, which may quote values, goes no further.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

_POSTGRESQL = frozenset({"postgresql", "postgres", "postgresql+psycopg"})
_DEAD_PEER_MS = 3000


class StoreRefused(ValueError):
    """A database that must not be used: a stable code, one sentence for the person and one for the fix."""

    def __init__(self, code: str, message: str, fix: str) -> None:
        super().__init__(f"{message} {fix}")
        self.code = code


class Corrupt(OSError):
    """The file of an SQLite database is damaged."""


@dataclass(frozen=True, slots=True)
class Role:
    """One kind of work: how long it may wait (ms), whether a commit waits for the disk, one statement or many.

    `server_durable` is for work that waits on PostgreSQL only: on SQLite it would hold the one write lock meanwhile.
    """

    name: str
    wait_ms: int
    durable: bool
    single: bool
    connections: int
    writes: bool = True
    server_durable: bool = False


HOT = Role("hot", wait_ms=200, durable=False, single=True, connections=8)
"""Token ids and suppression, on the path of a hook call."""
APP = Role("app", wait_ms=2000, durable=False, single=True, connections=8)
"""Launch states and workspaces."""
SURE = Role("sure", wait_ms=5000, durable=True, single=False, connections=4)
"""Feedback: acknowledged means on disk (R-04)."""
WRITER = Role("writer", wait_ms=5000, durable=False, single=False, connections=1, server_durable=True)
"""Audit rows in batches, housekeeping and probing, on a thread of its own."""
READER = Role("reader", wait_ms=30_000, durable=False, single=False, connections=1, writes=False)
"""Exports and summaries: one moment of the database, whatever is written meanwhile."""


def database_url(text: str) -> URL:
    """The address of a database as given; raises `StoreRefused` for one we do not serve.

    The address may hold a password, so it is never repeated in a message.
    """
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise StoreRefused(
            "url", "The database address cannot be read.", "Write sqlite:///FILE or postgresql://…"
        ) from error
    if url.drivername in _POSTGRESQL:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise StoreRefused(
            "url", "Only SQLite and PostgreSQL are served.", "Write sqlite:///FILE or postgresql://…"
        )
    if not url.database or url.database == ":memory:":
        raise StoreRefused("url", "A database in memory forgets.", "Name a file: sqlite:///FILE.")
    return url


def sqlite_file(url: URL) -> Path | None:
    """The file of an SQLite database; None for PostgreSQL."""
    if not url.drivername.startswith("sqlite"):
        return None
    name = url.database or ""
    return Path(name.removeprefix("file:").split("?")[0])


def make_engine(url: URL, role: Role) -> Engine:
    """An engine for one kind of work; nothing connects yet."""
    common: dict[str, Any] = {
        "hide_parameters": True,
        "pool_size": role.connections,
        "max_overflow": 0,
        "pool_timeout": role.wait_ms / 1000,
        "pool_use_lifo": True,
    }
    if role.single:
        common["isolation_level"] = "AUTOCOMMIT"
    if sqlite_file(url) is not None:
        return _sqlite(url, role, common)
    options = f"-c statement_timeout={role.wait_ms} -c lock_timeout={role.wait_ms} -c timezone=UTC"
    options += " -c idle_in_transaction_session_timeout=10000"
    if not (role.durable or role.server_durable):
        options += " -c synchronous_commit=off"
    if not role.writes:
        options += " -c default_transaction_read_only=on"
        common["isolation_level"] = "REPEATABLE READ"
    common["connect_args"] = {
        "options": options,
        "connect_timeout": 2,
        "application_name": f"postcart {role.name}",
        "tcp_user_timeout": _DEAD_PEER_MS,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 2,
    }
    return create_engine(url, **common)


def _sqlite(url: URL, role: Role, common: dict[str, Any]) -> Engine:
    connect_args = {"timeout": role.wait_ms / 1000, "check_same_thread": False}
    engine = create_engine(url, connect_args=connect_args, **common)
    synchronous = "FULL" if role.durable else "NORMAL"

    @event.listens_for(engine, "connect")
    def settle(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {role.wait_ms:d}")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA trusted_schema = OFF")
        if not role.writes:
            connection.execute("PRAGMA query_only = ON")

    if not role.single:

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            # a write lock from the first statement on: a read that turns into a write would fail at once, not wait
            connection.exec_driver_sql("BEGIN IMMEDIATE" if role.writes else "BEGIN")

    return engine


def make_sqlite_file(path: Path) -> None:
    """An empty database file only its owner may read, where there is none yet; raises `OSError`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return


_SQLITE = {
    sqlite3.SQLITE_BUSY: "db_slow",
    sqlite3.SQLITE_LOCKED: "db_slow",
    sqlite3.SQLITE_INTERRUPT: "db_slow",
    sqlite3.SQLITE_READONLY: "db_readonly",
    sqlite3.SQLITE_PERM: "db_readonly",
    sqlite3.SQLITE_FULL: "db_full",
    sqlite3.SQLITE_CORRUPT: "db_corrupt",
    sqlite3.SQLITE_NOTADB: "db_corrupt",
}
_STATES = {
    "57014": "db_slow",
    "55P03": "db_slow",
    "40001": "db_slow",
    "40P01": "db_slow",
    "25006": "db_readonly",
    "42501": "db_readonly",
    "53100": "db_full",
    "XX001": "db_corrupt",
    "XX002": "db_corrupt",
}


def down_code(error: SQLAlchemyError | OSError) -> str:
    """The closed code of what went wrong (safety paper 5, database): never the driver's words."""
    if isinstance(error, PoolTimeout):
        return "db_slow"
    if isinstance(error, IntegrityError | Corrupt):
        return "db_corrupt"
    cause = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(cause, sqlite3.Error):
        number = getattr(cause, "sqlite_errorcode", None)
        return _SQLITE.get(number & 0xFF, "db_down") if isinstance(number, int) else "db_down"
    if isinstance(cause, psycopg.Error) and cause.sqlstate:
        return _STATES.get(cause.sqlstate, "db_down")
    return "db_down"
