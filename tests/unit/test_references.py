"""Which resource a reference names: the same id on another server is another record (hazard H-01, T-08)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from builders import AS_OF, PATIENT, Resource, body, condition, judge_bytes, prefetch, procedure, state

from mappings.evaluation import Evaluation
from mappings.reading.chart import Chart, server_of
from mappings.reading.wire import Resource as Read

HOME, ELSEWHERE = "https://ehr.example.org/r4", "https://pharmacy.example.org/fhir"
OWN = Read(resourceType="Medication", id="5")


def found(reference: str, *, url: str | None = None, server: str = "") -> bool:
    chart = Chart(PATIENT, make_index=lambda: {"Medication/5": (OWN, url)}, server=server)
    return chart.find(reference) is OWN


@pytest.mark.parametrize(
    "reference", ["Medication/5", f"{HOME}/Medication/5", f"{HOME}/Medication/5/_history/2"]
)
@pytest.mark.parametrize(
    ("url", "server"),
    [
        (None, ""),
        (None, server_of(f"{HOME}/x/y")),
        (f"{HOME}/Medication/5", ""),
        ("http://EHR.example.org/r4/Medication/5", ""),
        ("https://inside.example.org/r4/Medication/5", server_of(f"{HOME}/x/y")),
    ],
)
def test_a_record_is_found_by_its_own_address(reference: str, url: str | None, server: str) -> None:
    assert found(reference, url=url, server=server)


@pytest.mark.parametrize(
    ("url", "server"),
    [(None, server_of(f"{HOME}/x/y")), (f"{HOME}/Medication/5", ""), (f"{HOME}/Medication/5", "z")],
)
def test_t08_a_record_of_another_server_is_not_the_one_with_the_same_id(url: str | None, server: str) -> None:
    assert not found(f"{ELSEWHERE}/Medication/5", url=url, server=server)
    assert not found("Medication/6", url=url, server=server)


def given(address: str) -> Evaluation:
    """A relapse whose tissue result stands on a specimen, named by address, that was taken after the infusion."""
    stained: Resource = {
        "resourceType": "Observation", "id": "st", "status": "final",
        "subject": {"reference": f"Patient/{PATIENT}"},
        "code": {"text": "CD19 on tumour cells, immunohistochemistry"}, "valueString": "Negative",
        "specimen": {"reference": address},
    }  # fmt: skip
    tissue: Resource = {
        "resourceType": "Specimen", "id": "sp", "type": {"text": "Lymph node biopsy"},
        "subject": {"reference": f"Patient/{PATIENT}"},
        "collection": {"collectedDateTime": "2025-12-22"},
    }  # fmt: skip
    request: dict[str, Any] = json.loads(body(prefetch(condition(), procedure(), stained, tissue)))
    request["fhirServer"] = HOME
    return judge_bytes(json.dumps(request).encode(), as_of=AS_OF)


def test_t08_a_specimen_of_another_server_gives_a_result_no_place_and_no_date() -> None:
    assert state(given("Specimen/sp")) == "negative"
    assert state(given(f"{HOME}/Specimen/sp")) == "negative"
    assert state(given(f"{ELSEWHERE}/Specimen/sp")) != "negative"
