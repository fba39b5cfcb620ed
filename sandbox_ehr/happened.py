"""What just happened: hook calls with request and answer, feedback, and the FHIR queries that came in."""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

_KEPT = 200


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call of ours to a hook service. `status` is 0 where no answer came; `problem` says why in words."""

    number: int
    patient: str
    hook: str
    service: str
    url: str
    status: int
    milliseconds: float
    request: Any
    response: Any
    notes: tuple[str, ...] = ()
    problem: str = ""

    @property
    def cards(self) -> list[dict[str, Any]]:
        """The cards of the answer."""
        found = self.response.get("cards", []) if isinstance(self.response, dict) else []
        return found if isinstance(found, list) else []

    @property
    def extension(self) -> Any:
        """The extension of the answer or of its first card, if there is one."""
        if not isinstance(self.response, dict):
            return None
        return self.response.get("extension") or next((one.get("extension") for one in self.cards), None)


@dataclass(frozen=True, slots=True)
class Query:
    """One FHIR request that came in: who asked, what, the answer's status, entries and milliseconds."""

    number: int
    client: str
    patient: str
    method: str
    what: str
    status: int
    entries: int
    milliseconds: float


@dataclass(slots=True)
class Happened:
    """The last calls and queries, newest last."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _count: int = 0
    _exchanges: deque[Exchange] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _queries: deque[Query] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def next_number(self) -> int:
        """The number of the next entry; calls and queries share one count, so their order shows."""
        with self._lock:
            self._count += 1
            return self._count

    def add_exchange(self, exchange: Exchange) -> None:
        """Keeps a call."""
        with self._lock:
            self._exchanges.append(exchange)

    def add_query(self, query: Query) -> None:
        """Keeps a query."""
        with self._lock:
            self._queries.append(query)

    def exchanges(self, patient: str) -> list[Exchange]:
        """Calls about a patient, newest first."""
        with self._lock:
            return [one for one in reversed(self._exchanges) if one.patient == patient]

    def exchange(self, number: int) -> Exchange | None:
        """One call by its number."""
        with self._lock:
            return next((one for one in self._exchanges if one.number == number), None)

    @property
    def latest(self) -> int:
        """The number of the newest entry."""
        return self._count

    def queries(self, patient: str, since: int = 0) -> list[Query]:
        """Queries about a patient or without a valid token after the entry `since`, newest first."""
        with self._lock:
            found = [one for one in reversed(self._queries) if one.number > since]
        return [one for one in found if one.patient in (patient, "")]


def readable(value: Any) -> str:
    """JSON for eyes, with the access token masked: it is nobody's business on a screen."""
    return json.dumps(_masked(value), indent=2, ensure_ascii=False)


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: "…" if key == "access_token" else _masked(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_masked(one) for one in value]
    return value
