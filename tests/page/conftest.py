"""Charts as pages: a view of any case, and a small Flask app that serves pages under the product's own CSP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import opened_chromium
from flask import Flask, Response
from playwright.sync_api import Browser
from staging import CSP, NOW, Stage, Viewer, case, records_of
from werkzeug.serving import make_server

from mappings.evaluate import evaluate
from mappings.loading import Knowledge
from mappings.reading.decode import decode_chart
from smart_app.charts import read_charts
from smart_app.page import PageView, static_file


@pytest.fixture(scope="session")
def view_of(knowledge: Knowledge) -> Viewer:
    """A page view of a case by name, by path, or of a body given as an object."""

    def make(what: str | Path | dict[str, Any], **more: Any) -> PageView:
        body = what if isinstance(what, dict) else None
        if body is None:
            path = what if isinstance(what, Path) else case(str(what))
            body = json.loads(path.read_bytes())
            chart = read_charts([str(path)], "")[0]
            decoded, patient = chart.decoded, chart.patient
        else:
            decoded, patient = decode_chart(json.dumps(body).encode()), body["context"]["patientId"]
        made = evaluate(decoded, knowledge, patient_id=patient, as_of=NOW, regions=("US", "EU"))
        values = {"user": "Dr Example", "site": "Example Hospital", "environment": "test", **more}
        return PageView(made, knowledge, "/w/abc", "token-1", NOW, records=records_of(body), **values)

    return make


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """A Flask app on a free port that serves pages and static files with the strict policy."""
    app = Flask("stage", static_folder=None)
    held = Stage("")

    @app.get("/static/<name>")
    def static(name: str) -> Response:
        found = static_file(name)
        if found is None:
            return Response(status=404)
        return Response(found[0], mimetype=found[1])

    @app.get("/w/<name>")
    def page(name: str) -> Response:
        return Response(held.pages[name], mimetype="text/html", headers={"Content-Security-Policy": CSP})

    @app.get("/w/<name>/progress")
    def progress(name: str) -> Response:
        return Response(held.pages[f"{name}/progress"], mimetype="text/html")

    server = make_server("127.0.0.1", 0, app, threaded=True)
    held.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield held
    server.shutdown()
    thread.join(5)
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium under Playwright."""
    with opened_chromium() as opened:
        yield opened
