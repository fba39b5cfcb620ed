"""The outermost layer: ids, budgets, draining, malformed bodies, the guard against endless calls."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from smart_app.edge import CALL_KEY, Edge
from smart_app.operations.call_guard import CallGuard
from smart_app.operations.drain import Drain, DrainBoard, wait_until_drained
from smart_app.operations.limits import Budget
from smart_app.operations.metrics import Metrics
from smart_app.operations.request_ids import choose_request_id, request_id

ROOT = Path(__file__).parents[2]


class Called:
    """One answer of the edge."""

    def __init__(self, edge: Edge, path: str = "/cds-services/x", **environ: Any) -> None:
        self.status = ""
        self.headers: dict[str, str] = {}
        self.environ = {"REQUEST_METHOD": "POST", "PATH_INFO": path, "wsgi.input": io.BytesIO(), **environ}

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            self.status = status
            self.headers = dict(headers)
            return lambda data: None

        self.body = b"".join(edge(self.environ, start))


def answering(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [environ["wsgi.input"].read()]


def test_t28_an_answer_carries_the_callers_id_where_it_is_harmless() -> None:
    done = Called(Edge(answering, Metrics()), HTTP_X_REQUEST_ID="abc-123")
    assert done.headers["X-Request-Id"] == request_id(done.environ) == "abc-123"


@pytest.mark.parametrize(
    "given", [None, "", "a b", "a\x1b[2J", "é", "a_b", "x" * 65, "Zztest, Alma", "a\n", "../x", "%0d%0a"]
)
def test_t28_any_other_id_is_replaced(given: str | None) -> None:
    chosen = choose_request_id(given)
    assert chosen != given
    assert len(chosen) == 36
    assert chosen != choose_request_id(given)


def test_t28_the_longest_harmless_id_is_kept() -> None:
    assert choose_request_id("x" * 64) == "x" * 64


def test_calls_are_counted_with_what_the_app_noted() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ[CALL_KEY] = ("post-car-t-relapse", "patient-view")
        return answering(environ, start_response)

    metrics = Metrics()
    Called(Edge(app, metrics))
    assert metrics.get("postcart_calls_total", "hook", "patient-view") == 1


def sized(length: int) -> dict[str, Any]:
    return {"CONTENT_LENGTH": str(length), "wsgi.input": io.BytesIO(b"x" * length)}


def test_t26_beyond_the_budget_a_call_gets_503_at_once_and_its_body_is_drained(capsys: Any) -> None:
    budget, metrics = Budget(most_calls=2, most_bytes=100), Metrics()
    inner: list[Called] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        if not inner:
            inner.append(Called(edge, **sized(50)))
        return answering(environ, start_response)

    edge = Edge(app, metrics, budget=budget)
    outer = Called(edge, **sized(60))
    (refused,) = inner
    assert outer.status == "200 OK"
    assert refused.status.startswith("503")
    assert refused.headers["Retry-After"] == "1"
    assert json.loads(refused.body)["resourceType"] == "OperationOutcome"
    assert refused.environ["wsgi.input"].read() == b""
    assert (budget.calls, budget.bytes) == (0, 0)
    assert metrics.get("postcart_shed_total", "why", "bytes") == 1
    assert json.loads(capsys.readouterr().err)["why"] == "bytes"
    assert Called(edge, **sized(60)).status == "200 OK"


def test_t26_a_body_of_unknown_length_is_charged_while_it_is_read() -> None:
    budget = Budget(most_calls=5, most_bytes=100)
    budget.enter(90)
    seen: list[str] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        try:
            return answering(environ, start_response)
        except OSError:
            seen.append("refused")
            start_response("400 BAD REQUEST", [])
            return []

    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": io.BytesIO(b"x" * 50)}
    Called(Edge(app, Metrics(), budget=budget), **chunked)
    assert seen == ["refused"]
    assert (budget.calls, budget.bytes) == (1, 90)


def test_the_budget_is_given_back_when_the_app_raises() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        raise RuntimeError

    budget, drain = Budget(5), Drain()
    with pytest.raises(RuntimeError):
        Called(Edge(app, Metrics(), budget=budget, drain=drain), **sized(7))
    assert (budget.calls, budget.bytes, drain.running) == (0, 0, 0)


def test_states_are_answered_whatever_the_load() -> None:
    budget = Budget(most_calls=0)
    edge = Edge(answering, Metrics(), budget=budget)
    assert Called(edge).status.startswith("503")
    for path in ("/health", "/ready", "/metrics"):
        assert Called(edge, path).status == "200 OK"


def test_a_body_the_server_finds_malformed_is_an_oserror_whatever_the_server_raises() -> None:
    """A trailer in a chunked body made gunicorn's parser raise inside the read: 400, never 500."""
    from gunicorn.http.errors import InvalidHeader

    class Odd(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise InvalidHeader("Content-Length")

    def app(environ: Any, start_response: Any) -> list[bytes]:
        with pytest.raises(OSError, match="malformed"):
            environ["wsgi.input"].read()
        start_response("400 BAD REQUEST", [])
        return []

    assert Called(
        Edge(app, Metrics()), HTTP_TRANSFER_ENCODING="chunked", **{"wsgi.input": Odd()}
    ).status.startswith("400")


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("POSTCART_DRAIN_BOARD", raising=False)
    made = DrainBoard.create()
    yield made
    made.remove()


def test_sigterm_row_running_calls_end_new_ones_are_refused_and_ready_is_off_first(board: DrainBoard) -> None:
    opened = DrainBoard.opened()
    assert opened is not None
    drain, metrics = Drain(opened), Metrics()
    begun, go, events = threading.Event(), threading.Event(), []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/slow":
            begun.set()
            go.wait(10)
            events.append("answered")
        return answering(environ, start_response)

    edge = Edge(app, metrics, drain=drain)
    slow = threading.Thread(target=lambda: events.append(Called(edge, "/slow").status))
    slow.start()
    assert begun.wait(5)
    assert board.running() == 1
    stopping = threading.Thread(
        target=wait_until_drained, args=(board, lambda: events.append("stopped")), kwargs={"notice": 0.0}
    )
    stopping.start()
    while not drain.draining:
        time.sleep(0.005)
    refused = Called(edge)
    assert refused.status.startswith("503")
    assert refused.headers["Retry-After"] == "1"
    assert Called(edge, "/ready").status == "200 OK"  # still asked: it is the readiness part that says no
    time.sleep(0.1)
    assert events == []
    go.set()
    slow.join(5)
    stopping.join(5)
    assert events[0] == "answered"
    assert set(events) == {"answered", "200 OK", "stopped"}
    assert board.running() == 0


def test_sigterm_row_a_call_that_does_not_end_is_waited_for_no_longer_than_the_grace(
    board: DrainBoard,
) -> None:
    board.note(1)
    started = time.monotonic()
    wait_until_drained(board, lambda: None, notice=0.0, grace=0.3)
    assert 0.3 <= time.monotonic() - started < 2


def test_calls_of_a_worker_that_died_are_not_waited_for(board: DrainBoard) -> None:
    code = "from smart_app.operations.drain import DrainBoard; DrainBoard.opened().note(3)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env={**os.environ})
    assert board.running() == 0


def test_the_board_is_readable_to_this_user_alone(board: DrainBoard) -> None:
    assert board.path.stat().st_mode & 0o077 == 0


def test_worker_row_a_call_over_its_processor_time_ends_the_worker(capsys: Any) -> None:
    killed: list[bool] = []
    guard = CallGuard(0.2, lambda: killed.append(True))
    stop = threading.Event()

    def endless() -> None:
        guard.enter()
        while not stop.is_set():
            sum(range(1000))
        guard.leave()

    thread = threading.Thread(target=endless)
    thread.start()
    deadline = time.monotonic() + 20
    while not guard.look() and time.monotonic() < deadline:
        time.sleep(0.02)
    stop.set()
    thread.join()
    assert killed
    assert json.loads(capsys.readouterr().err.splitlines()[0])["code"] == "call_killed"
    assert not guard.look()


def test_worker_row_waiting_is_not_working() -> None:
    guard = CallGuard(0.05, lambda: None)
    guard.enter()
    time.sleep(0.3)
    assert not guard.look()
    guard.leave()


def test_worker_row_the_process_ends_even_where_a_call_holds_the_interpreter() -> None:
    """One long step inside C code: no other thread runs, the fault handler ends the process."""
    code = (
        "from smart_app.operations.call_guard import CallGuard\n"
        "import time; guard = CallGuard(0.4); guard.start(); time.sleep(0.3); guard.enter()\n"
        "import re; re.match('(a+)+$', 'a' * 60 + 'b')\n"
    )
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert time.monotonic() - started < 30
