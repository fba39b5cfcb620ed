"""`postcart check`: each thing that can be wrong is found, named, and told how to mend; nothing is changed or leaked."""

from __future__ import annotations

import base64
import copy
import email.utils
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey
from standing import Hospital, Server, postcart

from smart_app.check_command import run as run_check
from smart_app.cli import _parser

TYPES = ("Patient", "Condition", "Procedure", "Observation", "MedicationAdministration", "MedicationRequest")
SEARCHABLE = (*TYPES, "DiagnosticReport", "ServiceRequest", "Medication", "Specimen")


def statement(base: str) -> dict[str, Any]:
    """A CapabilityStatement that offers everything."""
    resources = [
        {
            "type": kind,
            "interaction": [{"code": "read"}, {"code": "search-type"}],
            "searchParam": [{"name": "patient", "type": "reference"}],
        }
        for kind in SEARCHABLE
    ]
    return {
        "resourceType": "CapabilityStatement",
        "fhirVersion": "4.0.1",
        "implementation": {"url": base},
        "rest": [{"mode": "server", "resource": resources}],
    }


def sign_in(url: str) -> dict[str, Any]:
    """A smart-configuration that offers everything."""
    return {
        "issuer": url,
        "jwks_uri": f"{url}/keys",
        "authorization_endpoint": f"{url}/authorize",
        "token_endpoint": f"{url}/token",
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_basic"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES384", "RS384"],
        "capabilities": [
            *("launch-ehr", "client-public", "client-confidential-asymmetric", "sso-openid-connect"),
            *("context-ehr-patient", "permission-patient", "permission-v2"),
        ],
    }


@pytest.fixture(scope="module")
def own_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key folder, made once."""
    folder = tmp_path_factory.mktemp("own") / "keys"
    assert postcart("keys", "new", "--dir", str(folder), "--at-once").returncode == 0
    return folder


class Site:
    """One site whose servers a test can bend, and the check of it, run in this process."""

    def __init__(self, server: Server, folder: Path, keys: Path) -> None:
        self.server, self.folder = server, folder
        self.base = f"{server.url}/fhir"
        self.public = ECKey.generate_key("P-384").as_dict(private=False) | {"kid": "theirs", "alg": "ES384"}
        server.says("/keys", {"keys": [self.public]})
        server.says("/fhir/metadata", statement(self.base))
        server.says("/fhir/.well-known/smart-configuration", sign_in(server.url))
        self.config = folder / "postcart.toml"
        self.keys = keys
        self.write()

    def write(self, site: str = "", top: str = "", smart: str = "") -> None:
        """Writes the registration file with more lines."""
        self.config.write_text(
            f'public_url = "https://postcart.example.org"\nkey_dir = "{self.keys}"\n{top}\n'
            f'[[site]]\nname = "north"\nenvironment = "test"\nregion = "US"\nfhir_base = "{self.base}"\n'
            f'iss = ["https://ehr"]\njku = ["{self.server.url}/keys"]\n{site}\n[site.smart]\n'
            f'iss = "{self.base}"\nclient_id = "c"\nauth = "asymmetric"\n{smart}\n',
            "utf-8",
        )
        self.config.chmod(0o600)

    def bend(self, path: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Changes one JSON answer."""
        status, headers, body = self.server.answers[path]
        bent = copy.deepcopy(body)
        change(bent)
        self.server.answers[path] = (status, headers, bent)


@pytest.fixture
def site(tmp_path: Path, own_keys: Path) -> Iterator[Site]:
    """A site in good order."""
    with Server() as server:
        yield Site(server, tmp_path, own_keys)


Check = Callable[..., tuple[int, str]]


@pytest.fixture
def check(site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Check:
    """Runs the check as the shell does; gives exit status and what was printed."""
    for name in ("POSTCART_CONFIG", "POSTCART_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    # seconds each, and shown on the running hospital and in the tests of their own
    monkeypatch.setattr("smart_app.it.here.check_knowledge", lambda: ())
    monkeypatch.setattr("smart_app.it.here.run_selftest", lambda evaluate: ())

    def run(*words: str) -> tuple[int, str]:
        options = _parser("check").parse_args(
            ["check", "--config", str(site.config), "--timeout", "2", *words]
        )
        status = run_check(options)
        told = capsys.readouterr()
        return status, told.out + told.err

    return run


def test_a_running_hospital_is_found_in_order(hospital: Hospital) -> None:
    """The sandbox EHR and the live service: no fault, each of our searches offered, each clock in step."""
    done = postcart("check", "--config", str(hospital.config))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 faults" in done.stdout
    for words in (
        *("token_endpoint is on", "PKCE with S256", "Condition?patient=[id]&_count=1000 is offered"),
        *("server's clock is", "sqlite: sound", "every category is given", "ES384"),
    ):
        assert words in done.stdout
    assert all("mend:" in follow for line, follow in _pairs(done.stdout) if line.startswith("warning"))


def _pairs(text: str) -> list[tuple[str, str]]:
    lines = text.splitlines()
    return list(zip(lines, [*lines[1:], ""], strict=True))


def test_a_site_in_good_order_has_no_fault_and_no_warning(check: Check) -> None:
    status, text = check("--strict")
    assert (status, "0 faults, 0 warnings" in text) == (0, True), text


def _drop(*kinds: str) -> Callable[[dict[str, Any]], object]:
    def change(said: dict[str, Any]) -> None:
        rest = said["rest"][0]
        rest["resource"] = [row for row in rest["resource"] if row["type"] not in kinds]

    return change


def _only(name: str, *values: str) -> Callable[[dict[str, Any]], object]:
    return lambda said: said.update({name: list(values)})


CONFIGURATION, METADATA = "/fhir/.well-known/smart-configuration", "/fhir/metadata"
BENDS: dict[str, tuple[str, Callable[[dict[str, Any]], object], int, str, str]] = {
    "T-14 endpoint elsewhere": (
        *(CONFIGURATION, lambda said: said.update({"token_endpoint": "https://login.evil.example/token"})),
        *(1, "token_endpoint is on login.evil.example", 'auth_hosts = ["login.evil.example"]'),
    ),
    "T-14 endpoint in the clear": (
        *(CONFIGURATION, lambda said: said.update({"token_endpoint": "http://login.example.org/token"})),
        *(1, "token_endpoint is not acceptable", "https address"),
    ),
    "no authorization endpoint": (
        *(CONFIGURATION, lambda said: said.pop("authorization_endpoint")),
        *(1, "no authorization_endpoint", "complete its smart-configuration"),
    ),
    "T-13 no S256": (
        *(CONFIGURATION, _only("code_challenge_methods_supported", "plain")),
        *(1, "PKCE with S256 is not offered", "enable S256"),
    ),
    "T-13 PKCE not announced": (
        *(CONFIGURATION, lambda said: said.pop("code_challenge_methods_supported")),
        *(0, "PKCE is not announced", "always sends it"),
    ),
    "other scope syntax": (
        *(CONFIGURATION, _only("capabilities", "launch-ehr", "permission-v1", "context-ehr-patient")),
        *(1, "may be dropped silently", 'scopes = "v1"'),
    ),
    "no launch": (
        *(CONFIGURATION, _only("capabilities", "permission-v2")),
        *(1, "no kind of launch", "enable launch-ehr"),
    ),
    "assertions refused": (
        *(CONFIGURATION, _only("token_endpoint_auth_methods_supported", "client_secret_post")),
        *(1, "does not take private_key_jwt", "another kind of client"),
    ),
    "algorithm refused": (
        *(CONFIGURATION, _only("token_endpoint_auth_signing_alg_values_supported", "RS384")),
        *(1, "ES384 are not taken", "RS384"),
    ),
    "no MedicationRequest": (
        *(METADATA, _drop("MedicationRequest")),
        *(0, "MedicationRequest (medication orders): not offered", "shows as not seen"),
    ),
    "no conditions": (METADATA, _drop("Condition"), 1, "Condition: none can be read", "412"),
    "no infusions": (
        *(METADATA, _drop("Procedure", "MedicationAdministration")),
        *(1, "Procedure and MedicationAdministration: none can be read", "412"),
    ),
    "read only": (
        *(METADATA, lambda said: said["rest"][0]["resource"][3].update(interaction=[{"code": "read"}])),
        *(0, "Observation (laboratory and pathology results): cannot be searched", "prefetch"),
    ),
    "not by patient": (
        *(METADATA, lambda said: said["rest"][0]["resource"][3].update(searchParam=[{"name": "code"}])),
        *(0, "cannot be searched by patient", "prefetch"),
    ),
    "STU3": (METADATA, lambda said: said.update(fhirVersion="3.0.2"), 1, "FHIR version 3.0.2", "R4 server"),
    "H-58 another system": (
        *(METADATA, lambda said: said["implementation"].update(url="https://test.example.org/fhir")),
        *(0, "calls itself https://test.example.org/fhir", "live system"),
    ),
    "T-01 secret keys": (
        *("/keys", lambda said: said.update(keys=[{"kty": "oct", "kid": "x", "k": "c2VjcmV0"}])),
        *(1, "no key of the set is a usable public", "key set's address"),
    ),
    "no keys": ("/keys", lambda said: said.update(keys=[]), 1, "the key set is empty", "lets nobody in"),
    "keys for other algorithms": (
        *(
            "/keys",
            lambda said: said["keys"][0].update(
                ECKey.generate_key("P-256").as_dict(private=False), alg="ES256"
            ),
        ),
        *(1, "no key is for RS384 or ES384", "has to sign with"),
    ),
}


@pytest.mark.parametrize("name", BENDS)
def test_each_fault_of_a_server_is_found_and_told_how_to_mend(site: Site, check: Check, name: str) -> None:
    path, change, wanted, words, mend = BENDS[name]
    site.bend(path, change)
    status, text = check()
    assert status == wanted, text
    found = [(line, follow) for line, follow in _pairs(text) if words in line]
    assert found, text
    assert found[0][0].startswith("fault" if wanted else "warning")
    assert "mend:" in found[0][1]
    assert mend in found[0][1]
    assert check("--strict")[0] == 1


@pytest.mark.parametrize("path", ["/keys", METADATA, CONFIGURATION])
@pytest.mark.parametrize("way", ["gone", "html", "redirect", "hang", "down"])
def test_no_answer_is_a_fault_in_time_and_leads_nowhere_else(
    site: Site, check: Check, path: str, way: str
) -> None:
    """T-06, T-08, T-10: redirects are not followed, hanging servers are left, and the check goes on."""
    with Server() as canary:
        for there in (path, "/x"):
            canary.says(there, {})
        answers = {
            "gone": (404, {}, b"no"),
            "html": (200, {}, b"<html>maintenance</html>"),
            "redirect": (302, {"Location": f"{canary.url}/x"}, b""),
            "hang": (200, {}, 10.0),
            "down": (503, {}, b""),
        }
        site.server.answers[path] = answers[way]
        began = time.monotonic()
        status, text = check()
        assert time.monotonic() - began < 12
        assert (status, canary.heard) == (1, []), text
    assert text.count("\nfault") == 1, text
    assert "mend:" in text


@pytest.mark.parametrize(
    ("ahead", "level"), [(10, "ok"), (100, "warning"), (-100, "warning"), (900, "fault")]
)
def test_h65_a_clock_that_differs_is_found(site: Site, check: Check, ahead: int, level: str) -> None:
    site.server.date = email.utils.formatdate(time.time() + ahead, usegmt=True)
    status, text = check()
    lines = [line for line in text.splitlines() if "server's clock" in line]
    assert len(lines) == 3, text
    assert all(line.startswith(level) for line in lines), text
    assert all(("ahead of" if ahead > 0 else "behind") in line for line in lines)
    assert status == (1 if level == "fault" else 0)


def test_h59_silent_mode_past_its_day_is_a_warning_with_the_fix(site: Site, check: Check) -> None:
    site.write("silent = true\nsilent_until = 2020-01-31")
    status, text = check("--offline")
    assert (status, "should have ended on 2020-01-31" in text) == (0, True), text
    assert "Set silent = false after the validation" in text
    assert check("--offline", "--strict")[0] == 1
    site.write("silent = true\nsilent_until = 2999-01-31")
    assert check("--offline", "--strict")[0] == 0


def test_h58_an_issuer_that_nobody_registered_is_pointed_out(site: Site, check: Check) -> None:
    site.bend(CONFIGURATION, lambda said: said.update(issuer="https://test-system.example.org"))
    status, text = check()
    assert (status, "its issuer is https://test-system.example.org" in text) == (0, True), text
    site.bend(CONFIGURATION, lambda said: said.update(issuer=site.base))
    assert "its issuer is" not in check()[1]


def test_all_faults_of_the_settings_are_told_at_once(site: Site, check: Check) -> None:
    site.write('colour = "red"\nrate_per_minute = 0', top="deadline_s = 99", smart='scopes = "v3"')
    status, text = check()
    assert (status, text.count("\n        mend: ")) == (1, 4), text
    for word in ("colour", "rate_per_minute", "deadline_s", "scopes"):
        assert word in text
    assert site.server.heard == []


def test_h58_overlapping_sites_are_found_with_both_names(site: Site, check: Check) -> None:
    text = site.config.read_text()
    twice = text[text.index("[[site]]") :].replace('"north"', '"south"')
    site.config.write_text(text + twice)
    status, said = check()
    assert status == 1
    assert "'south'" in said
    assert "'north' too" in said


def test_t20_files_that_others_may_use_are_found(site: Site, check: Check, tmp_path: Path) -> None:
    site.config.chmod(0o666)
    status, text = check("--offline")
    assert (status, "postcart.toml may be written by others" in text, "chmod go-w" in text) == (1, True, True)
    site.write(top='database_url = "postgresql://u:pa55@127.0.0.1:1/x"')
    site.config.chmod(0o644)
    status, text = check("--offline")
    assert (status, "database password and may be read" in text) == (1, True), text
    assert "pa55" not in text
    site.write()
    state = tmp_path / "postcart-state"
    state.mkdir()
    state.chmod(0o777)
    assert "others may write into" in check("--offline")[1]


def test_t20_h65_keys_that_are_open_missing_or_old_are_found(
    site: Site, check: Check, tmp_path: Path
) -> None:
    site.keys = tmp_path / "none"
    site.write()
    status, text = check("--offline")
    assert (status, "no ES384 key to sign with" in text, f"--dir {site.keys}" in text) == (1, True, True), (
        text
    )
    assert postcart("keys", "new", "--dir", str(site.keys), "--at-once").returncode == 0
    assert check("--offline", "--strict")[0] == 0
    for file in site.keys.glob("sign-*.json"):
        body = json.loads(file.read_text())
        file.write_text(json.dumps({**body, "created": "2020-01-01T00:00:00+00:00"}))
    status, text = check("--offline")
    assert (status, "past its day of rotation" in text, "keys rotate" in text) == (0, True, True), text
    next(site.keys.glob("sign-*.json")).chmod(0o644)
    status, text = check("--offline")
    assert (status, "0600" in text) == (1, True), text


def test_the_database_is_judged_and_never_touched(site: Site, check: Check, tmp_path: Path) -> None:
    """H-61: damaged, newer, absent and unreachable are told apart; a check makes no file."""
    before = sorted(path.name for path in tmp_path.rglob("*"))
    assert "not made yet" in check("--offline")[1]
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    site.write(top='database_url = "postgresql://u:pa55@127.0.0.1:1/x"')
    status, text = check("--offline")
    assert (status, "PostgreSQL cannot be used (db_down)" in text, "pa55" in text) == (1, True, False), text
    site.keys = tmp_path / "keys"
    site.write()
    _make_store(tmp_path)
    status, text = check("--offline")
    assert "sqlite: sound" in text, text
    file = tmp_path / "postcart-state" / "postcart.db"
    with sqlite3.connect(file) as database:
        database.execute("UPDATE alembic_version SET version_num = 'from-the-future'")
    database.close()
    status, text = check("--offline")
    assert (status, "tables of revision from-the-future" in text) == (1, True), text
    file.write_bytes(b"no database at all" * 999)
    assert check("--offline")[0] == 1
    file.chmod(0o644)
    assert "postcart.db may be read by others" in check("--offline")[1]


def _make_store(folder: Path) -> None:
    from smart_app.store import load_or_make_key, open_store

    key = load_or_make_key(folder / "keys" / "store.key")
    state = folder / "postcart-state"
    state.mkdir(mode=0o700)
    store = open_store(f"sqlite:///{state / 'postcart.db'}", key=key, folder=state)
    store.flush()
    store.close()
    assert postcart("keys", "new", "--dir", str(folder / "keys"), "--at-once").returncode == 0


def test_an_overlay_that_is_broken_is_found(site: Site, check: Check, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    site.write('overlay = "overlay"')
    (overlay / "overlay.json").write_text("{")
    status, text = check("--offline")
    assert (status, "overlay.json" in text, "overlay" in text) == (1, True, True), text


def test_a_failed_selftest_is_a_fault(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """H-70."""
    monkeypatch.setattr("smart_app.it.here.run_selftest", lambda evaluate: ("no-relapse",))
    status, text = check("--offline")
    assert (status, "failed: no-relapse" in text) == (1, True)


PATIENT, TOKEN, MARK = "zz-very-secret-patient", "zz-very-secret-token", "ZZ-VERY-SECRET-NAME"


def test_searches_for_a_patient_are_tried_and_nothing_of_it_is_printed(
    site: Site, check: Check, tmp_path: Path
) -> None:
    """T-07, H-66: the token goes to the registered server alone; neither it nor patient nor record is printed."""
    kinds = (
        "Condition",
        "Procedure",
        "MedicationAdministration",
        "MedicationRequest",
        "DiagnosticReport",
        "ServiceRequest",
    )
    site.server.says(
        f"/fhir/Patient/{PATIENT}", {"resourceType": "Patient", "id": PATIENT, "name": [{"text": MARK}]}
    )
    for kind in kinds:
        site.server.says(f"/fhir/{kind}", {"resourceType": "Bundle", "type": "searchset", "entry": []})
    site.server.says(
        "/fhir/Observation", {"resourceType": "OperationOutcome", "issue": [{"diagnostics": MARK}]}, 403
    )
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    status, text = check("--site", "north", "--patient", PATIENT, "--token-file", str(file))
    assert status == 1
    assert text.count("was read in full") == 7, text
    assert "Observation (laboratory and pathology results) was not read" in text
    assert "compare the scopes with the registration sheet" in text
    for secret in (PATIENT, TOKEN, MARK, base64.b64encode(TOKEN.encode()).decode()):
        assert secret not in text
    tokens = {
        path.partition("?")[0]: headers.get("Authorization") for _, path, headers, _ in site.server.heard
    }
    assert {path for path, sent in tokens.items() if sent == f"Bearer {TOKEN}"} == {
        f"/fhir/Patient/{PATIENT}",
        "/fhir/Observation",
        *(f"/fhir/{kind}" for kind in kinds),
    }
    assert tokens["/keys"] is tokens[METADATA] is tokens[CONFIGURATION] is None


def test_what_cannot_run_is_exit_2(site: Site, check: Check, tmp_path: Path) -> None:
    """T-20: a token file that others may read is refused."""
    open_token = tmp_path / "token"
    open_token.write_text(TOKEN)
    open_token.chmod(0o644)
    for words, told in (
        (("--site", "nowhere"), "Registered: north"),
        (("--patient", "x"), "--site"),
        (("--site", "north", "--patient", "x", "--token-file", str(open_token)), "0600"),
        (("--config", str(tmp_path / "none.toml")), "cannot be read"),
    ):
        status, text = check(*words)
        assert (status, told in text, TOKEN in text) == (2, True, False), text
    site.config.write_text("this is no TOML")
    assert check()[0] == 2
    assert site.server.heard == []


def test_names_a_server_gives_cannot_drive_the_terminal(site: Site, check: Check) -> None:
    """T-28."""
    site.bend(
        METADATA,
        lambda said: said.update(fhirVersion="\x1b[2J\u202e", implementation={"url": "https://\x1b]0;x\x07"}),
    )
    text = check()[1]
    assert {char for char in text if char != "\n" and not char.isprintable()} == set()
