"""What the chart pages work with, and how a hook's answer gets into the panel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import abort

from sandbox_ehr.chart.panel import Card, CardFault, Panel, Panels, read_card
from sandbox_ehr.fhir.records import Records
from sandbox_ehr.happened import Happened
from sandbox_ehr.hooks import Answered, HookClient
from sandbox_ehr.patients import Chart
from sandbox_ehr.settings import Settings
from sandbox_ehr.smart.models import Desk
from sandbox_ehr.switches import SwitchPanel


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


def chart_of(ward: Ward, patient: str) -> Chart:
    """The chart of a patient; ends the request with 404 where there is none."""
    chart = ward.records.charts.get(patient)
    if chart is None:
        abort(404, "There is no such patient here.")
    return chart


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
