"""Own signing keys and their rotation, sealed rows, scopes and client assertions, each without a network."""

from __future__ import annotations

import argparse
import base64
import hmac
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

from ehr.own_keys import LEAD, OVERLAP, KeyFault, KeyFolder, load, new_key, rotate
from ehr.site import ClientKind, SmartClient
from smart_app.keys_command import add_arguments, run
from smart_app.launch.fault import LaunchFault
from smart_app.launch.identity import read_id_token
from smart_app.launch.oauth import ASSERTION_LIFE_S, SmartAssertion
from smart_app.launch.scopes import Grant, Scopes, granted_scopes, wanted_scopes
from smart_app.launch.seal import SealBroken, add_sealing_key, load_sealer

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def test_key_files_are_for_their_owner_only(tmp_path: Path) -> None:
    """Mode 0600 in a folder of 0700; a file that others may read is refused."""
    folder = tmp_path / "keys"
    new_key(folder, "ES384", NOW)
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    path.chmod(0o644)
    with pytest.raises(KeyFault) as fault:
        load(folder)
    assert fault.value.code == "open-file"


@pytest.mark.parametrize("alg", ["ES384", "RS384"])
def test_rotation_leaves_no_gap(tmp_path: Path, alg: str) -> None:
    """A successor is published a day before it signs; its predecessor stays a week after, then goes."""
    old = new_key(tmp_path / "k", alg, NOW)
    keys = load(tmp_path / "k")
    assert keys.signing(alg, NOW) == keys.keys[0]
    later = NOW + timedelta(days=100)
    new = rotate(tmp_path / "k", alg, later)
    keys = load(tmp_path / "k")

    def kids(when: datetime) -> tuple[str, set[str]]:
        signing = keys.signing(alg, when)
        assert signing is not None
        return signing.kid, {own.kid for own in keys.published(when)}

    assert kids(later) == (old.kid, {old.kid, new.kid})
    assert kids(later + LEAD) == (new.kid, {old.kid, new.kid})
    assert kids(later + LEAD + OVERLAP - timedelta(seconds=1))[1] == {old.kid, new.kid}
    assert kids(later + LEAD + OVERLAP) == (new.kid, {new.kid})
    rotate(tmp_path / "k", alg, later + timedelta(days=30))
    assert old.kid not in {own.kid for own in load(tmp_path / "k").keys}
    assert rotate(tmp_path / "k", alg, later + timedelta(days=40), at_once=True).kid == (
        load(tmp_path / "k").signing(alg, later + timedelta(days=40)).kid  # type: ignore[union-attr]
    )


@given(st.lists(st.integers(0, 400), min_size=1, max_size=6, unique=True), st.integers(0, 500))
def test_the_signing_key_is_always_published_for_a_day_before(days: list[int], at: int) -> None:
    """Property: whatever the rotations, what signs has been published since a day, unless it is the only one."""
    from ehr.own_keys import OwnKey, OwnKeys

    key = ECKey.generate_key("P-384")
    rows = tuple(OwnKey(f"k{day}", "ES384", NOW + timedelta(days=day), False, key) for day in sorted(days))
    now = NOW + timedelta(days=at)
    there = OwnKeys(tuple(row for row in rows if row.created <= now))
    signing = there.signing("ES384", now)
    if not there.keys:
        assert signing is None
        return
    assert signing is not None
    assert signing in there.published(now)
    assert signing == there.keys[0] or now - signing.created >= LEAD


def test_a_folder_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """A rotation needs no restart."""
    folder = KeyFolder(tmp_path, lambda: NOW)
    assert folder.signing("ES384") is None
    assert folder.public_set() == {"keys": []}
    made = new_key(tmp_path, "ES384", NOW)
    signing = folder.signing("ES384")
    assert signing is not None
    assert signing.kid == made.kid
    days = folder.days_left(NOW + timedelta(days=300))
    assert days is not None
    assert round(days) == 65


def test_keys_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`postcart keys new|rotate|show`: public halves on standard output, nothing private anywhere."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)

    def keys(*words: str) -> tuple[int, str]:
        status = run(parser.parse_args(words))
        return status, capsys.readouterr().out

    folder = str(tmp_path / "keys")
    assert keys("show")[0] == 2
    assert keys("rotate", "--dir", folder)[0] == 2
    assert len(json.loads(keys("new", "--dir", folder)[1])["keys"]) == 2
    assert keys("new", "--dir", folder)[0] == 2
    status, out = keys("rotate", "--dir", folder, "--alg", "ES384")
    assert status == 0
    assert sorted(key["alg"] for key in json.loads(out)["keys"]) == ["ES384", "ES384", "RS384"]
    assert not [key for key in json.loads(keys("show", "--dir", folder)[1])["keys"] if "d" in key]


def test_t18_seals_are_bound_to_row_and_key(tmp_path: Path) -> None:
    """T-18: opens with the same row's name and a key that is there; any byte altered, another row or key: broken."""
    sealer = load_sealer(tmp_path)
    sealed = sealer.seal(b"secret words", "workspace:a")
    assert b"secret" not in sealed
    assert load_sealer(tmp_path).open(sealed, "workspace:a") == b"secret words"
    for broken in (sealed[:-1], sealed + b"x", b"", b"0001-00000000." + sealed.split(b".", 1)[1]):
        with pytest.raises(SealBroken):
            sealer.open(broken, "workspace:a")
    for place in range(len(sealed)):
        with pytest.raises(SealBroken):
            sealer.open(sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :], "workspace:a")
    with pytest.raises(SealBroken):
        sealer.open(sealed, "workspace:b")
    add_sealing_key(tmp_path)
    newer = load_sealer(tmp_path)
    assert newer.open(sealed, "workspace:a") == b"secret words"
    assert newer.seal(b"x", "y").split(b".")[0] != sealed.split(b".")[0]


@pytest.mark.parametrize("alg", ["ES384", "RS384"])
def test_assertions_are_short_lived_named_and_never_repeat(tmp_path: Path, alg: str) -> None:
    """`kid`, `typ`, at most five minutes, a fresh `jti` each time, audience the token endpoint."""
    own = new_key(tmp_path, alg, NOW)
    maker = SmartAssertion("https://ehr.example/token", own)
    client = type("Client", (), {"client_id": "app"})()
    tokens = [maker.sign(client, "https://ehr.example/token") for _ in range(3)]
    registry = JWSRegistry(algorithms=[alg], strict_check_header=False)
    read = [jwt.decode(token, own.key, algorithms=[alg], registry=registry) for token in tokens]
    assert len({token.claims["jti"] for token in read}) == 3
    for token in read:
        assert token.header == {"typ": "JWT", "alg": alg, "kid": own.kid}
        assert token.claims["exp"] - token.claims["iat"] == ASSERTION_LIFE_S <= 300
        assert token.claims["iss"] == token.claims["sub"] == "app"
        assert token.claims["aud"] == "https://ehr.example/token"


def _client(**changes: Any) -> SmartClient:
    return SmartClient(
        **{"iss": "https://ehr.example/fhir", "client_id": "app", "auth": ClientKind.PUBLIC, **changes}
    )


def test_scopes_asked_for_are_the_least() -> None:
    """No wildcard, no write; letters of v2 in order; the prefix is the site's."""
    for style, read, search in (("v1", ".read", ".read"), ("v2", ".r", ".rs")):
        scopes = wanted_scopes(_client(scopes=style), ehr_launch=True, refresh=True)
        assert f"patient/Patient{read}" in scopes
        assert f"patient/Observation{search}" in scopes
        assert not [scope for scope in scopes if "*" in scope or "write" in scope]
    assert "user/Condition.rs" in wanted_scopes(_client(scope_prefix="user"), ehr_launch=True, refresh=False)


@pytest.mark.parametrize(("granted", "expected"), [
    ("patient/Observation.rs", Grant.FULL),
    ("patient/Observation.read", Grant.FULL),
    ("patient/*.read", Grant.FULL),
    ("user/Observation.cruds", Grant.FULL),
    ("patient/Observation.s", Grant.FULL),
    ("patient/Observation.r", Grant.WITHHELD),
    ("patient/Observation.write", Grant.WITHHELD),
    ("patient/Observations.rs", Grant.WITHHELD),
    ("patient/Observation.sr", Grant.WITHHELD),
    ("system/Observation.rs", Grant.WITHHELD),
    ("patient/Observation.rs?category=laboratory", Grant.PART),
    ("patient/Observation.rs?category=laboratory patient/Observation.rs", Grant.FULL),
    ("", Grant.WITHHELD),
    ("openid launch", Grant.WITHHELD),
])  # fmt: skip
def test_what_a_grant_allows(granted: str, expected: Grant) -> None:
    """Only a scope that is understood and lets a search through counts."""
    assert Scopes((), granted_scopes(granted, ())).grant("Observation") is expected


@given(st.text(max_size=60))
def test_no_odd_grant_ever_counts(text: str) -> None:
    """Property: words outside the scope grammar grant nothing."""
    granted = granted_scopes(text, ())
    if "patient/" not in text and "user/" not in text:
        assert Scopes((), granted).grant("Observation") is Grant.WITHHELD


class _Keys:
    def __init__(self, key: Any) -> None:
        self.key = key

    def find_at(self, url: str, kid: str, alg: str, *, allow_http: bool = False) -> Any:
        return self.key


def _claims(**changes: Any) -> dict[str, Any]:
    now = int(NOW.timestamp())
    made = {
        "iss": "https://idp.example",
        "aud": "app",
        "sub": "u",
        "nonce": "n",
        "iat": now,
        "exp": now + 60,
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}


def _read(token: str, key: Any) -> Any:
    return read_id_token(
        token,
        keys=_Keys(key),
        jwks="https://idp.example/keys",
        issuer="https://idp.example",
        iss="https://ehr.example/fhir",
        client_id="app",
        nonce="n",
        now=NOW,
        test=False,
    )


def _b64(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def test_id_tokens_of_other_kinds_are_refused() -> None:
    """`none`, HMAC with the public key, other types, `crit`, another key, and an altered payload."""
    key, other = RSAKey.generate_key(2048), RSAKey.generate_key(2048)
    public = key.as_pem(private=False)
    good = jwt.encode(
        {"alg": "RS256", "kid": "k"}, _claims(fhirUser="https://ehr.example/fhir/Practitioner/1"), key
    )
    assert _read(good, key).reference == "Practitioner/1"
    head, body, tail = good.split(".")
    signed = f"{_b64({'alg': 'HS256', 'kid': 'k'})}.{_b64(_claims())}"
    bad = {
        "none": f"{_b64({'alg': 'none', 'kid': 'k'})}.{body}.",
        "hmac": f"{signed}.{_b64(hmac.digest(public, signed.encode(), 'sha256'))}",
        "type": jwt.encode({"alg": "RS256", "kid": "k", "typ": "at+jwt"}, _claims(), key),
        "crit": f"{_b64({'alg': 'RS256', 'kid': 'k', 'crit': ['exp']})}.{body}.{tail}",
        "other key": jwt.encode({"alg": "RS256", "kid": "k"}, _claims(), other),
        "altered": f"{head}.{_b64(_claims(sub='other'))}.{tail}",
        "hook audience": jwt.encode(
            {"alg": "RS256", "kid": "k"}, _claims(aud="https://x/cds-services/a"), key
        ),
        "expired": jwt.encode({"alg": "RS256", "kid": "k"}, _claims(exp=int(NOW.timestamp()) - 61), key),
        "issued later": jwt.encode(
            {"alg": "RS256", "kid": "k"}, _claims(iat=int(NOW.timestamp()) + 120), key
        ),
    }
    for name, token in bad.items():
        with pytest.raises(LaunchFault) as refused:
            _read(token, key)
        assert refused.value.code == "id-token-bad", name
    assert _read(
        jwt.encode({"alg": "RS256", "kid": "k"}, _claims(exp=int(NOW.timestamp()) - 30), key), key
    ).key


@pytest.mark.parametrize(("stated", "reference", "local"), [
    ("Practitioner/1", "Practitioner/1", True),
    ("https://ehr.example/fhir/Practitioner/1", "Practitioner/1", True),
    ("https://EHR.example:443/fhir/Practitioner/1", "Practitioner/1", True),
    ("https://other.example/fhir/Practitioner/1", "Practitioner/1", False),
    ("https://ehr.example/fhir/../x/Practitioner/1", "Practitioner/1", False),
    ("Device/1", "", False),
    ("nonsense", "", False),
    (7, "", False),
])  # fmt: skip
def test_forms_of_fhir_user(stated: Any, reference: str, local: bool) -> None:
    """The last two parts count; it is one of the site's own records only under the site's own base."""
    key = RSAKey.generate_key(2048)
    user = _read(jwt.encode({"alg": "RS256", "kid": "k"}, _claims(fhirUser=stated), key), key)
    assert (user.reference, user.local) == (reference, local)
