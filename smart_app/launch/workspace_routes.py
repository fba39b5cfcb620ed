"""The routes of a workspace. Each is entered through one gate that asks for the workspace's own cookie (T-12)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import wraps

from flask import Blueprint, Response, g, request

from smart_app.launch.browser import check_form, csrf_token, drop_cookie, workspace_cookie_name
from smart_app.launch.charts import Chart
from smart_app.launch.desk import Desk
from smart_app.launch.faces import html, page
from smart_app.launch.fault import LaunchFault
from smart_app.launch.parts import LaunchParts
from smart_app.launch.vault import Opened, Vault
from smart_app.launch.views import environment_words, page_view, poll_ms, query_rows, who_of
from smart_app.page.identity import identity_of
from smart_app.page.render import FEEDBACK_REASONS, render_page
from smart_app.page.states import render_ended, render_loading, render_progress, render_read_fault
from smart_app.page.takeaway import json_document, plain_text
from smart_app.page.view import PageView
from smart_app.page.whatif import LONGEST_WHERE, StatementFault, read_statements
from smart_app.page.why import strangers_of
from smart_app.page.words import moment_words

REASONS = dict(FEEDBACK_REASONS)
_STATEMENT_FIELDS = (
    "cd19",
    "cd20",
    "cd22",
    "specimen",
    "method",
    "collected",
    "product",
    "infused",
    "confirmed",
    "confirmed_on",
    "disregard",
    "where",
)
_LONGEST_FIELD = 200
_IDLE_SLACK = timedelta(seconds=2)
_UNTOUCHED = frozenset({"progress", "idle"})

View = Callable[[Opened], Response]


def workspace_routes(routes: Blueprint, parts: LaunchParts, vault: Vault, desk: Desk) -> None:
    """Adds `/w/{workspace}/…`. A route is reachable only through `entered`."""

    def entered(path: str, *, post: bool = False) -> Callable[[Callable[..., Response]], None]:
        def add(view: Callable[..., Response]) -> None:
            @wraps(view)
            def gate(workspace: str, **rest: str) -> Response:
                secret = request.cookies.get(workspace_cookie_name(workspace), "")
                opened = vault.enter(workspace, secret)
                g.launch_site, g.workspace_secret = opened.site, secret
                if post:
                    check_form(request, secret, parts.public_url)
                if path.strip("/") not in _UNTOUCHED:
                    vault.touch(workspace)
                    parts.charts.used(workspace)
                response = view(opened, **rest)
                # also answers to forms, text and JSON: each may stand on a screen that somebody walks away from
                if not {"Location", "Clear-Site-Data"} & set(response.headers.keys()):
                    after = opened.site.idle_minutes * 60
                    response.headers["Refresh"] = f"{after}; url=/w/{workspace}/idle"
                return response

            routes.add_url_rule(
                f"/w/<workspace>{path}",
                endpoint=f"workspace_{view.__name__}",
                view_func=gate,
                methods=["POST"] if post else ["GET"],
            )

        return add

    _page_routes(entered, parts, desk)
    _take_away_routes(entered, parts, desk)
    _action_routes(entered, parts, desk)

    @routes.route("/w/<workspace>/<path:rest>", methods=["GET", "POST"])
    def elsewhere(workspace: str, rest: str) -> Response:
        raise LaunchFault("not-found", "path")


def _page_routes(entered: Callable[..., Callable[..., None]], parts: LaunchParts, desk: Desk) -> None:
    @entered("")
    def whole(opened: Opened) -> Response:
        chart = desk.chart(opened)
        if chart.fault:
            raise LaunchFault(chart.fault)
        token = csrf_token(g.workspace_secret)
        if chart.evaluation is None:
            return html(
                render_loading(
                    base=f"/w/{opened.name}",
                    queries=query_rows(chart),
                    csrf=token,
                    site=opened.site.name,
                    environment=environment_words(opened.site),
                    who=who_of(opened, chart),
                    poll_ms=poll_ms(parts, chart),
                )
            )
        if chart.stopped:
            return html(_stopped_page(opened, chart, token, parts))
        view = page_view(
            parts, opened, chart, chart.evaluation, secret=g.workspace_secret, query=request.args
        )
        return html(render_page(view))

    @entered("/progress")
    def progress(opened: Opened) -> Response:
        chart = desk.chart(opened)
        response = html(
            render_progress(
                base=f"/w/{opened.name}",
                queries=query_rows(chart),
                who=who_of(opened, chart),
                csrf=csrf_token(g.workspace_secret),
                poll_ms=poll_ms(parts, chart),
            )
        )
        if chart.ready:
            response.headers["HX-Refresh"] = "true"
        return response

    @entered("/idle")
    def idle(opened: Opened) -> Response:
        # the browser comes here by itself when the page has stood as long as the site allows (H-03)
        if parts.clock() - opened.last_used >= timedelta(minutes=opened.site.idle_minutes) - _IDLE_SLACK:
            desk.close(opened)
            raise LaunchFault("not-found", "timed-out")
        return _back(parts, opened)

    @entered("/raw/<kind>/<name>")
    def raw(opened: Opened, kind: str, name: str) -> Response:
        chart, evaluation = desk.ready_chart(opened)
        content = chart.records.get(f"{kind}/{name}")
        if content is None or f"{kind}/{name}" in strangers_of(evaluation):
            raise LaunchFault("not-in-chart")
        if request.args.get("format") == "json":
            return Response(content, mimetype="application/fhir+json")
        try:
            text = json.dumps(json.loads(content), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            text = content.decode("utf-8", "replace")
        return page(
            "raw.html",
            base=f"/w/{opened.name}",
            reference=f"{kind}/{name}",
            who=identity_of(evaluation),
            site=opened.site.name,
            environment_label=environment_words(opened.site),
            csrf=csrf_token(g.workspace_secret),
            text=text,
        )


def _stopped_page(opened: Opened, chart: Chart, token: str, parts: LaunchParts) -> str:
    """Reading ended with something that may be asked again: retry it, or go on without it, marked."""
    failed = next((one for key, one in chart.fetched.items() if key in chart.retriable), None)
    return render_read_fault(
        base=f"/w/{opened.name}",
        queries=query_rows(chart),
        csrf=token,
        request_id=parts.request_id() or "not given",
        code=failed.code if failed is not None else "none",
        at=moment_words(parts.clock()),
        who=identity_of(chart.evaluation) if chart.evaluation is not None else None,
        site=opened.site.name,
        environment=environment_words(opened.site),
    )


def _back(parts: LaunchParts, opened: Opened, place: str = "") -> Response:
    response = Response(status=303)
    response.headers["Location"] = f"{parts.public_url}/w/{opened.name}{place}"
    return response


def _take_away_routes(entered: Callable[..., Callable[..., None]], parts: LaunchParts, desk: Desk) -> None:
    def view_of(opened: Opened) -> PageView:
        chart, evaluation = desk.ready_chart(opened)
        return page_view(parts, opened, chart, evaluation, secret=g.workspace_secret, query={})

    @entered("/text")
    def text(opened: Opened) -> Response:
        return Response(plain_text(view_of(opened)), mimetype="text/plain")

    @entered("/evaluation.json")
    def evaluation_json(opened: Opened) -> Response:
        body = json.dumps(json_document(view_of(opened)), ensure_ascii=False, default=str)
        return Response(body, mimetype="application/json")


def _action_routes(entered: Callable[..., Callable[..., None]], parts: LaunchParts, desk: Desk) -> None:
    @entered("/what-if", post=True)
    def what_if(opened: Opened) -> Response:
        chart, evaluation = desk.ready_chart(opened)
        if request.form.get("action") == "clear":
            desk.state_clear(opened)
            return _back(parts, opened, "#whatif")
        form = {name: request.form[name] for name in _STATEMENT_FIELDS if request.form.get(name)}
        if any(len(value) > _LONGEST_FIELD or "\0" in value for value in form.values()):
            raise LaunchFault("bad-form", "length")
        try:
            read_statements(form, evaluation, parts.knowledge_of(opened.site))
        except StatementFault as fault:
            view = page_view(
                parts,
                opened,
                chart,
                evaluation,
                secret=g.workspace_secret,
                query={},
                form=form,
                faults=fault.faults,
            )
            return html(render_page(view), 422)
        desk.state_add(opened, {**form, "where": form.get("where", "")[:LONGEST_WHERE]})
        return _back(parts, opened, "#whatif")

    @entered("/feedback", post=True)
    def feedback(opened: Opened) -> Response:
        reason = request.form.get("reason", "")
        if reason not in REASONS:
            raise LaunchFault("bad-form", "reason")
        chart, evaluation = desk.ready_chart(opened)
        desk.feedback(opened, reason=reason, display=REASONS[reason])
        view = page_view(
            parts,
            opened,
            chart,
            evaluation,
            secret=g.workspace_secret,
            query={},
            message="Thank you, this was noted.",
        )
        return html(render_page(view))

    @entered("/retry", post=True)
    def retry(opened: Opened) -> Response:
        desk.retry(opened)
        return _back(parts, opened)

    @entered("/stop", post=True)
    def stop(opened: Opened) -> Response:
        desk.go_on(opened)
        return _back(parts, opened)

    @entered("/close", post=True)
    def close(opened: Opened) -> Response:
        desk.close(opened)
        response = html(render_ended(closed=True, whatif=bool(opened.session.stated)))
        drop_cookie(response, workspace_cookie_name(opened.name))
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response
