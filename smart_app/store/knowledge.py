"""Which knowledge was last served, and which the other processes serve (H-60, H-61)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from smart_app.store.tables import META, NODE, clean, moment_text, read_moment
from smart_app.store.upsert import insert_of

ALIVE = timedelta(minutes=5)
_FORGET = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Served:
    """Knowledge that a process served, and when it last said so."""

    node: str
    version: str
    digest: str
    at: datetime


def last_served(connection: Connection) -> Served | None:
    """The knowledge last noted by any process; None in a new database."""
    text = connection.scalars(select(META.c.value).where(META.c.name == "knowledge")).one()
    if not text:
        return None
    values = json.loads(text)
    return Served(values["node"], values["version"], values["digest"], read_moment(values["at"]))


def note_served(connection: Connection, served: Served) -> None:
    """Notes what this process serves; to be repeated at least every `ALIVE`."""
    node, version, digest = clean(served.node), clean(served.version), clean(served.digest)
    statement = insert_of(connection, NODE)
    values = {"knowledge_version": version, "knowledge_digest": digest, "seen": served.at}
    connection.execute(
        statement.values(node=node, **values).on_conflict_do_update(index_elements=["node"], set_=values)
    )
    text = json.dumps({"node": node, "version": version, "digest": digest, "at": moment_text(served.at)})
    connection.execute(update(META).where(META.c.name == "knowledge").values(value=text))
    connection.execute(delete(NODE).where(NODE.c.seen < served.at - _FORGET))


def nodes_alive(connection: Connection, now: datetime) -> tuple[Served, ...]:
    """What each process that spoke within `ALIVE` serves."""
    rows = connection.execute(select(NODE).where(NODE.c.seen > now - ALIVE).order_by(NODE.c.node))
    return tuple(Served(row.node, row.knowledge_version, row.knowledge_digest, row.seen) for row in rows)
