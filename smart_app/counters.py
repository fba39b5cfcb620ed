"""Counts of what a process did: closed labels only, never a name, an id or a value of a patient."""

from __future__ import annotations

import threading
from collections import Counter

_BOUNDS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class Counters:
    """Thread-safe counters in the text format of Prometheus."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._ms_sum = 0.0

    def add(self, name: str, label: str = "", value: str = "", by: int = 1) -> None:
        """Adds to a counter; `label` and `value` come from closed lists in the code."""
        with self._lock:
            self._counts[(name, label, value)] += by

    def called(self, status: int, milliseconds: float) -> None:
        """Counts one answered call and how long it took."""
        bound = next((str(ms) for ms in _BOUNDS_MS if milliseconds <= ms), "+Inf")
        with self._lock:
            self._counts[("postcart_calls_total", "status", str(status))] += 1
            self._counts[("postcart_call_milliseconds_bucket", "le", bound)] += 1
            self._ms_sum += milliseconds

    def get(self, name: str, label: str = "", value: str = "") -> int:
        """One counter as it stands."""
        with self._lock:
            return self._counts[(name, label, value)]

    def text(self) -> str:
        """All counters as text; the buckets cumulate as Prometheus expects."""
        with self._lock:
            counts = dict(self._counts)
            total = self._ms_sum
        lines = []
        for (name, label, value), count in sorted(counts.items()):
            if name != "postcart_call_milliseconds_bucket":
                lines.append(f'{name}{{{label}="{value}"}} {count}' if label else f"{name} {count}")
        running = 0
        for bound in [*(str(ms) for ms in _BOUNDS_MS), "+Inf"]:
            running += counts.get(("postcart_call_milliseconds_bucket", "le", bound), 0)
            lines.append(f'postcart_call_milliseconds_bucket{{le="{bound}"}} {running}')
        lines.append(f"postcart_call_milliseconds_sum {total:.3f}")
        lines.append(f"postcart_call_milliseconds_count {running}")
        return "\n".join(lines) + "\n"
