"""The registration file: what it may say, every fault with its fix, and no two sites alike (H-36, H-58, T-20, T-21)."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from forging import private_key, public_jwk

from ehr.own_keys import new_key
from ehr.registrations import MAX_FILE_BYTES, ConfigError, Registry, read_config
from ehr.site import ClientKind

FILE = "s"
TOP = 'public_url = "https://postcart.example.org"\n'
KEY = public_jwk(private_key("a"), "key-a")
SAMPLE = Path(__file__).parents[2] / "samples" / "postcart.toml"


def toml(values: dict[str, Any]) -> str:
    """One `[[site]]` section."""
    lines = ["[[site]]"]
    inner = {name: value for name, value in values.items() if isinstance(value, dict)}
    lines += [f"{name} = {_value(value)}" for name, value in values.items() if name not in inner]
    for name, table in inner.items():
        lines += [f"[site.{name}]", *(f"{key} = {_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {_value(item)}' for key, item in value.items()) + "}"
    return json.dumps(value)


def hook_site(letter: str = "a", **changed: Any) -> dict[str, Any]:
    host = f"https://{letter}.example.org"
    site = {
        "name": letter,
        "region": "US",
        "iss": [host],
        "jku": [host + "/keys"],
        "fhir_base": host + "/fhir",
    }
    return {name: value for name, value in (site | changed).items() if value is not None}


def smart(**changed: Any) -> dict[str, Any]:
    client = {"iss": "https://a.example.org/fhir", "client_id": "c", "auth": "public"} | changed
    return {name: value for name, value in client.items() if value is not None}


def write(folder: Path, *sites: dict[str, Any], top: str = TOP) -> Path:
    path = folder / "postcart.toml"
    path.write_text(top + "".join(toml(site) for site in sites))
    return path


def faults(folder: Path, *sites: dict[str, Any], top: str = TOP) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        read_config(write(folder, *sites, top=top))
    return [str(fault) for fault in refused.value.faults]


# -- a good file -------------------------------------------------------------------------------


def test_the_sample_is_a_good_file_and_names_every_key() -> None:
    config = read_config(SAMPLE)
    site = config.sites[0]
    assert (site.name, site.silent, site.silent_until, site.region) == (
        "north",
        True,
        date(2027, 3, 31),
        "US",
    )
    assert site.smart is not None
    assert (site.smart.auth, site.smart.alg) == (ClientKind.ASYMMETRIC, "ES384")
    text = SAMPLE.read_text()
    for name in [*_names(type(config)), *_names(type(site)), *_names(type(site.smart))]:
        assert re.search(rf"^(?:# )?\[*(?:site\.)?{name}\b", text, re.MULTILINE), name


def _names(kind: type) -> list[str]:
    return [name for name in kind.__dataclass_fields__ if name not in ("sites", "digest")]  # type: ignore[attr-defined]


def test_the_sample_shows_the_values_that_hold_when_a_key_is_left_out(tmp_path: Path) -> None:
    shown = re.findall(
        r"^# (\w+) = (.*?)(?:\s+#.*)?$", SAMPLE.read_text().split("# A test site")[0], re.MULTILINE
    )
    paths = ("database_url", "key_dir", "keys", "overlay", "secret_file", "prefetch_faults")
    top_names = _names(type(read_config(SAMPLE)))
    tops, sites, clients = {}, {}, {}
    for name, value in shown:
        if name not in paths:
            kind = tops if name in top_names else sites if name in ENUMERATED_SITE_KEYS else clients
            kind[name] = value
    bare = write(tmp_path, hook_site(smart=smart()))
    plain = read_config(bare)
    told = tmp_path / "told.toml"
    told.write_text(
        TOP
        + "".join(f"{name} = {value}\n" for name, value in tops.items())
        + toml(hook_site())
        + "".join(f"{name} = {value}\n" for name, value in sites.items())
        + "[site.smart]\n"
        + "".join(f"{name} = {_value(value)}\n" for name, value in smart().items())
        + "".join(f"{name} = {value}\n" for name, value in clients.items())
    )
    full = read_config(told)
    assert len(tops) + len(sites) + len(clients) >= 18
    assert full.sites == plain.sites
    for name in tops:
        assert getattr(full, name) == getattr(plain, name), name


ENUMERATED_SITE_KEYS = [
    "environment",
    "tenants",
    "hooks",
    "rate_per_minute",
    "replay_on_outage",
    "suggestion_intent",
    "suppress_overridden",
    "idle_minutes",
]


def test_every_setting_arrives(tmp_path: Path) -> None:
    (tmp_path / "overlay").mkdir()
    secret = tmp_path / "s"
    secret.write_text("hush\n")
    secret.chmod(0o600)
    path = write(
        tmp_path,
        hook_site(
            keys=[KEY],
            aud=["PRD"],
            tenants=["t"],
            auth_hosts=["LOGIN.example.org", "login2.example.org:8443", "https://login3.example.org:443"],
            frame_ancestors=["https://A.example.org/"],
            hooks=["patient-view"],
            silent=True,
            silent_until=date(2027, 1, 31),
            overlay="overlay",
            rate_per_minute=5,
            replay_on_outage="refuse",
            suggestion_intent="proposal",
            suppress_overridden=False,
            idle_minutes=3,
            prefetch_faults={"reports": "show", "patient": "fail"},
            smart=smart(
                auth="symmetric", secret_file=FILE, alg="RS384", scopes="v1", scope_prefix="user", name="n"
            ),
        ),
        top='public_url = "https://P.example.org:443/x/"\ndatabase_url = "sqlite:///x"\nkey_dir = "k"\n'
        'deadline_s = 1.5\ncors_origins = ["https://b.example.org"]\nadmin_addresses = ["10.0.0.1"]\n'
        'offered_hooks = ["encounter-start"]\ndiscovery_version = true\ndiscovery_authenticated = false\n'
        "max_body_mb = 5\nleeway_s = 30\n",
    )
    config = read_config(path)
    site = config.sites[0]
    assert config.public_url == "https://p.example.org/x"
    assert (config.database_url, config.key_dir) == ("sqlite:///x", tmp_path / "k")
    assert (config.deadline_s, config.max_body_mb, config.leeway_s) == (1.5, 5, 30)
    assert (config.cors_origins, config.admin_addresses) == (("https://b.example.org",), ("10.0.0.1",))
    assert (config.offered_hooks, config.discovery_version, config.discovery_authenticated) == (
        ("encounter-start",),
        True,
        False,
    )
    assert site.auth_hosts == ("login.example.org", "login2.example.org:8443", "login3.example.org")
    assert (site.frame_ancestors, site.overlay) == (("https://a.example.org",), tmp_path / "overlay")
    assert (site.rate_per_minute, site.idle_minutes, site.replay_on_outage) == (5, 3, "refuse")
    assert (site.suggestion_intent, site.suppress_overridden) == ("proposal", False)
    assert site.prefetch_faults == {"reports": "show", "patient": "fail"}
    assert (site.hooks, site.tenants, site.aud, site.keys) == (("patient-view",), ("t",), ("PRD",), (KEY,))
    assert (site.silent, site.silent_until) == (True, date(2027, 1, 31))
    assert site.smart is not None
    assert (site.smart.secret_file, site.smart.scopes, site.smart.scope_prefix) == (secret, "v1", "user")
    assert len(config.digest) == 64


def test_a_test_site_may_use_http_on_loopback(tmp_path: Path) -> None:
    base = "http://127.0.0.1:8080"
    site = hook_site(environment="test", region=None, jku=[base + "/keys"], fhir_base=base + "/fhir")
    site |= {"frame_ancestors": ["http://localhost:3000"], "smart": smart(iss=base + "/fhir")}
    config = read_config(write(tmp_path, site, top='public_url = "http://127.0.0.1:8000"\n'))
    assert config.sites[0].test


def test_a_digest_names_the_content(tmp_path: Path) -> None:
    one = read_config(write(tmp_path, hook_site())).digest
    assert one == read_config(write(tmp_path, hook_site())).digest
    assert one != read_config(write(tmp_path, hook_site(aud=["x"]))).digest


# -- faults ------------------------------------------------------------------------------------

SITE_FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown key": ({"fhirbase": "x"}, "fhirbase", "'fhir_base'"),
    "unknown key far from all": ({"colour": "x"}, "colour", "Known here"),
    "case of a key": ({"JKU": ["x"]}, "JKU", "'jku'"),
    "no name": ({"name": None}, "name", "is missing"),
    "odd name": ({"name": "a\u00e9/"}, "name", "letters"),
    "H-36 no region": ({"region": None}, "region", "US or EU"),
    "H-36 unknown region": ({"region": "UK"}, "region", "US, EU"),
    "environment": ({"environment": "prod"}, "environment", "'production'"),
    "iss no list": ({"iss": "https://a.example.org"}, "iss", 'iss = ["'),
    "iss with an empty text": ({"iss": [""]}, "iss", "list of texts"),
    "iss twice": ({"iss": ["https://a.example.org"] * 2}, "iss", "twice"),
    "iss with a line break": ({"iss": ["https://a\n"]}, "iss", "list of texts"),
    "iss without keys": ({"jku": None}, "jku", "is missing"),
    "keys without iss": ({"iss": None}, "iss", "is missing"),
    "neither hooks nor app": ({"iss": None, "jku": None}, "iss", "[site.smart]"),
    "jku http": ({"jku": ["http://a.example.org/keys"]}, "jku", "https"),
    "jku with user": ({"jku": ["https://u@a.example.org/keys"]}, "jku", "user"),
    "jku with dots": ({"jku": ["https://a.example.org/x/../keys"]}, "jku", "dot"),
    "jku no address": ({"jku": ["keys.json"]}, "jku", "https://"),
    "jku loopback in production": ({"jku": ["https://127.0.0.1/keys"]}, "jku", "test"),
    "fhir_base http": ({"fhir_base": "http://a.example.org/fhir"}, "fhir_base", "https"),
    "fhir_base loopback http in production": ({"fhir_base": "http://127.0.0.1/fhir"}, "fhir_base", "https"),
    "fhir_base with query": ({"fhir_base": "https://a.example.org/fhir?x"}, "fhir_base", "?"),
    "fhir_base a list": ({"fhir_base": ["https://a.example.org"]}, "fhir_base", "text"),
    "auth host with path": ({"auth_hosts": ["a.example.org/x"]}, "auth_hosts", "host:port"),
    "auth host http": ({"auth_hosts": ["http://a.example.org"]}, "auth_hosts", "host:port"),
    "auth host with user": ({"auth_hosts": ["u@a.example.org"]}, "auth_hosts", "host:port"),
    "auth host with star": ({"auth_hosts": ["*.example.org"]}, "auth_hosts", "host:port"),
    "frame with path": ({"frame_ancestors": ["https://a.example.org/x"]}, "frame_ancestors", "no path"),
    "frame with star": ({"frame_ancestors": ["*"]}, "frame_ancestors", "no *"),
    "frame http": ({"frame_ancestors": ["http://a.example.org"]}, "frame_ancestors", "no path"),
    "hook": ({"hooks": ["patient-veiw"]}, "hooks", "'patient-view'"),
    "H-59 silent without end": ({"silent": True}, "silent_until", "last day"),
    "end without silent": ({"silent_until": date(2027, 1, 1)}, "silent_until", "silent = true"),
    "silent a text": ({"silent": "true"}, "silent", "without quotes"),
    "end no date": ({"silent": True, "silent_until": "2027-02-30"}, "silent_until", "2027-03-31"),
    "overlay gone": ({"overlay": "nowhere"}, "overlay", "does not exist"),
    "rate zero": ({"rate_per_minute": 0}, "rate_per_minute", "from 1"),
    "rate a text": ({"rate_per_minute": "600"}, "rate_per_minute", "whole number"),
    "rate true": ({"rate_per_minute": True}, "rate_per_minute", "whole number"),
    "idle": ({"idle_minutes": 600}, "idle_minutes", "to 60"),
    "replay": ({"replay_on_outage": "accept"}, "replay_on_outage", "memory, refuse"),
    "intent": ({"suggestion_intent": "plan"}, "suggestion_intent", "order, proposal"),
    "prefetch key": ({"prefetch_faults": {"report": "show"}}, "prefetch_faults.report", "'reports'"),
    "prefetch word": (
        {"prefetch_faults": {"reports": "hide"}},
        "prefetch_faults.reports",
        "fail, omit, show",
    ),
    "prefetch no table": ({"prefetch_faults": "show"}, "prefetch_faults", "section"),
    "oct key": ({"keys": [{"kty": "oct", "kid": "k", "k": "c2VjcmV0"}]}, "keys", "'k' is refused"),
    "private key": ({"keys": [KEY | {"d": "AAAA"}]}, "keys", "public"),
    "key without kid": ({"keys": [{"kty": "EC"}]}, "keys", "kid"),
    "key no table": ({"keys": ["x"]}, "keys", "list of tables"),
    "key twice": ({"keys": [KEY, KEY]}, "keys", "twice"),
    "smart no table": ({"smart": "x"}, "smart", "section"),
    "smart unknown key": ({"smart": smart(clientid="c")}, "smart.clientid", "'client_id'"),
    "smart without iss": ({"smart": smart(iss=None)}, "smart.iss", "is missing"),
    "smart iss http": ({"smart": smart(iss="http://a.example.org/fhir")}, "smart.iss", "https"),
    "smart without client id": ({"smart": smart(client_id=None)}, "smart.client_id", "is missing"),
    "smart auth": ({"smart": smart(auth="secret")}, "smart.auth", "public, symmetric, asymmetric"),
    "smart alg": ({"smart": smart(alg="ES256")}, "smart.alg", "ES384, RS384"),
    "smart scopes": ({"smart": smart(scopes="v3")}, "smart.scopes", "v1, v2"),
    "smart symmetric without file": ({"smart": smart(auth="symmetric")}, "smart.secret_file", "0600"),
    "smart public with file": ({"smart": smart(secret_file=FILE)}, "smart.secret_file", "does not go with"),
    "T-20 secret gone": (
        {"smart": smart(auth="symmetric", secret_file=FILE)},
        "smart.secret_file",
        "cannot be read",
    ),
}


@pytest.mark.parametrize(("changed", "field", "words"), SITE_FAULTS.values(), ids=SITE_FAULTS)
def test_a_fault_names_file_site_field_and_fix(
    tmp_path: Path, changed: dict[str, Any], field: str, words: str
) -> None:
    told = faults(tmp_path, hook_site(**changed))
    name = "number 1" if changed.get("name", "a") is None else changed.get("name", "a")
    start = f"postcart.toml: site {name!r}, {field}: "
    assert any(line.startswith(start) and words in line for line in told), told
    assert all(str(tmp_path) not in line for line in told)


TOP_FAULTS: dict[str, tuple[str, str, str]] = {
    "no public_url": ("", "public_url", "is missing"),
    "public_url http": ('public_url = "http://postcart.example.org"', "public_url", "https"),
    "public_url loopback": ('public_url = "http://127.0.0.1:8000"', "public_url", "https"),
    "public_url with query": ('public_url = "https://p.example.org/?x"', "public_url", "?"),
    "deadline": (TOP + "deadline_s = 60", "deadline_s", "to 10"),
    "deadline nan": (TOP + "deadline_s = nan", "deadline_s", "to 10"),
    "cors star": (TOP + 'cors_origins = ["*"]', "cors_origins", "no *"),
    "cors path": (TOP + 'cors_origins = ["https://b.example.org/x"]', "cors_origins", "no path"),
    "admin": (TOP + 'admin_addresses = ["localhost"]', "admin_addresses", "IP addresses"),
    "hooks": (
        TOP + 'offered_hooks = ["patient-view", "order-dispatch"]',
        "offered_hooks",
        "'order-dispatch'",
    ),
    "leeway": (TOP + "leeway_s = 3600", "leeway_s", "to 120"),
    "body": (TOP + "max_body_mb = 5000", "max_body_mb", "to 256"),
    "unknown": (TOP + 'publicurl = "x"', "publicurl", "'public_url'"),
    "sites": (TOP + "[[sites]]", "sites", "'site'"),
}


@pytest.mark.parametrize(("top", "field", "words"), TOP_FAULTS.values(), ids=TOP_FAULTS)
def test_a_fault_of_the_service_names_file_field_and_fix(
    tmp_path: Path, top: str, field: str, words: str
) -> None:
    told = (
        faults(tmp_path, hook_site(), top=top + "\n") if "[[sites]]" not in top else faults(tmp_path, top=top)
    )
    assert any(line.startswith(f"postcart.toml: {field}: ") and words in line for line in told), told


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    told = faults(
        tmp_path,
        hook_site(region=None, silent=True, colour=1),
        hook_site("b", hooks=["x"]),
        top=TOP + "x = 1\n",
    )
    fields = ("a', region", "a', silent_until", "a', colour", "b', hooks", ": x:")
    assert all(any(field in line for line in told) for field in fields)
    assert len(told) == 5


def test_t_20_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "s"
    secret.write_text("hush")
    site = hook_site(smart=smart(auth="symmetric", secret_file=FILE))
    for mode in (0o644, 0o640, 0o604, 0o660):
        secret.chmod(mode)
        assert "0600" in faults(tmp_path, site)[0]
    secret.chmod(0o600)
    assert read_config(write(tmp_path, site)).sites
    secret.write_text("\n")
    assert "empty" in faults(tmp_path, site)[0]
    assert "hush" not in str(faults(tmp_path, site))


def test_t_20_an_own_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    new_key(tmp_path / "keys", "ES384", datetime(2026, 1, 1, tzinfo=UTC))
    path = write(tmp_path, hook_site(), top=TOP + 'key_dir = "keys"\n')
    assert read_config(path).key_dir == tmp_path / "keys"
    next((tmp_path / "keys").iterdir()).chmod(0o644)
    with pytest.raises(ConfigError, match="key_dir"):
        read_config(path)


# -- H-58: overlap -----------------------------------------------------------------------------

OVERLAPS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "name": ({}, {"name": "A"}),
    "iss": ({}, {"iss": ["https://a.example.org"]}),
    "one of several iss": (
        {"iss": ["https://x.example.org", "https://y.example.org"]},
        {"iss": ["https://y.example.org"]},
    ),
    "iss and tenant": (
        {"iss": ["https://x.example.org"], "tenants": ["t", "u"]},
        {"iss": ["https://x.example.org"], "tenants": ["u"]},
    ),
    "iss, any tenant": (
        {"iss": ["https://x.example.org"], "tenants": ["t"]},
        {"iss": ["https://x.example.org"]},
    ),
    "jku": ({}, {"jku": ["https://a.example.org/keys"]}),
    "jku in another spelling": ({}, {"jku": ["https://A.example.org:443/keys/"]}),
    "keys": ({"keys": [KEY]}, {"keys": [KEY | {"kid": "other"}]}),
    "fhir_base": ({}, {"fhir_base": "https://a.example.org/fhir"}),
    "fhir_base in another spelling": ({}, {"fhir_base": "https://A.example.org.:443/fhir/"}),
    "smart.iss": ({"smart": smart()}, {"smart": smart(iss="https://A.example.org/fhir/")}),
}


@pytest.mark.parametrize(("one", "other"), OVERLAPS.values(), ids=OVERLAPS)
def test_h_58_overlapping_sites_are_refused_with_both_names(
    tmp_path: Path, one: dict[str, Any], other: dict[str, Any]
) -> None:
    told = faults(tmp_path, hook_site(**one), hook_site("b", **other))
    second = other.get("name", "b")
    assert any(
        line.startswith(f"postcart.toml: site {second!r}, ") and "site 'a' too" in line for line in told
    ), told


def test_sites_of_one_issuer_are_told_apart_by_tenants(tmp_path: Path) -> None:
    shared = {"iss": ["https://x.example.org"], "jku": ["https://x.example.org/keys"]}
    path = write(tmp_path, hook_site(**shared, tenants=["t", "u"]), hook_site("b", **shared, tenants=["v"]))
    registry = Registry(read_config(path))
    found = {
        tenant: registry.site_of_token("https://x.example.org", tenant)
        for tenant in ("t", "u", "v", "w", "", "T")
    }
    assert {tenant: site.name if site else None for tenant, site in found.items()} == {
        "t": "a",
        "u": "a",
        "v": "b",
        "w": None,
        "": None,
        "T": None,
    }


# -- look-ups ----------------------------------------------------------------------------------


def test_t_02_a_site_is_found_by_its_exact_issuer_only(tmp_path: Path) -> None:
    registry = Registry(read_config(write(tmp_path, hook_site(), hook_site("b"))))
    assert registry.site_of_token("https://a.example.org", "any") is registry.config.site("a")
    for other in (
        "https://a.example.org/",
        "https://A.example.org",
        "https://a.example.or",
        "",
        "https://c.example.org",
    ):
        assert registry.site_of_token(other, "") is None


def test_t_14_a_launch_is_known_by_its_address_in_any_spelling_and_no_other(tmp_path: Path) -> None:
    registry = Registry(
        read_config(write(tmp_path, hook_site(smart=smart(iss="https://a.example.org/fhir/R4"))))
    )
    for same in (
        "https://a.example.org/fhir/R4",
        "https://A.example.org:443/fhir/R4/",
        "https://a.example.org./fhir/R4",
    ):
        assert registry.site_of_launch(same) is registry.config.sites[0]
    for other in (
        "https://a.example.org/fhir",
        "https://a.example.org/fhir/R4/x",
        "https://a.example.org/FHIR/R4",
        "https://a.example.org.evil.org/fhir/R4",
        "https://a.example.org@evil.org/fhir/R4",
        "https://a.example.org/fhir/R4?x",
        "http://a.example.org/fhir/R4",
        "",
    ):
        assert registry.site_of_launch(other) is None


def test_h_59_silent_mode_past_its_day_warns_and_stays_silent(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, hook_site(silent=True, silent_until=date(2027, 1, 31))))
    on_time = Registry(config, today=lambda: date(2027, 1, 31))
    late = Registry(config, today=lambda: date(2027, 2, 1))
    assert on_time.warnings == ()
    assert len(late.warnings) == 1
    assert "'a'" in late.warnings[0]
    assert "2027-01-31" in late.warnings[0]
    assert late.config.sites[0].silent


def test_h_58_two_fhir_addresses_of_one_site_are_pointed_out(tmp_path: Path) -> None:
    path = write(tmp_path, hook_site(smart=smart(iss="https://test.example.org/fhir")))
    assert "different addresses" in Registry(read_config(path)).warnings[0]


# -- T-21: the file itself ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"public_url = ", "not TOML"),
        (b"\xff\xfe", "UTF-8"),
        (b"x = " + b"[" * 100_000, "not TOML"),
        (b"deadline_s = " + b"9" * 10_000, "not TOML"),
        (b"x = 1\nx = 2\n", "not TOML"),
        (b"public_url: https://postcart.example.org\n", "not TOML"),
        (b"#" * (MAX_FILE_BYTES + 1), "larger"),
        (b"", "is missing"),
    ],
)
def test_t_21_what_is_no_registration_file_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "postcart.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        read_config(path)


def test_t_21_a_file_of_100_mb_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "postcart.toml"
    with path.open("wb") as handle:
        handle.truncate(100 << 20)
    with pytest.raises(ConfigError, match="larger"):
        read_config(path)


def test_t_21_a_link_is_followed_and_a_folder_or_pipe_refused(tmp_path: Path) -> None:
    real = write(tmp_path, hook_site())
    link = tmp_path / "link.toml"
    link.symlink_to(real)
    assert read_config(link).sites[0].name == "a"
    os.mkfifo(tmp_path / "pipe")
    for odd, words in ((tmp_path, "read"), (tmp_path / "pipe", "plain file"), (tmp_path / "nowhere", "read")):
        with pytest.raises(ConfigError, match=words):
            read_config(odd)
