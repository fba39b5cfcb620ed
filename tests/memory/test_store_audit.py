# ruff: noqa: S608  statements made from the constants of this file
"""The audit is append-only and chained: what is altered, dropped or moved shows (T-30)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from dumps import audit_of, tamper
from processes import start_child
from records import a_call
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from smart_app.store import Store
from smart_app.store.chain import ChainCheck, Fault, Tail, read_tail
from smart_app.store.engine import SURE, database_url, make_engine

KEY = bytes(range(32))


def faults(url: str, tail: Tail, anchor: Tail | None = None, key: bytes = KEY) -> set[tuple[int, str]]:
    check = ChainCheck(key, anchor)
    for row in audit_of(url):
        check.add(row._mapping)
    return {(fault.seq, fault.code) for fault in check.end(tail)}


def ten_calls(store: Store) -> Tail:
    for number in range(10):
        store.record_call(a_call(hook_instance=f"call-{number}", milliseconds=number / 7))
    assert store.flush()
    return store.anchor()


def test_t30_rows_stand_in_order_with_all_they_say(store: Store, url: str) -> None:
    tail = ten_calls(store)
    rows = audit_of(url)
    assert [row.seq for row in rows] == list(range(1, 11))
    assert [row.hook_instance for row in rows] == [f"call-{number}" for number in range(10)]
    assert rows[3].milliseconds == 3 / 7
    assert rows[0].keys == '{"patient":"complete","reports":"cut-short"}'
    assert rows[0].cards == '[["card-1","cd19-negative","facts-1",["suggestion-1"]]]'
    assert tail == Tail(10, rows[-1].hash)
    assert faults(url, tail) == set()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("category", "'no-relapse'"),
        ("at", "'2026-03-01T12:00:00.250001Z'"),
        ("milliseconds", "1.0"),
        ("patient_key", "'q'"),
        ("cards", "'[]'"),
        ("keys", "'{}'"),
        ("event", "'start'"),
        ("row_id", "'x'"),
        ("suppressed", "5"),
        ("tenant", "'t'"),
    ],
)
def test_t30_an_altered_row_shows(store: Store, url: str, column: str, value: str) -> None:
    tail = ten_calls(store)
    tamper(url, f"UPDATE audit SET {column} = {value} WHERE seq = 4")
    assert faults(url, tail) == {(4, "altered")}


def test_t30_an_altered_row_with_a_hash_made_without_the_key_shows(store: Store, url: str) -> None:
    tail = ten_calls(store)
    tamper(url, f"UPDATE audit SET category = 'x', hash = '{'a' * 64}' WHERE seq = 4")
    assert faults(url, tail) == {(4, "altered"), (5, "unlinked")}


def test_t30_a_dropped_row_shows(store: Store, url: str) -> None:
    tail = ten_calls(store)
    tamper(url, "DELETE FROM audit WHERE seq = 4")
    assert faults(url, tail) == {(5, "dropped")}


def test_t30_a_dropped_row_shows_after_renumbering(store: Store, url: str) -> None:
    tail = ten_calls(store)
    tamper(
        url, "DELETE FROM audit WHERE seq = 9", "UPDATE audit SET seq = 9 WHERE seq = 10",
    )  # fmt: skip
    assert faults(url, tail) == {(9, "unlinked"), (9, "altered"), (10, "cut")}


def test_t30_two_rows_that_changed_places_show(store: Store, url: str) -> None:
    tail = ten_calls(store)
    tamper(
        url,
        "UPDATE audit SET seq = 100 WHERE seq = 4",
        "UPDATE audit SET seq = 4 WHERE seq = 7",
        "UPDATE audit SET seq = 7 WHERE seq = 100",
    )
    assert {seq for seq, code in faults(url, tail) if code == "altered"} == {4, 7}


def test_t30_rows_cut_off_at_the_end_show_by_the_tail(store: Store, url: str) -> None:
    tail = ten_calls(store)
    tamper(url, "DELETE FROM audit WHERE seq > 8")
    assert faults(url, tail) == {(10, "cut")}


def test_t30_rows_cut_off_with_their_tail_show_by_an_anchor_kept_elsewhere(store: Store, url: str) -> None:
    anchor = ten_calls(store)
    rows = audit_of(url)
    tail = Tail(8, rows[7].hash)
    tamper(
        url,
        "DELETE FROM audit WHERE seq > 8",
        f"UPDATE meta SET value = '{tail.text()}' WHERE name = 'audit_tail'",
    )
    assert faults(url, tail) == set()
    assert faults(url, tail, anchor) == {(10, "anchor")}
    assert faults(url, tail, Tail(8, rows[7].hash)) == set()


def test_t30_rows_of_another_key_are_named_and_their_links_checked(
    opened: Callable[..., Store], url: str
) -> None:
    tail = ten_calls(opened())
    assert faults(url, tail, key=b"x" * 32) == {(seq, "other-key") for seq in range(1, 11)}


@pytest.mark.parametrize("verb", ["UPDATE audit SET category = 'x'", "DELETE FROM audit"])
def test_t30_the_database_itself_refuses_a_change(store: Store, url: str, verb: str) -> None:
    tail = ten_calls(store)
    engine = make_engine(database_url(url), SURE)
    with pytest.raises(DBAPIError), engine.begin() as connection:
        connection.execute(text(verb))
    engine.dispose()
    assert faults(url, tail) == set()


def test_t30_one_chain_is_made_by_threads_stores_and_processes(
    opened: Callable[[], Store], url: str, tmp_path: Path
) -> None:
    children = [start_child("calls", url, tmp_path, "200", f"child-{number}") for number in range(2)]
    stores = (opened(), opened())
    for number in range(200):
        stores[number % 2].record_call(a_call(hook_instance=f"here-{number}"))
    assert all(store.flush() for store in stores)
    for child in children:
        assert child.communicate(timeout=60)[0] == "closed\n"
    rows = audit_of(url)
    assert len({row.hook_instance for row in rows}) == len(rows) == 600
    assert faults(url, stores[0].anchor()) == set()
    mine = [row.hook_instance for row in rows if row.hook_instance.startswith("child-0-")]
    assert mine == [f"child-0-{number}" for number in range(200)]


def test_rows_taken_before_the_end_are_written_at_close(opened: Callable[[], Store], url: str) -> None:
    store = opened()
    for number in range(3000):
        store.record_call(a_call(hook_instance=str(number)))
    store.close()
    assert len(audit_of(url)) == 3000


def test_a_row_after_close_goes_to_the_spool_and_is_taken_up_by_the_next_process(
    opened: Callable[[], Store], url: str
) -> None:
    store = opened()
    store.close()
    store.record_call(a_call())
    assert store.state() != "ok"
    assert store.counts["audit_spooled"] == 1
    store.close()
    opened()
    assert len(audit_of(url)) == 1


def test_t30_a_chain_that_takes_no_row_is_named_and_its_rows_wait(store: Store, url: str) -> None:
    ten_calls(store)
    genesis = f"0:{'0' * 64}"
    tamper(url, f"UPDATE meta SET value = '{genesis}' WHERE name = 'audit_tail'")
    store.record_call(a_call())
    assert store.flush()
    assert store.state() == "audit_broken"
    assert store.counts["audit_spooled"] == 1
    assert store.first_use("north", "issuer", "id", a_call().at)


@pytest.mark.parametrize("words", ["", "1", "x:" + "0" * 64, "1:abc", "²:" + "0" * 64])
def test_an_anchor_is_read_exactly(words: str) -> None:
    with pytest.raises(ValueError, match="anchor"):
        read_tail(words)
    assert read_tail("7:" + "a" * 64) == Tail(7, "a" * 64)
    assert Fault(1, "cut").code == "cut"
