"""The invented charts are sound, so that a failure elsewhere is a finding about the program."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("*/request.json"))
CATEGORIES = {
    "no-lymphoid-malignancy", "no-cd19-car-t", "no-relapse", "cd19-positive", "cd19-low-or-partial",
    "cd19-negative", "cd19-unknown", "lineage-switch", "deceased", "insufficient-data",
}  # fmt: skip
FIELDS = {
    "id", "title", "themes", "now", "category", "acceptable_categories", "must_mention", "should_mention",
    "must_not_offer", "must_offer", "conditional_only", "needs", "forbidden_text", "cards", "hazards",
    "rules", "rationale", "facts",
}  # fmt: skip
OTHER_SUBJECTS = {"foreign-resource", "patient-link", "references"}


def _load(case: Path, name: str) -> dict[str, Any]:
    loaded = json.loads((case / name).read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def _resources(prefetch: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for bundle in prefetch.values():
        if isinstance(bundle, dict) and bundle.get("resourceType") == "Bundle":
            for entry in bundle.get("entry", ()):
                if entry and entry["resource"] and entry["resource"]["resourceType"] != "OperationOutcome":
                    yield entry["resource"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_request_is_a_hook_call_about_an_invented_patient(case: Path) -> None:
    request, expected = _load(case, "request.json"), _load(case, "expected.json")
    uuid.UUID(request["hookInstance"])
    assert request["hook"] == "patient-view"
    patient = request["prefetch"]["patient"]
    assert patient["name"][0]["family"].startswith("Zztest-")
    assert patient["identifier"][0]["value"].startswith("SYN-")
    resources = list(_resources(request["prefetch"]))
    ids = [(resource["resourceType"], resource["id"]) for resource in resources]
    assert len(ids) == len(set(ids))
    if not OTHER_SUBJECTS & set(expected["themes"]):
        subjects = {(r.get("subject") or r.get("patient") or {}).get("reference") for r in resources}
        assert subjects - {None} <= {f"Patient/{request['context']['patientId']}"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_expectation_is_complete_and_consistent(case: Path) -> None:
    expected = _load(case, "expected.json")
    assert expected["id"] == case.name
    assert set(expected) - {"accept_status"} == FIELDS
    assert expected["category"] in expected["acceptable_categories"]
    assert set(expected["acceptable_categories"]) <= CATEGORIES
    assert expected["cards"]["min"] <= expected["cards"]["max"]
    assert all(re.fullmatch(r"H-\d\d", hazard) for hazard in expected["hazards"])
    assert all(set(any_of) - set(expected["must_not_offer"]) for any_of in expected["must_offer"])
    assert expected["rules"]
    assert expected["rationale"]
    assert (case / "story.md").read_text(encoding="utf-8").startswith(f"# {expected['title']}\n")


def test_library_covers_every_category_and_names_each_call_once() -> None:
    expectations = [_load(case, "expected.json") for case in CASES]
    categories = [expected["category"] for expected in expectations]
    assert all(categories.count(category) >= 3 for category in CATEGORIES)
    instances = [_load(case, "request.json")["hookInstance"] for case in CASES]
    assert len(instances) == len(set(instances))
