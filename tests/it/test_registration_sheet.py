"""`postcart registration show`: what is printed is what the running service does, and no vendor fact loses its mark."""

from __future__ import annotations

import json
import re
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import jwt
import pytest
import requests
from standing import GOOD, Hospital, postcart

from ehr.site import Config, Site
from smart_app.it.kept import kept
from smart_app.it.vendors import KINDS, NOT_CONFIRMED, vendors
from smart_app.log import FIELDS
from smart_app.store.tables import TABLES


def show(hospital: Hospital, site: str, *more: str) -> str:
    done = postcart("registration", "show", "--config", str(hospital.config), "--site", site, *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(hospital: Hospital, site: str) -> dict[str, dict[str, list[str]]]:
    found = json.loads(show(hospital, site, "--format", "json"))
    return {key: section["rows"] for key, section in found["sections"].items()}


def token(hospital: Hospital, aud: str) -> dict[str, str]:
    """A call's headers from the site `pasted`, made with another library than the product's."""
    key = jwt.PyJWK(json.loads(hospital.key_files["ec.jwk"].read_text()), "ES384").key
    now = int(time.time())
    claims = {
        "iss": "https://pasted.example.org",
        "aud": aud,
        "iat": now,
        "exp": now + 60,
        "jti": str(uuid.uuid4()),
    }
    signed = jwt.encode(claims, key, "ES384", headers={"kid": "ec"})
    return {"Authorization": f"Bearer {signed}", "Content-Type": "application/json"}


def test_hooks_and_templates_are_those_of_discovery(hospital: Hospital) -> None:
    """What is pasted by hand and what an EHR discovers are one."""
    sheet = rows(hospital, "pasted")
    address = sheet["hooks"]["discovery"][0]
    services = requests.get(address, headers=token(hospital, address), timeout=5).json()["services"]
    assert [one["hook"] for one in services] == ["patient-view", "order-select", "order-sign"]
    for one in services:
        assert sheet["hooks"][f"{one['hook']}: service URL"] == [f"{hospital.base}/cds-services/{one['id']}"]
        assert sheet["hooks"][f"{one['hook']}: title"] == [one["title"]]
        assert sheet["hooks"][f"{one['hook']}: description"] == [one["description"]]
        assert {key: [query] for key, query in one["prefetch"].items()} == sheet["prefetch"]


def test_each_address_and_aud_on_the_sheet_is_taken_and_no_other(hospital: Hospital) -> None:
    """T-03: an aud that stands on the sheet is good for a call of its service, to the letter."""
    sheet = rows(hospital, "pasted")
    url, body = sheet["hooks"]["patient-view: service URL"][0], GOOD.read_bytes()
    own = [
        aud
        for aud in sheet["callers"]["aud taken"]
        if "order-check" not in aud and not aud.endswith("services")
    ]
    assert set(own) == {url, f"{url}/feedback", "typed-in-by-hand"}
    for aud in own:
        assert requests.post(url, body, headers=token(hospital, aud), timeout=10).status_code == 200, aud
    for aud in set(sheet["callers"]["aud taken"]) - set(own) | {f"{url}/", url.upper(), hospital.base}:
        assert requests.post(url, body, headers=token(hospital, aud), timeout=10).status_code == 401, aud
    feedback = sheet["hooks"]["patient-view: feedback URL"][0]
    stored = {"card": str(uuid.uuid4()), "outcome": "overridden", "outcomeTimestamp": "2026-01-01T00:00:00Z"}
    answer = requests.post(
        feedback, json.dumps({"feedback": [stored]}), headers=token(hospital, feedback), timeout=10
    )
    assert answer.status_code == 200


def test_keys_are_those_the_service_publishes(hospital: Hospital) -> None:
    sheet = rows(hospital, "sandbox")["keys"]
    published = requests.get(sheet["JWKS URL"][0], timeout=5).json()["keys"]
    assert sheet["keys (algorithm, thumbprint = kid)"] == [f"{key['alg']} {key['kid']}" for key in published]


def test_the_app_is_launched_as_the_sheet_says(hospital: Hospital) -> None:
    """Launch URL, redirect URI, scopes, frame-ancestors and egress are what a real launch shows."""
    sheet = rows(hospital, "sandbox")
    asked = {"iss": sheet["app"]["iss expected at launch"][0], "launch": "x"}
    answer = requests.get(sheet["app"]["launch URL"][0], params=asked, timeout=10, allow_redirects=False)
    assert answer.status_code == 303, answer.text[:500]
    there = urlsplit(answer.headers["Location"])
    sent = {name: values[0] for name, values in parse_qs(there.query).items()}
    assert sent["redirect_uri"] == sheet["app"]["redirect URI"][0]
    assert sent["client_id"] == sheet["app"]["client id"][0]
    assert set(sent["scope"].split()) <= set(sheet["scopes"]["v2, EHR launch (in use)"][0].split())
    assert there.netloc in sheet["egress"]
    ancestors = re.search(r"frame-ancestors ([^;]*)", answer.headers["Content-Security-Policy"])
    assert ancestors is not None
    assert ancestors[1] == sheet["app"]["frame-ancestors sent"][0]
    alone = requests.get(
        sheet["app"]["launch URL"][0], params={"iss": asked["iss"]}, timeout=10, allow_redirects=False
    )
    scope = parse_qs(urlsplit(alone.headers["Location"]).query)["scope"][0]
    assert set(scope.split()) <= set(sheet["scopes"]["v2, standalone (in use)"][0].split())


def test_scopes_differ_by_syntax_and_kind_of_launch_only(hospital: Hospital) -> None:
    scopes = {name: set(values[0].split()) for name, values in rows(hospital, "sandbox")["scopes"].items()}
    v2, v1 = scopes["v2, EHR launch (in use)"], scopes["v1, EHR launch"]
    assert {re.sub(r"\.(rs|r)$", ".read", one) for one in v2} == v1
    assert "patient/Condition.rs" in v2
    assert v1 ^ scopes["v1, standalone"] == {"launch", "launch/patient"}
    assert not [one for name in scopes.values() for one in name if "*" in one or ".c" in one]


def test_every_search_the_service_makes_stands_on_the_sheet(hospital: Hospital) -> None:
    """All that reaches the FHIR server of a call without prefetch is on the list, and nothing else."""
    listed = rows(hospital, "sandbox")["searches"]["searches and reads"]
    ward: Any = hospital.box.app.extensions["sandbox"]["ward"]
    ward.switches.set({"no_prefetch"})
    since = ward.happened.next_number()
    answered = ward.hooks.fire("patient-view", "zztest-alma")
    ward.switches.set(set())
    assert answered.problems == []
    seen = {f"{one.method} {unquote(one.what)}" for one in ward.happened.queries("zztest-alma", since)}
    wanted = {row.replace("{{context.patientId}}", "zztest-alma") for row in listed}
    by_reference = {one for one in seen if re.fullmatch(r"GET (Medication|Specimen)/[A-Za-z0-9.-]+", one)}
    assert seen - by_reference == wanted


def test_every_table_and_log_field_is_on_the_sheet(hospital: Hospital) -> None:
    """What is kept is read off the store: a new table or log field without a line here fails."""
    files_and_memory = {
        "audit spool",
        "audit anchor",
        "key folder",
        "hook call",
        "chart cache of the app",
        "report text memo",
    }
    listed = kept(Config(public_url="https://x.example", sites=()), Site(name="x"))
    assert {one.name for one in listed} == set(TABLES.tables) | files_and_memory
    assert len({one.name for one in listed}) == len(listed)
    text = show(hospital, "sandbox")
    for one in listed:
        assert f"{one.name} ({one.place}):" in text
    told = re.search(r"fields:\n((?:  .*\n)+)", text)
    assert told is not None
    assert set(re.split(r",\s+", told[1].strip())) == {"time", "level", "event", *FIELDS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_fact_is_never_printed_without_its_mark(hospital: Hospital, kind: str) -> None:
    text = " ".join(show(hospital, "sandbox", "--ehr", kind).split())
    assert "ask before you rely on them" in text
    for fact in vendors()[kind].facts:
        words = " ".join(fact.text.split())
        assert text.count(words) == text.count(f"[{fact.mark}] {words} ({fact.source})") == 1


def test_what_was_not_seen_is_marked_as_not_confirmed() -> None:
    """Epic's hooks, prefetch limits, feedback and time limits, athena beyond its help page, all of MEDITECH's hooks."""
    unseen = {
        "epic": {"hooks", "prefetch", "feedback", "time", "cards", "discovery"},
        "oracle": {"feedback", "time"},
        "athena": {"discovery", "searches", "time"},
        "meditech": {"hooks", "searches"},
    }
    for kind, topics in unseen.items():
        facts = vendors()[kind].facts
        for topic in topics:
            marks = {fact.mark for fact in facts if fact.about == topic}
            assert marks == {NOT_CONFIRMED}, (kind, topic)
    assert [
        fact for fact in vendors()["oracle"].facts if fact.mark == NOT_CONFIRMED and "2021" in fact.source
    ]
    vague = ("experience", "blogs", "not seen", "none found", "not mentioned there", "an API directory")
    everywhere = [fact for vendor in vendors().values() for fact in vendor.facts]
    assert [fact for fact in everywhere if fact.source in vague and fact.mark != NOT_CONFIRMED] == []


def test_the_sheet_holds_no_secret(tmp_path: Path) -> None:
    """T-20: neither private keys nor the database's password nor a client's secret."""
    assert postcart("keys", "new", "--dir", str(tmp_path / "keys")).returncode == 0
    (tmp_path / "secret").write_text("s3cr3t-of-the-client")
    (tmp_path / "secret").chmod(0o600)
    config = tmp_path / "postcart.toml"
    config.write_text(
        'public_url = "https://postcart.example.org"\nkey_dir = "keys"\n'
        'database_url = "postgresql://postcart:pa55word@db.example.org/postcart"\n'
        '[[site]]\nname = "north"\nregion = "US"\n[site.smart]\niss = "https://ehr.example.org/fhir"\n'
        'client_id = "c"\nauth = "symmetric"\nsecret_file = "secret"\n',
        "utf-8",
    )
    for form in ("text", "json"):
        done = postcart("registration", "show", "--config", str(config), "--site", "north", "--format", form)
        assert done.returncode == 0, done.stderr
        assert "pa55word" not in done.stdout
        assert "s3cr3t" not in done.stdout
        for file in (tmp_path / "keys").glob("sign-*.json"):
            assert json.loads(file.read_text())["jwk"]["d"] not in done.stdout
        assert "ehr.example.org:443" in done.stdout
        assert "PostgreSQL as in database_url" in done.stdout


def test_silent_mode_and_missing_parts_are_told(tmp_path: Path) -> None:
    """H-59: the state of silent mode stands on the sheet; a site without app or keys says so."""
    config = tmp_path / "postcart.toml"
    config.write_text(
        'public_url = "https://postcart.example.org"\n[[site]]\nname = "north"\nregion = "EU"\n'
        'iss = ["https://n.example.org"]\njku = ["https://n.example.org/keys"]\nhooks = ["patient-view"]\n'
        "silent = true\nsilent_until = 2027-03-31\n",
        "utf-8",
    )
    done = postcart("registration", "show", "--config", str(config), "--site", "north", "--format", "json")
    sheet = {key: section["rows"] for key, section in json.loads(done.stdout)["sections"].items()}
    assert sheet["service"]["silent mode"] == ["on, to be ended by 2027-03-31"]
    assert "order-sign: service URL" not in sheet["hooks"]
    assert "not in the registration file" in sheet["app"]["iss expected at launch"][0]
    assert "none yet" in sheet["keys"]["keys (algorithm, thumbprint = kid)"][0]
    assert "order-check" not in " ".join(sheet["callers"]["aud taken"])
    made = datetime.fromisoformat(json.loads(done.stdout)["made"])
    assert abs((datetime.now(UTC) - made).total_seconds()) < 60


def test_text_and_json_say_the_same(hospital: Hospital) -> None:
    text = " ".join(show(hospital, "sandbox", "--ehr", "oracle").split())
    found = json.loads(show(hospital, "sandbox", "--ehr", "oracle", "--format", "json"))
    for section in found["sections"].values():
        for label, values in section["rows"].items():
            assert f"{label}:" in text
            for value in values:
                assert " ".join(value.split()) in text
    lines = show(hospital, "sandbox", "--ehr", "oracle").splitlines()
    pasted = found["sections"]["scopes"]["rows"]["v1, EHR launch"][0]
    assert f"  {pasted}" in lines, "what is pasted stands on one line"


def test_wrong_input_is_exit_2(hospital: Hospital, tmp_path: Path) -> None:
    config = str(hospital.config)
    for words, told in (
        (("--config", config, "--site", "nowhere"), "Registered: sandbox"),
        (("--config", str(tmp_path / "none.toml"), "--site", "x"), "cannot be read"),
        (("--site", "x"), "--config"),
        (("--config", config, "--site", "sandbox", "--ehr", "other"), "invalid choice"),
    ):
        done = postcart("registration", "show", *words)
        assert (done.returncode, told in done.stderr) == (2, True), done.stderr
