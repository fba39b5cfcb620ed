"""Launch states and workspaces of the app, as sealed bytes: a token never stands here in the clear (T-18)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Table, delete, select, update

from smart_app.store.access import Access
from smart_app.store.tables import LAUNCH_STATE, WORKSPACE, clean
from smart_app.store.upsert import insert_once


@dataclass(frozen=True, slots=True)
class Row:
    """One workspace as stored; `version` counts its changes, `sealed` is the launch owner's to open."""

    workspace: str
    cookie_hash: bytes
    site: str
    sealed: bytes
    version: int
    last_used: datetime
    expires: datetime


class AlreadyThere(ValueError):
    """A launch state or workspace of this name exists: names are random, so this is a fault or an attack."""


class Workspaces:
    """Every method is one statement, so two workers never both win; each may raise `StoreDown` within 2 s."""

    def __init__(self, access: Access, now: Callable[[], datetime]) -> None:
        self._access = access
        self._now = now

    def put_state(self, state_hash: bytes, sealed: bytes, expires: datetime) -> None:
        """Keeps a launch until its answer comes back; raises `AlreadyThere`."""
        self._put(LAUNCH_STATE, {"state_hash": state_hash, "sealed": sealed, "expires": expires})

    def take_state(self, state_hash: bytes) -> bytes | None:
        """The launch of a state, once: the row goes with the answer. None if unknown, used before or run out."""
        taken = (
            delete(LAUNCH_STATE)
            .where(LAUNCH_STATE.c.state_hash == state_hash)
            .returning(LAUNCH_STATE.c.sealed, LAUNCH_STATE.c.expires)
        )
        row = self._access.run(lambda connection: connection.execute(taken).one_or_none())
        return bytes(row.sealed) if row is not None and row.expires > self._now() else None

    def put(self, workspace: str, cookie_hash: bytes, site: str, sealed: bytes, expires: datetime) -> None:
        """Opens a workspace at version 1; raises `AlreadyThere`."""
        values = {
            "workspace": clean(workspace),
            "cookie_hash": cookie_hash,
            "site": clean(site),
            "sealed": sealed,
            "version": 1,
            "last_used": self._now(),
            "expires": expires,
        }
        self._put(WORKSPACE, values)

    def get(self, workspace: str) -> Row | None:
        """A workspace that has not run out, or None."""
        query = select(WORKSPACE).where(
            WORKSPACE.c.workspace == clean(workspace), WORKSPACE.c.expires > self._now()
        )
        row = self._access.run(lambda connection: connection.execute(query).one_or_none())
        return Row(**row._mapping) if row is not None else None

    def replace(self, workspace: str, sealed: bytes, version: int) -> bool:
        """New content where the version is still the one read; False where another was quicker or it has ended."""
        change = (
            update(WORKSPACE)
            .where(
                WORKSPACE.c.workspace == clean(workspace),
                WORKSPACE.c.version == version,
                WORKSPACE.c.expires > self._now(),
            )
            .values(sealed=sealed, version=version + 1, last_used=self._now())
        )
        return self._changed(change) == 1

    def touch(self, workspace: str, expires: datetime | None = None) -> bool:
        """Notes that a workspace is in use, with a new end if given; False where it has ended."""
        values: dict[str, datetime] = {"last_used": self._now()}
        if expires is not None:
            values["expires"] = expires
        where = (WORKSPACE.c.workspace == clean(workspace), WORKSPACE.c.expires > self._now())
        return self._changed(update(WORKSPACE).where(*where).values(**values)) == 1

    def end(self, workspace: str) -> bool:
        """Ends a workspace; its token is gone with it. False where there was none."""
        return self._changed(delete(WORKSPACE).where(WORKSPACE.c.workspace == clean(workspace))) == 1

    def end_site(self, site: str) -> int:
        """Ends all workspaces of a site; gives how many."""
        return self._changed(delete(WORKSPACE).where(WORKSPACE.c.site == clean(site)))

    def purge(self, now: datetime) -> int:
        """Forgets states and workspaces that have run out; gives how many."""
        return self._changed(delete(LAUNCH_STATE).where(LAUNCH_STATE.c.expires <= now)) + self._changed(
            delete(WORKSPACE).where(WORKSPACE.c.expires <= now)
        )

    def _changed(self, statement: Any) -> int:
        return self._access.run(lambda connection: int(connection.execute(statement).rowcount))

    def _put(self, table: Table, values: dict[str, Any]) -> None:
        made = self._access.run(
            lambda connection: connection.execute(insert_once(connection, table), values).rowcount
        )
        if made != 1:
            raise AlreadyThere(table.name)
