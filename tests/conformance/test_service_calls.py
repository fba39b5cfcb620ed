"""The hook service through Flask's own client: envelope, statuses, data states, faults, sentinels."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from factory import TYPES, evaluation
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

import smart_app.running as running_module
from cds_hooks.envelope import check_envelope, request_validator
from cds_hooks.outcome import Refusal
from mappings.evaluation import Evaluation, RelapseCategory
from mappings.facts import SeenType
from mappings.reading.decode import Decoded, decode_request
from smart_app.app import create_app
from smart_app.settings import Settings

PATH = "/cds-services/post-car-t-relapse"
SENTINEL = "Zzsentinel"


def body(**changes: Any) -> dict[str, Any]:
    """A legal request whose every free text carries the sentinel."""
    patient = {"resourceType": "Patient", "id": "p1", "name": [{"family": SENTINEL}]}
    condition = {"resourceType": "Condition", "id": SENTINEL, "code": {"text": SENTINEL}}
    found = {"resourceType": "Bundle", "type": "searchset", "total": 1, "entry": [{"resource": condition}]}
    made = {
        "hook": "patient-view",
        "hookInstance": "3f6a5f5e-8f0c-4b52-9d0b-0a6f5c7d1e2f",
        "context": {"userId": f"Practitioner/{SENTINEL}", "patientId": "p1"},
        "prefetch": {"patient": patient, "conditions": found},
    }
    return {**made, **changes}


class Judge:
    """Stands in for the evaluation: gives what the test wants and notes what it was asked."""

    def __init__(self) -> None:
        self.made = evaluation(RelapseCategory.CD19_NEGATIVE)
        self.fault: Exception | None = None
        self.asked: list[tuple[str, datetime]] = []

    def __call__(self, chart: Decoded, patient: str, as_of: datetime) -> Evaluation:
        self.asked.append((patient, as_of))
        if self.fault is not None:
            raise self.fault
        return self.made


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
def client(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    monkeypatch.setattr(running_module, "run_selftest", lambda evaluate: ())
    app = create_app(Settings(opened=True, as_of="2026-11-22T09:14:00Z"), evaluate=judge)
    with app.test_client() as client:
        yield client


def post(client: FlaskClient, made: Any, **more: Any) -> TestResponse:
    return client.post(PATH, data=json.dumps(made), content_type="application/json", **more)


def outcome(response: TestResponse) -> dict[str, Any]:
    """The first issue of an OperationOutcome."""
    found = json.loads(response.data)
    assert found["resourceType"] == "OperationOutcome"
    issue: dict[str, Any] = found["issue"][0]
    return issue


def test_discovery_derives_from_the_list_of_needs(client: FlaskClient) -> None:
    found = client.get("/cds-services").get_json()
    assert [(service["hook"], service["id"]) for service in found["services"]] == [
        ("patient-view", "post-car-t-relapse"),
        ("order-select", "post-car-t-order-check"),
        ("order-sign", "post-car-t-order-check"),
    ]
    service = found["services"][0]
    assert all(other["prefetch"] == service["prefetch"] for other in found["services"])
    assert list(service["prefetch"]) == [
        "patient",
        "conditions",
        "procedures",
        "observations",
        "medicationAdministrations",
        "medicationRequests",
        "reports",
        "serviceRequests",
    ]
    assert all("{{context.patientId}}" in query for query in service["prefetch"].values())


def test_a_call_is_answered_with_cards(
    client: FlaskClient, judge: Judge, valid_response: Callable[[Any], None]
) -> None:
    response = post(client, body())
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    valid_response(response.get_json())
    assert response.get_json()["cards"][0]["summary"].startswith("CD19-negative")
    assert response.get_json()["extension"]["org.postcart"]["category"] == "cd19-negative"
    assert judge.asked[0][0] == "p1"
    assert judge.asked[0][1].isoformat() == "2026-11-22T09:14:00+00:00"


def test_card_ids_are_never_used_twice(client: FlaskClient) -> None:
    ids = [post(client, body()).get_json()["cards"][0]["uuid"] for _ in range(5)]
    assert len(set(ids)) == 5


def test_silence_still_carries_the_extension(client: FlaskClient, judge: Judge) -> None:
    judge.made = evaluation(RelapseCategory.NO_RELAPSE, matches=())
    found = post(client, body()).get_json()
    assert found["cards"] == []
    assert found["extension"]["org.postcart"]["category"] == "no-relapse"


def changed(path: str, value: Any) -> dict[str, Any]:
    made = copy.deepcopy(body())
    *parents, last = path.split(".")
    place = made
    for name in parents:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return made


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("hook", ..., "hook"),
        ("hook", 5, "hook"),
        ("hook", "order-sign", "hook"),
        ("hookInstance", ..., "hookInstance"),
        ("hookInstance", "not-a-uuid", "hookInstance"),
        ("context", ..., "context"),
        ("context", [], "context"),
        ("context", "x", "context"),
        ("context.userId", ..., "context.userId"),
        ("context.patientId", ..., "context.patientId"),
        ("context.patientId", {"a": 1}, "context.patientId"),
        ("context.patientId", "../../metadata?x=", "context.patientId"),
        ("context.encounterId", 7, "context.encounterId"),
        ("prefetch", [1], "prefetch"),
        ("prefetch", "x", "prefetch"),
        ("prefetch.conditions", "oops", "prefetch.conditions"),
        ("prefetch.conditions", [], "prefetch.conditions"),
        ("prefetch.conditions", {"id": "x"}, "prefetch.conditions"),
        ("prefetch.patient", {"resourceType": "Patient"}, "prefetch.patient"),
        (f"prefetch.{SENTINEL}", "oops", "prefetch.(key)"),
        ("extension", [], "extension"),
        ("fhirServer", "file:///etc/passwd", "fhirServer"),
        ("fhirServer", "not a url", "fhirServer"),
        ("fhirAuthorization", {"access_token": "t"}, "fhirServer"),
    ],
)
def test_a_bad_request_is_refused_and_the_field_named(
    client: FlaskClient, judge: Judge, path: str, value: Any, field: str
) -> None:
    response = post(client, changed(path, value))
    assert response.status_code == 400, response.data
    issue = outcome(response)
    assert issue.get("expression") == [field] or field == "context", issue
    assert SENTINEL not in response.text
    assert judge.asked == []


@pytest.mark.parametrize(
    "raw",
    [
        b'{"hook": ',
        b"",
        b"[]",
        b"null",
        b'"x"',
        b"5",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b"[" * 900,
        b"[" * 100_000,
        b'{"a":' * 3000 + b"1" + b"}" * 3000,
        b'{"hook":"patient-view","hook":"patient-view"}',
        b'{"hookInstance":NaN}',
    ],
)
def test_a_body_that_is_no_request_is_refused(client: FlaskClient, raw: bytes) -> None:
    response = client.post(PATH, data=raw, content_type="application/json")
    assert response.status_code == 400
    outcome(response)


@pytest.mark.parametrize("place", ["prefetch", "context", "extension", "fhirAuthorization", "hook"])
@pytest.mark.parametrize("levels", [900, 3_000, 100_000])
def test_deep_bodies_end_no_worker(client: FlaskClient, place: str, levels: int) -> None:
    text = json.dumps(body(**{place: "DEEP"})).replace('"DEEP"', '{"a":' * levels + "1" + "}" * levels)
    response = client.post(PATH, data=text, content_type="application/json")
    assert response.status_code == 400
    assert outcome(response)["details"]["coding"][0]["code"] == "too-deep"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x", ""]
)
def test_other_media_types_are_refused(client: FlaskClient, content_type: str) -> None:
    response = client.post(PATH, data=json.dumps(body()), content_type=content_type)
    assert response.status_code == 415
    outcome(response)


def test_a_charset_is_tolerated(client: FlaskClient) -> None:
    sent = client.post(PATH, data=json.dumps(body()), content_type="application/json; charset=utf-8")
    assert sent.status_code == 200


@pytest.mark.parametrize("verb", ["get", "put", "delete", "patch"])
def test_other_methods_are_refused_with_allow(client: FlaskClient, verb: str) -> None:
    response = getattr(client, verb)(PATH)
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
    outcome(response)


def test_unknown_services_and_paths_are_not_found(client: FlaskClient) -> None:
    for path in ("/cds-services/other", "/nowhere", "/cds-services/other/feedback"):
        response = client.post(path, data=json.dumps(body()), content_type="application/json")
        assert response.status_code == 404
        assert SENTINEL not in response.text
        outcome(response)


def test_a_length_beyond_the_limit_is_refused_unread(client: FlaskClient) -> None:
    response = client.post(
        PATH,
        data=b"{}",
        content_type="application/json",
        environ_overrides={"CONTENT_LENGTH": str(64 * 2**20 + 1)},
    )
    assert response.status_code == 413
    outcome(response)


def test_lay_users_are_refused(client: FlaskClient) -> None:
    for user in ("Patient/p1", "RelatedPerson/r1"):
        response = post(client, changed("context.userId", user))
        assert response.status_code == 403


def test_the_patient_of_the_chart_is_the_patient_of_the_context(client: FlaskClient, judge: Judge) -> None:
    response = post(client, changed("prefetch.patient.id", "somebody-else"))
    assert response.status_code == 412
    assert outcome(response)["expression"] == ["prefetch.patient"]
    assert judge.asked == []


def unseen(*names: str) -> tuple[SeenType, ...]:
    return tuple(SeenType(name, "not-seen" if name in names else "complete") for name in TYPES)


@pytest.mark.parametrize(
    ("missing", "status"),
    [
        (("Condition",), 412),
        (("Procedure", "MedicationAdministration"), 412),
        (("Procedure",), 200),
        (("MedicationAdministration",), 200),
        (("Observation", "DiagnosticReport"), 200),
    ],
)
def test_412_only_where_nothing_can_be_said(
    client: FlaskClient, judge: Judge, missing: tuple[str, ...], status: int
) -> None:
    category = RelapseCategory.INSUFFICIENT_DATA
    judge.made = evaluation(
        category, assessment={"anchor": None}, facts={"seen": unseen(*missing), "infusions": ()}
    )
    response = post(client, body())
    assert response.status_code == status
    if status == 200:
        assert len(response.get_json()["cards"]) == 1


def test_a_chart_with_car_t_gets_its_gaps_in_a_card(client: FlaskClient, judge: Judge) -> None:
    judge.made = evaluation(RelapseCategory.INSUFFICIENT_DATA, facts={"seen": unseen("Condition")})
    response = post(client, body())
    assert response.status_code == 200
    assert "Not read: problem list" in response.get_json()["cards"][0]["detail"]


def test_a_fault_is_never_an_empty_answer(
    client: FlaskClient, judge: Judge, capsys: pytest.CaptureFixture[str]
) -> None:
    judge.fault = KeyError(f"{SENTINEL} in a message")
    client.application.config["PROPAGATE_EXCEPTIONS"] = False
    response = post(client, body())
    assert response.status_code == 500
    assert outcome(response)["code"] == "exception"
    assert b"cards" not in response.data
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    faults = [line for line in lines if line["event"] == "fault"]
    assert len(faults) == 1
    assert faults[0]["error"] == "KeyError"
    assert 'postcart_faults_total{kind="unforeseen"} 1' in client.get("/metrics").text


def test_no_patient_data_in_any_sink(
    client: FlaskClient, judge: Judge, capsys: pytest.CaptureFixture[str]
) -> None:
    """Errors, log, metrics, headers and status pages carry no mark of the chart (hazard H-66)."""
    marked = {**body(), SENTINEL: SENTINEL, "extension": {SENTINEL: SENTINEL}}
    marked["prefetch"] = {**marked["prefetch"], SENTINEL: None}
    answers = [post(client, marked), post(client, changed("prefetch.patient.id", SENTINEL))]
    for path in ("hook", "hookInstance", "context", "prefetch", "extension", "fhirServer"):
        answers.append(post(client, {**marked, path: SENTINEL}))
    judge.fault = ValueError(SENTINEL)
    answers.append(post(client, marked))
    pages = [client.get(path) for path in ("/", "/health", "/ready", "/metrics", f"/{SENTINEL}")]
    captured = capsys.readouterr()
    for response in [*answers[1:], *pages]:
        assert SENTINEL not in response.text
    assert all(SENTINEL not in str(response.headers) for response in [*answers, *pages])
    assert SENTINEL not in captured.err
    assert SENTINEL not in captured.out
    assert "cd19-negative" in captured.err


def test_cors_is_for_loopback_origins_only(client: FlaskClient) -> None:
    for origin in ("http://127.0.0.1:8202", "http://localhost:3000", "http://[::1]:80"):
        preflight = client.options(PATH, headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
        assert preflight.status_code == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == origin
        assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
        assert "content-type" in preflight.headers["Access-Control-Allow-Headers"]
        assert (
            post(client, body(), headers={"Origin": origin}).headers["Access-Control-Allow-Origin"] == origin
        )
    for origin in ("https://evil.invalid", "http://127.0.0.1.evil.invalid", "null"):
        assert (
            "Access-Control-Allow-Origin"
            not in client.get("/cds-services", headers={"Origin": origin}).headers
        )


def test_other_host_names_are_refused(client: FlaskClient) -> None:
    response = client.get("/cds-services", headers={"Host": "rebound.example"})
    assert response.status_code == 403


def test_status_pages(client: FlaskClient) -> None:
    assert client.get("/health").get_json() == {"status": "up"}
    ready = client.get("/ready")
    assert ready.status_code == 200
    assert ready.get_json()["knowledge"]["digest"]
    assert "intended" in client.get("/").text.lower()
    outside = client.get("/metrics", environ_overrides={"REMOTE_ADDR": "192.0.2.1"})
    assert outside.status_code == 403


def test_a_failed_selftest_answers_nothing(judge: Judge) -> None:
    app = create_app(Settings(opened=True), evaluate=judge)
    client = app.test_client()
    ready = client.get("/ready")
    assert ready.status_code == 503
    assert "cd19-unknown" in ready.get_json()["failed"]
    assert post(client, body()).status_code == 503
    assert client.get("/health").status_code == 200


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["patient-view", "Patient"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(sorted([*body(), "fhirServer", "fhirAuthorization", "extension"])), ODD)
def test_the_quick_shape_and_the_schema_agree(name: str, value: Any) -> None:
    """What the typed shape accepts the schema accepts too, and what the schema refuses is refused."""
    made = {**body(), name: value}
    raw = json.dumps(made).encode()
    try:
        decoded = decode_request(raw)
        check_envelope(raw, decoded, {"patient-view"})
        accepted = True
    except Refusal:
        accepted = False
    except ValueError:
        return
    legal = request_validator().is_valid(made)
    assert not accepted or legal
    assert accepted or not legal or made["hook"] != "patient-view" or name == "context"
