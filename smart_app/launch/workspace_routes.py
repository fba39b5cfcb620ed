"""The routes of a workspace. Each is entered through one gate that asks for the workspace's own cookie (T-12)."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps

from flask import Blueprint, Response, g, request

from smart_app.launch.browser import check_form, drop_cookie, workspace_cookie_name
from smart_app.launch.desk import Desk
from smart_app.launch.faces import page
from smart_app.launch.fault import LaunchFault
from smart_app.launch.parts import LaunchParts
from smart_app.launch.vault import Opened, Vault
from smart_app.launch.views import page_view, progress_rows
from smart_app.page.render import FEEDBACK_REASONS, render_page
from smart_app.page.takeaway import json_document, plain_text
from smart_app.page.view import PageView
from smart_app.page.whatif import LONGEST_WHERE, StatementFault, read_statements

STOP_POLLING = 286
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
_LONGEST_COMMENT = 500
_UNTOUCHED = frozenset({"progress", "alive"})

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
                return view(opened, **rest)

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
        if chart.evaluation is None:
            return page("reading.html", root="", base=f"/w/{opened.name}", steps=progress_rows(chart))
        view = page_view(
            parts, opened, chart, chart.evaluation, secret=g.workspace_secret, query=request.args
        )
        return Response(render_page(view), mimetype="text/html")

    @entered("/progress")
    def progress(opened: Opened) -> Response:
        chart = desk.chart(opened)
        response = page(
            "progress.html", STOP_POLLING if chart.ready else 200, root="", steps=progress_rows(chart)
        )
        if chart.ready:
            response.headers["HX-Redirect"] = f"/w/{opened.name}"
        return response

    @entered("/alive")
    def alive(opened: Opened) -> Response:
        return Response(status=204)

    @entered("/raw/<kind>/<name>")
    def raw(opened: Opened, kind: str, name: str) -> Response:
        chart, evaluation = desk.ready_chart(opened)
        content = chart.records.get(f"{kind}/{name}")
        if content is None:
            raise LaunchFault("not-in-chart")
        if request.args.get("format") == "json":
            return Response(content, mimetype="application/fhir+json")
        try:
            text = json.dumps(json.loads(content), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            text = content.decode("utf-8", "replace")
        return page(
            "raw.html",
            root="",
            base=f"/w/{opened.name}",
            reference=f"{kind}/{name}",
            patient=evaluation.facts.patient.id,
            text=text,
        )


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
    def back(opened: Opened, place: str = "") -> Response:
        response = Response(status=303)
        response.headers["Location"] = f"{parts.public_url}/w/{opened.name}{place}"
        return response

    @entered("/what-if", post=True)
    def what_if(opened: Opened) -> Response:
        chart, evaluation = desk.ready_chart(opened)
        drop = request.form.get("drop", "")
        if request.form.get("clear") or drop.isdigit():
            desk.state_drop(opened, int(drop) if drop.isdigit() and not request.form.get("clear") else 0)
            return back(opened, "#whatif")
        form = {name: request.form[name] for name in _STATEMENT_FIELDS if request.form.get(name)}
        if any(len(value) > _LONGEST_FIELD or "\0" in value for value in form.values()):
            raise LaunchFault("bad-form", "length")
        try:
            read_statements(form, evaluation, parts.knowledge)
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
            return Response(render_page(view), status=422, mimetype="text/html")
        desk.state_add(opened, {**form, "where": form.get("where", "")[:LONGEST_WHERE]})
        return back(opened, "#whatif")

    @entered("/feedback", post=True)
    def feedback(opened: Opened) -> Response:
        reason = request.form.get("reason", "")
        comment = request.form.get("comment", "")
        if reason not in REASONS or len(comment) > _LONGEST_COMMENT or "\0" in comment:
            raise LaunchFault("bad-form", "reason" if reason not in REASONS else "comment")
        desk.feedback(opened, reason=reason, display=REASONS[reason], comment=comment)
        chart, evaluation = desk.ready_chart(opened)
        view = page_view(
            parts,
            opened,
            chart,
            evaluation,
            secret=g.workspace_secret,
            query={},
            message="Thank you, this was noted.",
        )
        return Response(render_page(view), mimetype="text/html")

    @entered("/read", post=True)
    def read_again(opened: Opened) -> Response:
        there = parts.charts.get(opened.name)
        failed = there.failed if there is not None and there.ready and not there.fault else ()
        desk.read(opened, () if request.form.get("which") == "all" else failed)
        return back(opened)

    @entered("/close", post=True)
    def close(opened: Opened) -> Response:
        desk.close(opened)
        response = page("closed.html", root="")
        drop_cookie(response, workspace_cookie_name(opened.name))
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response
