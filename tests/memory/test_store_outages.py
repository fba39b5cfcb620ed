"""What each state of the database does: the rows of the failure matrix (safety paper 5, R-06)."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from dumps import audit_of, spooled
from postgresql import Server, wait_until, why_not
from records import LATER, a_call, an_override
from sqlalchemy import event
from test_store_audit import faults

from cds_hooks.memory import StoreDown
from smart_app.store import Store, open_store

KEY = bytes(range(32))
BACK_WITHIN = 5.0


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


def all_calls(store: Store) -> dict[str, Callable[[], object]]:
    return {
        "first_use": lambda: store.first_use("north", "issuer", "id", LATER),
        "overridden": lambda: store.overridden("north", "u", "p", "f"),
        "feedback": lambda: store.record_feedback([an_override()]),
        "workspaces": lambda: store.workspaces.get("w"),
    }


def codes(store: Store) -> tuple[set[str], float]:
    """The codes with which every kind of work is refused, and the longest wait in seconds."""
    found, longest = set(), 0.0
    for work in all_calls(store).values():
        begun = time.monotonic()
        try:
            work()
            found.add("ok")
        except StoreDown as down:
            found.add(down.code)
        longest = max(longest, time.monotonic() - begun)
    return found, longest


def works(store: Store) -> bool:
    return store.state() == "ok" and codes(store)[0] == {"ok"}


def test_postgresql_down_calls_are_refused_at_once_and_rows_wait(
    own_server: Server, remote: Store, tmp_path: Path
) -> None:
    own_server.stop()
    assert codes(remote)[0] == {"db_down"}
    again, wait = codes(remote)
    assert again == {"db_down"}
    assert wait < 0.02
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
    assert slowest[0] < 1.0
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
        assert time.monotonic() - begun < 0.3
        for _ in range(3):
            with pytest.raises(StoreDown):
                remote.overridden("north", "u", "p", "f")
        begun = time.monotonic()
        with pytest.raises(StoreDown):
            remote.overridden("north", "u", "p", "f")
        assert time.monotonic() - begun < 0.02
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


def test_sqlite_folder_missing_at_start_comes_later(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("a file where a folder should be")
    store = open_store(f"sqlite:///{tmp_path}/blocked/postcart.db", key=KEY, folder=tmp_path / "spool")
    try:
        assert codes(store)[0] == {"db_down"}
        (tmp_path / "blocked").unlink()
        assert wait_until(lambda: works(store)) < BACK_WITHIN
    finally:
        store.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "postcart.db"


@pytest.fixture
def local(file: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{file}", key=KEY)
    yield store
    store.close()


def test_sqlite_locked_by_another_is_slow_within_its_time(local: Store, file: Path) -> None:
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    begun = time.monotonic()
    with pytest.raises(StoreDown, match="db_slow"):
        local.first_use("north", "issuer", "id", LATER)
    assert 0.1 < time.monotonic() - begun < 0.4
    local.record_call(a_call())
    holder.execute("ROLLBACK")
    holder.close()
    assert wait_until(lambda: works(local)) < BACK_WITHIN
    assert local.flush()
    assert local.counts.get("audit_lost", 0) == 0


def test_sqlite_locked_for_long_is_refused_at_once_after_three_times(local: Store, file: Path) -> None:
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    for number in range(3):
        with pytest.raises(StoreDown, match="db_slow"):
            local.first_use("north", "issuer", str(number), LATER)
    begun = time.monotonic()
    with pytest.raises(StoreDown, match="db_slow"):
        local.first_use("north", "issuer", "id", LATER)
    assert time.monotonic() - begun < 0.02
    assert local.state() == "db_slow"
    holder.execute("ROLLBACK")
    holder.close()
    assert wait_until(lambda: works(local)) < BACK_WITHIN


def test_sqlite_read_only_is_named(local: Store, file: Path, tmp_path: Path) -> None:
    local.close()
    store = open_store(f"sqlite:///file:{file}?mode=ro&uri=true", key=KEY, folder=tmp_path / "spool")
    try:
        assert store.state() == "db_readonly"
        assert codes(store)[0] == {"db_readonly"}
        store.record_call(a_call())
        assert store.flush()
        assert len(spooled(tmp_path / "spool")) == 1
    finally:
        store.close()


def test_sqlite_full_is_named_and_nothing_acknowledged_is_missing(local: Store, file: Path) -> None:
    limit = [60]
    engines = (local._sure.engine, local._hot.engine, local._app.engine, local._own)
    for engine in engines:
        event.listen(engine, "connect", lambda one, _: one.execute(f"PRAGMA max_page_count = {limit[0]}"))
        engine.dispose()
    kept: list[str] = []

    def fill() -> None:
        for number in range(1000):
            local.record_feedback([an_override(card=f"card-{number}", comment="c" * 3000)])
            kept.append(f"card-{number}")

    with pytest.raises(StoreDown, match="db_full"):
        fill()
    assert len(kept) > 3
    limit[0] = 100_000
    assert wait_until(lambda: works(local)) < BACK_WITHIN
    with sqlite3.connect(file) as connection:
        assert {row[0] for row in connection.execute("SELECT card FROM feedback")} >= set(kept)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


@pytest.mark.parametrize("how", ["not a database", "pages overwritten", "cut"])
def test_sqlite_corrupt_is_found_at_start_and_a_restored_file_is_taken(
    local: Store, file: Path, tmp_path: Path, how: str
) -> None:
    local.record_feedback([an_override(card=f"card-{number}", comment="c" * 900) for number in range(200)])
    local.close()
    whole = file.read_bytes()
    assert len(whole) > 100_000
    damaged = {
        "not a database": b"this is no database, " * 500,
        "pages overwritten": whole[:20_000] + b"\xa5" * 40_000 + whole[60_000:],
        "cut": whole[: len(whole) // 2 // 4096 * 4096],
    }[how]
    file.write_bytes(damaged)
    store = open_store(f"sqlite:///{file}", key=KEY)
    try:
        assert store.state() == "db_corrupt"
        assert codes(store)[0] == {"db_corrupt"}
        assert file.read_bytes()[:60_000] == damaged[:60_000]
        file.write_bytes(whole)
        assert wait_until(lambda: works(store)) < BACK_WITHIN
    finally:
        store.close()


def test_sqlite_file_taken_away_is_noticed_and_made_anew(local: Store, file: Path) -> None:
    assert works(local)
    for path in file.parent.glob("postcart.db*"):
        path.rename(path.with_name(f"away-{path.name}"))
    wait_until(lambda: file.exists())
    wait_until(lambda: works(local))
    local.record_feedback([an_override(card="afterwards")])
    with sqlite3.connect(file) as connection:
        assert ("afterwards",) in connection.execute("SELECT card FROM feedback").fetchall()
    connection.close()


def test_the_spool_is_bounded_and_what_is_beyond_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smart_app.store.spool.Spool.__init__.__defaults__", (7,))
    (tmp_path / "blocked").write_text("a file where a folder should be")
    store = open_store(f"sqlite:///{tmp_path}/blocked/postcart.db", key=KEY, folder=tmp_path / "spool")
    try:
        for _ in range(10):
            store.record_call(a_call())
        assert store.flush()
        assert (store.counts["audit_spooled"], store.counts["audit_lost"]) == (7, 3)
    finally:
        store.close()


def test_the_spool_of_a_dead_process_is_taken_up_and_a_living_one_is_left_alone(
    tmp_path: Path, file: Path
) -> None:
    folder = tmp_path / "spool"
    (tmp_path / "blocked").write_text("a file where a folder should be")
    url = f"sqlite:///{tmp_path}/blocked/postcart.db"
    dead, living = (open_store(url, key=KEY, folder=folder) for _ in range(2))
    dead.record_call(a_call(hook_instance="dead"))
    living.record_call(a_call(hook_instance="living"))
    dead.close()
    assert living.flush()
    cut = spooled(folder)[0].read_bytes()
    (folder / "audit-spool-0-cut.jsonl").write_bytes(cut + cut[: len(cut) // 2] + b"\n[]\n{}\n")
    other = open_store(f"sqlite:///{file}", key=KEY, folder=folder)
    try:
        names = [row.hook_instance for row in audit_of(f"sqlite:///{file}")]
        assert "dead" in names
        assert len(names) == len(set(names))
        assert len(spooled(folder)) == 1
    finally:
        other.close()
        living.close()
