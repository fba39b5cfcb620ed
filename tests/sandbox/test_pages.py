"""The pages without a browser: opening a chart, orders, forms from elsewhere, headers, the process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tomllib
from dataclasses import fields
from datetime import date
from pathlib import Path

import pytest
import requests
from boxed import ALMA, BRUNO, FakeService, ask, switch, ward

from sandbox_ehr.serve import Box, start
from sandbox_ehr.settings import SettingsFault, make_settings, registration_toml
from sandbox_ehr.switches import LABELS, Switches


@pytest.fixture
def user(box: Box) -> requests.Session:
    """A user with the chart of Alma open."""
    session = requests.Session()
    page = session.get(f"{box.root}/chart/{ALMA}/open", timeout=20)
    assert page.status_code == 200
    return session


def test_opening_a_chart_calls_once_and_turning_pages_does_not(box: Box, fake: FakeService) -> None:
    """patient-view fires when the chart is opened, not when its tabs are turned."""
    session = requests.Session()
    for path in ("", "/results", "/orders", ""):
        assert session.get(f"{box.root}/chart/{ALMA}{path}", timeout=20).status_code == 200
    assert len(fake.calls) == 1
    session.get(f"{box.root}/chart/{ALMA}/open", timeout=20)
    assert len(fake.calls) == 2


def test_every_chart_opens(box: Box) -> None:
    """Each of the invented charts can be shown."""
    session = requests.Session()
    for patient in ward(box).records.charts:
        page = session.get(f"{box.root}/chart/{patient}/open", timeout=20)
        assert page.status_code == 200, patient
        assert "Decision support" in page.text


def test_dismissing_sends_reason_and_comment(box: Box, fake: FakeService, user: requests.Session) -> None:
    """Feedback names the card, the reason as offered and the comment; the card leaves the panel."""
    form = {"card": "11111111-1111-4111-8111-111111111111", "reason": "patient-refuses", "comment": "said so"}
    page = user.post(f"{box.root}/chart/{ALMA}/dismiss", data=form, timeout=10)
    row = fake.feedback[0]
    assert (row["card"], row["outcome"]) == (form["card"], "overridden")
    assert row["overrideReason"]["reason"]["code"] == "patient-refuses"
    assert row["overrideReason"]["userComment"] == "said so"
    assert row["outcomeTimestamp"].endswith("Z")
    assert "CD19-negative relapse" not in page.text
    assert "Dismissed: Patient declines" in page.text
    again = user.post(f"{box.root}/chart/{ALMA}/dismiss", data=form, timeout=10)
    assert "no longer shown" in again.text
    assert len(fake.feedback) == 1


def test_an_order_with_a_warning_is_signed_only_on_purpose(
    box: Box, fake: FakeService, user: requests.Session
) -> None:
    """order-select warns, order-sign warns again and holds the signature, signing anyway signs."""
    base = f"{box.root}/chart/{ALMA}"
    page = user.post(f"{base}/select", data={"order": "loncastuximab"}, timeout=10)
    assert "Loncastuximab needs CD19" in page.text
    page = user.post(f"{base}/sign", data={"order": "loncastuximab"}, timeout=10)
    assert "Not signed yet" in page.text
    hooks = [one["body"]["hook"] for one in fake.calls]
    assert hooks == ["patient-view", "order-select", "order-sign"]
    drafts = ward(box).records.orders(ALMA, "draft")
    assert fake.calls[1]["body"]["context"]["selections"] == [f"MedicationRequest/{drafts[-1]['id']}"]
    user.post(f"{base}/sign", data={"anyway": "1"}, timeout=10)
    assert len(fake.calls) == 3
    assert ward(box).records.orders(ALMA, "draft") == []


def test_an_order_without_advice_is_signed_at_once(
    box: Box, fake: FakeService, user: requests.Session
) -> None:
    """Silence does not hold anything up; a removed draft is gone."""
    base = f"{box.root}/chart/{ALMA}"
    user.post(f"{base}/select", data={"order": "rituximab"}, timeout=10)
    draft = ward(box).records.orders(ALMA, "draft")[-1]
    user.post(f"{base}/remove", data={"draft": f"MedicationRequest/{draft['id']}"}, timeout=10)
    assert ward(box).records.orders(ALMA, "draft") == []
    user.post(f"{base}/sign", data={"order": "amlodipine"}, timeout=10)
    assert fake.calls[-1]["body"]["hook"] == "order-sign"
    assert ward(box).records.orders(ALMA, "draft") == []


def test_a_service_that_fails_holds_the_signature(
    box: Box, fake: FakeService, user: requests.Session
) -> None:
    """A check that could not be made is not a check that passed."""
    fake.status = 503
    page = user.post(f"{box.root}/chart/{ALMA}/sign", data={"order": "blinatumomab"}, timeout=10)
    assert "answered 503" in page.text
    assert "Not signed yet" in page.text
    for draft in ward(box).records.orders(ALMA, "draft"):
        ward(box).records.remove(draft["resourceType"], draft["id"])


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
)
@pytest.mark.parametrize("path", ["/switches", f"/chart/{ALMA}/select", f"/chart/{ALMA}/accept"])
def test_forms_from_elsewhere_do_nothing(box: Box, path: str, headers: dict[str, str]) -> None:
    """A page of another site or port cannot order, accept or switch anything."""
    data = {"on": "no_prefetch", "order": "rituximab"}
    answer = requests.post(f"{box.root}{path}", data=data, headers=headers, timeout=5)
    assert answer.status_code == 403
    assert not ward(box).switches.now.no_prefetch
    assert ward(box).records.orders(ALMA, "draft") == []


def test_pages_allow_no_inline_code_and_only_the_app_in_a_frame(box: Box, fake: FakeService) -> None:
    """The policy of every page; no page holds inline script or style."""
    session = requests.Session()
    for path in ("/", "/addresses", f"/chart/{ALMA}/open", f"/chart/{ALMA}/orders", f"/chart/{ALMA}/app"):
        page = session.get(f"{box.root}{path}", timeout=20)
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert f"frame-src {fake.base} 'self'" in policy
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page.text)


def test_an_unknown_name_is_not_answered(box: Box) -> None:
    """A name that somebody points at this address (DNS rebinding) gets nothing."""
    answer = requests.get(box.root, headers={"Host": "evil.example"}, timeout=5)
    assert answer.status_code == 421


def test_what_just_happened_is_readable_and_hides_the_token(
    box: Box, fake: FakeService, user: requests.Session
) -> None:
    """Request, response and extension can be read and copied; the token of the call cannot."""
    number = ward(box).happened.exchanges(ALMA)[0].number
    page = user.get(f"{box.root}/happened/{number}", timeout=10)
    assert "hookInstance" in page.text
    assert "org.example" in page.text
    assert page.text.count('data-copy="') == 3
    assert fake.calls[-1]["body"]["fhirAuthorization"]["access_token"] not in page.text


def test_switches_are_set_from_the_panel(box: Box, user: requests.Session) -> None:
    """The form sets exactly the boxes ticked, and the chart is opened anew."""
    data = {"on": ["no_prefetch", "small_pages"], "patient": BRUNO}
    page = user.post(f"{box.root}/switches", data=data, timeout=20)
    assert page.url.endswith(f"/chart/{BRUNO}")
    assert ward(box).switches.now.no_prefetch
    assert page.text.count(" checked") == 2
    switch(box)


def test_the_paper_for_testers_names_every_switch() -> None:
    """A switch that the box has is one that the paper explains, in the words beside the box to tick."""
    paper = (Path(__file__).parents[2] / "docs" / "testers.md").read_text("utf-8")
    assert [words for words in LABELS.values() if f"`{words}`" not in paper] == []
    assert set(LABELS) == {field.name for field in fields(Switches)}


def test_the_list_of_calls_is_up_to_date_when_asked_again(box: Box, user: requests.Session) -> None:
    """The app in the frame asks after the chart's page was made: its own page shows what came since, and asks nothing."""
    user.get(f"{box.root}/chart/{ALMA}/open", timeout=20)
    before = len(ward(box).happened.exchanges(ALMA))
    assert ask(box, f"Procedure?patient={ALMA}").status_code == 200
    page = user.get(f"{box.root}/chart/{ALMA}/calls", timeout=10)
    assert f"GET Procedure?patient={ALMA}" in page.text
    assert len(ward(box).happened.exchanges(ALMA)) == before
    assert user.get(f"{box.root}/chart/nobody/calls", timeout=10).status_code == 404


def test_a_frame_launch_is_fresh_each_time(box: Box, fake: FakeService, user: requests.Session) -> None:
    """Each showing of the frame has a launch of its own, bound to the chart and the card's context."""
    desk = ward(box).desk
    seen = []
    for query in ("?card=11111111-1111-4111-8111-111111111111", ""):
        page = user.get(f"{box.root}/chart/{ALMA}/app{query}", timeout=10)
        launch = re.findall(r'src="[^"]+launch=([^"&]+)"', page.text)[0]
        seen.append((launch, desk.launch(launch).patient, desk.launch(launch).app_context))
    assert seen[0][0] != seen[1][0]
    assert [row[1:] for row in seen] == [(ALMA, "sealed"), (ALMA, "")]


def test_registration_is_the_site_table_of_the_configuration(box: Box) -> None:
    """The text under /registration.toml parses and names this box's own addresses."""
    text = requests.get(f"{box.root}/registration.toml", timeout=5).text
    site = tomllib.loads(text)["site"][0]
    assert site["fhir_base"] == site["smart"]["iss"] == f"{box.root}/fhir"
    assert site["jku"] == [f"{box.root}/.well-known/jwks.json"]
    assert (site["smart"]["client_id"], site["smart"]["auth"]) == ("postcart-keys", "asymmetric")
    symmetric = tomllib.loads(registration_toml(box.root, "symmetric", "/run/secret"))["site"][0]["smart"]
    assert symmetric["secret_file"] == "/run/secret"  # noqa: S105


def test_it_runs_as_a_process_twice_and_stops_when_told() -> None:
    """`python -m sandbox_ehr` prints one ready line, serves, and ends cleanly on SIGTERM."""
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox_ehr", "--app", "http://127.0.0.1:9"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONWARNINGS": "error::ResourceWarning"},
        )
        assert process.stdout is not None
        words = process.stdout.readline().split()
        assert words[:2] == ["sandbox", "ready"]
        assert "Patients by story" in requests.get(words[2], timeout=10).text
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
        assert (process.returncode, errors) == (0, "")


def test_settings_that_cannot_work_are_refused() -> None:
    """An address that is none is named at once, and the port is free again."""
    with pytest.raises(SettingsFault, match="app_base"):
        make_settings("http://127.0.0.1:1", "somewhere")
    with start(app_base="http://127.0.0.1:9", today=date(2026, 11, 22)) as first:
        port = int(first.root.rpartition(":")[2])
    with start(port=port, app_base="http://127.0.0.1:9", today=date(2026, 11, 22)) as second:
        assert second.root == first.root
