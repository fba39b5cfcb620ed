"""HTTP to registered servers: pooled, bounded in time and bytes, deaf to the environment and to redirects.

Sources: T-07 to T-10 (where a token may go, how a lying server is survived); smart_fhir 6; urllib3 and requests lessons.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from urllib3.exceptions import HTTPError, ProtocolError

from ehr.watched import Deadline as Deadline
from ehr.watched import Watchdog, WatchedAdapter

_PIECE = 16 * 1024
_LEAST_TIMEOUT = 0.001
_REDIRECTS = range(300, 400)

# at DEBUG, and at WARNING where headers are odd, these write whole addresses, and those name patients (H-66)
for _name in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(lambda _: False)


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole answer: status, headers by lower-case name, body after unpacking."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class TransportFault(Exception):
    """A call that brought no whole answer. `code` is closed: `down` (no connection, or it broke before the answer),
    `deadline`, `too-large`, `redirect`, `bad` (what came is not a whole HTTP answer). Holds no address and no token.
    """

    def __init__(self, code: str, why: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.why = why


class ByteBudget:
    """Bytes that several answers read at the same time may hold together; thread-safe."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Whether that many more bytes still fit; takes them if so."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True

    def give_back(self, size: int) -> None:
        """Returns the bytes of an answer that was thrown away."""
        with self._lock:
            self._left += size


class Transport:
    """GET and POST with one wall-clock deadline each. Thread-safe; one pooled session per origin.

    No environment (proxy, `.netrc`, CA bundle) is read (T-09), no redirect followed (T-08), no cookie kept, no
    certificate left unchecked; `ca_bundle` names a file of authorities to trust in place of the usual ones. Raises
    `TransportFault` alone.
    """

    def __init__(self, *, connections: int = 32, ca_bundle: str = "") -> None:
        self._connections = connections
        self._verify: bool | str = ca_bundle or True
        self._sessions: dict[str, requests.Session] = {}
        self._lock = threading.Lock()
        self._watchdog = Watchdog()

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        deadline: Deadline,
        max_bytes: int,
        budget: ByteBudget | None = None,
    ) -> Answer:
        """The answer to a GET of at most `max_bytes` after unpacking."""
        return self._send(requests.Request("GET", url, headers=dict(headers)), deadline, max_bytes, budget)

    def post(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        deadline: Deadline,
        max_bytes: int,
        budget: ByteBudget | None = None,
    ) -> Answer:
        """The answer to a POST of these bytes; the caller names their type."""
        request = requests.Request("POST", url, headers=dict(headers), data=body)
        return self._send(request, deadline, max_bytes, budget)

    def close(self) -> None:
        """Closes what is pooled; the next call opens anew."""
        with self._lock:
            sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            session.close()

    def _send(
        self, request: requests.Request, deadline: Deadline, max_bytes: int, budget: ByteBudget | None
    ) -> Answer:
        if deadline.passed:
            raise TransportFault("deadline")
        session = self._session(_origin(request.url))
        answer: Answer | None = None
        fault = ("bad", "")
        with self._watchdog.watch(deadline):
            try:
                prepared = session.prepare_request(request)
                answer = self._read(session, prepared, deadline, max_bytes, budget)
            except (requests.RequestException, HTTPError, OSError, ValueError) as error:
                fault = _fault_of(error)
        if answer is not None:
            return answer
        # raised out here, so that no exception that quotes the address hangs on to it
        raise TransportFault("deadline") if deadline.passed else TransportFault(*fault)

    def _read(
        self,
        session: requests.Session,
        prepared: requests.PreparedRequest,
        deadline: Deadline,
        max_bytes: int,
        budget: ByteBudget | None,
    ) -> Answer:
        # past Session.send, which would read the body of a redirect to its end, keep cookies and look for proxies
        response = session.get_adapter(prepared.url or "").send(
            prepared,
            stream=True,
            timeout=max(deadline.left(), _LEAST_TIMEOUT),
            verify=self._verify,
        )
        whole = False
        try:
            if response.status_code in _REDIRECTS:
                raise TransportFault("redirect")
            headers = {name.lower(): value for name, value in response.headers.items()}
            body = _body(response, deadline, max_bytes, budget)
            whole = True
            return Answer(response.status_code, headers, body)
        finally:
            if not whole:
                response.close()

    def _session(self, origin: str) -> requests.Session:
        with self._lock:
            session = self._sessions.get(origin)
            if session is None:
                session = self._sessions[origin] = self._new_session()
            return session

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.headers.clear()
        adapter = WatchedAdapter(pool_connections=1, pool_maxsize=self._connections)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session


def _origin(url: str | None) -> str:
    """Scheme, host and port of an address; `bad` for anything that holds more or other than those before its path."""
    try:
        parts = urlsplit(url or "")
        port = parts.port
    except ValueError:
        raise TransportFault("bad", "address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise TransportFault("bad", "address")
    return f"{parts.scheme}://{parts.hostname}:{port or ''}"


def _body(
    response: requests.Response, deadline: Deadline, max_bytes: int, budget: ByteBudget | None
) -> bytes:
    """The unpacked body in small pieces, each against clock and cap: a packed bomb never unfolds (T-10)."""
    pieces: list[bytes] = []
    size = 0
    fits = True
    try:
        while piece := response.raw.read1(_PIECE, decode_content=True):
            if deadline.passed:
                raise TransportFault("deadline")
            fits = size + len(piece) <= max_bytes and (budget is None or budget.take(len(piece)))
            if not fits:
                raise TransportFault("too-large")
            size += len(piece)
            pieces.append(piece)
        if deadline.passed:
            # the watchdog's shutting looks like the end of a body, or of headers, that stated no length
            raise TransportFault("deadline")
        return b"".join(pieces)
    except BaseException:
        pieces.clear()
        if budget is not None:
            budget.give_back(size)
        raise


def _fault_of(error: Exception) -> tuple[str, str]:
    """What an exception of the libraries below means, in our closed words."""
    if isinstance(error, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        return "down", "tls"
    if isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return "deadline", ""
    inner = _protocol_cause(error)
    if inner is not None:
        return ("down", "") if isinstance(inner, OSError) else ("bad", "")
    return ("down", "") if isinstance(error, requests.ConnectionError) else ("bad", "")


def _protocol_cause(error: Exception) -> Exception | None:
    """What broke an answer that had begun: an `OSError` where the line went dead, else what was no HTTP."""
    for one in (error, *error.args):
        if isinstance(one, ProtocolError):
            return next((arg for arg in one.args if isinstance(arg, Exception)), one)
    return None
