"""The pages of the EHR. The browser speaks to the EHR only; the EHR speaks to the hook service."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, abort, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from sandbox_ehr.chart.orderables import BY_KEY, draft_of, grouped, order_text
from sandbox_ehr.chart.panel import Card, CardFault, Panel, Panels, read_card
from sandbox_ehr.chart.summary import age, chart_view, result_rows, show_date
from sandbox_ehr.fhir.records import USER_NAME, Records, Resource
from sandbox_ehr.happened import Happened, readable
from sandbox_ehr.hooks import Answered, HookClient, utc_now
from sandbox_ehr.patients import Chart
from sandbox_ehr.settings import Settings
from sandbox_ehr.smart.models import Desk
from sandbox_ehr.switches import LABELS, SwitchPanel

SESSION_COOKIE = "sandbox_session"
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Ward:
    """What the chart pages work with."""

    settings: Settings
    records: Records
    hooks: HookClient
    happened: Happened
    switches: SwitchPanel
    desk: Desk
    panels: Panels
    fhir_base: str


def chart_routes(ward: Ward) -> Blueprint:
    """All pages under /, /chart and /happened."""
    routes = Blueprint("chart", __name__)
    routes.add_app_template_filter(show_date, "fhirdate")
    routes.add_app_template_filter(readable, "readable")
    routes.add_app_template_filter(order_text, "ordertext")
    _sessions(routes)
    _list_pages(routes, ward)
    _chart_pages(routes, ward)
    _card_acts(routes, ward)
    _order_acts(routes, ward)
    return routes


def _sessions(routes: Blueprint) -> None:
    @routes.before_request
    def same_site_only() -> None:
        g.session = request.cookies.get(SESSION_COOKIE) or secrets.token_urlsafe(18)
        if request.method == "POST":
            origin = request.headers.get("Origin")
            site = request.headers.get("Sec-Fetch-Site", "same-origin")
            if site not in ("same-origin", "none") or (origin and origin != request.host_url.rstrip("/")):
                abort(403, "This form was sent from another site.")

    @routes.after_request
    def keep(response: Response) -> Response:
        mine = g.get("session")
        if mine and request.cookies.get(SESSION_COOKIE) != mine:
            response.set_cookie(SESSION_COOKIE, mine, httponly=True, samesite="Lax")
        response.headers["Cache-Control"] = "no-store"
        return response


def _chart(ward: Ward, patient: str) -> Chart:
    chart = ward.records.charts.get(patient)
    if chart is None:
        abort(404, "There is no such patient here.")
    return chart


def _common(ward: Ward) -> dict[str, Any]:
    return {"charts": ward.records.charts.values(), "user": USER_NAME}


def _list_pages(routes: Blueprint, ward: Ward) -> None:
    @routes.get("/")
    def patients() -> str:
        return render_template(
            "patients.html",
            **_common(ward),
            today=ward.settings.today,
            age=age,
            switches=ward.switches.now,
            labels=LABELS,
        )

    @routes.get("/addresses")
    def addresses() -> str:
        return render_template("addresses.html", **_common(ward), settings=ward.settings, base=ward.fhir_base)

    @routes.get("/registration.toml")
    def registration() -> Response:
        return Response(ward.settings.registration(), mimetype="text/plain")

    @routes.get("/happened/<int:number>")
    def happened(number: int) -> str:
        exchange = ward.happened.exchange(number)
        if exchange is None:
            abort(404, "This call is no longer kept.")
        return render_template("happened.html", **_common(ward), one=exchange)

    @routes.post("/switches")
    def set_switches() -> Answer:
        ward.switches.set(set(request.form.getlist("on")))
        patient = request.form.get("patient", "")
        if patient in ward.records.charts:
            return redirect(url_for("chart.open_chart", patient=patient), 303)
        return redirect(url_for("chart.patients"), 303)


def _chart_pages(routes: Blueprint, ward: Ward) -> None:
    def page(patient: str, tab: str, **more: Any) -> str:
        chart = _chart(ward, patient)
        panel = ward.panels.of(g.session, patient)
        if not panel.fired:
            panel.since = ward.happened.latest
            fire(ward, panel, "patient-view", patient)
        view = chart_view(ward.records, patient) if tab == "summary" else None
        return render_template(
            "chart.html",
            **_common(ward),
            chart=chart,
            story=chart.story,
            years=age(chart.story.birth, ward.settings.today),
            tab=tab,
            view=view,
            panel=panel,
            orderables=grouped(),
            drafts=ward.records.orders(patient, "draft"),
            signed=ward.records.orders(patient, "active"),
            exchanges=ward.happened.exchanges(patient)[:8],
            queries=ward.happened.queries(patient, panel.since)[:20],
            switches=ward.switches.now,
            labels=LABELS,
            **more,
        )

    @routes.get("/chart/<patient>/open")
    def open_chart(patient: str) -> Answer:
        _chart(ward, patient)
        ward.panels.open_anew(g.session, patient)
        return redirect(url_for("chart.summary", patient=patient), 303)

    @routes.get("/chart/<patient>")
    def summary(patient: str) -> str:
        return page(patient, "summary")

    @routes.get("/chart/<patient>/results")
    def results(patient: str) -> str:
        _chart(ward, patient)
        rows = result_rows(ward.records, patient, routine=True)
        return page(patient, "results", found=rows[:_PAGE], every=len(rows))

    @routes.get("/chart/<patient>/orders")
    def orders(patient: str) -> str:
        return page(patient, "orders")

    @routes.get("/chart/<patient>/app")
    def app(patient: str) -> str:
        _chart(ward, patient)
        context = ""
        if key := request.args.get("card"):
            try:
                card = ward.panels.of(g.session, patient).card(key)
                links = [link for link in card.links if link.smart]
                context = links[0].app_context if links else ""
            except CardFault:
                context = ""
        launch = ward.desk.open_launch(patient, context)
        query = urlencode({"iss": ward.fhir_base, "launch": launch})
        return page(patient, "app", frame=f"{ward.settings.app_launch_url}?{query}", from_card=bool(context))


def fire(ward: Ward, panel: Panel, hook: str, patient: str, more: dict[str, Any] | None = None) -> Answered:
    """Fires a hook and puts what came back into the panel."""
    answered = ward.hooks.fire(hook, patient, more)
    panel.fired = True
    panel.problems = list(answered.problems)
    for exchange in answered.exchanges:
        cards: list[Card] = []
        for raw in exchange.cards:
            try:
                card, left_out = read_card(raw, exchange.service, hook, patient, ward.settings.app_launch_url)
            except CardFault as fault:
                panel.problems.append(f"A card was not shown: {fault}.")
                continue
            cards.append(card)
            panel.problems.extend(f"{one.capitalize()}." for one in left_out)
        panel.replace(exchange.service, cards)
    return answered


def _card_acts(routes: Blueprint, ward: Ward) -> None:
    @routes.post("/chart/<patient>/accept")
    def accept(patient: str) -> Answer:
        _chart(ward, patient)
        panel = ward.panels.of(g.session, patient)
        try:
            card = panel.card(request.form.get("card", ""))
            chosen = next(
                (one for one in card.suggestions if one.uuid == request.form.get("suggestion")), None
            )
            if chosen is None:
                raise CardFault("this suggestion is no longer offered")
        except CardFault as fault:
            panel.problems = [f"Not accepted: {fault}."]
            return _back(patient, "orders")
        for draft in chosen.drafts:
            ward.records.add_draft(draft, patient)
        row = {
            "card": card.key,
            "outcome": "accepted",
            "acceptedSuggestions": [{"id": chosen.uuid}],
            "outcomeTimestamp": utc_now(),
        }
        _send_feedback(ward, panel, card, patient, row)
        panel.drop(card, f"Accepted: {chosen.label}")
        return _back(patient, "orders")

    @routes.post("/chart/<patient>/dismiss")
    def dismiss(patient: str) -> Answer:
        _chart(ward, patient)
        panel = ward.panels.of(g.session, patient)
        try:
            card = panel.card(request.form.get("card", ""))
        except CardFault as fault:
            panel.problems = [f"Not dismissed: {fault}."]
            return _back(patient, "summary")
        row: dict[str, Any] = {"card": card.key, "outcome": "overridden", "outcomeTimestamp": utc_now()}
        reason = next((one for one in card.reasons if one["code"] == request.form.get("reason")), None)
        comment = request.form.get("comment", "").strip()[:500]
        override: dict[str, Any] = {}
        if reason:
            override["reason"] = {key: value for key, value in reason.items() if value}
        if comment:
            override["userComment"] = comment
        if override:
            row["overrideReason"] = override
        _send_feedback(ward, panel, card, patient, row)
        panel.drop(card, f"Dismissed: {reason['display'] if reason else 'no reason given'}")
        return _back(patient, "summary")


def _send_feedback(ward: Ward, panel: Panel, card: Card, patient: str, row: dict[str, Any]) -> None:
    exchange = ward.hooks.feedback(card.service, patient, [row])
    panel.problems = [f"The feedback was not taken. {exchange.problem}"] if exchange.problem else []


def _back(patient: str, page: str) -> Answer:
    return redirect(url_for(f"chart.{page}", patient=patient), 303)


def _order_acts(routes: Blueprint, ward: Ward) -> None:
    def drafts_context(patient: str, selected: Resource | None = None) -> dict[str, Any]:
        drafts = ward.records.orders(patient, "draft")
        bundle = {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [{"resource": one} for one in drafts],
        }
        context: dict[str, Any] = {"draftOrders": bundle}
        if selected is not None:
            context["selections"] = [f"{selected['resourceType']}/{selected['id']}"]
        return context

    def drafted(patient: str) -> Resource | None:
        order = BY_KEY.get(request.form.get("order", ""))
        if order is None:
            return None
        for one in ward.records.orders(patient, "draft"):
            if order_text(one) == order_text({"code": order.code}):
                return one
        return ward.records.add_draft(draft_of(order, patient, utc_now()), patient)

    @routes.post("/chart/<patient>/select")
    def select(patient: str) -> Answer:
        _chart(ward, patient)
        panel = ward.panels.of(g.session, patient)
        one = drafted(patient)
        if one is None:
            panel.problems = ["Choose something to order first."]
            return _back(patient, "orders")
        panel.unsigned = False
        fire(ward, panel, "order-select", patient, drafts_context(patient, one))
        return _back(patient, "orders")

    @routes.post("/chart/<patient>/sign")
    def sign(patient: str) -> Answer:
        _chart(ward, patient)
        panel = ward.panels.of(g.session, patient)
        if request.form.get("order"):
            drafted(patient)
        drafts = ward.records.orders(patient, "draft")
        if not drafts:
            panel.problems = ["There is no draft to sign."]
            return _back(patient, "orders")
        if "anyway" not in request.form:
            answered = fire(ward, panel, "order-sign", patient, drafts_context(patient))
            if any(exchange.cards for exchange in answered.exchanges) or panel.problems:
                panel.unsigned = True
                return _back(patient, "orders")
        for one in drafts:
            ward.records.sign(one["resourceType"], one["id"])
        panel.unsigned = False
        return _back(patient, "orders")

    @routes.post("/chart/<patient>/remove")
    def remove(patient: str) -> Answer:
        _chart(ward, patient)
        kind, _, name = request.form.get("draft", "").partition("/")
        if ward.records.owner(kind, name) == patient:
            ward.records.remove(kind, name)
        ward.panels.of(g.session, patient).unsigned = False
        return _back(patient, "orders")
