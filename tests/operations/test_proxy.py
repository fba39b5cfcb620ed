"""The shipped proxy configuration in front of the real service: slow clients, sizes, closed paths (R-08, T-26, T-29)."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import NGINX, OPENSSL, ROOT, Server, everything, granian, proxied, receive, request

pytestmark = pytest.mark.skipif(
    not (NGINX and OPENSSL), reason="nginx or openssl is not installed: the proxy file is not tested here"
)

PATH = "/cds-services/post-car-t-relapse"
JSON = "Content-Type: application/json"
GOOD = (ROOT / "tests" / "conformance" / "requests" / "cd19-negative-dlbcl.json").read_bytes()
SLOW = 50
IN_TIME = 0.5


@pytest.fixture(scope="module")
def service() -> Iterator[Server]:
    with granian() as running:
        yield running


@pytest.fixture(scope="module")
def proxy(service: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with proxied(tmp_path_factory.mktemp("proxy"), service.port) as running:
        yield running


def called(server: Server, message: bytes) -> tuple[int, dict[str, str], bytes]:
    with server.connect() as connection:
        connection.sendall(message)
        return receive(connection)


def test_a_good_call_goes_through_tls(proxy: Server) -> None:
    status, headers, body = called(proxy, request("POST", PATH, GOOD, JSON, "X-Request-Id: abc-1"))
    assert status == 200
    assert json.loads(body)["extension"]["org.postcart"]["category"] == "cd19-negative"
    assert headers["x-request-id"] == "abc-1"
    assert headers["strict-transport-security"].startswith("max-age=")
    assert not re.search(r"\d", headers.get("server", ""))


SLOW_HEADERS = b"POST /cds-services/post-car-t-relapse HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
SLOW_BODY = request("POST", PATH, GOOD, JSON)[: -len(GOOD)] + GOOD[:10]


@pytest.mark.parametrize("start", [SLOW_HEADERS, SLOW_BODY], ids=["headers", "bodies"])
def test_r08_fifty_slow_clients_do_not_keep_good_calls_from_their_answer(proxy: Server, start: bytes) -> None:
    """R-08: at least 95 % of the good calls in time while fifty clients send a byte now and then."""
    with contextlib.ExitStack() as slow:
        clients = [slow.enter_context(proxy.connect()) for _ in range(SLOW)]
        for client in clients:
            client.sendall(start)
        taken = []
        until = time.monotonic() + 4
        next_byte = 0.0
        while time.monotonic() < until:
            if time.monotonic() > next_byte:
                for client in clients:
                    client.sendall(b"a")
                next_byte = time.monotonic() + 0.5
            started = time.monotonic()
            assert called(proxy, request("POST", PATH, GOOD, JSON))[0] == 200
            taken.append(time.monotonic() - started)
            time.sleep(0.02)
    assert len(taken) >= 20
    assert sum(one <= IN_TIME for one in taken) >= 0.95 * len(taken), sorted(taken)[-5:]


def test_r08_without_the_proxy_slow_bodies_stop_the_service_and_it_recovers_within_a_second(
    service: Server,
) -> None:
    """Why the proxy is not optional: fifty slow bodies hold every thread; when they end, the service answers."""
    with contextlib.ExitStack() as slow:
        for _ in range(SLOW):
            slow.enter_context(service.connect()).sendall(SLOW_BODY)
        time.sleep(0.5)
        with service.connect(1.0) as waiting:
            waiting.sendall(request("POST", PATH, GOOD, JSON))
            with pytest.raises(TimeoutError):
                receive(waiting)
    started = time.monotonic()
    assert called(service, request("POST", PATH, GOOD, JSON))[0] == 200
    assert time.monotonic() - started < 1


def test_slow_clients_are_dropped_when_their_time_is_over(service: Server, tmp_path: Path) -> None:
    shorter = (
        ("client_header_timeout 10s;", "client_header_timeout 1s;"),
        ("client_body_timeout   30s;", "client_body_timeout 1s;"),
    )
    with proxied(tmp_path, service.port, *shorter) as proxy:
        for start in (SLOW_HEADERS, SLOW_BODY):
            with proxy.connect() as connection:
                connection.sendall(start)
                started = time.monotonic()
                found = everything(connection, 6)
                assert time.monotonic() - started < 5
                assert b" 200 " not in found[:20]


def test_t26_bodies_over_64_mb_and_headers_over_32_kb_are_refused(proxy: Server) -> None:
    over = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n{JSON}\r\nContent-Length: {64 * 2**20 + 1}\r\n\r\n"
    assert called(proxy, over.encode())[0] == 413
    assert called(proxy, request("GET", "/health", b"", f"X-A: {'a' * 9_000}"))[0] in (400, 431)
    many = [f"X-A{number}: {'a' * 3_900}" for number in range(10)]
    assert called(proxy, request("GET", "/health", b"", *many))[0] in (400, 431)
    assert called(proxy, request("GET", "/health", b"", f"X-A: {'a' * 7_000}"))[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/metrics", "/metrics/", "/METRICS", "//metrics", "/./metrics", "/x/../metrics", "/%6detrics", "/metrics?x=1",
        "/diagnostics", "/diagnostics/", "/diagnostics/launch/1", "//diagnostics", "/%64iagnostics", "/metrics%2f",
    ],
)  # fmt: skip
def test_t29_figures_and_diagnostics_are_closed_in_every_spelling(proxy: Server, path: str) -> None:
    status, _, body = called(proxy, request("GET", path))
    assert status in (400, 403, 404)
    assert b"postcart_" not in body


def test_t29_the_service_itself_answers_figures_to_its_own_machine(service: Server) -> None:
    status, _, body = called(service, request("GET", "/metrics"))
    assert status == 200
    assert b"postcart_calls_total" in body or b"postcart_call_milliseconds" in body


HIDDEN = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
HEAD = f"POST {PATH} HTTP/1.1\r\n{JSON}\r\n".encode()
ODD = {
    "two hosts": HEAD + b"Host: 127.0.0.1\r\nHost: other.example\r\nContent-Length: 0\r\n\r\n",
    "no host": HEAD + b"Content-Length: 0\r\n\r\n",
    "two lengths": HEAD + b"Host: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 48\r\n\r\nhello" + HIDDEN,
    "length and chunked": HEAD
    + b"Host: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    + HIDDEN,
    "odd coding": HEAD + b"Host: 127.0.0.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "blank before colon": HEAD
    + b"Host: 127.0.0.1\r\nTransfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\nhello",
    "NUL in a header": HEAD + b"Host: 127.0.0.1\r\nX-A: a\x00b\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("name", ODD)
def test_t27_requests_that_two_readers_read_differently_stop_at_the_proxy(proxy: Server, name: str) -> None:
    with proxy.connect() as connection:
        connection.sendall(ODD[name])
        found = everything(connection, 1.5)
    assert b'"status":"up"' not in found.replace(b" ", b"")
    assert b" 200 " not in found[:20]
    assert found.count(b"HTTP/1.1 ") <= 1


def test_other_methods_are_refused(proxy: Server) -> None:
    for method in ("TRACE", "DELETE", "PUT"):
        assert called(proxy, request(method, "/health"))[0] == 405


def test_h66_the_proxys_log_holds_no_query_no_workspace_and_no_body(service: Server, tmp_path: Path) -> None:
    with proxied(tmp_path, service.port) as proxy:
        called(
            proxy,
            request("GET", "/callback?code=qz7mcode&state=qz7mstate", b"", "Referer: https://qz7m.example/"),
        )
        called(proxy, request("GET", "/w/qz7mworkspace/page", b"", "User-Agent: qz7magent", "Cookie: a=qz7m"))
        called(proxy, request("GET", "/qz7mpath"))
        called(proxy, request("POST", PATH, b'{"qz7m": 1}', JSON))
        time.sleep(0.2)
        lines = (tmp_path / "postcart-access.log").read_text().splitlines()
        errors = (tmp_path / "postcart-error.log").read_text()
    rows = [json.loads(line) for line in lines]
    assert [row["path"] for row in rows if row["path"] != "/ready"] == ["/callback", "/w/-", "(other)", PATH]
    assert "qz7m" not in "".join(lines) + errors


def test_the_file_says_the_times_and_sizes_it_is_known_for() -> None:
    text = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
    for line in (
        "client_header_timeout 10s;",
        "client_body_timeout   30s;",
        "client_max_body_size        64m;",
        "large_client_header_buffers 4 8k;",
        "proxy_request_buffering on;",
        "proxy_next_upstream off;",
        "ssl_protocols TLSv1.2 TLSv1.3;",
    ):
        assert line in text
