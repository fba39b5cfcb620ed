"""Garbage collection kept out of calls: a full pass walks the whole heap and would land in a request."""

from __future__ import annotations

import gc
import threading
import time
from typing import Any

_YOUNG_EVERY = 64
_FULL_AFTER_CALLS = 2000
_FULL_AFTER_SECONDS = 60.0


class Collector:
    """Freezes what was loaded, turns automatic passes off, and collects between calls.

    Young passes run after every few calls; a full pass waits until no call is running.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._calls = 0
        self._since_full = 0
        self._last_full = time.monotonic()
        self.full_inside = 0
        self.full_between = 0

    def start(self) -> None:
        """Takes over from Python's own collector; call once, when everything is loaded."""
        gc.collect()
        gc.freeze()
        gc.disable()
        gc.callbacks.append(self._noticed)
        threading.Thread(target=self._watch, name="collector", daemon=True).start()

    def enter(self) -> None:
        """A call begins."""
        with self._lock:
            self._running += 1

    def leave(self) -> None:
        """A call has ended; every few calls the young generations are swept."""
        with self._lock:
            self._running -= 1
            self._calls += 1
            self._since_full += 1
            sweep = self._calls % _YOUNG_EVERY == 0
        if sweep:
            gc.collect(1)

    def full_pass_if_idle(self) -> bool:
        """Runs a full pass where one is due and no call is running; says whether it did."""
        with self._lock:
            due = self._since_full >= _FULL_AFTER_CALLS or (
                self._since_full > 0 and time.monotonic() - self._last_full >= _FULL_AFTER_SECONDS
            )
            if not due or self._running:
                return False
            self._since_full = 0
            self._last_full = time.monotonic()
            gc.collect()
        return True

    def _watch(self) -> None:
        while True:
            time.sleep(1.0)
            self.full_pass_if_idle()

    def _noticed(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start" and info.get("generation") == 2:
            if self._running:
                self.full_inside += 1
            else:
                self.full_between += 1
