"""Whether our own clock is right, judged by the clocks that speak to us (failure matrix, row clock; H-65, T-33).

Samples come from `iat` of tokens whose signature held and from the HTTP Date of EHR servers. One clock that lies must
not stop the service: the state follows the median over sources, each with its own median.
"""

from __future__ import annotations

import email.utils
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Final

WARN_SECONDS: Final = 120
STOP_SECONDS: Final = 600
_SAMPLES = 9
_ENOUGH = 3
_SOURCES = 64
_FRESH_SECONDS = 3600.0
_JUMP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ClockState:
    """`state` is `ok`, `unknown` (too few samples), `warn` (> 120 s) or `wrong` (> 10 min); `skew` in seconds."""

    state: str
    skew: float
    sources: int


class ClockWatch:
    """Compares the wall clock with other clocks; positive skew means ours is ahead."""

    def __init__(
        self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._offset = wall() - monotonic()
        self._samples: OrderedDict[str, deque[tuple[float, float]]] = OrderedDict()

    def sample(self, source: str, seconds: float) -> None:
        """Notes what another clock says (seconds since 1970); `source` is a site or a host, and is never shown."""
        with self._lock:
            self._forget_after_a_jump()
            rows = self._samples.setdefault(source, deque(maxlen=_SAMPLES))
            self._samples.move_to_end(source)
            rows.append((self._monotonic(), self._wall() - seconds))
            while len(self._samples) > _SOURCES:
                self._samples.popitem(last=False)

    def sample_date(self, source: str, header: str | None) -> None:
        """Notes an HTTP Date header; one that is missing or not a date is passed over."""
        try:
            moment = email.utils.parsedate_to_datetime(header or "")
        except ValueError:
            return
        self.sample(source, moment.timestamp())

    def state(self) -> ClockState:
        """What the samples of the last hour say."""
        with self._lock:
            self._forget_after_a_jump()
            now = self._monotonic()
            skews = []
            for rows in self._samples.values():
                fresh = [skew for at, skew in rows if now - at <= _FRESH_SECONDS]
                if len(fresh) >= _ENOUGH:
                    skews.append(median(fresh))
        if not skews:
            return ClockState("unknown", 0.0, 0)
        # of two clocks that disagree, the one nearer to ours is believed: a single liar stops nothing
        skews.sort(key=abs)
        skew = median(skews) if len(skews) != 2 else skews[0]
        size = abs(skew)
        state = "wrong" if size > STOP_SECONDS else "warn" if size > WARN_SECONDS else "ok"
        return ClockState(state, round(skew, 1), len(skews))

    def _forget_after_a_jump(self) -> None:
        """Old samples say nothing once our own clock was set; the monotonic clock shows that."""
        offset = self._wall() - self._monotonic()
        if abs(offset - self._offset) > _JUMP_SECONDS:
            self._samples.clear()
            self._offset = offset
