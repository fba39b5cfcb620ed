"""The pages of the EHR. The browser speaks to the EHR only; the EHR speaks to the hook service."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, abort, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from sandbox_ehr.chart.acts import card_acts, order_acts
from sandbox_ehr.chart.orderables import grouped, order_text
from sandbox_ehr.chart.panel import CardFault
from sandbox_ehr.chart.summary import age, chart_view, result_rows, show_date
from sandbox_ehr.chart.ward import Ward, chart_of, fire
from sandbox_ehr.fhir.records import USER_NAME
from sandbox_ehr.happened import readable
from sandbox_ehr.switches import LABELS

SESSION_COOKIE = "sandbox_session"
_PAGE = 100
_QUERIES = 40


def chart_routes(ward: Ward) -> Blueprint:
    """All pages under /, /chart and /happened."""
    routes = Blueprint("chart", __name__)
    routes.add_app_template_filter(show_date, "fhirdate")
    routes.add_app_template_filter(readable, "readable")
    routes.add_app_template_filter(order_text, "ordertext")
    _sessions(routes)
    _list_pages(routes, ward)
    _chart_pages(routes, ward)
    card_acts(routes, ward)
    order_acts(routes, ward)
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
    def happened_so_far(patient: str) -> dict[str, Any]:
        since = ward.panels.of(g.session, patient).since
        return {
            "exchanges": ward.happened.exchanges(patient)[:8],
            "queries": ward.happened.queries(patient, since)[:_QUERIES],
            "clock": f"{datetime.now(UTC):%H:%M:%S} UTC",
        }

    def page(patient: str, tab: str, **more: Any) -> str:
        chart = chart_of(ward, patient)
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
            **happened_so_far(patient),
            switches=ward.switches.now,
            labels=LABELS,
            **more,
        )

    @routes.get("/chart/<patient>/open")
    def open_chart(patient: str) -> Answer:
        chart_of(ward, patient)
        ward.panels.open_anew(g.session, patient)
        return redirect(url_for("chart.summary", patient=patient), 303)

    @routes.get("/chart/<patient>")
    def summary(patient: str) -> str:
        return page(patient, "summary")

    @routes.get("/chart/<patient>/calls")
    def calls(patient: str) -> str:
        # only looks: the app in a frame asks after the chart's page was made
        chart = chart_of(ward, patient)
        return render_template(
            "calls_page.html", **_common(ward), story=chart.story, **happened_so_far(patient)
        )

    @routes.get("/chart/<patient>/results")
    def results(patient: str) -> str:
        chart_of(ward, patient)
        rows = result_rows(ward.records, patient, routine=True)
        return page(patient, "results", found=rows[:_PAGE], every=len(rows))

    @routes.get("/chart/<patient>/orders")
    def orders(patient: str) -> str:
        return page(patient, "orders")

    @routes.get("/chart/<patient>/app")
    def app(patient: str) -> str:
        chart_of(ward, patient)
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
