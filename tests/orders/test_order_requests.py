"""The sample requests of the order hooks, judged as the service judges them: as many cards as each one says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from builders import AS_OF, judge_bytes, knowledge
from ordering import names

from cds_hooks.order_cards import order_cards
from mappings.deciding.orders import check_orders
from mappings.orders import OrderRole
from mappings.reading.decode import decode_request
from mappings.reading.orders import read_drafts, read_open_orders

FOLDER = Path(__file__).parents[1] / "conformance" / "requests"
SAMPLES = sorted(FOLDER.glob("order-*.json"))


@pytest.mark.parametrize("path", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_each_sample_gives_as_many_cards_as_it_says(path: Path) -> None:
    request = json.loads(path.read_bytes())
    assert request["hook"] in ("order-select", "order-sign")
    assert request["_service"] == "post-car-t-order-check"
    expected = request["_expect"]
    patient = request["context"]["patientId"]
    made = judge_bytes(path.read_bytes(), patient, AS_OF)
    drafts = read_drafts(request["context"], knowledge())
    assert drafts
    assert not any(one.problem for one in drafts)
    planned = read_open_orders(decode_request(path.read_bytes()), patient, knowledge())
    cards = order_cards(made, check_orders(made, drafts, knowledge(), planned), names(), drafts)
    assert expected["cards_min"] <= len(cards) <= expected["cards_max"]


def test_samples_hold_both_hooks_and_both_answers() -> None:
    requests = [json.loads(path.read_bytes()) for path in SAMPLES]
    assert {one["hook"] for one in requests} == {"order-select", "order-sign"}
    assert {bool(one["_expect"]["cards_min"]) for one in requests} == {True, False}
    roles = {draft.role for one in requests for draft in read_drafts(one["context"], knowledge())}
    assert {OrderRole.TREATMENT, OrderRole.COLLECTION, OrderRole.TRANSPLANT_PLAN} <= roles
