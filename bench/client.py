"""A keep-alive client that adds as little of its own as it can."""

from __future__ import annotations

import re
import socket
import threading
import time

_LENGTH = re.compile(rb"content-length: *(\d+)")


def message(path: str, body: bytes) -> bytes:
    """The bytes of one POST."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


class Line:
    """One connection, kept open."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, data: bytes) -> tuple[int, bytes]:
        """Sends a request and reads its answer whole."""
        self.socket.sendall(data)
        buffer = b""
        while b"\r\n\r\n" not in buffer:
            buffer += self._more()
        head, _, body = buffer.partition(b"\r\n\r\n")
        found = _LENGTH.search(head.lower())
        length = int(found.group(1)) if found else 0
        while len(body) < length:
            body += self._more()
        return int(head.split(b" ", 2)[1]), body

    def _more(self) -> bytes:
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise ConnectionResetError("the server closed the connection")
        return piece

    def close(self) -> None:
        """Closes the connection."""
        self.socket.close()


def timed(line: Line, messages: list[bytes], calls: int, first: int = 0) -> list[float]:
    """Milliseconds of each call, bodies in rotation; a status other than 200 stops the run."""
    took = []
    for number in range(first, first + calls):
        data = messages[number % len(messages)]
        started = time.perf_counter()
        status, body = line.call(data)
        took.append((time.perf_counter() - started) * 1000)
        if status != 200:
            raise SystemExit(f"status {status}: {body[:200]!r}")
    return took


def throughput(port: int, messages: list[bytes], connections: int, seconds: float) -> float:
    """Answered calls per second over several connections at once."""
    counts = [0] * connections
    end = time.perf_counter() + seconds

    def work(number: int) -> None:
        line = Line(port)
        turn = number
        while time.perf_counter() < end:
            line.call(messages[turn % len(messages)])
            counts[number] += 1
            turn += 1
        line.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(connections)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - started)
