"""The sample requests cover every category, hook and data state, and each is answered as it says (acceptance list 1)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_hooks.envelope import HOOKS
from cds_hooks.listing import OFFERED, SERVICE_HOOKS
from cds_hooks.needs import NEEDS
from mappings.evaluation import RelapseCategory
from smart_app.app import create_app
from smart_app.settings import Settings

FOLDER = Path(__file__).parents[1] / "conformance" / "requests"
SAMPLES = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    folder = tmp_path_factory.mktemp("samples")
    app = create_app(Settings(opened=True, as_of="2025-12-01T12:00:00Z", state_dir=str(folder)))
    yield app.test_client()
    app.extensions["postcart"].parts.close()


def ask(client: FlaskClient, sample: dict[str, Any]) -> Any:
    sent = {name: value for name, value in sample.items() if not name.startswith("_")}
    service = next(name for name, hooks in SERVICE_HOOKS.items() if sample["hook"] in hooks)
    return client.post(f"/cds-services/{service}", json=sent)


@pytest.mark.parametrize("name", [name for name in SAMPLES if not name.startswith("order-")])
def test_each_sample_is_answered_as_it_says(client: FlaskClient, name: str) -> None:
    wanted = SAMPLES[name]["_expect"]
    answer = ask(client, SAMPLES[name])
    assert answer.status_code == wanted["status"]
    if wanted["status"] == 200:
        assert wanted["cards_min"] <= len(answer.get_json()["cards"]) <= wanted["cards_max"]


def test_every_category_has_a_sample(client: FlaskClient) -> None:
    found = {
        ask(client, sample).get_json()["extension"]["org.postcart"]["category"]
        for sample in SAMPLES.values()
        if sample["_expect"]["status"] == 200
    }
    assert found == {category.value for category in RelapseCategory}


def test_every_hook_offered_has_a_sample() -> None:
    assert {sample["hook"] for sample in SAMPLES.values()} >= set(OFFERED)
    assert set(OFFERED) <= HOOKS


def _states(sample: dict[str, Any]) -> Iterator[str]:
    prefetch = sample.get("prefetch", {})
    for need in NEEDS:
        if need.key not in prefetch:
            yield "absent"
            continue
        value = prefetch[need.key]
        if value is None:
            yield "null"
            continue
        entries = [entry["resource"] for entry in value.get("entry", [])] or [value]
        own = f"Patient/{sample['context']['patientId']}"
        subjects = {one["subject"]["reference"] for one in entries if "subject" in one}
        if value["resourceType"] == "OperationOutcome":
            yield "outcome"
        elif any(link["relation"] == "next" for link in value.get("link", ())):
            yield "cut by next"
        elif value.get("total", 0) > len(value.get("entry", ())):
            yield "cut by total"
        elif subjects and own not in subjects:
            yield "wrong patient"
        elif value.get("entry") and need.type not in {one["resourceType"] for one in entries}:
            yield "wrong type"
        else:
            yield "complete"


def test_every_data_state_has_a_sample() -> None:
    found = {state for sample in SAMPLES.values() for state in _states(sample)}
    states = {
        "absent",
        "null",
        "complete",
        "outcome",
        "cut by next",
        "cut by total",
        "wrong type",
        "wrong patient",
    }
    assert found == states


@pytest.mark.parametrize("name", [name for name in SAMPLES if name.startswith("state-")])
def test_h08_no_state_sample_is_answered_with_a_no(client: FlaskClient, name: str) -> None:
    """H-08: what was not seen is said on the card, and is no reason for a negative category."""
    answer = ask(client, SAMPLES[name])
    if answer.status_code != 200 or name == "state-all-complete-and-empty":
        return
    found = answer.get_json()
    category = found["extension"]["org.postcart"]["category"]
    assert category not in ("no-lymphoid-malignancy", "no-cd19-car-t", "no-relapse"), name
    (card,) = found["cards"]
    assert any(word in card["detail"].lower() for word in ("not read:", "cut short:"))
