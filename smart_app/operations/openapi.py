"""The service described as OpenAPI 3.1, made from the routes it really has and the JSON Schemas it really uses.

Every route is in the document. One without words of its own says so there, and a test lets none pass.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from flask import Response

from smart_app.operations.openapi_parts import OPERATIONS, RESPONSES, SCHEMAS, UNDESCRIBED

if TYPE_CHECKING:
    from flask import Flask

_PARAMETER = re.compile(r"<(?:[a-z]+(?:\([^)]*\))?:)?([A-Za-z_]+)>")
_METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH"})


def serve_openapi(app: Flask, version: str, url: str) -> None:
    """Adds `/openapi.json`, the same for every caller; call it when all other routes are there."""
    told: list[str] = []
    app.add_url_rule("/openapi.json", "openapi", lambda: Response(told[0], mimetype="application/json"))
    told.append(json.dumps(openapi_document(routes_of(app), version, url)))


def documented_path(rule: str) -> str:
    """`/w/<workspace>` or `/w/<string:workspace>` as OpenAPI writes it: `/w/{workspace}`."""
    return _PARAMETER.sub(r"{\1}", rule)


def routes_of(app: Flask) -> dict[str, frozenset[str]]:
    """Every path the app answers with its methods; HEAD and OPTIONS follow by themselves."""
    found: dict[str, frozenset[str]] = {}
    for rule in app.url_map.iter_rules():
        path = documented_path(rule.rule)
        found[path] = found.get(path, frozenset()) | (frozenset(rule.methods or ()) & _METHODS)
    return found


def undescribed(routes: Mapping[str, Iterable[str]]) -> list[str]:
    """Routes for which `openapi_parts` has no words."""
    return sorted(
        f"{method} {path}"
        for path, methods in routes.items()
        for method in methods
        if (method, path) not in OPERATIONS
    )


def openapi_document(routes: Mapping[str, Iterable[str]], version: str, url: str = "/") -> dict[str, Any]:
    """The document for these routes. It holds no address, site or secret beyond the service's own public address."""
    paths: dict[str, dict[str, Any]] = {}
    for path in sorted(routes):
        for method in sorted(routes[path]):
            paths.setdefault(path, {})[method.lower()] = _operation(method, path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "postcart",
            "version": version,
            "summary": "Relapse after CD19 CAR T: category and options as CDS Hooks 2.0.1 cards and a SMART app",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{"url": url}],
        "paths": paths,
        "components": {
            "schemas": {**SCHEMAS, **runtime_schemas()},
            "securitySchemes": {
                "caller": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "Signed by a registered EHR (RS384 or ES384). Not asked for with --open.",
                }
            },
        },
    }


def _operation(method: str, path: str) -> dict[str, Any]:
    words = dict(OPERATIONS.get((method, path), UNDESCRIBED))
    fault = RESPONSES[words.pop("fault", "refusal")]
    answers = {str(status): RESPONSES[name] for status, name in words.pop("answers").items()}
    operation: dict[str, Any] = {
        "operationId": f"{method.lower()}{re.sub(r'[^A-Za-z0-9]+', '_', path).rstrip('_') or '_root'}",
        **words,
        "responses": {**answers, "default": fault},
    }
    parameters = [*words.get("parameters", ()), *(_path_parameter(name) for name in _names(path))]
    if parameters:
        operation["parameters"] = parameters
    return operation


def _names(path: str) -> list[str]:
    return re.findall(r"\{([A-Za-z_]+)\}", path)


def _path_parameter(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$"},
    }


@cache
def runtime_schemas() -> dict[str, Any]:
    """The schemas requests and answers are checked with at run time, by name (`request`, …), references re-rooted."""
    found = {}
    for entry in sorted(
        resources.files("cds_hooks").joinpath("schemas").iterdir(), key=lambda file: file.name
    ):
        if entry.name.endswith(".schema.json"):
            name = entry.name.removesuffix(".schema.json")
            schema = json.loads(entry.read_text("utf-8"))
            schema.pop("$schema", None)
            schema.pop("$id", None)
            found[name] = _rerooted(schema, f"#/components/schemas/{name}/")
    return found


def _rerooted(value: Any, root: str) -> Any:
    if isinstance(value, dict):
        return {
            key: root + part.removeprefix("#/")
            if key == "$ref" and isinstance(part, str) and part.startswith("#/")
            else _rerooted(part, root)
            for key, part in value.items()
        }
    return [_rerooted(part, root) for part in value] if isinstance(value, list) else value
