"""The report behind `/ready`: one part for each thing a good answer rests on, in words a balancer and IT can read.

A part that does not hold makes the service not ready. A part that only needs somebody's attention says `warn`.
No part names a patient, a caller or a secret (T-29).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

from smart_app.operations.clock import ClockWatch
from smart_app.operations.notices import Notices

KEY_WARN_DAYS = 14


@dataclass(frozen=True, slots=True)
class Part:
    """How one part stands: whether calls may be answered with it, a closed word, and what else IT should see."""

    holds: bool
    state: str
    more: Mapping[str, Any] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """The part as `/ready` shows it."""
        return {"state": self.state, **self.more}


Probe = Callable[[], Part]


class SiteState(Protocol):
    """What readiness looks at in a registered site."""

    @property
    def name(self) -> str:
        """Registered name."""

    @property
    def environment(self) -> str:
        """`production` or `test`."""

    @property
    def silent(self) -> bool:
        """Whether no card goes out."""

    @property
    def silent_until(self) -> date | None:
        """The end of silent mode, set by hand."""


class Readiness:
    """Asks all parts, in the order they were given."""

    def __init__(self, parts: Mapping[str, Probe]) -> None:
        self._parts = dict(parts)

    def states(self) -> dict[str, Part]:
        """Each part as it stands now."""
        return {name: probe() for name, probe in self._parts.items()}

    def report(self, head: Mapping[str, Any] | None = None) -> tuple[dict[str, Any], int]:
        """The body of `/ready` and its status, 200 or 503; `head` holds members of its own beside `parts`."""
        states = self.states()
        ready = all(part.holds for part in states.values())
        body = {
            "ready": ready,
            **(head or {}),
            "parts": {name: part.shown() for name, part in states.items()},
        }
        return body, 200 if ready else 503


def knowledge_part(version: str, digest: str, overlay: str | None, kept: Callable[[], str] = str) -> Probe:
    """Which knowledge answers; `kept()` says why an overlay was not taken over, empty where all is well."""

    def probe() -> Part:
        stamp = {"version": version, "digest": digest, "overlay": overlay}
        why = kept()
        return Part(True, "overlay_kept", {**stamp, "message": why}) if why else Part(True, "ok", stamp)

    return probe


def selftest_part(failed: Sequence[str]) -> Probe:
    """Whether one built-in case per category was given its category (H-70)."""
    return lambda: Part(not failed, "failed" if failed else "passed", {"failed": list(failed)})


def database_part(state: Callable[[], str]) -> Probe:
    """How the database stands. One that is away stops no cards; one that is read-only, full, corrupt, newer than
    this program or with a broken audit does stop the node (failure matrix, database)."""

    def probe() -> Part:
        found = state()
        return Part(found in ("ok", "none", "db_down", "db_slow"), found)

    return probe


def keys_part(days_left: Callable[[], float | None]) -> Probe:
    """Own keys: none needed, good, to be renewed within 14 days, or ended (H-65)."""

    def probe() -> Part:
        days = days_left()
        if days is None:
            return Part(True, "none")
        state = "expired" if days <= 0 else "warn" if days <= KEY_WARN_DAYS else "ok"
        return Part(days > 0, state, {"days": int(days)})

    return probe


def registrations_part(
    sites: Callable[[], Sequence[SiteState]], last_fault: Callable[[], str], today: Callable[[], date]
) -> Probe:
    """The registered sites: how many, which are for tests, which are silent and until when, why a reload failed
    (H-58, H-59). A passed end date is a warning and never a switch."""

    def probe() -> Part:
        found = list(sites())
        silent = [
            {"site": site.name, "until": str(site.silent_until), "over": _over(site, today())}
            for site in found
            if site.silent
        ]
        more: dict[str, Any] = {
            "sites": len(found),
            "test_sites": [site.name for site in found if site.environment == "test"],
            "silent": silent,
        }
        fault = last_fault()
        if fault:
            return Part(True, "registrations_kept", {**more, "message": fault})
        late = any(row["over"] for row in silent)
        return Part(True, "silent-over" if late else "ok", more)

    return probe


def _over(site: SiteState, today: date) -> bool:
    return site.silent_until is not None and site.silent_until < today


def clock_part(watch: ClockWatch) -> Probe:
    """Our own clock against others: more than 120 s is told, more than 10 minutes is not ready."""

    def probe() -> Part:
        found = watch.state()
        return Part(found.state != "wrong", found.state, {"skew_seconds": found.skew})

    return probe


def notices_part(notices: Notices) -> Probe:
    """Safety notices that concern this version (H-69)."""
    rows = [{"id": one.id, "text": one.text, "link": one.link} for one in notices.affecting]

    def probe() -> Part:
        if notices.fault:
            return Part(True, "unreadable", {"message": notices.fault})
        return Part(True, "notice" if rows else "none", {"notices": rows})

    return probe


def digest_part(own: tuple[str, str], others: Callable[[], Sequence[tuple[str, str]]]) -> Probe:
    """Nodes that answer with different knowledge: the one with the older version steps back (H-60).

    `own` and each of `others` is (version, digest) of a node seen in the last minutes. Between equal versions with
    different digests the smaller digest steps back, so that exactly one side stays.
    """

    def probe() -> Part:
        different = [node for node in others() if node[1] != own[1]]
        if not different:
            return Part(True, "same")
        newest = max(different)
        return Part(newest < own, "older" if newest > own else "newer", {"nodes": len(different)})

    return probe


def draining_part(draining: Callable[[], bool]) -> Probe:
    """Whether this process is stopping: not ready first, so that balancers send calls elsewhere."""
    return lambda: Part(False, "draining") if draining() else Part(True, "no")
