"""The description of the service: whole, valid, true; and what calls made from it find."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from smart_app.app import create_app
from smart_app.operations.openapi import (
    documented_path,
    openapi_document,
    routes_of,
    runtime_schemas,
    serve_openapi,
    undescribed,
)
from smart_app.settings import Settings

ROOT = Path(__file__).parents[2]
NEEDED = {"/cds-services", "/cds-services/{service_id}", "/health", "/ready", "/metrics"}


@pytest.fixture(scope="module")
def app() -> Flask:
    return create_app(Settings(opened=True, as_of="2025-12-01T12:00:00Z"))


@pytest.fixture(scope="module")
def document(app: Flask) -> dict[str, Any]:
    """The document as it is served, or made from the routes where the app does not serve it."""
    answer = app.test_client().get("/openapi.json")
    if answer.status_code == 200:
        found: dict[str, Any] = answer.get_json()
        return found
    return openapi_document(routes_of(app), "0")


def test_every_route_is_described_and_nothing_else_is(app: Flask, document: dict[str, Any]) -> None:
    described = {path: {method.upper() for method in row} for path, row in document["paths"].items()}
    assert described == {path: set(methods) for path, methods in routes_of(app).items()}
    assert set(described) >= NEEDED


def test_every_route_has_words_of_its_own(app: Flask) -> None:
    assert undescribed(routes_of(app)) == []


def test_a_route_without_words_is_found_and_still_in_the_document() -> None:
    app = Flask("other", static_folder=None)
    app.add_url_rule("/new/<string:name>", "new", lambda name: name)
    assert undescribed(routes_of(app)) == ["GET /new/{name}"]
    assert list(openapi_document(routes_of(app), "0")["paths"]) == ["/new/{name}"]


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("/w/<workspace>", "/w/{workspace}"),
        ("/w/<string:workspace>/<path:rest>", "/w/{workspace}/{rest}"),
        ("/a/<any(x,y):kind>", "/a/{kind}"),
    ],
)
def test_rules_become_paths(rule: str, path: str) -> None:
    assert documented_path(rule) == path


def test_the_run_time_schemas_are_the_ones_in_the_document(document: dict[str, Any]) -> None:
    files = list((ROOT / "cds_hooks" / "schemas").glob("*.schema.json"))
    assert sorted(runtime_schemas()) == sorted(path.name.removesuffix(".schema.json") for path in files)
    for path in files:
        real = json.loads(path.read_text("utf-8"))
        told = document["components"]["schemas"][path.name.removesuffix(".schema.json")]
        assert set(told["properties"]) == set(real["properties"])
        assert told.get("required") == real.get("required")


def test_calls_and_feedback_refer_to_the_schemas_used_at_run_time(document: dict[str, Any]) -> None:
    for path, name in (
        ("/cds-services/{service_id}", "request"),
        ("/cds-services/{service_id}/feedback", "feedback"),
    ):
        body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        assert body == {"schema": {"$ref": f"#/components/schemas/{name}"}}
        assert name in runtime_schemas()


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [ref for part in value.values() for ref in references(part)]
    return [ref for part in value for ref in references(part)] if isinstance(value, list) else []


def test_every_reference_leads_somewhere_inside_the_document(document: dict[str, Any]) -> None:
    found = references(document)
    assert len(found) > 10
    for reference in found:
        assert reference.startswith("#/")
        place: Any = document
        for step in reference[2:].split("/"):
            place = place[step.replace("~1", "/").replace("~0", "~")]
        assert isinstance(place, dict)


def test_every_schema_is_a_schema(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [one["operationId"] for row in document["paths"].values() for one in row.values()]
    assert len(names) == len(set(names))
    assert document["openapi"] == "3.1.0"


def test_t29_the_document_holds_no_address_but_the_services_own(document: dict[str, Any]) -> None:
    text = json.dumps({**document, "servers": []})
    for word in ("127.0.0.1", "sqlite", "postgres", "key_dir", "secret", "client_id"):
        assert word not in text


def test_answers_fit_their_schemas(app: Flask, document: dict[str, Any]) -> None:
    client = app.test_client()
    sample = next((ROOT / "tests" / "conformance" / "requests").glob("cd19-negative-dlbcl.json")).read_bytes()
    answers: dict[str, Any] = {
        "discovery": client.get("/cds-services"),
        "readiness": client.get("/ready"),
        "health": client.get("/health"),
        "cards": client.post(
            "/cds-services/post-car-t-relapse", data=sample, content_type="application/json"
        ),
        "outcome": client.post(
            "/cds-services/post-car-t-relapse", data=b"{", content_type="application/json"
        ),
    }
    for name, answer in answers.items():
        schema = {
            "$ref": f"#/components/schemas/{name}",
            "components": document["components"],
        }
        jsonschema.Draft202012Validator(schema).validate(answer.get_json(force=True))


def _fuzzed() -> Any:
    """The service itself, its document made from its own routes, as schemathesis calls it."""
    app = create_app(Settings(opened=True, as_of="2025-12-01T12:00:00Z"))
    if "/openapi.json" not in routes_of(app):
        serve_openapi(app, "0", "http://127.0.0.1")
    return schemathesis.openapi.from_wsgi("/openapi.json", app, headers={"Host": "127.0.0.1"})


FUZZED = _fuzzed()
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@FUZZED.parametrize()
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_calls_made_from_the_description_find_no_fault(case: schemathesis.Case) -> None:
    """Each operation is called with values that fit its schema and values that do not: no 5xx, every answer fits."""
    case.call_and_validate(checks=CHECKS, headers={"Host": "127.0.0.1"})
