"""A whole postcart with its launch routes on a free loopback port, and a browser without JavaScript, for tests."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from builders import condition, patient, procedure, stain
from flask import Flask
from peer import Peer
from werkzeug.serving import WSGIRequestHandler, make_server

from ehr.fhir import FhirLink
from ehr.jwks import KeyCache
from ehr.own_keys import KeyFolder, new_key
from ehr.registrations import Registry
from ehr.site import ClientKind, Config, Site, SmartClient
from ehr.transport import Transport
from mappings.loading import load_knowledge
from smart_app.judges import Judges
from smart_app.launch import LaunchParts, launch_routes
from smart_app.launch.charts import Charts
from smart_app.launch.seal import load_sealer
from smart_app.store import open_store

AS_OF = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
NAMES = {"pt1": "Alphaperson", "pt2": "Betaperson"}


class Clock:
    """A clock that tests can put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def chart_of(name: str, **extra: Any) -> list[dict[str, Any]]:
    """The chart of an invented patient with a relapse after CD19 CAR T; every record is named after the patient."""
    rows = [
        patient(name, name=[{"family": NAMES.get(name, "Otherperson"), "given": ["Test"]}]),
        condition(id=f"{name}-disease"),
        procedure(id=f"{name}-cart"),
        stain("Negative", "CD19", id=f"{name}-stain"),
    ]
    for row in rows[1:]:
        row["subject"] = {"reference": f"Patient/{name}"}
    return rows


@dataclass
class Served:
    """One running postcart and what it wrote."""

    url: str
    parts: LaunchParts
    clock: Clock
    folder: Path
    log: list[str] = field(default_factory=list)

    @property
    def database(self) -> bytes:
        """All bytes the database has on disk."""
        return b"".join(path.read_bytes() for path in self.folder.glob("postcart.db*"))


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        """No lines on the terminal."""


def site_of(ehr: Peer, **changes: Any) -> Site:
    """The registration of a peer as a test site."""
    smart = SmartClient(
        iss=ehr.base,
        client_id=ehr.on.client_id,
        auth=ClientKind(ehr.on.client),
        secret_file=changes.pop("secret_file", None),
        alg=changes.pop("alg", "ES384"),
        scopes=changes.pop("scopes", "v2"),
    )
    base = Site(
        name=changes.pop("name", "Test hospital"),
        environment="test",
        fhir_base=ehr.base,
        region="US",
        frame_ancestors=changes.pop("frame_ancestors", (ehr.root,)),
        smart=smart,
    )
    return replace(base, **changes)


def serve_on(
    stack: ExitStack, folder: Path, sites: tuple[Site, ...], host: str, changes: dict[str, Any]
) -> Served:
    folder.mkdir(exist_ok=True)
    app = Flask("postcart", static_folder=None)
    server = make_server(host, 0, app, threaded=True, request_handler=_Quiet)
    url = f"http://{host}:{server.server_port}"
    clock, transport = Clock(), Transport()
    now = changes.pop("now", clock)
    for alg in changes.pop("keys", ("ES384", "RS384")):
        new_key(folder / "keys", alg, clock())
    store = open_store(f"sqlite:///{folder / 'postcart.db'}", key=b"k" * 32, now=now)
    link, charts = FhirLink(transport, threads=8), Charts()
    served = Served(url, None, clock, folder)  # type: ignore[arg-type]
    parts = LaunchParts(
        registry=Registry(Config(public_url=url, sites=sites)),
        transport=transport,
        keys=KeyCache(transport),
        own_keys=KeyFolder(folder / "keys", clock),
        workspaces=store.workspaces,
        link=link,
        judging=Judges(load_knowledge(), ("US", "EU")).of,
        sealer=load_sealer(folder / "keys"),
        public_url=url,
        memory=store,
        context_key=b"c" * 32,
        clock=clock,
        as_of=AS_OF,
        note=lambda event, **fields: served.log.append(f"{event} {fields}"),
        charts=charts,
    )
    served.parts = replace(parts, **changes)
    app.register_blueprint(launch_routes(served.parts))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    for close in (store.close, link.close, charts.close, server.server_close, thread.join, server.shutdown):
        stack.callback(close)
    return served


class Browser:
    """A browser without JavaScript: follows redirects by hand and keeps each host's cookies, Secure or not."""

    def __init__(self) -> None:
        self.cookies: dict[str, dict[str, str]] = {}
        self.visited: list[str] = []
        self.said: list[tuple[str, str]] = []
        self._session = requests.Session()
        self._session.trust_env = False
        # kept by hand: plain clients drop Secure cookies on http, browsers take loopback as secure
        self._session.cookies.set_policy(_KeepNothing())

    def get(self, url: str, *, follow: bool = True, **headers: str) -> requests.Response:
        """GET, with redirects followed one by one."""
        response = self._one("GET", url, headers, None)
        while follow and response.status_code in (302, 303):
            response = self._one(
                "GET", requests.compat.urljoin(response.url, response.headers["Location"]), {}, None
            )
        return response

    def post(
        self, url: str, data: dict[str, str], *, follow: bool = True, **headers: str
    ) -> requests.Response:
        """A form sent as the page's own."""
        sent = {"Origin": "null", "Sec-Fetch-Site": "same-origin", **headers}
        response = self._one("POST", url, {name: value for name, value in sent.items() if value}, data)
        while follow and response.status_code in (302, 303):
            response = self._one(
                "GET", requests.compat.urljoin(response.url, response.headers["Location"]), {}, None
            )
        return response

    def _one(self, method: str, url: str, headers: dict[str, str], data: Any) -> requests.Response:
        host = urlsplit(url).netloc
        jar = self.cookies.setdefault(host, {})
        self.visited.append(url)
        cookie = "; ".join(f"{name}={value}" for name, value in jar.items())
        sent = {**headers, **({"Cookie": cookie} if cookie else {})}
        response = self._session.request(
            method, url, headers=sent, data=data, allow_redirects=False, timeout=30
        )
        for line in response.raw.headers.getlist("Set-Cookie"):
            name, _, rest = line.partition("=")
            value = rest.split(";")[0]
            jar[name] = value
            if "Max-Age=0" in line or not value:
                del jar[name]
        self.said.append((url, response.text))
        return response


class _KeepNothing:
    netscape, rfc2965, hide_cookie2 = True, False, False

    def set_ok(self, *_: Any) -> bool:
        return False

    def return_ok(self, *_: Any) -> bool:
        return False

    def domain_return_ok(self, *_: Any) -> bool:
        return False

    def path_return_ok(self, *_: Any) -> bool:
        return False


def workspace_of(response: requests.Response) -> str:
    """The workspace's address a launch ended at."""
    assert "/w/" in response.url, (response.status_code, response.url, response.text[:800])
    return response.url.split("?")[0]


def wait_ready(browser: Browser, workspace: str) -> requests.Response:
    """Polls as the page does until the chart is read."""
    for _ in range(400):
        answer = browser.get(f"{workspace}/progress")
        if answer.status_code != 200 or "HX-Refresh" in answer.headers:
            return answer
        threading.Event().wait(0.02)
    raise AssertionError("never ready")


def query_of(url: str) -> dict[str, str]:
    """The query of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
