"""Who is signed in: the id_token verified, and `fhirUser` read in all the forms EHRs send.

Sources: SMART App Launch 2.2, scopes for requesting identity data; OpenID Connect Core 3.1.3.7.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from ehr.address import AddressFault, parse_address
from smart_app.launch.fault import LaunchFault

ALGORITHMS = ("RS256", "RS384", "ES256", "ES384")
LEEWAY_S = 60
_MAX_TOKEN = 32 * 1024
_LONGEST_NAME = 120
_REFERENCE = re.compile(r"(?:(.*)/)?([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})")
_CLINICIANS = frozenset({"Practitioner", "PractitionerRole", "Person"})
_REFUSED = frozenset({"Patient", "RelatedPerson"})


class KeyFinder(Protocol):
    """Finds an issuer's public key at its key address; asks the issuer again once for an unknown `kid`."""

    def find_at(self, url: str, kid: str, alg: str, *, allow_http: bool = False) -> Any:
        """The key, or None where the set has none of this id; raises where the set cannot be had."""


@dataclass(frozen=True, slots=True)
class User:
    """Who the EHR says is signed in: `Type/id` where it is one of its own records, a key that names nobody, a name."""

    reference: str
    key: str
    local: bool
    name: str = ""


NOBODY = User("", "", local=False)


def read_id_token(
    token: object,
    *,
    keys: KeyFinder,
    jwks: str,
    issuer: str,
    iss: str,
    client_id: str,
    nonce: str,
    now: datetime,
    test: bool,
) -> User:
    """The user of a verified id_token; raises `LaunchFault` (`id-token-bad`, `not-clinician`)."""
    if not isinstance(token, str) or not 0 < len(token) <= _MAX_TOKEN or not token.isascii():
        raise LaunchFault("id-token-bad", "form")
    header = _header(token)
    alg, kid = header.get("alg"), header.get("kid", "")
    if alg not in ALGORITHMS or not isinstance(kid, str):
        raise LaunchFault("id-token-bad", "alg")
    # a hook caller's token and our own appContext have other audiences; an explicit other type is refused as well
    if str(header.get("typ", "JWT")).upper() != "JWT" or "crit" in header:
        raise LaunchFault("id-token-bad", "typ")
    if not jwks:
        raise LaunchFault("id-token-bad", "no-jwks")
    try:
        key = keys.find_at(jwks, kid, alg, allow_http=test)
        if key is None:
            raise LaunchFault("id-token-bad", "kid")
        registry = JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
        claims = jwt.decode(token, key, algorithms=[alg], registry=registry).claims
        _check_claims(claims, issuer, client_id, nonce, now)
    except JoseError as error:
        raise LaunchFault("id-token-bad", re.sub(r"[^a-z_]", "", str(error.error))[:40]) from None
    except (ValueError, TypeError, RecursionError):
        raise LaunchFault("id-token-bad", "form") from None
    return _user(claims, issuer, iss, test)


def _header(token: str) -> Mapping[str, Any]:
    try:
        head = token.split(".", 1)[0]
        header = json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        raise LaunchFault("id-token-bad", "form") from None
    if not isinstance(header, dict):
        raise LaunchFault("id-token-bad", "form")
    return header


def _check_claims(claims: Mapping[str, Any], issuer: str, client_id: str, nonce: str, now: datetime) -> None:
    registry = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=LEEWAY_S,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        sub={"essential": True},
        exp={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    registry.validate(dict(claims))
    if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != client_id:
        raise LaunchFault("id-token-bad", "azp")


def _user(claims: Mapping[str, Any], issuer: str, iss: str, test: bool) -> User:
    key = hashlib.sha256(f"{issuer}\0{claims['sub']}".encode()).hexdigest()
    stated = claims.get("fhirUser") or claims.get("profile")
    match = _REFERENCE.fullmatch(stated) if isinstance(stated, str) and len(stated) < 1024 else None
    name = _name(claims.get("name"))
    if match is None:
        return User("", key, local=False, name=name)
    base, kind, id_ = match.groups()
    if kind in _REFUSED:
        raise LaunchFault("not-clinician", kind)
    if kind not in _CLINICIANS:
        return User("", key, local=False, name=name)
    return User(f"{kind}/{id_}", key, local=base is None or _same_base(base, iss, test), name=name)


def _name(claim: object) -> str:
    """The name a person goes by (OpenID Connect Core 5.1); empty for what cannot be one line of plain text."""
    if not isinstance(claim, str) or len(claim) > _LONGEST_NAME or not claim.isprintable():
        return ""
    return " ".join(claim.split())


def _same_base(base: str, iss: str, test: bool) -> bool:
    try:
        return parse_address(base, allow_http=test) == parse_address(iss, allow_http=test)
    except AddressFault:
        return False
