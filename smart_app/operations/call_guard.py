"""A guard against a call that never ends: more than five seconds of processor time, and the worker is replaced.

Section of the failure matrix: worker, endless loop. Waiting for a FHIR server costs no processor time and is bounded
by its own deadline. Where a call holds the interpreter itself, Python's fault handler ends the process.
"""

from __future__ import annotations

import faulthandler
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from smart_app.log import write_log

MOST_CPU_SECONDS: Final = 5.0
_EVERY = 0.5
_EXIT_STATUS = 70


class CallGuard:
    """Watches the threads that answer calls; `enter` and `leave` cost about a microsecond each."""

    def __init__(self, most: float = MOST_CPU_SECONDS, kill: Callable[[], None] | None = None) -> None:
        self._most = most
        self._kill = kill if kill is not None else _end_process
        self._started: dict[int, float] = {}

    def start(self) -> None:
        """Starts the watching thread; call once per worker process."""
        threading.Thread(target=self._watch, name="call-guard", daemon=True).start()

    def enter(self) -> None:
        """This thread begins to answer a call."""
        self._started[threading.get_native_id()] = time.thread_time()

    def leave(self) -> None:
        """This thread has answered."""
        self._started.pop(threading.get_native_id(), None)

    def overrun(self) -> float:
        """Processor seconds of the costliest running call."""
        return max((_used(thread) - begun for thread, begun in tuple(self._started.items())), default=0.0)

    def look(self) -> bool:
        """Looks once; ends the worker where a call has used up its time."""
        used = self.overrun()
        if used <= self._most:
            return False
        write_log("call-killed", level="error", code="call_killed", seconds=round(used, 1))
        self._kill()
        return True

    def _watch(self) -> None:
        while True:
            # runs outside the interpreter: it also fires where a call never lets another thread run
            faulthandler.dump_traceback_later(2 * self._most + _EVERY, exit=True)
            time.sleep(_EVERY)
            self.look()


def _used(thread: int) -> float:
    """Processor seconds of a thread of this process, 0 where it has ended or the system does not tell."""
    try:
        return int(Path(f"/proc/self/task/{thread}/schedstat").read_text().split()[0]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def _end_process() -> None:
    os._exit(_EXIT_STATUS)
