"""Puts the parts together: sites, knowledge, self-test, the hook service, the SMART app, the pages of state."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from flask import Flask, Response, g, has_request_context, request
from werkzeug.exceptions import HTTPException

from cds_hooks.outcome import Refusal, outcome_body
from cds_hooks.service import HookService
from cds_hooks.trust import NotTrusted
from cds_hooks.web import Door, Noted, NotedResponse, hook_routes
from mappings.loading import load_knowledge
from smart_app.edge import CALL_KEY, Edge
from smart_app.launch import launch_routes
from smart_app.log import write_log
from smart_app.operations.limits import Budget, SiteShares
from smart_app.operations.metrics import Metrics
from smart_app.operations.request_ids import request_id
from smart_app.parts import assemble, launch_parts, reloader
from smart_app.running import Running, run_parts
from smart_app.settings import Settings, check_settings, is_loopback
from smart_app.status_pages import status_pages

if TYPE_CHECKING:
    from cds_hooks.advice import Evaluator
    from cds_hooks.trust import Caller

_HEADERS = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
)
_SITE_SHARE = 3 / 4
_FREE_THREADS = 4
_OLD_TOKEN_SECONDS = 120


def create_app(
    settings: Settings, *, evaluate: Evaluator | None = None, collect: bool = False, threads: int = 32
) -> Flask:
    """The web app of one process; refuses unsafe settings and broken knowledge before it answers anything.

    `evaluate` replaces the evaluation (tests of faults); `collect` takes over garbage collection (servers);
    `threads` is how many calls the server answers at once.
    """
    check_settings(settings)
    knowledge = load_knowledge()
    metrics = Metrics()
    parts = assemble(settings, knowledge, metrics, evaluate)
    running = run_parts(parts, metrics, collect)
    app = Flask("postcart", static_folder=None)
    app.url_map.strict_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]
    _guard(app, running)
    _hooks(app, running, threads)
    app.register_blueprint(launch_routes(launch_parts(parts, _note_launch, _request_id)))
    status_pages(app, running)
    _errors(app, running)
    _after(app, running)
    app.extensions["postcart"] = running
    running.budget = Budget(max(1, threads - _FREE_THREADS))
    app.wsgi_app = Edge(  # type: ignore[method-assign]
        app.wsgi_app,
        running.metrics,
        running.collector,
        budget=running.budget,
        drain=running.drain,
        guard=running.guard if collect else None,
    )
    running.start()
    return app


def _note_launch(event: str, **fields: object) -> None:
    """A log line of the launch; its fields are on the closed list like any other's."""
    write_log(event, **{"request": _request_id(), **fields})  # type: ignore[arg-type]


def _request_id() -> str:
    return request_id(request.environ) if has_request_context() else ""


def _hooks(app: Flask, running: Running, threads: int) -> None:
    parts = running.parts
    service = HookService(
        judge=parts.judges.of,
        public_url=lambda: parts.config.public_url.rstrip("/"),
        hooks=lambda: parts.config.offered_hooks,
        memory=parts.store,
        pseudonym=parts.pseudonym,
        link=parts.link,
        deadline_s=lambda: parts.config.deadline_s,
        as_of=parts.settings.moment,
        opened=parts.settings.opened,
        context_key=parts.key_for("card link"),
    )
    shares = SiteShares(max(1, int(threads * _SITE_SHARE)))

    def limit(caller: Caller) -> None:
        site = caller.site
        g.site = site.name
        if caller.issued > time.time() - _OLD_TOKEN_SECONDS:  # an older one may only have been made ahead
            running.clock.sample(site.name, caller.issued)
        running.rates.check(site.name)
        if len(parts.config.sites) == 1:
            return
        if "holds" not in g:
            g.holds = ExitStack()
        g.holds.enter_context(shares.hold(site.name))

    door = Door(lambda: parts.config, parts.gate, parts.settings.opened, limit)
    app.register_blueprint(hook_routes(service, door, parts.store))

    @app.teardown_request
    def let_go(fault: BaseException | None) -> None:
        g.pop("holds", ExitStack()).close()


def _guard(app: Flask, running: Running) -> None:
    look = reloader(running.parts, running.know_sites)
    opened = running.parts.settings.opened

    @app.before_request
    def check_call() -> Response | None:
        g.started = time.perf_counter()
        look()
        if opened and not is_loopback(_host(request.host)):
            raise Refusal(
                403, "wrong-host", "unauthenticated calls are answered on loopback names only", "Host"
            )
        if not request.path.startswith("/cds-services"):
            return None
        if request.method == "OPTIONS":
            return Response(status=204)
        if running.failed:
            raise Refusal(503, "selftest-failed", "the self-test failed; nothing is answered until it passes")
        return None


def _host(given: str) -> str:
    host = given.split("]")[0] if given.startswith("[") else given.rsplit(":", 1)[0]
    return host.strip("[]")


def _refused(fault: Refusal) -> Response:
    body = outcome_body(fault.status, fault.code, fault.message, fault.field)
    response = Response(body, status=fault.status, mimetype="application/fhir+json")
    if fault.challenge:
        response.headers["WWW-Authenticate"] = fault.challenge
    if fault.retry_after:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response


def _errors(app: Flask, running: Running) -> None:
    metrics = running.metrics

    @app.errorhandler(Refusal)
    def refused(fault: Refusal) -> Response:
        metrics.add("postcart_refusals_total", "code", fault.code)
        site = g.get("site", "")
        if fault.code == "limited":
            metrics.count("postcart_limited_total", site)
        if isinstance(fault, NotTrusted):
            metrics.add("postcart_distrusted_total", "why", fault.why)
        if site:  # one audit row per call of a registered site, answered or not
            running.parts.store.record_event("refused", site, {"code": fault.code, "path": request.path})
        write_log(
            "refused",
            level="warning",
            site=site,
            status=fault.status,
            code=fault.code,
            why=fault.why,
            request=request_id(request.environ),
        )
        return _refused(fault)

    @app.errorhandler(HTTPException)
    def http_fault(fault: HTTPException) -> Response:
        status = fault.code or 500
        response = _refused(Refusal(status, f"http-{status}", fault.name))
        for name, value in fault.get_headers():
            if name == "Allow":
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def unforeseen(fault: Exception) -> Response:
        # the type's name is ours or a library's; the message may hold chart text and stays unsaid
        metrics.add("postcart_faults_total", "kind", "unforeseen")
        write_log("fault", level="error", error=type(fault).__name__, request=request_id(request.environ))
        return _refused(
            Refusal(500, "unforeseen", "the call could not be answered; nothing is said about the patient")
        )


def _after(app: Flask, running: Running) -> None:
    @app.after_request
    def finish(response: Response) -> Response:
        for name, value in _HEADERS:
            response.headers.setdefault(name, value)
        origin = request.headers.get("Origin")
        if origin and request.path.startswith("/cds-services") and _allowed_origin(origin, running):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Vary"] = "Origin"
            if request.method == "OPTIONS":
                response.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
                response.headers["Access-Control-Allow-Headers"] = "authorization, content-type"
                response.headers["Access-Control-Max-Age"] = "600"
        if isinstance(response, NotedResponse) and response.noted is not None:
            _note(response.noted, response.status_code, running)
        return response


def _allowed_origin(origin: str, running: Running) -> bool:
    if origin in running.parts.config.cors_origins:
        return True
    return running.parts.settings.opened and _loopback_origin(origin)


def _note(noted: Noted, status: int, running: Running) -> None:
    """Counts and logs an answered call: closed labels and random ids, nothing of the patient (H-66)."""
    took = round((time.perf_counter() - g.started) * 1000, 2)
    site = noted.caller.site.name if noted.caller is not None else ""
    answer = noted.answer
    hook = answer.hook if answer is not None else "feedback"
    request.environ[CALL_KEY] = (noted.service, hook)
    if answer is None:
        for outcome in noted.feedback:
            running.metrics.count("postcart_feedback_total", site, outcome=outcome)
        write_log("feedback", status=status, ms=took, site=site, count=len(noted.feedback))
        return
    running.metrics.answered(
        site, answer.category, answer.kinds, answer.keys, silent=answer.silent, repaired=answer.repaired
    )
    for key, state in answer.gaps.keys.items():
        if state.startswith(("fetched", "failed")):
            code = state.partition(":")[2] or "ok"
            running.metrics.fetched(site, key, code, answer.gaps.milliseconds)
    write_log(
        "call",
        request=request_id(request.environ),
        site=site,
        service=noted.service,
        hook=hook,
        instance=answer.instance,
        status=status,
        ms=took,
        category=answer.category,
        cards=answer.cards,
        kinds=answer.kinds,
        keys=answer.gaps.keys,
        silent=answer.silent,
        suppressed=answer.suppressed,
        repaired=answer.repaired,
    )


def _loopback_origin(origin: str) -> bool:
    scheme, _, rest = origin.partition("://")
    return scheme in ("http", "https") and is_loopback(_host(rest))
