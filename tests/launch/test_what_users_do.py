"""What a user does in the page and what must not follow from it: silence, mixing, a screen that stays."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import request
from launching import Browser, Served, chart_of, site_of, wait_ready, workspace_of
from peer import Peer

from ehr.app_context import sign_context

Serve = Callable[..., Served]
RESULT = {"specimen": "tissue", "method": "ihc", "collected": "2025-09-25"}


def opened(serve: Serve, ehr: Peer, **changes: Any) -> tuple[Served, Browser, str, str]:
    """A workspace whose chart is read, with its form token."""
    app, browser = serve(site_of(ehr), **changes), Browser()
    ehr.register(app.url)
    workspace = workspace_of(browser.get(ehr.launch_url("pt1")))
    wait_ready(browser, workspace)
    token = browser.get(workspace).text.split('name="csrf" value="')[1].split('"')[0]
    return app, browser, workspace, token


def stated(browser: Browser, workspace: str) -> list[dict[str, Any]]:
    """The statements that stand."""
    found: list[dict[str, Any]] = browser.get(f"{workspace}/evaluation.json").json()["stated_by_user"]
    return found


def held_back(ehr: Peer, path: str) -> threading.Event:
    """Lets the EHR keep the answers below a path until the event is set."""
    event = threading.Event()

    @ehr.app.before_request
    def wait() -> None:
        if request.path.startswith(path):
            event.wait(20)

    return event


@pytest.mark.parametrize(
    ("switches", "shown"), [({}, True), ({"banner": False}, False), ({"swap_patient": "pt2"}, False)]
)
def test_h01_the_banner_stands_while_the_chart_is_read(
    serve: Serve, switches: dict[str, Any], shown: bool
) -> None:
    """H-01: who it is stands there as soon as their own record came; nobody else, and not where the EHR says it."""
    with Peer(chart_of("pt1"), **switches) as ehr:
        free = held_back(ehr, "/fhir/Observation")
        app, browser = serve(site_of(ehr)), Browser()
        ehr.register(app.url)
        workspace = workspace_of(browser.get(ehr.launch_url("pt1")))
        for _ in range(400):
            progress = browser.get(f"{workspace}/progress")
            if any(line.startswith("GET /fhir/Patient") for line in ehr.seen) and (
                progress.text.count("q-done") + progress.text.count("q-fail") >= 5
            ):
                break
            threading.Event().wait(0.02)
        page = browser.get(workspace)
        assert "HX-Refresh" not in progress.headers
        assert "Reading the chart" in page.text
        assert [("ALPHAPERSON" in said) for said in (progress.text, page.text)] == [shown, shown]
        assert "BETAPERSON" not in progress.text + page.text
        free.set()
        wait_ready(browser, workspace)


def test_h44_feedback_on_the_page_is_no_override_of_the_card(serve: Serve) -> None:
    """H-44: a complaint about the page goes under a name of its own, so that the card is shown again."""
    rows: list[Any] = []

    class Memory:
        def record_feedback(self, given: Any) -> None:
            rows.extend(given)

    card, now = str(uuid.uuid4()), datetime.now(UTC)
    sealed = sign_context(b"c" * 32, "Test hospital", "pt1", card, now, facts_digest="ab" * 16)
    with Peer(chart_of("pt1"), context={"appContext": sealed}) as ehr:
        app, browser, workspace, token = opened(serve, ehr, memory=Memory())
        name = workspace.rsplit("/", 1)[1]
        assert app.parts.charts.get(name) is not None
        form = {"csrf": token, "reason": "wrong-option", "about": "page"}
        assert browser.post(f"{workspace}/feedback", form).status_code == 200
        assert browser.post(f"{workspace}/feedback", form).status_code == 200
    assert len(rows) == 2
    assert {row.card for row in rows} == {rows[0].card}
    assert rows[0].card != card


def test_h03_every_answer_that_shows_the_patient_clears_itself(serve: Serve) -> None:
    """H-03: also a form's answer, the text and the JSON leave the screen when nobody is there any more."""
    with Peer(chart_of("pt1")) as ehr:
        _, browser, workspace, token = opened(serve, ehr)
        answers = [browser.get(f"{workspace}{path}") for path in ("", "/text", "/evaluation.json")]
        answers.append(browser.get(f"{workspace}/raw/Observation/pt1-stain?format=json"))
        answers.append(browser.post(f"{workspace}/feedback", {"csrf": token, "reason": "other"}))
        answers.append(browser.post(f"{workspace}/what-if", {"csrf": token}))
        assert [one.status_code for one in answers] == [200, 200, 200, 200, 200, 422]
        for answer in answers:
            assert answer.headers["Refresh"].endswith(f"/w/{workspace.rsplit('/', 1)[1]}/idle"), answer.url
        assert "Refresh" not in browser.post(f"{workspace}/close", {"csrf": token}).headers


def test_h01_a_record_of_another_patient_is_named_but_never_shown(serve: Serve) -> None:
    """H-01: the EHR mixes another patient's record in; the page names the entry and has no way to its content."""
    chart = chart_of("pt1")
    stranger = {**chart[-1], "id": "stranger-stain"}
    stranger["subject"] = {"reference": "https://elsewhere.example/fhir/Patient/pt1"}
    with Peer([*chart, stranger]) as ehr:
        app, browser, workspace, _ = opened(serve, ehr)
        held = app.parts.charts.get(workspace.rsplit("/", 1)[1])
        assert held is not None
        assert "Observation/stranger-stain" in held.records
        page = browser.get(workspace).text
        assert "Observation/stranger-stain" in page
        assert "/raw/Observation/stranger-stain" not in page
        assert browser.get(f"{workspace}/raw/Observation/pt1-stain").status_code == 200
        for form in ("", "?format=json"):
            assert browser.get(f"{workspace}/raw/Observation/stranger-stain{form}").status_code == 404


@pytest.mark.parametrize("name", ["cd19", "cd20", "cd22"])
def test_h46_a_slip_put_right_does_not_stand_beside_its_correction(serve: Serve, name: str) -> None:
    """H-46: the same antigen of the same specimen stated again takes the place of the first statement."""
    with Peer(chart_of("pt1")) as ehr:
        _, browser, workspace, token = opened(serve, ehr)
        for state in ("positive", "negative"):
            browser.post(f"{workspace}/what-if", {**RESULT, "csrf": token, name: state})
        (one,) = stated(browser, workspace)
        assert one["value"]["state"] == "negative"
        # another specimen is another result: both stand
        browser.post(
            f"{workspace}/what-if", {**RESULT, "csrf": token, name: "positive", "specimen": "marrow"}
        )
        assert len(stated(browser, workspace)) == 2


def test_h46_each_statement_ends_after_its_own_half_hour(serve: Serve) -> None:
    """H-46: a later statement gives an earlier one no longer life."""
    with Peer(chart_of("pt1")) as ehr:
        app, browser, workspace, token = opened(serve, ehr)
        browser.post(f"{workspace}/what-if", {**RESULT, "csrf": token, "cd20": "negative"})
        for minutes, left in ((10, 2), (20, 2), (29, 2)):
            app.clock.ahead = timedelta(minutes=minutes)
            browser.post(f"{workspace}/what-if", {**RESULT, "csrf": token, "cd22": "negative"})
            assert len(stated(browser, workspace)) == left
        app.clock.ahead = timedelta(minutes=31)
        (one,) = stated(browser, workspace)
        assert one["value"]["antigen"] == "CD22"


def test_no_statement_falls_out_in_silence(serve: Serve) -> None:
    """Twenty statements are the most; the next is refused, and the first still stands."""
    with Peer(chart_of("pt1")) as ehr:
        _, browser, workspace, token = opened(serve, ehr)
        last = None
        for day in range(1, 22):
            form = {**RESULT, "csrf": token, "cd20": "negative", "collected": f"2025-09-{day:02d}"}
            last = browser.post(f"{workspace}/what-if", form)
        assert last is not None
        assert last.status_code == 400
        rows = stated(browser, workspace)
        assert len(rows) == 20
        assert "01 Sep 2025" in rows[0]["statement"]
