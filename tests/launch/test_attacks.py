"""Bad input and attacks: refused on a page a clinician understands, and nothing reaches a canary listener."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests
from flask import Response
from launching import Browser, Served, chart_of, query_of, site_of, wait_ready, workspace_of
from peer import Peer

from ehr.site import Site

Serve = Callable[..., Served]


class Canary:
    """Counts every connection that reaches it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.calls = 0
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.calls += 1
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            connection.close()

    def close(self) -> None:
        """Stops listening."""
        self._listener.close()


@pytest.fixture
def canary() -> Iterator[Canary]:
    """A listener that nothing may call."""
    made = Canary()
    yield made
    made.close()


@pytest.fixture
def ehr() -> Iterator[Peer]:
    """A registered EHR."""
    with Peer(chart_of("pt1")) as made:
        yield made


def app_for(serve: Serve, *peers: Peer, **changes: Any) -> Served:
    """postcart with these EHRs registered."""
    app = serve(*(site_of(peer, name=f"Hospital {n}", **changes) for n, peer in enumerate(peers)))
    for peer in peers:
        peer.register(app.url)
    return app


def test_the_canary_hears() -> None:
    """The listener can fail a test."""
    made = Canary()
    requests.get(made.url, timeout=5)
    assert made.calls == 1
    made.close()


@pytest.mark.parametrize("iss", [
    "{canary}",
    "{canary}/fhir",
    "http://user@127.0.0.1:{port}/fhir",
    "http://{good}@127.0.0.1:{port}/fhir",
    "{goodbase}@127.0.0.1:{port}",
    "{goodbase}#@127.0.0.1:{port}/",
    "{goodbase}?x=http://127.0.0.1:{port}",
    "{goodbase}\\@127.0.0.1:{port}",
    "{goodbase}/../../",
    "{goodbase}/..%2f..",
    "{goodbase}/other",
    "http://2130706433:{port}/fhir",
    "http://0x7f.1:{port}/fhir",
    "http://127.1:{port}/fhir",
    "http://[::ffff:127.0.0.1]:{port}/fhir",
    "http://localhost:{port}/fhir",
    "http://127.0.0.1.nip.example:{port}/fhir",
    "https://127.0.0.1:{port}/fhir",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_",
    "javascript:alert(1)",
    "//127.0.0.1:{port}/fhir",
    " ",
    "x" * 5000,
    "http://127.0.0.1:{port}/\r\nX: y",
    "http://\u0661\u0662\u0667.0.0.1:{port}/",
])  # fmt: skip
def test_t14_a_launch_with_a_foreign_iss_asks_nobody(
    serve: Serve, ehr: Peer, canary: Canary, iss: str
) -> None:
    """T-14: the registrations are asked before any request leaves; every spelling of another address is refused."""
    app = app_for(serve, ehr)
    text = iss.format(canary=canary.url, port=canary.port, good=urlsplit(ehr.base).netloc, goodbase=ehr.base)
    answer = Browser().get(f"{app.url}/launch?iss={quote(text, safe='')}&launch=abc")
    assert answer.status_code in (400, 403)
    assert "Code bad-iss" in answer.text or "Code unknown-iss" in answer.text or "Code no-iss" in answer.text
    assert canary.calls == 0
    assert ehr.seen == []


@pytest.mark.parametrize(
    "query", ["", "launch=x", "iss=&launch=x", "iss={base}&iss={base}", "iss={base}&launch=a&launch=b"]
)
def test_half_and_double_launches(serve: Serve, ehr: Peer, query: str) -> None:
    """Missing and repeated parameters."""
    app = app_for(serve, ehr)
    answer = Browser().get(f"{app.url}/launch?{query.format(base=quote(ehr.base, safe=''))}")
    assert answer.status_code == 400
    assert ehr.seen == []


def test_the_registered_iss_in_another_spelling_still_sends_aud_as_sent(serve: Serve, ehr: Peer) -> None:
    """A trailing slash is the same site; `aud` is what the EHR wrote."""
    app = app_for(serve, ehr)
    answer = Browser().get(f"{app.url}/launch?iss={quote(ehr.base + '/', safe='')}&launch=abc", follow=False)
    assert answer.status_code == 303
    assert query_of(answer.headers["Location"])["aud"] == ehr.base + "/"


def test_discovery_that_redirects_is_not_followed(serve: Serve, ehr: Peer, canary: Canary) -> None:
    """T-08: a redirect is a fault."""
    ehr.on.discovery_raw = lambda: Response(status=302, headers={"Location": canary.url})
    answer = Browser().get(app_launch(serve, ehr))
    assert "Code discovery-down (redirect)" in answer.text
    assert canary.calls == 0


def app_launch(serve: Serve, ehr: Peer) -> str:
    """The address of a launch."""
    app_for(serve, ehr)
    return ehr.launch_url("pt1")


@pytest.mark.parametrize("answer", [
    lambda: Response(b"x" * 2_000_000, content_type="application/json"),
    lambda: Response(b"{" + b" " * 600_000, content_type="application/json"),
    lambda: Response(b"[" * 100_000, content_type="application/json"),
    lambda: Response(b"[]", content_type="application/json"),
    lambda: Response(b"null"),
    lambda: Response(b"{}"),
    lambda: Response(b"", status=500),
    lambda: Response(b"{}", status=404),
])  # fmt: skip
def test_discovery_that_cannot_be_used(serve: Serve, ehr: Peer, answer: Callable[[], Response]) -> None:
    """Huge, deep, empty and failed documents."""
    ehr.on.discovery_raw = answer
    page = Browser().get(app_launch(serve, ehr))
    assert page.status_code == 502
    assert "Code discovery-" in page.text


@pytest.mark.parametrize("member", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize("value", [
    "{canary}/x", "http://evil@127.0.0.1:{port}/x", "http://localhost:{port}/x", "//127.0.0.1:{port}/x",
    "javascript:alert(1)", "https://127.0.0.1:{port}/x", "{root}@127.0.0.1:{port}/", 7,
])  # fmt: skip
def test_endpoints_on_other_hosts_are_refused(
    serve: Serve, ehr: Peer, canary: Canary, member: str, value: Any
) -> None:
    """T-14: each endpoint is on the FHIR origin or a listed host, or the launch stops."""
    text = (
        value.format(canary=canary.url, port=canary.port, root=ehr.root) if isinstance(value, str) else value
    )
    ehr.on.discovery = {member: text}
    page = Browser().get(app_launch(serve, ehr))
    assert (
        "Code endpoint-host" in page.text
        or "Code discovery-bad" in page.text
        or page.url.startswith(ehr.root)
    )
    assert canary.calls == 0
    assert not ehr.codes


def test_a_listed_auth_host_is_taken(serve: Serve, ehr: Peer) -> None:
    """The list is what opens another host: without the entry the same launch is refused."""
    port = urlsplit(ehr.root).port
    ehr.on.discovery = {"authorization_endpoint": f"http://localhost:{port}/authorize"}
    page = Browser().get(app_launch(serve, ehr))
    assert "Code endpoint-host" in page.text
    app = serve(site_of(ehr, auth_hosts=(f"localhost:{port}",)), name="b")
    ehr.register(app.url)
    answer = Browser().get(ehr.launch_url("pt1"), follow=False)
    assert answer.headers["Location"].startswith(f"http://localhost:{port}/authorize?")


def test_discovery_is_kept_for_minutes_but_not_its_faults(serve: Serve, ehr: Peer) -> None:
    """Two launches, one request; after a fault the next launch asks again."""
    ehr.on.discovery_raw = lambda: Response(status=500)
    app_for(serve, ehr)
    Browser().get(ehr.launch_url("pt1"))
    ehr.on.discovery_raw = None
    for _ in range(3):
        Browser().get(ehr.launch_url("pt1"), follow=False)
    assert len([line for line in ehr.seen if "smart-configuration" in line]) == 2


def test_t13_state_forged_replayed_and_from_another_browser(serve: Serve, ehr: Peer) -> None:
    """T-13: unknown, used, and another browser's states open nothing; the code is never redeemed."""
    app = app_for(serve, ehr)
    browser, thief = Browser(), Browser()
    to_ehr = browser.get(ehr.launch_url("pt1"), follow=False).headers["Location"]
    back = requests.get(to_ehr, allow_redirects=False, timeout=5).headers["Location"]

    forged = Browser().get(f"{app.url}/callback?code=x&state={'s' * 43}")
    assert "Code state-unknown" in forged.text
    stolen = thief.get(back)
    assert "Code cookie-missing" in stolen.text
    assert "/w/" not in stolen.url
    # the state is used up by the stolen attempt: the victim launches again
    assert "Code state-unknown" in browser.get(back).text
    assert not ehr.tokens

    first = browser.get(ehr.launch_url("pt1"))
    callback = next(url for url in browser.visited if "/callback?" in url and "state=" in url and url != back)
    workspace_of(first)
    assert "Code state-unknown" in browser.get(callback).text


def test_t13_a_cookie_of_another_sign_in_does_not_fit(serve: Serve, ehr: Peer) -> None:
    """T-13: login into the attacker's session: the victim's browser has no cookie for the attacker's state."""
    app = app_for(serve, ehr)
    attacker, victim = Browser(), Browser()
    to_ehr = attacker.get(ehr.launch_url("pt1"), follow=False).headers["Location"]
    back = requests.get(to_ehr, allow_redirects=False, timeout=5).headers["Location"]
    victim.get(ehr.launch_url("pt1"), follow=False)
    host = urlsplit(app.url).netloc
    name = next(iter(attacker.cookies[host]))
    victim.cookies[host][name] = next(iter(victim.cookies[host].values()))
    page = victim.get(back)
    assert "Code state-unknown (other-browser)" in page.text
    assert not ehr.tokens


def test_t13_codes_and_states_of_two_sites_do_not_mix(serve: Serve, ehr: Peer) -> None:
    """T-13: an answer of site B under the state of site A goes to A's token endpoint alone, and A refuses it."""
    with Peer(chart_of("pt2")) as other:
        app = app_for(serve, ehr, other)
        browser = Browser()
        to_a = browser.get(ehr.launch_url("pt1"), follow=False).headers["Location"]
        to_b = browser.get(other.launch_url("pt2"), follow=False).headers["Location"]
        code_b = query_of(requests.get(to_b, allow_redirects=False, timeout=5).headers["Location"])["code"]
        page = browser.get(f"{app.url}/callback?code={code_b}&state={query_of(to_a)['state']}")
        assert "Code token-refused (invalid_grant)" in page.text
        assert not other.tokens
        assert not ehr.tokens


def test_state_is_over_after_ten_minutes(serve: Serve, ehr: Peer) -> None:
    """A late answer opens nothing."""
    from datetime import timedelta

    app = app_for(serve, ehr)
    browser = Browser()
    to_ehr = browser.get(ehr.launch_url("pt1"), follow=False).headers["Location"]
    back = requests.get(to_ehr, allow_redirects=False, timeout=5).headers["Location"]
    app.clock.ahead = timedelta(minutes=10, seconds=1)
    assert "Code state-unknown" in browser.get(back).text


@pytest.mark.parametrize("query", [
    "", "state=", "code=x", "state=a&state=b&code=x", "state=%00&code=x", "state=" + "s" * 6000, "error=access_denied",
    "state=%F0%28%8C%28&code=%FF",
])  # fmt: skip
def test_odd_callbacks(serve: Serve, ehr: Peer, query: str) -> None:
    """Whatever stands in the query, the page is one of ours and repeats nothing of it."""
    app = app_for(serve, ehr)
    page = Browser().get(f"{app.url}/callback?{query}")
    assert page.status_code == 400
    assert "Code state-unknown" in page.text


def test_next_links_to_another_origin_are_not_followed(serve: Serve, ehr: Peer, canary: Canary) -> None:
    """T-07: paging stays on the registered server; the type is incomplete and says so."""
    app = app_for(serve, ehr)
    plain = ehr._search

    def lying(kind: str, patient: str, start: int, count: int) -> Any:
        answer = plain(kind, patient, start, count)
        if kind == "Observation":
            body = answer.get_json()
            body["link"].append({"relation": "next", "url": f"{canary.url}/fhir/Observation?_page=2"})
            answer.set_data(__import__("json").dumps(body))
        return answer

    ehr._search = lying  # type: ignore[method-assign]
    browser = Browser()
    workspace = workspace_of(browser.get(ehr.launch_url("pt1")))
    wait_ready(browser, workspace)
    page = browser.get(workspace)
    assert page.status_code == 200
    body = browser.get(f"{workspace}/evaluation.json").json()
    assert next(r["state"] for r in body["facts"]["seen"] if r["type"] == "Observation") == "incomplete"
    assert canary.calls == 0
    assert app.url


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}{% raw %}",
    "'; DROP TABLE workspace;--",
    "\u202egnihtemos\u202c",
    "</title><svg onload=alert(1)>",
    "\x07\x1b[31m",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_t16_hostile_text_in_every_string_stays_text(serve: Serve, hostile: str) -> None:
    """T-16: names, codes, conclusions and ids of records end as text, in pages, raw view and loading rows."""
    chart = chart_of("pt1")
    chart[0]["name"] = [{"family": hostile, "given": [hostile], "text": hostile}]
    for row in chart[1:]:
        row["code"]["text"] = f"{row['code'].get('text', '')} {hostile}"
        row["note"] = [{"text": hostile}]
        row["status"] = row.get("status", "final")
    with Peer(chart, context={"fhirContext": [{"reference": f"Observation/{hostile}"}]}) as ehr:
        app_for(serve, ehr)
        browser = Browser()
        workspace = workspace_of(browser.get(ehr.launch_url("pt1")))
        wait_ready(browser, workspace)
        for path in ("", "/raw/Observation/pt1-stain", "/raw/Patient/pt1"):
            page = browser.get(workspace + path)
            assert page.status_code == 200
            lowered = page.text.lower()
            assert "<script>alert" not in lowered
            assert "<img src=x" not in lowered
            assert "<svg onload" not in lowered
            assert "49" not in lowered or "{{ 7*7 }}" not in hostile or "7*7" in lowered
            assert "script-src 'self'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "..%2f..%2fpostcart.db", "app.py", "launch/send.js", "%00"]
)
def test_static_files_are_a_closed_list(serve: Serve, ehr: Peer, path: str) -> None:
    """No path leads out of the folder."""
    app = app_for(serve, ehr)
    for folder in ("static", "launch-assets"):
        answer = requests.get(f"{app.url}/{folder}/{path}", timeout=5)
        assert answer.status_code == 404


def test_what_if_and_raw_take_only_what_they_know(serve: Serve, ehr: Peer) -> None:
    """Odd forms and references are refused, never a 500."""
    app_for(serve, ehr)
    browser = Browser()
    workspace = workspace_of(browser.get(ehr.launch_url("pt1")))
    wait_ready(browser, workspace)
    token = browser.get(workspace).text.split('name="csrf" value="')[1].split('"')[0]
    for form in ({"cd19": "maybe"}, {"cd19": "negative", "collected": "yesterday"}, {"cd19": "x" * 300},
                 {"disregard": "Patient/pt1"}, {"product": "\x00"}, {}):  # fmt: skip
        assert browser.post(f"{workspace}/what-if", {"csrf": token, **form}).status_code in (400, 422)
    assert browser.post(f"{workspace}/feedback", {"csrf": token, "reason": "<b>"}).status_code == 400
    for path in ("raw/Observation/none", "raw/Observation/..%2f..", "raw/x/y", "nothing/here"):
        assert browser.get(f"{workspace}/{path}").status_code == 404


def test_a_site_taken_out_of_the_registrations_ends_its_workspaces(serve: Serve, ehr: Peer) -> None:
    """The registration is looked at on every request."""
    from dataclasses import replace

    app = app_for(serve, ehr)
    browser = Browser()
    workspace = workspace_of(browser.get(ehr.launch_url("pt1")))
    wait_ready(browser, workspace)
    config = app.parts.registry.config
    app.parts.registry._index = type(app.parts.registry._index)(replace(config, sites=(Site(name="Other"),)))  # type: ignore[attr-defined]
    assert browser.get(workspace).status_code == 404
