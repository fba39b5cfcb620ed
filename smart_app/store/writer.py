"""The one thread of a process that writes audit rows, keeps house and notices when the database comes back."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from smart_app.store.audit import AuditRow, append
from smart_app.store.chain import Tail
from smart_app.store.engine import StoreRefused, down_code
from smart_app.store.health import Health
from smart_app.store.spool import Spool

MOST_WAITING = 10_000
_BATCH = 500
_GATHER = 0.02
_PROBE_DOWN = 0.5
_PROBE_UP = 2.0
_HOUSEKEEPING = 60.0
_STUCK = 6.0


class _NotTakenUp(Exception):
    """The spool stays as it is."""


class Writer:
    """Takes audit rows from callers in microseconds and writes them in batches, one transaction each.

    Down, rows go to the spool; beyond that they are counted as `audit_lost`. `probe` raises where the database
    cannot be used; `housekeep` runs once a minute.
    """

    def __init__(
        self,
        engine: Engine,
        key: bytes,
        health: Health,
        spool: Spool | None,
        probe: Callable[[], None],
        housekeep: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._key = key
        self._health = health
        self._spool = spool
        self._probe = probe
        self._housekeep = housekeep
        self._waiting: deque[AuditRow] = deque()
        self._taken = self._written = 0
        self._lock = threading.Lock()
        self._progress = threading.Condition()
        self._stopping = False
        self.broken = False
        self.last: Tail | None = None
        self._busy_since = 0.0
        self._next_probe = self._next_housekeeping = 0.0
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)

    def start(self) -> None:
        """Starts the thread, after a first probe, so that the state is known when this returns."""
        self._check()
        self._thread.start()

    @property
    def fault(self) -> str:
        """Empty, or a closed label: the chain takes no row, one piece of work hangs, the thread has ended."""
        since = self._busy_since
        if since > 0 and time.monotonic() - since > _STUCK:
            return "db_slow"
        if not self._thread.is_alive():
            return "store_closed"
        return "audit_broken" if self.broken else ""

    def add(self, row: AuditRow) -> None:
        """Takes one row; never waits for the database."""
        with self._lock:
            full = self._stopping or len(self._waiting) >= MOST_WAITING
            if not full:
                self._waiting.append(row)
                self._taken += 1
        if full:
            self._to_spool([row], patience=0.05)
        else:
            self._health.alarm.set()

    def flush(self, seconds: float) -> bool:
        """Waits until every row taken so far is in the database or the spool; False if that takes longer."""
        with self._lock:
            goal = self._taken
        self._health.alarm.set()
        with self._progress:
            return self._progress.wait_for(lambda: self._written >= goal, seconds)

    def close(self, seconds: float) -> bool:
        """Writes what waits and ends the thread; False if that takes longer."""
        with self._lock:
            self._stopping = True
        self._health.alarm.set()
        if self._thread.ident is not None:
            self._thread.join(seconds)
        ended = not self._thread.is_alive()
        if not ended or self._waiting:
            with self._lock:
                left = list(self._waiting)
                self._waiting.clear()
            self._to_spool(left, patience=0.5)
        return ended

    def _run(self) -> None:
        alarm = self._health.alarm
        while not self._stopping:
            now = time.monotonic()
            if now >= self._next_probe:
                self._check()
                continue
            if not self._waiting:
                alarm.wait(self._next_probe - now)
            alarm.clear()
            if self._health.code != "ok":
                self._next_probe = min(self._next_probe, time.monotonic() + _PROBE_DOWN)
            if self._waiting:
                # rows of the next few milliseconds share a commit
                time.sleep(_GATHER)
                self._write_waiting()
        self._write_waiting()

    def _check(self) -> None:
        """Probes the database, takes up the spool, keeps house."""
        self._busy_since = time.monotonic()
        try:
            self._probe()
            self._health.passed()
            self._take_up()
            if time.monotonic() >= self._next_housekeeping:
                self._housekeep()
                self._next_housekeeping = time.monotonic() + _HOUSEKEEPING
        except StoreRefused as fault:
            self._health.failed(fault.code)
        except (SQLAlchemyError, OSError) as error:
            self._health.failed(down_code(error))
        finally:
            self._busy_since = 0.0
        self._next_probe = time.monotonic() + (_PROBE_UP if self._health.code == "ok" else _PROBE_DOWN)

    def _write_waiting(self) -> None:
        while self._waiting:
            with self._lock:
                batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            if self._health.code != "ok" or not self._written_down(batch):
                self._to_spool(batch)
            self._written += len(batch)
            with self._progress:
                self._progress.notify_all()

    def _written_down(self, batch: Sequence[AuditRow], again: bool = False) -> bool:
        self._busy_since = time.monotonic()
        try:
            with self._engine.begin() as connection:
                last = append(connection, self._key, batch, again)
        except IntegrityError:
            self.broken = True
            return False
        except SQLAlchemyError as error:
            self._health.failed(down_code(error))
            return False
        finally:
            self._busy_since = 0.0
        self.broken, self.last = False, last
        self._health.count("audit_taken_up" if again else "audit_written", len(batch))
        return True

    def _to_spool(self, rows: Sequence[AuditRow], patience: float = -1) -> None:
        taken = self._spool.add(rows, patience) if self._spool is not None else 0
        if taken:
            self._health.count("audit_spooled", taken)
        if taken < len(rows):
            self._health.count("audit_lost", len(rows) - taken)

    def _take_up(self) -> None:
        if self._spool is None or not self._spool.waiting():
            return
        with suppress(_NotTakenUp), self._spool.held() as rows:
            for start in range(0, len(rows), _BATCH):
                if not self._written_down(rows[start : start + _BATCH], again=True):
                    raise _NotTakenUp
