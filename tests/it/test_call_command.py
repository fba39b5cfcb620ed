"""`postcart call`: signed as an EHR signs, sent to one address and nowhere else, told in harmless text."""

from __future__ import annotations

import json
import time
from pathlib import Path

import jwt
import pytest
from standing import GOOD, Hospital, Server, postcart


def test_the_services_own_key_calls_as_a_synthetic_site(hospital: Hospital) -> None:
    """H-55: a call that a monitor can make each minute, verified by the running service like any other."""
    for _ in range(2):  # each token has an id of its own, so the second is no replay
        done = postcart(
            *("call", str(GOOD), "--url", hospital.relapse),
            *("--config", str(hospital.config), "--site", "synthetic"),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith("status 200, ")
        assert "[" in done.stdout
        assert "Source:" in done.stdout


@pytest.mark.parametrize("form", ["ec.jwk", "ec.pem", "rsa.jwk", "rsa.pem"])
def test_a_callers_key_in_each_form(hospital: Hospital, form: str) -> None:
    """ES384 and RS384, from JWK and PEM; the service verifies with the pasted public key."""
    done = postcart(
        *("call", str(GOOD), "--url", hospital.relapse, "--key", str(hospital.key_files[form])),
        *("--kid", form.partition(".")[0], "--iss", "https://pasted.example.org"),
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_discovery_lists_the_services(hospital: Hospital) -> None:
    done = postcart(
        *("call", "--discovery", "--url", f"{hospital.base}/cds-services"),
        *("--config", str(hospital.config), "--site", "synthetic"),
    )
    assert done.returncode == 0, done.stderr
    assert "patient-view  post-car-t-relapse" in done.stdout
    assert "order-sign  post-car-t-order-check" in done.stdout
    assert "Condition?patient={{context.patientId}}&_count=1000" in done.stdout


def test_a_refusal_is_exit_1_and_points_to_the_log(hospital: Hospital) -> None:
    done = postcart(
        *("call", str(GOOD), "--url", hospital.relapse, "--key", str(hospital.key_files["ec.jwk"])),
        *("--iss", "https://somebody-else.example.org"),
    )
    assert done.returncode == 1
    assert done.stdout.startswith("status 401")
    assert "`refused`" in done.stdout
    assert '"why":"unknown_site"' in hospital.log.read_text("utf-8")


def test_the_token_is_for_this_address_alone_and_never_printed(hospital: Hospital) -> None:
    """T-03, T-04, T-20: aud to the letter, five minutes, a fresh id; nothing of it on the terminal."""
    key = json.loads(hospital.key_files["ec.jwk"].read_text())
    public = jwt.PyJWK({name: value for name, value in key.items() if name != "d"}, "ES384")
    with Server() as server:
        server.says("/cds-services/x", {"cards": []})
        url = f"{server.url}/cds-services/x"
        for _ in range(2):
            done = postcart(
                *("call", str(GOOD), "--url", url, "--key", str(hospital.key_files["ec.jwk"])),
                *("--iss", "https://north", "--jku", "https://north/keys", "--tenant", "ward"),
            )
            assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "no card")
            token = server.heard[-1][2]["Authorization"].removeprefix("Bearer ")
            assert token.split(".")[1] not in done.stdout + done.stderr
        tokens = [headers["Authorization"].removeprefix("Bearer ") for _, _, headers, _ in server.heard]
        assert server.heard[0][3] == GOOD.read_bytes(), "the request goes out byte by byte"
    claims = [jwt.decode(token, public, algorithms=["ES384"], audience=url) for token in tokens]
    assert claims[0]["aud"] == url
    assert (claims[0]["iss"], claims[0]["tenant"]) == ("https://north", "ward")
    assert claims[0]["exp"] - claims[0]["iat"] == 300
    assert claims[0]["jti"] != claims[1]["jti"]
    assert jwt.get_unverified_header(tokens[0]) == {
        "alg": "ES384",
        "typ": "JWT",
        "kid": "ec",
        "jku": "https://north/keys",
    }


@pytest.mark.parametrize(
    "url",
    [
        "http://ehr.example.org/cds-services/x",
        "http://127.0.0.1.evil.example/cds-services/x",
        "http://user@127.0.0.1/cds-services/x",
        "ftp://127.0.0.1/x",
        "//127.0.0.1/x",
    ],
)
def test_nothing_is_sent_in_the_clear_off_this_machine(hospital: Hospital, url: str) -> None:
    """T-07: https, or http on loopback; anything else is refused before a connection is made."""
    began = time.monotonic()
    done = postcart("call", str(GOOD), "--url", url, "--key", str(hospital.key_files["ec.jwk"]), "--iss", "x")
    assert done.returncode == 2
    assert "https" in done.stderr
    assert time.monotonic() - began < 5, "no name was looked up"


def test_a_redirect_is_not_followed(hospital: Hospital) -> None:
    """T-08: the token stays with the address it was made for."""
    with Server() as server, Server() as canary:
        server.says("/x", b"", 307, Location=f"{canary.url}/x")
        canary.says("/x", {"cards": []})
        done = postcart(
            *("call", str(GOOD), "--url", f"{server.url}/x"),
            *("--key", str(hospital.key_files["ec.jwk"]), "--iss", "x"),
        )
        assert (done.returncode, canary.heard) == (2, [])
        assert "redirect" in done.stderr


def test_what_comes_back_cannot_drive_the_terminal(hospital: Hospital) -> None:
    """T-28: escape sequences, direction controls and other invisible characters become blanks."""
    hostile = "\x1b[2J\x1b]0;x\x07\u202eevil\u200b\x9b31m"
    card = {
        "summary": hostile,
        "detail": f"one\n{hostile}",
        "indicator": hostile,
        "source": {"label": hostile},
    }
    card |= {
        "links": [{"label": hostile, "url": hostile, "type": hostile}],
        "suggestions": [{"label": hostile}],
    }
    with Server() as server:
        for path, status, body in (
            ("/cards", 200, {"cards": [card, "no card", None]}),
            ("/issue", 400, {"issue": [{"code": hostile, "diagnostics": hostile}]}),
            ("/services", 200, {"services": [{"hook": hostile, "id": 7, "prefetch": {hostile: hostile}}]}),
            ("/odd", 200, [hostile]),
        ):
            server.says(path, body, status, X_Request_Id="a\x9bb")
            done = postcart(
                *("call", str(GOOD), "--url", server.url + path),
                *("--key", str(hospital.key_files["ec.jwk"]), "--iss", "x"),
            )
            assert done.returncode == (0 if status == 200 else 1), done.stderr
            odd = {char for char in done.stdout if char != "\n" and not char.isprintable()}
            assert odd == set()
            assert ("evil" in done.stdout) == (path != "/odd")


def test_a_server_that_hangs_is_left_in_time(hospital: Hospital) -> None:
    with Server() as server:
        server.says("/x", 20.0)
        began = time.monotonic()
        done = postcart(
            *("call", str(GOOD), "--url", f"{server.url}/x", "--timeout", "1"),
            *("--key", str(hospital.key_files["ec.jwk"]), "--iss", "x"),
        )
    assert done.returncode == 2
    assert "--timeout" in done.stderr
    assert time.monotonic() - began < 8


def test_what_cannot_be_signed_or_read_is_exit_2_with_the_fix(hospital: Hospital, tmp_path: Path) -> None:
    """T-20: a key that others may read is not used; the key of a real EHR is the EHR's alone."""
    open_key = tmp_path / "open.jwk"
    open_key.write_bytes(hospital.key_files["ec.jwk"].read_bytes())
    open_key.chmod(0o644)
    no_key = tmp_path / "no.jwk"
    no_key.write_text(json.dumps({"kty": "oct", "k": "c2VjcmV0", "d": "x"}))
    no_key.chmod(0o600)
    (tmp_path / "torn.json").write_text("{")
    url, pem = hospital.relapse, str(hospital.key_files["ec.pem"])
    config = ("--config", str(hospital.config))
    for words, told in (
        ((str(GOOD), "--url", url, "--key", str(open_key), "--iss", "x"), "0600"),
        ((str(GOOD), "--url", url, "--key", str(no_key), "--iss", "x", "--kid", "k"), "no private key"),
        ((str(GOOD), "--url", url, "--key", pem, "--iss", "x"), "--kid"),
        ((str(GOOD), "--url", url, "--key", pem, "--kid", "ec"), "--iss"),
        ((str(GOOD), "--url", url), "--key FILE"),
        ((str(GOOD), "--url", url, *config, "--site", "nowhere"), "Registered: sandbox, synthetic, pasted"),
        ((str(GOOD), "--url", url, *config, "--site", "sandbox"), "its keys are the EHR's"),
        ((str(tmp_path / "torn.json"), "--url", url, *config, "--site", "synthetic"), "not JSON"),
        ((str(tmp_path / "none.json"), "--url", url, *config, "--site", "synthetic"), "cannot be read"),
        (("--url", url, *config, "--site", "synthetic"), "REQUEST.json"),
    ):
        done = postcart("call", *words)
        assert done.returncode == 2, (words, done.stdout)
        assert told in done.stderr, (words, done.stderr)
        assert "Traceback" not in done.stderr
