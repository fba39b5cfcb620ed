"""The outermost layer of the web app: reads every body to its end, keeps the limits, counts, names the request.

An answer given before the body was read breaks the connection for the next call, so what is left of a body is
read and thrown away first. What cannot be taken on now is refused here, before anything is decoded.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol

from cds_hooks.outcome import outcome_body
from smart_app.collector import Collector
from smart_app.log import write_log
from smart_app.operations.request_ids import ENVIRON_KEY, HEADER, choose_request_id

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from smart_app.operations.call_guard import CallGuard
    from smart_app.operations.drain import Drain
    from smart_app.operations.limits import Budget

CALL_KEY: Final = "postcart.call"
"""Where the app notes (service, hook) of a call for the counters; both from closed lists."""
_PIECE = 1 << 18
_MOST = 1 << 30
_MOST_CHARGED = (64 << 20) + 1
_ALWAYS = ("/health", "/ready", "/metrics")
_WORDS = {
    "calls": ("busy", "as many calls are running as can be answered in time"),
    "bytes": ("busy", "the calls that are running hold as many bytes as there is room for"),
    "draining": ("draining", "the service is stopping; another node answers"),
}


class CountsCalls(Protocol):
    """What the edge needs of the counters."""

    def called(self, status: int, milliseconds: float) -> None:
        """Counts one answered call and how long it took."""

    def add(self, name: str, label: str = "", value: str = "", by: int = 1) -> None:
        """Adds to a counter."""


class Edge:
    """A WSGI layer around the app. Without `budget`, `drain` and `guard` it only drains, counts and names."""

    def __init__(
        self,
        app: WSGIApplication,
        counters: CountsCalls,
        collector: Collector | None = None,
        *,
        budget: Budget | None = None,
        drain: Drain | None = None,
        guard: CallGuard | None = None,
    ) -> None:
        self._app = app
        self._counters = counters
        self._collector = collector
        self._budget = budget
        self._drain = drain
        self._guard = guard

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request; the body comes back as a list so that a server sends it in one piece."""
        started = time.perf_counter()
        environ[ENVIRON_KEY] = chosen = choose_request_id(environ.get("HTTP_X_REQUEST_ID"))
        status: list[int] = []
        record = _recorder(start_response, status, chosen)
        body_in = None
        if environ.get("CONTENT_LENGTH") or environ.get("HTTP_TRANSFER_ENCODING"):
            body_in = environ["wsgi.input"] = _Body(
                environ["wsgi.input"], environ.get("CONTENT_LENGTH"), self._budget
            )
        why = "" if environ.get("PATH_INFO") in _ALWAYS else self._refused(body_in)
        if why:
            body = self._turn_away(why, environ, record)
            if body_in is not None:
                body_in.drain()
        elif environ.get("PATH_INFO") in _ALWAYS:
            body = self._answer(environ, record, body_in)
        else:
            try:
                body = self._answer(environ, record, body_in)
            finally:
                self._give_back(body_in)
        if environ.get("REQUEST_METHOD") == "POST":
            self._counters.called(
                status[-1], (time.perf_counter() - started) * 1000, *environ.get(CALL_KEY, ())
            )
        return [body]

    def _refused(self, body_in: _Body | None) -> str:
        """Takes the call in, or says which limit keeps it out."""
        if self._drain is not None and not self._drain.enter():
            return "draining"
        if self._budget is not None:
            charged = body_in.charge() if body_in is not None else 0
            why = self._budget.enter(charged)
            if why:
                if self._drain is not None:
                    self._drain.leave()
                return why
        return ""

    def _give_back(self, body_in: _Body | None) -> None:
        if self._budget is not None:
            self._budget.leave(body_in.charged if body_in is not None else 0)
        if self._drain is not None:
            self._drain.leave()

    def _answer(self, environ: WSGIEnvironment, record: StartResponse, body_in: _Body | None) -> bytes:
        collector, guard = self._collector, self._guard
        if collector is not None:
            collector.enter()
        if guard is not None:
            guard.enter()
        try:
            result = self._app(environ, record)
            try:
                body = b"".join(result)
            finally:
                close = getattr(result, "close", None)
                if close is not None:
                    close()
            if body_in is not None:
                body_in.drain()
        finally:
            if guard is not None:
                guard.leave()
            if collector is not None:
                collector.leave()
        return body

    def _turn_away(self, why: str, environ: WSGIEnvironment, record: StartResponse) -> bytes:
        code, words = _WORDS[why]
        body = outcome_body(503, code, words)
        self._counters.add("postcart_shed_total", "why", why)
        self._counters.add("postcart_refusals_total", "code", code)
        write_log("shed", level="warning", why=why, request=environ[ENVIRON_KEY])
        record(
            "503 SERVICE UNAVAILABLE",
            [
                ("Content-Type", "application/fhir+json"),
                ("Content-Length", str(len(body))),
                ("Retry-After", "1"),
                ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"),
            ],
        )
        return body


def _recorder(start_response: StartResponse, status: list[int], request_id: str) -> StartResponse:
    def record(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        status.append(int(line[:3]))
        headers.append((HEADER, request_id))
        return start_response(line, headers, exc_info) if exc_info else start_response(line, headers)

    return record


class _Body:
    """The request body, never read beyond its stated length, where a server would wait for ever.

    A body that a server finds malformed while it is read (a bad chunk, a forbidden trailer) is an `OSError`.
    """

    def __init__(self, stream: Any, length: str | None, budget: Budget | None = None) -> None:
        self._read = stream.read
        self.left = int(length) if length and length.isascii() and length.isdigit() else -1
        self._budget = budget
        self._read_so_far = 0
        self.charged = 0

    def charge(self) -> int:
        """The bytes to set aside for a body of stated length; what is over the limit is never kept."""
        self.charged = min(max(self.left, 0), _MOST_CHARGED)
        return self.charged

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; empty at the end. Raises `OSError` where the body cannot be read on."""
        if self.left < 0:
            piece = self._piece(size)
            self._charge_more(len(piece))
            return piece
        wanted = self.left if size < 0 else min(size, self.left)
        piece = self._piece(wanted) if wanted else b""
        self.left -= len(piece)
        return piece

    def _charge_more(self, length: int) -> None:
        budget = self._budget
        if budget is None or self.charged >= _MOST_CHARGED:
            return
        if not budget.grow(length):
            raise OSError("no room for more of this body now")
        self.charged += length

    def _piece(self, size: int) -> bytes:
        try:
            piece: bytes = self._read(size)
        except _server_faults() as error:
            self.left = 0
            raise OSError("the body is malformed") from error
        return piece

    def drain(self) -> None:
        """Reads what is left and throws it away."""
        self._budget = None
        read = 0
        try:
            while read < _MOST:
                piece = self.read(_PIECE)
                if not piece:
                    return
                read += len(piece)
        except (OSError, ValueError):
            return


def _server_faults() -> tuple[type[Exception], ...]:
    """What the server in use raises inside a read; gunicorn's parser has a family of its own."""
    errors = sys.modules.get("gunicorn.http.errors")
    parse: type[Exception] | None = getattr(errors, "ParseException", None)
    return (EOFError, parse) if parse is not None else (EOFError,)
