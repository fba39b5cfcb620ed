"""Charts in the memory of one worker, by workspace: read in the background, dropped on close, idle or for room.

Nothing of a chart is ever written to disk. Keyed by workspace name alone, so that two patients in two tabs never
meet (H-02).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime

from ehr.queries import Fetched, Query, ReadState
from mappings.evaluation import Evaluation
from mappings.facts import PatientFacts

MOST_CHARTS = 200
MOST_BYTES = 512 * 1024 * 1024
_SWEEP_S = 30.0
_FINAL = frozenset({"no-right", "not-found", "cap", "loop", "origin"})


@dataclass(frozen=True, slots=True)
class Step:
    """How far one query is: `waiting`, `reading`, or how it ended; pages so far and why not more."""

    query: Query
    state: str = "waiting"
    pages: int = 0
    reason: str = ""
    records: int = 0


@dataclass(frozen=True, slots=True)
class Chart:
    """One workspace's chart as read so far; `evaluation` is there when all queries have ended.

    `fault` is a screen's code where nothing can be shown at all; `who` is the patient once their own record came.
    """

    patient: str
    steps: Mapping[str, Step] = field(default_factory=dict)
    fetched: Mapping[str, Fetched] = field(default_factory=dict)
    evaluation: Evaluation | None = None
    records: Mapping[str, bytes] = field(default_factory=dict)
    began: float = 0.0
    read_at: datetime | None = None
    fault: str = ""
    accepted: bool = False
    cut: bool = False
    round: int = 0
    who: PatientFacts | None = None

    @property
    def ready(self) -> bool:
        """Whether reading has ended, well or badly."""
        return self.evaluation is not None or bool(self.fault)

    @property
    def retriable(self) -> tuple[str, ...]:
        """Keys of queries that did not bring everything and may do so when asked again."""
        return tuple(
            key
            for key, one in self.fetched.items()
            if one.state is not ReadState.COMPLETE and one.code not in _FINAL
        )

    @property
    def stopped(self) -> bool:
        """Whether a type failed altogether that may come when asked again, and the user has not gone on without."""
        failed = [key for key in self.retriable if self.fetched[key].state is ReadState.FAILED]
        return not self.accepted and any(not key.startswith("referred-") for key in failed)

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(len(page) for one in self.fetched.values() for page in one.pages)


class Charts:
    """The charts of this worker with the pool that reads them."""

    def __init__(self, idle_s: float = 900.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._charts: OrderedDict[str, Chart] = OrderedDict()
        self._used: dict[str, tuple[float, float]] = {}
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="chart")
        self.queries = ThreadPoolExecutor(max_workers=32, thread_name_prefix="chart-query")
        self._monotonic = monotonic
        self._idle_s = idle_s
        self._ended = threading.Event()
        threading.Thread(target=self._sweep_often, name="chart-sweep", daemon=True).start()

    def get(self, name: str) -> Chart | None:
        """The chart of a workspace, if this worker holds it."""
        with self._lock:
            return self._charts.get(name)

    def used(self, name: str, idle_s: float | None = None) -> None:
        """Notes that the user is there."""
        with self._lock:
            if name in self._charts:
                self._charts.move_to_end(name)
                self._used[name] = (self._monotonic(), idle_s or self._used.get(name, (0, self._idle_s))[1])

    def begin(self, name: str, chart: Chart, work: Callable[[], None], idle_s: float | None = None) -> Chart:
        """Starts reading unless it is under way; two requests at the same time start it once."""
        with self._lock:
            there = self._charts.get(name)
            if there is not None and not there.ready:
                return there
            self._charts[name] = chart
            self._used[name] = (self._monotonic(), idle_s or self._idle_s)
            self._charts.move_to_end(name)
        self._pool.submit(work)
        self._make_room(keep=name)
        return chart

    def change(self, name: str, change: Callable[[Chart], Chart]) -> bool:
        """Changes a chart that is still held; False where it was dropped meanwhile, and nothing is kept then."""
        with self._lock:
            chart = self._charts.get(name)
            if chart is None:
                return False
            self._charts[name] = change(chart)
            return True

    def step(self, name: str, query: Query, pages: int, state: str) -> None:
        """Notes how far one query is."""
        self.change(
            name,
            lambda chart: replace(chart, steps={**chart.steps, query.key: Step(query, state, pages)}),
        )

    def drop(self, name: str) -> None:
        """Forgets a chart."""
        with self._lock:
            self._charts.pop(name, None)
            self._used.pop(name, None)

    def count(self) -> int:
        """How many charts are held."""
        with self._lock:
            return len(self._charts)

    def sweep(self) -> None:
        """Drops charts whose user has been away longer than the site allows."""
        now = self._monotonic()
        with self._lock:
            gone = [name for name, (used, idle) in self._used.items() if now - used >= idle]
        for name in gone:
            self.drop(name)

    def close(self) -> None:
        """Ends the background work and forgets everything."""
        self._ended.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self.queries.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            self._charts.clear()
            self._used.clear()

    def _sweep_often(self) -> None:
        while not self._ended.wait(_SWEEP_S):
            self.sweep()

    def _make_room(self, keep: str) -> None:
        with self._lock:
            total = sum(chart.size for chart in self._charts.values())
            for name in list(self._charts):
                if len(self._charts) <= MOST_CHARTS and total <= MOST_BYTES:
                    return
                if name != keep and self._charts[name].ready:
                    total -= self._charts[name].size
                    del self._charts[name]
                    self._used.pop(name, None)
