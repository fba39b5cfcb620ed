"""A real server in a child process, on a free port, for what Flask's own client cannot show."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Running:
    """The address of a running service and what it has written to standard error."""

    def __init__(self, host: str, port: int, pid: int) -> None:
        self.host = host
        self.port = port
        self.pid = pid
        self.errors: list[str] = []

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def connect(self) -> socket.socket:
        """A plain connection; tests write bytes no client library would."""
        made = socket.create_connection((self.host, self.port), 20)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def workers(self) -> set[int]:
        """Ids of the worker processes."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return {int(child) for child in children}


@contextmanager
def serving(*arguments: str) -> Iterator[Running]:
    """Starts `postcart serve` with the arguments, waits for its ready line, stops it again."""
    command = [sys.executable, "-m", "smart_app.cli", "serve", "--open", "--port", "0", *arguments]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stderr or ()), daemon=True)
    reader.start()
    try:
        ready = ""
        for ready in process.stdout:
            if ready.startswith("postcart ready "):
                break
        assert ready.startswith("postcart ready http://"), lines
        host, _, port = ready.split("//")[1].strip().rpartition(":")
        running = Running(host, int(port), process.pid)
        running.errors = lines
        yield running
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)
        reader.join(5)
        process.stdout.close()
        process.stderr.close()


def receive(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """One HTTP answer from a connection: status, headers in lower case, body."""
    buffer = b""
    while b"\r\n\r\n" not in buffer:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionResetError("closed before an answer")
        buffer += piece
    head, _, body = buffer.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)
    }
    length = int(headers.get("content-length", "0"))
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionResetError("closed inside an answer")
        body += piece
    return int(first.split(" ")[1]), headers, body


def request(method: str, path: str, body: bytes, *headers: str) -> bytes:
    """The bytes of a request with a stated length."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
