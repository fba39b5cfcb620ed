"""Feedback is stored once, whole, and silences only what was overridden on the very same facts (H-44, H-49, T-19)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from records import LATER, a_call, an_override
from sqlalchemy import select

from cds_hooks.memory import CardShown
from smart_app.store import Store
from smart_app.store.engine import HOT, database_url, make_engine
from smart_app.store.keys import open_text
from smart_app.store.tables import FEEDBACK

WHO = ("north", "u" * 64, "p" * 64)
OVERRIDDEN = frozenset({"cd19-negative"})


def stored(url: str) -> list[Any]:
    engine = make_engine(database_url(url), HOT)
    with engine.connect() as connection:
        rows = list(connection.execute(select(FEEDBACK).order_by(FEEDBACK.c.card)))
    engine.dispose()
    return rows


def shown(store: Store, **changes: Any) -> None:
    store.record_call(a_call(**changes))
    assert store.flush()


def test_h44_overridden_with_a_reason_is_known_on_the_same_facts(store: Store) -> None:
    shown(store)
    assert store.overridden(*WHO, "facts-1") == frozenset()
    store.record_feedback([an_override()])
    assert store.overridden(*WHO, "facts-1") == OVERRIDDEN


@pytest.mark.parametrize(
    "other",
    [
        ("north", "u" * 64, "p" * 64, "facts-2"),
        ("north", "v" * 64, "p" * 64, "facts-1"),
        ("north", "u" * 64, "q" * 64, "facts-1"),
        ("south", "u" * 64, "p" * 64, "facts-1"),
    ],
    ids=["facts changed", "other user", "other patient", "other site"],
)
def test_h44_any_change_ends_it(store: Store, other: tuple[str, str, str, str]) -> None:
    shown(store)
    store.record_feedback([an_override()])
    assert store.overridden(*other) == frozenset()


@pytest.mark.parametrize(
    "row",
    [
        an_override(reason_code=""),
        an_override(reason_code="", comment="not now"),
        an_override(outcome="accepted", reason_code="", accepted_suggestions=("suggestion-1",)),
        an_override(card="card-of-nobody"),
        an_override(site="south"),
    ],
    ids=["no reason", "comment only", "accepted", "unknown card", "another site's word"],
)
def test_h44_nothing_else_silences_a_card(store: Store, row: Any) -> None:
    shown(store)
    store.record_feedback([row])
    assert store.overridden(*WHO, "facts-1") == frozenset()


def test_feedback_that_comes_before_the_card_row_counts_as_well(store: Store) -> None:
    store.record_feedback([an_override()])
    shown(store)
    assert store.overridden(*WHO, "facts-1") == OVERRIDDEN


def test_only_the_overridden_kind_of_two_cards(store: Store) -> None:
    shown(
        store,
        cards=(CardShown("card-1", "cd19-negative", "facts-1"), CardShown("card-2", "t-cell", "facts-1")),
    )
    store.record_feedback([an_override()])
    assert store.overridden(*WHO, "facts-1") == OVERRIDDEN


def test_h49_a_repeat_is_stored_once_also_within_one_body(store: Store, url: str) -> None:
    store.record_feedback([an_override(), an_override()])
    store.record_feedback([an_override()])
    assert len(stored(url)) == 1


def test_h49_what_a_repeat_adds_is_kept_and_nothing_is_taken_away(store: Store, url: str) -> None:
    store.record_feedback([an_override(reason_code="", reason_system="", reason_display="")])
    store.record_feedback([an_override(comment="seen")])
    store.record_feedback([an_override(reason_code="", reason_system="", reason_display="")])
    (row,) = stored(url)
    assert (row.reason_code, open_text(bytes(range(32)), row.comment)) == ("action-completed", "seen")


def test_h49_the_same_rows_from_eight_threads_in_any_order_are_stored_once(
    opened: Callable[[], Store], url: str
) -> None:
    stores = (opened(), opened())
    rows = [an_override(card=f"card-{one:02d}") for one in range(30)]
    faults: list[BaseException] = []

    def send(number: int) -> None:
        try:
            for turn in range(3):
                stores[number % 2].record_feedback(rows if (number + turn) % 2 else rows[::-1])
        except Exception as error:  # noqa: BLE001  whatever it is fails the test
            faults.append(error)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(stored(url)) == 30


NASTY = (
    "'; DROP TABLE feedback; --",
    '" OR 1=1 --',
    "%s %(x)s :x ? $1",
    "a\x00b",
    "\ud800",
    "😀" * 300,
    "x" * 100_000,
    "\\",
    "",
)


@pytest.mark.parametrize("text", NASTY, ids=lambda text: ascii(text[:12]))
def test_t19_no_text_breaks_a_statement_or_the_store(store: Store, url: str, text: str) -> None:
    store.first_use(text, text, text, LATER)
    store.record_call(
        a_call(
            site=text, tenant=text, hook_instance=text, category=text, keys={text: text},
            cards=(CardShown(text, text, text, (text,)),),
        )
    )  # fmt: skip
    store.record_event("test", text, {text: text})
    assert store.flush()
    row = an_override(card=text, reason_code=text, reason_system=text, reason_display=text, comment=text)
    store.record_feedback([row])
    store.record_feedback([an_override()])
    store.overridden(text, text, text, text)
    store.workspaces.get(text)
    store.workspaces.end_site(text)
    assert len(stored(url)) == 2
    assert store.state() == "ok"
    assert store.counts.get("audit_lost", 0) == store.counts.get("db_refused", 0) == 0
    assert store.counts["audit_written"] == 2


def test_t19_ten_thousand_rows_at_once(store: Store, url: str) -> None:
    store.record_feedback([an_override(card=f"card-{one}", comment="c" * 500) for one in range(10_000)])
    assert len(stored(url)) == 10_000


TEXTS = st.text(st.characters(), max_size=300)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(texts=st.lists(TEXTS, min_size=9, max_size=9), number=st.floats(), many=st.integers())
def test_t19_any_text_and_number_is_taken(store: Store, texts: list[str], number: float, many: int) -> None:
    before = store.counts.get("audit_written", 0)
    names = ("site", "service", "hook", "hook_instance", "tenant", "patient_key", "user_key", "category")
    store.record_call(a_call(milliseconds=number, suppressed=many, **dict(zip(names, texts, strict=False))))
    row = dict(
        zip(("site", "service", "card", "outcome_timestamp", "reason_code", "comment"), texts, strict=False)
    )
    store.record_feedback([an_override(**row, accepted_suggestions=tuple(texts))])
    assert store.flush()
    assert store.counts["audit_written"] == before + 1
    assert store.state() == "ok"
