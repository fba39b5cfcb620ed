"""What the browser is told and asked for: cookies, headers, form checks, and one gate before every workspace route."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from launching import Browser, Served, chart_of, site_of, wait_ready, workspace_of
from peer import Peer

Serve = Callable[..., Served]
GETS = ("", "/progress", "/idle", "/text", "/evaluation.json", "/raw/Observation/pt1-stain")
POSTS = ("/what-if", "/feedback", "/retry", "/stop", "/close")


@pytest.fixture
def ehr() -> Iterator[Peer]:
    """A registered EHR."""
    with Peer(chart_of("pt1")) as made:
        yield made


def opened(serve: Serve, ehr: Peer, **changes: Any) -> tuple[Served, Browser, str]:
    """A workspace whose chart is read."""
    app, browser = serve(site_of(ehr, **changes)), Browser()
    ehr.register(app.url)
    workspace = workspace_of(browser.get(ehr.launch_url("pt1")))
    wait_ready(browser, workspace)
    return app, browser, workspace


def token_in(browser: Browser, workspace: str) -> str:
    """The form token."""
    return browser.get(workspace).text.split('name="csrf" value="')[1].split('"')[0]


def test_cookies_are_host_only_partitioned_and_one_per_workspace(serve: Serve, ehr: Peer) -> None:
    """The attributes without which a frame loses its session or another page may use it."""
    app = serve(site_of(ehr))
    ehr.register(app.url)
    browser = Browser()
    lines = []
    url = ehr.launch_url("pt1")
    for _ in range(3):
        answer = browser.get(url, follow=False)
        lines += answer.raw.headers.getlist("Set-Cookie")
        url = answer.headers.get("Location", url)
    assert len([line for line in lines if line.startswith("__Host-s_")]) == 2
    (workspace,) = [line for line in lines if line.startswith("__Host-w_")]
    for line in lines:
        parts = {part.strip() for part in line.split(";")[1:]}
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=None", "Partitioned"} <= parts
        assert not [part for part in parts if part.startswith("Domain")]
    assert workspace.split("=")[0].removeprefix("__Host-w_") == url.rsplit("/", 1)[1]


@pytest.mark.parametrize("cookie", ["none", "other", "of-another-workspace", "empty"])
def test_t12_no_route_opens_without_its_own_cookie(serve: Serve, ehr: Peer, cookie: str) -> None:
    """T-12: every workspace route with no, a wrong or another workspace's cookie is the same 404."""
    app, browser, workspace = opened(serve, ehr)
    host, name = urlsplit(app.url).netloc, workspace.rsplit("/", 1)[1]
    other = workspace_of(browser.get(ehr.launch_url("pt1"))).rsplit("/", 1)[1]
    token = token_in(browser, workspace)
    thief = Browser()
    value = {"none": None, "other": "x" * 43, "empty": "",
             "of-another-workspace": browser.cookies[host][f"__Host-w_{other}"]}[cookie]  # fmt: skip
    if value is not None:
        thief.cookies[host] = {f"__Host-w_{name}": value}
    answers = [thief.get(workspace + path, follow=False) for path in GETS]
    answers += [thief.post(workspace + path, {"csrf": token}, follow=False) for path in POSTS]
    answers.append(thief.get(f"{app.url}/w/{'a' * 43}"))
    assert {answer.status_code for answer in answers} == {404}
    assert not [a for a in answers if "ALPHAPERSON" in a.text.upper() or "pt1" in a.text]
    assert browser.get(workspace).status_code == 200


def test_every_workspace_route_is_in_the_list_above(serve: Serve, ehr: Peer) -> None:
    """A route added without the gate's test stands out here."""
    from flask import Flask

    from smart_app.launch import launch_routes

    app = Flask("listing")
    app.register_blueprint(launch_routes(serve(site_of(ehr)).parts))
    rules = {
        rule.rule.removeprefix("/w/<workspace>")
        for rule in app.url_map.iter_rules()
        if "<workspace>" in rule.rule
    }
    listed = {path.replace("/Observation/pt1-stain", "/<kind>/<name>") for path in GETS} | set(POSTS)
    assert rules == listed | {"/<path:rest>"}


def test_t15_headers_stand_on_every_answer(serve: Serve, ehr: Peer) -> None:
    """T-15: strict CSP, framing by registered pages only, no store, no referrer; errors and redirects included."""
    app, browser, workspace = opened(
        serve, ehr, frame_ancestors=("https://ehr.example", "https://*.ehr.example")
    )
    urls = [f"{app.url}{path}" for path in (
        "/launch", "/launch.html", f"/launch.html?iss={ehr.base}&launch=a", f"/launch?iss={ehr.base}", "/callback",
        "/callback?state=x", "/diagnostics", "/w/unknown", "/w/unknown/deep/path", "/launch?iss=https://x.example",
    )] + [workspace + path for path in (*GETS, "/nowhere")]  # fmt: skip
    for url in urls:
        answer = browser.get(url, follow=False)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy, url
        assert "unsafe-inline" not in policy
        assert "frame-ancestors https://ehr.example" in policy, url
        assert answer.headers["Cache-Control"] == "no-store", url
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "camera=()" in answer.headers["Permissions-Policy"]
        assert answer.headers["Cross-Origin-Opener-Policy"] == "unsafe-none"
        assert "X-Frame-Options" not in answer.headers


def test_t15_a_known_site_allows_its_own_ancestors_only(serve: Serve, ehr: Peer) -> None:
    """Before the site is known the union may frame us, afterwards the site's own pages; none means nobody."""
    with Peer(chart_of("pt2")) as other:
        first = site_of(ehr, name="First", frame_ancestors=("https://first.example",))
        app = serve(first, site_of(other, name="Second", frame_ancestors=()))
        for peer in (ehr, other):
            peer.register(app.url)
        browser = Browser()
        before = browser.get(f"{app.url}/launch").headers["Content-Security-Policy"]
        assert "frame-ancestors https://first.example;" in before
        one = workspace_of(browser.get(ehr.launch_url("pt1")))
        two = workspace_of(browser.get(other.launch_url("pt2")))
        assert "frame-ancestors https://first.example;" in browser.get(one).headers["Content-Security-Policy"]
        assert "frame-ancestors 'none';" in browser.get(two).headers["Content-Security-Policy"]


FOREIGN = (
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "null", "Sec-Fetch-Site": "same-site"},
    {"Origin": "null", "Sec-Fetch-Site": "none"},
    {"Origin": "null", "Sec-Fetch-Site": ""},
    {"Origin": "", "Sec-Fetch-Site": ""},
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/json"},
)


def test_t17_actions_of_other_pages_are_refused(serve: Serve, ehr: Peer) -> None:
    """T-17: with the right cookie and even the right token, another page's form does nothing."""
    _, browser, workspace = opened(serve, ehr)
    form = {"csrf": token_in(browser, workspace), "reason": "other"}
    for path in POSTS:
        for headers in FOREIGN:
            assert browser.post(workspace + path, form, follow=False, **headers).status_code == 403, (
                path,
                headers,
            )
    assert browser.get(workspace).status_code == 200
    assert browser.post(f"{workspace}/feedback", form).status_code == 200


@pytest.mark.parametrize("token", ["", "x", "f" * 64])
def test_t17_a_form_without_our_token_is_refused(serve: Serve, ehr: Peer, token: str) -> None:
    """T-17: the token alone tells, too."""
    _, browser, workspace = opened(serve, ehr)
    for path in POSTS:
        assert browser.post(workspace + path, {"csrf": token}, follow=False).status_code == 403


def test_close_ends_everything(serve: Serve, ehr: Peer) -> None:
    """Tokens, chart and cookie are gone, and the browser is told to forget."""
    app, browser, workspace = opened(serve, ehr)
    name = workspace.rsplit("/", 1)[1]
    kept = dict(browser.cookies[urlsplit(app.url).netloc])
    answer = browser.post(f"{workspace}/close", {"csrf": token_in(browser, workspace)})
    assert answer.status_code == 200
    assert '"cache"' in answer.headers["Clear-Site-Data"]
    assert f"__Host-w_{name}" not in browser.cookies[urlsplit(app.url).netloc]
    assert app.parts.charts.get(name) is None
    assert app.parts.workspaces.get(name) is None
    browser.cookies[urlsplit(app.url).netloc] = kept
    assert browser.get(workspace).status_code == 404


def test_h03_idle_and_absolute_end(serve: Serve, ehr: Peer) -> None:
    """H-03: fifteen idle minutes or twelve hours end the workspace; the page itself comes to ask by then."""
    app, browser, workspace = opened(serve, ehr)
    assert browser.get(workspace).headers["Refresh"].startswith("900; url=/w/")
    app.clock.ahead = timedelta(minutes=14)
    assert browser.get(f"{workspace}/idle", follow=False).status_code == 303
    assert browser.get(workspace).status_code == 200
    app.clock.ahead = timedelta(minutes=28)
    browser.get(f"{workspace}/progress")
    assert browser.get(workspace).status_code == 200
    app.clock.ahead = timedelta(minutes=43)
    gone = browser.get(f"{workspace}/idle")
    assert gone.status_code == 404
    assert "ALPHAPERSON" not in gone.text.upper()
    assert app.parts.workspaces.get(workspace.rsplit("/", 1)[1]) is None
    app.clock.ahead = timedelta()
    workspace = workspace_of(browser.get(ehr.launch_url("pt1")))
    wait_ready(browser, workspace)
    for minutes in range(10, 12 * 60, 10):
        app.clock.ahead = timedelta(minutes=minutes)
        app.parts.workspaces.touch(workspace.rsplit("/", 1)[1])
    assert browser.get(f"{workspace}/progress").status_code == 200
    app.clock.ahead = timedelta(hours=12, seconds=1)
    assert browser.get(f"{workspace}/progress").status_code == 404


def test_polling_does_not_keep_an_idle_page_alive(serve: Serve, ehr: Peer) -> None:
    """H-03: the progress fragment is the page's doing, not the user's."""
    app, browser, workspace = opened(serve, ehr)
    for minutes in (5, 10, 14.9):
        app.clock.ahead = timedelta(minutes=minutes)
        assert browser.get(f"{workspace}/progress").status_code == 200
    app.clock.ahead = timedelta(minutes=15, seconds=1)
    assert browser.get(workspace).status_code == 404


def test_h46_what_if_is_marked_and_ends(serve: Serve, ehr: Peer) -> None:
    """H-46: a statement changes page, text and JSON with its mark; it ends cleared, by time, by relaunch."""
    app, browser, workspace = opened(serve, ehr, idle_minutes=60)
    token = token_in(browser, workspace)
    form = {
        "csrf": token,
        "cd20": "negative",
        "specimen": "tissue",
        "method": "ihc",
        "collected": "2025-09-25",
    }
    page = browser.post(f"{workspace}/what-if", form)
    assert page.status_code == 200
    assert "Stated by you" in page.text
    assert "STATED BY THE USER" in browser.get(f"{workspace}/text").text
    (stated,) = browser.get(f"{workspace}/evaluation.json").json()["stated_by_user"]
    assert stated["in_chart"] is False
    again = workspace_of(browser.get(ehr.launch_url("pt1")))
    wait_ready(browser, again)
    assert browser.get(f"{again}/evaluation.json").json()["stated_by_user"] == []
    app.clock.ahead = timedelta(minutes=30, seconds=1)
    assert browser.get(f"{workspace}/evaluation.json").json()["stated_by_user"] == []
    app.clock.ahead = timedelta()
    assert browser.get(f"{workspace}/evaluation.json").json()["stated_by_user"]
    browser.post(f"{workspace}/what-if", {"csrf": token, "action": "clear"})
    assert browser.get(f"{workspace}/evaluation.json").json()["stated_by_user"] == []


def test_feedback_is_stored_coded(serve: Serve, ehr: Peer) -> None:
    """The reason's code goes to the store; no record, no patient."""
    rows: list[Any] = []

    class Memory:
        def record_feedback(self, given: Any) -> None:
            rows.extend(given)

    app = serve(site_of(ehr), memory=Memory())
    ehr.register(app.url)
    browser = Browser()
    workspace = workspace_of(browser.get(ehr.launch_url("pt1")))
    wait_ready(browser, workspace)
    form = {"csrf": token_in(browser, workspace), "reason": "negated", "about": "Observation/pt1-stain"}
    assert browser.post(f"{workspace}/feedback", form).status_code == 200
    (row,) = rows
    assert (row.reason_code, row.outcome, row.site, row.comment) == (
        "negated",
        "overridden",
        "Test hospital",
        "",
    )
    assert "pt1" not in repr(row)


def test_key_set_is_public_and_cacheable(serve: Serve, ehr: Peer) -> None:
    """Public halves with `kid`, `use`, `alg`; no private member."""
    app = serve(site_of(ehr))
    answer = requests.get(f"{app.url}/.well-known/jwks.json", timeout=5)
    assert "max-age" in answer.headers["Cache-Control"]
    keys = answer.json()["keys"]
    assert {key["alg"] for key in keys} == {"ES384", "RS384"}
    for key in keys:
        assert {"kid", "use", "alg", "kty"} <= set(key)
        assert not {"d", "p", "q", "dp", "dq", "qi"} & set(key)


def test_diagnostics_are_for_admin_addresses_and_hold_no_patient(serve: Serve, ehr: Peer) -> None:
    """IT sees steps, endpoints, scopes, skew and thumbprints; nothing of a patient, no token, code or state."""
    ehr.on.withhold = ("patient/Specimen.r",)
    app, _, _ = opened(serve, ehr)
    page = requests.get(f"{app.url}/diagnostics", timeout=5)
    assert page.status_code == 200
    for word in ("EHR launch", "token", f"{ehr.root}/token", "patient/Specimen.r", "verified"):
        assert word in page.text
    # whole seconds of the Date header against ours: a second may turn in between
    assert re.search(r"<td>[+-][0-2] s</td>", page.text)
    assert app.parts.own_keys.keys().keys[0].kid in page.text
    assert not [secret for secret in ehr.issued if secret in page.text]
    assert "pt1" not in page.text
    other = serve(site_of(ehr), name="b")
    config = other.parts.registry.config
    from dataclasses import replace

    other.parts.registry._index = type(other.parts.registry._index)(
        replace(config, admin_addresses=("10.0.0.1",))
    )  # type: ignore[attr-defined]
    assert requests.get(f"{other.url}/diagnostics", timeout=5).status_code == 403


def test_launch_html_redirects_with_the_query_to_the_letter(serve: Serve, ehr: Peer) -> None:
    """303 with iss and launch unchanged, script or not; bare it lists the registered sites and the presets."""
    app = serve(site_of(ehr))
    query = "iss=https%3A%2F%2Fx.example%2Ffhir&launch=a%2Bb%20c=="
    answer = requests.get(f"{app.url}/launch.html?{query}", allow_redirects=False, timeout=5)
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{app.url}/launch?{query}"
    bare = requests.get(f"{app.url}/launch.html", timeout=5)
    assert ehr.base in bare.text
    for word in ("launch.smarthealthit.org", "hapi.fhir.org", "fhir.epic.com", "cerner.com"):
        assert word in bare.text
    assert f"form-action 'self' {ehr.root}" in bare.headers["Content-Security-Policy"]
