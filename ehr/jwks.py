"""Key sets of registered servers, kept between calls: read again for an unknown `kid`, within bounds.

The address is always one that IT registered, never one from a token (T-05). A key server that is down, slow or
lying neither stops callers whose key is known nor lets anybody else in (T-06).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from joserfc.jwk import ECKey, RSAKey

from ehr.address import AddressFault, parse_address
from ehr.public_keys import KeyRefused, PublicKey, read_key_set, read_public_key
from ehr.site import Site
from ehr.transport import Answer, Deadline, TransportFault

MAX_BYTES = 256 * 1024
READ_SECONDS = 2.0
READS_PER_MINUTE = 5  # of one address; those for unknown kids are shared among the addresses of a site
FRESH_SECONDS = 300.0  # a key taken back by the EHR is refused after this long while calls come in
IDLE_SECONDS = 3600.0  # a copy this old is renewed before it is used
STALE_SECONDS = 24 * 3600.0  # with the key server down; then nobody is let in
_UNKNOWN_SECONDS = 60.0
_PAUSES = (0.0, 3.0, 12.0)
_HEADERS = {"Accept": "application/jwk-set+json, application/json"}


class KeysUnreachable(Exception):
    """The key server gave no answer and the key asked for is not known; `code` is `jwks_unreachable`."""

    code = "jwks_unreachable"


class KeysBad(Exception):
    """The key server's answer is not a key set to trust, and the key is not known; `code` is `jwks_bad`."""

    code = "jwks_bad"


class Getter(Protocol):
    """The part of `ehr.transport.Transport` that key sets are read with."""

    def get(self, url: str, *, headers: Mapping[str, str], deadline: Deadline, max_bytes: int) -> Answer:
        """One answer by the deadline, without redirects; raises `TransportFault`."""


@dataclass(slots=True)
class _Shelf:
    """What is known of one key set address. Times are of the monotonic clock."""

    url: str
    owner: str
    keys: dict[str, PublicKey] = field(default_factory=dict)
    read_at: float | None = None
    tried_at: float = 0.0
    attempts: int = 0
    failures: int = 0
    fault: type[KeysUnreachable] | type[KeysBad] | None = None
    addresses: int = 1
    reads: deque[float] = field(default_factory=deque)
    unknown: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


def _in_background(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="key-set", daemon=True).start()


def _no_note(owner: str, code: str) -> None:
    """Nobody listens."""


class KeyCache:
    """Public keys by site, address and `kid`. Thread-safe; one read at a time per address, few per minute.

    Anybody can send a token with an unknown `kid`, before any signature counts: reads for such come to five a minute
    and site, in equal shares of its addresses, so that a flood that names one address neither keeps the keys of
    another from being renewed nor hides that they changed (T-06).

    `note(site, code)` hears of each read (`fresh`, `jwks_bad`, `jwks_unreachable`) and of each kept key that was used
    (`cached`, or `jwks_stale` where the last read failed).
    """

    def __init__(
        self,
        transport: Getter,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        note: Callable[[str, str], None] = _no_note,
        start: Callable[[Callable[[], None]], None] = _in_background,
    ) -> None:
        self._transport = transport
        self._monotonic = monotonic
        self._note = note
        self._start = start
        self._shelves: dict[tuple[str, str], _Shelf] = {}
        self._lock = threading.Lock()

    def find(self, site: Site, jku: str | None, kid: str, alg: str) -> RSAKey | ECKey | None:
        """The key a hook caller of this site may have signed with, or None.

        `jku` must be one of the site's, to the letter; without it the pasted keys count first, then the site's
        registered key sets. Raises `KeysUnreachable` or `KeysBad` where the answer is not known.
        """
        if jku is not None:
            return self._find(self._of(site, jku), kid, alg) if jku in site.jku else None
        for jwk in site.keys:
            if jwk.get("kid") == kid:
                return _pasted(jwk).for_algorithm(alg)
        trouble: KeysUnreachable | KeysBad | None = None
        for listed in site.jku:
            try:
                found = self._find(self._of(site, listed), kid, alg)
            except (KeysUnreachable, KeysBad) as fault:
                trouble = fault
                continue
            if found is not None:
                return found
        if trouble is not None:
            raise trouble
        return None

    def find_at(self, url: str, kid: str, alg: str, *, allow_http: bool = False) -> RSAKey | ECKey | None:
        """The key of an address that was checked against a registration by the caller (id_tokens).

        An id_token may leave its `kid` out where the set has one key for it (OpenID Connect Core 10.1); a hook
        caller's token may not.
        """
        shelf = self._shelf(url, url, allow_http)
        return self._find(shelf, kid, alg) if kid else self._only(shelf, alg)

    def states(self) -> dict[tuple[str, str], str]:
        """By site and address: `ok`, `jwks_stale`, `jwks_bad` or `jwks_unreachable`, for `/ready` and IT."""
        now = self._monotonic()
        with self._lock:
            shelves = list(self._shelves.values())
        return {(shelf.owner, shelf.url): _state(shelf, now) for shelf in shelves}

    def forget(self, owners: frozenset[str]) -> None:
        """Drops what is kept for sites that are not registered any more."""
        with self._lock:
            self._shelves = {key: shelf for key, shelf in self._shelves.items() if key[0] in owners}

    def _of(self, site: Site, url: str) -> _Shelf:
        shelf = self._shelf(site.name, url, site.test)
        shelf.addresses = len(site.jku)
        return shelf

    def _shelf(self, owner: str, url: str, allow_http: bool) -> _Shelf:
        shelf = self._shelves.get((owner, url))
        if shelf is not None:
            return shelf
        try:
            address = parse_address(url, allow_http=allow_http, allow_query=True)
        except AddressFault as fault:
            raise KeysBad from fault
        with self._lock:
            return self._shelves.setdefault((owner, url), _Shelf(address.text, owner))

    def _find(self, shelf: _Shelf, kid: str, alg: str) -> RSAKey | ECKey | None:
        known = self._known(shelf, kid)
        if known is None and not self._remembered_unknown(shelf, kid):
            read = self._read(shelf, for_unknown=shelf.read_at is not None)
            known = shelf.keys.get(kid)
            if known is None and shelf.fault is not None:
                raise shelf.fault
            if known is None and shelf.read_at is None:
                raise KeysUnreachable
            if known is None and read:
                shelf.unknown[kid] = self._monotonic()
        return None if known is None else known.for_algorithm(alg)

    def _only(self, shelf: _Shelf, alg: str) -> RSAKey | ECKey | None:
        """The one key of the set that fits an algorithm; None where none does or there is a choice."""
        if shelf.read_at is None:
            self._read(shelf)
        if shelf.read_at is None:
            raise shelf.fault or KeysUnreachable
        fitting = [key.kid for key in shelf.keys.values() if alg in key.algorithms]
        return self._find(shelf, fitting[0], alg) if len(fitting) == 1 else None

    def _known(self, shelf: _Shelf, kid: str) -> PublicKey | None:
        """A kept key, after its set was renewed where that is due; a set that is too old is given up."""
        if shelf.read_at is None or kid not in shelf.keys:
            return None
        age = self._monotonic() - shelf.read_at
        if age <= FRESH_SECONDS:
            self._note(shelf.owner, "cached")
            return shelf.keys.get(kid)
        if age > IDLE_SECONDS:
            self._read(shelf)
        elif self._due(shelf):
            self._start(lambda: self._renew(shelf))
        if self._monotonic() - shelf.read_at > STALE_SECONDS:
            shelf.keys, shelf.read_at = {}, None
            return None
        self._note(shelf.owner, "cached" if shelf.fault is None else "jwks_stale")
        return shelf.keys.get(kid)

    def _remembered_unknown(self, shelf: _Shelf, kid: str) -> bool:
        since = shelf.unknown.get(kid)
        if since is None:
            return False
        if self._monotonic() - since <= _UNKNOWN_SECONDS:
            return True
        shelf.unknown.pop(kid, None)
        return False

    def _renew(self, shelf: _Shelf) -> None:
        if shelf.lock.acquire(blocking=False):
            try:
                self._attempt(shelf)
            finally:
                shelf.lock.release()

    def _read(self, shelf: _Shelf, *, for_unknown: bool = False) -> bool:
        """Reads the set unless another thread did so meanwhile or it is too early; whether it was read here."""
        seen = shelf.attempts
        if not shelf.lock.acquire(timeout=READ_SECONDS * 1.5):
            return False
        try:
            return seen == shelf.attempts and self._attempt(shelf, for_unknown=for_unknown)
        finally:
            shelf.lock.release()

    def _due(self, shelf: _Shelf) -> bool:
        pause = _PAUSES[min(shelf.failures, len(_PAUSES) - 1)]
        return not shelf.failures or self._monotonic() - shelf.tried_at >= pause

    def _attempt(self, shelf: _Shelf, *, for_unknown: bool = False) -> bool:
        """One read of the set, if pause and budget allow; the old keys stay where the new set is not good."""
        if not self._due(shelf) or not self._spend(shelf, for_unknown):
            return False
        fault: type[KeysUnreachable] | type[KeysBad] | None = None
        try:
            keys = self._fetch(shelf.url)
        except (TransportFault, KeysUnreachable) as trouble:
            fault = (
                KeysBad
                if getattr(trouble, "code", "") in ("too-large", "redirect", "bad")
                else KeysUnreachable
            )
        except KeyRefused:
            fault = KeysBad
        else:
            shelf.keys, shelf.read_at, shelf.unknown = keys, self._monotonic(), {}
        shelf.tried_at, shelf.fault = self._monotonic(), fault
        shelf.failures = 0 if fault is None else shelf.failures + 1
        shelf.attempts += 1
        self._note(shelf.owner, "fresh" if fault is None else fault.code)
        return True

    def _fetch(self, url: str) -> dict[str, PublicKey]:
        answer = self._transport.get(
            url, headers=_HEADERS, deadline=Deadline.after(READ_SECONDS), max_bytes=MAX_BYTES
        )
        if answer.status != 200:
            raise KeysUnreachable
        return read_key_set(answer.body)

    def _spend(self, shelf: _Shelf, for_unknown: bool) -> bool:
        """Whether this address may be read once more; counts the read if so.

        A first read and a renewal have the whole of the address, a read for an unknown `kid` only its share of the
        site's: with more than five addresses one read in as many minutes as keep the site at five a minute.
        """
        now = self._monotonic()
        share, window = READS_PER_MINUTE, 60.0
        if for_unknown:
            share = max(1, READS_PER_MINUTE // shelf.addresses)
            window = max(60.0, 60.0 * shelf.addresses / READS_PER_MINUTE)
        with self._lock:
            while len(shelf.reads) >= 2 * READS_PER_MINUTE:
                shelf.reads.popleft()
            if sum(now - at < window for at in shelf.reads) >= share:
                return False
            shelf.reads.append(now)
            return True


def _pasted(jwk: Mapping[str, Any]) -> PublicKey:
    try:
        return read_public_key(jwk)
    except KeyRefused as fault:
        raise KeysBad from fault


def _state(shelf: _Shelf, now: float) -> str:
    if shelf.fault is None:
        return "ok"
    if shelf.read_at is not None and now - shelf.read_at <= STALE_SECONDS:
        return "jwks_stale"
    return shelf.fault.code
