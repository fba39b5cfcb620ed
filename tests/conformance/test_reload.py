"""What IT changes in the registration file while the service runs: hooks, addresses, overlays, refusals on record."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask.testing import FlaskClient

from smart_app.app import create_app
from smart_app.settings import Settings

BASE = "http://127.0.0.1:8123"
ISSUER = "https://ehr.example.org"
KEY = ec.generate_private_key(ec.SECP384R1())
SAMPLE = Path(__file__).parent / "requests" / "cd19-negative-dlbcl.json"


def public_key() -> str:
    members = {
        **jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True),
        "kid": "k",
        "alg": "ES384",
    }
    return (
        "{ " + ", ".join(f'{name} = "{value}"' for name, value in members.items() if name != "key_ops") + " }"
    )


def registrations(**more: str) -> str:
    top = {"public_url": f'"{BASE}"', **more}
    site = f'name = "one"\nenvironment = "test"\niss = ["{ISSUER}"]\nkeys = [{public_key()}]\n'
    return (
        "\n".join(f"{name} = {value}" for name, value in top.items())
        + f'\n[[site]]\n{site}fhir_base = "{BASE}/fhir"\n'
    )


def bearer(path: str, base: str = BASE) -> dict[str, str]:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": base + path, "iat": now, "exp": now + 300, "jti": os.urandom(8).hex()}
    return {"Authorization": "Bearer " + jwt.encode(claims, KEY, "ES384", headers={"kid": "k"})}


class World:
    """A running app with its registration file."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "postcart.toml"
        self.file.write_text(registrations())
        self.app = create_app(Settings(config=str(self.file), as_of="2026-02-01T12:00:00Z"))
        self.running: Any = self.app.extensions["postcart"]
        self.client: FlaskClient = self.app.test_client()

    def write(self, text: str) -> str:
        self.file.write_text(text)
        fault = self.running.parts.registry.reload()
        self.running.parts.judges.reload(self.running.parts.config)
        return str(fault)

    def call(self, service: str = "post-car-t-relapse", base: str = BASE) -> Any:
        path = f"/cds-services/{service}"
        return self.client.post(
            path, data=SAMPLE.read_bytes(), content_type="application/json", headers=bearer(path, base)
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.running.parts.close()


def test_a_hook_that_is_switched_off_is_neither_listed_nor_answered(world: World) -> None:
    assert world.call().status_code == 200
    assert world.write(registrations(offered_hooks='["order-sign"]')) == ""
    listed = world.client.get("/cds-services", headers=bearer("/cds-services")).get_json()["services"]
    assert [one["hook"] for one in listed] == ["order-sign"]
    assert world.call().status_code == 404


def test_cards_name_the_address_in_force(world: World) -> None:
    moved = "http://127.0.0.1:8124"
    assert world.write(registrations(public_url=f'"{moved}"')) == ""
    assert world.call().status_code == 401
    cards = world.call(base=moved).get_json()["cards"]
    assert cards[0]["source"]["url"] == f"{moved}/"


def test_a_broken_file_changes_nothing_and_says_so(world: World) -> None:
    assert "kept" in world.write("public_url = 1")
    assert world.call().status_code == 200
    found = world.client.get("/ready").get_json()
    assert found["parts"]["registrations"]["state"] == "registrations_kept"


def test_the_app_judges_with_the_same_knowledge_as_the_cards(world: World) -> None:
    """One Evaluation feeds every face, also where a site has an overlay (invariant 2)."""
    parts = world.running.parts
    site = parts.config.sites[0]
    from smart_app.parts import launch_parts

    made = launch_parts(parts, lambda event, **fields: None, lambda: "")
    assert made.judging(site) is parts.judges.of(site)


def test_a_refused_call_of_a_site_is_on_record(world: World) -> None:
    body = json.loads(SAMPLE.read_bytes())
    body["prefetch"]["patient"]["id"] = "somebody-else"
    path = "/cds-services/post-car-t-relapse"
    response = world.client.post(path, json=body, headers=bearer(path))
    assert response.status_code == 412
    store = world.running.parts.store
    assert store.flush(5)
    with store._app.engine.connect() as connection:
        rows = connection.exec_driver_sql("select event, site, detail from audit").all()
    assert [(row[0], row[1]) for row in rows] == [("refused", "one")]
    assert "other-patient" in str(rows[0][2])
    assert "somebody-else" not in str(rows)
