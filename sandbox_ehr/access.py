"""Access tokens and what their scopes allow, in both spellings (SMART App Launch 2.2, scopes)."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

_RESOURCE_SCOPE = re.compile(
    r"(?P<level>patient|user|system)/(?P<type>\*|[A-Z][A-Za-z]+)\.(?P<acts>read|write|\*|c?r?u?d?s?)(\?(?P<query>.+))?\Z"
)
PLAIN_SCOPES = frozenset(
    (
        "openid",
        "fhirUser",
        "profile",
        "launch",
        "launch/patient",
        "launch/encounter",
        "online_access",
        "offline_access",
    )
)
_V1 = ("read", "write", "*")
_ACTS = {"read": "rs", "write": "cud", "*": "cruds"}


@dataclass(frozen=True, slots=True)
class ResourceScope:
    """One scope for resources: level, type, the letters of what it allows, and its query as pairs."""

    level: str
    type: str
    acts: str
    v1: bool
    query: tuple[tuple[str, str], ...] = ()


def read_scope(text: str) -> ResourceScope | None:
    """A scope for resources; None for any other text."""
    match = _RESOURCE_SCOPE.match(text)
    if match is None or not match["acts"]:
        return None
    acts = match["acts"]
    query = tuple(parse_qsl(match["query"])) if match["query"] else ()
    return ResourceScope(match["level"], match["type"], _ACTS.get(acts, acts), acts in _V1, query)


def understood(text: str) -> bool:
    """Whether a scope is one this server knows at all."""
    return text in PLAIN_SCOPES or read_scope(text) is not None


def narrow(asked: Iterable[str], withheld: frozenset[str], *, v1_only: bool) -> list[str]:
    """The scopes that are granted of those asked: unknown and withheld ones are dropped in silence, as EHRs do."""
    granted = []
    for text in asked:
        scope = read_scope(text)
        if scope is None:
            if text in PLAIN_SCOPES and text not in granted:
                granted.append(text)
            continue
        if scope.level != "patient" and scope.level != "user":
            continue
        if scope.type in withheld or scope.type == "*" or (v1_only and not scope.v1):
            continue
        if text not in granted:
            granted.append(text)
    return granted


@dataclass(frozen=True, slots=True)
class Token:
    """An access token: whose, for what, for which patient, and until when (seconds since the epoch)."""

    value: str
    client: str
    scopes: tuple[str, ...]
    patient: str
    until: float
    _read: tuple[ResourceScope, ...] = field(default=(), repr=False)

    def allows(self, kind: str, act: str) -> list[ResourceScope]:
        """The scopes that allow an act on a type; empty when none does."""
        return [one for one in self._read if one.type == kind and act in one.acts]


class TokenShelf:
    """All access tokens that were given out."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, Token] = {}

    def give(
        self, client: str, scopes: Iterable[str], patient: str, seconds: int, value: str | None = None
    ) -> Token:
        """A new token for a client, limited to a patient."""
        texts = tuple(scopes)
        read = tuple(scope for scope in map(read_scope, texts) if scope is not None)
        name = value or secrets.token_urlsafe(32)
        token = Token(name, client, texts, patient, self._clock() + seconds, read)
        with self._lock:
            self._tokens = {key: one for key, one in self._tokens.items() if one.until > self._clock()}
            self._tokens[name] = token
        return token

    def find(self, value: str) -> Token | None:
        """The token of this value while it lives."""
        token = self._tokens.get(value)
        return token if token is not None and token.until > self._clock() else None

    def end(self, values: Iterable[str]) -> None:
        """Ends tokens at once."""
        with self._lock:
            for value in values:
                self._tokens.pop(value, None)
