"""The tables of the store, the same on SQLite and PostgreSQL; nothing of a patient stands in them in the clear.

The migrations in `migrations/` make these tables; a test compares both.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

SHORT, LONG = 200, 1000
_FORM = "%Y-%m-%dT%H:%M:%S.%fZ"


class Moment(TypeDecorator[datetime]):
    """A moment as UTC text of fixed length, which sorts as time does and reads the same on both databases."""

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Into the database."""
        return None if value is None else moment_text(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Out of the database."""
        return None if value is None else read_moment(value)


def moment_text(value: datetime) -> str:
    """A moment as it stands in the tables; a naive one is a fault of the program."""
    if value.tzinfo is None:
        raise ValueError("a moment without zone cannot be stored")
    return value.astimezone(UTC).strftime(_FORM).rjust(27, "0")


def read_moment(text: str) -> datetime:
    """The moment that `moment_text` wrote."""
    return datetime.strptime(text, _FORM).replace(tzinfo=UTC)


def clean(text: str, longest: int = SHORT) -> str:
    """Text both databases can hold: cut to length, without NUL and lone surrogates (T-19)."""
    short = text[:longest]
    if short.isascii() and "\x00" not in short:
        return short
    return short.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


TABLES = MetaData()

META = Table(
    "meta", TABLES, Column("name", String(40), primary_key=True), Column("value", Text, nullable=False)
)
"""Facts about this database: its id, the tail of the audit chain, the knowledge last served."""

AUDIT = Table(
    "audit",
    TABLES,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("row_id", String(32), nullable=False, unique=True),
    Column("event", String(40), nullable=False),
    Column("at", Moment, nullable=False, index=True),
    Column("site", String(SHORT), nullable=False),
    Column("service", String(SHORT), nullable=False),
    Column("hook", String(SHORT), nullable=False),
    Column("hook_instance", String(SHORT), nullable=False),
    Column("tenant", String(SHORT), nullable=False),
    Column("patient_key", String(SHORT), nullable=False),
    Column("user_key", String(SHORT), nullable=False),
    Column("category", String(SHORT), nullable=False),
    Column("knowledge_digest", String(SHORT), nullable=False),
    Column("milliseconds", Double, nullable=False),
    Column("silent", Boolean, nullable=False),
    Column("suppressed", Integer, nullable=False),
    Column("keys", Text, nullable=False),
    Column("cards", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("key_id", String(8), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
"""One row per call or event, each signed together with the hash of the one before it (T-30)."""

CARD = Table(
    "card",
    TABLES,
    Column("site", String(SHORT), primary_key=True),
    Column("card", String(SHORT), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("service", String(SHORT), nullable=False),
    Column("category", String(SHORT), nullable=False),
    Column("kind", String(SHORT), nullable=False),
    Column("silent", Boolean, nullable=False),
    Column("patient_key", String(SHORT), nullable=False),
    Column("user_key", String(SHORT), nullable=False),
    Column("facts_digest", String(SHORT), nullable=False),
)
Index("card_of_user", CARD.c.site, CARD.c.user_key, CARD.c.patient_key, CARD.c.facts_digest)

FEEDBACK = Table(
    "feedback",
    TABLES,
    Column("site", String(SHORT), primary_key=True),
    Column("card", String(SHORT), primary_key=True),
    Column("outcome", String(20), primary_key=True),
    Column("outcome_timestamp", String(40), primary_key=True),
    Column("at", Moment, nullable=False, index=True),
    Column("service", String(SHORT), nullable=False),
    Column("accepted_suggestions", Text, nullable=False),
    Column("reason_code", String(SHORT), nullable=False),
    Column("reason_system", String(LONG), nullable=False),
    Column("reason_display", String(SHORT), nullable=False),
    Column("comment", LargeBinary, nullable=False),
)

REPLAY = Table(
    "replay",
    TABLES,
    Column("token", String(64), primary_key=True),
    Column("until", Moment, nullable=False, index=True),
)
"""Token ids seen, as hashes of site, issuer and `jti`, until no token of that id can be valid any more (T-04)."""

LAUNCH_STATE = Table(
    "launch_state",
    TABLES,
    Column("state_hash", LargeBinary, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("expires", Moment, nullable=False, index=True),
)

WORKSPACE = Table(
    "workspace",
    TABLES,
    Column("workspace", String(SHORT), primary_key=True),
    Column("cookie_hash", LargeBinary, nullable=False),
    Column("site", String(SHORT), nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("version", Integer, nullable=False),
    Column("last_used", Moment, nullable=False),
    Column("expires", Moment, nullable=False, index=True),
)

NODE = Table(
    "node",
    TABLES,
    Column("node", String(SHORT), primary_key=True),
    Column("knowledge_version", String(SHORT), nullable=False),
    Column("knowledge_digest", String(SHORT), nullable=False),
    Column("seen", Moment, nullable=False),
)
"""Which knowledge each process serves, so that two nodes can tell that they differ (H-60)."""
