"""Token ids that were seen, so that a token works once (T-04)."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import Connection, delete, select

from smart_app.store.tables import REPLAY
from smart_app.store.upsert import insert_once

_CHUNK = 1000


def token_hash(site: str, issuer: str, token_id: str) -> str:
    """One name for a token id of an issuer at a site; the length of each part stands before it."""
    parts = "".join(f"{len(part)}:{part}" for part in (site, issuer, token_id))
    return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()


def first(connection: Connection, token: str, until: datetime) -> bool:
    """Whether this INSERT was the one that made the row; nothing is read first, so no other can slip in."""
    return connection.execute(insert_once(connection, REPLAY), {"token": token, "until": until}).rowcount == 1


def prune(connection: Connection, now: datetime) -> int:
    """Forgets up to a thousand ids whose tokens have run out; gives how many."""
    old = select(REPLAY.c.token).where(REPLAY.c.until < now).limit(_CHUNK)
    return connection.execute(delete(REPLAY).where(REPLAY.c.token.in_(old))).rowcount
