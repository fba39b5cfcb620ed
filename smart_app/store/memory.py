"""The store behind `cds_hooks.memory.Memory`: token ids, audit, feedback, workspaces, in SQLite or PostgreSQL."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, update

from cds_hooks.memory import CallRecord, FeedbackRow, StoreDown
from smart_app.store import knowledge, replay, restore, rows
from smart_app.store.access import Access
from smart_app.store.audit import call_row, event_row, stored_tail
from smart_app.store.chain import Tail
from smart_app.store.engine import (
    APP,
    HOT,
    SURE,
    WRITER,
    Corrupt,
    StoreRefused,
    database_url,
    make_engine,
    make_sqlite_file,
    sqlite_file,
)
from smart_app.store.health import Health
from smart_app.store.knowledge import Served
from smart_app.store.schema import check_sound, upgrade
from smart_app.store.spool import Spool
from smart_app.store.tables import META, moment_text
from smart_app.store.workspaces import Workspaces
from smart_app.store.writer import Writer

_CLOSE_S = 5.0


def _wall_clock() -> datetime:
    return datetime.now(UTC)


def open_store(
    url: str, *, key: bytes, folder: Path | None = None, now: Callable[[], datetime] = _wall_clock
) -> Store:
    """Opens the store; a database that is away does not stop the start, `state()` says so and it comes later.

    `folder` holds the spool and the anchor of the audit; without it they lie beside an SQLite file, and
    PostgreSQL has none. Raises `StoreRefused` for an address not served or a database newer than known (H-61).
    """
    address = database_url(url)
    file = sqlite_file(address)
    store = Store(address, key, folder if folder is not None else (file.parent if file else None), now)
    if store.refused is not None:
        store.close()
        raise store.refused
    return store


class Store:
    """One open database. Safe for threads; each process opens its own."""

    def __init__(self, url: URL, key: bytes, folder: Path | None, now: Callable[[], datetime]) -> None:
        self._url = url
        self._key = key
        self._folder = folder
        self._now = now
        self._file = sqlite_file(url)
        self._inode = 0
        self._prepared = False
        self._database_id = ""
        self.refused: StoreRefused | None = None
        self._health = Health()
        self._hot = Access(make_engine(url, HOT), HOT, self._health)
        self._app = Access(make_engine(url, APP), APP, self._health)
        self._sure = Access(make_engine(url, SURE), SURE, self._health)
        self._own = make_engine(url, WRITER)
        spool = Spool(folder) if folder is not None else None
        self._spool = spool
        self._writer = Writer(self._own, key, self._health, spool, self._probe, self._keep_house)
        self.workspaces = Workspaces(self._app, now)
        self._writer.start()
        atexit.register(self.close)

    def first_use(self, site: str, issuer: str, token_id: str, until: datetime) -> bool:
        """Whether this token id is seen for the first time; one INSERT decides, across all processes (T-04)."""
        token = replay.token_hash(site, issuer, token_id)
        return self._hot.run(lambda connection: replay.first(connection, token, until))

    def record_call(self, record: CallRecord) -> None:
        """Takes an audit row in microseconds; it is in the database or the spool a moment later."""
        self._writer.add(call_row(record))

    def record_event(self, event: str, site: str = "", detail: Mapping[str, str] | None = None) -> None:
        """Takes an audit row of something that is not a call; `event` is a closed label."""
        self._writer.add(event_row(self._now(), event, site, detail or {}))

    def record_feedback(self, rows_in: Sequence[FeedbackRow]) -> None:
        """Stores all rows in one transaction, on disk before it returns; raises `StoreDown` within 5 s."""
        if rows_in:
            self._sure.run(lambda connection: rows.put_feedback(connection, self._key, rows_in))

    def overridden(self, site: str, user_key: str, patient_key: str, facts_digest: str) -> frozenset[str]:
        """Kinds of cards this user overrode with a reason for this patient on the very same facts (H-44)."""
        return self._hot.run(
            lambda connection: rows.overridden_kinds(connection, site, user_key, patient_key, facts_digest)
        )

    def last_served(self) -> Served | None:
        """The knowledge that was last served from this database (H-61)."""
        return self._app.run(knowledge.last_served)

    def note_served(self, node: str, version: str, digest: str) -> tuple[Served, ...]:
        """Notes what this process serves and gives what all living ones serve (H-60)."""
        served = Served(node, version, digest, self._now())
        self._sure.run(lambda connection: knowledge.note_served(connection, served))
        return self._app.run(lambda connection: knowledge.nodes_alive(connection, self._now()))

    def anchor(self) -> Tail:
        """The end of the audit chain, to be written into the log once a day (T-30)."""
        return self._app.run(stored_tail)

    def state(self) -> str:
        """`ok`, or a closed label of what is wrong, for `/ready`; asks nothing of the database."""
        code = self._health.code
        return code if code != "ok" else self._writer.fault or "ok"

    @property
    def counts(self) -> Mapping[str, int]:
        """Counters under closed names: audit_written, audit_spooled, audit_taken_up, audit_lost, db_* …"""
        return self._health.counts

    def flush(self, seconds: float = _CLOSE_S) -> bool:
        """Waits until every audit row taken so far is in the database or the spool."""
        return self._writer.flush(seconds)

    def close(self) -> None:
        """Writes what waits (to the database, else the spool) and gives the connections back; may be repeated."""
        atexit.unregister(self.close)
        self._writer.close(_CLOSE_S)
        if self._spool is not None:
            self._spool.close()
        for access in (self._hot, self._app, self._sure):
            access.close()
        self._own.dispose()

    def _probe(self) -> None:
        """Checks that the database takes a write, after making its tables where that is still to do."""
        if self._file is not None and self._inode and _inode(self._file) != self._inode:
            # another file stands at this place: what connections still hold is the one that was taken away
            self._prepared = False
        if self._health.code not in ("ok", "db_slow"):
            # what comes back may be an old copy, or damaged, or a newer program's
            self._prepared = False
        if self._health.code != "ok" or not self._prepared:
            for engine in (self._hot.engine, self._app.engine, self._sure.engine, self._own):
                engine.dispose()
        if not self._prepared:
            self._prepare()
        if self._health.code != "ok":
            # the first call must not pay for making a connection out of its 200 ms
            for engine in (self._hot.engine, self._app.engine, self._sure.engine):
                with engine.connect():
                    pass
        with self._own.connect() as connection, connection.begin() as transaction:
            beat = moment_text(self._now())
            connection.execute(update(META).where(META.c.name == "heartbeat").values(value=beat))
            transaction.rollback()

    def _prepare(self) -> None:
        if self._file is not None:
            if "mode=ro" not in str(self._url):
                make_sqlite_file(self._file)
            with self._app.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
                if not check_sound(connection):
                    raise Corrupt
        self.refused = None
        try:
            with self._own.begin() as connection:
                upgrade(connection)
                if self._folder is not None:
                    if self._writer.last is not None:
                        restore.raise_anchor(self._folder, self._database_id, self._writer.last)
                    restore.mark_restore(connection, self._key, self._folder, self._now())
                name, tail = restore.database_id(connection), stored_tail(connection)
        except StoreRefused as fault:
            self.refused = fault
            raise
        self._inode = _inode(self._file) if self._file is not None else 0
        self._note_end(name, tail)
        self._prepared = True

    def _note_end(self, name: str, tail: Tail) -> None:
        """Writes down where the chain of this database ends."""
        self._database_id, self._writer.last = name, None
        if self._folder is not None:
            restore.write_anchor(self._folder, name, tail)

    def _keep_house(self) -> None:
        """Prunes what has run out, in small steps, and writes down the end of the audit."""
        for _ in range(50):
            with self._own.begin() as connection:
                if not replay.prune(connection, self._now()):
                    break
        with self._own.begin() as connection:
            tail, name = stored_tail(connection), restore.database_id(connection)
        self._note_end(name, tail)
        with suppress(StoreDown):
            self.workspaces.purge(self._now())


def _inode(file: Path) -> int:
    try:
        return file.stat().st_ino
    except OSError:
        return -1
