"""The outermost layer of the web app: reads every body to its end, counts, keeps collection out of calls.

An answer given before the body was read breaks the connection for the next call, so what is left of a body is
read and thrown away first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from smart_app.collector import Collector
from smart_app.counters import Counters

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PIECE = 1 << 18
_MOST = 1 << 30


class Edge:
    """A WSGI layer around the app."""

    def __init__(self, app: WSGIApplication, counters: Counters, collector: Collector | None) -> None:
        self._app = app
        self._counters = counters
        self._collector = collector

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request; the body comes back as a list so that a server sends it in one piece."""
        started = time.perf_counter()
        collector = self._collector
        if collector is not None:
            collector.enter()
        status: list[str] = []
        body_in = None
        if environ.get("CONTENT_LENGTH") or environ.get("HTTP_TRANSFER_ENCODING"):
            body_in = environ["wsgi.input"] = _Body(environ["wsgi.input"], environ.get("CONTENT_LENGTH"))
        try:
            result = self._app(environ, _recorder(start_response, status))
            try:
                body = b"".join(result)
            finally:
                close = getattr(result, "close", None)
                if close is not None:
                    close()
            if body_in is not None:
                body_in.drain()
        finally:
            if collector is not None:
                collector.leave()
        if environ.get("REQUEST_METHOD") == "POST":
            self._counters.called(int(status[-1][:3]), (time.perf_counter() - started) * 1000)
        return [body]


def _recorder(start_response: StartResponse, status: list[str]) -> StartResponse:
    def record(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        status.append(line)
        return start_response(line, headers, exc_info) if exc_info else start_response(line, headers)

    return record


class _Body:
    """The request body, never read beyond its stated length, where a server would wait for ever."""

    def __init__(self, stream: Any, length: str | None) -> None:
        self._read = stream.read
        self.left = int(length) if length and length.isdigit() else -1

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; empty at the end."""
        if self.left < 0:
            piece: bytes = self._read(size)
            return piece
        wanted = self.left if size < 0 else min(size, self.left)
        piece = self._read(wanted) if wanted else b""
        self.left -= len(piece)
        return piece

    def drain(self) -> None:
        """Reads what is left and throws it away."""
        read = 0
        try:
            while read < _MOST:
                piece = self.read(_PIECE)
                if not piece:
                    return
                read += len(piece)
        except (OSError, ValueError):
            return
