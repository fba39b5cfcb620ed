"""The box's own signing key: hook calls and id_tokens are signed with it, its public half is published."""

from __future__ import annotations

import uuid
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

ALGORITHM = "ES384"


class SigningKey:
    """One P-384 key for the life of the process."""

    def __init__(self) -> None:
        self.private = ECKey.generate_key("P-384", {"kid": f"sandbox-{uuid.uuid4().hex[:12]}"})

    @property
    def kid(self) -> str:
        """The name of the key in the key set."""
        return str(self.private.kid)

    def public_set(self) -> dict[str, Any]:
        """The JWKS document: public halves only."""
        return {"keys": [{**self.private.as_dict(private=False), "use": "sig", "alg": ALGORITHM}]}

    def sign(self, claims: dict[str, Any], **header: str) -> str:
        """A compact JWT."""
        whole = {"alg": ALGORITHM, "kid": self.kid, "typ": "JWT", **header}
        return jwt.encode(whole, claims, self.private, algorithms=[ALGORITHM])
