"""The last launches step by step for hospital IT: closed labels and counts, never a patient, a code or a token."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

KEPT = 40


@dataclass(slots=True)
class LaunchTrail:
    """One launch: which site, which way, what happened when, and what was wanted and granted."""

    id: str
    site: str
    way: str
    began: datetime
    steps: list[tuple[int, str, str]] = field(default_factory=list)
    endpoints: tuple[tuple[str, str], ...] = ()
    wanted: tuple[str, ...] = ()
    granted: tuple[str, ...] = ()
    skew_s: int | None = None
    clock: float = field(default_factory=time.monotonic)


class Trails:
    """The launches of this worker, newest last."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._kept: deque[LaunchTrail] = deque(maxlen=KEPT)
        self._number = 0

    def begin(self, site: str, way: str) -> LaunchTrail:
        """A new launch."""
        with self._lock:
            self._number += 1
            trail = LaunchTrail(str(self._number), site, way, self._now())
            self._kept.append(trail)
            return trail

    def find(self, name: str) -> LaunchTrail | None:
        """A launch of this worker by its number."""
        with self._lock:
            return next((trail for trail in self._kept if trail.id == name), None)

    def note(self, trail: LaunchTrail | None, step: str, outcome: str = "ok") -> None:
        """Adds a step; labels only."""
        if trail is not None:
            with self._lock:
                trail.steps.append((round((time.monotonic() - trail.clock) * 1000), step, outcome))

    def newest_first(self) -> tuple[LaunchTrail, ...]:
        """All launches kept."""
        with self._lock:
            return tuple(reversed(self._kept))
