"""Failure matrix, row "Database": cards still come, feedback is never acknowledged unsaved, and it comes back."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matrix_stage import WHOLE, Stage, category, timed
from postgresql import Server, wait_until

from cds_hooks.memory import StoreDown

Staging = Callable[..., Stage]
BACK_WITHIN = 5.0


def cards_still_come(made: Stage) -> float:
    """A hook call is answered in full; gives its seconds."""
    answer, seconds = timed(lambda: made.call(made.request(WHOLE, server="")))
    assert answer.status_code == 200
    assert category(answer) == "cd19-negative"
    assert len(answer.get_json()["cards"]) == 1
    return seconds


def feedback_is_refused(made: Stage, card: str = "refused") -> float:
    """503 with Retry-After and an OperationOutcome; gives its seconds."""
    answer, seconds = timed(lambda: made.feedback(card))
    assert answer.status_code == 503, answer.get_data(as_text=True)
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.get_json()["resourceType"] == "OperationOutcome"
    return seconds


def comes_back(made: Stage, card: str = "afterwards") -> None:
    """Feedback is taken again within 5 s, without a restart."""
    assert wait_until(lambda: made.feedback(card).status_code == 200) < BACK_WITHIN
    cards_still_come(made)


def saved(file: Path) -> set[str]:
    """The cards whose feedback an SQLite file holds."""
    connection = sqlite3.connect(file)
    try:
        return {row[0] for row in connection.execute("SELECT card FROM feedback")}
    finally:
        connection.close()


def test_database_down_and_back_postgresql(stage: Staging, postgresql: Server) -> None:
    """Rows Database down (hook, feedback) and killed and back: nothing acknowledged is lost, no restart."""
    made = stage(database=postgresql.url())
    acknowledged = {f"card-{number}" for number in range(5)}
    assert {made.feedback(card).status_code for card in acknowledged} == {200}
    for how in ("fast", "immediate"):
        postgresql.stop(how)
        cards_still_come(made)
        feedback_is_refused(made)
        quick = min(cards_still_come(made) for _ in range(4))
        assert quick < 0.2
        assert "db_down" in json.dumps(made.ready()[1])
        postgresql.start()
        comes_back(made)
    rows = postgresql.sql("SELECT card FROM feedback")
    assert {row[0] for row in rows} == acknowledged | {"afterwards"}
    made.running.parts.store.flush()
    (calls,) = postgresql.sql("SELECT count(*) FROM audit")[0]
    assert isinstance(calls, int)
    assert calls >= 6


def test_t04_replay_in_an_outage_is_held_by_the_process_or_refused(
    stage: Staging, postgresql: Server
) -> None:
    """Row Database down, hook: `replay_on_outage = memory` knows the tokens of this process; `refuse` lets nobody in."""
    made = stage(database=postgresql.url())
    sent = made.request(WHOLE, server="")
    before = made.token()
    assert made.call(sent, signed=before).status_code == 200
    postgresql.stop()
    during = made.token()
    assert made.call(sent, signed=during).status_code == 200
    assert made.call(sent, signed=during).status_code == 401
    assert made.call(sent, signed=before).status_code == 401
    made.write(site=('replay_on_outage = "refuse"',))
    time.sleep(1.2)
    assert wait_until(lambda: made.call(sent).status_code == 401) < BACK_WITHIN
    postgresql.start()
    assert wait_until(lambda: made.call(sent).status_code == 200) < BACK_WITHIN


def test_database_slow_postgresql(stage: Staging, postgresql: Server) -> None:
    """Row Database slow: cards first, the store has 200 ms; feedback is refused within its time."""
    made = stage(database=postgresql.url())
    assert made.feedback("kept").status_code == 200
    cards_still_come(made)
    postgresql.signal(signal.SIGSTOP)
    try:
        first = cards_still_come(made)
        assert first < 1.0  # 200 ms for the store, the rest for a busy machine
        assert feedback_is_refused(made) < 6.0
        assert min(cards_still_come(made) for _ in range(4)) < 0.2
    finally:
        postgresql.signal(signal.SIGCONT)
    comes_back(made)
    assert ("kept",) in postgresql.sql("SELECT card FROM feedback")


def test_database_locked_sqlite(stage: Staging, tmp_path: Path) -> None:
    """Row Database locked: as down, and back when the lock goes."""
    made = stage()
    assert made.feedback("kept").status_code == 200
    holder = sqlite3.connect(tmp_path / "postcart.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        assert cards_still_come(made) < 1.0
        assert feedback_is_refused(made) < 6.0
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    comes_back(made)
    assert saved(tmp_path / "postcart.db") == {"kept", "afterwards"}


def test_database_read_only_sqlite(stage: Staging, tmp_path: Path) -> None:
    """Row Database read-only: as down; `/ready` names it."""
    first = stage()
    assert first.feedback("kept").status_code == 200
    first.close()
    made = stage(database=f"sqlite:///file:{tmp_path}/postcart.db?mode=ro&uri=true")
    cards_still_come(made)
    feedback_is_refused(made)
    assert made.ready()[0] == 503
    assert "db_readonly" in json.dumps(made.ready()[1])
    assert saved(tmp_path / "postcart.db") == {"kept"}


def test_database_full_sqlite(stage: Staging, tmp_path: Path) -> None:
    """Row Database disk full: feedback is refused from then on, and all that was acknowledged is there."""
    from sqlalchemy import event

    made = stage()
    store = made.running.parts.store
    limit = [70]
    for engine in (store._sure.engine, store._hot.engine, store._app.engine, store._own):
        event.listen(engine, "connect", lambda one, _: one.execute(f"PRAGMA max_page_count = {limit[0]}"))
        engine.dispose()
    acknowledged: set[str] = set()
    for number in range(2000):
        card = f"card-{number}-{'c' * 180}"
        answer = made.feedback(card)
        if answer.status_code != 200:
            break
        acknowledged.add(card)
    assert answer.status_code == 503
    assert len(acknowledged) > 3
    cards_still_come(made)
    limit[0] = 100_000
    comes_back(made)
    assert saved(tmp_path / "postcart.db") >= acknowledged


@pytest.mark.parametrize("damage", ["no database", "pages overwritten"])
def test_database_corrupt_sqlite(stage: Staging, tmp_path: Path, damage: str) -> None:
    """Row Database corrupt: named at start, cards still come, nothing is written; a restored file is taken."""
    first = stage()
    for number in range(60):
        assert first.feedback(f"card-{number}").status_code == 200
    first.close()
    file = tmp_path / "postcart.db"
    whole = file.read_bytes()
    file.write_bytes(
        b"this is no database, " * 500
        if damage == "no database"
        else whole[:8192] + b"\xa5" * (len(whole) - 12288) + whole[-4096:]
    )
    made = stage()
    cards_still_come(made)
    feedback_is_refused(made)
    assert made.ready()[0] == 503
    assert "db_corrupt" in json.dumps(made.ready()[1])
    file.write_bytes(whole)
    comes_back(made)
    assert saved(file) >= {f"card-{number}" for number in range(60)}


def test_database_away_at_start_comes_later(stage: Staging, tmp_path: Path) -> None:
    """Row Database down: a database that is away does not keep the service from starting."""
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    made = stage(database=f"sqlite:///{blocked}/postcart.db")
    cards_still_come(made)
    feedback_is_refused(made)
    assert "db_down" in json.dumps(made.ready()[1])
    blocked.unlink()
    comes_back(made)


def test_h44_an_outage_hides_no_card_that_was_overridden(
    stage: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row Database down, hook: without a store a card that was overridden is shown again, never an error."""
    made = stage()

    def down(*_: Any) -> frozenset[str]:
        raise StoreDown

    monkeypatch.setattr(type(made.running.parts.store), "overridden", down)
    cards_still_come(made)
