"""Product and floors as child processes on the same server with the same settings, and what they use of the machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FLOORS = ("floor_own", "floor_orjson", "floor_typed")
PATH = "/cds-services/post-car-t-relapse"


@dataclass(slots=True)
class Server:
    """A running target: name, port, process."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Ends the process group."""
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(5)

    def resident_mb(self) -> float:
        """Resident memory of the process and its children in MB."""
        total = 0
        todo = [self.process.pid]
        while todo:
            pid = todo.pop()
            status = Path(f"/proc/{pid}/status").read_text()
            total += int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
            todo += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return round(total / 1024, 1)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(name: str) -> Server:
    """Starts `ours` or a floor and waits until it accepts connections."""
    port = free_port()
    granian = [sys.executable, "-m", "granian", "--interface", "wsgi", "--workers", "1", "--loop", "asyncio"]
    if name == "ours":
        command = [sys.executable, "-m", "smart_app.cli", "serve", "--open", "--port", str(port)]
        command += ["--as-of", "2026-02-01T12:00:00Z"]
    else:
        command = [
            *granian,
            "--blocking-threads",
            "8",
            "--no-ws",
            "--log-level",
            "error",
            "--port",
            str(port),
        ]
        command.append(f"floors:{name}")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'bench'}"}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    server = Server(name, port, process)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
        else:
            return server
    raise SystemExit(f"{name} did not start")
