"""A token id works once: across threads, processes and both databases (T-04, R-05, T-35)."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from processes import start_child
from records import LATER, NOW

from smart_app.store import Store
from smart_app.store.engine import HOT, database_url, make_engine
from smart_app.store.replay import token_hash

RACES = int(os.environ.get("POSTCART_RACES", "1000"))
"""For each database; 10,000 by night."""


def test_t04_a_token_id_is_new_once(store: Store) -> None:
    assert store.first_use("north", "issuer", "id", LATER)
    assert not store.first_use("north", "issuer", "id", LATER)


@pytest.mark.parametrize(
    "other", [("south", "issuer", "id"), ("north", "other", "id"), ("north", "issuer", "id2")]
)
def test_t04_sites_and_issuers_do_not_share_token_ids(store: Store, other: tuple[str, str, str]) -> None:
    assert store.first_use("north", "issuer", "id", LATER)
    assert store.first_use(*other, LATER)


def test_t04_no_two_triples_share_a_hash() -> None:
    assert token_hash("a", "bc", "d") != token_hash("ab", "c", "d")
    assert token_hash("1:a", "b", "c") != token_hash("1", "a1:b", "c")


def test_t04_one_of_sixteen_threads_on_two_stores_wins(opened: Callable[[], Store]) -> None:
    stores = (opened(), opened())
    rounds, threads = 40, 16
    barrier = threading.Barrier(threads)
    won: Counter[int] = Counter()
    lock = threading.Lock()

    def race(store: Store) -> None:
        for one in range(rounds):
            barrier.wait()
            if store.first_use("north", "issuer", f"race-{one}", LATER):
                with lock:
                    won[one] += 1

    runners = [threading.Thread(target=race, args=(stores[number % 2],)) for number in range(threads)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    assert won == dict.fromkeys(range(rounds), 1)


def test_t04_one_of_two_processes_wins_each_race(url: str, tmp_path: Path) -> None:
    many = RACES
    children = [start_child("race", url, tmp_path, str(many)) for _ in range(2)]
    begin = time.time() + 0.3
    answers = [child.communicate(f"{begin}\n", timeout=60)[0].split() for child in children]
    assert all(child.returncode == 0 for child in children)
    assert sorted(answers[0] + answers[1]) == sorted(str(one) for one in range(many))


def test_t35_token_ids_are_forgotten_once_no_token_can_be_valid(
    opened: Callable[..., Store], url: str
) -> None:
    clock = [NOW]

    def now() -> datetime:
        return clock[0]

    store = opened(now=now)
    for one in range(1500):
        store.first_use("north", "issuer", f"old-{one}", NOW + timedelta(minutes=5))
    store.first_use("north", "issuer", "new", NOW + timedelta(minutes=60))
    clock[0] = NOW + timedelta(minutes=6)
    opened(now=now)  # each start keeps house
    engine = make_engine(database_url(url), HOT)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM replay").scalar() == 1
    engine.dispose()
    assert not store.first_use("north", "issuer", "new", LATER)
