"""Connections that end when the time of a call is up, wherever they hang: name, TLS, headers or body.

A socket time-out bounds one read only: a server that drips a byte now and then never meets it (T-10). So one watchdog
thread shuts the socket of an overdue call from outside, and the blocked read returns at once.
"""

from __future__ import annotations

import heapq
import ipaddress
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError

_RESOLVERS = 8


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment by which work ends, on the monotonic clock (T-33): the wall clock may jump, this does not."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The deadline that many seconds from now."""
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds left, never below nought."""
        return max(0.0, self.at - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self.at


class _Call:
    """One request under way and the connection it holds; the connection knows its call, too."""

    __slots__ = ("connection", "deadline", "done")

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self.connection: _Watched | None = None
        self.done = False


class _Here(threading.local):
    call: _Call | None = None


_here = _Here()
_owners = threading.Lock()


class _Watched(HTTPConnection):
    """What both kinds of connection add: a second handle on the socket that a watchdog may shut."""

    owner: _Call | None = None
    handle: socket.socket | None = None

    def take(self) -> None:
        """Puts the connection under the watch of the call this thread is making."""
        call = _here.call
        with _owners:
            self.owner = call
            if call is not None:
                call.connection = self

    def _watched_socket(self, host: str, port: int, options: Any) -> socket.socket:
        call = _here.call
        deadline = call.deadline if call is not None else Deadline.after(10.0)
        made = _dial(host, port, deadline, options)
        # a handle of our own: TLS takes the first one over, and a number may be used again after closing
        self.handle = made.dup()
        self.take()
        return made

    def _drop_handle(self) -> None:
        with _owners:
            handle, self.handle = self.handle, None
        if handle is not None:
            handle.close()

    def _new_conn(self) -> socket.socket:
        try:
            return self._watched_socket(self._dns_host, self.port, self.socket_options)
        except OSError as error:
            raise NewConnectionError(self, type(error).__name__) from error

    def request(self, *args: Any, **more: Any) -> None:
        self.take()
        super().request(*args, **more)

    def close(self) -> None:
        super().close()
        self._drop_handle()


class _WatchedHTTP(_Watched):
    """Watched, in the clear."""


class _WatchedHTTPS(_Watched, HTTPSConnection):
    """Watched, under TLS."""


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


class WatchedAdapter(HTTPAdapter):
    """The adapter of `requests` whose connections a `Watchdog` can end."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **more: Any) -> None:
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **more)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}


class Watchdog:
    """Ends connections of calls whose time is up; one thread, started when first needed."""

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._queue: list[tuple[float, int, _Call]] = []
        self._count = itertools.count()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watch(self, deadline: Deadline) -> Iterator[None]:
        """Within this block the thread's connection is shut when the deadline passes."""
        call = _Call(deadline)
        _here.call = call
        self._add(call)
        try:
            yield
        finally:
            _here.call = None
            with _owners:
                call.done = True
                if call.connection is not None and call.connection.owner is call:
                    call.connection.owner = None

    def _add(self, call: _Call) -> None:
        with self._wake:
            heapq.heappush(self._queue, (call.deadline.at, next(self._count), call))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="postcart-watchdog", daemon=True)
                self._thread.start()
            elif self._queue[0][2] is call:
                self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                while self._queue and self._queue[0][2].done:
                    heapq.heappop(self._queue)
                if not self._queue:
                    self._wake.wait()
                    continue
                left = self._queue[0][0] - time.monotonic()
                if left > 0:
                    self._wake.wait(left)
                    continue
                call = heapq.heappop(self._queue)[2]
            _shut(call)


def _shut(call: _Call) -> None:
    with _owners:
        connection = call.connection
        if call.done or connection is None or connection.owner is not call or connection.handle is None:
            return
        try:
            connection.handle.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it has ended by itself


_resolvers = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="postcart-names")


def _dial(host: str, port: int, deadline: Deadline, options: Any) -> socket.socket:
    """A connected socket within the deadline; all addresses of a name share it. Raises `OSError`."""
    last: OSError = OSError("the name has no address")
    for family, kind, proto, _, address in _addresses(host.strip("[]"), port, deadline):
        if deadline.passed:
            raise TimeoutError("connect")
        made = socket.socket(family, kind, proto)
        try:
            for option in options or ():
                made.setsockopt(*option)
            made.settimeout(max(deadline.left(), 0.001))
            made.connect(address)
        except OSError as error:
            made.close()
            last = error
            continue
        return made
    raise last


def _addresses(host: str, port: int, deadline: Deadline) -> list[Any]:
    """The addresses of a host. A name server cannot be interrupted, so it is asked on a thread of its own."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        asked: Future[list[Any]] = _resolvers.submit(socket.getaddrinfo, host, port, 0, socket.SOCK_STREAM)
        return asked.result(timeout=deadline.left())
    return list(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
