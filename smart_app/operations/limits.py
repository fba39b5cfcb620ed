"""Limits that keep one caller, or all of them together, from taking the service down (T-26, T-35).

Rate per site: 429. Bytes and calls in flight, and a site's share of the threads: 503. Both with Retry-After.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from cds_hooks.outcome import Refusal

MAX_BYTES_RUNNING: Final = 128 << 20
"""A server may hold a body twice for a moment, so that the process grows by at most 300 MB (T-26, R-09)."""
RETRY_SECONDS: Final = 1


class Held(Refusal):
    """A call that may be repeated: a refusal with the seconds to wait, for the Retry-After header."""

    def __init__(self, status: int, code: str, message: str, retry_after: int = RETRY_SECONDS) -> None:
        super().__init__(status, code, message)
        self.retry_after = retry_after


class SiteRates:
    """One token bucket per site: `rates` calls a minute, of which a whole minute's worth may come at once.

    Rate 0 means no limit. A site that is not registered has no bucket and is refused before it comes here.
    """

    def __init__(self, rates: Mapping[str, int], clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._rates = dict(rates)
        self._buckets: dict[str, tuple[float, float]] = {}

    def know(self, rates: Mapping[str, int]) -> None:
        """Takes over the rates of a new set of registrations; buckets of sites that stay are kept."""
        with self._lock:
            self._rates = dict(rates)
            self._buckets = {site: row for site, row in self._buckets.items() if site in rates}

    def check(self, site: str) -> None:
        """Takes one call out of the site's bucket; `Held` 429 with the seconds until the next one."""
        wait = self.take(site)
        if wait > 0:
            raise Held(
                429, "limited", "this site calls more often than it is registered for", math.ceil(wait)
            )

    def take(self, site: str) -> float:
        """Seconds until the site may call again; 0 where this call may be answered."""
        with self._lock:
            rate = self._rates.get(site, 0)
            if rate <= 0:
                return 0.0
            now = self._clock()
            left, since = self._buckets.get(site, (float(rate), now))
            left = min(float(rate), left + max(0.0, now - since) * rate / 60)
            if left < 1:
                self._buckets[site] = (left, now)
                return (1 - left) * 60 / rate
            self._buckets[site] = (left - 1, now)
            return 0.0


class SiteShares:
    """How many calls of one site may be answered at once, so that the others find a free thread (T-35)."""

    def __init__(self, most: int) -> None:
        self._lock = threading.Lock()
        self._most = max(1, most)
        self._running: dict[str, int] = {}

    @contextmanager
    def hold(self, site: str) -> Iterator[None]:
        """Counts the call while it is answered; `Held` 503 where the site has its share already."""
        with self._lock:
            running = self._running.get(site, 0)
            if running >= self._most:
                raise Held(503, "busy", "this site has as many calls running as it may")
            self._running[site] = running + 1
        try:
            yield
        finally:
            with self._lock:
                left = self._running[site] - 1
                if left:
                    self._running[site] = left
                else:
                    del self._running[site]


class Budget:
    """What all calls together may hold at once: bytes of bodies and number of calls (T-26).

    `most_calls` should leave a few threads of the server free to say no and to answer `/ready`.
    """

    def __init__(self, most_calls: int, most_bytes: int = MAX_BYTES_RUNNING) -> None:
        self._lock = threading.Lock()
        self._most_calls = most_calls
        self._most_bytes = most_bytes
        self.calls = 0
        self.bytes = 0

    def enter(self, length: int) -> str:
        """Takes a call with a body of this stated length in; `""`, or which budget is used up."""
        with self._lock:
            if self.calls >= self._most_calls:
                return "calls"
            if self.bytes and self.bytes + length > self._most_bytes:
                return "bytes"
            self.calls += 1
            self.bytes += length
            return ""

    def grow(self, length: int) -> bool:
        """Takes in a piece of a body whose length was not stated; whether there was room."""
        with self._lock:
            if self.bytes + length > self._most_bytes:
                return False
            self.bytes += length
            return True

    def leave(self, length: int) -> None:
        """Gives back one call and all bytes taken in for it."""
        with self._lock:
            self.calls -= 1
            self.bytes -= length
