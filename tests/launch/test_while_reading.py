"""The minutes around the reading: what is waited for, how much came, who is signed in, which launches IT sees."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import requests
from joserfc import jwt
from joserfc.jwk import RSAKey
from launching import Browser, Served, chart_of, site_of, wait_ready, workspace_of
from peer import Peer
from test_keys_and_seals import _claims, _read
from test_what_users_do import RESULT, held_back, opened

from ehr.queries import Fetched, Query, ReadState
from smart_app.launch.desk import done_step
from smart_app.launch.trail import KEPT, Trails
from smart_app.page import QueryRow, QueryState, render_loading

Serve = Callable[..., Served]


def brought(*resources: dict[str, Any], kind: str = "MedicationRequest") -> Fetched:
    """A search that ended with these resources on one page."""
    page = {"resourceType": "Bundle", "entry": [{"resource": one} for one in resources]}
    raw = msgspec.Raw(msgspec.json.encode(page))
    return Fetched(Query("orders", kind, kind), ReadState.COMPLETE, (raw,))


def test_h08_an_outcome_or_a_companion_is_not_counted_as_a_record() -> None:
    """H-08: a search that found nothing but an OperationOutcome brought no record of its type."""
    outcome = {"resourceType": "OperationOutcome", "issue": []}
    order = {"resourceType": "MedicationRequest", "id": "1"}
    assert done_step(brought(outcome)).records == 0
    assert done_step(brought(order, {"resourceType": "Medication", "id": "2"}, outcome)).records == 1


def test_the_loading_page_says_what_is_still_waited_for() -> None:
    """Never a fixed sentence: types that have come are not named, types that failed are not waited for."""
    rows = (
        QueryRow("Procedures", QueryState.DONE, records=2),
        QueryRow("Laboratory and pathology results", QueryState.RUNNING),
        QueryRow("Medication orders", QueryState.WAITING),
        QueryRow("Specimens", QueryState.FAILED, reason="no answer"),
    )
    page = render_loading(base="/w/p", queries=rows, csrf="t")
    sentence = re.findall(r'role="status">(.*?)</p>', page)[0]
    assert sentence.endswith("read as well: laboratory and pathology results and medication orders.")
    last = render_loading(base="/w/p", queries=(rows[0], rows[3]), csrf="t")
    assert "All searches have ended." in last


def test_h03_the_loading_page_can_be_closed(serve: Serve) -> None:
    """H-03: whoever opened the wrong chart closes it while it is read; nothing of it is left afterwards."""
    with Peer(chart_of("pt1")) as ehr:
        free = held_back(ehr, "/fhir/Observation")
        app, browser = serve(site_of(ehr)), Browser()
        ehr.register(app.url)
        workspace = workspace_of(browser.get(ehr.launch_url("pt1")))
        page = browser.get(workspace).text
        assert "Reading the chart" in page
        form = re.findall(r'<form class="closer" action="([^"]+/close)" method="post">(.*?)</form>', page)
        assert len(form) == 1
        token = re.findall(r'name="csrf" value="([^"]+)"', form[0][1])[0]
        assert ">Close</button>" in form[0][1]
        ended = browser.post(f"{app.url}{form[0][0]}", {"csrf": token})
        assert "This session has ended" in ended.text
        free.set()
        assert "ALPHAPERSON" not in browser.get(workspace).text
        for _ in range(100):
            if not app.parts.charts.count():
                break
            threading.Event().wait(0.02)
        assert app.parts.charts.count() == 0


@pytest.mark.parametrize(("claim", "shown"), [
    ("Dr Ada Example", "Dr Ada Example"),
    ("  Ada   Example ", "Ada Example"),
    ("Ada <b>Example</b>", "Ada <b>Example</b>"),
    ("A" * 121, ""),
    ("Ada\nExample", ""),
    ("Ada\u202eelpmaxE", ""),
    ("Ada\x00", ""),
    (["Ada"], ""),
    (7, ""),
    (None, ""),
])  # fmt: skip
def test_t16_a_users_name_is_one_line_of_plain_text_or_none(claim: Any, shown: str) -> None:
    """T-16: the claim is somebody else's text: not long, no control or direction characters."""
    key = RSAKey.generate_key(2048)
    token = jwt.encode({"alg": "RS256", "kid": "k"}, _claims(name=claim, fhirUser="Practitioner/1"), key)
    assert _read(token, key).name == shown


@pytest.mark.parametrize(("claims", "shown"), [
    ({"name": "Dr Ada <i>Example"}, "Signed in as Dr Ada &lt;i&gt;Example<"),
    ({"name": "x" * 500}, "Signed in as Practitioner/"),
    ({}, "Signed in as Practitioner/"),
])  # fmt: skip
def test_the_header_says_who_is_signed_in(serve: Serve, claims: dict[str, Any], shown: str) -> None:
    """By name where the EHR gives one, else by the reference of their record; escaped either way."""
    with Peer(chart_of("pt1"), claims=claims) as ehr:
        _, browser, workspace, _ = opened(serve, ehr)
        assert shown in browser.get(workspace).text


def test_a_launch_of_an_unknown_address_is_on_its_page(serve: Serve) -> None:
    """A wrong `iss` is what IT looks for first: it stands there by its host, and nothing else of it."""
    with Peer(chart_of("pt1")) as ehr:
        app, browser = serve(site_of(ehr)), Browser()
        ehr.register(app.url)
        address = "https://typo.example.org/fhir/secret-path"
        assert browser.get(f"{app.url}/launch?iss={address}&launch=launch-code-1").status_code == 403
        browser.get(f"{app.url}/launch?iss=https://<b>odd</b>/&launch=launch-code-1")
        page = requests.get(f"{app.url}/diagnostics", timeout=5).text
        assert "not a registered site: typo.example.org, EHR launch" in page
        assert "unknown-iss" in page
        assert "not a registered site: no readable host" in page
        assert not [word for word in ("secret-path", "launch-code-1", "<b>odd") if word in page]


def test_a_flood_of_unknown_addresses_hides_no_real_launch() -> None:
    """Launches without a registered site have few places of their own."""
    trails = Trails(lambda: datetime.now(UTC))
    real = trails.begin("https://ehr.example.org", "EHR launch")
    trails.know(real, "Test hospital")
    for number in range(3 * KEPT):
        trails.begin(f"https://h{number}.example.org", "EHR launch")
    assert trails.find(real.id) is real
    assert [one.site for one in trails.newest_first()].count("Test hospital") == 1
    assert len(trails.newest_first()) < KEPT


def test_h46_the_page_knows_when_the_first_statement_ends(serve: Serve) -> None:
    """H-46: seconds until the first statement ends, so that an open page can let go of it."""
    with Peer(chart_of("pt1")) as ehr:
        app, browser, workspace, token = opened(serve, ehr)
        assert "data-stated-left" not in browser.get(workspace).text
        browser.post(f"{workspace}/what-if", {"csrf": token, "cd20": "positive", **RESULT})
        app.clock.ahead = timedelta(minutes=9)
        browser.post(f"{workspace}/what-if", {"csrf": token, "cd22": "positive", **RESULT})
        left = int(re.findall(r'data-stated-left="(\d+)"', browser.get(workspace).text)[0])
        assert 20 * 60 < left <= 21 * 60
        wait_ready(browser, workspace)
