"""A small SMART client written for the tests alone: nothing of the box and nothing of the product is in it."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

REDIRECT = "http://127.0.0.1:9/callback"
SCOPE = "openid fhirUser launch online_access patient/Patient.rs patient/Condition.rs patient/Observation.rs"


@dataclass
class Keys:
    """A client's keys and the address at which it publishes them."""

    url: str
    ec: Any
    rsa: Any

    def assertion(self, client: str, audience: str, **changes: Any) -> str:
        """A client assertion; `changes` overrides claims, and with `header_` in front header fields."""
        alg = changes.pop("alg", "ES384")
        key = {"ES384": self.ec, "RS384": self.rsa, "RS256": self.rsa}.get(alg, "secret" * 10)
        claims = {
            "iss": client,
            "sub": client,
            "aud": audience,
            "exp": int(time.time()) + 200,
            "jti": secrets.token_hex(12),
        }
        header = {"kid": "rsa" if alg.startswith("RS") else "ec", "typ": "JWT"}
        for name, value in changes.items():
            place, label = (header, name[7:]) if name.startswith("header_") else (claims, name)
            place[label] = value
        return jwt.encode(
            {key_: value for key_, value in claims.items() if value is not None},
            key,
            algorithm=alg,
            headers=header,
        )


@contextmanager
def published_keys() -> Iterator[Keys]:
    """Serves a JWKS document on loopback."""
    curve, modulus = ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)
    document = {
        "keys": [
            {
                **ECAlgorithm.to_jwk(curve.public_key(), as_dict=True),
                "kid": "ec",
                "use": "sig",
                "alg": "ES384",
            },
            {**RSAAlgorithm.to_jwk(modulus.public_key(), as_dict=True), "kid": "rsa", "use": "sig"},
        ]
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            import json

            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Keys(f"http://127.0.0.1:{server.server_port}/jwks", curve, modulus)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class App:
    """One client of one kind at one box."""

    root: str
    client: str
    kind: str
    keys: Keys
    secret: str = "a-secret-for-tests"  # noqa: S105
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @property
    def base(self) -> str:
        """The FHIR base address."""
        return f"{self.root}/fhir"

    def request(self, handle: str = "", **changes: Any) -> dict[str, str]:
        """Parameters of a careful authorization request; None takes one away."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest())
        whole = {
            "response_type": "code",
            "client_id": self.client,
            "redirect_uri": REDIRECT,
            "scope": SCOPE,
            "state": secrets.token_urlsafe(24),
            "nonce": secrets.token_urlsafe(16),
            "aud": self.base,
            "launch": handle,
            "code_challenge": challenge.decode().rstrip("="),
            "code_challenge_method": "S256",
            **changes,
        }
        return {name: value for name, value in whole.items() if value not in (None, "")}

    def authorize(self, parameters: dict[str, str], method: str = "GET") -> requests.Response:
        """Sends an authorization request and follows nothing."""
        where = {"params": parameters} if method == "GET" else {"data": parameters}
        return requests.request(
            method, f"{self.root}/oauth/authorize", allow_redirects=False, timeout=10, **where
        )

    def code(self, launch: str, **changes: Any) -> str:
        """A code from a launch that works."""
        answer = self.authorize(self.request(launch, **changes))
        assert answer.status_code == 302, answer.text[:400]
        return sent_back(answer)["code"]

    def token(self, given: str, **changes: Any) -> requests.Response:
        """Redeems a code; None takes a field away."""
        form: dict[str, Any] = {
            "grant_type": "authorization_code",
            "code": given,
            "redirect_uri": REDIRECT,
            "code_verifier": self.verifier,
        }
        return self.post({**form, **changes})

    def post(self, form: dict[str, Any], **proof: Any) -> requests.Response:
        """Posts to the token endpoint with this client's proof of itself."""
        headers: dict[str, str] = {}
        if self.kind == "public":
            form.setdefault("client_id", self.client)
        elif self.kind == "symmetric":
            pair = base64.b64encode(f"{self.client}:{self.secret}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        elif "client_assertion" not in form:
            form["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            form["client_assertion"] = self.keys.assertion(self.client, f"{self.root}/oauth/token", **proof)
        form = {name: value for name, value in form.items() if value is not None}
        return requests.post(f"{self.root}/oauth/token", data=form, headers=headers, timeout=10)


def sent_back(answer: requests.Response) -> dict[str, str]:
    """The parameters with which the browser is sent back to the app."""
    location = answer.headers["Location"]
    assert location.startswith(REDIRECT + "?")
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
