"""INSERT that leaves a row alone which is already there; both databases spell it alike, in dialects of their own."""

from __future__ import annotations

from functools import cache

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_once(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """`INSERT … ON CONFLICT DO NOTHING`: its row count says whether this was the first."""
    return _once(connection.dialect.name, table)


@cache
def _once(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    return postgresql.insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)


def insert_of(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT of this database's dialect, to which a conflict rule is added."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
