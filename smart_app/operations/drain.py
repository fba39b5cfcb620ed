"""Stopping without losing a call: not ready first, no new calls, and those running get their time (SIGTERM).

The parent process and its workers share one small file: a flag, and how many calls each worker is answering.
A shared file needs no signal to arrive in a worker whose threads are all busy.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final, Protocol

ENVIRONMENT: Final = "POSTCART_DRAIN_BOARD"
GRACE_SECONDS: Final = 10.0
NOTICE_SECONDS: Final = 1.0
_SLOTS = 64
_ROW = struct.Struct("=II")  # process id, calls running
_SIZE = 8 + _SLOTS * _ROW.size


class DrainBoard:
    """The shared page; `create` in the parent, `open` in a worker."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)

    @classmethod
    def create(cls) -> DrainBoard:
        """A new page in the folder for temporary files, readable to this user alone; put its path in the environment."""
        number, name = tempfile.mkstemp(prefix="postcart-drain-")
        os.ftruncate(number, _SIZE)
        os.close(number)
        os.environ[ENVIRONMENT] = name
        return cls(Path(name))

    @classmethod
    def opened(cls) -> DrainBoard | None:
        """The page the parent made; None in a process without such a parent."""
        name = os.environ.get(ENVIRONMENT, "")
        return cls(Path(name)) if name and Path(name).is_file() else None

    def remove(self) -> None:
        """Deletes the file; pages that are open stay usable."""
        self.path.unlink(missing_ok=True)

    @property
    def draining(self) -> bool:
        """Whether the service is stopping."""
        return self._map[0] != 0

    def begin(self) -> None:
        """From now on `/ready` says no and new calls are refused."""
        self._map[0] = 1

    def running(self) -> int:
        """Calls that living workers are answering."""
        total = 0
        for slot in range(_SLOTS):
            pid, calls = _ROW.unpack_from(self._map, 8 + slot * _ROW.size)
            if pid and calls and _alive(pid):
                total += calls
        return total

    def note(self, calls: int) -> None:
        """Writes down how many calls this process is answering, in a row of its own."""
        _ROW.pack_into(self._map, 8 + (os.getpid() % _SLOTS) * _ROW.size, os.getpid(), calls)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Drain:
    """What a worker knows of stopping: counts its calls on the board; without a board it can drain by itself."""

    def __init__(self, board: DrainBoard | None = None) -> None:
        self._board = board
        self._lock = threading.Lock()
        self._own = False
        self.running = 0

    @property
    def draining(self) -> bool:
        """Whether new calls are refused."""
        return self._own or (self._board is not None and self._board.draining)

    def begin(self) -> None:
        """Stops taking calls in this process."""
        self._own = True

    def enter(self) -> bool:
        """Counts a call in; False where it must be refused."""
        with self._lock:
            if self.draining:
                return False
            self._note(1)
        return True

    def leave(self) -> None:
        """Counts a call out."""
        with self._lock:
            self._note(-1)

    def _note(self, change: int) -> None:
        self.running += change
        if self._board is not None:
            self._board.note(self.running)


def wait_until_drained(
    board: DrainBoard,
    stop: Callable[[], None],
    *,
    notice: float = NOTICE_SECONDS,
    grace: float = GRACE_SECONDS,
) -> None:
    """Begins to drain, lets balancers notice, waits for running calls at most `grace` seconds, then calls `stop`."""
    started = time.monotonic()
    board.begin()
    time.sleep(notice)
    while board.running() and time.monotonic() - started < grace:
        time.sleep(0.02)
    stop()


class Stoppable(Protocol):
    """What draining needs of a granian server."""

    def on_startup(self, hook: Callable[[], None]) -> Callable[[], None]:
        """Registers what runs once the server has set its own signal handlers."""

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        """Begins the server's own stop."""


def drain_before_stopping(server: Stoppable, board: DrainBoard) -> None:
    """Makes a granian server drain on SIGTERM before it stops; call before `serve()`. A second SIGTERM stops at once."""

    def begin(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, server.signal_handler_interrupt)
        threading.Thread(
            target=wait_until_drained, args=(board, server.signal_handler_interrupt), daemon=True
        ).start()

    def install() -> None:
        signal.signal(signal.SIGTERM, begin)

    server.on_startup(install)
