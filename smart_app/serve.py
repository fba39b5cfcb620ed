"""`postcart serve`: one process group on one port, ready only when the self-test has passed."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from dataclasses import replace
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any

from smart_app.cli import DONE, SELFTEST, WRONG, fail
from smart_app.operations.drain import DrainBoard, drain_before_stopping
from smart_app.settings import Settings, SettingsError, check_settings, settings_from

if TYPE_CHECKING:
    from flask import Flask

HANDED_OVER = "POSTCART_SETTINGS"
BLOCKING_THREADS = 32
"""Most of a call that reads from an EHR is waiting; a few threads stay free to say no and to answer `/ready`."""
_STACK = 1 << 20
_PATIENCE = 60.0
_KILL_AFTER = 12
_HEADER_MS = 10_000


def run(options: argparse.Namespace) -> int:
    """Serves until it is stopped; exit status 2 for unusable settings, 3 for a failed self-test."""
    from mappings.loading import KnowledgeError, load_knowledge

    settings = Settings(
        host=options.host,
        port=options.port,
        opened=options.open,
        as_of=options.as_of,
        config=options.config or os.environ.get("POSTCART_CONFIG", ""),
        database_url=os.environ.get("POSTCART_DATABASE_URL", ""),
    )
    try:
        check_settings(settings)
        if settings.config:
            from smart_app.sites import read_sites

            read_sites(settings)
        settings = _with_port(settings)
        load_knowledge()
    except (SettingsError, KnowledgeError) as fault:
        return fail(str(fault))
    except OSError as error:
        return fail(f"The address {options.host}:{options.port} cannot be taken ({error.strerror}).")
    if settings.config:
        return serve_processes(settings, options.workers)
    with tempfile.TemporaryDirectory(prefix="postcart-") as folder:
        return serve_processes(replace(settings, state_dir=folder), options.workers)


def _with_port(settings: Settings) -> Settings:
    """Checks that the port is free; 0 becomes a free one."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((settings.host, settings.port))
        port = probe.getsockname()[1]
    return replace(settings, port=port)


def serve_processes(settings: Settings, workers: int) -> int:
    """Serves checked settings with this many worker processes until it is stopped; gives the exit status."""
    from granian import Granian
    from granian.constants import Interfaces, Loops
    from granian.http import HTTP1Settings
    from granian.log import LogLevels

    # a forked worker would inherit whatever lock another thread of ours holds at that moment, for ever
    multiprocessing.set_start_method("spawn", force=True)
    os.environ[HANDED_OVER] = settings.dumped()
    server = Granian(
        "smart_app.serve:application",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        loop=Loops.asyncio,
        workers=max(1, workers),
        blocking_threads=BLOCKING_THREADS,
        websockets=False,
        respawn_failed_workers=True,
        log_level=LogLevels.error,
        workers_kill_timeout=_KILL_AFTER,
        http1_settings=HTTP1Settings(header_read_timeout=_HEADER_MS),
        factory=True,
    )
    board = DrainBoard.create()
    try:
        drain_before_stopping(server, board)
        status: list[int] = []
        threading.Thread(target=_announce, args=(settings, status), daemon=True).start()
        server.serve()
        return status[0] if status else DONE
    finally:
        board.remove()


def _announce(settings: Settings, status: list[int]) -> None:
    """Prints the ready line once `/ready` answers 200; ends a service that cannot become ready, and says why."""
    deadline = time.monotonic() + _PATIENCE
    why = "it did not come up"
    while time.monotonic() < deadline:
        answer = _readiness(settings)
        if answer.get("ready"):
            print(f"postcart ready {settings.url}", flush=True)
            return
        if answer.get("selftest") == "failed":
            why = "the self-test failed"
            status.append(SELFTEST)
            break
        parts = answer.get("parts", {})
        if parts:
            why = ", ".join(f"{name} {part.get('state')}" for name, part in parts.items())
        time.sleep(0.05)
    if not status:
        status.append(WRONG)
    print(f"postcart: not ready ({why}); nothing is served. See the log lines.", file=sys.stderr)
    os.kill(os.getpid(), signal.SIGINT)


def _readiness(settings: Settings) -> dict[str, Any]:
    connection = HTTPConnection(settings.host, settings.port, timeout=2)
    try:
        connection.request("GET", "/ready")
        found = json.loads(connection.getresponse().read())
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError, HTTPException):
        return {}
    finally:
        connection.close()


def application() -> Flask:
    """The app of a worker process, with the settings its parent handed over."""
    from smart_app.app import create_app

    threading.stack_size(_STACK)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), name="parent", daemon=True).start()
    return create_app(settings_from(os.environ[HANDED_OVER]), collect=True, threads=BLOCKING_THREADS)


def _end_with_parent(parent: int) -> None:
    """Ends a worker whose parent was killed: it would hold the port and keep the next start from coming up."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_KILL_AFTER)
    os._exit(1)
