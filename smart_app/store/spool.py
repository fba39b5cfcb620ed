"""Audit rows that wait on disk while the database is away: bounded, one file per process, taken up again later."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from io import BufferedRandom
from pathlib import Path
from typing import Any

from smart_app.store.tables import AUDIT, moment_text, read_moment

MOST_ROWS = 20_000
MOST_BYTES = 32 * 1024 * 1024
_PATTERN = "audit-spool-*.jsonl"
_TYPES = {"at": datetime, "milliseconds": float, "silent": bool, "suppressed": int}
_CHAINED = frozenset({"seq", "key_id", "previous", "hash"})
_SHAPE = {
    column.name: _TYPES.get(column.name, str) for column in AUDIT.columns if column.name not in _CHAINED
}


class Spool:
    """The spool of this process. Its file is locked while the process lives; files of dead ones are taken up."""

    def __init__(self, folder: Path, most_rows: int = MOST_ROWS) -> None:
        self._folder = folder
        self._most = most_rows
        self._lock = threading.Lock()
        self._file: BufferedRandom | None = None
        self._path: Path | None = None
        self.rows = 0
        self._bytes = 0

    def add(self, rows: Sequence[dict[str, Any]], patience: float = -1) -> int:
        """Writes rows; gives how many were taken. Full, or a disk that refuses, takes no more.

        `patience`: seconds to wait while the spool is being taken up; negative waits as long as it lasts.
        """
        if not self._lock.acquire(timeout=patience):
            return 0
        try:
            before = self.rows
            self._write(rows)
            return self.rows - before
        finally:
            self._lock.release()

    def _write(self, rows: Sequence[dict[str, Any]]) -> None:
        try:
            file = self._opened()
            for row in rows:
                line = _line(row)
                if self.rows >= self._most or self._bytes + len(line) > MOST_BYTES:
                    return
                file.write(line)
                file.flush()
                self.rows += 1
                self._bytes += len(line)
        except OSError:
            return

    @contextmanager
    def held(self) -> Iterator[list[dict[str, Any]]]:
        """Rows waiting, of this process and of dead ones; they are gone once the block ends without error.

        Rows added meanwhile wait for the end of the block, so none is lost.
        """
        with self._lock:
            orphans = list(self._orphans())
            try:
                rows = [row for file in (*orphans, *self._own()) for row in _rows_of(file)]
                yield rows
                for file in orphans:
                    Path(file.name).unlink(missing_ok=True)
                self._drop()
            finally:
                for file in orphans:
                    file.close()

    def waiting(self) -> bool:
        """Whether there is anything to take up, here or left by a dead process."""
        if self.rows:
            return True
        return any(path != self._path for path in self._folder.glob(_PATTERN))

    def _own(self) -> tuple[BufferedRandom, ...]:
        return (self._file,) if self._file is not None else ()

    def _opened(self) -> BufferedRandom:
        if self._file is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            name = f"audit-spool-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
            self._path = self._folder / name
            draft = self._folder / f".{name}"
            handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            # locked before it has the name others look for, or one of them would take it for a dead process's
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.rename(self._path)
            self._file = os.fdopen(handle, "r+b")
        return self._file

    def _orphans(self) -> Iterator[BufferedRandom]:
        for path in sorted(self._folder.glob(_PATTERN)):
            if path == self._path:
                continue
            try:
                file = path.open("r+b")
            except OSError:
                continue
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.close()
                continue
            yield file

    def _drop(self) -> None:
        if self._file is not None and self._path is not None:
            self._path.unlink(missing_ok=True)
            self._file.close()
        self._file, self._path, self.rows, self._bytes = None, None, 0, 0

    def close(self) -> None:
        """Lets go of the file; what waits in it is taken up by the next process."""
        with self._lock:
            if self._file is not None:
                self._file.close()
            self._file, self._path, self.rows, self._bytes = None, None, 0, 0


def _line(row: dict[str, Any]) -> bytes:
    values = {
        name: moment_text(value) if isinstance(value, datetime) else value for name, value in row.items()
    }
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"


def _rows_of(file: BufferedRandom) -> Iterator[dict[str, Any]]:
    """The whole rows of a file; a last line cut by the end of its process is left out."""
    file.seek(0)
    for line in file:
        try:
            row = json.loads(line)
            row["at"] = read_moment(row["at"])
        except (ValueError, KeyError, TypeError):
            continue
        if {name: type(value) for name, value in row.items()} == _SHAPE:
            yield row
    file.seek(0, os.SEEK_END)
