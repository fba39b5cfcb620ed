"""The box as a CDS Hooks client: what it sends, signs and prefetches, and what it takes of an answer."""

from __future__ import annotations

import json
import uuid
from importlib import resources
from typing import Any

import jsonschema
import pytest
import requests
from boxed import ALMA, BRUNO, FakeService, ask, switch, ward
from fhir.resources.R4B import get_fhir_model_class

from sandbox_ehr.chart.markdown import render_markdown
from sandbox_ehr.chart.panel import CardFault, read_card
from sandbox_ehr.hooks import Answered
from sandbox_ehr.serve import Box

LAUNCH = "http://127.0.0.1:9/launch"


def fire(box: Box, patient: str = ALMA, hook: str = "patient-view", **more: Any) -> Answered:
    """Fires a hook as opening a chart does."""
    answered: Answered = ward(box).hooks.fire(hook, patient, more)
    return answered


def test_a_request_keeps_the_rules_of_cds_hooks(box: Box, fake: FakeService) -> None:
    """Envelope by schema, a fresh hookInstance, fhirServer with its authorization, prefetch of every template."""
    fire(box)
    fire(box)
    first, second = (one["body"] for one in fake.calls)
    schema = json.loads(
        resources.files("cds_hooks").joinpath("schemas/request.schema.json").read_text("utf-8")
    )
    jsonschema.Draft202012Validator(schema).validate(first)
    assert uuid.UUID(first["hookInstance"]) != uuid.UUID(second["hookInstance"])
    assert first["context"] == {"userId": "Practitioner/zz-example", "patientId": ALMA}
    assert first["fhirServer"] == f"{box.root}/fhir"
    assert set(first["prefetch"]) == set(fake.templates)
    assert first["prefetch"]["patient"]["id"] == ALMA
    found = [one["resource"]["resourceType"] for one in first["prefetch"]["observations"]["entry"]]
    assert found.count("Observation") > 300


def test_calls_are_signed_for_exactly_the_address_called(box: Box, fake: FakeService) -> None:
    """The fake service verifies each token with PyJWT; aud is discovery, service and feedback in turn."""
    fire(box)
    ward(box).hooks.feedback("view", ALMA, [{"card": "x", "outcome": "accepted"}])
    base = f"{fake.base}/cds-services"
    assert fake.audiences == [base, f"{base}/view", f"{base}/view/feedback"]
    claims = fake.calls[0]["claims"]
    assert claims["iss"] == box.root
    assert claims["exp"] - claims["iat"] <= 300
    assert uuid.UUID(claims["jti"])


def test_the_services_token_reads_this_chart_only(box: Box, fake: FakeService) -> None:
    """The token that goes with a call is limited to its patient, its types and reading."""
    fire(box)
    granted = fake.calls[0]["body"]["fhirAuthorization"]
    assert granted["token_type"] == "Bearer"  # noqa: S105
    assert granted["patient"] == ALMA
    assert granted["subject"] == "postcart-hooks"
    token = granted["access_token"]
    assert ask(box, f"Observation?patient={ALMA}&_count=5", token=token).status_code == 200
    assert ask(box, f"Observation?patient={BRUNO}", token=token).status_code == 403
    assert ask(box, "Practitioner", token=token).status_code == 403


def test_order_hooks_carry_drafts_and_selections(box: Box, fake: FakeService) -> None:
    """order-select names what was just chosen; each draft is valid and for this patient."""
    draft = {
        "resourceType": "MedicationRequest",
        "id": "draft-0",
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": {"text": "loncastuximab tesirine"},
        "subject": {"reference": f"Patient/{ALMA}"},
    }
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": draft}]}
    answered = fire(box, hook="order-select", draftOrders=bundle, selections=["MedicationRequest/draft-0"])
    body = fake.calls[0]["body"]
    get_fhir_model_class("Bundle").model_validate(body["context"]["draftOrders"])
    assert body["context"]["selections"] == ["MedicationRequest/draft-0"]
    assert [one.service for one in answered.exchanges] == ["orders"]


@pytest.mark.parametrize(
    ("on", "seen"),
    [
        ("no_prefetch", {}),
        ("null_prefetch", {"observations": None, "reports": None}),
        ("outcome_prefetch", {"observations": "OperationOutcome", "reports": "OperationOutcome"}),
        ("withhold_reports", {"reports": "absent", "observations": "Bundle"}),
        ("withhold_observations", {"observations": "absent", "reports": "Bundle"}),
        ("slow_observations", {"observations": "absent", "conditions": "Bundle"}),
        ("failing_observations", {"observations": "absent", "conditions": "Bundle"}),
        *(
            (f"{how}_{word}", {word: "absent", "conditions": "Bundle", "observations": "Bundle"})
            for how in ("withhold", "failing", "slow")
            for word in ("procedures", "administrations")
        ),
    ],
)
def test_switches_change_the_prefetch_as_labelled(
    box: Box, fake: FakeService, on: str, seen: dict[str, str | None]
) -> None:
    """Absent, null and OperationOutcome are three different things, and each can be played."""
    switch(box, on)
    answered = fire(box)
    prefetch = fake.calls[0]["body"].get("prefetch", {})
    assert bool(prefetch) == (on != "no_prefetch")
    for key, kind in seen.items():
        if kind == "absent":
            assert key not in prefetch
            assert any(note.startswith(key) for note in answered.exchanges[0].notes)
        else:
            assert (prefetch[key] or {"resourceType": None})["resourceType"] == kind


def test_withheld_types_and_tokens_follow_the_switches(box: Box, fake: FakeService) -> None:
    """The service's token lacks what is withheld; v1 spelling and no token at all can be played."""
    switch(box, "withhold_reports", "v1_only")
    fire(box)
    scopes = fake.calls[0]["body"]["fhirAuthorization"]["scope"].split()
    assert "patient/Condition.read" in scopes
    assert not any("DiagnosticReport" in one or one.endswith(".rs") for one in scopes)
    switch(box, "no_token")
    fire(box)
    assert "fhirAuthorization" not in fake.calls[1]["body"]
    assert "fhirServer" not in fake.calls[1]["body"]


def test_prefetch_is_cut_into_pages_where_the_chart_is_long(box: Box, fake: FakeService) -> None:
    """Bruno's results need a second page, whose link works with the token of the call."""
    fire(box, BRUNO)
    body = fake.calls[0]["body"]
    links = {one["relation"]: one["url"] for one in body["prefetch"]["observations"]["link"]}
    headers = {"Authorization": f"Bearer {body['fhirAuthorization']['access_token']}"}
    rest = requests.get(links["next"], headers=headers, timeout=10).json()
    assert len(body["prefetch"]["observations"]["entry"]) == 1000
    assert len(rest["entry"]) > 500


@pytest.mark.parametrize(
    "template",
    [
        "Observation?patient={{context.patientId}}&flavour=sweet",
        "Observation?patient=zztest-bruno",
        "Encounter?patient={{context.patientId}}",
        "Patient/{{userPractitionerId}}",
        "Patient/{{context.patientId.more}}",
    ],
)
def test_templates_it_does_not_run_are_left_out_with_a_note(
    box: Box, fake: FakeService, template: str
) -> None:
    """A careful client leaves the key away; it never sends another chart."""
    fake.templates = {"odd": template}
    exchange = fire(box).exchanges[0]
    assert "prefetch" not in fake.calls[0]["body"]
    assert exchange.notes[0].startswith("odd: ")


def test_refusals_and_silence_show_themselves(box: Box, fake: FakeService) -> None:
    """A status other than 200 is a problem in words, with the service's own sentence."""
    fake.status = 412
    answered = fire(box)
    assert answered.problems == ["view answered 412: not today"]


@pytest.mark.parametrize(
    "broken",
    [
        {"summary": ""},
        {"summary": "x" * 140},
        {"indicator": "alarm"},
        {"source": {}},
        {"source": "postcart"},
    ],
)
def test_cards_that_break_the_rules_are_not_shown(broken: dict[str, Any]) -> None:
    """Summary of 1 to 139 characters, a known indicator, source.label (CDS Hooks 2.0.1, card attributes)."""
    card = {"summary": "x" * 139, "indicator": "info", "source": {"label": "s"}}
    assert read_card(card, "view", "patient-view", ALMA, LAUNCH)[0].summary == "x" * 139
    with pytest.raises(CardFault):
        read_card({**card, **broken}, "view", "patient-view", ALMA, LAUNCH)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "delete"},
        {"resource": {"resourceType": "Patient", "id": ALMA}},
        {"status": "active"},
        {"subject": {"reference": f"Patient/{BRUNO}"}},
    ],
)
def test_suggestions_make_drafts_for_this_patient_only(change: dict[str, Any]) -> None:
    """Anything but creating a draft order for the patient of the chart is removed."""
    resource = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": f"Patient/{ALMA}"},
    }
    action: dict[str, Any] = {"type": "create", "description": "d", "resource": resource}
    card = {
        "summary": "s",
        "indicator": "info",
        "source": {"label": "s"},
        "suggestions": [{"label": "l", "uuid": "u", "actions": [action]}],
    }
    good, left_out = read_card(card, "view", "patient-view", ALMA, LAUNCH)
    assert (len(good.suggestions), left_out) == (1, [])
    if "type" in change or "resource" in change:
        action.update(change)
    else:
        action["resource"] = {**resource, **change}
    bad, left_out = read_card(card, "view", "patient-view", ALMA, LAUNCH)
    assert bad.suggestions == ()
    assert left_out


def test_only_the_registered_app_is_launched(fake: FakeService) -> None:
    """A SMART link to another address and a link that is no web address are removed."""
    launch = f"{fake.base}/launch"
    card, left_out = read_card(
        fake.cards("patient-view", {"context": {"patientId": ALMA}})[0], "v", "h", ALMA, launch
    )
    assert [(one.url, one.app_context) for one in card.links] == [(launch, "sealed")]
    assert len(left_out) == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\n\nc", "<p>a b</p>\n<p>c</p>"),
        ("- one\n- two\n  more", "<ul><li>one</li><li>two more</li></ul>"),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
        ("![x](http://a/b.png)", "<p>![x](http://a/b.png)</p>"),
        (r"\*not bold\* and \<b\>", "<p>*not bold* and &lt;b&gt;</p>"),
        ("&lt;b&gt; **bold <i>**", "<p>&lt;b&gt; <strong>bold &lt;i&gt;</strong></p>"),
        ("5 < 6 & 7", "<p>5 &lt; 6 &amp; 7</p>"),
    ],
)
def test_details_become_safe_html(text: str, shown: str) -> None:
    """Paragraphs, lists and bold; every tag, link and image stays text."""
    assert str(render_markdown(text)) == shown
