"""Runs a box: in this process on a thread for tests and demos, or as a process of its own."""

from __future__ import annotations

import logging
import signal
import threading
from datetime import date
from types import TracebackType
from typing import Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox_ehr.app import create_app
from sandbox_ehr.hooks import SERVICE_TYPES
from sandbox_ehr.settings import Settings, make_settings


class _Quiet(WSGIRequestHandler):
    """Serves without a request log: launches and codes stand in addresses and belong in no log."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  werkzeug's own name
        """Says nothing."""


class Box:
    """A running box. `root` is its address; `stop()` ends it; use it as a context manager in tests."""

    def __init__(self, server: BaseWSGIServer, app: Flask, settings: Settings) -> None:
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, name="sandbox-ehr", daemon=True)
        self.app = app
        self.settings = settings
        self.root = settings.root
        self._thread.start()

    def token(self, patient: str, *scopes: str) -> str:
        """An access token for a chart, for trying the FHIR address by hand."""
        asked = scopes or tuple(f"patient/{kind}.rs" for kind in SERVICE_TYPES)
        return str(self.app.extensions["sandbox"]["tokens"].give("by-hand", asked, patient, 3600).value)

    def stop(self) -> None:
        """Stops serving and frees the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    def __enter__(self) -> Box:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    app_base: str,
    cds_base: str = "",
    app_launch_url: str = "",
    redirect_uris: tuple[str, ...] = (),
    app_jwks_url: str = "",
    client_secret: str = "",
    today: date | None = None,
) -> Box:
    """Starts a box on a thread; port 0 takes a free one. `app_base` is the address of the service under test.

    Raises OSError where the address cannot be taken and `SettingsFault` for an unusable address.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    door = _Door()
    server = make_server(host, port, door, threaded=True, request_handler=_Quiet)
    name = f"[{host}]" if ":" in host else host
    settings = make_settings(
        f"http://{name}:{server.server_port}",
        app_base,
        cds_base=cds_base,
        app_launch_url=app_launch_url,
        redirect_uris=redirect_uris,
        app_jwks_url=app_jwks_url,
        client_secret=client_secret,
        today=today,
    )
    door.app = create_app(settings)
    return Box(server, door.app, settings)


def serve(host: str = "127.0.0.1", port: int = 0, **more: Any) -> None:
    """Serves a box until SIGINT or SIGTERM, after one line `sandbox ready URL` on standard output; takes what
    `start` takes."""
    box = start(host, port, **more)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    print(f"sandbox ready {box.root}", flush=True)
    stop.wait()
    box.stop()


class _Door:
    """Takes the port before the app is made, since the app has to know its own address."""

    app: Flask

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)
