"""The pages of state: what this is, whether it is up, whether it is ready, its figures, its own description."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from flask import Flask, Response, request

from cds_hooks.outcome import Refusal
from smart_app.operations.metrics import CONTENT_TYPE
from smart_app.operations.openapi import openapi_document, routes_of

if TYPE_CHECKING:
    from mappings.loading import Knowledge
    from smart_app.running import Running


def status_pages(app: Flask, running: Running) -> None:
    """Registers `/`, `/health`, `/ready`, `/metrics` and `/openapi.json`."""
    knowledge = running.parts.judges.knowledge

    @app.get("/")
    def about() -> Response:
        return Response(_about(knowledge), mimetype="text/plain")

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "up"}

    @app.get("/ready")
    def ready() -> tuple[dict[str, object], int]:
        stamp = {"version": knowledge.version, "digest": knowledge.digest, "overlay": knowledge.overlay}
        head = {
            "knowledge": stamp,
            "selftest": "failed" if running.failed else "passed",
            "failed": list(running.failed),
        }
        body, status = running.readiness.report(head)
        if not _admin(running):  # which sites there are and how they stand is IT's alone (T-29)
            body = {name: value for name, value in body.items() if name in ("ready", *head)}
        return body, status

    @app.get("/metrics")
    def metrics() -> Response:
        if not _admin(running):
            raise Refusal(403, "not-admin", "metrics are answered to admin_addresses only")
        return Response(running.figures(), content_type=CONTENT_TYPE)

    @app.get("/openapi.json")
    def openapi() -> Response:
        return Response(described(app, running.parts.config.public_url), mimetype="application/json")


@cache
def described(app: Flask, url: str) -> str:
    """The OpenAPI document of all routes as JSON text; made at the first request, when every route is there."""
    return json.dumps(openapi_document(routes_of(app), version("postcart"), url))


def _admin(running: Running) -> bool:
    return (request.remote_addr or "").partition("%")[0] in running.parts.config.admin_addresses


def _about(knowledge: Knowledge) -> str:
    """Intended use, limits, developer and sources of the knowledge as plain text (rules 10)."""
    rows = [f"postcart, knowledge {knowledge.version} ({knowledge.digest})", ""]

    def tell(value: object, indent: str) -> None:
        if isinstance(value, dict):
            for name, part in value.items():
                if isinstance(part, dict | list):
                    rows.append(f"{indent}{name}:")
                    tell(part, indent + "  ")
                else:
                    rows.append(f"{indent}{name}: {part if part not in (None, '') else 'not provided'}")
        elif isinstance(value, list):
            for part in value:
                if isinstance(part, dict | list):
                    tell(part, indent)
                    rows.append("")
                else:
                    rows.append(f"{indent}- {part}")

    tell(dict(knowledge.disclosure), "")
    return "\n".join(rows) + "\n"
