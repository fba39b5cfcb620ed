"""The figures: names, sums, closed labels and what they cost on the way of a call."""

from __future__ import annotations

import ast
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from cds_hooks.key_states import KeyState
from cds_hooks.listing import SERVICE_HOOKS
from cds_hooks.needs import NEEDS
from cds_hooks.order_cards import KINDS
from ehr.queries import ReadState
from mappings.loading import load_knowledge
from smart_app.operations import labels
from smart_app.operations.metrics import Metrics

ROOT = Path(__file__).parents[2]


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every series as a Prometheus server would read it."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.text())
        for sample in family.samples
    }


def test_calls_are_counted_by_service_hook_and_status_with_a_histogram() -> None:
    metrics = Metrics()
    metrics.called(200, 1.5, "post-car-t-relapse", "patient-view")
    metrics.called(200, 30)
    metrics.called(412, 90_000)
    found = samples(metrics)
    row = (("hook", "patient-view"), ("service", "post-car-t-relapse"), ("status", "200"))
    assert found["postcart_calls_total", row] == 1
    assert metrics.get("postcart_calls_total", "status", "200") == 2
    assert metrics.get("postcart_calls_total") == 3
    bucket = "postcart_call_milliseconds_bucket"
    assert found[bucket, (("le", "2.0"), ("service", "post-car-t-relapse"))] == 1
    assert found[bucket, (("le", "5000.0"), ("service", "none"))] == 1
    assert found[bucket, (("le", "+Inf"), ("service", "none"))] == 2


def test_an_answer_is_counted_with_its_kinds_keys_and_time() -> None:
    metrics = Metrics(["ward"])
    before = time.time()
    metrics.answered("ward", "cd19-negative", ("cd19-negative",), {"conditions": "null"}, silent=True)
    metrics.answered("ward", "no-relapse", (), {"conditions": "complete"}, repaired=3)
    found = samples(metrics)
    site = (("site", "ward"),)
    assert found["postcart_key_states_total", (("key", "conditions"), ("state", "null"))] == 1
    assert found["postcart_silent_calls_total", site] == 1
    assert found["postcart_last_good_call_timestamp_seconds", site] >= before
    assert found["postcart_cards_per_100_calls", ()] == 50
    assert metrics.get("postcart_repaired_total") == 3


def test_fetches_and_states() -> None:
    metrics = Metrics(["ward"])
    metrics.fetched("ward", "conditions", "deadline", 2000)
    metrics.database("db_down")
    metrics.count("postcart_jwks_total", "ward", state="jwks_stale")
    metrics.count("postcart_limited_total", "ward")
    found = samples(metrics)
    row = (("code", "deadline"), ("key", "conditions"), ("site", "ward"))
    assert found["postcart_fetches_total", row] == 1
    assert found["postcart_database_up", (("state", "db_down"),)] == 1
    assert found["postcart_database_up", (("state", "ok"),)] == 0
    assert found["postcart_jwks_total", (("site", "ward"), ("state", "jwks_stale"))] == 1
    assert found["postcart_limited_total", (("site", "ward"),)] == 1


def test_the_counts_of_the_store_are_taken_over_once() -> None:
    metrics = Metrics()
    for counts in ({"audit_spooled": 3}, {"audit_spooled": 3}, {"audit_spooled": 5, "db_down": 1}):
        metrics.database_counts(counts)
    assert metrics.get("postcart_database_events_total", "event", "audit_spooled") == 5
    assert metrics.get("postcart_database_events_total", "event", "db_down") == 1


def test_parts_of_readiness_are_figures() -> None:
    metrics = Metrics()
    metrics.ready_parts({"clock": False, "database": True})
    found = samples(metrics)
    assert found["postcart_ready_part", (("part", "clock"),)] == 0
    assert found["postcart_ready_part", (("part", "database"),)] == 1


def test_a_label_that_is_not_there_is_a_fault_of_the_program() -> None:
    with pytest.raises(KeyError):
        Metrics().count("postcart_refusals_total", patient="x")


TOLD = Metrics(["ward"])


@given(st.lists(st.text(max_size=30), min_size=8, max_size=8))
def test_t29_no_request_can_add_a_series_or_a_word(words: list[str]) -> None:
    """T-29: whatever a request holds, the labels stay those of the lists."""
    one, two, three, four, five, six, seven, eight = (f"zz{word}" for word in words)
    TOLD.called(999, 1, one, two)
    TOLD.add("postcart_refusals_total", "code", three)
    TOLD.add("postcart_cards_total", "kind", four)
    TOLD.answered(five, six, (seven,), {one: two})
    TOLD.fetched(five, six, seven, 1)
    TOLD.database(eight)
    TOLD.count("postcart_limited_total", five)
    found = samples(TOLD)
    closed = {"other", "none", "ward", *labels.DATABASE_STATES, *labels.SERVICES}
    for (name, row), _ in found.items():
        for label, value in row:
            assert label == "le" or value in closed, (name, label)
    assert len(found) == len(samples(TOLD))
    assert len(TOLD._children) < 20


def test_t29_the_number_of_series_has_a_bound_that_the_lists_give() -> None:
    metrics = Metrics(f"site {number}" for number in range(1000))
    for number in range(1000):
        metrics.count("postcart_limited_total", f"site {number}")
        metrics.add("postcart_refusals_total", "code", f"code-{number}")
    limited = [row for name, row in samples(metrics) if name == "postcart_limited_total"]
    refusals = [row for name, row in samples(metrics) if name == "postcart_refusals_total"]
    assert len(limited) == 201
    assert len(refusals) == 1


def codes_given(places: dict[str, int]) -> dict[str, str]:
    """Every literal code the source gives to one of these errors, with the file it stands in."""
    found = {}
    for folder in ("cds_hooks", "ehr", "smart_app", "mappings"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                    continue
                place = places.get(node.func.id)
                if place is not None and len(node.args) > place:
                    code = node.args[place]
                    if isinstance(code, ast.Constant) and isinstance(code.value, str):
                        found[code.value] = path.name
    return found


def test_every_refusal_of_the_source_is_on_the_list() -> None:
    given = codes_given({"Refusal": 1, "Held": 1, "BadBody": 0})
    assert len(given) > 10
    assert {code: file for code, file in given.items() if code not in labels.REFUSALS} == {}


def test_every_kind_of_card_is_on_the_list() -> None:
    orders = {f"order-{kind}" for kind in KINDS}
    assert {rule.kind for rule in load_knowledge().orders.rules} <= set(KINDS)
    assert labels.CATEGORIES | orders | {"t-cell-malignancy"} == labels.CARD_KINDS


def test_every_cause_of_distrust_is_on_the_list() -> None:
    given = codes_given({"NotTrusted": 0, "TokenFault": 0})
    assert len(given) > 10
    assert {code: file for code, file in given.items() if code not in labels.DISTRUST} == {}


def test_states_of_keys_and_types_are_on_the_list() -> None:
    assert {state.value for state in KeyState} <= labels.KEY_STATES
    assert {state.value for state in ReadState} <= labels.KEY_STATES
    assert {need.key for need in NEEDS} | {need.type for need in NEEDS} <= labels.KEYS
    assert {hook for hooks in SERVICE_HOOKS.values() for hook in hooks} <= labels.HOOKS
    assert set(SERVICE_HOOKS) <= labels.SERVICES


def test_counting_costs_a_call_less_than_a_tenth_of_a_millisecond() -> None:
    metrics = Metrics(["ward"])
    keys = dict.fromkeys(sorted(labels.KEYS)[:7], "complete")

    def one_call() -> None:
        metrics.called(200, 3.0, "post-car-t-relapse", "patient-view")
        metrics.answered("ward", "cd19-negative", ("cd19-negative",), keys)

    one_call()
    best = min(_timed(one_call) for _ in range(20))
    assert best < 1e-4, f"{best * 1e6:.0f} microseconds"


def _timed(work: object) -> float:
    assert callable(work)
    started = time.perf_counter()
    for _ in range(50):
        work()
    return (time.perf_counter() - started) / 50
