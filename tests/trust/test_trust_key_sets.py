"""Keys of others and the servers that publish them: weak, false, slow, flooded, changed, gone (T-01, T-06)."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from forging import (
    ODD_KID,
    Clock,
    KeyServer,
    World,
    answering,
    b64,
    claims,
    key_set,
    listener,
    private_key,
    public_jwk,
    real_transport,
    sign,
    site_a,
    site_b,
    two_sites,
)

from ehr.jwks import IDLE_SECONDS, STALE_SECONDS, KeyCache, KeysBad, KeysUnreachable
from ehr.public_keys import KeyRefused, read_key_set, read_public_key
from ehr.transport import TransportFault

JKU = "https://a.example.org/keys"
ES = public_jwk(private_key("a"), "key-a")
RS = public_jwk(private_key("a", "RS384"), "rsa-a", "RS384")


def _changed(jwk: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {name: value for name, value in {**jwk, **changed}.items() if value is not None}


def _weak_rsa() -> dict[str, Any]:
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - weak on purpose
    return public_jwk(small, "k", "RS384")


REFUSED_KEYS: dict[str, tuple[dict[str, Any], str]] = {
    "oct": ({"kty": "oct", "kid": "k", "k": "c2VjcmV0"}, "secret-key"),
    "oct, empty": ({"kty": "oct", "kid": "k", "k": ""}, "secret-key"),
    "private EC": (_changed(ES, d="AAAA"), "secret-key"),
    "private RSA": (_changed(RS, d="AAAA"), "secret-key"),
    "oct in EC clothes": (_changed(ES, k="AAAA"), "secret-key"),
    "no kid": (_changed(ES, kid=None), "no-kid"),
    "kid empty": (_changed(ES, kid=""), "no-kid"),
    "kid a number": (_changed(ES, kid=1), "no-kid"),
    "for encryption": (_changed(ES, use="enc"), "not-for-signatures"),
    "for signing only": (_changed(ES, key_ops=["sign"]), "not-for-signatures"),
    "key_ops no list": (_changed(ES, key_ops="verify"), "not-for-signatures"),
    "P-521": (_changed(ES, crv="P-521"), "key-type"),
    "secp256k1": (_changed(ES, crv="secp256k1"), "key-type"),
    "Ed25519": ({"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "k"}, "key-type"),
    "no type": (_changed(ES, kty=None), "key-type"),
    "P-384 point named P-256": (_changed(ES, crv="P-256", alg=None), "key-form"),
    "point at zero": (_changed(ES, x=b64(bytes(48)), y=b64(bytes(48))), "key-form"),
    "point off the curve": (_changed(ES, x=b64(b"\1" * 48)), "key-form"),
    "x beyond the field": (_changed(ES, x=b64(b"\xff" * 48)), "key-form"),
    "x too long": (_changed(ES, x=b64(bytes(100))), "key-form"),
    "x no text": (_changed(ES, x=5), "key-form"),
    "x not base64": (_changed(ES, x="\u00e9!"), "key-form"),
    "RSA 1024": (_weak_rsa(), "key-size"),
    "RSA 16384": (_changed(RS, n=b64(b"\xff" * 2048)), "key-size"),
    "RSA 2048 by zeros before": (_changed(_weak_rsa(), n=b64(bytes(128) + b"\xff" * 128)), "key-size"),
    "exponent 1": (_changed(RS, e="AQ"), "key-size"),
    "exponent 3": (_changed(RS, e="Aw"), "key-size"),
    "exponent even": (_changed(RS, e=b64((65538).to_bytes(3))), "key-form"),
    "exponent huge": (_changed(RS, e=b64(b"\xff" * 64)), "key-size"),
    "alg of another family": (_changed(ES, alg="RS384"), "key-algorithm"),
    "alg HS256": (_changed(RS, alg="HS256"), "key-algorithm"),
    "alg no text": (_changed(RS, alg=["RS384"]), "key-algorithm"),
}


@pytest.mark.parametrize(("jwk", "code"), REFUSED_KEYS.values(), ids=REFUSED_KEYS)
def test_t_01_weak_false_and_secret_keys_are_refused(jwk: dict[str, Any], code: str) -> None:
    with pytest.raises(KeyRefused) as refused:
        read_public_key(jwk)
    assert refused.value.code == code


def test_t_01_a_key_has_the_algorithms_of_its_type_and_no_other() -> None:
    assert read_public_key(ES).algorithms == {"ES384"}
    assert read_public_key(_changed(RS, alg=None)).algorithms == {"RS384", "RS256"}
    assert read_public_key(RS).algorithms == {"RS384"}
    assert read_public_key(public_jwk(private_key("p", "ES256"), "p", "ES256")).algorithms == {"ES256"}
    assert read_public_key(_changed(ES, use=None, key_ops=None, alg=None)).for_algorithm("RS384") is None


def test_a_set_may_hold_keys_of_other_kinds() -> None:
    others = [jwk for jwk, _ in REFUSED_KEYS.values() if jwk.get("kid") == "k"][:1]
    assert set(read_key_set(key_set(*others, ES, _changed(RS, kid=ODD_KID)))) == {"key-a", ODD_KID}
    assert read_key_set(b'{"keys": []}') == {}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "set-form"),
        (b"<html>not here</html>", "set-form"),
        (b"[]", "set-form"),
        (b"{}", "set-form"),
        (b'{"keys": {}}', "set-form"),
        (b'{"keys": [1]}', "set-form"),
        (b'{"keys": [{"kid": "\xff"}]}', "set-form"),
        (b"[" * 100_000, "set-form"),
        (b'{"keys":' + b"[" * 900 + b"]" * 900 + b"}", "set-form"),
        (b'{"keys":[' + b'{"x":' * 900 + b"1" + b"}" * 900 + b"]}", "set-form"),
        (key_set(ES, ES), "kid-twice"),
        (key_set(ES, {"kty": "oct", "kid": "key-a", "k": "AAAA"}), "kid-twice"),
        (key_set({"kty": "oct", "kid": "key-a", "k": "AAAA"}), "no-usable-key"),
        (key_set(*[{"kid": str(n)} for n in range(101)]), "set-size"),
    ],
)
def test_t_06_a_set_not_fit_for_use_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(KeyRefused) as refused:
        read_key_set(body)
    assert refused.value.code == code


# -- the cache, with a clock that is moved by hand -----------------------------------------------


def _cache() -> World:
    world = two_sites()
    world.admit(sign(private_key("a"), claims()))
    assert world.server.reads == [JKU]
    return world


def _find(world: World, kid: str = "key-a") -> object:
    return world.keys.find(world.sites[0], JKU, kid, "ES384")


def test_t_06_forty_unknown_kids_cost_at_most_five_reads_and_good_callers_nothing() -> None:
    world = _cache()
    for n in range(40):
        assert world.why(sign(private_key("stranger"), claims(), kid=f"unknown-{n}")) == "unknown_key"
    assert len(world.server.reads) <= 5
    assert world.why(sign(private_key("a"), claims())) == "admitted"
    world.clock.at += 61
    for n in range(40, 80):
        assert _find(world, f"unknown-{n}") is None
    assert 6 <= len(world.server.reads) <= 10


def test_t_06_t_35_the_flood_of_one_site_does_not_cost_another_its_reads() -> None:
    world = _cache()
    for n in range(40):
        _find(world, f"unknown-{n}")
    assert world.why(sign(private_key("b"), claims("https://b.example.org"), kid="key-b")) == "admitted"


def test_t_06_a_flood_that_names_one_address_does_not_starve_another_of_the_site() -> None:
    """A day of forged tokens that name address A: keys of B are renewed, changed and taken back as ever."""
    other = f"{JKU}-b"
    server, clock = KeyServer({JKU: key_set(ES), other: key_set(_changed(ES, kid="kid-b"))}), Clock()
    site = site_a(jku=(JKU, other))
    keys = KeyCache(server, monotonic=clock, start=lambda work: work())
    assert keys.find(site, other, "kid-b", "ES384") is not None
    for minute in range(25 * 60):
        for n in range(6):
            clock.at += 10
            assert keys.find(site, JKU, f"unknown-{minute}-{n}", "ES384") is None
        assert keys.find(site, other, "kid-b", "ES384") is not None, minute
        assert len([read for read in server.reads if read == JKU]) <= 3 * (minute + 1)
    server.sets[other] = key_set(_changed(ES, kid="kid-c"))
    assert keys.find(site, other, "kid-c", "ES384") is not None
    assert keys.find(site, other, "kid-b", "ES384") is None


def test_t_06_unknown_kids_at_all_addresses_together_cost_at_most_five_reads() -> None:
    addresses = tuple(f"{JKU}-{n}" for n in range(4))
    server, clock = KeyServer({url: key_set(ES) for url in addresses}), Clock()
    site = site_a(jku=addresses)
    keys = KeyCache(server, monotonic=clock, start=lambda work: work())
    for n in range(40):
        assert keys.find(site, None, f"unknown-{n}", "ES384") is None
    assert len(server.reads) <= 5


def test_t_06_one_unknown_kid_is_asked_for_once() -> None:
    world = _cache()
    for _ in range(10):
        assert _find(world, "unknown") is None
    assert len(world.server.reads) == 2


def test_a_new_key_is_picked_up_at_its_first_use_and_a_known_one_asks_nothing() -> None:
    world = _cache()
    fresh = private_key("fresh")
    world.server.sets[JKU] = key_set(ES, public_jwk(fresh, "key-new"))
    assert world.why(sign(fresh, claims(), kid="key-new")) == "admitted"
    assert len(world.server.reads) == 2
    for _ in range(20):
        assert world.why(sign(fresh, claims(), kid="key-new")) == "admitted"
    assert len(world.server.reads) == 2
    assert world.notes == [("A", "fresh")] * 2 + [("A", "cached")] * 20


def test_a_new_key_is_picked_up_in_the_middle_of_a_flood() -> None:
    world = _cache()
    fresh = private_key("fresh")
    world.server.sets[JKU] = key_set(ES, public_jwk(fresh, "key-new"))
    for n in range(40):
        _find(world, f"unknown-{n}")
    assert world.why(sign(fresh, claims(), kid="key-new")) == "admitted"


def test_a_key_taken_back_is_refused_after_five_minutes() -> None:
    world = _cache()
    world.server.sets[JKU] = key_set(RS)
    world.clock.at += 301
    _find(world)
    assert _find(world) is None
    world.server.sets[JKU] = b'{"keys": []}'
    world.clock.at += 301
    assert world.keys.find(world.sites[0], JKU, "rsa-a", "RS384") is None


def test_after_a_long_pause_the_set_is_read_before_the_old_key_is_used() -> None:
    server, clock = KeyServer({JKU: key_set(ES)}), Clock()
    keys = KeyCache(server, monotonic=clock, start=lambda work: None)
    assert keys.find(site_a(), JKU, "key-a", "ES384") is not None
    server.sets[JKU] = key_set(RS)
    clock.at += IDLE_SECONDS + 1
    assert keys.find(site_a(), JKU, "key-a", "ES384") is None


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (TransportFault("down"), "jwks_unreachable"),
        (TransportFault("deadline"), "jwks_unreachable"),
        (TransportFault("redirect"), "jwks_bad"),
        (TransportFault("too-large"), "jwks_bad"),
        (TransportFault("bad"), "jwks_bad"),
    ],
)
def test_t_06_with_the_key_server_down_known_keys_stay_good_for_a_day(broken: Exception, code: str) -> None:
    world = _cache()
    world.server.broken = broken
    start = world.clock.at
    for hours in (0.1, 1.5, 12, 23.9):
        world.clock.at = start + hours * 3600
        assert _find(world) is not None
        assert _find(world) is not None
        assert world.keys.states() == {("A", JKU): "jwks_stale"}
    assert {("A", code), ("A", "jwks_stale")} <= set(world.notes)
    with pytest.raises((KeysUnreachable, KeysBad)) as refused:
        _find(world, "unknown")
    assert refused.value.code == code
    world.clock.at = start + STALE_SECONDS + 1
    with pytest.raises((KeysUnreachable, KeysBad)):
        _find(world)
    assert world.keys.states() == {("A", JKU): code}
    world.server.broken = None
    world.clock.at += 13
    assert _find(world) is not None
    assert world.keys.states() == {("A", JKU): "ok"}


@pytest.mark.parametrize(
    "body", [b"<html>", key_set(ES, ES), key_set({"kty": "oct", "kid": "key-a", "k": "AAAA"})]
)
def test_t_06_a_bad_new_set_is_refused_and_the_old_one_kept(body: bytes) -> None:
    world = _cache()
    world.server.sets[JKU] = body
    world.clock.at += 301
    assert _find(world) is not None
    assert _find(world) is not None
    assert ("A", "jwks_bad") in world.notes
    world.clock.at += 13
    with pytest.raises(KeysBad):
        _find(world, "unknown")


def test_an_error_status_is_no_key_set() -> None:
    world = two_sites()
    world.server.status = 500
    assert world.why(sign(private_key("a"), claims())) == "jwks_unreachable"


def test_t_06_a_server_that_is_down_is_not_asked_at_each_call_and_comes_back_soon() -> None:
    world = two_sites()
    world.server.broken = TransportFault("down")
    token = sign(private_key("a"), claims())
    for _ in range(50):
        assert world.why(token) == "jwks_unreachable"
    assert len(world.server.reads) == 1
    world.server.broken = None
    world.clock.at += 3
    assert world.why(token) == "admitted"


def test_t_06_many_callers_at_once_make_one_read() -> None:
    world = two_sites()
    world.server.before = lambda: time.sleep(0.2)
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(_find(world))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(world.server.reads) == 1
    assert None not in found
    assert len(found) == 12


def test_a_renewal_in_the_background_does_not_hold_callers() -> None:
    server, clock = KeyServer({JKU: key_set(ES)}), Clock()
    started: list[Callable[[], None]] = []
    keys = KeyCache(server, monotonic=clock, start=started.append)
    site = site_a()
    assert keys.find(site, JKU, "key-a", "ES384") is not None
    clock.at += 301
    assert keys.find(site, JKU, "key-a", "ES384") is not None
    assert len(server.reads) == 1
    started[0]()
    assert len(server.reads) == 2
    assert keys.find(site, JKU, "key-a", "ES384") is not None
    assert len(started) == 1


def test_t_05_only_a_listed_address_is_read() -> None:
    world = two_sites()
    assert world.keys.find(world.sites[0], "https://b.example.org/keys", "key-b", "ES384") is None
    assert world.server.reads == []


def test_keys_of_sites_that_are_gone_are_forgotten() -> None:
    world = _cache()
    world.keys.forget(frozenset({"B"}))
    assert world.keys.states() == {}


def test_keys_of_an_address_for_id_tokens() -> None:
    world = two_sites()
    assert world.keys.find_at(JKU, "key-a", "ES384") is not None
    assert world.keys.find_at(JKU, "key-a", "RS256") is None
    with pytest.raises(KeysBad):
        world.keys.find_at("http://a.example.org/keys", "key-a", "ES384", allow_http=True)


def test_an_id_token_without_kid_is_checked_with_the_one_key_that_fits() -> None:
    """OpenID Connect Core 10.1; public test servers leave it out. With a choice of keys it is refused."""
    world = two_sites()
    found = world.keys.find_at(JKU, "", "ES384")
    assert found is not None
    assert found.thumbprint() == read_public_key(ES).thumbprint
    assert world.keys.find_at(JKU, "", "ES256") is None
    assert len(world.server.reads) == 1
    other = public_jwk(private_key("other"), "key-other")
    world.server.sets[JKU] = key_set(ES, other)
    world.clock.at += IDLE_SECONDS + 1
    assert world.keys.find_at(JKU, "key-other", "ES384") is not None
    assert world.keys.find_at(JKU, "", "ES384") is None
    assert world.why(sign(private_key("a"), claims(), kid="")) == "kid"


def test_t_06_an_id_token_without_kid_is_refused_while_no_key_set_was_had() -> None:
    world = two_sites()
    world.server.broken = TransportFault("down")
    with pytest.raises(KeysUnreachable):
        world.keys.find_at(JKU, "", "ES384")
    world.server.broken = None
    world.clock.at += 13
    assert world.keys.find_at(JKU, "", "ES384") is not None


def test_t_05_a_key_set_that_was_changed_is_followed_without_kid() -> None:
    world = two_sites()
    assert world.keys.find_at(JKU, "", "ES384") is not None
    fresh = public_jwk(private_key("fresh"), "key-new")
    world.server.sets[JKU] = key_set(fresh)
    world.clock.at += 301
    world.keys.find_at(JKU, "", "ES384")
    now = world.keys.find_at(JKU, "", "ES384")
    assert now is not None
    assert now.thumbprint() == read_public_key(fresh).thumbprint


def test_several_registered_addresses_are_tried_where_the_token_names_none() -> None:
    site = site_a(jku=("https://a.example.org/old", JKU))
    world = World((site, site_b()), two_sites().server)
    world.server.sets["https://a.example.org/old"] = b"<html>"
    assert world.why(sign(private_key("a"), claims())) == "admitted"
    assert world.why(sign(private_key("a"), claims(), kid="unknown")) == "jwks_bad"


# -- a lying server on a real connection -------------------------------------------------------


def _drip(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(200):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)
    except OSError:
        return


def _endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b" " * 65536)
    except OSError:
        return


def _silent(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(4)


LYING: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {
    "drip": _drip,
    "endless": _endless,
    "silent": _silent,
    "deep": answering(b"[" * 100_000),
    "html": answering(b"<html></html>"),
    "large": answering(json.dumps({"keys": [ES], "x": "y" * 300_000}).encode()),
    "oct": answering(key_set({"kty": "oct", "kid": "key-a", "k": "AAAA"})),
    "not found": answering(key_set(ES), status=404),
    "error": answering(key_set(ES), status=500),
}


@pytest.mark.parametrize("mode", LYING)
def test_t_06_a_lying_key_server_ends_within_two_seconds_and_lets_nobody_in(mode: str) -> None:
    with listener(LYING[mode]) as (address, asked), real_transport() as transport:
        site = site_a(environment="test", jku=(address + "/keys",))
        keys = KeyCache(transport)
        began = time.monotonic()
        with pytest.raises((KeysUnreachable, KeysBad)):
            keys.find(site, site.jku[0], "key-a", "ES384")
        assert time.monotonic() - began < 2.2 + 0.3
        assert len(asked) == 1


def test_t_06_a_redirect_of_the_key_server_is_not_followed() -> None:
    with listener(answering(key_set(ES))) as (canary, touched):
        moved = answering(b"", status=302, Location=canary + "/keys")
        with listener(moved) as (address, _), real_transport() as transport:
            site = site_a(environment="test", jku=(address + "/keys",))
            with pytest.raises(KeysBad):
                KeyCache(transport).find(site, site.jku[0], "key-a", "ES384")
        assert touched == []


def test_ec_keys_with_short_numbers_are_read() -> None:
    """A few publishers leave leading zeros of x and y out."""
    for n in range(400):
        point = ec.derive_private_key(n + 2, ec.SECP384R1()).public_key().public_numbers()
        if point.x < 1 << 376:
            short = b64(point.x.to_bytes(47))
            jwk = {"kty": "EC", "crv": "P-384", "kid": "k", "x": short, "y": b64(point.y.to_bytes(48))}
            assert read_public_key(jwk).algorithms == {"ES384"}
            return
    pytest.fail("no short number found")
