"""The service under each server it is shipped for, and the shipped proxy in front of it, on free ports."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from smart_app.serve import HANDED_OVER
from smart_app.settings import Settings

ROOT = Path(__file__).parents[2]
AS_OF = "2025-12-01T12:00:00Z"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
OPENSSL = shutil.which("openssl")
_PATIENCE = 60.0


@dataclass(slots=True)
class Server:
    """A running server: its port, its first process, what it wrote to standard error."""

    kind: str
    port: int
    pid: int
    errors: list[str] = field(default_factory=list)
    tls: ssl.SSLContext | None = None

    def connect(self, timeout: float = 20) -> socket.socket:
        """A plain connection (inside TLS for the proxy); tests write bytes no client library would."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.tls.wrap_socket(made, server_hostname="localhost") if self.tls else made

    def workers(self) -> set[int]:
        """Ids of the child processes."""
        text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return {int(child) for child in text.split()}


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def started(kind: str, command: list[str], port: int, **environment: str) -> Iterator[Server]:
    """Runs a server until the block ends; waits until `/ready` answers 200."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )
    server = Server(kind, port, process.pid)
    reader = threading.Thread(target=lambda: server.errors.extend(process.stderr or ()), daemon=True)
    reader.start()
    try:
        deadline = time.monotonic() + _PATIENCE
        while not _ready(server):
            assert process.poll() is None, server.errors
            assert time.monotonic() < deadline, server.errors
            time.sleep(0.05)
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)
        reader.join(5)
        if process.stderr is not None:
            process.stderr.close()


def _ready(server: Server) -> bool:
    try:
        with server.connect(2) as connection:
            connection.sendall(b"GET /ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            return receive(connection)[0] == 200
    except OSError:
        return False


@contextlib.contextmanager
def granian() -> Iterator[Server]:
    """`postcart serve --open` as it ships."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "smart_app.cli",
        "serve",
        "--open",
        "--port",
        str(port),
        "--as-of",
        AS_OF,
    ]
    with started("granian", command, port) as server:
        yield server


@contextlib.contextmanager
def gunicorn() -> Iterator[Server]:
    """The same app under gunicorn with the shipped configuration."""
    port = free_port()
    settings = Settings(port=port, opened=True, as_of=AS_OF)
    command = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "-b", f"127.0.0.1:{port}"]
    with started("gunicorn", command, port, **{HANDED_OVER: settings.dumped()}) as server:
        yield server


SERVERS = {"granian": granian, "gunicorn": gunicorn}


def proxy_text(folder: Path, port: int, behind: int) -> str:
    """The shipped proxy configuration with its places marked SITE, and its folders, filled in."""
    text = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
    for shipped, here in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("server_name postcart.hospital.example;", "server_name localhost 127.0.0.1;"),
        ("server 127.0.0.1:8000;", f"server 127.0.0.1:{behind};"),
        ("/etc/postcart/tls/", f"{folder}/"),
        ("/var/log/nginx/", f"{folder}/"),
        ("/var/cache/nginx/", f"{folder}/"),
        ("/run/", f"{folder}/"),
    ):
        assert shipped in text, shipped
        text = text.replace(shipped, here)
    return ("user root;\n" if os.geteuid() == 0 else "") + text


@contextlib.contextmanager
def proxied(folder: Path, behind: int, *changes: tuple[str, str]) -> Iterator[Server]:
    """nginx with the shipped configuration and a certificate of its own, in front of `behind`."""
    assert NGINX
    assert OPENSSL
    port = free_port()
    text = proxy_text(folder, port, behind)
    for shipped, here in changes:
        assert shipped in text, shipped
        text = text.replace(shipped, here)
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "fullchain.pem")]
    subprocess.run([OPENSSL, *made, *names, *files], check=True, capture_output=True)
    command = [NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder), "-g", "daemon off;"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    tls = ssl.create_default_context(cafile=str(folder / "fullchain.pem"))
    server = Server("nginx", port, process.pid, tls=tls)
    try:
        deadline = time.monotonic() + _PATIENCE
        while not _ready(server):
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        process.wait(15)
        if process.stderr is not None:
            process.stderr.close()


def receive(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """One HTTP answer from a connection: status, headers in lower case, body."""
    buffer = b""
    while b"\r\n\r\n" not in buffer:
        buffer += _some(connection)
    head, _, body = buffer.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (row.partition(":") for row in rest)}
    length = int(headers.get("content-length", "0"))
    while len(body) < length:
        body += _some(connection)
    return int(first.split(" ")[1]), headers, body


def _some(connection: socket.socket) -> bytes:
    piece = connection.recv(65536)
    if not piece:
        raise ConnectionResetError("closed before the end of an answer")
    return piece


def request(method: str, path: str, body: bytes = b"", *headers: str) -> bytes:
    """The bytes of a request with a stated length."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def everything(connection: socket.socket, seconds: float) -> bytes:
    """All bytes until the other side closes or the time is over."""
    found = b""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        connection.settimeout(left)
        try:
            piece = connection.recv(65536)
        except (TimeoutError, ConnectionError, ssl.SSLError):
            break
        if not piece:
            break
        found += piece
    return found
