"""Puts the parts together: knowledge, self-test, the hook service, the pages of state."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from cds_hooks.names import card_names
from cds_hooks.outcome import Refusal, outcome_body
from cds_hooks.service import RelapseService
from cds_hooks.web import CountedResponse, hook_routes
from mappings.loading import load_knowledge
from smart_app.collector import Collector
from smart_app.counters import Counters
from smart_app.edge import Edge
from smart_app.log import write_log
from smart_app.selftest import evaluator_of, run_selftest
from smart_app.settings import Settings, check_settings, is_loopback

if TYPE_CHECKING:
    from cds_hooks.service import Evaluator
    from mappings.loading import Knowledge

_HEADERS = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))


@dataclass(slots=True)
class Readiness:
    """Whether calls may be answered, and on what knowledge."""

    failed: tuple[str, ...]
    version: str
    digest: str


def create_app(settings: Settings, *, evaluate: Evaluator | None = None, collect: bool = False) -> Flask:
    """The web app of one process; refuses unsafe settings and broken knowledge before it answers anything.

    `evaluate` replaces the evaluation (tests of faults); `collect` takes over garbage collection (servers).
    """
    check_settings(settings)
    knowledge = load_knowledge()
    evaluator = evaluate if evaluate is not None else evaluator_of(knowledge, settings.regions)
    failed = run_selftest(evaluator)
    for case in failed:
        write_log("selftest-failed", level="error", case=case)
    ready = Readiness(failed, knowledge.version, knowledge.digest)
    app = Flask("postcart", static_folder=None)
    app.url_map.strict_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]
    counters = Counters()
    collector = Collector() if collect else None
    service = RelapseService(
        evaluate=evaluator,
        names=card_names(knowledge),
        source_url=settings.url + "/",
        as_of=settings.moment,
        opened=settings.opened,
    )
    _guard(app, ready)
    app.register_blueprint(hook_routes(service))
    _status_pages(app, knowledge, ready, counters, collector)
    _errors(app, counters)
    _after(app, settings, counters)
    app.extensions["postcart"] = {"counters": counters, "collector": collector, "ready": ready}
    app.wsgi_app = Edge(app.wsgi_app, counters, collector)  # type: ignore[method-assign]
    if collector is not None:
        collector.start()
    return app


def _guard(app: Flask, ready: Readiness) -> None:
    @app.before_request
    def check_call() -> Response | None:
        g.started = time.perf_counter()
        host = (
            request.host.rsplit(":", 1)[0] if not request.host.startswith("[") else request.host.split("]")[0]
        )
        if not is_loopback(host.strip("[]")):
            raise Refusal(
                403, "wrong-host", "unauthenticated calls are answered on loopback names only", "Host"
            )
        if request.method == "OPTIONS" and request.path.startswith("/cds-services"):
            return Response(status=204)
        if ready.failed and request.path.startswith("/cds-services"):
            raise Refusal(503, "selftest-failed", "the self-test failed; nothing is answered until it passes")
        return None


def _status_pages(
    app: Flask, knowledge: Knowledge, ready: Readiness, counters: Counters, collector: Collector | None
) -> None:
    @app.get("/")
    def about() -> Response:
        return Response(_about(knowledge), mimetype="text/plain")

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "up"}

    @app.get("/ready")
    def readiness() -> tuple[dict[str, object], int]:
        stamp = {"version": ready.version, "digest": ready.digest, "overlay": knowledge.overlay}
        state = "failed" if ready.failed else "passed"
        body = {
            "ready": not ready.failed,
            "knowledge": stamp,
            "selftest": state,
            "failed": list(ready.failed),
        }
        return body, 503 if ready.failed else 200

    @app.get("/metrics")
    def metrics() -> Response:
        if not is_loopback((request.remote_addr or "").rsplit("%", 1)[0]):
            raise Refusal(403, "not-admin", "metrics are answered on loopback only")
        text = counters.text()
        if collector is not None:
            text += f"postcart_full_collections_inside_calls_total {collector.full_inside}\n"
            text += f"postcart_full_collections_between_calls_total {collector.full_between}\n"
        return Response(text, mimetype="text/plain")


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


def _refused(status: int, code: str, message: str, field: str = "") -> Response:
    return Response(
        outcome_body(status, code, message, field), status=status, mimetype="application/fhir+json"
    )


def _errors(app: Flask, counters: Counters) -> None:
    @app.errorhandler(Refusal)
    def refused(fault: Refusal) -> Response:
        counters.add("postcart_refusals_total", "code", fault.code)
        return _refused(fault.status, fault.code, fault.message, fault.field)

    @app.errorhandler(HTTPException)
    def http_fault(fault: HTTPException) -> Response:
        status = fault.code or 500
        response = _refused(status, f"http-{status}", fault.name)
        for name, value in fault.get_headers():
            if name == "Allow":
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def unforeseen(fault: Exception) -> Response:
        # the type's name is ours or a library's; the message may hold chart text and stays unsaid
        counters.add("postcart_faults_total", "kind", "unforeseen")
        write_log("fault", level="error", error=type(fault).__name__)
        return _refused(
            500, "unforeseen", "the call could not be answered; nothing is said about the patient"
        )


def _after(app: Flask, settings: Settings, counters: Counters) -> None:
    @app.after_request
    def finish(response: Response) -> Response:
        for name, value in _HEADERS:
            response.headers[name] = value
        origin = request.headers.get("Origin")
        if origin and settings.opened and _loopback_origin(origin):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Vary"] = "Origin"
            if request.method == "OPTIONS":
                response.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
                response.headers["Access-Control-Allow-Headers"] = "authorization, content-type"
                response.headers["Access-Control-Max-Age"] = "600"
        if request.method == "POST":
            _count(response, counters)
        return response


def _count(response: Response, counters: Counters) -> None:
    took = round((time.perf_counter() - g.started) * 1000, 2)
    answer = response.answer if isinstance(response, CountedResponse) else None
    if answer is None:
        write_log("call", status=response.status_code, ms=took)
        return
    counters.add("postcart_categories_total", "category", answer.category)
    for kind in answer.kinds:
        counters.add("postcart_cards_total", "kind", kind)
    if answer.repaired:
        counters.add("postcart_repaired_total", by=answer.repaired)
    write_log(
        "call",
        status=200,
        ms=took,
        category=answer.category,
        cards=len(answer.kinds),
        keys=dict(answer.keys),
        repaired=answer.repaired,
    )


def _loopback_origin(origin: str) -> bool:
    scheme, _, rest = origin.partition("://")
    host = rest.split("]")[0].lstrip("[") if rest.startswith("[") else rest.rsplit(":", 1)[0]
    return scheme in ("http", "https") and is_loopback(host)
