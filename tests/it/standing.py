"""Servers on loopback that answer what a test tells them, and remember who asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sandbox_ehr.serve import Box

POSTCART = str(Path(sys.executable).parent / "postcart")
REQUESTS = Path(__file__).parents[1] / "conformance" / "requests"
GOOD = REQUESTS / "cd19-negative-dlbcl.json"


@dataclass
class Server:
    """A server whose answers are a table of path to (status, headers, body); a number as body is seconds to hang."""

    answers: dict[str, tuple[int, dict[str, str], Any]] = field(default_factory=dict)
    heard: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""
    date: str = ""

    def says(self, path: str, body: Any, status: int = 200, **headers: str) -> None:
        """Sets the answer of a path."""
        self.answers[path] = (
            status,
            {name.replace("_", "-"): value for name, value in headers.items()},
            body,
        )

    def paths(self) -> list[str]:
        """What was asked, in order."""
        return [path for _, path, _, _ in self.heard]

    def __enter__(self) -> Server:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                outer.heard.append((self.command, self.path, dict(self.headers), body))
                found = outer.answers.get(self.path) or outer.answers.get(self.path.partition("?")[0])
                status, headers, said = found or (404, {}, b"nothing here")
                if isinstance(said, float):
                    time.sleep(said)
                    said = b""
                content = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response_only(status)
                self.send_header("Date", outer.date or self.date_time_string())
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = answer  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def bare_environment() -> dict[str, str]:
    """The environment without settings of this product."""
    return {name: value for name, value in os.environ.items() if not name.startswith("POSTCART_")}


def postcart(*words: str, cwd: Path | None = None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Runs the command as IT does."""
    return subprocess.run(
        [POSTCART, *words],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=cwd,
        env=bare_environment(),
        check=False,
    )


@dataclass(frozen=True)
class Hospital:
    """The service's address, its registration file, the EHR, and files of callers' private keys."""

    base: str
    config: Path
    box: Box
    log: Path
    key_files: dict[str, Path]

    @property
    def relapse(self) -> str:
        """The address of the relapse service."""
        return f"{self.base}/cds-services/post-car-t-relapse"
