"""The routes of the launch: `/launch`, `/launch.html`, `/callback`, the key set and IT's page; errors as pages."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path

from flask import Blueprint, Response, g, request, send_from_directory

from cds_hooks.memory import StoreDown
from ehr.own_keys import KeyFault
from ehr.site import Site, SmartClient
from smart_app.launch.browser import (
    ancestors_of,
    drop_cookie,
    form_hosts_of,
    set_headers,
    set_state_cookie,
    set_workspace_cookie,
    state_cookie_name,
    workspace_cookie_name,
    workspace_names,
)
from smart_app.launch.desk import Desk
from smart_app.launch.faces import fault_page, html, page
from smart_app.launch.fault import LaunchFault
from smart_app.launch.opening import Begun, Opening
from smart_app.launch.parts import LaunchParts
from smart_app.launch.presets import PRESETS
from smart_app.launch.trail import Trails
from smart_app.launch.vault import Vault
from smart_app.launch.views import environment_words
from smart_app.launch.workspace_routes import workspace_routes
from smart_app.page.render import static_file
from smart_app.page.states import Site as Listed
from smart_app.page.states import render_launch_choice

_ASSETS = Path(__file__).parent.parent / "static" / "launch"
_JWKS_AGE = 300
_ASSET_AGE = 31_536_000
_MOST_COOKIES_CHECKED = 30


def launch_routes(parts: LaunchParts) -> Blueprint:
    """All routes of the SMART app, to be registered in the app's factory. Paths are fixed by the contract."""
    routes = Blueprint("smart_launch", __name__)
    vault = Vault(parts.workspaces, parts.sealer, lambda: parts.registry.config, parts.clock)
    trails = Trails(parts.clock)
    opening = Opening(parts, vault, trails)
    desk = Desk(parts, vault, opening)
    _begin_routes(routes, parts, opening)
    _callback_route(routes, parts, vault, opening, desk)
    _key_route(routes, parts)
    _diagnostics_route(routes, parts, trails)
    workspace_routes(routes, parts, vault, desk)
    _assets(routes)
    _headers_and_faults(routes, parts)
    return routes


def _begin_routes(routes: Blueprint, parts: LaunchParts, opening: Opening) -> None:
    @routes.get("/launch")
    def launch() -> Response:
        iss, launch_code = _one("iss", "no-iss"), _one("launch", "bad-launch", needed=False)
        return _send(opening.begin(iss, launch_code))

    @routes.get("/launch.html")
    def launch_page() -> Response:
        if request.query_string:
            # to the letter as the EHR sent it
            given = request.query_string.decode("latin-1")
            return _see_other(f"{parts.public_url}/launch?{given}")
        sites = [site for site in parts.registry.config.sites if site.smart is not None]
        # the choice is a form, and browsers hold redirects after a form to form-action
        g.form_hosts = form_hosts_of(sites)
        listed = [_listed(site, site.smart) for site in sites if site.smart is not None]
        return html(render_launch_choice(sites=listed, presets=[Listed(a, n) for n, a in PRESETS]))

    def _send(begun: Begun) -> Response:
        g.launch_site = begun.site
        if begun.request.fields:
            g.form_hosts = form_hosts_of([begun.site])
            response = page("send.html", action=begun.request.url, fields=begun.request.fields)
        else:
            response = _see_other(begun.request.url)
        set_state_cookie(response, begun.state, begun.cookie)
        return response


def _callback_route(
    routes: Blueprint, parts: LaunchParts, vault: Vault, opening: Opening, desk: Desk
) -> None:
    @routes.get("/callback")
    def callback() -> Response:
        query = {name: request.args[name] for name in request.args}
        if any(len(request.args.getlist(name)) > 1 for name in query):
            raise LaunchFault("state-unknown", "repeated")
        cookie_name = state_cookie_name(query.get("state", ""))
        session, site = opening.finish(query, request.cookies.get(cookie_name, ""))
        g.launch_site = site
        name, secret = vault.create(session)
        desk.chart(vault.enter(name, secret))
        response = _see_other(f"{parts.public_url}/w/{name}")
        drop_cookie(response, cookie_name)
        for old in workspace_names(request)[:_MOST_COOKIES_CHECKED]:
            if not vault.exists(old):
                drop_cookie(response, workspace_cookie_name(old))
        set_workspace_cookie(response, name, secret)
        parts.note("launch", code="opened", site=site.name)
        return response


def _key_route(routes: Blueprint, parts: LaunchParts) -> None:
    @routes.get("/.well-known/jwks.json")
    def key_set() -> Response:
        try:
            keys = parts.own_keys.public_set()
        except KeyFault as fault:
            raise LaunchFault("own-key", fault.code) from fault
        response = Response(_json(keys), mimetype="application/jwk-set+json")
        response.headers["Cache-Control"] = f"public, max-age={_JWKS_AGE}"
        return response


def _diagnostics_route(routes: Blueprint, parts: LaunchParts, trails: Trails) -> None:
    @routes.get("/diagnostics")
    def diagnostics() -> Response:
        caller = (request.remote_addr or "").partition("%")[0]
        if caller not in parts.registry.config.admin_addresses:
            raise LaunchFault("not-admin")
        try:
            keys = parts.own_keys.keys().published(parts.clock())
        except KeyFault as fault:
            raise LaunchFault("own-key", fault.code) from fault
        return page(
            "diagnostics.html",
            sites=parts.registry.config.sites,
            keys=keys,
            trails=trails.newest_first(),
            redirect_uri=parts.redirect_uri,
            launch_url=f"{parts.public_url}/launch",
            jwks_url=f"{parts.public_url}/.well-known/jwks.json",
        )


def _listed(site: Site, smart: SmartClient) -> Listed:
    return Listed(smart.iss, smart.name or site.name, environment_words(site))


def _assets(routes: Blueprint) -> None:
    @routes.get("/static/<name>")
    def static(name: str) -> Response:
        found = static_file(name)
        if found is None:
            raise LaunchFault("not-found", "path")
        response = Response(found[0], content_type=found[1])
        response.headers["Cache-Control"] = f"public, max-age={_ASSET_AGE}, immutable"
        return response

    @routes.get("/launch-assets/<path:name>")
    def asset(name: str) -> Response:
        response = send_from_directory(_ASSETS, name, max_age=3600)
        response.headers["Cache-Control"] = "public, max-age=3600"
        return response


def _headers_and_faults(routes: Blueprint, parts: LaunchParts) -> None:
    request_id = _request_ids(parts)

    @routes.after_request
    def finish(response: Response) -> Response:
        site = g.get("launch_site")
        set_headers(response, ancestors_of(parts.registry.config, site), g.get("form_hosts", ()))
        return response

    @routes.errorhandler(LaunchFault)
    def stopped(fault: LaunchFault) -> Response:
        parts.note("launch-stopped", code=fault.code, why=fault.detail)
        response = fault_page(fault, request_id())
        if fault.code in ("not-found", "ended", "wrong-patient"):
            response.headers["Clear-Site-Data"] = '"cache"'
        return response

    @routes.errorhandler(StoreDown)
    def store_down(fault: StoreDown) -> Response:
        return stopped(LaunchFault("store-down", fault.code))

    @routes.errorhandler(404)
    def not_there(_: Exception) -> Response:
        return stopped(LaunchFault("not-found", "path"))

    @routes.errorhandler(Exception)
    def unforeseen(fault: Exception) -> Response:
        # the type's name is ours or a library's; the message may hold chart text or a code and stays unsaid
        parts.note("fault", code="unforeseen", error=type(fault).__name__)
        return fault_page(LaunchFault("unforeseen"), request_id())


def _request_ids(parts: LaunchParts) -> Callable[[], str]:
    def request_id() -> str:
        known = parts.request_id()
        if not known:
            known = g.get("launch_request_id") or secrets.token_hex(8)
            g.launch_request_id = known
        return known

    return request_id


def _one(name: str, fault: str, *, needed: bool = True) -> str:
    values = request.args.getlist(name)
    if len(values) > 1 or (needed and not any(values)):
        raise LaunchFault(fault, "count")
    return values[0] if values else ""


def _see_other(url: str) -> Response:
    response = Response(status=303)
    response.headers["Location"] = url
    return response


def _json(value: object) -> str:

    return json.dumps(value)
