"""The gate: forged, crossed, misaddressed and mistimed tokens get one and the same 401 (T-01 to T-05, T-33, T-34)."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.x509.oid import NameOID
from forging import (
    AUDIENCES,
    NOW,
    ODD_KID,
    SERVICE,
    Clock,
    Table,
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
from hypothesis import event, given
from hypothesis import strategies as st
from joserfc.jwk import OctKey

from cds_hooks.outcome import outcome_body
from cds_hooks.trust import CHALLENGE, Gate, NotTrusted
from ehr.jwks import KeyCache
from ehr.registrations import Registry
from ehr.signed_token import TokenFault, open_token
from ehr.site import Config
from ehr.transport import TransportFault

A = "https://a.example.org"
JKU_A = A + "/keys"


# -- what is let in ----------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ["ES384", "RS384"])
def test_good_tokens_of_both_algorithms_are_admitted(alg: str) -> None:
    world = two_sites()
    kid = "key-a" if alg == "ES384" else "rsa-a"
    key = private_key("a", alg)
    caller = world.admit(sign(key, claims(sub="client", tenant="t1", nbf=NOW - 300), alg, kid=kid, jku=JKU_A))
    assert (caller.site.name, caller.issuer, caller.tenant, caller.subject) == ("A", A, "t1", "client")


def test_odd_kid_as_large_vendors_send_it_is_admitted() -> None:
    world = World((site_a(),))
    world.server.sets[JKU_A] = key_set(public_jwk(private_key("a"), ODD_KID))
    assert world.why(sign(private_key("a"), claims(), kid=ODD_KID, jku=JKU_A)) == "admitted"


def test_token_without_jku_is_checked_with_the_pasted_keys() -> None:
    world = World((site_a(jku=(), keys=(public_jwk(private_key("a"), "key-a"),)),))
    assert world.why(sign(private_key("a"), claims())) == "admitted"
    assert world.why(sign(private_key("b"), claims())) == "signature"
    assert world.why(sign(private_key("a"), claims(), kid="key-z")) == "unknown_key"
    assert world.server.reads == []


def test_token_without_jku_is_checked_with_the_sites_registered_key_set() -> None:
    world = two_sites()
    assert world.why(sign(private_key("a"), claims())) == "admitted"
    assert world.why(sign(private_key("b"), claims())) == "signature"
    assert set(world.server.reads) == {JKU_A}


@pytest.mark.parametrize("header", ["bearer {}", "BEARER {}", "Bearer   {}", "Bearer {} "])
def test_the_word_bearer_in_any_case_is_taken(header: str) -> None:
    world = two_sites()
    text = header.format(sign(private_key("a"), claims(), jku=JKU_A))
    assert world.gate.admit(text, AUDIENCES).site.name == "A"


@pytest.mark.parametrize("moment", [-0.25, 0.25])
def test_times_may_have_fractions(moment: float) -> None:
    world = two_sites()
    assert (
        world.why(sign(private_key("a"), claims(iat=NOW + moment, exp=NOW + 200.5), jku=JKU_A)) == "admitted"
    )


# -- T-01: forged tokens -----------------------------------------------------------------------


def _raw(header: dict[str, Any] | bytes, body: dict[str, Any] | bytes, signature: bytes) -> str:
    head, load = (part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, body))
    return f"{b64(head)}.{b64(load)}.{b64(signature)}"


def _signed_raw(header: dict[str, Any] | bytes, body: dict[str, Any] | bytes) -> str:
    """A token of any shape with a good ES384 signature of site A."""
    head, load = (part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, body))
    text = f"{b64(head)}.{b64(load)}"
    signature = jwt.get_algorithm_by_name("ES384").sign(text.encode(), private_key("a"))
    return f"{text}.{b64(signature)}"


def _hmac(header: dict[str, Any], secret: bytes, digest: str = "sha256") -> str:
    text = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims()).encode())}"
    return f"{text}.{b64(hmac.new(secret, text.encode(), digest).digest())}"


def _certificate(key: Any) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stranger")])
    made = x509.CertificateBuilder(
        name, name, key.public_key(), 1, datetime(2026, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
    )
    return b64encode(made.sign(key, hashes.SHA384()).public_bytes(serialization.Encoding.DER)).decode()


def forged_tokens(canary: str) -> Iterator[tuple[str, str]]:
    """Name and token of each forgery; `canary` is an address nobody registered."""
    good, stranger = {"alg": "ES384", "typ": "JWT", "kid": "key-a"}, private_key("stranger")
    for spelling in ("none", "None", "NONE", "nOnE", ""):
        yield f"alg {spelling!r}", _raw({**good, "alg": spelling}, claims(), b"")
        yield f"alg {spelling!r} with a signature", _raw({**good, "alg": spelling}, claims(), b"x" * 96)
    for kind, kid in (("ES384", "key-a"), ("RS384", "rsa-a")):
        public = private_key("a", kind).public_key()
        secrets = {
            "PEM": public.public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
            "DER": public.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
            "JWK": json.dumps(public_jwk(private_key("a", kind), kid, kind)).encode(),
            "empty": b"",
        }
        for name, secret in secrets.items():
            for alg, digest in (("HS256", "sha256"), ("HS384", "sha384")):
                yield (
                    f"{alg} with the {kind} key as {name}",
                    _hmac({**good, "alg": alg, "kid": kid}, secret, digest),
                )
    yield (
        "HS512 with another set's oct key",
        _hmac({**good, "alg": "HS512", "kid": "oct"}, b"secret", "sha512"),
    )
    yield "ES384 named, HMAC made", _hmac(good, b"secret", "sha384")
    jwk = public_jwk(stranger, "key-a")
    for name, member in {
        "jwk": jwk,
        "x5c": [_certificate(stranger)],
        "x5u": canary + "/cert.pem",
        "x5t": "AAAA",
        "x5t#S256": "AAAA",
        "crit": ["exp"],
        "zip": "DEF",
        "b64": True,
        "cty": "JWT",
        "epk": jwk,
    }.items():
        yield f"{name} inside, stranger's key", sign(stranger, claims(), **{name: member})
        yield f"{name} inside, own key", _signed_raw({**good, name: member}, claims())
    yield "cty of another spelling", _signed_raw({**good, "cty": "application/jwt"}, claims())
    yield "crit of an unknown extension", _signed_raw({**good, "crit": ["x"], "x": 1}, claims())
    yield "b64 false", _signed_raw({**good, "b64": False, "crit": ["b64"]}, claims())
    yield "jku of the stranger", sign(stranger, claims(), jku=canary + "/keys")
    yield "jku no text", _signed_raw({**good, "jku": [JKU_A]}, claims())
    yield "jku null", _signed_raw({**good, "jku": None}, claims())
    yield "stranger's key", sign(stranger, claims())
    yield "EC key, RSA named", _signed_raw({**good, "alg": "RS384"}, claims())
    yield "RSA key under the EC kid", sign(private_key("a", "RS384"), claims(), "RS384")
    yield "EC key under the RSA kid", sign(private_key("a"), claims(), kid="rsa-a")
    yield "RS256 of the right key", sign(private_key("a", "RS384"), claims(), "RS256", kid="rsa-a")
    yield "PS384 of the right key", sign(private_key("a", "RS384"), claims(), "PS384", kid="rsa-a")
    yield "ES256", sign(private_key("p", "ES256"), claims(), "ES256")
    yield "EdDSA", sign(ed25519.Ed25519PrivateKey.generate(), claims(), "EdDSA")
    yield "alg no text", _signed_raw({**good, "alg": ["ES384"]}, claims())
    yield "alg missing", _signed_raw({"typ": "JWT", "kid": "key-a"}, claims())
    yield "alg in lower case", _signed_raw({**good, "alg": "es384"}, claims())
    yield "kid missing", _signed_raw({"alg": "ES384", "typ": "JWT"}, claims())
    yield "kid empty", _signed_raw({**good, "kid": ""}, claims())
    yield "kid a path", sign(stranger, claims(), kid="../../dev/null")
    yield "kid a list", _signed_raw({**good, "kid": ["key-a"]}, claims())
    yield "typ missing", _signed_raw({"alg": "ES384", "kid": "key-a"}, claims())
    yield "typ of another token", _signed_raw({**good, "typ": "at+jwt"}, claims())
    yield "typ no text", _signed_raw({**good, "typ": 1}, claims())
    yield "payload a token", _signed_raw(good, sign(private_key("a"), claims()).encode())
    yield "payload a list", _signed_raw(good, b"[]")
    yield "payload no JSON", _signed_raw(good, b"{")
    yield "payload not UTF-8", _signed_raw(good, b'{"iss":"\xff"}')
    yield "payload deep", _signed_raw(good, b'{"x":' * 1000 + b"1" + b"}" * 1000)
    yield "issuer twice", _signed_raw(good, b'{"iss":"x",' + json.dumps(claims()).encode()[1:])
    yield "NaN for exp", _signed_raw(good, json.dumps(claims(exp=float("nan"))).encode())
    yield "header with alg twice", _signed_raw(b'{"alg":"none",' + json.dumps(good).encode()[1:], claims())
    yield "header a list", _signed_raw(b"[]", claims())
    honest = sign(private_key("a"), claims())
    head, load, signature = honest.split(".")
    other = b64(json.dumps(claims(sub="other")).encode())
    yield "claims exchanged", f"{head}.{other}.{signature}"
    yield "signature cut", honest[:-8]
    yield "signature of zeros", f"{head}.{load}.{b64(bytes(96))}"
    yield "signature in DER", f"{head}.{load}.{b64(_der(head, load))}"
    yield "no signature", f"{head}.{load}."
    yield "two parts", f"{head}.{load}"
    yield "five parts", f"{honest}.{head}.{load}"
    yield "padding", f"{head}=.{load}.{signature}"
    yield "standard base64", f"{head}+.{load}.{signature}"
    yield "line break", f"{head}.{load}.{signature}\n"
    yield (
        "JSON form",
        json.dumps({"protected": head, "payload": load, "signature": signature}).replace(" ", ""),
    )
    yield "long", _signed_raw({**good, "x": "y" * 9000}, claims())


def _der(head: str, load: str) -> bytes:
    signature: bytes = private_key("a").sign(f"{head}.{load}".encode(), ECDSA(hashes.SHA384()))
    return signature


def _hospital(address: str, transport: Any) -> Gate:
    """A gate as the product makes it, with real calls to a loopback key server."""
    site = site_a(environment="test", jku=(address + "/keys",))
    memory: Any = Table()
    return Gate(Registry(Config("", (site,))), KeyCache(transport), memory, Clock())


def test_t_01_forged_tokens_are_refused_and_no_address_in_them_is_called() -> None:
    jwks = key_set(
        public_jwk(private_key("a"), "key-a"),
        public_jwk(private_key("a", "RS384"), "rsa-a", "RS384"),
        {"kty": "oct", "kid": "oct", "k": b64(b"secret"), "alg": "HS512"},
        public_jwk(private_key("p", "ES256"), "es256", "ES256"),
    )
    with (
        listener(answering(jwks)) as (address, asked),
        listener() as (canary, touched),
        real_transport() as transport,
    ):
        gate = _hospital(address, transport)
        forged = dict(forged_tokens(canary))
        admitted = [name for name, token in forged.items() if _admits(gate, token)]
        assert admitted == []
        assert len(forged) >= 40
        assert touched == []
        assert set(asked) <= {"/keys"}
        assert _admits(gate, sign(private_key("a"), claims())), "the gate lets good tokens in"


def _admits(gate: Gate, token: str) -> bool:
    try:
        gate.admit(f"Bearer {token}", AUDIENCES)
    except NotTrusted:
        return False
    return True


def test_t_01_the_cause_is_told_by_a_label_for_the_log() -> None:
    world = two_sites()
    key = private_key("a")
    assert world.why(_raw({"alg": "none", "typ": "JWT", "kid": "key-a"}, claims(), b"")) == "token_form"
    assert world.why(_hmac({"alg": "HS256", "typ": "JWT", "kid": "key-a"}, b"x")) == "algorithm"
    assert world.why(sign(key, claims(), typ="at+jwt")) == "typ"
    assert world.why(sign(key, claims(), jwk={"kty": "EC"})) == "header_member"
    assert world.why(sign(key, claims("https://z.example.org"))) == "unknown_site"
    assert world.why(sign(key, claims(), jku="https://z.example.org")) == "jku_not_listed"
    assert world.why(sign(key, claims(), kid="key-z")) == "unknown_key"
    assert world.why(sign(private_key("b"), claims())) == "signature"
    assert world.why("x" * 9000) == "token_too_long"


def test_t_01_a_token_has_at_most_8_kb() -> None:
    good = {"alg": "ES384", "typ": "JWT", "kid": "key-a"}
    fits = _signed_raw(good, claims(x="y" * 5780))
    long = _signed_raw(good, claims(x="y" * 5804))
    assert len(fits) <= 8192 < len(long) < 8201
    world = two_sites()
    assert world.why(fits) == "admitted"
    assert world.why(long) == "token_too_long"
    for text in (long, "x" * 8193):
        with pytest.raises(TokenFault, match="token_too_long"):
            open_token(text, {"ES384"})


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_t_01_what_is_no_json_is_refused_in_any_claim(number: str) -> None:
    body = json.dumps(claims()).encode()[:-1] + f', "x": {number}}}'.encode()
    assert two_sites().why(_signed_raw({"alg": "ES384", "typ": "JWT", "kid": "key-a"}, body)) == "token_form"


def test_t_01_secret_keys_are_never_imported() -> None:
    with pytest.raises(ValueError, match="empty"):
        OctKey.import_key("")
    world = World((site_a(),))
    world.server.sets[JKU_A] = key_set(
        {"kty": "oct", "kid": "key-a", "k": b64(b"secret")}, public_jwk(private_key("b"), "other")
    )
    assert world.why(_hmac({"alg": "ES384", "typ": "JWT", "kid": "key-a"}, b"secret")) == "unknown_key"


# -- T-02: two sites ---------------------------------------------------------------------------


def test_t_02_every_crossing_of_two_sites_is_refused() -> None:
    sites = (site_a(aud=("A-site",)), site_b(aud=("B-site",)))
    world = two_sites()
    world = World(sites, world.server)
    seen = {}
    for issuer in "ab":
        for signer in "ab":
            for kid in "ab":
                for jku in ("a", "b", None):
                    for aud in "AB":
                        token = sign(
                            private_key(signer),
                            claims(f"https://{issuer}.example.org", aud=f"{aud}-site"),
                            kid=f"key-{kid}",
                            jku=jku and f"https://{jku}.example.org/keys",
                        )
                        seen[issuer, signer, kid, jku, aud] = world.why(token)
    straight = {case for case, why in seen.items() if why == "admitted"}
    assert straight == {("a", "a", "a", jku, "A") for jku in ("a", None)} | {
        ("b", "b", "b", jku, "B") for jku in ("b", None)
    }


@pytest.mark.parametrize(
    ("tenant", "site"),
    [
        ("north", "N"),
        ("south", "S"),
        ("North", ""),
        ("north ", ""),
        ("", ""),
        (None, ""),
        (["north"], ""),
        (1, ""),
    ],
)
def test_t_02_tenants_of_one_issuer_are_told_apart(tenant: Any, site: str) -> None:
    north, south = (site_a(name=name[0].upper(), tenants=(name,)) for name in ("north", "south"))
    world = World((north, south), two_sites().server)
    token = sign(private_key("a"), claims(tenant=tenant))
    if site:
        assert world.admit(token).site.name == site
    else:
        assert world.why(token) in ("unknown_site", "claim_tenant")


# -- T-03: audiences ---------------------------------------------------------------------------

AUDIENCE_SHAPES: list[tuple[Any, bool]] = [
    (SERVICE, True),
    (SERVICE + "/feedback", True),
    ([SERVICE], True),
    (["https://other.example.org", SERVICE], True),
    ("Postcart PRD", True),
    (["Postcart PRD"], True),
    ([[SERVICE]], False),
    ([SERVICE, [SERVICE]], False),
    ({"aud": SERVICE}, False),
    ({SERVICE: True}, False),
    ([{"aud": SERVICE}], False),
    ([], False),
    ("", False),
    ([""], False),
    ([SERVICE, ""], False),
    ([SERVICE, 1], False),
    ([SERVICE, None], False),
    (1, False),
    (True, False),
    (None, False),
    (SERVICE.upper(), False),
    (SERVICE + "/", False),
    (SERVICE + "?x", False),
    (SERVICE[:-1], False),
    (SERVICE + "x", False),
    ("https://postcart.example.org", False),
    ("https://postcart.example.org/cds-services", False),
    ("https://postcart.example.org/cds-services/post-car-t-order-check", False),
    (SERVICE.replace("https", "http"), False),
    (f" {SERVICE}", False),
    (f"{SERVICE} https://other.example.org", False),
    ("*", False),
    ([SERVICE] * 40, False),
]


@pytest.mark.parametrize(("aud", "good"), AUDIENCE_SHAPES)
def test_t_03_aud_is_one_listed_text_or_a_flat_list_with_one(aud: Any, good: bool) -> None:
    world = World((site_a(aud=("Postcart PRD",)),), two_sites().server)
    body = {**claims(), "aud": aud}
    token = _signed_raw({"alg": "ES384", "typ": "JWT", "kid": "key-a"}, body)
    assert (world.why(token) == "admitted") is good
    if not good:
        assert world.why(token) in ("audience", "claim_aud")


# -- T-05: jku look-alikes ---------------------------------------------------------------------


def _spellings(listed: str, canary: str) -> list[str]:
    host = listed.removeprefix("http://").removesuffix("/keys")
    trap = canary.removeprefix("http://")
    return [
        canary + "/keys",
        f"http://{host}@{trap}/keys",
        f"http://user@{host}/keys",
        f"http://{trap}#@{host}/keys",
        f"http://{trap}?@{host}/keys",
        f"http://{trap}\\@{host}/keys",
        f"http://{host}\\@{trap}/keys",
        f"http://{host}.{trap}/keys",
        listed + "#",
        listed + "#x",
        listed + "?",
        listed + "?x=1",
        listed + "/",
        listed + "/../keys",
        listed + "x",
        listed[:-1],
        listed.replace("/keys", "/./keys"),
        listed.replace("/keys", "/%6beys"),
        listed.replace("/keys", "//keys"),
        listed.replace("/keys", "/KEYS"),
        listed.replace("http://", "HTTP://"),
        listed.replace("127.0.0.1", "localhost"),
        listed.replace("127.0.0.1", "0x7f000001"),
        listed.replace("127.0.0.1", "2130706433"),
        listed.replace("127.0.0.1", "127.1"),
        listed.replace("127.0.0.1", "[::ffff:127.0.0.1]"),
        listed.replace("127.0.0.1", "127.0.0.1."),
        " " + listed,
        listed + "\n",
        "file:///etc/passwd",
        "",
    ]


def test_t_05_a_jku_of_another_spelling_is_refused_and_nothing_is_called() -> None:
    stranger = key_set(public_jwk(private_key("stranger"), "key-a"))
    good = key_set(public_jwk(private_key("a"), "key-a"))
    with (
        listener(answering(good)) as (address, asked),
        listener(answering(stranger)) as (canary, touched),
        real_transport() as transport,
    ):
        gate = _hospital(address, transport)
        spellings = _spellings(address + "/keys", canary)
        for jku in spellings:
            for signer in ("a", "stranger"):
                assert not _admits(gate, sign(private_key(signer), claims(), jku=jku)), jku
        assert len(spellings) >= 20
        assert (asked, touched) == ([], [])
        assert _admits(gate, sign(private_key("a"), claims(), jku=address + "/keys"))
        assert asked == ["/keys"]


# -- claims and T-33: times --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["iss", "aud", "exp", "iat", "jti"])
@pytest.mark.parametrize("value", ["gone", None, "", [], {}, True, "\x00"])
def test_needed_claims_are_there_and_of_their_type(name: str, value: Any) -> None:
    body = {**claims(), name: value}
    if value == "gone":
        del body[name]
    world = two_sites()
    assert world.why(_signed_raw({"alg": "ES384", "typ": "JWT", "kid": "key-a"}, body)) != "admitted"
    assert not world.memory.used


@pytest.mark.parametrize("name", ["jti", "sub", "tenant"])
@pytest.mark.parametrize("value", ["a\x00b", "a\nb", "\ud800", "x" * 1025, 5])
def test_t_19_texts_that_no_store_takes_are_refused(name: str, value: Any) -> None:
    world = two_sites()
    body = {**claims(), name: value}
    assert world.why(_signed_raw({"alg": "ES384", "typ": "JWT", "kid": "key-a"}, body)) == f"claim_{name}"


def test_a_token_id_has_at_most_256_characters() -> None:
    world = two_sites()
    assert world.why(sign(private_key("a"), claims(jti="x" * 256))) == "admitted"
    assert world.why(sign(private_key("a"), claims(jti="x" * 257))) == "claim_jti"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"iat": NOW - 400, "exp": NOW - 59}, "admitted"),
        ({"iat": NOW - 400, "exp": NOW - 60}, "expired"),
        ({"iat": NOW - 4000, "exp": NOW - 3600}, "expired"),
        ({"iat": NOW + 60, "exp": NOW + 300}, "admitted"),
        ({"iat": NOW + 61, "exp": NOW + 300}, "issued_in_future"),
        ({"iat": NOW + 3600, "exp": NOW + 3900}, "issued_in_future"),
        ({"nbf": NOW + 60}, "admitted"),
        ({"nbf": NOW + 61}, "not_yet_valid"),
        ({"nbf": "soon"}, "claim_nbf"),
        ({"exp": NOW + 3600}, "admitted"),
        ({"exp": NOW + 3601}, "lifetime"),
        ({"exp": NOW + 315_360_000}, "lifetime"),
        ({"iat": NOW + 30, "exp": NOW + 30}, "lifetime"),
        ({"iat": NOW + 30, "exp": NOW + 20}, "lifetime"),
        ({"iat": NOW - 3540, "exp": NOW + 60}, "admitted"),
        ({"exp": 10**400}, "claim_exp"),
        ({"exp": str(NOW + 300)}, "claim_exp"),
        ({"iat": -1}, "claim_iat"),
    ],
)
def test_t_33_one_leeway_of_a_minute_for_all_times(changed: dict[str, Any], why: str) -> None:
    world = two_sites()
    assert world.why(_signed_raw({"alg": "ES384", "typ": "JWT", "kid": "key-a"}, claims(**changed))) == why


def test_t_33_claims_follow_the_wall_clock_when_it_is_moved() -> None:
    world = two_sites()
    wall = Clock()
    world.gate._clock = wall
    admitted = [sign(private_key("a"), claims()) for _ in range(2)]
    assert world.why(admitted[0]) == "admitted"
    wall.at = NOW + 3600
    assert world.why(admitted[1]) == "expired"
    wall.at = NOW - 3600
    assert world.why(admitted[1]) == "issued_in_future"
    wall.at = NOW + 359
    assert world.why(admitted[1]) == "admitted"


def test_t_33_a_site_without_leeway_judges_to_the_second() -> None:
    world = World((site_a(),), two_sites().server, leeway_s=0)
    assert world.why(sign(private_key("a"), claims(iat=NOW + 1))) == "issued_in_future"
    assert world.why(sign(private_key("a"), claims(iat=NOW - 10, exp=NOW))) == "expired"


# -- T-34: nothing useful to the caller --------------------------------------------------------


def _refusal(call: Callable[[], object]) -> NotTrusted:
    with pytest.raises(NotTrusted) as caught:
        call()
    return caught.value


def test_t_34_all_causes_give_the_same_bytes() -> None:
    world = two_sites()
    key = private_key("a")
    replayed = sign(key, claims())
    world.admit(replayed)
    headers = [
        None,
        "",
        "Basic dTpw",
        "Bearer",
        "Bearer a b",
        "Bearer " + "x" * 9000,
        *(
            f"Bearer {token}"
            for token in (
                replayed,
                "abc.def",
                sign(key, claims("https://z.example.org")),
                sign(key, claims(exp=NOW - 3600, iat=NOW - 3700)),
                sign(key, claims(aud="x")),
                sign(key, claims(), kid="nobody"),
                sign(private_key("b"), claims()),
                sign(key, claims(), jku="https://z.example.org"),
            )
        ),
    ]
    refusals = [_refusal(lambda header=header: world.gate.admit(header, AUDIENCES)) for header in headers]  # type: ignore[misc]
    world.server.broken = OSError()
    answers = {
        (r.status, outcome_body(r.status, r.code, r.message, r.field), r.challenge, str(r)) for r in refusals
    }
    assert len(answers) == 1
    status, body, challenge, _ = answers.pop()
    assert (status, challenge) == (401, CHALLENGE)
    assert b"example.org/" not in body.replace(b"postcart.org", b"")
    assert len({refusal.why for refusal in refusals}) >= 9
    assert all(refusal.why.replace("_", "").isalpha() for refusal in refusals)


def test_t_34_a_key_server_that_is_down_looks_like_any_refusal() -> None:
    world = two_sites()
    plain = _refusal(lambda: world.gate.admit(None, AUDIENCES))
    world.server.broken = TransportFault("down")
    down = _refusal(lambda: world.admit(sign(private_key("a"), claims())))
    world = two_sites()
    world.server.broken = TransportFault("redirect")
    lying = _refusal(lambda: world.admit(sign(private_key("a"), claims())))
    assert (down.why, lying.why) == ("jwks_unreachable", "jwks_bad")
    assert {(r.status, r.code, r.message, r.field) for r in (plain, down, lying)} == {
        (401, "not-trusted", "The caller's token was not accepted.", "")
    }


_ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(
    header=st.dictionaries(
        st.sampled_from(["alg", "typ", "kid", "jku", "cty", "crit", "x"]), _ANY_JSON, max_size=2
    ),
    changed=st.dictionaries(
        st.sampled_from(["iss", "aud", "exp", "iat", "nbf", "jti", "sub", "tenant"]), _ANY_JSON, max_size=2
    ),
)
def test_t_01_any_value_of_any_member_is_admitted_or_refused_never_an_error(
    header: dict[str, Any], changed: dict[str, Any]
) -> None:
    world = two_sites()
    good = {"alg": "ES384", "typ": "JWT", "kid": "key-a"}
    event(world.why(_signed_raw(good | header, claims() | changed)))


_NEARLY = st.from_regex(r"[\w-]{2,9}\.[\w-]{2,9}\.[\w-]{2,9}", fullmatch=True)


@given(st.text(max_size=60) | st.binary(max_size=60).map(b64) | _NEARLY)
def test_t_01_any_header_text_is_refused_never_an_error(text: str) -> None:
    assert two_sites().why(text) != "admitted"
