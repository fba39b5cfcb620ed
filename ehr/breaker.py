"""A breaker per FHIR server: after several reads in a row without an answer it is left alone for a while (H-57)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class _State:
    failures: int = 0
    closed_again: float = 0.0


class Breaker:
    """Which servers are asked at all. Thread-safe.

    After `failures` reads in a row that brought no answer the server is not asked for `pause` seconds; then one
    read tries it, and only its success lets the others through again.
    """

    def __init__(
        self, *, failures: int = 4, pause: float = 15.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._failures = failures
        self._pause = pause
        self._clock = clock
        self._states: dict[str, _State] = {}
        self._lock = threading.Lock()

    def lets(self, server: str) -> bool:
        """Whether this server may be asked now; of an open one, only the read that tries it again."""
        with self._lock:
            state = self._states.get(server)
            if state is None or state.failures < self._failures:
                return True
            now = self._clock()
            if now < state.closed_again:
                return False
            state.closed_again = now + self._pause
            return True

    def note(self, server: str, answered: bool) -> None:
        """Takes down whether a read brought any answer; refusals such as 403 are answers, too."""
        with self._lock:
            if answered:
                self._states.pop(server, None)
                return
            state = self._states.setdefault(server, _State())
            state.failures += 1
            if state.failures >= self._failures:
                state.closed_again = self._clock() + self._pause

    def open_servers(self) -> tuple[str, ...]:
        """The servers that are being left alone at this moment."""
        with self._lock:
            now = self._clock()
            return tuple(
                name
                for name, state in self._states.items()
                if state.failures >= self._failures and now < state.closed_again
            )
