"""Sessions and pending sign-ins in the store, sealed: the only place that opens one for a request (T-12, T-13, T-18).

A workspace opens with its name from the path and the secret of its own cookie, or not at all.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec

from ehr.site import Config, Site
from smart_app.launch.fault import LaunchFault
from smart_app.launch.seal import SealBroken, Sealer
from smart_app.launch.session import Pending, Session, Tokens, dumped, read

SIGN_IN_LIFE = timedelta(minutes=10)
WORKSPACE_LIFE = timedelta(hours=12)
_NAME = re.compile(r"[A-Za-z0-9_-]{22,64}")
_ATTEMPTS = 20


class Row(Protocol):
    """A stored workspace."""

    @property
    def cookie_hash(self) -> bytes: ...

    @property
    def site(self) -> str: ...

    @property
    def sealed(self) -> bytes: ...

    @property
    def version(self) -> int: ...

    @property
    def last_used(self) -> datetime: ...

    @property
    def expires(self) -> datetime: ...


class WorkspaceStore(Protocol):
    """The store of workspaces; it never sees a token in the clear. Every method may raise `StoreDown`."""

    def put_state(self, state_hash: bytes, sealed: bytes, expires: datetime) -> None:
        """Keeps a pending sign-in until `expires`."""

    def take_state(self, state_hash: bytes) -> bytes | None:
        """Gives a pending sign-in once and never again."""

    def put(self, workspace: str, cookie_hash: bytes, site: str, sealed: bytes, expires: datetime) -> None:
        """Keeps a new workspace."""

    def get(self, workspace: str) -> Row | None:
        """The row of a workspace."""

    def replace(self, workspace: str, sealed: bytes, version: int) -> bool:
        """Puts a new value in place of the one of this version; False where another came first."""

    def touch(self, workspace: str) -> object:
        """Notes that the workspace is in use."""

    def end(self, workspace: str) -> object:
        """Deletes a workspace."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A workspace that the caller has shown the cookie of."""

    name: str
    site: Site
    session: Session
    version: int
    last_used: datetime


class Vault:
    """Keeps pending sign-ins and sessions; holds none of them in memory."""

    def __init__(
        self,
        store: WorkspaceStore,
        sealer: Sealer,
        config: Callable[[], Config],
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._config = config
        self._clock = clock

    def keep_pending(self, state: str, pending: Pending) -> None:
        """Keeps a sign-in under the hash of its state for ten minutes."""
        key = digest(state)
        sealed = self._sealer.seal(dumped(pending), "state:" + key.hex())
        self._store.put_state(key, sealed, self._clock() + SIGN_IN_LIFE)

    def take_pending(self, state: str) -> Pending:
        """The sign-in of a state, once; raises `LaunchFault` for one that is unknown, used or expired."""
        key = digest(state)
        sealed = self._store.take_state(key)
        if sealed is None:
            raise LaunchFault("state-unknown")
        try:
            return read(self._sealer.open(sealed, "state:" + key.hex()), Pending)
        except (SealBroken, msgspec.MsgspecError) as error:
            raise LaunchFault("state-unknown", "sealed-otherwise") from error

    def create(self, session: Session) -> tuple[str, str]:
        """A new workspace: its name for the path and the secret for its cookie, 256 bits each."""
        name, secret = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        sealed = self._sealer.seal(dumped(session), "workspace:" + name)
        self._store.put(name, digest(secret), session.site, sealed, self._clock() + WORKSPACE_LIFE)
        return name, secret

    def exists(self, name: str) -> bool:
        """Whether a workspace of this name is kept."""
        return bool(_NAME.fullmatch(name)) and self._store.get(name) is not None

    def enter(self, name: str, secret: str) -> Opened:
        """Opens a workspace for its cookie; raises `LaunchFault` alike for unknown, foreign and timed-out ones."""
        if not _NAME.fullmatch(name) or not secret:
            raise LaunchFault("not-found", "no-cookie" if not secret else "form")
        row = self._store.get(name)
        if row is None:
            raise LaunchFault("not-found", "unknown")
        if not hmac.compare_digest(bytes(row.cookie_hash), digest(secret)):
            raise LaunchFault("not-found", "other-cookie")
        return self._opened(name, row)

    def peek(self, name: str) -> Opened:
        """Opens a workspace for our own background work, which a request with its cookie has begun."""
        row = self._store.get(name)
        if row is None:
            raise LaunchFault("ended", "gone")
        return self._opened(name, row)

    def _opened(self, name: str, row: Row) -> Opened:
        now = self._clock()
        site = self._config().site(row.site)
        idle = timedelta(minutes=site.idle_minutes) if site else timedelta()
        if (
            site is None
            or site.smart is None
            or now >= _utc(row.expires)
            or now - _utc(row.last_used) >= idle
        ):
            self._store.end(name)
            raise LaunchFault("not-found", "site-gone" if site is None else "timed-out")
        try:
            session = read(self._sealer.open(row.sealed, "workspace:" + name), Session)
        except (SealBroken, msgspec.MsgspecError) as error:
            self._store.end(name)
            raise LaunchFault("not-found", "sealed-otherwise") from error
        if session.ended:
            raise LaunchFault("ended", "refused")
        return Opened(name, site, session, row.version, _utc(row.last_used))

    def replace(self, opened: Opened, session: Session) -> bool:
        """Puts a changed session in place; False where another request changed it first."""
        sealed = self._sealer.seal(dumped(session), "workspace:" + opened.name)
        return self._store.replace(opened.name, sealed, opened.version)

    def change(self, name: str, change: Callable[[Session], Session]) -> Session:
        """Changes a session whatever else changes it at the same time; raises `LaunchFault` where it is gone."""
        for _ in range(_ATTEMPTS):
            opened = self.peek(name)
            changed = change(opened.session)
            if changed == opened.session or self.replace(opened, changed):
                return changed
        raise LaunchFault("store-down", "contended")

    def bury(self, name: str) -> None:
        """Takes the tokens out of a workspace that the EHR has ended; its page says so until it runs out."""
        self.change(name, lambda kept: replace(kept, tokens=Tokens(""), stated=(), card="", ended=True))

    def touch(self, name: str) -> None:
        """Notes that the user is there."""
        self._store.touch(name)

    def end(self, name: str) -> None:
        """Deletes a workspace with its tokens."""
        self._store.end(name)


def digest(text: str) -> bytes:
    """SHA-256 of a secret: what the store may know of it."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
