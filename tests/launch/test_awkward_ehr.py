"""Each way an EHR can be awkward gives the right screen; what was withheld is never taken for *none* (invariant 3)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Response
from launching import Browser, Served, chart_of, query_of, site_of, wait_ready, workspace_of
from peer import Peer

Serve = Callable[..., Served]


def launched(serve: Serve, ehr: Peer, **changes: Any) -> tuple[Served, Browser, str]:
    """An EHR launch for pt1 read to its end; gives the workspace's address."""
    app, browser = serve(site_of(ehr, **changes)), Browser()
    ehr.register(app.url)
    workspace = workspace_of(browser.get(ehr.launch_url("pt1")))
    wait_ready(browser, workspace)
    return app, browser, workspace


def answered(browser: Browser, workspace: str) -> dict[str, Any]:
    """The evaluation as JSON."""
    answer = browser.get(f"{workspace}/evaluation.json")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def seen(body: dict[str, Any], kind: str) -> str:
    """What was seen of a type."""
    return next(row["state"] for row in body["facts"]["seen"] if row["type"] == kind)


def refused(serve: Serve, ehr: Peer, **changes: Any) -> tuple[Any, Served]:
    """A launch that stops on a screen."""
    app, browser = serve(site_of(ehr, **changes)), Browser()
    ehr.register(app.url)
    return browser.get(ehr.launch_url("pt1")), app


@pytest.mark.parametrize(
    "kind", ["Observation", "Procedure", "DiagnosticReport", "MedicationAdministration", "Condition"]
)
def test_a_withheld_type_is_not_asked_for_and_not_none(serve: Serve, kind: str) -> None:
    """Withheld: no request of that type leaves, and the type is *not seen*."""
    with Peer(chart_of("pt1"), withhold=(f"patient/{kind}.rs",)) as ehr:
        _, browser, workspace = launched(serve, ehr)
        body = answered(browser, workspace)
        assert seen(body, kind) == "not-seen"
        assert not [line for line in ehr.seen if f"/fhir/{kind}" in line]
        assert "did not grant" in browser.get(workspace).text
        assert ehr.findings == []


def test_withheld_procedures_never_say_no_car_t(serve: Serve) -> None:
    """Without the right to read infusions the answer is not *no CD19 CAR T*."""
    chart = [row for row in chart_of("pt1") if row["resourceType"] != "Procedure"]
    held = ("patient/Procedure.rs", "patient/MedicationAdministration.rs")
    with Peer(chart, withhold=held) as ehr:
        _, browser, workspace = launched(serve, ehr)
        assert answered(browser, workspace)["assessment"]["category"] != "no-cd19-car-t"
    with Peer(chart) as ehr:
        _, browser, workspace = launched(serve, ehr, name="Granting hospital")
        assert answered(browser, workspace)["assessment"]["category"] == "no-cd19-car-t"


def test_wrong_syntax_dropped_silently_is_seen_as_withheld(serve: Serve) -> None:
    """A server that drops all scopes of the other syntax leaves nothing granted but the launch."""
    with Peer(chart_of("pt1"), style="v1") as ehr:
        _, browser, workspace = launched(serve, ehr, scopes="v2")
        body = answered(browser, workspace)
        assert body["assessment"]["category"] == "insufficient-data"
        assert not [line for line in ehr.seen if "patient=pt1" in line]
        assert ehr.findings == []


def test_a_narrowed_scope_makes_the_type_incomplete(serve: Serve) -> None:
    """A granular scope granted in place of the whole type: what came is in part."""
    with Peer(chart_of("pt1"), narrow=("patient/Observation.rs",)) as ehr:
        _, browser, workspace = launched(serve, ehr)
        assert seen(answered(browser, workspace), "Observation") == "incomplete"


def test_no_scope_member_means_as_requested(serve: Serve) -> None:
    """RFC 6749 5.1."""
    with Peer(chart_of("pt1"), scope_member=False) as ehr:
        _, browser, workspace = launched(serve, ehr)
        assert answered(browser, workspace)["assessment"]["category"] == "cd19-negative"


@pytest.mark.parametrize("changes", [
    {"token_type": "bEaReR"},
    {"expires": None},
    {"expires": "300"},
    {"absolute_user": True},
    {"user": "PractitionerRole/r1"},
    {"user": "Person/p1"},
    {"other_issuer": True},
    {"other_issuer": True, "discovery": {"jwks_uri": None}},
    {"id_alg": "RS384"},
    {"id_alg": "ES384"},
    {"id_alg": "ES256"},
    {"claims": {"aud": ["test-app"]}},
    {"claims": {"fhirUser": None, "profile": "Practitioner/doc1"}},
    {"claims": {"fhirUser": None}},
    {"withhold": ("openid", "fhirUser")},
    {"refresh": False},
    {"context": {"intent": "reconcile-medications", "smart_style_url": "http://127.0.0.1:9/style.json", "tenant": "t"}},
    {"name_issuer": "self"},
], ids=str)  # fmt: skip
def test_forms_that_differ_between_vendors_are_taken(serve: Serve, changes: dict[str, Any]) -> None:
    """Allowed forms of tokens, users and issuers open the chart, with nothing for the peer to find."""
    with Peer(chart_of("pt1"), **changes) as ehr:
        if ehr.on.name_issuer:
            ehr.on.name_issuer = ehr.issuer
        _, browser, workspace = launched(serve, ehr)
        assert answered(browser, workspace)["assessment"]["category"] == "cd19-negative"
        assert ehr.findings == []


@pytest.mark.parametrize(("changes", "code"), [
    ({"patient": False}, "no-patient"),
    ({"context": {"patient": "../Patient/other"}}, "no-patient"),
    ({"context": {"patient": 7}}, "no-patient"),
    ({"token_type": "mac"}, "token-bad"),
    ({"context": {"access_token": ""}}, "token-bad"),
    ({"context": {"access_token": "two words"}}, "token-bad"),
    ({"context": {"access_token": "line\r\nX-Other: 1"}}, "token-bad"),
    ({"user": "Patient/pt1"}, "not-clinician"),
    ({"user": "RelatedPerson/r1"}, "not-clinician"),
    ({"absolute_user": True, "user": "Patient/pt1"}, "not-clinician"),
    ({"claims": {"nonce": "another"}}, "id-token-bad"),
    ({"claims": {"nonce": None}}, "id-token-bad"),
    ({"claims": {"aud": "another-app"}}, "id-token-bad"),
    ({"claims": {"aud": ["test-app", "another-app"]}}, "id-token-bad"),
    ({"claims": {"iss": "https://elsewhere.example"}}, "id-token-bad"),
    ({"claims": {"exp": 1}}, "id-token-bad"),
    ({"claims": {"exp": None}}, "id-token-bad"),
    ({"claims": {"sub": None}}, "id-token-bad"),
    ({"deny": "access_denied"}, "denied"),
    ({"deny": "invalid_scope"}, "ehr-error"),
    ({"deny": "<script>alert(1)</script>"}, "ehr-error"),
    ({"name_issuer": "https://elsewhere.example"}, "iss-mismatch"),
    ({"discovery": {"authorization_response_iss_parameter_supported": True}}, "iss-mismatch"),
    ({"context": {"id_token": None}}, "id-token-bad"),
    ({"context": {"id_token": "a.b.c"}}, "id-token-bad"),
], ids=str)  # fmt: skip
def test_what_cannot_be_trusted_stops_on_a_screen(serve: Serve, changes: dict[str, Any], code: str) -> None:
    """Each stops the launch on a page for people with one line for IT, and no chart is asked for."""
    with Peer(chart_of("pt1"), **changes) as ehr:
        page, app = refused(serve, ehr)
        assert f"Code {code}" in page.text, page.text[-900:]
        assert page.status_code in (400, 403, 502)
        assert "<script>alert" not in page.text
        assert not [line for line in ehr.seen if "/fhir/Patient" in line]
        assert any(f"'code': '{code}'" in line for line in app.log)


def test_banner_hint_absent_or_true_shows_the_banner(serve: Serve) -> None:
    """`need_patient_banner` true or absent: large; false: quiet. Name and birth date are there in each."""
    shown = {}
    for hint in (True, None, False):
        with Peer(chart_of("pt1"), banner=hint) as ehr:
            _, browser, workspace = launched(serve, ehr, name=f"Hospital {hint}")
            text = browser.get(workspace).text
            assert "ALPHAPERSON" in text.upper()
            shown[hint] = "is-quiet" in text
    assert shown == {True: False, None: False, False: True}


def test_fhir_context_marks_the_result_that_led_here(serve: Serve) -> None:
    """A reference in `fhirContext` is named on the page; strange items are passed over."""
    context = {
        "fhirContext": [{"reference": "Observation/pt1-stain"}, {"canonical": "x"}, 3, {"reference": 5}]
    }
    with Peer(chart_of("pt1"), context=context) as ehr:
        _, browser, workspace = launched(serve, ehr)
        assert "Opened from a result" in browser.get(workspace).text


def test_an_app_context_of_another_patient_is_ignored_and_told(serve: Serve) -> None:
    """H-05: a card's context for another patient, or altered, warns and changes nothing."""
    from datetime import UTC, datetime

    from ehr.app_context import sign_context

    def context(patient: str, site: str = "Test hospital") -> str:
        return sign_context(
            b"c" * 32,
            site=site,
            patient_id=patient,
            card="7f1e3f0e-9d0a-4a41-8a76-3f0b8f3c0a11",
            facts_digest="0" * 32,
            now=datetime.now(UTC),
        )

    other, unchecked = "belongs to another patient", "could not be checked"
    for text, warned in (
        (context("pt1"), ""),
        (context("pt2"), other),
        (context("pt1")[:-2] + "xx", unchecked),
        (context("pt1", "Other site"), unchecked),
        ("no context of ours", unchecked),
    ):
        with Peer(chart_of("pt1"), context={"appContext": text}) as ehr:
            _, browser, workspace = launched(serve, ehr, name="Test hospital")
            page = browser.get(workspace).text
            assert [words for words in (other, unchecked) if words in page] == [warned][: len(warned)]


def test_a_token_that_ran_out_for_good_keeps_what_was_read(serve: Serve) -> None:
    """No refresh token: reading again says that the sign-in has run out; the page stays, nothing is asked."""
    with Peer(chart_of("pt1"), refresh=False, withhold=("patient/DiagnosticReport.rs",)) as ehr:
        app, browser, workspace = launched(serve, ehr)
        token = csrf_of(browser.get(workspace).text)
        app.clock.ahead += timedelta(seconds=301)
        ehr.seen.clear()
        again = browser.post(f"{workspace}/retry", {"csrf": token})
        assert again.status_code == 409
        assert "The sign-in at the EHR has run out" in again.text
        assert not [line for line in ehr.seen if "/fhir/" in line]
        assert answered(browser, workspace)["assessment"]["category"] == "cd19-negative"


def test_a_token_that_runs_out_while_reading_is_named_as_that(serve: Serve) -> None:
    """What came stays and is marked; the reason is the end of the sign-in, not a missing right."""
    with Peer(chart_of("pt1"), refresh=False) as ehr:
        for number in range(30):
            ehr.resources.append({**chart_of("pt1")[3], "id": f"more-{number}"})
        ehr.on.page = 5
        app, browser = serve(site_of(ehr)), Browser()
        ehr.register(app.url)
        plain = ehr._search

        def running_out(kind: str, patient: str, start: int, count: int) -> Any:
            if start > 10 and not app.clock.ahead:
                app.clock.ahead += timedelta(seconds=301)
                ehr.expire_tokens()
            return plain(kind, patient, start, count)

        ehr._search = running_out  # type: ignore[method-assign]
        workspace = workspace_of(browser.get(ehr.launch_url("pt1")))
        wait_ready(browser, workspace)
        row = next(r for r in answered(browser, workspace)["facts"]["seen"] if r["type"] == "Observation")
        assert row["state"] == "incomplete"
        assert "the sign-in at the EHR has run out" in row["reason"]


def test_a_type_that_fails_offers_retry_of_only_that(serve: Serve) -> None:
    """A fault of the EHR: the page names it, retry asks for nothing else, going on marks it not seen."""
    with Peer(chart_of("pt1")) as ehr:
        ehr.fail["Observation"] = 500
        _, browser, workspace = launched(serve, ehr)
        page = browser.get(workspace)
        assert "Reading stopped" in page.text
        assert browser.get(f"{workspace}/evaluation.json").status_code == 409
        token = csrf_of(page.text)
        ehr.seen.clear()
        browser.post(f"{workspace}/stop", {"csrf": token})
        assert seen(answered(browser, workspace), "Observation") == "not-seen"
        assert not [line for line in ehr.seen if "/fhir/" in line]
        ehr.fail.clear()
        browser.post(f"{workspace}/retry", {"csrf": token})
        wait_ready(browser, workspace)
        assert answered(browser, workspace)["assessment"]["category"] == "cd19-negative"
        assert {line.split("/fhir/")[1].split("?")[0] for line in ehr.seen if "/fhir/" in line} == {
            "Observation"
        }


def test_reading_can_be_stopped_and_shows_what_came(serve: Serve) -> None:
    """A hanging EHR: the user stops, and what had come is shown, the rest marked not seen."""
    with Peer(chart_of("pt1"), delay_s=1.5) as ehr:
        app, browser = serve(site_of(ehr)), Browser()
        ehr.register(app.url)
        page = browser.get(ehr.launch_url("pt1"))
        workspace = workspace_of(page)
        assert "Reading the chart" in page.text
        browser.post(f"{workspace}/stop", {"csrf": csrf_of(page.text)})
        wait_ready(browser, workspace)
        assert answered(browser, workspace)["assessment"]["category"] == "insufficient-data"


def test_another_patients_record_stops_everything(serve: Serve) -> None:
    """H-01: the Patient that comes is somebody else; nothing of the chart is shown."""
    with Peer(chart_of("pt1"), swap_patient="stranger") as ehr:
        _, browser, workspace = launched(serve, ehr)
        page = browser.get(workspace)
        assert "Code wrong-patient" in page.text
        assert "ALPHAPERSON" not in page.text.upper()
        assert browser.get(f"{workspace}/text").status_code == 409


def test_long_requests_go_by_post_where_announced(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """`authorize-post` and a long URL: a form with a button, and form-action names the sign-in server."""
    monkeypatch.setattr("smart_app.launch.oauth.LONG_URL", 100)
    with Peer(chart_of("pt1"), discovery={"capabilities": ["authorize-post"]}) as ehr:
        app, browser = serve(site_of(ehr)), Browser()
        ehr.register(app.url)
        page = browser.get(ehr.launch_url("pt1"))
        assert page.url.startswith(app.url)
        assert f"form-action 'self' {ehr.root}" in page.headers["Content-Security-Policy"]
        import re

        fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', page.text))
        assert fields["code_challenge_method"] == "S256"
        assert len(fields["code_challenge"]) == 43
        workspace = workspace_of(browser.post(f"{ehr.root}/authorize", fields))
        wait_ready(browser, workspace)
        assert ehr.findings == []


def test_the_request_url_holds_the_challenge_and_only_what_is_needed(serve: Serve) -> None:
    """T-13: PKCE is in the URL; `launch` and its scope stand in an EHR launch alone; no wildcard is asked for."""
    with Peer(chart_of("pt1")) as ehr:
        app, browser = serve(site_of(ehr)), Browser()
        ehr.register(app.url)
        for url, launched_by_ehr in (
            (ehr.launch_url("pt1"), True),
            (f"{app.url}/launch?iss={ehr.base}", False),
        ):
            answer = browser.get(url, follow=False)
            assert answer.status_code == 303
            query = query_of(answer.headers["Location"])
            assert query["code_challenge_method"] == "S256"
            assert len(query["code_challenge"]) == 43
            assert len(query["state"]) >= 43
            assert query["aud"] == ehr.base
            assert ("launch" in query) is launched_by_ehr
            scopes = query["scope"].split()
            assert ("launch" in scopes) is launched_by_ehr
            assert ("launch/patient" in scopes) is not launched_by_ehr
            assert "offline_access" not in scopes
            assert not [scope for scope in scopes if "*" in scope]


@pytest.mark.parametrize("body", [b"not json", b"[]", b'{"access_token": 1}', b"", b"[" * 5000])
def test_odd_token_answers_stop_on_a_screen(serve: Serve, body: bytes) -> None:
    """Whatever stands at the token endpoint, the page is one of ours."""
    with Peer(chart_of("pt1"), token_body=lambda _: Response(body, content_type="application/json")) as ehr:
        page, _ = refused(serve, ehr)
        assert "Code token-" in page.text


def test_server_errors_at_the_token_endpoint(serve: Serve) -> None:
    """5xx and redirects of the token endpoint."""
    for status, head in ((500, {}), (302, {"Location": "/elsewhere"}), (429, {})):
        with Peer(
            chart_of("pt1"), token_body=lambda _, s=status, h=head: Response(b"{}", status=s, headers=h)
        ) as ehr:
            page, _ = refused(serve, ehr, name=f"Hospital {status}")
            assert "Code token-" in page.text


def csrf_of(text: str) -> str:
    """The form token in a page."""
    return text.split('name="csrf" value="')[1].split('"')[0]


def test_json_is_json(serve: Serve) -> None:
    """The evaluation leaves as JSON with what was stated first."""
    with Peer(chart_of("pt1")) as ehr:
        _, browser, workspace = launched(serve, ehr)
        assert next(iter(json.loads(browser.get(f"{workspace}/evaluation.json").text))) == "stated_by_user"


def test_two_workers_agree_on_retry_and_on_going_on(serve: Serve) -> None:
    """What the user chose at one worker holds at another that has its own copy of the chart."""
    from dataclasses import replace

    from smart_app.launch.charts import Charts
    from smart_app.launch.desk import Desk
    from smart_app.launch.opening import Opening
    from smart_app.launch.trail import Trails
    from smart_app.launch.vault import Vault

    with Peer(chart_of("pt1")) as ehr:
        ehr.fail["Observation"] = 500
        app, browser, workspace = launched(serve, ehr)
        parts = replace(app.parts, charts=Charts())
        vault = Vault(parts.workspaces, parts.sealer, lambda: parts.registry.config, parts.clock)
        other = Desk(parts, vault, Opening(parts, vault, Trails(parts.clock)))
        name = workspace.rsplit("/", 1)[1]

        def at_other() -> Any:
            for _ in range(400):
                chart = other.chart(vault.peek(name))
                if chart.ready:
                    return chart
                __import__("time").sleep(0.02)
            raise AssertionError

        assert at_other().stopped
        token = csrf_of(browser.get(workspace).text)
        browser.post(f"{workspace}/stop", {"csrf": token})
        assert not at_other().stopped
        parts.charts.drop(name)
        assert at_other().fetched["conditions"].state.value == "complete"
        ehr.fail.clear()
        browser.post(f"{workspace}/retry", {"csrf": token})
        chart = at_other()
        assert chart.fetched["observations"].state.value == "complete"
        assert chart.evaluation.assessment.category.value == "cd19-negative"
        parts.charts.close()
