"""What a user does in a chart: accept and dismiss cards, select, sign and remove orders."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, redirect, request, url_for
from werkzeug.wrappers import Response as Answer

from sandbox_ehr.chart.orderables import BY_KEY, draft_of, order_text
from sandbox_ehr.chart.panel import Card, CardFault, Panel
from sandbox_ehr.chart.ward import Ward, chart_of, fire
from sandbox_ehr.fhir.records import Resource
from sandbox_ehr.hooks import utc_now


def card_acts(routes: Blueprint, ward: Ward) -> None:
    """Accepting and dismissing cards; both send feedback."""

    @routes.post("/chart/<patient>/accept")
    def accept(patient: str) -> Answer:
        chart_of(ward, patient)
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
        chart_of(ward, patient)
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


def order_acts(routes: Blueprint, ward: Ward) -> None:
    """Drafting and signing; each fires its hook with every draft of the chart."""

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
        chart_of(ward, patient)
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
        chart_of(ward, patient)
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
        chart_of(ward, patient)
        kind, _, name = request.form.get("draft", "").partition("/")
        if ward.records.owner(kind, name) == patient:
            ward.records.remove(kind, name)
        ward.panels.of(g.session, patient).unsigned = False
        return _back(patient, "orders")
