"""One query from its first request to its last page: retry, renewal, restart, caps, and the reason it ended.

Sources: smart_fhir 6; failure matrix row "FHIR server"; H-09. What came before a fault is kept and is *incomplete*.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import urlencode

from ehr.address import Address, AddressFault, parse_address, within
from ehr.paging import PageFault, checked_next, read_page
from ehr.queries import Fetched, Query, ReadState
from ehr.transport import Answer, ByteBudget, Deadline, Transport, TransportFault

_LONGEST_URL = 1800
_RETRY_WAIT = (0.05, 0.15)
_ROOM_FOR_ANSWER = 0.05

WORDS = {
    "down": "the EHR could not be reached",
    "deadline": "the EHR did not answer in time",
    "no-right": "the EHR gave no right to read it",
    "not-found": "the EHR did not find it",
    "limited": "the EHR asked to wait longer than a call may",
    "bad": "the EHR's answer could not be read",
    "cap": "the EHR's answer is larger than is taken",
    "loop": "the EHR's pages lead in a circle",
    "origin": "the EHR's address is not a registered one",
    "breaker": "the EHR has not been answering; it is asked again shortly",
    "server-error": "the EHR answered with a fault of its own",
}
"""What a code of `ehr.queries.Fetched` means to a clinician."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of one server is taken: per query pages, entries and bytes of a page; bytes of all queries together."""

    pages: int = 100
    entries: int = 20_000
    page_bytes: int = 12 << 20
    bytes_in_all: int = 32 << 20


class Headers(Protocol):
    """Gives the headers for an address, with the token only where it may go."""

    def of(self, address: Address, token: str | None) -> dict[str, str]: ...


class Renewal:
    """The token of one fetch, renewed at most once after a refusal. Never shown, stored or put in a message."""

    def __init__(
        self,
        token: str | None,
        renew: Callable[[], str | None] | None,
        current: Callable[[], str | None] | None = None,
    ) -> None:
        self._token = token
        self._renew = renew
        self._current = current
        self._lock = threading.Lock()

    def token(self) -> str | None:
        """The token of this moment: one that runs out between two pages is not sent again."""
        if self._current is not None:
            self._token = self._current() or self._token
        return self._token

    def after_refusal(self, refused: str | None) -> bool:
        """Whether another token than the refused one is there now."""
        with self._lock:
            if self._token == refused and self._renew is not None:
                renew, self._renew = self._renew, None
                self._token = renew() or self._token
            return self._token != refused

    def __repr__(self) -> str:
        return "Renewal()"


@dataclass(frozen=True, slots=True)
class Ask:
    """What all queries of one fetch share."""

    transport: Transport
    base: Address
    allow_http: bool
    deadline: Deadline
    limits: Limits
    budget: ByteBudget
    headers: Headers
    renewal: Renewal
    progress: Callable[[Query, int, str], None] | None = None


class _Stop(Exception):
    """The query ends here: closed code, words, status of the last answer."""

    def __init__(self, code: str, reason: str = "", status: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason or WORDS[code]
        self.status = status


class _Gone(Exception):
    """The server has forgotten a page of a search (410)."""


def failed(query: Query, code: str) -> Fetched:
    """A query that was not asked at all, for the reason the code names."""
    return Fetched(query, ReadState.FAILED, (), WORDS[code], code)


class Run:
    """One query under way. `go` runs on a pool thread; `given_up` may be called meanwhile from another."""

    def __init__(self, query: Query, ask: Ask) -> None:
        self.query = query
        self._ask = ask
        self._began = time.monotonic()
        self._pages: list[bytes] = []
        self._entries = 0
        self._requests = 0
        self._status = 0

    def go(self) -> Fetched:
        """Asks until all pages are there or a reason to stop; never raises for what the server does."""
        try:
            try:
                self._all_pages(self._first())
            except _Gone:
                self._forget()
                self._all_pages(self._search())
        except _Gone:
            return self._ended("not-found", "the EHR has forgotten a further page", 410)
        except _Stop as stop:
            return self._ended(stop.code, stop.reason, stop.status)
        return self._ended("ok", "", self._status)

    def given_up(self) -> Fetched:
        """What is there when the deadline has passed and the thread has not come back."""
        return self._ended("deadline", WORDS["deadline"], self._status)

    def _ended(self, code: str, reason: str, status: int) -> Fetched:
        pages = tuple(self._pages)
        state = ReadState.COMPLETE if code == "ok" else ReadState.INCOMPLETE if pages else ReadState.FAILED
        if state is ReadState.INCOMPLETE:
            reason = f"{reason} (after {self._entries:,} {'entry' if self._entries == 1 else 'entries'})"
        self._tell(state.value)
        spent = (time.monotonic() - self._began) * 1000
        return Fetched(self.query, state, pages, reason, code, status or self._status, self._requests, spent)

    def _tell(self, state: str) -> None:
        if self._ask.progress is not None:
            self._ask.progress(self.query, len(self._pages), state)

    def _forget(self) -> None:
        self._ask.budget.give_back(sum(map(len, self._pages)))
        self._pages, self._entries = [], 0

    def _first(self) -> tuple[Address, bytes | None]:
        if not self.query.url:
            return self._search()
        try:
            return checked_next(self.query.url, self._ask.base, allow_http=self._ask.allow_http), None
        except PageFault as fault:
            raise _Stop(fault.code, fault.reason) from None

    def _search(self) -> tuple[Address, bytes | None]:
        """The first request of a read or search; a long one as POST (FHIR R4 3.1.0.1.3)."""
        form = urlencode(self.query.search)
        where = f"{self._ask.base.text.rstrip('/')}/{self.query.path}"
        long = len(where) + len(form) + 1 > _LONGEST_URL
        text = f"{where}/_search" if long else f"{where}?{form}" if form else where
        try:
            address = parse_address(text, allow_http=self._ask.allow_http, allow_query=True)
        except AddressFault:
            raise _Stop("bad", "it cannot be asked for by this id") from None
        if not within(self._ask.base, address):
            raise _Stop("origin")
        return address, form.encode() if long else None

    def _all_pages(self, first: tuple[Address, bytes | None]) -> None:
        address, form = first
        wanted = "Bundle" if self.query.search or self.query.url else self.query.type
        limits = self._ask.limits
        asked = {address.text} if form is None else set()
        while True:
            answer = self._answered(address, form)
            try:
                page = read_page(answer.body, wanted)
                self._pages.append(answer.body)
                self._entries += page.entries
                if not page.following:
                    return
                self._tell("reading")
                address, form = (
                    checked_next(page.following, self._ask.base, allow_http=self._ask.allow_http),
                    None,
                )
            except PageFault as fault:
                raise _Stop(fault.code, fault.reason, answer.status) from None
            if address.text in asked:
                raise _Stop("loop", status=answer.status)
            asked.add(address.text)
            if len(self._pages) >= limits.pages:
                raise _Stop("cap", "page limit reached", answer.status)
            if self._entries >= limits.entries:
                raise _Stop("cap", "limit of entries reached", answer.status)

    def _answered(self, address: Address, form: bytes | None) -> Answer:
        """A 200 answer, after at most one retry and one renewal of the token; raises `_Stop` or `_Gone`."""
        again = True
        while True:
            token = self._ask.renewal.token()
            try:
                answer = self._send(address, form, token)
            except TransportFault as fault:
                if fault.code == "down" and again and self._wait(random.uniform(*_RETRY_WAIT)):  # noqa: S311  jitter
                    again = False
                    continue
                raise _transport_stop(fault) from None
            if answer.status == 200:
                return answer
            if answer.status == 401 and self._ask.renewal.after_refusal(token):
                continue
            if again and self._wait(_wait_before_retry(answer)):
                again = False
                continue
            if answer.status == 410 and self._pages_or_link():
                raise _Gone
            raise _status_stop(answer)

    def _pages_or_link(self) -> bool:
        return bool(self._pages or self.query.url) and bool(self.query.search)

    def _send(self, address: Address, form: bytes | None, token: str | None) -> Answer:
        ask = self._ask
        if ask.deadline.passed:
            raise _Stop("deadline")
        headers = ask.headers.of(address, token)
        self._requests += 1
        size = ask.limits.page_bytes
        if form is None:
            answer = ask.transport.get(
                address.text, headers=headers, deadline=ask.deadline, max_bytes=size, budget=ask.budget
            )
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            answer = ask.transport.post(
                address.text,
                headers=headers,
                body=form,
                deadline=ask.deadline,
                max_bytes=size,
                budget=ask.budget,
            )
        self._status = answer.status
        return answer

    def _wait(self, seconds: float) -> bool:
        """Waits if that leaves room for an answer before the deadline; says whether it did."""
        if seconds < 0 or seconds + _ROOM_FOR_ANSWER > self._ask.deadline.left():
            return False
        time.sleep(seconds)
        return True


def _wait_before_retry(answer: Answer) -> float:
    """Seconds to wait before asking again; below nought where asking again is of no use or not wanted."""
    stated = answer.headers.get("retry-after", "").strip()
    if answer.status in (429, 503) and stated:
        return _stated_wait(stated)
    return random.uniform(*_RETRY_WAIT) if answer.status >= 500 else -1.0  # noqa: S311  jitter, no secret


def _stated_wait(stated: str) -> float:
    """`Retry-After` in seconds (RFC 9110 10.2.3): a number or a date; below nought where it is neither."""
    if stated.isascii() and stated.isdigit():
        return float(stated[:9])
    try:
        moment = parsedate_to_datetime(stated)
    except ValueError:
        return -1.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _transport_stop(fault: TransportFault) -> _Stop:
    if fault.code == "redirect":
        return _Stop("origin", "the EHR sent the request elsewhere, which is not followed")
    return _Stop("cap" if fault.code == "too-large" else fault.code)


def _status_stop(answer: Answer) -> _Stop:
    status = answer.status
    if status in (401, 403):
        return _Stop("no-right", status=status)
    if status in (404, 410):
        return _Stop("not-found", status=status)
    if status == 429 or (status == 503 and "retry-after" in answer.headers):
        return _Stop("limited", status=status)
    if status >= 500:
        return _Stop("server-error", status=status)
    return _Stop("bad", "the EHR refused the question", status)
