"""Who is calling: the caller's signed token against the site it is registered for (CDS Hooks 2.0.1, security).

One site is decided by exact issuer and tenant; everything else in the token must belong to that site. The caller
learns nothing but 401, whatever the cause (T-34); the cause is a closed label for IT's log. Rows T-01 to T-06, T-33.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import Any

from cds_hooks.memory import Memory, StoreDown
from cds_hooks.outcome import Refusal
from ehr.jwks import KeyCache, KeysBad, KeysUnreachable
from ehr.registrations import Registry
from ehr.signed_token import MAX_TOKEN_BYTES, SignedToken, TokenFault, check_signature, open_token
from ehr.site import Site

ALGORITHMS = frozenset({"RS384", "ES384"})
CHALLENGE = 'Bearer realm="postcart"'
LONGEST_LIFE_SECONDS = 3600
_MAX_ID = 256
_MAX_TEXT = 1024
_MAX_AUDIENCES = 20
_LATEST_TIME = 253_402_300_799  # the last second of the year 9999
_BEARER = re.compile(r"Bearer +([^ ]+) *", re.IGNORECASE)


class NotTrusted(Refusal):
    """A caller that is not let in: always the same 401; `why` is a closed label, for the log alone."""

    def __init__(self, why: str) -> None:
        super().__init__(401, "not-trusted", "The caller's token was not accepted.")
        self.why = why
        self.log_code = why
        self.challenge = CHALLENGE


@dataclass(frozen=True, slots=True)
class Caller:
    """The trusted caller of one call: its site, and issuer, tenant and subject of its token ('' if not given).

    `issued` is when its clock says the token was made, in seconds since 1970.
    """

    site: Site
    issuer: str
    tenant: str
    subject: str
    issued: float = 0.0


class Gate:
    """Lets callers in. Thread-safe; `clock` is wall time in seconds, for claims only (T-33).

    `note(site, code)` hears `replay_memory` when a token was let in by this process's own table alone.
    """

    def __init__(
        self,
        registry: Registry,
        keys: KeyCache,
        memory: Memory,
        clock: Callable[[], float] = time.time,
        note: Callable[[str, str], None] = lambda site, code: None,
    ) -> None:
        self._registry = registry
        self._keys = keys
        self._memory = memory
        self._clock = clock
        self._note = note
        self._seen = SeenTokens()

    def admit(self, authorization: str | None, accepted_aud: tuple[str, ...]) -> Caller:
        """The caller whose token this header holds; `accepted_aud` are this endpoint's own addresses.

        Raises `NotTrusted`.
        """
        token = _open(authorization)
        issuer, tenant = _needed_text(token.claims, "iss"), _tenant(token.claims)
        site = self._registry.site_of_token(issuer, tenant)
        if site is None:
            raise NotTrusted("unknown_site")
        if token.jku is not None and token.jku not in site.jku:
            raise NotTrusted("jku_not_listed")
        self._check_signature(token, site)
        _check_audience(token.claims.get("aud"), (*accepted_aud, *site.aud))
        leeway = self._registry.config.leeway_s
        expires = _check_times(token.claims, self._clock(), leeway)
        subject = _subject(token.claims)
        self._check_first_use(site, issuer, _token_id(token.claims), expires + leeway)
        return Caller(site, issuer, tenant, subject, _time(token.claims, "iat"))

    def _check_signature(self, token: SignedToken, site: Site) -> None:
        try:
            key = self._keys.find(site, token.jku, token.kid, token.alg)
        except (KeysUnreachable, KeysBad) as fault:
            raise NotTrusted(fault.code) from fault
        if key is None:
            raise NotTrusted("unknown_key")
        try:
            check_signature(token, key)
        except TokenFault as fault:
            raise NotTrusted(fault.code) from fault

    def _check_first_use(self, site: Site, issuer: str, token_id: str, until: float) -> None:
        """One use per token (T-04): this process's own table, then the store, which decides for all workers."""
        first_here = self._seen.first_use(site.name, issuer, token_id, until, self._clock())
        if first_here is False:
            raise NotTrusted("replay")
        try:
            first = self._memory.first_use(site.name, issuer, token_id, datetime.fromtimestamp(until, UTC))
        except StoreDown as fault:
            if site.replay_on_outage == "refuse":
                raise NotTrusted("replay_unknown") from fault
            if first_here is None:
                raise NotTrusted("replay_table_full") from fault
            self._note(site.name, "replay_memory")
            return
        if not first:
            raise NotTrusted("replay")


class SeenTokens:
    """Token ids this process has let in, per site, until they expire: what is left of replay control in an outage.

    Bounded per site, so that a noisy site fills its own share only (T-35).
    """

    def __init__(self, per_site: int = 50_000) -> None:
        self._per_site = per_site
        self._sites: dict[str, _Share] = {}
        self._lock = threading.Lock()

    def first_use(self, site: str, issuer: str, token_id: str, until: float, now: float) -> bool | None:
        """Whether this id is new here; None if it cannot be told because the site's share is full."""
        key = (issuer, token_id)
        with self._lock:
            share = self._sites.setdefault(site, _Share(set(), []))
            while share.ends and share.ends[0][0] < now:
                share.seen.discard(heappop(share.ends)[1])
            if key in share.seen:
                return False
            if len(share.seen) >= self._per_site:
                return None
            share.seen.add(key)
            heappush(share.ends, (until, key))
            return True


@dataclass(frozen=True, slots=True)
class _Share:
    """One site's ids, and the same by the moment they expire (a heap)."""

    seen: set[tuple[str, str]]
    ends: list[tuple[float, tuple[str, str]]]


def _open(authorization: str | None) -> SignedToken:
    if not authorization:
        raise NotTrusted("no_token")
    if len(authorization) > MAX_TOKEN_BYTES + 16:
        raise NotTrusted("token_too_long")
    bearer = _BEARER.fullmatch(authorization)
    if bearer is None:
        raise NotTrusted("not_bearer")
    try:
        return open_token(bearer[1], ALGORITHMS)
    except TokenFault as fault:
        raise NotTrusted(fault.code) from fault


def _needed_text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    # Not printable: NUL and lone surrogates, which no database takes, and line breaks for the log (T-19, T-28).
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT or not value.isprintable():
        raise NotTrusted(f"claim_{name}")
    return value


def _tenant(claims: Mapping[str, Any]) -> str:
    return _needed_text(claims, "tenant") if "tenant" in claims else ""


def _subject(claims: Mapping[str, Any]) -> str:
    return _needed_text(claims, "sub") if "sub" in claims else ""


def _token_id(claims: Mapping[str, Any]) -> str:
    value = _needed_text(claims, "jti")
    if len(value) > _MAX_ID:
        raise NotTrusted("claim_jti")
    return value


def _check_audience(aud: object, accepted: tuple[str, ...]) -> None:
    """A text, or a flat list of texts, one of them equal to an accepted one to the letter (T-03)."""
    named = [aud] if isinstance(aud, str) else aud
    if not isinstance(named, list) or not 0 < len(named) <= _MAX_AUDIENCES:
        raise NotTrusted("claim_aud")
    if not all(isinstance(item, str) and item for item in named):
        raise NotTrusted("claim_aud")
    if not any(item in accepted for item in named):
        raise NotTrusted("audience")


def _check_times(claims: Mapping[str, Any], now: float, leeway: float) -> float:
    """The moment of expiry, after `exp`, `iat` and `nbf` were held against one clock with one leeway (T-33)."""
    issued, expires = _time(claims, "iat"), _time(claims, "exp")
    if now >= expires + leeway:
        raise NotTrusted("expired")
    if issued > now + leeway:
        raise NotTrusted("issued_in_future")
    if "nbf" in claims and _time(claims, "nbf") > now + leeway:
        raise NotTrusted("not_yet_valid")
    if not 0 < expires - issued <= LONGEST_LIFE_SECONDS:
        raise NotTrusted("lifetime")
    return expires


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotTrusted(f"claim_{name}")
    if not 0 <= value <= _LATEST_TIME:
        raise NotTrusted(f"claim_{name}")
    return float(value)
