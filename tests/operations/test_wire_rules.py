"""Rules of CDS Hooks 2.0.1 that show on the wire, over every vignette and with registered callers."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from marks import cases
from registered import GOOD, PATH, URL, call, registration, token

from cds_hooks.listing import discovery
from smart_app.app import create_app
from smart_app.settings import Settings

ABSOLUTE = re.compile(r"https?://[^\s/?#]+")
NOW = "2026-11-22T12:00:00Z"


@pytest.fixture(scope="module")
def opened() -> FlaskClient:
    return create_app(Settings(opened=True, as_of=NOW)).test_client()


@pytest.fixture(scope="module")
def answers(opened: FlaskClient) -> list[dict[str, Any]]:
    """The answer to every vignette, with the time it took in milliseconds under `took`."""
    found = []
    for path in cases():
        body = path.read_bytes()
        started = time.perf_counter()
        answer = opened.post(PATH, data=body, content_type="application/json")
        took = (time.perf_counter() - started) * 1000
        if answer.status_code == 200:
            found.append({"body": answer.get_json(), "took": took, "type": answer.mimetype})
    assert len(found) > 200
    assert sum(bool(one["body"]["cards"]) for one in found) > 100
    return found


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    app: Flask = create_app(Settings(config=str(registration(tmp_path))))
    yield app.test_client()
    app.extensions["postcart"].parts.close()


def cards(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [card for one in answers for card in one["body"]["cards"]]


def empty_places(value: Any, place: str = "") -> list[str]:
    """Where a null, an empty text, list or object stands; `cards` may be empty, an extension is its owner's."""
    if value is None or value == "" or value == [] or value == {}:
        return [] if place == ".cards" else [place]
    if isinstance(value, dict):
        rows = [(f"{place}.{name}", part) for name, part in value.items() if name != "extension"]
        return [found for where, part in rows for found in empty_places(part, where)]
    if isinstance(value, list):
        return [found for part in value for found in empty_places(part, f"{place}[]")]
    return []


def test_every_answer_is_json(answers: list[dict[str, Any]]) -> None:
    assert {one["type"] for one in answers} == {"application/json"}


def test_nothing_is_null_or_empty_but_where_that_is_allowed(
    answers: list[dict[str, Any]], opened: FlaskClient
) -> None:
    assert [found for one in answers for found in empty_places(one["body"])] == []
    assert empty_places(opened.get("/cds-services").get_json()) == []
    assert empty_places({"cards": [], "a": None, "b": [{"c": ""}]}) == [".a", ".b[].c"]


def test_extensions_are_objects_under_a_reversed_domain(answers: list[dict[str, Any]]) -> None:
    for one in answers:
        for holder in (one["body"], *one["body"]["cards"]):
            for name, value in holder.get("extension", {}).items():
                assert name == "org.postcart"
                assert isinstance(value, dict)


def test_cards_hold_what_a_card_must_hold(answers: list[dict[str, Any]]) -> None:
    seen = set()
    for card in cards(answers):
        assert 0 < len(card["summary"]) < 140
        assert "\n" not in card["summary"]
        assert card["indicator"] in ("info", "warning", "critical")
        assert isinstance(card["detail"], str)
        assert card["source"]["label"]
        for address in (card["source"].get("url"), card["source"].get("icon")):
            assert address is None or ABSOLUTE.match(address)
        assert card["uuid"] == str(uuid.UUID(card["uuid"]))
        assert card["uuid"] not in seen
        seen.add(card["uuid"])


def test_details_hold_no_html_and_no_broken_list(answers: list[dict[str, Any]]) -> None:
    """GitHub's Markdown lets some HTML through: none stands in a detail, and lists begin after a blank line."""
    for card in cards(answers):
        assert not re.search(r"<[A-Za-z!/]", card["detail"])
        for before, line in pairwise(card["detail"].split("\n")):
            if line.startswith("- "):
                assert before == "" or before.startswith("- "), card["detail"]


def test_override_reasons_are_whole_codings(answers: list[dict[str, Any]]) -> None:
    for card in cards(answers):
        assert card["overrideReasons"]
        for reason in card["overrideReasons"]:
            assert reason["code"]
            assert reason["display"]
            assert ABSOLUTE.match(reason["system"])


def test_suggestions_links_and_actions_have_the_form_they_must(answers: list[dict[str, Any]]) -> None:
    for card in cards(answers):
        suggestions = card.get("suggestions", [])
        assert ("selectionBehavior" in card) == bool(suggestions)
        for suggestion in suggestions:
            assert card["selectionBehavior"] in ("at-most-one", "any")
            assert suggestion["label"]
            for action in suggestion["actions"]:
                assert action["type"] == "create"
                assert action["description"]
                assert action["resource"]["resourceType"] == "ServiceRequest"
        for link in card.get("links", []):
            assert link["label"]
            assert ABSOLUTE.match(link["url"])
            assert link["type"] in ("absolute", "smart")
            assert "appContext" not in link or link["type"] == "smart"


def test_no_answer_acts_by_itself(answers: list[dict[str, Any]]) -> None:
    """Options, never orders: no system action goes out, and no action but a draft to create."""
    assert not any("systemActions" in one["body"] for one in answers)


def test_answers_come_within_half_a_second(answers: list[dict[str, Any]]) -> None:
    taken = sorted(one["took"] for one in answers)
    assert taken[int(0.95 * len(taken))] < 500


def test_discovery_lists_what_each_service_must_say(opened: FlaskClient) -> None:
    answer = opened.get("/cds-services")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    services = answer.get_json()["services"]
    assert services
    for service in services:
        assert service["hook"]
        assert service["id"]
        assert service["description"]
        assert service["title"]
        assert all(isinstance(query, str) for query in service["prefetch"].values())


def test_no_hook_offered_is_an_empty_list_and_200() -> None:
    assert discovery(()) == {"services": []}


def test_both_order_hooks_share_one_id_so_that_newer_advice_replaces_older() -> None:
    ids = {one["hook"]: one["id"] for one in discovery()["services"]}
    assert ids["order-select"] == ids["order-sign"] != ids["patient-view"]


def test_prefetch_tokens_are_first_level_fields_of_the_hooks_context(opened: FlaskClient) -> None:
    queries = [
        query
        for one in opened.get("/cds-services").get_json()["services"]
        for query in one["prefetch"].values()
    ]
    tokens = {token for query in queries for token in re.findall(r"\{\{(.*?)\}\}", query)}
    assert tokens == {"context.patientId"}


def test_a_caller_without_a_token_gets_nothing_at_any_address(client: FlaskClient) -> None:
    """Authentication is asked for by default: discovery, call and feedback."""
    assert client.get("/cds-services").status_code == 401
    assert client.post(PATH, data=GOOD, content_type="application/json").status_code == 401
    assert client.post(f"{PATH}/feedback", json={"feedback": []}).status_code == 401
    listed = client.get(
        "/cds-services", headers={"Authorization": f"Bearer {token('south', aud=URL + '/cds-services')}"}
    )
    assert listed.status_code == 200
    assert listed.get_json()["services"]


def row(card: str, **more: Any) -> dict[str, Any]:
    return {"card": card, "outcome": "accepted", "outcomeTimestamp": "2026-11-22T12:00:00Z", **more}


def feedback(client: FlaskClient, *rows: dict[str, Any]) -> int:
    answer = client.post(
        f"{PATH}/feedback",
        json={"feedback": list(rows)},
        headers={"Authorization": f"Bearer {token('south', aud=f'{URL}{PATH}/feedback')}"},
    )
    return answer.status_code


def test_feedback_takes_several_rows_repeats_and_rows_of_other_calls(client: FlaskClient) -> None:
    card = call(client, "south").get_json()["cards"][0]["uuid"]
    reason = {"code": "x", "system": "https://a.example", "display": "Not now"}
    rows = (
        row(card, acceptedSuggestions=[{"id": str(uuid.uuid4())}]),
        row(card, outcome="overridden", overrideReason={"reason": reason, "userComment": "seen already"}),
        row(str(uuid.uuid4()), outcome="overridden", overrideReason={"userComment": "only a comment"}),
    )
    assert feedback(client, *rows) == 200
    assert feedback(client, *rows) == 200
    assert feedback(client, {"card": card, "outcome": "ignored"}) == 400


def test_a_token_is_good_once_and_for_its_own_address(client: FlaskClient) -> None:
    once = {"Authorization": f"Bearer {token('south')}"}
    sent = [client.post(PATH, data=GOOD, content_type="application/json", headers=once) for _ in range(2)]
    assert [one.status_code for one in sent] == [200, 401]
    elsewhere = {"Authorization": f"Bearer {token('south', aud=URL + '/launch')}"}
    assert client.post(PATH, data=GOOD, content_type="application/json", headers=elsewhere).status_code == 401


def test_browsers_of_listed_origins_only_may_call(tmp_path: Path) -> None:
    path = registration(tmp_path)
    path.write_text(
        'cors_origins = ["https://ehr.example.org"]\n' + path.read_text("utf-8"), encoding="utf-8"
    )
    app = create_app(Settings(config=str(path)))
    client = app.test_client()
    for origin, allowed in (
        ("https://ehr.example.org", True),
        ("https://evil.example.org", False),
        ("null", False),
    ):
        answer = client.options(PATH, headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
        assert (answer.headers.get("Access-Control-Allow-Origin") == origin) is allowed
        assert "Access-Control-Allow-Credentials" not in answer.headers
    app.extensions["postcart"].parts.close()


def test_the_request_of_every_vignette_has_what_a_call_must_have(opened: FlaskClient) -> None:
    request = json.loads(GOOD)
    for name in ("hook", "hookInstance", "context"):
        body = {key: value for key, value in request.items() if key != name}
        assert opened.post(PATH, json=body).status_code == 400
    authorization = {
        "access_token": "t", "token_type": "Bearer", "expires_in": 300, "scope": "user/*.read", "subject": "me",
    }  # fmt: skip
    assert opened.post(PATH, json={**request, "fhirAuthorization": authorization}).status_code == 400
    assert opened.post(PATH, json={**request, "prefetch": None}).status_code == 412
