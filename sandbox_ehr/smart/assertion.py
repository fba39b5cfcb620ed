"""How an asymmetric client proves itself: a signed assertion, looked at as SMART asks (SMART 2.2, asymmetric)."""

from __future__ import annotations

import time
from typing import Any

import requests
from authlib.oauth2.rfc6749 import InvalidClientError
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from sandbox_ehr.smart.models import Client, Desk

LONGEST_SECONDS = 305
_ALGORITHMS = ["RS384", "ES384"]


class ClientAssertion(JWTBearerClientAssertion):  # type: ignore[misc]  # Authlib ships no types
    """Checks algorithm, kid, typ, jku, issuer, subject, audience, life and first use of an assertion."""

    CLIENT_AUTH_METHOD = "private_key_jwt"

    def __init__(self, desk: Desk, token_url: str) -> None:
        super().__init__(validate_jti=True, leeway=5)
        self._desk = desk
        self._audience = token_url

    def get_audiences(self) -> list[str]:
        """The token endpoint, and nothing else."""
        return [self._audience]

    def resolve_client_public_key(self, client: Client) -> KeySet:
        """The client's published keys, read anew so that a rotation is seen."""
        address = client.registration.jwks_url
        if not address:
            raise InvalidClientError(description="No key set address is registered for this client.")
        try:
            answer = requests.get(address, timeout=5, allow_redirects=False)
            answer.raise_for_status()
            return KeySet.import_key_set(answer.json())
        except (requests.RequestException, ValueError, TypeError, KeyError, JoseError) as error:
            raise InvalidClientError(description="The client's key set could not be read.") from error

    def process_assertion_claims(self, assertion: str, resolve_key: KeySet) -> Any:
        """The claims of an assertion that holds; raises InvalidClientError with what is wrong."""
        registry = jws.JWSRegistry(algorithms=_ALGORITHMS, strict_check_header=False)
        try:
            token = jwt.decode(assertion, resolve_key, registry=registry)
        except (JoseError, ValueError) as error:
            raise InvalidClientError(description="The assertion's signature does not hold.") from error
        header = token.header
        if header.get("typ") != "JWT" or not header.get("kid"):
            raise InvalidClientError(description="The assertion's header needs typ JWT and kid.")
        if header.get("jku") not in (None, self._registered_jku(token.claims)):
            raise InvalidClientError(description="The assertion's jku is not the registered one.")
        self.verify_claims(token.claims)
        if token.claims["exp"] > time.time() + LONGEST_SECONDS:
            raise InvalidClientError(description="The assertion lives longer than five minutes.")
        return token.claims

    def validate_jti(self, claims: Any, jti: Any) -> bool:
        """Whether this assertion is used for the first time."""
        return isinstance(jti, str) and self._desk.first_use(f"jti {claims['sub']} {jti}", LONGEST_SECONDS)

    def _registered_jku(self, claims: Any) -> str:
        client = self._clients(claims.get("sub"))
        return client.registration.jwks_url if client else ""

    _clients: Any = staticmethod(lambda name: None)

    def __call__(self, query_client: Any, request: Any) -> Any:
        """Authenticates one token request; remembers how clients are found."""
        self._clients = query_client
        return super().__call__(query_client, request)
