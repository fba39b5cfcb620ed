"""Cards, rules and evaluation never contradict each other: what a card names as an option passes the same rules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from builders import (
    PATIENT,
    administration,
    condition,
    flow,
    judge,
    knowledge,
    prefetch,
    procedure,
    relapsed,
    relapsed_ball,
    report,
    stain,
)
from ordering import cards, checked, drug, names, service
from test_order_library import CASES, LIBRARY, judged
from test_order_rules import PREGNANT, mcl, remission

from cds_hooks.advice import Judgement
from cds_hooks.card_options import fold_names
from cds_hooks.order_cards import order_cards
from cds_hooks.service import HookCall, HookService
from mappings.deciding.orders import check_orders
from mappings.evaluation import Evaluation, Route
from mappings.orders import DraftOrder, OrderRole
from mappings.reading.orders import read_drafts
from smart_app.selftest import evaluator_of

ORDERED = (
    "loncastuximab tesirine",
    "glofitamab",
    "inotuzumab ozogamicin",
    "Keytruda",
    "bendamustine",
    "lenalidomide",
    "ibrutinib",
    "rituximab",
    "blinatumomab",
)
BESIDE: tuple[tuple[str, ...], ...] = (
    (),
    ("Allogeneic stem cell transplant",),
    ("Leukapheresis for CAR-T",),
    ("Breyanzi infusion",),
)


def _drafts(patient: str, name: str, beside: tuple[str, ...]) -> tuple[DraftOrder, ...]:
    owner = {"reference": f"Patient/{patient}"}
    made = [drug(name, subject=owner), *(service(one, subject=owner) for one in beside)]
    context = {
        "patientId": patient,
        "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": one} for one in made]},
    }
    return read_drafts(context, knowledge())


@pytest.mark.parametrize("case", CASES)
def test_what_can_be_considered_passes_the_same_rules(case: str) -> None:
    """Each option named is put among the drafts: no rule warns of it. Each left out is warned of, and is named."""
    made, patient = judged(case)
    considered = [match for match in made.matches if match.route is Route.CONSIDER]
    for number, name in enumerate(ORDERED):
        for beside in (BESIDE[(number + len(case)) % len(BESIDE)],):
            given = _drafts(patient, name, beside)
            findings = check_orders(made, given, knowledge())
            for card in order_cards(made, findings, names(), given):
                found = re.search(r"Can be considered, not ranked: (.*?)\.(?: Left out|$)", card.detail, re.M)
                own = {o for one in findings if f"order-{one.kind}" == card.kind for o in one.options}
                free = [m for m in considered if m.option not in own and not _warned(made, given, m.option)]
                barred = [m for m in considered if m.option not in own and m not in free]
                if "More stands in the full evaluation" in card.detail and not found:
                    continue
                assert (found[1] if found else "") == (fold_names(free) if free else ""), (name, beside)
                assert ("Left out" in card.detail) == bool(barred), (name, beside)


def _warned(made: Any, given: tuple[DraftOrder, ...], option: str) -> bool:
    held = [knowledge().concepts[one] for one in knowledge().option(option).contains]
    extra = DraftOrder("ServiceRequest/extra", "ServiceRequest", "extra", OrderRole.TREATMENT, tuple(held))
    found = check_orders(made, (*given, extra), knowledge())
    return any(one.level == "warning" and extra in one.orders for one in found)


def test_an_option_that_would_draw_a_warning_is_named_with_the_reason() -> None:
    """D6: pembrolizumab with an allogeneic transplant planned does not send anybody to inotuzumab."""
    made = relapsed_ball(flow("Positive"), flow("Positive", "CD22"))
    (card,) = cards(made, "Keytruda", service("Allogeneic stem cell transplant"))
    listed, _, left_out = card.detail.partition("Left out, since these rules warn of them too:")
    assert "inotuzumab" not in listed.lower().partition("can be considered")[2]
    assert "inotuzumab (stem cell transplant planned)" in left_out.lower()


def test_a_withdrawn_label_is_named_where_the_option_stands() -> None:
    (card,) = cards(mcl(stain("Negative"), stain("Positive", "CD20")), "Zynlonta")
    assert "ibrutinib: label withdrawn in US" in card.detail


def test_a_dual_car_is_told_per_target() -> None:
    """W1: never "not known (negative)"; each target with what is reported of it."""
    (card,) = cards(relapsed_ball(flow("Negative")), service("CD19/CD22 CAR T infusion"))
    assert not re.search(r"not known[^.;]*\((reported )?negative", card.detail)
    assert "CD19 is reported absent (negative" in card.detail
    assert "of its other target: CD22 not known now" in card.detail
    assert card.indicator == "info"


UNREAD = (
    drug("glofitamab", subject={"reference": "Patient/somebody-else"}),
    drug(medicationReference={"reference": "Medication/none"}),
)


@pytest.mark.parametrize(
    "made",
    [
        lambda: relapsed(stain("Negative")),
        lambda: remission(),
        lambda: judge(condition(), procedure("CAR-T cell infusion")),
    ],
    ids=["relapse", "remission", "target not known"],
)
def test_orders_that_could_not_be_read_are_said_after_car_t(made: Any) -> None:
    """H-08: silence about an order would read as clearance."""
    (card,) = cards(made(), *UNREAD)
    assert card.kind == "order-not-checked"
    assert card.indicator == "info"
    assert not card.suggests
    assert card.summary == "2 draft orders: not checked against this chart."
    assert "1 made out to another patient; 1 with no drug that could be read" in card.detail
    assert "somebody-else" not in card.detail
    assert "glofitamab" not in card.detail.lower()
    assert "Can be considered" not in card.detail
    assert "“”" not in card.detail
    assert len(card.detail) < 700


@pytest.mark.parametrize(
    "made",
    [
        lambda: judge(condition()),
        lambda: judge(),
        lambda: judge(condition(), procedure("Idecabtagene vicleucel infusion")),
        lambda: judge(condition(), procedures=...),
    ],
    ids=["no CAR T", "empty", "BCMA CAR T", "not known"],
)
def test_nobody_else_hears_of_unread_orders(made: Any) -> None:
    assert cards(made(), *UNREAD) == ()


def test_unread_orders_are_a_line_where_a_card_stands() -> None:
    found = cards(relapsed(stain("Negative")), "Zynlonta", *UNREAD)
    assert [card.kind for card in found] == ["order-antigen"]
    assert "- Not checked: 2 draft orders (" in found[0].detail


def test_in_remission_nobody_is_asked_for_tumour_tissue() -> None:
    """H-43: without a relapse there is no tumour to stain."""
    (card,) = cards(remission(), "Zynlonta")
    assert not card.suggests
    assert "To settle it" not in card.detail
    (card,) = cards(relapsed(), "Zynlonta")
    assert "To settle it" in card.detail


def test_plans_not_seen_are_a_line_on_a_card_never_a_card_of_their_own() -> None:
    """H-43: a service that never gets planned orders would say the same of every such order."""

    def chart(state: str) -> Evaluation:
        return judge(condition("B-ALL"), procedure(), flow(state, "CD22"), serviceRequests=...)

    assert cards(chart("Positive"), "inotuzumab") == ()
    (card,) = cards(chart("Negative"), "inotuzumab")
    assert "Inotuzumab: planned transplant orders were not seen." in card.detail
    assert "plans" not in card.summary


def test_failed_since_names_both_dates() -> None:
    """W4: given after this relapse, progression after the last dose."""
    made = relapsed(
        stain("Positive"),
        administration("Polatuzumab vedotin", "2025-10-20", id="pola"),
        report("Progressive disease with new lesions.", "2025-12-20", "PET/CT", specimen=None, id="pd"),
    )
    (found,) = checked(made, "Polivy")
    fills = dict(found.fills)
    assert "20 Oct 2025" in fills["given"]
    assert fills["relapse"] == "progression after it on record, 20 Dec 2025"
    assert found.level == "info"


def _answers(orders: tuple[str, ...], case: str = "pregnant-lenalidomide") -> Iterator[dict[str, Any]]:
    request = json.loads((LIBRARY / case / "request.json").read_bytes())
    patient = request["context"]["patientId"]
    owner = {"reference": f"Patient/{patient}"}
    request["hook"] = "order-sign"
    chart = prefetch(condition(clinical="remission"), procedure(), PREGNANT)
    request["prefetch"] = json.loads(json.dumps(chart).replace(f"Patient/{PATIENT}", f"Patient/{patient}"))
    request["prefetch"]["patient"]["id"] = patient
    made = [{"resource": drug(name, subject=owner)} for name in orders]
    request["context"] = {
        "userId": "Practitioner/x",
        "patientId": patient,
        "draftOrders": {"resourceType": "Bundle", "entry": made},
    }
    regions = ("US", "EU")
    judgement = Judgement(
        evaluator_of(knowledge(), regions),
        names(),
        knowledge(),
        evaluator_of(knowledge(), regions, safety=True),
    )
    hooks = HookService(
        judge=lambda site: judgement,
        public_url=lambda: "https://cds.example.org",
        as_of=datetime(2026, 5, 1, 12, tzinfo=UTC),
    )
    answer = hooks.answer(HookCall(json.dumps(request).encode(), "post-car-t-order-check"))
    yield from json.loads(answer.body)["cards"]


def test_the_order_service_reads_safety_in_remission() -> None:
    """D11: the hook itself, a pregnant patient in remission after CAR T, lenalidomide to be signed."""
    found = list(_answers(("Revlimid",)))
    assert [card["indicator"] for card in found] == ["warning"]
    assert found[0]["summary"].startswith("Lenalidomide: pregnancy on record")


@pytest.mark.parametrize("name", ["CAR-T cell infusion", "CD19/CD20 CAR T infusion"])
def test_an_outdated_result_is_never_read_as_a_state_of_today(name: str) -> None:
    """Where another sentence than that of an outdated result quotes it, it is called so."""
    made = relapsed(stain("Negative", when="2024-12-01"), stain("Negative", "CD20"))
    (card,) = cards(made, service(name))
    assert not re.search(r"not known( now)? \((reported )?negative", card.detail)
    assert "last result, out of date: negative" in card.detail
