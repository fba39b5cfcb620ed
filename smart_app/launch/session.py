"""What is kept of one launch: the pending sign-in, and the session of a workspace. Sealed before it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from smart_app.launch.scopes import Scopes

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in under way, kept for ten minutes under the hash of its `state`. Endpoints are those it began with."""

    site: str
    iss: str
    ehr_launch: bool
    verifier: str
    nonce: str
    cookie_hash: str
    token_endpoint: str
    issuer: str
    jwks: str
    names_issuer: bool
    wanted: tuple[str, ...]
    trail: str = ""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The EHR's tokens as they stand; `expires` is seconds of the epoch, 0 where the EHR did not say."""

    access: str
    refresh: str = ""
    expires: float = 0.0


@dataclass(frozen=True, slots=True)
class Session:
    """One workspace: whose chart, by whose word, with which rights. `claimed_until` holds the refresh lock.

    `ended` stays behind, without tokens, where the EHR ended the session, so that the page can say so. `round` counts how
    often the chart was asked for again and `went_on` that the user takes it with its gaps, for all workers alike.
    """

    site: str
    iss: str
    patient: str
    tokens: Tokens
    token_endpoint: str
    wanted: tuple[str, ...]
    granted: tuple[str, ...]
    started: float
    encounter: str = ""
    user: str = ""
    user_name: str = ""
    user_key: str = ""
    banner: bool = True
    highlights: tuple[str, ...] = ()
    card: str = ""
    warnings: tuple[str, ...] = ()
    claimed_until: float = 0.0
    ended: bool = False
    round: int = 0
    went_on: bool = False
    stated: tuple[Mapping[str, Any], ...] = ()

    @property
    def scopes(self) -> Scopes:
        """Wanted and granted scopes."""
        return Scopes(self.wanted, self.granted)


def dumped(value: Pending | Session) -> bytes:
    """The value as JSON bytes, to be sealed."""
    return msgspec.json.encode(value)


def read(data: bytes, kind: type[_T]) -> _T:
    """Reads what `dumped` wrote; raises `msgspec.MsgspecError` for anything else."""
    return msgspec.json.decode(data, type=kind)
