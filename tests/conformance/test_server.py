"""A real server under raw sockets: early answers, bad lengths, hostile bodies; the worker never dies."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from running import Running, receive, request, serving

PATH = "/cds-services/post-car-t-relapse"
JSON = "Content-Type: application/json"
REQUESTS = Path(__file__).parent / "requests"
GOOD = (REQUESTS / "cd19-negative-dlbcl.json").read_bytes()


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with serving("--as-of", "2025-12-01T12:00:00Z") as running:
        yield running


def good(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(request("POST", PATH, GOOD, JSON))
        status, headers, body = receive(connection)
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["extension"]["org.postcart"]["category"] == "cd19-negative"


BIG = b"x" * 300_000
EARLY = [
    (404, request("POST", "/cds-services/other", BIG, JSON)),
    (404, request("POST", "/nowhere", BIG, JSON)),
    (405, request("PUT", PATH, BIG, JSON)),
    (405, request("GET", PATH, BIG)),
    (415, request("POST", PATH, BIG, "Content-Type: text/plain")),
    (400, request("POST", PATH, BIG, JSON)),
    (403, request("POST", PATH, BIG, JSON).replace(b"Host: 127.0.0.1", b"Host: rebound.example")),
    (204, request("OPTIONS", PATH, BIG, "Origin: http://127.0.0.1:1")),
]


@pytest.mark.parametrize(
    ("status", "early"), EARLY, ids=[f"{status}-{n}" for n, (status, _) in enumerate(EARLY)]
)
def test_early_answers_keep_the_connection(server: Running, status: int, early: bytes) -> None:
    with server.connect() as connection:
        for _ in range(3):
            connection.sendall(early)
            assert receive(connection)[0] == status
            connection.sendall(request("POST", PATH, GOOD, JSON))
            assert receive(connection)[0] == 200


def test_64_megabytes_and_one_byte_are_refused_and_the_connection_lives(server: Running) -> None:
    with server.connect() as connection:
        size = 64 * 2**20 + 1
        connection.sendall(
            f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n{JSON}\r\nContent-Length: {size}\r\n\r\n".encode()
        )
        piece = b" " * 2**20
        for _ in range(64):
            connection.sendall(piece)
        connection.sendall(b" ")
        status, headers, body = receive(connection)
        assert status == 413
        assert headers["content-type"] == "application/fhir+json"
        assert json.loads(body)["resourceType"] == "OperationOutcome"
        connection.sendall(request("POST", PATH, GOOD, JSON))
        assert receive(connection)[0] == 200


def test_a_chunked_body_is_read(server: Running) -> None:
    with server.connect() as connection:
        head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n{JSON}\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode())
        for start in range(0, len(GOOD), 1000):
            piece = GOOD[start : start + 1000]
            connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        assert receive(connection)[0] == 200


def test_a_truncated_body_gets_no_clinical_answer(server: Running) -> None:
    before = server.workers()
    for cut in (0, 1, 100, len(GOOD) - 1):
        with server.connect() as connection:
            connection.sendall(request("POST", PATH, GOOD, JSON)[: -(len(GOOD) - cut)])
            connection.shutdown(1)
            connection.settimeout(5)
            with contextlib.suppress(ConnectionError, TimeoutError):
                assert receive(connection)[0] >= 400
    good(server)
    assert server.workers() == before


def nested(levels: int, place: str) -> bytes:
    body = json.loads(GOOD)
    body[place] = "DEEP"
    return json.dumps(body).replace('"DEEP"', '{"a":[' * (levels // 2) + "1" + "]}" * (levels // 2)).encode()


HOSTILE = {
    "900 lists": b"[" * 900 + b"]" * 900,
    "100,000 open lists": b"[" * 100_000,
    **{
        f"{levels} in {place}": nested(levels, place)
        for levels in (900, 3_000, 100_000)
        for place in ("prefetch", "context", "extension", "fhirAuthorization", "other")
    },
    "not UTF-8": GOOD.replace(b"Zztest", b"Z\xff\xfe", 1),
    "UTF-16": GOOD.decode().encode("utf-16"),
    "NaN": GOOD.replace(b'"hook"', b'"odd": NaN, "hook"', 1),
    "lone surrogate": GOOD.replace(b"Zztest", b"\\ud800", 1),
    "byte order mark": b"\xef\xbb\xbf" + GOOD,
    "doubled hook": GOOD.replace(b'"hook"', b'"hook": "order-sign", "hook"', 1),
    "doubled patient": GOOD.replace(b'"patientId"', b'"patientId": "other", "patientId"', 1),
    "no bytes": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bodies_are_refused_and_end_no_worker(server: Running, name: str) -> None:
    before = server.workers()
    with server.connect() as connection:
        started = time.monotonic()
        connection.sendall(request("POST", PATH, HOSTILE[name], JSON))
        status, _, body = receive(connection)
        assert status == 400, body
        assert time.monotonic() - started < 2
        assert json.loads(body)["resourceType"] == "OperationOutcome"
        connection.sendall(request("POST", PATH, GOOD, JSON))
        assert receive(connection)[0] == 200
    assert server.workers() == before


def test_a_number_of_5000_digits_changes_nothing_else(server: Running) -> None:
    body = GOOD.replace(b'"value": 92', b'"value": ' + b"9" * 5000, 1)
    assert body != GOOD
    with server.connect() as connection:
        connection.sendall(request("POST", PATH, body, JSON))
        status, _, answer = receive(connection)
    assert status in (200, 400)
    if status == 200:
        assert json.loads(answer)["extension"]["org.postcart"]["category"] == "cd19-negative"


def test_no_full_collection_falls_into_a_call(server: Running) -> None:
    with server.connect() as connection:
        message = request("POST", PATH, GOOD, JSON)
        for _ in range(300):
            connection.sendall(message)
            assert receive(connection)[0] == 200
        connection.sendall(request("GET", "/metrics", b""))
        text = receive(connection)[2].decode()
    assert "postcart_full_collections_inside_calls_total 0\n" in text


def test_workers_are_fresh_processes_that_come_back(server: Running) -> None:
    """A worker never shares locks with its parent, and one that dies is replaced."""
    (worker,) = [
        pid for pid in server.workers() if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(worker, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            good(server)
            break
        time.sleep(0.2)
    good(server)
    assert worker not in server.workers()


def test_calls_for_several_patients_at_once_never_mix(server: Running) -> None:
    """Interleaved calls over many connections: each answer is the one its own chart gets alone (hazard H-02)."""
    bodies = [path.read_bytes() for path in sorted(REQUESTS.glob("*.json"))]
    bodies = [body for body in bodies if json.loads(body).get("_expect", {}).get("status", 200) == 200]

    def said(body: bytes) -> tuple[str, list[tuple[str, str]]]:
        service = "order-check" if json.loads(body)["hook"].startswith("order") else "relapse"
        with server.connect() as connection:
            connection.sendall(request("POST", f"/cds-services/post-car-t-{service}", body, JSON))
            status, _, answer = receive(connection)
        assert status == 200
        found = json.loads(answer)
        cards = [(card["summary"], card["detail"]) for card in found["cards"]]
        return found["extension"]["org.postcart"]["category"], cards

    alone = [said(body) for body in bodies]
    turns = [number % len(bodies) for number in range(200)]
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(lambda turn: said(bodies[turn]), turns))
    assert together == [alone[turn] for turn in turns]


def test_log_lines_are_json_without_patient_data(server: Running) -> None:
    good(server)
    time.sleep(0.2)
    lines = [line for line in server.errors if line.startswith("{")]
    assert lines
    assert all(json.loads(line)["event"] for line in lines)
    assert not any("Zztest" in line or "syn-cd19" in line for line in server.errors)
