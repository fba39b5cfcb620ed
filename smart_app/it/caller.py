"""Calls our service as an EHR does: a signed token for exactly the address called, a fresh id, nothing followed.

Sources: CDS Hooks 2.0.1, trusting CDS clients; T-03, T-04. For synthetic calls (H-55) and for trying a registration.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from ehr.address import Address, AddressFault, parse_address
from ehr.own_keys import ALGORITHMS, KeyFault, load, read_secret
from ehr.public_keys import read_public_key
from ehr.site import Config, Site
from ehr.transport import Answer, Deadline, Transport

LIFE_SECONDS = 300
MAX_ANSWER_BYTES = 8 << 20


class CallFault(ValueError):
    """Why a call cannot be made: one sentence for the person and one for the fix, never key material."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Who a call is from: the private key, its name and algorithm, and the claims a site is known by."""

    key: ECKey | RSAKey
    alg: str
    kid: str
    iss: str
    jku: str = ""
    tenant: str = ""

    def __repr__(self) -> str:
        return f"Signer(kid={self.kid!r}, alg={self.alg!r})"

    def token(self, audience: str) -> str:
        """A token for one call of one address: five minutes to live, an id of its own."""
        header = {"alg": self.alg, "typ": "JWT", "kid": self.kid, **({"jku": self.jku} if self.jku else {})}
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": self.iss,
            "aud": audience,
            "iat": now,
            "exp": now + LIFE_SECONDS,
            "jti": str(uuid.uuid4()),
        }
        if self.tenant:
            claims["tenant"] = self.tenant
        return jwt.encode(header, claims, self.key, algorithms=list(ALGORITHMS))


def address_to_call(text: str) -> Address:
    """An address a token may be sent to: https, or http on this machine; raises `CallFault`."""
    try:
        return parse_address(text, allow_http=True)
    except AddressFault as fault:
        raise CallFault(
            f"The address cannot be called: {fault}. Give the service's https address; http on loopback only."
        ) from fault


def signer_of_file(path: Path, kid: str, iss: str, jku: str = "", tenant: str = "") -> Signer:
    """A signer with a private key of a file of mode 0600 (JWK or PEM, EC P-384 or RSA); raises `CallFault`."""
    key, alg, named = _private_key(path)
    if not (kid or named):
        raise CallFault("The key file names no kid. Give it with --kid, as the key set has it.")
    if not iss:
        raise CallFault("The token needs an issuer. Give it with --iss, as the site is registered.")
    return Signer(key, alg, kid or named, iss, jku, tenant)


def signer_of_site(config: Config, site: Site, folder: Path) -> Signer:
    """A signer with this service's own key, for a site that has that key registered; raises `CallFault`.

    Such a site is registered by IT for synthetic calls; the key of a real EHR is the EHR's alone.
    """
    if not site.iss:
        raise CallFault(
            f"Site {site.name!r} has no iss: it is not registered for hooks. Add iss with jku or keys."
        )
    moment = datetime.now(UTC)
    pasted = {read_public_key(jwk).thumbprint: str(jwk["kid"]) for jwk in site.keys}
    own_set = f"{config.public_url.rstrip('/')}/.well-known/jwks.json"
    tenant = site.tenants[0] if site.tenants else ""
    try:
        keys = load(folder)
    except KeyFault as fault:
        raise CallFault(str(fault)) from fault
    found = False
    for alg in ALGORITHMS:
        own = keys.signing(alg, moment)
        if own is None:
            continue
        found = True
        if own.kid in pasted:
            return Signer(own.key, alg, pasted[own.kid], site.iss[0], "", tenant)
        if own_set in site.jku:
            return Signer(own.key, alg, own.kid, site.iss[0], own_set, tenant)
    if not found:
        raise CallFault(f"There is no key to sign with. Make one: postcart keys new --dir {folder}")
    raise CallFault(
        f"Site {site.name!r} does not have this service's own key: its keys are the EHR's. Register a site for "
        f'synthetic calls with jku = ["{own_set}"], or sign with a key of the caller: --key FILE --iss ISS.'
    )


def send_request(
    transport: Transport, address: Address, signer: Signer, body: bytes, deadline: Deadline
) -> Answer:
    """Posts a hook request; raises `ehr.transport.TransportFault`."""
    headers = {**_headers(signer, address), "Content-Type": "application/json"}
    return transport.post(
        address.text, headers=headers, body=body, deadline=deadline, max_bytes=MAX_ANSWER_BYTES
    )


def ask_discovery(transport: Transport, address: Address, signer: Signer, deadline: Deadline) -> Answer:
    """Gets the discovery answer; raises `ehr.transport.TransportFault`."""
    return transport.get(
        address.text, headers=_headers(signer, address), deadline=deadline, max_bytes=MAX_ANSWER_BYTES
    )


def _headers(signer: Signer, address: Address) -> dict[str, str]:
    return {"Authorization": f"Bearer {signer.token(address.text)}", "Accept": "application/json"}


def _private_key(path: Path) -> tuple[ECKey | RSAKey, str, str]:
    """Key, algorithm and the kid the file names ('' if none)."""
    try:
        content = read_secret(path)
    except KeyFault as fault:
        raise CallFault(f"The key file cannot be used: {fault}.") from fault
    try:
        return _pem_key(content) if content.lstrip().startswith(b"-----BEGIN") else _jwk_key(content)
    except (JoseError, ValueError, TypeError, KeyError) as fault:
        raise CallFault(
            f"{path.name} holds no private key to sign with. Give a JWK or unencrypted PEM: EC P-384 or RSA."
        ) from fault


def _pem_key(content: bytes) -> tuple[ECKey | RSAKey, str, str]:
    read = load_pem_private_key(content, password=None)
    if isinstance(read, rsa.RSAPrivateKey):
        return RSAKey.import_key(content), "RS384", ""
    if isinstance(read, ec.EllipticCurvePrivateKey) and isinstance(read.curve, ec.SECP384R1):
        return ECKey.import_key(content), "ES384", ""
    raise ValueError("kind of key")


def _jwk_key(content: bytes) -> tuple[ECKey | RSAKey, str, str]:
    body = json.loads(content)
    jwk = body.get("jwk", body)
    kid = jwk.get("kid", "")
    if "d" not in jwk:
        raise ValueError("public")
    if jwk["kty"] == "RSA":
        return RSAKey.import_key(jwk), "RS384", kid
    if jwk["kty"] == "EC" and jwk["crv"] == "P-384":
        key = ECKey.import_key(jwk)
        return key, "ES384", kid or (key.thumbprint() if "jwk" in body else "")
    raise ValueError("kind of key")
