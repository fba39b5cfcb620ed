"""Figures for Prometheus: closed labels only, never a name, an id or a value of a patient (H-66, T-29)."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from smart_app.operations.labels import (
    COUNTERS,
    DATABASE_EVENTS,
    DATABASE_STATES,
    GAUGES,
    NONE,
    OTHER,
    SERVICES,
    SITE_COUNTERS,
    SITE_GAUGES,
    Families,
)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
_RECENT = 1000
_MOST_SITES = 200

disable_created_metrics()  # type: ignore[no-untyped-call]  # they double every series and nobody reads them


class Metrics:
    """The counters, gauges and histograms of one process, in a registry of its own; safe to use from any thread.

    A label value that is not on its list, and a site that is not registered, count as `other`.
    """

    def __init__(self, sites: Iterable[str] = ()) -> None:
        self.registry = CollectorRegistry()
        self._lock = threading.Lock()
        self._lists: dict[str, tuple[tuple[str, frozenset[str]], ...]] = {}
        self._with_site = frozenset(SITE_COUNTERS) | frozenset(SITE_GAUGES)
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        for families in (COUNTERS, SITE_COUNTERS):
            for name, (words, names) in self._noted(families):
                self._counters[name] = Counter(name, words, names, registry=self.registry)
        for families in (GAUGES, SITE_GAUGES):
            for name, (words, names) in self._noted(families):
                self._gauges[name] = Gauge(name, words, names, registry=self.registry)
        self._call_ms = self._histogram("postcart_call_milliseconds", "Time of answered calls", "service")
        self._fetch_ms = self._histogram("postcart_fetch_milliseconds", "Time of FHIR reads", "site")
        self._times = {one: self._call_ms.labels(one) for one in (*sorted(SERVICES), OTHER)}
        self._children: dict[tuple[str, str, tuple[str, ...]], Counter] = {}
        self._sites: frozenset[str] = frozenset()
        self._recent: deque[int] = deque(maxlen=_RECENT)
        self._taken: dict[str, int] = {}
        Gauge(
            "postcart_cards_per_100_calls", "Cards per 100 of the last calls", registry=self.registry
        ).set_function(self._card_rate)
        self.know_sites(sites)

    def _noted(self, families: Families) -> Iterable[tuple[str, tuple[str, tuple[str, ...]]]]:
        for name, (words, labels) in families.items():
            self._lists[name] = labels
            own = tuple(label for label, _ in labels)
            yield name, (words, (("site", *own) if name in self._with_site else own))

    def _histogram(self, name: str, words: str, label: str) -> Histogram:
        return Histogram(name, words, (label,), buckets=BOUNDS_MS, registry=self.registry)

    def know_sites(self, names: Iterable[str]) -> None:
        """The registered sites; only their names become labels, and of at most 200 of them."""
        with self._lock:
            self._sites = frozenset(sorted({*self._sites, *names})[:_MOST_SITES])

    # counting

    def add(self, name: str, label: str = "", value: str = "", by: int = 1) -> None:
        """Adds to a counter with one label or none."""
        self.count(name, by=by, **({label: value} if label else {}))

    def count(self, name: str, site: str = "", by: float = 1, **labels: str) -> None:
        """Adds to a counter; labels that are not named count as `none`."""
        self._inc(name, site, self._ordered(name, labels), by)

    def _inc(self, name: str, site: str, values: tuple[str, ...], by: float = 1) -> None:
        """Adds to a counter whose label values are given in the order of its list."""
        child = self._children.get((name, site, values))
        if child is None:
            child = self._child(name, site, values)
        child.inc(by)

    def _child(self, name: str, site: str, values: tuple[str, ...]) -> Counter:
        closed = self._closed(name, site, values)
        family = self._counters[name]
        child = family.labels(*closed) if closed else family
        asked = (site, *values) if name in self._with_site else values
        if asked == closed:  # an unlisted value is looked up again each time, so that the table cannot grow
            self._children[(name, site, values)] = child
        return child

    def _ordered(self, name: str, labels: Mapping[str, str]) -> tuple[str, ...]:
        lists = self._lists[name]
        strangers = set(labels) - {label for label, _ in lists}
        if strangers:
            raise KeyError(f"{name} has no label {sorted(strangers)}")
        return tuple(labels.get(label, NONE) for label, _ in lists)

    def _closed(self, name: str, site: str, values: tuple[str, ...]) -> tuple[str, ...]:
        own = tuple(
            value if value in allowed or value == NONE else OTHER
            for value, (_, allowed) in zip(values, self._lists[name], strict=True)
        )
        return (self._site(site), *own) if name in self._with_site else own

    def _site(self, site: str) -> str:
        return site if site in self._sites else OTHER if site else NONE

    def called(self, status: int, milliseconds: float, service: str = NONE, hook: str = NONE) -> None:
        """Counts one answered call, its status and how long it took."""
        self._inc("postcart_calls_total", "", (service, hook, str(status)))
        self._times[service if service in SERVICES else OTHER].observe(milliseconds)

    def answered(
        self,
        site: str,
        category: str,
        kinds: Iterable[str],
        keys: Mapping[str, str],
        *,
        silent: bool = False,
        repaired: int = 0,
    ) -> None:
        """Counts what one answered hook call said (with status 200), and when the site was last served (H-55)."""
        cards = tuple(kinds)
        self._inc("postcart_categories_total", "", (category,))
        for kind in cards:
            self._inc("postcart_cards_total", "", (kind,))
        for pair in keys.items():
            self._inc("postcart_key_states_total", "", pair)
        if repaired:
            self.count("postcart_repaired_total", by=repaired)
        if silent:
            self.count("postcart_silent_calls_total", site)
        self._recent.append(len(cards))
        self.set("postcart_last_good_call_timestamp_seconds", time.time(), site)

    def fetched(self, site: str, key: str, code: str, milliseconds: float) -> None:
        """Counts one read of a FHIR server: prefetch key, closed outcome code, time."""
        self.count("postcart_fetches_total", site, key=key, code=code)
        self._fetch_ms.labels(self._site(site)).observe(milliseconds)

    # states

    def set(self, name: str, value: float, site: str = "", **labels: str) -> None:
        """Sets a gauge."""
        closed = self._closed(name, site, self._ordered(name, labels))
        family = self._gauges[name]
        (family.labels(*closed) if closed else family).set(value)

    def database(self, state: str) -> None:
        """The state of the database: 1 on its state, 0 on the others."""
        known = state if state in DATABASE_STATES else OTHER
        for one in (*DATABASE_STATES, OTHER):
            self.set("postcart_database_up", float(one == known), state=one)

    def database_counts(self, counts: Mapping[str, int]) -> None:
        """Takes over the store's own running counts under closed names; call before the figures are read."""
        with self._lock:
            for event in DATABASE_EVENTS:  # every series from the start: a call adds none
                self.count("postcart_database_events_total", by=0, event=event)
            for event, total in counts.items():
                more = total - self._taken.get(event, 0)
                if more > 0:
                    self._taken[event] = total
                    self.count("postcart_database_events_total", by=more, event=event)

    def ready_parts(self, holds: Mapping[str, bool]) -> None:
        """Which parts of `/ready` hold."""
        for part, good in holds.items():
            self.set("postcart_ready_part", float(good), part=part)

    # reading

    def get(self, name: str, label: str = "", value: str = "") -> int:
        """A counter as it stands, summed over the labels that are not named."""
        total = 0.0
        for family in self._counters[name].collect():
            for sample in family.samples:
                if sample.name == name and (not label or sample.labels.get(label) == value):
                    total += sample.value
        return int(total)

    def text(self) -> str:
        """All figures in the text format of Prometheus; send it as `CONTENT_TYPE`."""
        return generate_latest(self.registry).decode()

    def _card_rate(self) -> float:
        recent = tuple(self._recent)
        return 100.0 * sum(recent) / len(recent) if recent else 0.0


Counters = Metrics
"""The name the web app has used so far."""
