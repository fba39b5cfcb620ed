"""The stage of the failure matrix: one test site, its EHR (FHIR server, key server, signer) and the app under test."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import forging
import jwt
from builders import AS_OF, PATIENT, body, condition, patient, prefetch, procedure, stain
from lying import LyingServer

from cds_hooks.advice import Evaluator
from smart_app.app import create_app
from smart_app.settings import Settings

URL = "https://postcart.example.org"
RELAPSE = "/cds-services/post-car-t-relapse"
ISSUER = "https://ehr.example.org"
TOKEN = "secret-token-of-dr-who"  # noqa: S105  an invented one
CHART = (condition(), procedure(), stain("Negative"))
TYPES = (
    *("Patient", "Condition", "Procedure", "Observation"),
    *("MedicationAdministration", "MedicationRequest", "DiagnosticReport"),
)
NEGATIVE = ("no-lymphoid-malignancy", "no-cd19-car-t", "no-relapse")
Answering = Callable[[BaseHTTPRequestHandler], None]


class Keys:
    """A key server whose answer a test may change; `reads` counts."""

    def __init__(self) -> None:
        self.key = forging.private_key("matrix")
        self.good = forging.answering(forging.key_set(forging.public_jwk(self.key, "key-a")))
        self.answer: Answering = self.good
        self.reads = 0
        keys = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                keys.reads += 1
                keys.answer(self)

        class Listener(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """A client that hung up is what these tests are about."""

        self._server = Listener(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/keys"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self._up = True

    def stop(self) -> None:
        """Nobody listens on the port any more."""
        if self._up:
            self._up = False
            self._server.shutdown()
            self._server.server_close()


class Stage:
    """One running service. `site` are further lines of its registration, `top` of the file, `database` its address."""

    def __init__(
        self,
        folder: Path,
        *,
        chart: tuple[Mapping[str, Any], ...] = CHART,
        fhir_base: str = "",
        site: tuple[str, ...] = (),
        top: tuple[str, ...] = (),
        database: str = "",
        evaluate: Evaluator | None = None,
        threads: int = 32,
        patient_id: str = PATIENT,
        as_of: datetime = AS_OF,
    ) -> None:
        self.folder = folder
        self.patient_id = patient_id
        store: dict[str, list[Any]] = {"Patient": [patient(patient_id)]}
        for resource in chart:
            kept = store.setdefault(resource["resourceType"], [])
            kept[:] = [resource] if resource["resourceType"] == "Patient" else [*kept, resource]
        self.fhir = LyingServer(store)
        self.keys = Keys()
        self.file = folder / "postcart.toml"
        self.fhir_base = fhir_base or self.fhir.base
        self.database = database or f"sqlite:///{folder}/postcart.db"
        self.write(site, top)
        self._told = {"as_of": as_of.isoformat(), "state_dir": str(folder / "state")}
        self.app: Any = None
        try:
            self.app = create_app(
                Settings(config=str(self.file), **self._told), evaluate=evaluate, threads=threads
            )
        except BaseException:
            self.close()
            raise
        self.client = self.app.test_client()

    def write(self, site: tuple[str, ...] = (), top: tuple[str, ...] = ()) -> None:
        """Writes the registration file."""
        lines = [
            f'public_url = "{URL}"',
            f'database_url = "{self.database}"',
            f'key_dir = "{self.folder}/keys"',
            *top,
            "[[site]]",
            'name = "matrix"',
            'environment = "test"',
            f'iss = ["{ISSUER}"]',
            f'jku = ["{self.keys.url}"]',
            f'fhir_base = "{self.fhir_base}"',
            'region = "US"',
            *site,
        ]
        self.file.write_text("\n".join(lines), encoding="utf-8")

    @property
    def running(self) -> Any:
        """What the pages of state look at."""
        return self.app.extensions["postcart"]

    def close(self) -> None:
        if self.app is not None:
            self.running.parts.close()
            self.running.parts.link.close()
        self.keys.stop()
        self.fhir.stop()

    def token(self, kid: str = "key-a", path: str = RELAPSE, **claims: Any) -> str:
        """A token as the EHR signs it, good unless told otherwise."""
        now = int(time.time())
        whole = {"iss": ISSUER, "aud": URL + path, "iat": now, "exp": now + 300, "jti": str(uuid.uuid4())}
        headers = {"kid": kid, "jku": self.keys.url}
        return jwt.encode(whole | claims, self.keys.key, "ES384", headers=headers)

    def request(
        self, given: Mapping[str, Any] | None = None, *, server: str | None = None, token: bool = True
    ) -> bytes:
        """A patient-view request with this prefetch, and access to a FHIR server unless `server` is empty."""
        whole = json.loads(body({} if given is None else given, self.patient_id))
        if given is None:
            del whole["prefetch"]
        address = self.fhir_base if server is None else server
        if address:
            whole["fhirServer"] = address
        if address and token:
            whole["fhirAuthorization"] = {
                "access_token": TOKEN,
                "token_type": "Bearer",
                "expires_in": 300,
                "scope": "patient/*.rs",
                "subject": "postcart",
            }
        return json.dumps(whole).encode()

    def call(self, sent: bytes | None = None, *, signed: str | None = None, path: str = RELAPSE) -> Any:
        """One signed call; a request without any prefetch unless told otherwise."""
        header = f"Bearer {self.token() if signed is None else signed}"
        content = self.request() if sent is None else sent
        return self.client.post(
            path, data=content, content_type="application/json", headers={"Authorization": header}
        )

    def feedback(self, card: str) -> Any:
        """One signed feedback call about a card."""
        when = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        row = {"card": card, "outcome": "overridden", "outcomeTimestamp": when}
        return self.call(json.dumps({"feedback": [row]}).encode(), path=f"{RELAPSE}/feedback")

    def figures(self) -> str:
        """The metrics as text."""
        return str(
            self.client.get("/metrics", environ_base={"REMOTE_ADDR": "127.0.0.1"}).get_data(as_text=True)
        )

    def ready(self) -> tuple[int, dict[str, Any]]:
        """Status and parts of `/ready`."""
        answer = self.client.get("/ready", environ_base={"REMOTE_ADDR": "127.0.0.1"})
        return answer.status_code, answer.get_json()


def category(answer: Any) -> str:
    """The category of an answered call; a test site's response carries it."""
    return str(answer.get_json()["extension"]["org.postcart"]["category"])


def details(answer: Any) -> str:
    """All words of the cards."""
    return "\n".join(f"{card['summary']}\n{card['detail']}" for card in answer.get_json()["cards"])


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gave, and its seconds on the wall."""
    begun = time.monotonic()
    found = work()
    return found, time.monotonic() - begun


ESSENTIALS: dict[str, Any] = {
    key: value
    for key, value in prefetch(*CHART).items()
    if key in ("patient", "conditions", "procedures", "medicationAdministrations")
}
"""Disease and infusion, without results and reports."""
WHOLE: dict[str, Any] = prefetch(*CHART)
