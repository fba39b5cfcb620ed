"""Failure matrix, rows "Key server", "Clock", "Secret or key file", "Proxy": who is let in when something is amiss."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import forging
import pytest
from matrix_stage import WHOLE, Answering, Stage, category, timed

from smart_app.settings import SettingsError

Staging = Callable[..., Stage]
READ_SECONDS = 2.0


def let_in(made: Stage, kid: str = "key-a") -> int:
    """The status of a call with everything in prefetch, signed under this key id."""
    answer = made.call(made.request(WHOLE, server=""), signed=made.token(kid))
    if answer.status_code == 200:
        assert category(answer) == "cd19-negative"
    else:
        assert answer.get_json()["resourceType"] == "OperationOutcome"
    return int(answer.status_code)


def test_key_server_down_with_a_known_kid(stage: Staging) -> None:
    """Row Key server down, known kid: 200 from the kept set."""
    made = stage()
    assert let_in(made) == 200
    made.keys.stop()
    assert [let_in(made) for _ in range(3)] == [200, 200, 200]


def test_key_server_down_with_a_kept_set_that_is_old(stage: Staging) -> None:
    """Row Key server down, known kid: kept for 24 h and said to be stale; later nobody is let in."""
    made = stage()
    assert let_in(made) == 200
    made.keys.stop()
    cache = made.running.parts.keys
    ahead = [0.0]
    cache._monotonic = lambda: time.monotonic() + ahead[0]
    ahead[0] = 23 * 3600
    assert let_in(made) == 200
    assert "jwks_stale" in made.figures()
    ahead[0] = 25 * 3600
    assert let_in(made) == 401


def test_key_server_down_with_an_unknown_kid(stage: Staging) -> None:
    """Row Key server down, unknown kid: 401, never accepted, the known one still is."""
    made = stage()
    assert let_in(made) == 200
    made.keys.stop()
    assert let_in(made, "key-of-nobody") == 401
    assert let_in(made) == 200


def test_key_server_never_reached(stage: Staging) -> None:
    """Row Key server down, unknown kid: without any kept set nobody comes in, and the figures say why."""
    made = stage()
    made.keys.stop()
    assert let_in(made) == 401
    assert 'why="jwks_unreachable"' in made.figures()


def _slow(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(6)


def _drip(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "900")
    handler.end_headers()
    for _ in range(120):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


@pytest.mark.parametrize("answer", [_slow, _drip], ids=["silent", "drip"])
def test_key_server_slow_is_401_by_two_seconds(stage: Staging, answer: Answering) -> None:
    """Row Key server slow."""
    made = stage()
    made.keys.answer = answer
    status, seconds = timed(lambda: let_in(made))
    assert status == 401
    assert seconds <= READ_SECONDS * 1.1 + 0.3  # the rest for a busy machine


def test_key_server_slow_lets_the_known_key_in_at_once(stage: Staging) -> None:
    """Row Key server slow, known kid."""
    made = stage()
    assert let_in(made) == 200
    made.keys.answer = _slow
    status, seconds = timed(lambda: let_in(made))
    assert status == 200
    assert seconds < 1.0


OTHER = forging.private_key("somebody-else")
LIES: dict[str, Answering] = {
    "html": forging.answering(b"<!DOCTYPE html><title>Log in</title>", Content_Type="text/html"),
    "500": forging.answering(b"{}", 500),
    "redirect": forging.answering(b"", 302, Location="http://127.0.0.1:9/keys"),
    "no keys": forging.answering(b'{"keys": []}'),
    "a symmetric key": forging.answering(b'{"keys": [{"kty": "oct", "kid": "key-a", "k": "c2VjcmV0"}]}'),
    "too large": forging.answering(b'{"keys": [' + b" " * 400_000 + b"]}"),
    "cut": forging.answering(forging.key_set(forging.public_jwk(OTHER, "key-a"))[:-9]),
}


@pytest.mark.parametrize("lie", LIES)
def test_key_server_lying_lets_nobody_in(stage: Staging, lie: str) -> None:
    """Row Key server lying: the set is refused; 401 for whoever is not known yet."""
    made = stage()
    made.keys.answer = LIES[lie]
    assert let_in(made) == 401
    assert made.keys.reads >= 1


@pytest.mark.parametrize("lie", [lie for lie in LIES if lie != "no keys"])
def test_key_server_lying_keeps_the_old_set(stage: Staging, lie: str) -> None:
    """Row Key server lying: the old set is kept when an unknown key id makes it read again."""
    made = stage()
    assert let_in(made) == 200
    made.keys.answer = LIES[lie]
    assert let_in(made, "key-new") == 401
    assert made.keys.reads == 2
    assert let_in(made) == 200


def test_key_server_that_publishes_a_strangers_key_first(stage: Staging) -> None:
    """Row Key server lying: a key that did not sign the token opens nothing."""
    made = stage()
    made.keys.answer = forging.answering(forging.key_set(forging.public_jwk(OTHER, "key-a")))
    assert let_in(made) == 401


@pytest.mark.parametrize("hours", [-1, 1])
def test_t33_clock_jump_of_an_hour_makes_tokens_old_or_early(stage: Staging, hours: int) -> None:
    """Row Clock jumps ±1 h: tokens are judged by the wall clock."""
    made = stage()
    made.running.parts.gate._clock = lambda: time.time() + hours * 3600
    assert let_in(made) == 401
    made.running.parts.gate._clock = time.time
    assert let_in(made) == 200


def test_h65_clock_far_off_is_not_ready(stage: Staging) -> None:
    """Row Clock: more than 2 min against other clocks warns, more than 10 min is not ready; cards still come."""
    made = stage()
    for skew, state, status in ((180, "warn", 200), (700, "wrong", 503)):
        for _ in range(9):
            made.running.clock.sample("matrix", time.time() - skew)
        code, told = made.ready()
        assert (code, told["parts"]["clock"]["state"]) == (status, state)
        assert "postcart_clock_skew_seconds" in made.figures()
    assert let_in(made) == 200


def test_key_file_with_a_wrong_mode_does_not_start(stage: Staging, tmp_path: Path) -> None:
    """Row Secret or key file, wrong mode: refused at start; right again, it starts."""
    stage().close()
    key = tmp_path / "keys" / "store.key"
    key.chmod(0o644)
    with pytest.raises(SettingsError, match=r"store\.key"):
        stage()
    key.chmod(0o600)
    assert let_in(stage()) == 200


@pytest.mark.parametrize("state", ["wrong mode", "missing"])
def test_client_secret_file_amiss_does_not_start(stage: Staging, tmp_path: Path, state: str) -> None:
    """Row Secret or key file: missing or readable for others."""
    secret = tmp_path / "secret"
    smart = (
        "[site.smart]",
        'iss = "http://127.0.0.1:9/fhir"',
        'client_id = "postcart"',
        'auth = "symmetric"',
        f'secret_file = "{secret}"',
    )
    if state == "wrong mode":
        secret.write_text("a-secret-of-some-length-1234567890")
        secret.chmod(0o644)
    with pytest.raises(SettingsError, match="secret_file"):
        stage(site=smart)
    secret.write_text("a-secret-of-some-length-1234567890")
    secret.chmod(0o600)
    assert let_in(stage(site=smart)) == 200


def test_t04_a_call_sent_twice_by_a_proxy_is_refused_and_with_a_new_token_answered_alike(
    stage: Staging,
) -> None:
    """Row Proxy retries a POST: the same token id is 401, a new token gets the same answer but for its random ids."""
    made = stage()
    sent = made.request(WHOLE, server="")
    token = made.token()
    first = made.call(sent, signed=token)
    assert first.status_code == 200
    assert made.call(sent, signed=token).status_code == 401
    again = made.call(sent).get_json()

    def without_ids(answer: object) -> object:
        if isinstance(answer, dict):
            rows = answer.items()
            return {
                name: without_ids(value)
                for name, value in rows
                if name not in ("uuid", "appContext", "links")
            }
        return [without_ids(value) for value in answer] if isinstance(answer, list) else answer

    assert json.dumps(without_ids(first.get_json())) == json.dumps(without_ids(again))
