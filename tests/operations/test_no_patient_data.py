"""H-66: every vignette, marked in each name, id and text, goes through the web app; no sink may hold a mark."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from marks import cases, marked_requests, marks_in

from mappings.reading.decode import Decoded
from smart_app.app import create_app
from smart_app.settings import Settings

PATH = "/cds-services/post-car-t-relapse"
SETTINGS = Settings(opened=True, as_of="2026-11-22T12:00:00Z")


@pytest.fixture(scope="module")
def app() -> Flask:
    return create_app(SETTINGS)


def broken(body: bytes) -> dict[str, bytes]:
    """The same chart in requests that are refused, each at another place."""
    request = json.loads(body)
    prefetch = request["prefetch"] or {}
    return {
        "hook": json.dumps({**request, "hook": "qz7mhook"}).encode(),
        "hookInstance": json.dumps({**request, "hookInstance": "qz7minstance"}).encode(),
        "no context": json.dumps({**request, "context": {"qz7mname": "qz7mvalue"}}).encode(),
        "odd id": json.dumps({**request, "context": {**request["context"], "patientId": "qz7m id"}}).encode(),
        "odd key": json.dumps({**request, "prefetch": {**prefetch, "qz7mkey": 5}}).encode(),
        "odd type": json.dumps(
            {**request, "prefetch": {**prefetch, "x": {"resourceType": "qz7mtype"}}}
        ).encode(),
        "cut": body[:-20],
        "other patient": json.dumps(
            {**request, "prefetch": {"patient": {"resourceType": "Patient", "id": "qz7mother"}}}
        ).encode(),
        "nothing": json.dumps({**request, "prefetch": {}}).encode(),
    }


HEADERS = {
    "X-Request-Id": "qz7m request \u00e9",
    "User-Agent": "qz7magent",
    "Referer": "https://qz7mreferer.example/",
    "Origin": "http://127.0.0.1:1",
    "Authorization": "Bearer qz7mtoken",
    "Cookie": "qz7mcookie=qz7mvalue",
    "traceparent": "qz7mtrace",
}


def test_h66_no_vignette_leaves_a_mark_in_log_metrics_or_errors(app: Flask, capsys: Any) -> None:
    client = app.test_client()
    answered = refused = marked_cards = 0
    errors = []
    for name, body in marked_requests():
        assert marks_in(body.decode()), name
        sent = client.post(PATH, data=body, content_type="application/json", headers=HEADERS)
        answered += sent.status_code == 200
        if sent.status_code != 200:
            errors.append(sent)
        elif marks_in(sent.get_data(as_text=True)):
            marked_cards += 1
        for bad in broken(body).values():
            answer = client.post(PATH, data=bad, content_type="application/json", headers=HEADERS)
            refused += answer.status_code != 200
            if answer.status_code != 200:
                errors.append(answer)
    errors.append(client.get("/qz7mpath?qz7m=qz7mquery", headers=HEADERS))
    errors.append(client.post("/cds-services/qz7mservice", data=b"{}", headers=HEADERS))
    assert len(cases()) >= 250
    assert answered >= 200
    assert refused >= 5 * len(cases())
    assert marked_cards >= 50, "the marks must be such that they could get out"
    for one in errors:
        found = marks_in(one.get_data(as_text=True) + str(one.headers))
        assert not found, found
    told = capsys.readouterr()
    assert len(told.err.splitlines()) >= answered
    assert not marks_in(told.err + told.out)
    for path in ("/metrics", "/ready", "/health", "/openapi.json", "/cds-services"):
        assert not marks_in(
            client.get(path, environ_base={"REMOTE_ADDR": "127.0.0.1"}).get_data(as_text=True)
        )


@pytest.mark.parametrize("kind", [KeyError, ValueError, RuntimeError, UnicodeError])
def test_h66_a_fault_that_quotes_the_chart_is_not_told(kind: Callable[..., Exception], capsys: Any) -> None:
    """H-56, H-66: an unforeseen error is 500 with an OperationOutcome; its message stays unsaid."""
    from smart_app.selftest import evaluator_of

    armed: list[bool] = []
    good = evaluator_of(__import__("mappings.loading").loading.load_knowledge(), ("US", "EU"))

    def evaluate(chart: Decoded, patient: str, as_of: Any) -> Any:
        if armed:
            raise kind("qz7mname of Alma Zztest")
        return good(chart, patient, as_of)

    client = create_app(SETTINGS, evaluate=evaluate).test_client()
    armed.append(True)
    name, body = next(marked_requests())
    answer = client.post(PATH, data=body, content_type="application/json")
    assert answer.status_code == 500, name
    assert json.loads(answer.data)["resourceType"] == "OperationOutcome"
    told = capsys.readouterr()
    assert not marks_in(answer.get_data(as_text=True) + told.err + told.out)
    assert kind.__name__ in told.err


def test_the_search_finds_what_is_there() -> None:
    assert marks_in("a QZ7M5x1 b qx7m12 c") == {"QZ7M5x1", "qx7m12"}
    assert not marks_in("qz 7m")
