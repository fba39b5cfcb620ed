"""Public keys of others: which of them can check a signature here, and with which algorithm alone.

A key says what it is good for by its type and curve, never the token (T-01). Secret (`oct`) and private keys are
not keys to verify with; weak, odd or wrong-curve ones are refused (RFC 7517, RFC 7518, RFC 8725).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.util import urlsafe_b64decode

MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192
MAX_KEYS = 100
_MAX_DEPTH = 32
_LEAST_EXPONENT = 65537
_MAX_EXPONENT_BYTES = 32
_CURVES = {"P-384": ("ES384", 48), "P-256": ("ES256", 32)}
_RSA_ALGORITHMS = frozenset({"RS384", "RS256"})
_Imported = tuple[RSAKey | ECKey, frozenset[str], str]
_PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")


class KeyRefused(ValueError):
    """Why a JWK or key set is refused: `code` is a closed label, the text one sentence for IT without key material."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key that may check signatures, and the algorithms it may be used with."""

    kid: str
    algorithms: frozenset[str]
    key: RSAKey | ECKey
    thumbprint: str

    def for_algorithm(self, alg: str) -> RSAKey | ECKey | None:
        """The key if it may be used with this algorithm, else None."""
        return self.key if alg in self.algorithms else None


def read_public_key(jwk: Mapping[str, Any]) -> PublicKey:
    """One JWK as a public signing key; raises `KeyRefused`."""
    kid, kty = jwk.get("kid"), jwk.get("kty")
    if kty == "oct" or any(name in jwk for name in _PRIVATE_MEMBERS):
        raise KeyRefused("secret-key", "a secret or private key is there; give the public half only")
    if not isinstance(kid, str) or not kid:
        raise KeyRefused("no-kid", "the key has no kid")
    if jwk.get("use", "sig") != "sig" or "verify" not in _texts(jwk.get("key_ops", ["verify"])):
        raise KeyRefused("not-for-signatures", "the key is not for checking signatures (use, key_ops)")
    key, algorithms, thumbprint = _key_of(kty, jwk)
    if "alg" in jwk:
        algorithms = algorithms & frozenset(_texts([jwk["alg"]]))
        if not algorithms:
            raise KeyRefused("key-algorithm", "the key's alg does not fit its type, or is not accepted here")
    return PublicKey(kid, algorithms, key, thumbprint)


def _key_of(kty: object, jwk: Mapping[str, Any]) -> _Imported:
    if kty == "RSA":
        return _rsa_key(_text(jwk, "n"), _text(jwk, "e"))
    if kty == "EC":
        return _ec_key(_text(jwk, "crv"), _text(jwk, "x"), _text(jwk, "y"))
    raise KeyRefused("key-type", "the key is neither RSA nor EC")


def read_key_set(body: bytes) -> dict[str, PublicKey]:
    """The usable keys of a JSON Web Key Set by `kid`; raises `KeyRefused` if the set as a whole is not fit for use.

    Keys of other kinds are left out (a set may hold them); an empty set is valid and means that no key is good any
    more; a set in which a `kid` stands twice, or in which keys are but none is usable, is refused.
    """
    members = _read_members(body)
    kids = [jwk["kid"] for jwk in members if isinstance(jwk.get("kid"), str)]
    if len(set(kids)) != len(kids):
        raise KeyRefused("kid-twice", "a kid stands twice in the key set")
    usable: dict[str, PublicKey] = {}
    for jwk in members:
        try:
            key = read_public_key(jwk)
        except KeyRefused:
            continue
        usable[key.kid] = key
    if members and not usable:
        raise KeyRefused("no-usable-key", "no key of the set is a usable public RSA or EC key")
    return usable


def _read_members(body: bytes) -> list[dict[str, Any]]:
    if _too_deep(body):
        raise KeyRefused("set-form", "the key set is nested too deeply")
    try:
        whole = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise KeyRefused("set-form", "the key set is not JSON") from fault
    members = whole.get("keys") if isinstance(whole, dict) else None
    if not isinstance(members, list) or not all(isinstance(jwk, dict) for jwk in members):
        raise KeyRefused("set-form", "the key set has no list of keys")
    if len(members) > MAX_KEYS:
        raise KeyRefused("set-size", f"the key set has more than {MAX_KEYS} keys")
    return members


def _too_deep(body: bytes) -> bool:
    """Whether brackets nest deeper than any key set does; counts those in texts too, which only refuses more."""
    depth = 0
    for byte in body.translate(None, delete=_NO_BRACKETS):
        depth += 1 if byte in b"[{" else -1
        if depth > _MAX_DEPTH:
            return True
    return False


_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _text(jwk: Mapping[str, Any], name: str) -> str:
    value = jwk.get(name)
    if not isinstance(value, str) or not value:
        raise KeyRefused("key-form", f"the key has no {name}")
    return value


def _texts(values: object) -> list[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def _bytes(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text.encode("ascii"))
    except ValueError as fault:
        raise KeyRefused("key-form", "a number of the key is not base64url") from fault


@lru_cache(maxsize=256)
def _rsa_key(n: str, e: str) -> _Imported:
    modulus, exponent = _bytes(n).lstrip(b"\0"), _bytes(e)
    bits = int.from_bytes(modulus[:1]).bit_length() + 8 * (len(modulus) - 1)
    if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
        raise KeyRefused("key-size", f"an RSA key has {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
    if len(exponent) > _MAX_EXPONENT_BYTES or int.from_bytes(exponent) < _LEAST_EXPONENT:
        raise KeyRefused("key-size", f"the exponent of an RSA key is at least {_LEAST_EXPONENT}")
    try:
        key = RSAKey.import_key({"kty": "RSA", "n": n, "e": e})
        key.public_key.public_numbers()
    except (JoseError, ValueError) as fault:
        raise KeyRefused("key-form", "the RSA key is not well formed") from fault
    return key, _RSA_ALGORITHMS, key.thumbprint()


@lru_cache(maxsize=256)
def _ec_key(crv: str, x: str, y: str) -> _Imported:
    if crv not in _CURVES:
        raise KeyRefused("key-type", "an EC key is on P-384 (or P-256)")
    alg, size = _CURVES[crv]
    if max(len(_bytes(x)), len(_bytes(y))) > size:
        raise KeyRefused("key-form", "the point of the EC key is not on its curve")
    try:
        key = ECKey.import_key({"kty": "EC", "crv": crv, "x": x, "y": y})
        key.public_key.public_numbers()
    except (JoseError, ValueError) as fault:
        raise KeyRefused("key-form", "the point of the EC key is not on its curve") from fault
    return key, frozenset({alg}), key.thumbprint()
