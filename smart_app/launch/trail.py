"""The last launches step by step for hospital IT: closed labels and counts, never a patient, a code or a token."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

KEPT = 40
KEPT_STRANGE = 10
"""Launches that named no registered site are kept apart, so that a flood of them hides no real one."""
_HOST = re.compile(r"[a-z0-9.\-]{1,253}")


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
        self._strange: deque[LaunchTrail] = deque(maxlen=KEPT_STRANGE)
        self._number = 0

    def begin(self, iss: str, way: str) -> LaunchTrail:
        """A new launch, under the host its `iss` names until the site is known."""
        with self._lock:
            self._number += 1
            trail = LaunchTrail(str(self._number), f"not a registered site: {_host(iss)}", way, self._now())
            self._strange.append(trail)
            return trail

    def know(self, trail: LaunchTrail, site: str) -> None:
        """The launch is of this registered site."""
        with self._lock:
            trail.site = site
            if trail in self._strange:
                self._strange.remove(trail)
            self._kept.append(trail)

    def find(self, name: str) -> LaunchTrail | None:
        """A launch of this worker by its number."""
        with self._lock:
            return next((trail for trail in (*self._kept, *self._strange) if trail.id == name), None)

    def note(self, trail: LaunchTrail | None, step: str, outcome: str = "ok") -> None:
        """Adds a step; labels only."""
        if trail is not None:
            with self._lock:
                trail.steps.append((round((time.monotonic() - trail.clock) * 1000), step, outcome))

    def newest_first(self) -> tuple[LaunchTrail, ...]:
        """All launches kept."""
        with self._lock:
            return tuple(sorted((*self._kept, *self._strange), key=lambda one: -int(one.id)))


def _host(iss: str) -> str:
    """The host of an address as it may be shown; nothing else of it, and no odd text."""
    try:
        host = urlsplit(iss).hostname or ""
    except ValueError:
        host = ""
    return host if _HOST.fullmatch(host) else "no readable host"
