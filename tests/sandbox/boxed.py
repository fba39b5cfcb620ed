"""A hook service that keeps what it was sent and answers with known cards, and short ways into a box."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import jwt
import requests
from flask import Flask, Response, jsonify, request

from sandbox_ehr.serve import Box

TODAY = date(2026, 11, 22)
ALMA, BRUNO = "zztest-alma", "zztest-bruno"
REASONS = [
    {
        "code": "patient-refuses",
        "system": "https://example.org/reasons",
        "display": "Patient declines",
    },
    {"code": "need-more-info", "system": "https://example.org/reasons", "display": "Will review"},
]


@dataclass
class FakeService:
    """A hook service that verifies every call with an independent library and remembers it."""

    base: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    feedback: list[dict[str, Any]] = field(default_factory=list)
    audiences: list[str] = field(default_factory=list)
    templates: dict[str, str] = field(
        default_factory=lambda: {
            "patient": "Patient/{{context.patientId}}",
            "conditions": "Condition?patient={{context.patientId}}",
            "observations": "Observation?patient={{context.patientId}}&_sort=-date&_count=1000",
            "reports": "DiagnosticReport?patient={{context.patientId}}&_sort=-date",
            "procedures": "Procedure?patient={{context.patientId}}",
            "administrations": "MedicationAdministration?patient={{context.patientId}}",
        }
    )
    extra_cards: list[Any] = field(default_factory=list)
    status: int = 200

    def check(self) -> dict[str, Any]:
        """The claims of the caller's token, verified with PyJWT against the published keys."""
        text = request.headers["Authorization"].removeprefix("Bearer ")
        header = jwt.get_unverified_header(text)
        keys = requests.get(header["jku"], timeout=5).json()["keys"]
        key = next(jwt.PyJWK(one) for one in keys if one["kid"] == header["kid"])
        claims = jwt.decode(text, key, algorithms=["ES384"], audience=request.base_url)
        assert header["typ"] == "JWT"
        self.audiences.append(claims["aud"])
        return claims

    def cards(self, hook: str, body: dict[str, Any]) -> list[Any]:
        """Known cards for each hook."""
        if hook == "patient-view":
            return [_view_card(self.base, body["context"]["patientId"]), *self.extra_cards]
        texts = [
            (one["resource"].get("medicationCodeableConcept") or one["resource"]["code"])["text"]
            for one in body["context"]["draftOrders"]["entry"]
        ]
        return [_order_card()] if any("loncastuximab" in text for text in texts) else []


def _view_card(base: str, patient: str) -> dict[str, Any]:
    draft = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "order",
        "code": {"text": "Repeat biopsy with CD19, CD20 and CD22"},
        "subject": {"reference": f"Patient/{patient}"},
    }
    return {
        "uuid": "11111111-1111-4111-8111-111111111111",
        "summary": "CD19-negative relapse, day 136",
        "detail": "First <b>line</b>.\n\n- Why: \\*seen\\*.\n- **Missing**: CD22.\n\nOptions, not orders.",
        "indicator": "info",
        "source": {"label": "fake service", "url": f"{base}/about"},
        "links": [
            {"label": "Open the app", "type": "smart", "url": f"{base}/launch", "appContext": "sealed"},
            {"label": "Elsewhere", "type": "smart", "url": "https://evil.example/launch"},
            {"label": "Script", "type": "absolute", "url": "javascript:alert(1)"},
        ],
        "suggestions": [
            {
                "uuid": "22222222-2222-4222-8222-222222222222",
                "label": "Draft a repeat biopsy",
                "actions": [{"type": "create", "description": "Draft", "resource": draft}],
            }
        ],
        "selectionBehavior": "any",
        "overrideReasons": REASONS,
        "extension": {"org.example": {"category": "cd19-negative"}},
    }


def _order_card() -> dict[str, Any]:
    return {
        "uuid": "33333333-3333-4333-8333-333333333333",
        "summary": "Loncastuximab needs CD19: reported negative.",
        "indicator": "warning",
        "source": {"label": "fake service"},
        "overrideReasons": REASONS,
    }


def service_app(fake: FakeService) -> Flask:
    app = Flask("fake-service")

    @app.get("/cds-services")
    def services() -> Response:
        fake.check()
        hooks = (("view", "patient-view"), ("orders", "order-select"), ("orders", "order-sign"))
        rows = [
            {"id": name, "hook": hook, "description": hook, "prefetch": fake.templates}
            for name, hook in hooks
        ]
        return jsonify(services=rows)

    @app.post("/cds-services/<name>")
    def call(name: str) -> tuple[Response, int]:
        claims = fake.check()
        body = request.get_json()
        fake.calls.append({"service": name, "claims": claims, "body": body})
        if fake.status != 200:
            return jsonify(resourceType="OperationOutcome", issue=[{"diagnostics": "not today"}]), fake.status
        return jsonify(cards=fake.cards(body["hook"], body)), 200

    @app.post("/cds-services/<name>/feedback")
    def feedback(name: str) -> tuple[str, int]:
        fake.check()
        fake.feedback.extend(request.get_json()["feedback"])
        return "", 200

    @app.get("/launch")
    def launch() -> str:
        return f"<!doctype html><title>app</title><p id='seen'>launched for {request.args['iss']}</p>"

    return app


def ward(box: Box) -> Any:
    """The parts the pages work with."""
    return box.app.extensions["sandbox"]["ward"]


def switch(box: Box, *names: str) -> None:
    """Turns exactly these switches on."""
    ward(box).switches.set(set(names))


def ask(box: Box, path: str, token: str | None = None, **more: Any) -> requests.Response:
    """A GET at the FHIR address with Alma's token unless another is given; an empty one sends none."""
    value = box.token(ALMA) if token is None else token
    headers = {"Accept": "application/fhir+json", **more.pop("headers", {})}
    if value:
        headers["Authorization"] = f"Bearer {value}"
    return requests.get(f"{box.root}/fhir/{path}", headers=headers, timeout=20, **more)
