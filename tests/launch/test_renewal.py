"""Refresh with rotation under a lock, two patients at once, and where tokens must never be seen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from launching import Browser, Served, chart_of, site_of, wait_ready, workspace_of
from peer import Peer

from smart_app.launch.fault import LaunchFault
from smart_app.launch.opening import Opening
from smart_app.launch.renewal import Renewal
from smart_app.launch.seal import fresh_sealer
from smart_app.launch.trail import Trails
from smart_app.launch.vault import Vault

Serve = Callable[..., Served]


@pytest.fixture
def ehr() -> Iterator[Peer]:
    """An EHR that rotates its refresh tokens."""
    with Peer(chart_of("pt1"), rotate=True) as made:
        yield made


def workspace(serve: Serve, ehr: Peer) -> tuple[Served, Browser, str]:
    """A workspace whose chart is read; gives its address."""
    app, browser = serve(site_of(ehr)), Browser()
    ehr.register(app.url)
    place = workspace_of(browser.get(ehr.launch_url("pt1")))
    wait_ready(browser, place)
    return app, browser, place


def renewal_of(app: Served, *, other_worker: bool = False) -> tuple[Renewal, Vault]:
    """The renewal as a worker holds it; each call is another worker on the same database."""
    parts = app.parts
    vault = Vault(parts.workspaces, parts.sealer, lambda: parts.registry.config, parts.clock)
    opening = Opening(parts, vault, Trails(parts.clock))
    endpoint = lambda o: opening.token_endpoint(o.site, o.session.token_endpoint)  # noqa: E731
    return Renewal(vault, endpoint, parts.clock), vault


@pytest.mark.parametrize("client", ["public", "symmetric", "asymmetric"])
def test_t32_many_threads_and_workers_spend_a_refresh_token_once(
    serve: Serve, tmp_path: Any, client: str
) -> None:
    """T-32: sixteen refusals at once over four workers make one refresh; all get the same new token."""
    secret = tmp_path / "secret"
    with Peer(chart_of("pt1"), rotate=True, client=client) as ehr:
        secret.write_text(ehr.on.secret)
        app, browser = serve(site_of(ehr, secret_file=secret)), Browser()
        ehr.register(app.url)
        name = workspace_of(browser.get(ehr.launch_url("pt1"))).rsplit("/", 1)[1]
        workers = [renewal_of(app)[0] for _ in range(4)]
        old = workers[0].token(name)
        with ThreadPoolExecutor(16) as pool:
            fresh = set(pool.map(lambda n: workers[n % 4].renewed(name, old), range(16)))
        assert ehr.refreshed == 1
        assert len(fresh) == 1
        assert old not in fresh
        assert workers[1].renewed(name, fresh.pop()) is not None
        assert ehr.findings == []


def test_t32_without_the_claim_the_same_race_spends_it_twice(
    serve: Serve, ehr: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is what keeps the race safe: with claims that always succeed the peer sees a token used again."""
    app, _, place = workspace(serve, ehr)
    name = place.rsplit("/", 1)[1]
    plain = Vault.replace
    monkeypatch.setattr(Vault, "replace", lambda self, opened, session: plain(self, opened, session) or True)
    workers = [renewal_of(app)[0] for _ in range(2)]
    old, gate = workers[0].token(name), threading.Barrier(2)

    def both(worker: Renewal) -> str:
        gate.wait()
        try:
            return str(worker.renewed(name, old))
        except LaunchFault as fault:
            return fault.code

    with ThreadPoolExecutor(2) as pool:
        for _ in range(5):
            said = list(pool.map(both, workers))
            if "ended" in said or ehr.refreshed > 1:
                return
            old = workers[0].token(name)
    raise AssertionError("the race never showed; this test cannot fail")


def test_t32_a_crash_after_the_answer_keeps_the_old_and_then_ends(
    serve: Serve, ehr: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-32: the worker dies between the EHR's answer and storing it; the old stays, its reuse ends the workspace."""
    app, browser, place = workspace(serve, ehr)
    name = place.rsplit("/", 1)[1]
    worker, vault = renewal_of(app)
    old = worker.token(name)
    with monkeypatch.context() as patched:
        patched.setattr(vault, "change", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            worker.renewed(name, old)
    assert vault.peek(name).session.tokens.access == old
    app.clock.ahead += __import__("datetime").timedelta(seconds=16)
    with pytest.raises(LaunchFault) as ended:
        worker.renewed(name, old)
    assert ended.value.code == "ended"
    assert browser.get(place).status_code == 410


def test_a_401_while_paging_refreshes_and_reading_goes_on(serve: Serve, ehr: Peer) -> None:
    """All types, several pages each, the token refused in the middle: one refresh, nothing lost."""
    for number in range(30):
        ehr.resources.append({**chart_of("pt1")[3], "id": f"more-{number}"})
    ehr.on.page = 5
    calls, plain = [0], ehr._search

    def expiring(*args: Any) -> Any:
        calls[0] += 1
        if calls[0] in (3, 9):
            ehr.expire_tokens()
        return plain(*args)

    ehr._search = expiring  # type: ignore[method-assign]
    _, browser, place = workspace(serve, ehr)
    body = browser.get(f"{place}/evaluation.json").json()
    assert {row["state"] for row in body["facts"]["seen"] if row["type"] != "MedicationStatement"} >= {
        "complete"
    }
    assert next(r for r in body["facts"]["seen"] if r["type"] == "Observation")["state"] == "complete"
    assert ehr.refreshed >= 1
    assert ehr.findings == []


def test_a_token_that_runs_out_between_two_pages_is_not_sent_again(serve: Serve, ehr: Peer) -> None:
    """The app knows when its token ends: it renews before the next page, and the EHR sees no used-up token."""
    for number in range(60):
        ehr.resources.append({**chart_of("pt1")[3], "id": f"more-{number}"})
    ehr.on.page = 5
    app, browser = serve(site_of(ehr)), Browser()
    ehr.register(app.url)
    searched: set[str] = set()
    plain = ehr._search

    def running_out(kind: str, patient: str, start: int, count: int) -> Any:
        searched.add(kind)
        others_done = len(searched) == 6 and any("/fhir/Patient/" in one for one in ehr.seen)
        if start > 20 and others_done and not app.clock.ahead:
            app.clock.ahead += timedelta(seconds=301)
            ehr.expire_tokens()
        return plain(kind, patient, start, count)

    ehr._search = running_out  # type: ignore[method-assign]
    place = workspace_of(browser.get(ehr.launch_url("pt1")))
    wait_ready(browser, place)
    seen = browser.get(f"{place}/evaluation.json").json()["facts"]["seen"]
    assert next(row for row in seen if row["type"] == "Observation")["state"] == "complete"
    assert app.clock.ahead
    assert ehr.refreshed == 1
    assert ehr.used_up == 0
    assert ehr.findings == []


def test_invalid_grant_ends_the_workspace_on_its_page(serve: Serve, ehr: Peer) -> None:
    """The EHR has ended the session: the page says so, and tokens and chart are gone."""
    app, browser, place = workspace(serve, ehr)
    token = browser.get(place).text.split('name="csrf" value="')[1].split('"')[0]
    ehr.on.refuse_refresh = True
    ehr.expire_tokens()
    browser.post(f"{place}/retry", {"csrf": token})
    wait_ready(browser, place)
    page = browser.get(place)
    assert page.status_code == 410
    assert "The EHR has ended this session" in page.text
    assert "ALPHAPERSON" not in page.text.upper()
    name = place.rsplit("/", 1)[1]
    assert app.parts.charts.get(name) is None
    row = app.parts.workspaces.get(name)
    assert b'"access":""' in app.parts.sealer.open(row.sealed, f"workspace:{name}")


def test_h02_two_patients_two_hundred_requests_never_mix(serve: Serve) -> None:
    """H-02: two workspaces of one browser, 200 interleaved requests on many threads: each shows its own patient only."""
    with Peer([*chart_of("pt1"), *chart_of("pt2")]) as ehr:
        app, browser = serve(site_of(ehr)), Browser()
        ehr.register(app.url)
        places = {}
        for patient, own, other in (
            ("pt1", "ALPHAPERSON", "BETAPERSON"),
            ("pt2", "BETAPERSON", "ALPHAPERSON"),
        ):
            place = workspace_of(browser.get(ehr.launch_url(patient)))
            wait_ready(browser, place)
            places[place] = (patient, own, other)
        paths = ("", "/text", "/evaluation.json", "/raw/Patient/{own}", "/progress")

        def ask(number: int) -> str:
            place = list(places)[number % 2]
            patient, own, other = places[place]
            fresh = Browser()
            fresh.cookies = {host: dict(jar) for host, jar in browser.cookies.items()}
            path = paths[number % 5].format(own=patient)
            answer = fresh.get(place + path)
            text = answer.text.upper()
            wrong = other in text or answer.status_code != 200 or (own not in text and path != "/progress")
            stranger = fresh.get(f"{place}/raw/Patient/{'pt2' if patient == 'pt1' else 'pt1'}")
            return f"{place}{path} {answer.status_code}" if wrong or stranger.status_code != 404 else ""

        with ThreadPoolExecutor(8) as pool:
            assert [said for said in pool.map(ask, range(200)) if said] == []
        assert ehr.findings == []


def test_no_token_code_state_or_launch_is_seen_anywhere(serve: Serve, ehr: Peer) -> None:
    """Captured addresses, pages, cookies, log, the peer's request lines and the database hold no secret (T-18)."""
    app, browser, place = workspace(serve, ehr)
    for path in ("", "/text", "/evaluation.json", "/raw/Patient/pt1", "/progress"):
        browser.get(place + path)
    name = place.rsplit("/", 1)[1]
    renewal_of(app)[0].renewed(name, renewal_of(app)[0].token(name))
    tokens = [
        secret
        for secret in ehr.issued
        if secret in ehr.tokens or secret in ehr.refreshes or secret.count(".") == 2
    ]
    assert len(tokens) >= 4
    pages = [text for url, text in browser.said if url.startswith(app.url)]
    cookies = [value for jar in browser.cookies.values() for value in jar.values()]
    places = {
        "addresses": browser.visited,
        "pages": pages,
        "cookies": cookies,
        "log": app.log,
        "peer": ehr.seen,
    }
    for where, texts in places.items():
        assert not [token for token in tokens if any(token in text for text in texts)], where
    for secret in ehr.issued:
        assert not [text for text in (*app.log, *pages) if secret in text]
        assert secret.encode() not in app.database
    assert b"pt1" not in app.database
    (cookie,) = [value for value in cookies if value]
    assert cookie.encode() not in app.database


def test_t18_another_key_means_launching_again(serve: Serve, ehr: Peer) -> None:
    """T-18: a database without its key file opens nothing and says so kindly."""
    app, browser, place = workspace(serve, ehr)
    name = place.rsplit("/", 1)[1]
    secret = next(iter(browser.cookies[app.url.removeprefix("http://")].values()))
    other = replace(app.parts, sealer=fresh_sealer())
    vault = Vault(other.workspaces, other.sealer, lambda: other.registry.config, other.clock)
    with pytest.raises(LaunchFault) as refused:
        vault.enter(name, secret)
    assert refused.value.code == "not-found"
