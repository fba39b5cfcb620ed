"""Draft orders of a wrong form are the caller's fault, named as such: 400, never 500 (H-56)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from smart_app.app import create_app
from smart_app.settings import Settings

SAMPLE = Path(__file__).parents[1] / "conformance" / "requests" / "order-repeat-sign.json"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    app = create_app(Settings(opened=True, state_dir=str(tmp_path_factory.mktemp("orders"))))
    yield app.test_client()
    app.extensions["postcart"].parts.close()


@pytest.mark.parametrize("entry", ["qz7m", 9223372036854775808, True, {"x": 1}, 0.5], ids=str)
def test_h56_entries_that_are_no_list_are_named_as_the_fault(client: FlaskClient, entry: Any) -> None:
    request = json.loads(SAMPLE.read_text("utf-8"))
    request["context"]["draftOrders"]["entry"] = entry
    answer = client.post("/cds-services/post-car-t-order-check", json=request)
    assert answer.status_code == 400
    (issue,) = answer.get_json()["issue"]
    assert "context.draftOrders" in json.dumps(issue)
    assert "qz7m" not in answer.get_data(as_text=True)


@pytest.mark.parametrize("entry", [[7], [None], ["x"], [{"resource": 7}], []], ids=str)
def test_h11_entries_that_are_no_orders_are_no_fault_of_the_call(client: FlaskClient, entry: Any) -> None:
    request = json.loads(SAMPLE.read_text("utf-8"))
    request["context"]["draftOrders"]["entry"] = entry
    assert client.post("/cds-services/post-car-t-order-check", json=request).status_code == 200
