"""An app with two registered sites and callers that sign as an EHR does, with a library the product does not use."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from flask.testing import FlaskClient

URL = "https://postcart.example.org"
PATH = "/cds-services/post-car-t-relapse"
GOOD = (Path(__file__).parents[1] / "conformance" / "requests" / "cd19-negative-dlbcl.json").read_bytes()
KEYS = {name: ec.generate_private_key(ec.SECP384R1()) for name in ("north", "south")}
INSIDE, OUTSIDE = {"REMOTE_ADDR": "127.0.0.1"}, {"REMOTE_ADDR": "203.0.113.9"}


def registration(folder: Path, **more: str) -> Path:
    """A registration file with two sites, `north` of five calls a minute; `more` adds lines to a site."""
    lines = [f'public_url = "{URL}"', f'database_url = "sqlite:///{folder}/db"', f'key_dir = "{folder}/keys"']
    for name, key in KEYS.items():
        jwk = json.loads(jwt.get_algorithm_by_name("ES384").to_jwk(key.public_key()))
        row = ", ".join(f'{member} = "{jwk[member]}"' for member in ("kty", "crv", "x", "y"))
        lines += [
            "[[site]]",
            f'name = "{name}"',
            f'iss = ["https://{name}.example.org"]',
            f'keys = [{{ {row}, kid = "{name}", alg = "ES384", use = "sig" }}]',
            f'fhir_base = "https://{name}.example.org/fhir"',
            'region = "US"',
            f"rate_per_minute = {5 if name == 'north' else 600}",
            more.get(name, ""),
        ]
    path = folder / "postcart.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def token(site: str, **changed: Any) -> str:
    now = int(time.time())
    claims = {"iss": f"https://{site}.example.org", "aud": URL + PATH, "iat": now, "exp": now + 300}
    body = {**claims, "jti": str(uuid.uuid4()), **changed}
    return jwt.encode(body, KEYS[site], "ES384", headers={"kid": site})


def call(client: FlaskClient, site: str, body: bytes = GOOD, **headers: str) -> Any:
    sent = {"Authorization": f"Bearer {token(site)}", **headers}
    return client.post(PATH, data=body, content_type="application/json", headers=sent)
