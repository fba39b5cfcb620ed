"""Signers, key servers and gates for tests of trust; tokens are made with PyJWT, not with what checks them."""

from __future__ import annotations

import json
import threading
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from cds_hooks.memory import StoreDown
from cds_hooks.trust import Caller, Gate, NotTrusted
from ehr.jwks import KeyCache
from ehr.registrations import Registry
from ehr.site import Config, Site
from ehr.transport import Answer, Transport

NOW = 1_900_000_000
SERVICE = "https://postcart.example.org/cds-services/post-car-t-relapse"
AUDIENCES = (SERVICE, SERVICE + "/feedback")
ODD_KID = "dG9rZW4+a2V5/x=="


def private_key(name: str, kind: str = "ES384") -> Any:
    """A key pair per name and kind, made once per test run."""
    return _made(name, kind)


@cache
def _made(name: str, kind: str) -> Any:
    if kind.startswith("RS"):
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1() if kind == "ES256" else ec.SECP384R1())


def public_jwk(key: Any, kid: str, alg: str = "ES384", **more: Any) -> dict[str, Any]:
    """The public half as an EHR publishes it."""
    jwk = json.loads(jwt.get_algorithm_by_name(alg).to_jwk(key.public_key()))
    return {**jwk, "kid": kid, "use": "sig", "alg": alg, "key_ops": ["verify"]} | more


def key_set(*jwks: Mapping[str, Any]) -> bytes:
    return json.dumps({"keys": jwks}).encode()


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(iss: str = "https://a.example.org", /, **changed: Any) -> dict[str, Any]:
    """Claims of a good token at `NOW`; None takes one out."""
    whole = {"iss": iss, "aud": SERVICE, "iat": NOW, "exp": NOW + 300, "jti": str(uuid.uuid4())} | changed
    return {name: value for name, value in whole.items() if value is not None}


def sign(key: Any, body: Mapping[str, Any], alg: str = "ES384", **header: Any) -> str:
    """A signed token; a header member given as None is left out."""
    members = {"kid": "key-a", "typ": "JWT"} | header
    return jwt.encode(
        dict(body),
        key,
        alg,
        headers={name: value for name, value in members.items() if value is not None or name == "typ"},
    )


@dataclass
class Table:
    """A memory with the meaning of the real one: one first use per site, issuer and id; can be down."""

    down: bool = False
    used: set[tuple[str, str, str]] = field(default_factory=set)
    untils: list[datetime] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def first_use(self, site: str, issuer: str, token_id: str, until: datetime) -> bool:
        if self.down:
            raise StoreDown
        with self.lock:
            self.untils.append(until)
            new = (site, issuer, token_id) not in self.used
            self.used.add((site, issuer, token_id))
            return new


@dataclass
class KeyServer:
    """Key sets by address without a network: counts reads; `broken` is raised instead of an answer."""

    sets: dict[str, bytes] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    broken: Exception | None = None
    status: int = 200
    before: Callable[[], None] = lambda: None

    def get(self, url: str, *, headers: Mapping[str, str], deadline: Any, max_bytes: int) -> Answer:
        self.reads.append(url)
        self.before()
        if self.broken is not None:
            raise self.broken
        return Answer(self.status, {"content-type": "application/json"}, self.sets[url])


@dataclass
class Clock:
    """A clock that is moved by hand; wall clock and monotonic alike."""

    at: float = NOW

    def __call__(self) -> float:
        return self.at


@dataclass
class World:
    """Sites, their key server and a gate before them."""

    sites: tuple[Site, ...]
    server: KeyServer = field(default_factory=KeyServer)
    memory: Table = field(default_factory=Table)
    clock: Clock = field(default_factory=Clock)
    leeway_s: int = 60
    notes: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        config = Config("https://postcart.example.org", self.sites, leeway_s=self.leeway_s)
        self.keys = KeyCache(
            self.server,
            monotonic=self.clock,
            note=lambda owner, code: self.notes.append((owner, code)),
            start=lambda work: work(),
        )
        self.gate = Gate(Registry(config), self.keys, self.memory, self.clock)  # type: ignore[arg-type]

    def admit(self, token: str, audiences: tuple[str, ...] = AUDIENCES) -> Caller:
        return self.gate.admit(f"Bearer {token}", audiences)

    def why(self, token: str, audiences: tuple[str, ...] = AUDIENCES) -> str:
        """The label of the refusal, or 'admitted'."""
        try:
            self.admit(token, audiences)
        except NotTrusted as refusal:
            return refusal.why
        return "admitted"


def site_a(**changed: Any) -> Site:
    """A site that publishes its keys at an address."""
    site = Site("A", iss=("https://a.example.org",), jku=("https://a.example.org/keys",), region="US")
    return replace(site, **changed)


def site_b(**changed: Any) -> Site:
    """Another site, with a key pair and address of its own."""
    site = Site("B", iss=("https://b.example.org",), jku=("https://b.example.org/keys",), region="EU")
    return replace(site, **changed)


def two_sites() -> World:
    """Sites A and B, each with an EC key `key-a`/`key-b` and an RSA key `rsa-a`/`rsa-b` published."""
    world = World((site_a(), site_b()))
    for letter in "ab":
        world.server.sets[f"https://{letter}.example.org/keys"] = key_set(
            public_jwk(private_key(letter), f"key-{letter}"),
            public_jwk(private_key(letter, "RS384"), f"rsa-{letter}", "RS384"),
        )
    return world


@contextmanager
def listener(
    answer: Callable[[BaseHTTPRequestHandler], None] | None = None,
) -> Iterator[tuple[str, list[str]]]:
    """A real loopback server and the paths asked of it; without `answer` it is a canary that answers 404."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            paths.append(self.path)
            if answer is None:
                self.send_error(404)
            else:
                answer(self)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", paths
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answering(body: bytes, status: int = 200, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer with this body."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@contextmanager
def real_transport() -> Iterator[Transport]:
    """The transport of the product, closed afterwards."""
    transport = Transport()
    try:
        yield transport
    finally:
        transport.close()
