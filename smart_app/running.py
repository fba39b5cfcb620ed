"""What a running process watches: figures, clock, draining, readiness, what its database serves elsewhere."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from cds_hooks.memory import StoreDown
from ehr.own_keys import KeyFault
from ehr.site import ClientKind, Config
from smart_app.collector import Collector
from smart_app.log import write_log
from smart_app.operations.call_guard import CallGuard
from smart_app.operations.clock import ClockWatch
from smart_app.operations.drain import Drain, DrainBoard
from smart_app.operations.limits import Budget, SiteRates
from smart_app.operations.metrics import Metrics
from smart_app.operations.notices import notices_for
from smart_app.operations.readiness import (
    Part,
    Readiness,
    clock_part,
    database_part,
    digest_part,
    draining_part,
    knowledge_part,
    notices_part,
    registrations_part,
    selftest_part,
)
from smart_app.parts import Parts
from smart_app.selftest import run_selftest

_SAY_EVERY = 60.0
_ANCHOR_EVERY = 24 * 3600.0
_NOTICES = "notices.json"


@dataclass(slots=True)
class Running:
    """What the pages of state and the edge look at."""

    parts: Parts
    metrics: Metrics
    clock: ClockWatch
    drain: Drain
    guard: CallGuard
    failed: tuple[str, ...]
    readiness: Readiness
    rates: SiteRates
    collector: Collector | None
    nodes: Nodes
    budget: Budget | None = None

    def figures(self) -> str:
        """All figures as they stand now, in the text format of Prometheus."""
        metrics = self.metrics
        metrics.database(self.parts.store.state())
        metrics.database_counts(self.parts.store.counts)
        metrics.ready_parts({name: part.holds for name, part in self.readiness.states().items()})
        metrics.set("postcart_clock_skew_seconds", self.clock.state().skew)
        if self.budget is not None:
            metrics.set("postcart_calls_running", self.budget.calls)
            metrics.set("postcart_bytes_running", self.budget.bytes)
        text = metrics.text()
        if self.collector is not None:
            text += f"postcart_full_collections_inside_calls_total {self.collector.full_inside}\n"
            text += f"postcart_full_collections_between_calls_total {self.collector.full_between}\n"
        return text

    def know_sites(self, config: Config) -> None:
        """Takes over the sites of a changed registration file."""
        self.metrics.know_sites(site.name for site in config.sites)
        self.rates.know({site.name: site.rate_per_minute for site in config.sites})
        self.parts.keys.forget(frozenset(site.name for site in config.sites))
        for site in config.sites:
            self.metrics.set("postcart_silent", float(site.silent), site.name)

    def start(self) -> None:
        """Starts what runs beside the calls; in tests and tools that is nothing."""
        if self.collector is not None:
            self.collector.start()
            self.guard.start()
            self.nodes.start()


class Nodes:
    """Says every minute which knowledge this process serves, and hears what the others serve (H-60)."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._others: tuple[tuple[str, str], ...] = ()

    def others(self) -> tuple[tuple[str, str], ...]:
        """(version, digest) of the other living processes, as last heard."""
        return self._others

    def start(self) -> None:
        """Starts saying it, on a thread of its own."""
        threading.Thread(target=self._say, name="nodes", daemon=True).start()

    def _say(self) -> None:
        stop = threading.Event()
        knowledge = self._parts.judges.knowledge
        anchored = -_ANCHOR_EVERY
        while True:
            if time.monotonic() - anchored > _ANCHOR_EVERY:
                anchored = time.monotonic()
                self._anchor()
            try:
                alive = self._parts.store.note_served(self._name, knowledge.version, knowledge.digest)
                self._others = tuple((n.version, n.digest) for n in alive if n.node != self._name)
            except StoreDown:
                self._others = ()
            stop.wait(_SAY_EVERY)

    def _anchor(self) -> None:
        """Writes the end of the audit chain into the log, where nobody who changes the database can change it (T-30)."""
        try:
            write_log("audit-anchor", message=self._parts.store.anchor().text())
        except StoreDown as fault:
            write_log("audit-anchor", level="warning", code=fault.code)


def run_parts(parts: Parts, metrics: Metrics, collect: bool) -> Running:
    """Self-test and everything that watches, for the parts of a process."""
    knowledge = parts.judges.knowledge
    failed = run_selftest(parts.judges.of(None).evaluate)
    for case in failed:
        write_log("selftest-failed", level="error", case=case)
    clock, drain, nodes = ClockWatch(), Drain(DrainBoard.opened()), Nodes(parts)
    notices = notices_for(parts.settings.state / _NOTICES, _version(), knowledge.version)
    probes = {
        "knowledge": knowledge_part(
            knowledge.version, knowledge.digest, knowledge.overlay, lambda: parts.judges.kept
        ),
        "selftest": selftest_part(failed),
        "database": database_part(parts.store.state),
        "keys": _own_keys(parts),
        "registrations": registrations_part(
            lambda: parts.config.sites,
            lambda: parts.registry.last_fault,
            lambda: datetime.now(UTC).date(),
        ),
        "clock": clock_part(clock),
        "notices": notices_part(notices),
        "digest": digest_part((knowledge.version, knowledge.digest), nodes.others),
        "draining": draining_part(lambda: drain.draining),
    }
    running = Running(
        parts=parts,
        metrics=metrics,
        clock=clock,
        drain=drain,
        guard=CallGuard(),
        failed=failed,
        readiness=Readiness(probes),
        rates=SiteRates({}),
        collector=Collector() if collect else None,
        nodes=nodes,
    )
    running.know_sites(parts.config)
    return running


def _own_keys(parts: Parts) -> Callable[[], Part]:
    """Whether our own signing key is there for every site that needs one; hooks are answered without it."""

    def probe() -> Part:
        needed = {
            site.smart.alg
            for site in parts.config.sites
            if site.smart is not None and site.smart.auth is ClientKind.ASYMMETRIC
        }
        try:
            missing = sorted(alg for alg in needed if parts.own_keys.signing(alg) is None)
        except KeyFault as fault:
            return Part(True, "unreadable", {"message": str(fault)})
        if missing:
            return Part(True, "missing", {"message": f"make one: postcart keys new ({', '.join(missing)})"})
        return Part(True, "ok" if needed else "none")

    return probe


def _version() -> str:
    try:
        return version("postcart")
    except PackageNotFoundError:
        return "0"
