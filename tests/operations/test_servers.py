"""Both servers under raw sockets: requests two readers may read differently, early answers, hostile bodies (T-27)."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from servers import SERVERS, Server, everything, receive, request

PATH = "/cds-services/post-car-t-relapse"
JSON = "Content-Type: application/json"
GOOD = (Path(__file__).parents[1] / "conformance" / "requests" / "cd19-negative-dlbcl.json").read_bytes()
BIG = b"x" * 300_000
HIDDEN = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.fixture(scope="module", params=sorted(SERVERS))
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with SERVERS[request.param]() as running:
        yield running


def good(connection: object) -> None:
    connection.sendall(request("POST", PATH, GOOD, JSON))  # type: ignore[attr-defined]
    status, _, body = receive(connection)  # type: ignore[arg-type]
    assert status == 200
    assert json.loads(body)["extension"]["org.postcart"]["category"] == "cd19-negative"


def head(*headers: str, method: str = "POST") -> bytes:
    return (
        "\r\n".join([f"{method} {PATH} HTTP/1.1", "Host: 127.0.0.1", JSON, *headers]).encode() + b"\r\n\r\n"
    )


CHUNK = b"5\r\nhello\r\n0\r\n\r\n"
AMBIGUOUS = {
    "length beside chunked": head("Content-Length: 5", "Transfer-Encoding: chunked") + CHUNK + HIDDEN,
    "chunked beside length": head("Transfer-Encoding: chunked", "Content-Length: 5") + CHUNK + HIDDEN,
    "two lengths": head("Content-Length: 5", "Content-Length: 48") + b"hello" + HIDDEN,
    "two lengths in one": head("Content-Length: 5, 48") + b"hello" + HIDDEN,
    "signed length": head("Content-Length: +5") + b"hello" + HIDDEN,
    "length in other digits": head("Content-Length: \u0665") + b"hello" + HIDDEN,
    "length with underscore": head("Content-Length: 0_5") + b"hello" + HIDDEN,
    "negative length": head("Content-Length: -1") + HIDDEN,
    "odd coding": head("Transfer-Encoding: xchunked") + CHUNK + HIDDEN,
    "coding twice": head("Transfer-Encoding: chunked", "Transfer-Encoding: identity") + CHUNK + HIDDEN,
    "blank before colon": head("Transfer-Encoding : chunked", "Content-Length: 5") + CHUNK + HIDDEN,
    "folded line": head("X-Long: a\r\n b", "Content-Length: 5") + b"hello" + HIDDEN,
    "underscore name": head("Content_Length: 5", "Content-Length: 5") + b"hello",
    "bad chunk size": head("Transfer-Encoding: chunked") + b"zz\r\nhello\r\n0\r\n\r\n" + HIDDEN,
    "chunk longer than said": head("Transfer-Encoding: chunked") + b"2\r\nhello\r\n0\r\n\r\n" + HIDDEN,
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_t27_a_hidden_request_never_gets_an_answer_of_its_own(server: Server, name: str) -> None:
    """T-27: whatever frames the body, the request behind it is part of the body or the connection ends."""
    with server.connect() as connection:
        connection.sendall(AMBIGUOUS[name])
        found = everything(connection, 1.5)
    assert b'"status":"up"' not in found.replace(b" ", b""), found
    assert found.count(b"HTTP/1.1 ") <= 1
    assert b" 200 " not in found[:20]
    assert b" 500 " not in found[:20], found
    with server.connect() as connection:
        good(connection)


@pytest.mark.parametrize("trailer", ["Content-Length: 4", "X-More: 1", "Transfer-Encoding: chunked"])
def test_a_trailer_is_read_or_refused_and_never_500(server: Server, trailer: str) -> None:
    """A trailer that repeats a framing field made gunicorn raise inside the read: 400, or read and left out."""
    pieces = f"{len(GOOD):x}\r\n".encode() + GOOD + b"\r\n0\r\n" + trailer.encode() + b"\r\n\r\n"
    with server.connect() as connection:
        connection.sendall(head("Transfer-Encoding: chunked") + pieces)
        assert receive(connection)[0] in (200, 400)
    with server.connect() as connection:
        good(connection)


EARLY = [
    (404, request("POST", "/cds-services/other", BIG, JSON)),
    (404, request("POST", "/nowhere", BIG, JSON)),
    (405, request("PUT", PATH, BIG, JSON)),
    (405, request("GET", PATH, BIG)),
    (415, request("POST", PATH, BIG, "Content-Type: text/plain")),
    (415, request("POST", PATH, BIG, "Content-Type: multipart/form-data; boundary=x")),
    (400, request("POST", PATH, BIG, JSON)),
    (403, request("POST", PATH, BIG, JSON).replace(b"Host: 127.0.0.1", b"Host: rebound.example")),
]


@pytest.mark.parametrize(
    ("status", "early"), EARLY, ids=[f"{n}-{status}" for n, (status, _) in enumerate(EARLY)]
)
def test_early_answers_keep_the_connection_under_load(server: Server, status: int, early: bytes) -> None:
    def one_client(_: int) -> None:
        with server.connect() as connection:
            for _ in range(4):
                connection.sendall(early)
                assert receive(connection)[0] == status
                good(connection)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one_client, range(4)))


def test_a_body_over_the_limit_is_refused_and_the_connection_lives(server: Server) -> None:
    size = 64 * 2**20 + 1
    with server.connect(60) as connection:
        connection.sendall(head(f"Content-Length: {size}"))
        piece = b" " * 2**20
        for _ in range(64):
            connection.sendall(piece)
        connection.sendall(b" ")
        status, headers, body = receive(connection)
        assert status == 413
        assert headers["content-type"] == "application/fhir+json"
        assert json.loads(body)["resourceType"] == "OperationOutcome"
        good(connection)


def test_t28_the_request_id_comes_back_or_is_replaced(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(request("POST", PATH, GOOD, JSON, "X-Request-Id: abc-123"))
        assert receive(connection)[1]["x-request-id"] == "abc-123"
        connection.sendall(request("POST", PATH, GOOD, JSON, "X-Request-Id: Alma Zztest"))
        assert len(receive(connection)[1]["x-request-id"]) == 36


def nested(levels: int, place: str) -> bytes:
    body = json.loads(GOOD)
    body[place] = "DEEP"
    return json.dumps(body).replace('"DEEP"', '{"a":[' * (levels // 2) + "1" + "]}" * (levels // 2)).encode()


PLACES = ("prefetch", "context", "extension", "fhirAuthorization", "other")


@pytest.mark.parametrize("levels", [900, 3_000, 100_000])
def test_r09_deep_bodies_end_no_process(server: Server, levels: int) -> None:
    """R-09, T-26: 400 within two seconds in five places, whole and cut, and the process ids stay."""
    before = server.workers()
    assert before
    bodies = [nested(levels, place) for place in PLACES]
    bodies += [b"[" * levels + b"]" * levels, b"[" * levels, b'{"a":' * levels]
    for body in bodies:
        with server.connect() as connection:
            started = time.monotonic()
            connection.sendall(request("POST", PATH, body, JSON))
            status, _, answer = receive(connection)
            assert time.monotonic() - started < 2
            assert status == 400
            assert json.loads(answer)["resourceType"] == "OperationOutcome"
            good(connection)
    assert server.workers() == before


def resident_mb(server: Server) -> int:
    """The largest worker's resident memory."""
    found = [0]
    for pid in server.workers():
        with contextlib.suppress(OSError):
            rows = Path(f"/proc/{pid}/status").read_text().splitlines()
            found += [int(row.split()[1]) >> 10 for row in rows if row.startswith("VmRSS")]
    return max(found)


def test_r09_t26_eight_bodies_of_60_mb_at_once_cost_at_most_300_mb(server: Server) -> None:
    """R-09, T-26: what finds no room in the budget is told so; the process grows by 300 MB at most and shrinks."""
    body = b'{"hook":"patient-view","x":"' + b"a" * (60 << 20) + b'"}'
    before, peak, done = resident_mb(server), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            peak[0] = max(peak[0], resident_mb(server))

    def one(_: int) -> int:
        with server.connect(60) as connection:
            connection.sendall(request("POST", PATH, body, JSON))
            return receive(connection)[0]

    watching = threading.Thread(target=watch)
    watching.start()
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(one, range(8)))
    done.set()
    watching.join()
    assert 503 in found
    assert found <= {400, 503}
    assert peak[0] - before <= 300, (before, peak[0])
    with server.connect() as connection:
        good(connection)


def test_no_answer_of_the_app_names_the_server_or_a_trace(server: Server) -> None:
    with server.connect() as connection:
        for message in (request("POST", PATH, b"{", JSON), request("GET", "/nowhere")):
            connection.sendall(message)
            _, headers, body = receive(connection)
            assert b"Traceback" not in body
            assert headers["x-content-type-options"] == "nosniff"
