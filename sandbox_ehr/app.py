"""Puts the box together: charts, FHIR, authorization, pages; headers and refusals for all of them."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException

from sandbox_ehr.access import TokenShelf
from sandbox_ehr.chart.panel import Panels
from sandbox_ehr.chart.routes import chart_routes
from sandbox_ehr.chart.ward import Ward
from sandbox_ehr.fhir.records import Records
from sandbox_ehr.fhir.routes import Parts, fhir_routes
from sandbox_ehr.fhir.service import FhirService
from sandbox_ehr.happened import Happened
from sandbox_ehr.hooks import HookClient
from sandbox_ehr.keys import SigningKey
from sandbox_ehr.patients import all_charts
from sandbox_ehr.settings import Settings
from sandbox_ehr.smart.grants import Office
from sandbox_ehr.smart.models import Desk
from sandbox_ehr.smart.routes import smart_routes
from sandbox_ehr.switches import SwitchPanel

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def create_app(settings: Settings) -> Flask:
    """The web app of one box. Its parts stand under `app.extensions["sandbox"]` for whoever drives it in tests."""
    app = Flask("sandbox_ehr", template_folder="templates", static_folder="static")
    records = Records(all_charts(settings.today))
    switches, tokens, happened = SwitchPanel(), TokenShelf(), Happened()
    key, desk, panels = SigningKey(), Desk(), Panels()
    fhir = FhirService(records, switches, settings.fhir_base)
    hooks = HookClient(
        cds_base=settings.cds_base,
        root=settings.root,
        key=key,
        fhir=fhir,
        tokens=tokens,
        happened=happened,
    )
    office = Office(desk, tokens, switches, key, settings.fhir_base)
    app.register_blueprint(smart_routes(app, office, settings.registrations(), records, settings.root))
    app.register_blueprint(fhir_routes(Parts(fhir, tokens, happened, settings.root, settings.today)))
    ward = Ward(settings, records, hooks, happened, switches, desk, panels, settings.fhir_base)
    app.register_blueprint(chart_routes(ward))
    app.extensions["sandbox"] = {"ward": ward, "office": office, "tokens": tokens}
    _guard(app, settings)
    _headers(app, settings)
    return app


def _guard(app: Flask, settings: Settings) -> None:
    known = {urlsplit(settings.root).netloc}
    port = urlsplit(settings.root).port

    @app.before_request
    def known_host() -> tuple[str, int] | None:
        allowed = known | {f"{host}:{port}" for host in _LOOPBACK}
        if request.host in allowed:
            return None
        return "This box is not known by that name.", 421

    @app.errorhandler(HTTPException)
    def refused(fault: HTTPException) -> tuple[str, int]:
        page = render_template("message.html", title=fault.name, text=fault.description or "")
        return page, fault.code or 500


def _headers(app: Flask, settings: Settings) -> None:
    targets = {f"{urlsplit(one).scheme}://{urlsplit(one).netloc}" for one in settings.redirect_uris}
    targets |= {
        f"{urlsplit(one).scheme}://{urlsplit(one).netloc}"
        for client in settings.extra_clients
        for one in client.redirect_uris
    }
    policy = "; ".join(
        (
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            f"frame-src {settings.app_origin} 'self'",
            f"form-action 'self' {' '.join(sorted(targets))}",
            "base-uri 'none'",
            "frame-ancestors 'self'",
        )
    )

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        # no-referrer would make the browser send `Origin: null` with our own forms
        response.headers.setdefault("Referrer-Policy", "same-origin")
        return response
