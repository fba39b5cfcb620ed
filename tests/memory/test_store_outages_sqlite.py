"""What each state of an SQLite file does, and the spool (safety paper 5, database)."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dumps import audit_of, spooled
from postgresql import wait_until
from records import LATER, a_call, an_override
from sqlalchemy import event
from working import BACK_WITHIN, codes, works

from cds_hooks.memory import StoreDown
from smart_app.store import Store, open_store

KEY = bytes(range(32))


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
    assert 0.1 < time.monotonic() - begun < 0.8
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
    assert time.monotonic() - begun < 0.1
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


@pytest.mark.parametrize("how", ["not a database", "pages overwritten", "only feedback", "cut"])
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
        "only feedback": whole[:-16384] + b"\xa5" * 16384,
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
    (cut,) = (content for file in spooled(folder) if b'"dead"' in (content := file.read_bytes()))
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
