"""The tables, their steps, a database that is newer, and one that went back in time (H-60, H-61, H-63)."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from dumps import audit_of
from postgresql import wait_until
from processes import start_child
from records import NOW, a_call, an_override
from sqlalchemy import text
from test_store_audit import faults

from smart_app.store import Store, StoreRefused, open_store
from smart_app.store.engine import SURE, database_url, make_engine
from smart_app.store.knowledge import Served
from smart_app.store.restore import ANCHOR_FILE
from smart_app.store.schema import known_revisions
from smart_app.store.tables import TABLES, moment_text, read_moment

KEY = bytes(range(32))


def run(url: str, statement: str) -> None:
    engine = make_engine(database_url(url), SURE)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_the_steps_make_exactly_the_tables_the_program_uses(store: Store, url: str) -> None:
    assert store.state() == "ok"
    engine = make_engine(database_url(url), SURE)
    with engine.begin() as connection:
        differences = compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True}), TABLES
        )
    engine.dispose()
    assert differences == []


def test_h61_a_database_newer_than_known_is_refused_and_left_alone(
    opened: Callable[[], Store], url: str
) -> None:
    opened().close()
    run(url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(
        StoreRefused, match=f"revision 9999; this program knows up to {known_revisions()[0]}"
    ) as caught:
        opened()
    assert caught.value.code == "db_newer"
    run(url, "UPDATE alembic_version SET version_num = '0001'")
    assert opened().state() == "ok"


def test_many_processes_and_threads_may_start_on_an_empty_database(url: str, tmp_path: Path) -> None:
    stores: list[Store] = []
    threads = [
        threading.Thread(target=lambda: stores.append(open_store(url, key=KEY, folder=tmp_path)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    children = [start_child("calls", url, tmp_path, "1", str(number)) for number in range(3)]
    for thread in threads:
        thread.join()
    for child in children:
        assert child.communicate(timeout=60)[0] == "closed\n"
    for store in stores:
        wait_until(lambda one=store: one.state() == "ok")
        store.close()
    assert len(audit_of(url)) == 3


@pytest.mark.parametrize(
    "address", ["mysql://x/y", "sqlite://?x=1", "sqlite:///:memory:", "nonsense", "postgresql+asyncpg://h/d"]
)
def test_an_address_not_served_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(StoreRefused) as caught:
        open_store(address, key=KEY)
    assert caught.value.code == "url"
    assert address not in str(caught.value)


def test_t18_no_password_of_an_address_comes_out(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused) as caught:
        open_store("mysql://user:SECRET@host/db", key=KEY)
    assert "SECRET" not in str(caught.value)
    store = open_store(f"postgresql://user:SECRET@/db?host={tmp_path}", key=KEY)
    assert store.state() == "db_down"
    assert "SECRET" not in repr(store._hot.engine)
    store.close()


def test_h60_a_process_sees_what_the_others_serve(opened: Callable[..., Store]) -> None:
    clock = [NOW]

    def now() -> datetime:
        return clock[0]

    one, two = opened(now=now), opened(now=now)
    assert one.last_served() is None
    first = Served("a", "2026.1", "digest-1", NOW)
    assert one.note_served("a", "2026.1", "digest-1") == (first,)
    second = Served("b", "2026.2", "digest-2", NOW)
    assert two.note_served("b", "2026.2", "digest-2") == (first, second)
    assert one.last_served() == second
    clock[0] = NOW + timedelta(minutes=6)
    third = Served("b", "2026.2", "digest-2", clock[0])
    assert two.note_served("b", "2026.2", "digest-2") == (third,)


def test_h63_an_old_copy_marks_the_gap_and_shows_again_what_was_overridden(
    opened: Callable[..., Store], url: str, tmp_path: Path
) -> None:
    clock = [NOW]
    store = opened(now=lambda: clock[0])
    store.record_call(a_call())
    store.record_feedback([an_override()])
    assert store.flush()
    who = ("north", "u" * 64, "p" * 64, "facts-1")
    assert store.overridden(*who)
    old = store.anchor()
    copy = Copy(url, tmp_path)
    for _ in range(5):
        store.record_call(a_call(cards=()))
    store.close()
    opened(now=lambda: clock[0]).close()  # a start writes down where the chain ends
    assert (tmp_path / ANCHOR_FILE).exists()
    copy.put_back()
    clock[0] = NOW + timedelta(hours=1)
    again = opened(now=lambda: clock[0])
    assert again.overridden(*who) == frozenset()
    row = audit_of(url)[-1]
    assert (row.seq, row.event) == (old.seq + 1, "restored")
    assert row.detail.startswith('{"expected":"6:')
    assert faults(url, again.anchor()) == set()
    again.close()
    assert audit_of(url)[-1].event == "restored"
    third = opened(now=lambda: clock[0])
    assert len(audit_of(url)) == 2
    third.record_feedback(
        [an_override(at=clock[0] + timedelta(seconds=1), outcome_timestamp="2026-03-01T13:00:00Z")]
    )
    assert third.overridden(*who)


def test_h63_an_old_copy_put_back_under_a_running_service_is_noticed_when_it_reconnects(
    opened: Callable[..., Store], url: str, tmp_path: Path
) -> None:
    store = opened()
    store.record_call(a_call())
    assert store.flush()
    copy = Copy(url, tmp_path)
    for _ in range(5):
        store.record_call(a_call(cards=()))
    # the backup ended the connections, so these rows may have waited in the spool
    wait_until(lambda: len(audit_of(url)) == 6)
    copy.put_back()
    wait_until(lambda: "restored" in [row.event for row in audit_of(url)], 15)
    store.record_call(a_call(cards=()))
    wait_until(lambda: [row.event for row in audit_of(url)] == ["call", "restored", "call"])
    assert faults(url, store.anchor()) == set()


class Copy:
    """A backup as IT would take it while the service runs, and its way back."""

    def __init__(self, url: str, folder: Path) -> None:
        self._address = database_url(url)
        self._url = url
        self._file = folder / "backup"
        if self._address.drivername.startswith("sqlite"):
            with sqlite3.connect(self._address.database or "") as live, sqlite3.connect(self._file) as backup:
                live.backup(backup)
            live.close()
            backup.close()
        else:
            self._admin(f"CREATE DATABASE {self._address.database}_copy TEMPLATE {self._address.database}")

    def put_back(self) -> None:
        if self._address.drivername.startswith("sqlite"):
            live = Path(self._address.database or "")
            for path in live.parent.glob(f"{live.name}*"):
                path.unlink()
            shutil.copy(self._file, live)
        else:
            name = self._address.database
            self._admin(f"DROP DATABASE {name} WITH (FORCE)")
            self._admin(f"ALTER DATABASE {name}_copy RENAME TO {name}")

    def _admin(self, statement: str) -> None:
        """As often as it takes: the service connects again while the database must be nobody's."""
        url = self._url.replace(f"/{self._address.database}?", "/template1?")
        query = b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        with psycopg.connect(url, autocommit=True) as connection:
            for _ in range(50):
                connection.execute(query, (self._address.database,))
                try:
                    connection.execute(statement.encode())
                except psycopg.errors.ObjectInUse:
                    continue
                return
        raise AssertionError("the database never was nobody's")


def test_moments_sort_as_text_and_come_back() -> None:
    moments = [datetime.min.replace(tzinfo=NOW.tzinfo), NOW - timedelta(microseconds=1), NOW]
    texts = [moment_text(moment) for moment in moments]
    assert texts == sorted(texts)
    assert [read_moment(one) for one in texts] == moments
    with pytest.raises(ValueError, match="zone"):
        moment_text(datetime(2026, 1, 1))
