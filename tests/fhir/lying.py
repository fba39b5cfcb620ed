"""A FHIR server on loopback that answers well, or lies in every way a test asks for; and a canary nobody may touch."""

from __future__ import annotations

import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

Resource = dict[str, Any]

TOKEN = "secret-token-of-dr-who"  # noqa: S105  an invented one


@dataclass(slots=True)
class Call:
    """One request as it arrived; `number` counts the requests of its type from 1."""

    method: str
    path: str
    type: str
    headers: dict[str, str]
    parameters: dict[str, str]
    number: int
    body: bytes = b""


class Handler(BaseHTTPRequestHandler):
    """Gives the call to its server; a trick that returns True has answered already."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self.server.lying.serve(self, b"")

    def do_POST(self) -> None:
        self.server.lying.serve(self, self.rfile.read(int(self.headers["Content-Length"])))

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def send(self, status: int, body: bytes, **headers: str) -> None:
        """A plain answer."""
        self.send_response(status)
        for name, value in {"Content-Type": "application/fhir+json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    lying: LyingServer

    def handle_error(self, *_: object) -> None:
        """A client that hung up is what these tests are about."""


Trick = Callable[[Handler, Call], bool | None]


@dataclass
class LyingServer:
    """Serves `store` under /fhir, `page` resources at a time (0: all), by offset or by an opaque word."""

    store: dict[str, list[Resource]] = field(default_factory=dict)
    page: int = 0
    opaque: bool = False
    total: bool = True
    tricks: dict[str, Trick] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    peak: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._busy = 0
        self._listener = _Listener(("127.0.0.1", 0), Handler)
        self._listener.lying = self
        self.base = f"http://127.0.0.1:{self._listener.server_port}/fhir"
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Closes the port; threads that still lie end by themselves."""
        self._listener.shutdown()
        self._listener.server_close()

    def seen(self, kind: str) -> list[Call]:
        """The calls for one resource type."""
        return [call for call in self.calls if call.type == kind]

    def serve(self, handler: Handler, body: bytes) -> None:
        """Answers one call."""
        url = urlsplit(handler.path)
        parts = url.path.strip("/").split("/")[1:]
        query = {name: values[-1] for name, values in parse_qs(url.query or body.decode()).items()}
        with self._lock:
            kind = parts[0] if parts else ""
            number = 1 + len(self.seen(kind))
            headers = {name.lower(): value for name, value in handler.headers.items()}
            call = Call(handler.command, handler.path, kind, headers, query, number, body)
            self.calls.append(call)
            self._busy += 1
            self.peak = max(self.peak, self._busy)
        try:
            trick = self.tricks.get(kind)
            if trick is None or not trick(handler, call):
                self._answer(handler, parts, call)
        finally:
            with self._lock:
                self._busy -= 1

    def _answer(self, handler: Handler, parts: list[str], call: Call) -> None:
        if len(parts) == 2 and parts[1] != "_search":
            found = [one for one in self.store.get(parts[0], []) if one["id"] == parts[1]]
            handler.send(200 if found else 404, json.dumps(found[0] if found else {}).encode())
            return
        handler.send(200, json.dumps(self.bundle(call)).encode())

    def bundle(self, call: Call) -> Resource:
        """The page that a call asks for."""
        hits = self.store.get(call.type, [])
        start = _read_place(call.parameters.get("_page", ""))
        end = start + self.page if self.page else len(hits)
        link = [{"relation": "self", "url": f"{self.base}/{call.type}?patient=x"}]
        if end < len(hits):
            link.append({"relation": "next", "url": self.next_url(call.type, end)})
        made: Resource = {"resourceType": "Bundle", "type": "searchset", "link": link}
        if self.total:
            made["total"] = len(hits)
        made["entry"] = [
            {"fullUrl": f"{self.base}/{one['resourceType']}/{one['id']}", "resource": one}
            for one in hits[start:end]
        ]
        return made

    def next_url(self, kind: str, start: int) -> str:
        """The address of the page that begins at `start`."""
        if self.opaque:
            return f"{self.base}/{kind}?{urlencode({'_page': 'x' + format(start * 7919, 'x') + '~=='})}"
        return f"{self.base}/{kind}?{urlencode({'patient': 'x', '_page': start})}"


def _read_place(text: str) -> int:
    if text.startswith("x"):
        return int(text[1:].rstrip("~="), 16) // 7919
    return int(text or 0)


class Canary:
    """A listener that must stay untouched: it counts connections and keeps what was said."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.heard: list[bytes] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.settimeout(0.5)
            try:
                self.heard.append(connection.recv(4096))
            except OSError:
                self.heard.append(b"")
            connection.close()

    def stop(self) -> None:
        """Closes the port."""
        self._socket.close()


# ---- ways to lie


def status(code: int, **headers: str) -> Trick:
    """Answers with this status always."""

    def answer(handler: Handler, _: Call) -> bool:
        handler.send(code, b'{"resourceType":"OperationOutcome"}', **headers)
        return True

    return answer


def at(numbers: Iterable[int], trick: Trick) -> Trick:
    """The trick for these calls of a type only, counted from 1."""
    wanted = frozenset(numbers)
    return lambda handler, call: trick(handler, call) if call.number in wanted else None


def body(content: bytes, **headers: str) -> Trick:
    """Answers 200 with this body always."""

    def answer(handler: Handler, _: Call) -> bool:
        handler.send(200, content, **headers)
        return True

    return answer


def delay(seconds: float) -> Trick:
    """A good answer, late."""

    def answer(_: Handler, __: Call) -> None:
        time.sleep(seconds)

    return answer


def _raw(handler: Handler, pieces: Iterable[bytes], pause: float) -> bool:
    handler.close_connection = True
    for piece in pieces:
        handler.wfile.write(piece)
        handler.wfile.flush()
        time.sleep(pause)
    return True


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n"


def drip(handler: Handler, _: Call) -> bool:
    """A body of blanks, one every 50 ms, for half a minute."""
    head = _HEAD + b"Content-Length: 600\r\n\r\n"
    return _raw(handler, [head, *([b" "] * 600)], 0.05)


def drip_headers(handler: Handler, _: Call) -> bool:
    """A header that never ends, one letter every 50 ms."""
    return _raw(handler, [_HEAD + b"X-A: ", *([b"a"] * 600)], 0.05)


def drip_open(handler: Handler, _: Call) -> bool:
    """A whole searchset first, of no stated length, and then a drip: where it ends is not known."""
    head = _HEAD + b"Connection: close\r\n\r\n"
    return _raw(handler, [head, b'{"resourceType":"Bundle","type":"searchset"}', *([b" "] * 600)], 0.05)


def hang(handler: Handler, _: Call) -> bool:
    """Takes the request and says nothing."""
    return _raw(handler, [b""], 15.0)


def endless(handler: Handler, _: Call) -> bool:
    """A body that never ends, as fast as it goes."""
    handler.wfile.write(_HEAD + b"Connection: close\r\n\r\n" + b'{"resourceType":"Bundle","x":"')
    block = b"a" * 65536
    handler.close_connection = True
    while True:
        handler.wfile.write(block)


def short(handler: Handler, _: Call) -> bool:
    """Ends before the length that it stated."""
    return _raw(handler, [_HEAD + b'Content-Length: 900\r\n\r\n{"resourceType":"Bundle"'], 0)


def not_http(handler: Handler, _: Call) -> bool:
    """No HTTP at all."""
    return _raw(handler, [b"SSH-2.0-OpenSSH_9.7\r\n"], 0)


def hang_up(handler: Handler, _: Call) -> bool:
    """Closes without a word."""
    handler.close_connection = True
    return True


@cache
def packed_bomb(megabytes: int) -> bytes:
    """That many megabytes of blanks, packed."""
    packer = zlib.compressobj(9, wbits=31)
    block = b" " * (1 << 20)
    return b"".join([*(packer.compress(block) for _ in range(megabytes)), packer.flush()])


def gzip_bomb(handler: Handler, _: Call) -> bool:
    """Half a gigabyte of blanks in half a megabyte."""
    handler.send(200, packed_bomb(512), Content_Encoding="gzip")
    return True


def page_loop(handler: Handler, call: Call) -> bool:
    """Two pages, each of which names the other as the next."""
    other = "0" if call.parameters.get("_page") == "00" else "00"
    return _linked(handler, call, f"{_base(handler)}/{call.type}?_page={other}")


def endless_pages(handler: Handler, call: Call) -> bool:
    """Always one page more."""
    return _linked(handler, call, f"{_base(handler)}/{call.type}?_page={call.number}")


def next_at(address: str) -> Trick:
    """One page that names this address as the next."""
    return lambda handler, call: _linked(handler, call, address)


def _linked(handler: Handler, call: Call, following: str) -> bool:
    made = handler.server.lying.bundle(call)
    made["entry"] = made["entry"][:1]
    made["link"] = [{"relation": "next", "url": following}]
    handler.send(200, json.dumps(made).encode())
    return True


def _base(handler: Handler) -> str:
    return handler.server.lying.base


def redirect(address: str) -> Trick:
    """Sends the caller elsewhere."""

    def answer(handler: Handler, _: Call) -> bool:
        handler.send(307, b"", Location=address)
        return True

    return answer


def endless_redirect(handler: Handler, _: Call) -> bool:
    """Points elsewhere with a body that never ends."""
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nConnection: close\r\n\r\n")
    while True:
        handler.wfile.write(b"a" * 65536)


def deep(handler: Handler, _: Call) -> bool:
    """Valid JSON, a hundred thousand levels deep."""
    handler.send(200, b'{"resourceType":"Bundle","entry":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    return True


def html(handler: Handler, _: Call) -> bool:
    """A log-in page in place of data."""
    handler.send(200, b"<!DOCTYPE html><title>Log in</title>", Content_Type="text/html")
    return True


def bad_header(handler: Handler, _: Call) -> bool:
    """A header line without a colon, which libraries like to report together with the address."""
    content = b'{"resourceType":"Bundle","type":"searchset","total":0}'
    head = _HEAD + b"no colon here\r\nContent-Length: %d\r\n\r\n" % len(content)
    return _raw(handler, [head + content], 0)
