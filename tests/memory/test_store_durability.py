"""How each kind of work commits: kill -9 cannot show what a power cut would, so the settings are looked at (R-04)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from smart_app.store import Store, open_store


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Store]:
    one = open_store(url, key=bytes(32), folder=tmp_path)
    yield one
    one.close()


def setting(store: Store, kind: str, name: str) -> str:
    engine = {
        "sure": store._sure.engine,
        "hot": store._hot.engine,
        "app": store._app.engine,
        "own": store._own,
    }[kind]
    with engine.connect() as connection:
        word = "PRAGMA" if engine.dialect.name == "sqlite" else "SHOW"
        return str(connection.execute(text(f"{word} {name}")).scalar())


def test_r04_feedback_waits_for_the_disk(store: Store, url: str) -> None:
    if url.startswith("sqlite"):
        assert setting(store, "sure", "synchronous") == "2"
        assert setting(store, "sure", "journal_mode") == "wal"
        assert setting(store, "hot", "synchronous") == setting(store, "own", "synchronous") == "1"
    else:
        assert setting(store, "sure", "synchronous_commit") == "on"
        assert setting(store, "own", "synchronous_commit") == "on"
        assert setting(store, "hot", "synchronous_commit") == "off"


def test_each_kind_of_work_waits_no_longer_than_its_time(store: Store, url: str) -> None:
    name = "busy_timeout" if url.startswith("sqlite") else "lock_timeout"
    forms = {"hot": ("200", "200ms"), "app": ("2000", "2s"), "sure": ("5000", "5s"), "own": ("5000", "5s")}
    for kind, form in forms.items():
        assert setting(store, kind, name) in form, kind
