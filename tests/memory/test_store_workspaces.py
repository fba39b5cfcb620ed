"""Launch states are used once, workspaces change by compare-and-set, and both end (T-12, T-18)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from dumps import dump
from records import LATER, NOW

from smart_app.store import Store
from smart_app.store.workspaces import AlreadyThere, Row


@pytest.fixture
def clock() -> list[datetime]:
    return [NOW]


@pytest.fixture
def timed(opened: Callable[..., Store], clock: list[datetime]) -> Store:
    return opened(now=lambda: clock[0])


def test_a_state_is_taken_once(store: Store) -> None:
    store.workspaces.put_state(b"h" * 32, b"\x00sealed\xff", LATER)
    assert store.workspaces.take_state(b"h" * 32) == b"\x00sealed\xff"
    assert store.workspaces.take_state(b"h" * 32) is None
    assert store.workspaces.take_state(b"x" * 32) is None


def test_a_state_cannot_be_put_over_another(store: Store) -> None:
    store.workspaces.put_state(b"h" * 32, b"mine", LATER)
    with pytest.raises(AlreadyThere):
        store.workspaces.put_state(b"h" * 32, b"theirs", LATER)
    assert store.workspaces.take_state(b"h" * 32) == b"mine"


def test_a_state_that_ran_out_is_none_and_gone(timed: Store, clock: list[datetime]) -> None:
    timed.workspaces.put_state(b"h" * 32, b"sealed", NOW + timedelta(minutes=10))
    clock[0] = NOW + timedelta(minutes=10)
    assert timed.workspaces.take_state(b"h" * 32) is None
    clock[0] = NOW
    assert timed.workspaces.take_state(b"h" * 32) is None


def test_one_of_twelve_threads_takes_a_state(opened: Callable[[], Store]) -> None:
    stores = (opened(), opened())
    rounds, threads = 30, 12
    for one in range(rounds):
        stores[0].workspaces.put_state(bytes([one]) * 32, b"sealed", LATER)
    barrier = threading.Barrier(threads)
    taken: Counter[int] = Counter()
    lock = threading.Lock()

    def race(store: Store) -> None:
        for one in range(rounds):
            barrier.wait()
            if store.workspaces.take_state(bytes([one]) * 32) is not None:
                with lock:
                    taken[one] += 1

    runners = [threading.Thread(target=race, args=(stores[number % 2],)) for number in range(threads)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    assert taken == dict.fromkeys(range(rounds), 1)


def test_a_workspace_comes_back_as_it_was_put(timed: Store) -> None:
    end = NOW + timedelta(minutes=15)
    timed.workspaces.put("w1", b"c" * 32, "north", b"sealed", end)
    assert timed.workspaces.get("w1") == Row("w1", b"c" * 32, "north", b"sealed", 1, NOW, end)
    assert timed.workspaces.get("w2") is None
    with pytest.raises(AlreadyThere):
        timed.workspaces.put("w1", b"d" * 32, "south", b"other", end)


def test_only_the_version_that_was_read_is_replaced(store: Store) -> None:
    spaces = store.workspaces
    spaces.put("w1", b"c", "north", b"one", LATER)
    assert spaces.replace("w1", b"two", 1)
    assert not spaces.replace("w1", b"three", 1)
    row = spaces.get("w1")
    assert row is not None
    assert (row.sealed, row.version) == (b"two", 2)
    assert not spaces.replace("w2", b"x", 1)


def test_touch_moves_last_use_and_end(timed: Store, clock: list[datetime]) -> None:
    spaces = timed.workspaces
    spaces.put("w1", b"c", "north", b"one", NOW + timedelta(minutes=15))
    clock[0] = NOW + timedelta(minutes=10)
    assert spaces.touch("w1", NOW + timedelta(minutes=25))
    clock[0] = NOW + timedelta(minutes=20)
    row = spaces.get("w1")
    assert row is not None
    assert (row.last_used, row.expires) == (NOW + timedelta(minutes=10), NOW + timedelta(minutes=25))
    clock[0] = NOW + timedelta(minutes=25)
    assert spaces.get("w1") is None
    assert not spaces.touch("w1", LATER)
    assert not spaces.replace("w1", b"x", 1)


def test_workspaces_end_alone_by_site_and_by_time(timed: Store, url: str) -> None:
    spaces = timed.workspaces
    for name, site in (("w1", "north"), ("w2", "north"), ("w3", "south"), ("w4", "south")):
        spaces.put(name, b"c", site, f"MARK-{name}".encode(), NOW + timedelta(minutes=15))
    spaces.put_state(b"h" * 32, b"sealed", NOW + timedelta(minutes=5))
    assert spaces.end("w3")
    assert not spaces.end("w3")
    assert spaces.end_site("north") == 2
    assert [name for name in ("w1", "w2", "w3", "w4") if spaces.get(name)] == ["w4"]
    assert spaces.purge(NOW + timedelta(minutes=10)) == 1
    assert spaces.purge(NOW + timedelta(minutes=15)) == 1
    assert spaces.get("w4") is None
    assert url.startswith("sqlite") or b"4d41524b" not in dump(url)
