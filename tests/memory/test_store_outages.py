"""What each state of a PostgreSQL does: the rows of the failure matrix (safety paper 5, R-06)."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from dumps import audit_of, spooled
from postgresql import Server, wait_until, why_not
from records import LATER, a_call, an_override
from test_store_audit import faults
from working import BACK_WITHIN, codes, works

from cds_hooks.memory import StoreDown
from smart_app.store import Store, open_store

KEY = bytes(range(32))


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A PostgreSQL that a test may stop."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with TemporaryDirectory(prefix="postcart-pg-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        server = Server(Path(name))
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


@pytest.fixture
def remote(own_server: Server, tmp_path: Path) -> Iterator[Store]:
    store = open_store(own_server.url(), key=KEY, folder=tmp_path)
    yield store
    store.close()


def test_postgresql_down_calls_are_refused_at_once_and_rows_wait(
    own_server: Server, remote: Store, tmp_path: Path
) -> None:
    own_server.stop()
    assert codes(remote)[0] == {"db_down"}
    again, wait = codes(remote)
    assert again == {"db_down"}
    assert wait < 0.1
    for number in range(50):
        remote.record_call(a_call(hook_instance=f"while-down-{number}"))
    assert remote.flush()
    assert remote.state() == "db_down"
    assert remote.counts["audit_spooled"] == 50
    assert len(spooled(tmp_path)) == 1
    own_server.start()
    assert wait_until(lambda: works(remote)) < BACK_WITHIN
    wait_until(lambda: not spooled(tmp_path))
    assert [row.hook_instance for row in audit_of(own_server.url())] == [
        f"while-down-{number}" for number in range(50)
    ]
    assert faults(own_server.url(), remote.anchor()) == set()
    assert remote.counts["db_reconnect"] == 1
    assert remote.counts.get("audit_lost", 0) == 0


def test_r06_stopped_and_crashed_under_load_nothing_but_success_or_store_down(
    own_server: Server, remote: Store
) -> None:
    stop = threading.Event()
    outcomes: Counter[str] = Counter()
    acknowledged: list[str] = []
    slowest = [0.0]

    def load(worker: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            name = f"{worker}-{number}"
            begun = time.monotonic()
            try:
                remote.record_call(a_call(hook_instance=name))
                assert remote.first_use("north", "issuer", name, LATER)
                remote.overridden("north", "u", "p", "f")
                slowest[0] = max(slowest[0], time.monotonic() - begun)
                remote.record_feedback([an_override(card=name)])
                acknowledged.append(name)
                outcomes["ok"] += 1
            except StoreDown as down:
                outcomes[down.code] += 1
            except Exception as error:  # noqa: BLE001  whatever else comes fails the test
                outcomes[repr(error)] += 1
            time.sleep(0.005)

    threads = [threading.Thread(target=load, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    try:
        for how in ("fast", "immediate", "fast"):
            time.sleep(0.4)
            own_server.stop(how)
            time.sleep(0.6)
            own_server.start()
            assert wait_until(lambda: remote.state() == "ok") < BACK_WITHIN
    finally:
        time.sleep(0.3)
        stop.set()
        for thread in threads:
            thread.join()
    assert set(outcomes) <= {"ok", "db_down", "db_slow"}
    assert outcomes["ok"] > 20
    assert outcomes["db_down"] > 20
    assert slowest[0] < 1.5
    kept = {row[0] for row in own_server.sql("SELECT card FROM feedback")}
    assert set(acknowledged) <= kept
    wait_until(lambda: works(remote))
    remote.flush()
    assert faults(own_server.url(), remote.anchor()) == set()


def test_a_server_that_hangs_holds_a_call_no_longer_than_its_time(own_server: Server, remote: Store) -> None:
    assert codes(remote)[0] == {"ok"}
    own_server.signal(signal.SIGSTOP)
    try:
        begun = time.monotonic()
        with pytest.raises(StoreDown, match="db_slow"):
            remote.first_use("north", "issuer", "other", LATER)
        assert time.monotonic() - begun < 0.6
        for _ in range(3):
            with pytest.raises(StoreDown):
                remote.overridden("north", "u", "p", "f")
        begun = time.monotonic()
        with pytest.raises(StoreDown):
            remote.overridden("north", "u", "p", "f")
        assert time.monotonic() - begun < 0.1
        assert remote.state() == "db_slow"
    finally:
        own_server.signal(signal.SIGCONT)
    assert wait_until(lambda: works(remote)) < BACK_WITHIN


def test_postgresql_gone_read_only_is_named_and_comes_back(own_server: Server, remote: Store) -> None:
    own_server.sql("ALTER DATABASE postgres SET default_transaction_read_only = on")
    own_server.stop()
    own_server.start()
    wait_until(lambda: remote.state() == "db_readonly")
    assert codes(remote)[0] == {"db_readonly"}
    with psycopg.connect(own_server.url(), options="-c default_transaction_read_only=off") as connection:
        connection.execute("ALTER DATABASE postgres RESET default_transaction_read_only")
    own_server.stop()
    own_server.start()
    assert wait_until(lambda: works(remote)) < BACK_WITHIN


def test_down_at_start_does_not_stop_the_start_and_it_comes_later(own_server: Server, tmp_path: Path) -> None:
    own_server.stop()
    store = open_store(own_server.url(), key=KEY, folder=tmp_path)
    try:
        assert store.state() == "db_down"
        assert codes(store)[0] == {"db_down"}
        store.record_call(a_call())
        own_server.start()
        assert wait_until(lambda: works(store)) < BACK_WITHIN
        wait_until(lambda: len(audit_of(own_server.url())) == 1)
    finally:
        store.close()
