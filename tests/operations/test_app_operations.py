"""The parts of operations in the real app, with registered sites and signed calls."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from registered import GOOD, INSIDE, OUTSIDE, PATH, call, registration, token

from smart_app.app import create_app
from smart_app.operations.drain import DrainBoard
from smart_app.settings import Settings


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    made = create_app(Settings(config=str(registration(tmp_path))))
    yield made
    made.extensions["postcart"].parts.close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def series(client: FlaskClient) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = client.get("/metrics", environ_base=INSIDE).get_data(as_text=True)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_rate_limit_row_the_site_over_its_limit_gets_429_and_the_other_is_answered(
    client: FlaskClient,
) -> None:
    """T-35 and the failure matrix: 429 with Retry-After for the noisy site, nothing for its neighbour."""
    assert [call(client, "north").status_code for _ in range(5)] == [200] * 5
    limited = call(client, "north")
    assert limited.status_code == 429
    assert 1 <= int(limited.headers["Retry-After"]) <= 12
    assert json.loads(limited.data)["resourceType"] == "OperationOutcome"
    assert call(client, "south").status_code == 200
    assert series(client)["postcart_refusals_total", (("code", "limited"),)] == 1


def test_h55_a_good_call_is_noted_per_site(client: FlaskClient) -> None:
    before = time.time()
    assert call(client, "south").status_code == 200
    found = series(client)
    assert found["postcart_last_good_call_timestamp_seconds", (("site", "south"),)] >= before
    row = (("hook", "patient-view"), ("service", "post-car-t-relapse"), ("status", "200"))
    assert found["postcart_calls_total", row] == 1


def test_t29_outside_addresses_see_no_figures_and_no_parts(client: FlaskClient) -> None:
    assert client.get("/metrics", environ_base=OUTSIDE).status_code == 403
    assert client.get("/diagnostics", environ_base=OUTSIDE).status_code in (403, 404)
    outside = client.get("/ready", environ_base=OUTSIDE)
    assert "north" not in outside.get_data(as_text=True)
    assert outside.get_json()["ready"] in (True, False)
    inside = client.get("/ready", environ_base=INSIDE).get_json()
    assert {"knowledge", "selftest", "database", "keys", "registrations", "clock"} <= set(inside["parts"])
    described = client.get("/openapi.json", environ_base=OUTSIDE).get_data(as_text=True)
    for word in ("north", "south", "sqlite", "kid"):
        assert word not in described.replace('"kid"', "")


def test_t29_hostile_calls_add_no_series(client: FlaskClient) -> None:
    """T-29: after the first hostile call the number of series stays, whatever the next hundred hold."""

    def hostile(number: int) -> None:
        mark = f"qz7m{number}"
        request = {**json.loads(GOOD), "hook": mark, "hookInstance": mark}
        call(client, "south", json.dumps(request).encode(), **{"X-Request-Id": mark, "User-Agent": mark})
        client.post(f"/cds-services/{mark}", data=b"{}", content_type="application/json")
        client.post(
            PATH, data=GOOD, headers={"Authorization": f"Bearer {mark}"}, content_type="application/json"
        )
        client.get(f"/{mark}")

    hostile(0)
    before = set(series(client))
    for number in range(1, 40):
        hostile(number)
    assert set(series(client)) == before
    assert not any("qz7m" in str(row) for row in before)


def test_t34_callers_that_are_not_trusted_get_the_same_bytes(client: FlaskClient) -> None:
    now = int(time.time())
    wrong = {
        "nothing": "",
        "not a token": "Bearer qz7m",
        "expired": f"Bearer {token('north', iat=now - 4000, exp=now - 3900)}",
        "other audience": f"Bearer {token('north', aud='https://elsewhere.example.org')}",
        "other issuer": f"Bearer {token('north', iss='https://nobody.example.org')}",
        "other site's key": f"Bearer {token('south', iss='https://north.example.org')}",
    }
    answers = {}
    for name, header in wrong.items():
        headers = {"Authorization": header} if header else {}
        answer = client.post(PATH, data=GOOD, headers=headers, content_type="application/json")
        answers[name] = (answer.status_code, answer.data, answer.headers.get("WWW-Authenticate"))
    assert set(answers.values()) == {answers["nothing"]}
    assert answers["nothing"][0] == 401


def test_the_log_of_a_call_says_what_it_should_and_no_more(app: Flask, capsys: Any) -> None:
    client = app.test_client()
    call(client, "south", **{"X-Request-Id": "abc-1"})
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (row,) = [line for line in lines if line["event"] == "call"]
    assert row["site"] == "south"
    assert row["hook"] == "patient-view"
    assert row["instance"] == json.loads(GOOD)["hookInstance"]
    assert row["category"] == "cd19-negative"
    assert row["ms"] > 0
    assert "(withheld)" not in json.dumps(row)
    assert json.loads(GOOD)["context"]["patientId"] not in json.dumps(row)


def test_sigterm_row_a_draining_process_is_not_ready_and_refuses_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POSTCART_DRAIN_BOARD", raising=False)
    board = DrainBoard.create()
    try:
        app = create_app(Settings(config=str(registration(tmp_path))))
        client = app.test_client()
        assert client.get("/ready").status_code == 200
        board.begin()
        assert client.get("/ready").status_code == 503
        refused = call(client, "south")
        assert refused.status_code == 503
        assert refused.headers["Retry-After"]
        app.extensions["postcart"].parts.close()
    finally:
        board.remove()


def test_h59_silent_mode_past_its_end_is_told_and_still_silent(tmp_path: Path) -> None:
    until = datetime.now(UTC).date() - timedelta(days=1)
    path = registration(tmp_path, south=f"silent = true\nsilent_until = {until}")
    app = create_app(Settings(config=str(path)))
    client = app.test_client()
    part = client.get("/ready", environ_base=INSIDE).get_json()["parts"]["registrations"]
    assert part["state"] == "silent-over"
    assert call(client, "south").get_json() in ({"cards": []}, {"cards": [], "extension": {}})
    assert series(client)["postcart_silent", (("site", "south"),)] == 1
    app.extensions["postcart"].parts.close()


def test_h69_a_notice_shows_in_ready(tmp_path: Path) -> None:
    state = tmp_path / "postcart-state"
    state.mkdir()
    (state / "notices.json").write_text('[{"id": "n-1", "text": "Day counts were wrong."}]')
    app = create_app(Settings(config=str(registration(tmp_path))))
    part = app.test_client().get("/ready", environ_base=INSIDE).get_json()["parts"]["notices"]
    assert (part["state"], part["notices"][0]["id"]) == ("notice", "n-1")
    app.extensions["postcart"].parts.close()


@pytest.mark.parametrize("path", ["/metrics", "/health", "/openapi.json", "/nothing-here", "/cds-services"])
def test_t15_every_answer_says_that_nothing_may_frame_or_run_it(client: FlaskClient, path: str) -> None:
    """T-15: also answers that no page made, such as figures and the bare 404."""
    headers = client.get(path, environ_base=INSIDE).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
