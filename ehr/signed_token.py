"""Signed tokens of others (JWS compact form) as read before and after their signature is checked.

The header decides nothing: it only says which registered key to try. Everything in it that could bring a key of the
sender, name a place to fetch one, or change how the token is read is refused (T-01; RFC 7515, RFC 8725).
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry, deserialize_compact

MAX_TOKEN_BYTES = 8192
_MAX_BRACKETS = 64
_MAX_KID = 512
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_REFUSED_MEMBERS = frozenset(
    {"crit", "zip", "b64", "jwk", "x5c", "x5u", "x5t", "x5t#S256", "enc", "epk", "apu", "apv"}
)


class TokenFault(ValueError):
    """Why a token is refused before or at its signature; `code` is a closed label, nothing of the token is in it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A token as it stands, its signature **not yet checked**: header members and claims of the sender's choice."""

    text: str
    alg: str
    kid: str
    jku: str | None
    claims: Mapping[str, Any]


def open_token(text: str, algorithms: Collection[str], *, untyped: bool = False) -> SignedToken:
    """Reads a compact token without trusting it; raises `TokenFault`. `untyped` lets `typ` be absent (id_tokens)."""
    if len(text) > MAX_TOKEN_BYTES:
        raise TokenFault("token_too_long")
    parts = _COMPACT.fullmatch(text)
    if parts is None:
        raise TokenFault("token_form")
    header = _read_object(parts[1])
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in algorithms:
        raise TokenFault("algorithm")
    typ = header.get("typ")
    if typ != "JWT" and not (untyped and typ is None):
        raise TokenFault("typ")
    if not _REFUSED_MEMBERS.isdisjoint(header) or _is_nested(header.get("cty")):
        raise TokenFault("header_member")
    kid, jku = header.get("kid"), header.get("jku")
    if not isinstance(kid, str) or not 0 < len(kid) <= _MAX_KID:
        raise TokenFault("kid")
    if "jku" in header and not isinstance(jku, str):
        raise TokenFault("jku")
    return SignedToken(text, alg, kid, jku, MappingProxyType(_read_object(parts[2])))


def check_signature(token: SignedToken, key: RSAKey | ECKey) -> None:
    """Whether the registered key signed these very bytes with the token's algorithm; raises `TokenFault`."""
    try:
        deserialize_compact(token.text, key, registry=_registry(token.alg))
    except (JoseError, ValueError) as fault:
        raise TokenFault("signature") from fault


@cache
def _registry(alg: str) -> JWSRegistry:
    """One algorithm only; members that are not refused by us may be there, long `jku` and `kid` too."""
    registry = JWSRegistry(algorithms=[alg], strict_check_header=False)
    registry.max_header_length = MAX_TOKEN_BYTES
    return registry


def _is_nested(content_type: object) -> bool:
    return content_type is not None and not (
        isinstance(content_type, str)
        and "jwt" not in content_type.lower()
        and "jose" not in content_type.lower()
    )


def _read_object(segment: str) -> dict[str, Any]:
    """One JSON object, each name once, not deep (a token has no business to nest)."""
    try:
        raw = urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
        if raw.count(b"[") + raw.count(b"{") > _MAX_BRACKETS:
            raise TokenFault("token_form")
        value = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as fault:
        raise TokenFault("token_form") from fault
    if not isinstance(value, dict):
        raise TokenFault("token_form")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise TokenFault("token_form")
    return members


def _no_constant(name: str) -> None:
    raise TokenFault("token_form")
