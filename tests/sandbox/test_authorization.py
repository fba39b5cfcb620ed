"""The authorization server: three kinds of clients get through, and every careless request is refused with a reason."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import jwt
import pytest
import requests
from boxed import ALMA, BRUNO
from smart_client import REDIRECT, SCOPE, App, Keys, published_keys, sent_back

from sandbox_ehr.fhir.records import USER_NAME
from sandbox_ehr.serve import Box, start
from sandbox_ehr.settings import CLIENT_IDS

KINDS = ["public", "symmetric", "asymmetric"]
SECRET = "a-secret-for-tests"  # noqa: S105


@pytest.fixture(scope="module")
def keys() -> Iterator[Keys]:
    """The client's published keys."""
    with published_keys() as published:
        yield published


@pytest.fixture(scope="module")
def ehr(keys: Keys) -> Iterator[Box]:
    """A box that knows the test client in its three kinds."""
    with start(
        app_base="http://127.0.0.1:9",
        app_jwks_url=keys.url,
        client_secret=SECRET,
        today=date(2026, 11, 22),
    ) as box:
        yield box


@pytest.fixture
def app(ehr: Box, keys: Keys) -> Iterator[App]:
    """The asymmetric client, with every switch off before and after."""
    yield App(ehr.root, CLIENT_IDS["asymmetric"], "asymmetric", keys)
    ehr.app.extensions["sandbox"]["ward"].switches.set(set())


def launch_of(ehr: Box, patient: str = ALMA, context: str = "") -> str:
    """A fresh EHR launch."""
    return str(ehr.app.extensions["sandbox"]["office"].desk.open_launch(patient, context))


def switch(ehr: Box, *names: str) -> None:
    """Turns exactly these switches on."""
    ehr.app.extensions["sandbox"]["ward"].switches.set(set(names))


def id_claims(ehr: Box, token: dict[str, Any], client: str) -> dict[str, Any]:
    """The id_token's claims, verified with an independent library."""
    found = requests.get(f"{ehr.root}/fhir/.well-known/openid-configuration", timeout=5).json()
    keys = requests.get(found["jwks_uri"], timeout=5).json()["keys"]
    assert all("d" not in one for one in keys)
    kid = jwt.get_unverified_header(token["id_token"])["kid"]
    key = next(jwt.PyJWK(one) for one in keys if one["kid"] == kid)
    claims: dict[str, Any] = jwt.decode(
        token["id_token"], key, algorithms=found["id_token_signing_alg_values_supported"], audience=client
    )
    assert claims["iss"] == found["issuer"]
    return claims


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("kind", KINDS)
def test_ehr_launch_works_for_every_kind_of_client(ehr: Box, keys: Keys, kind: str, method: str) -> None:
    """Code, token, patient, appContext, id_token with nonce and fhirUser, and a read with the token."""
    app = App(ehr.root, CLIENT_IDS[kind], kind, keys)
    sent = app.request(launch_of(ehr, context="sealed"))
    back = sent_back(app.authorize(sent, method))
    assert back["state"] == sent["state"]
    answer = app.token(back["code"])
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    token = answer.json()
    assert answer.json()["token_type"].lower() == "bearer"
    assert (token["patient"], token["need_patient_banner"], token["appContext"]) == (ALMA, True, "sealed")
    assert token["scope"].split() == SCOPE.split()
    claims = id_claims(ehr, token, app.client)
    assert claims["nonce"] == sent["nonce"]
    assert claims["fhirUser"] == f"{ehr.root}/fhir/Practitioner/zz-example"
    assert claims["name"] == USER_NAME
    assert "auth_time" not in claims
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    read = requests.get(f"{ehr.root}/fhir/Condition?patient={ALMA}", headers=headers, timeout=5)
    assert read.status_code == 200


@pytest.mark.parametrize("alg", ["ES384", "RS384"])
def test_both_assertion_algorithms_are_taken(ehr: Box, app: App, alg: str) -> None:
    """RS384 and ES384 (SMART 2.2, asymmetric client authentication)."""
    code = app.code(launch_of(ehr))
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
    assert app.post({**form, "code_verifier": app.verifier}, alg=alg).status_code == 200


def test_discovery_says_what_is_done(ehr: Box) -> None:
    """The SMART configuration names S256, the three client kinds and both scope spellings."""
    found = requests.get(f"{ehr.root}/fhir/.well-known/smart-configuration", timeout=5).json()
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert {"launch-ehr", "launch-standalone", "authorize-post", "permission-v1", "permission-v2"} <= set(
        found["capabilities"]
    )
    switch(ehr, "v1_only")
    found = requests.get(f"{ehr.root}/fhir/.well-known/smart-configuration", timeout=5).json()
    switch(ehr)
    assert "permission-v2" not in found["capabilities"]


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"aud": None}, "invalid_request", "aud"),
        ({"aud": "http://127.0.0.1:9/fhir"}, "invalid_request", "aud"),
        ({"code_challenge": None}, "invalid_request", ""),
        ({"code_challenge_method": None}, "invalid_request", ""),
        ({"code_challenge_method": "plain"}, "invalid_request", ""),
        ({"code_challenge": "short"}, "invalid_request", ""),
        ({"state": "short"}, "invalid_request", "state"),
        ({"nonce": None}, "invalid_request", "nonce"),
        ({"response_type": "token"}, "unsupported_response_type", ""),
        ({"scope": f"{SCOPE} patient/*.rs"}, "invalid_scope", "every resource type"),
        ({"scope": f"{SCOPE} patient/Observation.sr"}, "invalid_scope", "not understood"),
        ({"scope": SCOPE.replace(" launch", "")}, "invalid_scope", "launch"),
        ({"launch": "made-up"}, "invalid_request", "launch"),
        ({"launch": None}, "invalid_scope", "launch"),
    ],
)
def test_careless_requests_go_back_with_a_reason(
    ehr: Box, app: App, changes: dict[str, Any], error: str, words: str
) -> None:
    """The app is told what was wrong; no code is given."""
    sent = app.request(launch_of(ehr), **changes)
    back = sent_back(app.authorize(sent))
    assert back["error"] == error
    assert words in back.get("error_description", "")
    assert "code" not in back
    assert back.get("state") == sent["state"]


@pytest.mark.parametrize(
    "changes", [{"client_id": "nobody"}, {"redirect_uri": REDIRECT + "/more"}, {"redirect_uri": None}]
)
def test_requests_of_strangers_end_on_a_page(ehr: Box, app: App, changes: dict[str, Any]) -> None:
    """An unknown client or address is never redirected to; a person reads why."""
    answer = app.authorize(app.request(launch_of(ehr), **changes))
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert "This launch was refused" in answer.text


def test_repeated_parameters_end_on_a_page(ehr: Box, app: App) -> None:
    """A parameter that comes twice has no meaning."""
    sent = [*app.request(launch_of(ehr)).items(), ("scope", "openid")]
    answer = requests.get(f"{ehr.root}/oauth/authorize", params=sent, allow_redirects=False, timeout=5)
    assert answer.status_code == 400
    assert "scope" in answer.text


def test_a_launch_is_good_once_and_for_two_minutes(ehr: Box, app: App) -> None:
    """A used launch and an old one are refused."""
    launch = launch_of(ehr)
    app.code(launch)
    assert "launch" in sent_back(app.authorize(app.request(launch)))["error_description"]
    desk = ehr.app.extensions["sandbox"]["office"].desk
    old, clock = launch_of(ehr), desk.clock
    desk.clock = lambda: clock() + 121
    try:
        assert "launch" in sent_back(app.authorize(app.request(old)))["error_description"]
    finally:
        desk.clock = clock


@pytest.mark.parametrize(
    "changes",
    [
        {"code": "made-up"},
        {"redirect_uri": REDIRECT + "/more"},
        {"code_verifier": None},
        {"code_verifier": "x" * 43},
        {"grant_type": "password"},
    ],
)
def test_codes_are_redeemed_only_as_they_were_asked_for(ehr: Box, app: App, changes: dict[str, Any]) -> None:
    """Wrong code, address, verifier or grant: no token."""
    answer = app.token(app.code(launch_of(ehr)), **changes)
    assert answer.status_code >= 400
    assert "access_token" not in answer.text


def test_a_code_that_comes_twice_takes_its_token_back(ehr: Box, app: App) -> None:
    """A replayed code was stolen from somebody: the token it gave ends."""
    code = app.code(launch_of(ehr))
    token = app.token(code).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{ehr.root}/fhir/Condition?patient={ALMA}"
    assert requests.get(url, headers=headers, timeout=5).status_code == 200
    assert app.token(code).status_code == 400
    assert requests.get(url, headers=headers, timeout=5).status_code == 401


def test_a_code_is_good_for_a_minute(ehr: Box, app: App) -> None:
    """A code that waited too long gives nothing."""
    code = app.code(launch_of(ehr))
    desk = ehr.app.extensions["sandbox"]["office"].desk
    clock = desk.clock
    desk.clock = lambda: clock() + 61
    try:
        assert app.token(code).json()["error"] == "invalid_grant"
    finally:
        desk.clock = clock


def test_another_clients_code_is_worth_nothing(ehr: Box, app: App, keys: Keys) -> None:
    """A code is bound to the client it was given to."""
    other = App(ehr.root, CLIENT_IDS["public"], "public", keys, verifier=app.verifier)
    assert other.token(app.code(launch_of(ehr))).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "proof",
    [
        {"alg": "HS256"},
        {"alg": "RS256"},
        {"header_kid": "another"},
        {"header_kid": ""},
        {"header_typ": "at+jwt"},
        {"header_jku": "http://127.0.0.1:9/jwks"},
        {"iss": "somebody"},
        {"sub": "postcart-public"},
        {"aud": "http://127.0.0.1:9/token"},
        {"exp": 4102444800},
        {"exp": 1},
        {"exp": None},
        {"jti": None},
    ],
)
def test_assertions_that_break_a_rule_are_refused(ehr: Box, app: App, proof: dict[str, Any]) -> None:
    """Algorithm, kid, typ, jku, iss, sub, aud, life and jti are each looked at."""
    form = {"grant_type": "authorization_code", "code": app.code(launch_of(ehr)), "redirect_uri": REDIRECT}
    answer = app.post({**form, "code_verifier": app.verifier}, **proof)
    assert answer.status_code in (400, 401)
    assert answer.json()["error"] == "invalid_client"


def test_an_assertion_is_good_once(ehr: Box, app: App) -> None:
    """The same jti twice is a replay."""
    form = {"grant_type": "authorization_code", "redirect_uri": REDIRECT, "code_verifier": app.verifier}
    assert app.post({**form, "code": app.code(launch_of(ehr))}, jti="once").status_code == 200
    answer = app.post({**form, "code": app.code(launch_of(ehr))}, jti="once")
    assert answer.json()["error"] == "invalid_client"


def test_clients_prove_themselves_as_registered(ehr: Box, keys: Keys) -> None:
    """No client gets through in another client's way, nor with its secret in the body or a wrong one."""
    secret = App(ehr.root, CLIENT_IDS["symmetric"], "symmetric", keys)
    bare = App(ehr.root, secret.client, "public", keys, verifier=secret.verifier)
    assert bare.token(secret.code(launch_of(ehr))).json()["error"] == "invalid_client"
    assert bare.token("any", client_secret=SECRET).status_code == 401
    loud = secret.token(secret.code(launch_of(ehr)), client_secret=SECRET)  # Basic as well as the body
    assert loud.json()["error"] == "invalid_client"
    wrong = App(ehr.root, secret.client, "symmetric", keys, secret="guess", verifier=secret.verifier)  # noqa: S106
    assert wrong.token(secret.code(launch_of(ehr))).json()["error"] == "invalid_client"
    public = App(ehr.root, CLIENT_IDS["public"], "public", keys)
    noisy = App(ehr.root, public.client, "symmetric", keys, verifier=public.verifier)
    answer = noisy.token(public.code(launch_of(ehr)), client_id=public.client)
    assert answer.json()["error"] == "invalid_client"


def test_refresh_keeps_scope_and_patient_and_rotates_by_switch(ehr: Box, app: App) -> None:
    """A refresh gives a new token for the same chart, never more; with rotation the old one ends."""
    first = app.token(app.code(launch_of(ehr))).json()
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    again = app.post(dict(form)).json()
    assert again["patient"] == ALMA
    assert again["access_token"] != first["access_token"]
    assert "refresh_token" not in again
    more = app.post({**form, "scope": f"{SCOPE} patient/Procedure.rs"})
    assert more.json()["error"] == "invalid_scope"
    switch(ehr, "rotate_refresh")
    turned = app.post(dict(form)).json()
    assert turned["refresh_token"] != first["refresh_token"]
    assert app.post(dict(form)).json()["error"] == "invalid_grant"


def test_refresh_needs_access_scope_and_the_same_client(ehr: Box, app: App, keys: Keys) -> None:
    """Without online or offline access, or with the switch, there is none; another client cannot use it."""
    plain = app.token(app.code(launch_of(ehr), scope=SCOPE.replace("online_access ", ""))).json()
    assert "refresh_token" not in plain
    switch(ehr, "no_refresh")
    assert "refresh_token" not in app.token(app.code(launch_of(ehr))).json()
    switch(ehr)
    held = app.token(app.code(launch_of(ehr))).json()["refresh_token"]
    other = App(ehr.root, CLIENT_IDS["public"], "public", keys)
    stolen = other.post({"grant_type": "refresh_token", "refresh_token": held})
    assert stolen.json()["error"] == "invalid_grant"


def test_withheld_and_v1_only_scopes_are_dropped_in_silence(ehr: Box, app: App) -> None:
    """As some EHRs do: the answer's scope is the only word about it."""
    switch(ehr, "withhold_observations")
    granted = app.token(app.code(launch_of(ehr))).json()["scope"].split()
    assert "patient/Observation.rs" not in granted
    assert "patient/Condition.rs" in granted
    switch(ehr, "v1_only")
    granted = app.token(app.code(launch_of(ehr))).json()["scope"].split()
    assert [one for one in granted if one.startswith("patient/")] == []
    v1 = SCOPE.replace(".rs", ".read")
    granted = app.token(app.code(launch_of(ehr), scope=v1)).json()["scope"].split()
    assert "patient/Condition.read" in granted


def test_standalone_launch_lets_a_person_choose_the_patient(ehr: Box, app: App) -> None:
    """Without a chart a page asks which patient; the choice is good once, and refusing is possible."""
    scope = SCOPE.replace(" launch", " launch/patient")
    sent = app.request("", scope=scope)
    page = app.authorize(sent)
    assert page.status_code == 200
    assert "Choose a patient" in page.text
    choice = html.unescape(re.findall(r'name="choice" value="([^"]+)"', page.text)[0])
    skipped = app.authorize({**sent, "chosen_patient": BRUNO, "choice": "made-up"})
    assert "Choose a patient" in skipped.text
    back = sent_back(app.authorize({**sent, "chosen_patient": BRUNO, "choice": choice}, "POST"))
    assert app.token(back["code"]).json()["patient"] == BRUNO
    sent = app.request("", scope=scope)
    assert "Choose a patient" in app.authorize({**sent, "chosen_patient": BRUNO, "choice": choice}).text
    choice = re.findall(r'name="choice" value="([^"]+)"', app.authorize(sent).text)[0]
    refused = app.authorize({**sent, "chosen_patient": "", "choice": choice}, "POST")
    assert sent_back(refused)["error"] == "access_denied"


def test_a_nonce_is_good_once(ehr: Box, app: App) -> None:
    """A nonce that comes again is a replay."""
    app.code(launch_of(ehr), nonce="the-same-nonce")
    back = sent_back(app.authorize(app.request(launch_of(ehr), nonce="the-same-nonce")))
    assert back["error"] == "invalid_request"


def test_tokens_end(ehr: Box, app: App) -> None:
    """A token lives as long as it says and no longer."""
    switch(ehr, "short_tokens")
    token = app.token(app.code(launch_of(ehr))).json()
    assert token["expires_in"] == 5
    shelf = ehr.app.extensions["sandbox"]["tokens"]
    assert shelf.find(token["access_token"]) is not None
    clock = shelf._clock
    shelf._clock = lambda: clock() + 6
    try:
        assert shelf.find(token["access_token"]) is None
    finally:
        shelf._clock = clock
