"""Reads from one registered FHIR server: in parallel, within one deadline, each with the reason where it fell short.

Sources: smart_fhir 6 (FHIR access rules), T-07 to T-10, failure matrix row "FHIR server", hazards H-08, H-09, H-57.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from ehr.address import Address, AddressFault, parse_address, within
from ehr.asking import Ask, Limits, Renewal, Run, failed
from ehr.breaker import Breaker
from ehr.queries import Fetched, Query
from ehr.site import Site
from ehr.transport import ByteBudget, Deadline, Transport

_GRACE = 0.05
_LEAST_FAIR_TRIAL = 0.5
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
Progress = Callable[[Query, int, str], None]


class TokenMisdirected(ValueError):
    """A token was about to go to an address that is not at or below the registered base (T-07)."""


class FhirLink:
    """The way to FHIR servers: one transport, one long-lived thread pool and one breaker for a whole process.

    Keeps no token and no answer between calls. Thread-safe.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        threads: int = 32,
        limits: Limits | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        self._transport = transport
        self._limits = limits or Limits()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="postcart-fhir")
        self.breaker = breaker or Breaker()

    def fetch(
        self,
        site: Site,
        queries: Sequence[Query],
        *,
        token: str | None,
        deadline: Deadline,
        request_id: str = "",
        renew: Callable[[], str | None] | None = None,
        current: Callable[[], str | None] | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Fetched]:
        """What each query brought, by its key, not later than the deadline; never raises for what a server does.

        All requests go to the site's registered base, whatever the caller was told. `renew` gives a fresh token once
        after a 401, `current` the one to send with each request; `progress` is told query, pages and state from the
        reading threads. Keys must differ.
        """
        if len({query.key for query in queries}) != len(queries):
            raise ValueError("each query needs a key of its own")
        if not queries:
            return {}
        try:
            base = parse_address(site.fhir_base, allow_http=site.test)
        except AddressFault:
            return {query.key: failed(query, "origin") for query in queries}
        if not self.breaker.lets(base.text):
            return {query.key: failed(query, "breaker") for query in queries}
        fair = deadline.left() >= _LEAST_FAIR_TRIAL
        ask = Ask(
            transport=self._transport,
            base=base,
            allow_http=site.test,
            deadline=deadline,
            limits=self._limits,
            budget=ByteBudget(self._limits.bytes_in_all),
            headers=_Headers(base, _checked_id(request_id)),
            renewal=Renewal(_checked_token(token), renew, current),
            progress=progress,
        )
        found = self._gather([Run(query, ask) for query in queries], deadline)
        answered = any(one.status for one in found.values() if one.status < 500)
        if answered or fair:
            self.breaker.note(base.text, answered)
        return found

    def _gather(self, runs: list[Run], deadline: Deadline) -> dict[str, Fetched]:
        under_way: list[tuple[Run, Future[Fetched]]] = [(run, self._pool.submit(run.go)) for run in runs]
        found: dict[str, Fetched] = {}
        for run, future in under_way:
            try:
                found[run.query.key] = future.result(timeout=deadline.left() + _GRACE)
            except TimeoutError:
                future.cancel()
                found[run.query.key] = run.given_up()
        return found

    def close(self) -> None:
        """Ends the threads and closes what is pooled."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._transport.close()


@dataclass(frozen=True, slots=True)
class _Headers:
    """The headers of one call; the only place where a token becomes one."""

    base: Address
    request_id: str

    def of(self, address: Address, token: str | None) -> dict[str, str]:
        """The headers for an address; a token only at or below the registered base, else `TokenMisdirected`."""
        headers = {
            "Accept": "application/fhir+json",
            "Accept-Encoding": "gzip",
            "User-Agent": _AGENT,
            "X-Request-Id": self.request_id,
        }
        if not within(self.base, address):
            raise TokenMisdirected("the address is not the registered server's")
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return headers


def _checked_token(token: str | None) -> str | None:
    """A token that can stand in a header; any other is as good as none."""
    return token if token is not None and _TOKEN.fullmatch(token) else None


def _checked_id(request_id: str) -> str:
    return request_id if _REQUEST_ID.fullmatch(request_id) else str(uuid.uuid4())


def _agent() -> str:
    try:
        return f"postcart/{version('postcart')}"
    except PackageNotFoundError:
        return "postcart"


_AGENT = _agent()
