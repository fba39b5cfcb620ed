"""What the core answers for every invented chart: category, sharper facts, and that arrangement changes nothing."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from builders import TYPES, bundle, judge_bytes, state

from mappings.evaluation import Evaluation

HERE = Path(__file__).parent
CASES = sorted(path.parent.name for path in HERE.glob("*/request.json"))
# The lists of a card by the route an option takes.
ROUTES = {
    "offers": "consider",
    "specialist": "specialist",
    "needs_result": "needs-result",
    "not_suitable": "not-suitable",
    "absent": "out-of-scope",
}


@cache
def expected(case: str) -> dict[str, Any]:
    loaded = json.loads((HERE / case / "expected.json").read_text("utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def request_of(case: str) -> dict[str, Any]:
    loaded = json.loads((HERE / case / "request.json").read_text("utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def run(case: str, request: dict[str, Any] | None = None) -> Evaluation:
    request = request or request_of(case)
    now = datetime.fromisoformat(expected(case)["now"].replace("Z", "+00:00"))
    return judge_bytes(json.dumps(request, ensure_ascii=False).encode(), request["context"]["patientId"], now)


def one_of(wanted: Any) -> list[Any]:
    return wanted if isinstance(wanted, list) else [wanted]


@pytest.mark.parametrize("case", CASES)
def test_category(case: str) -> None:
    made = run(case)
    trail = [f"{step.criterion} {step.outcome}: {step.because}" for step in made.assessment.trail]
    assert made.assessment.category.value in expected(case)["acceptable_categories"], trail


@pytest.mark.parametrize("case", [case for case in CASES if expected(case)["facts"]])
def test_facts(case: str) -> None:
    facts, made = expected(case)["facts"], run(case)
    assessment = made.assessment
    faults = []

    def check(name: str, got: Any, wanted: Any) -> None:
        if got not in one_of(wanted):
            faults.append(f"{name}: {got} instead of {wanted}")

    for antigen, wanted in facts.get("antigens", {}).items():
        check(antigen, state(made, antigen), wanted)
    if "days" in facts.get("timing", {}):
        check("days", assessment.timing.days, facts["timing"]["days"])
    if "confirmation" in facts:
        check("confirmation", assessment.confirmation.value, facts["confirmation"])
    if "branch" in facts:
        check("branch", assessment.branch.value if assessment.branch else None, facts["branch"])
    if "infusions" in facts:
        counted = [one for one in made.facts.infusions if one.cd19_directed or not one.targets]
        check("infusions", len(counted), facts["infusions"])
    routes = {match.label: match.route.value for match in made.matches}
    for label, wanted in facts.get("options", {}).items():
        check(label, routes.get(label, "out-of-scope"), [ROUTES[name] for name in one_of(wanted)])
    assert not faults


def test_facts_hold_nothing_that_is_not_checked() -> None:
    checked = {"antigens", "timing", "confirmation", "branch", "infusions", "options"}
    assert {name for case in CASES for name in expected(case)["facts"]} <= checked
    assert {name for case in CASES for name in expected(case)["facts"].get("timing", {})} <= {"days"}


def rekeyed(given: dict[str, Any]) -> dict[str, Any] | None:
    """The same chart under our own prefetch keys; None where what was seen of a type hangs on the keys given."""
    by_type: dict[str, list[dict[str, Any]]] = {kind: [] for kind in TYPES.values()}
    others = []
    addresses: dict[str, str | None] = {}
    for key, value in given.items():
        if key == "patient":
            continue
        if not isinstance(value, dict) or value.get("resourceType") != "Bundle":
            return None
        entries = [entry for entry in value.get("entry") or () if isinstance(entry, dict)]
        matches = [entry for entry in entries if (entry.get("search") or {}).get("mode", "match") == "match"]
        if any(link.get("relation") == "next" for link in value.get("link", ())):
            return None
        if value.get("total", len(matches)) > len(matches) or any(
            "resource" not in entry for entry in entries
        ):
            return None
        for entry in entries:
            resource = entry["resource"]
            if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
                return None
            if resource["resourceType"] == "OperationOutcome":
                codes = {
                    coding.get("code")
                    for issue in resource["issue"]
                    for coding in (issue.get("details") or {}).get("coding", ())
                }
                if not codes or not codes <= {"4101", "4119"}:
                    return None
            elif resource["resourceType"] in by_type:
                by_type[resource["resourceType"]].append(resource)
            else:
                others.append(resource)
            addresses[json.dumps(resource)] = entry.get("fullUrl")
    seen = {"conditions", "procedures", "observations", "medications", "reports"}
    if "patient" not in given or not seen <= set(given):
        return None
    made = {"patient": given["patient"]}
    for key, kind in TYPES.items():
        search = f"https://fhir.example.org/r4/{kind}?patient={given['patient']['id']}"
        made[key] = bundle(by_type[kind], kind, link=[{"relation": "self", "url": search}])
    if others:
        made["others"] = bundle(others)
    for key in made.keys() - {"patient"}:
        for entry in made[key]["entry"]:
            address = addresses.get(json.dumps(entry["resource"]))
            if address:
                entry["fullUrl"] = address
    return made


REKEYED = [case for case in CASES if rekeyed(request_of(case)["prefetch"]) is not None]


@pytest.mark.parametrize("case", REKEYED)
def test_own_prefetch_keys_give_the_same_answer(case: str) -> None:
    request = request_of(case)
    plain, ours = run(case), run(case, {**request, "prefetch": rekeyed(request["prefetch"])})
    assert ours.assessment.category is plain.assessment.category
    assert [v.state for v in ours.assessment.antigens] == [v.state for v in plain.assessment.antigens]
    assert ours.assessment.timing.days == plain.assessment.timing.days


def test_most_cases_can_be_rekeyed() -> None:
    assert len(REKEYED) > 200


def backwards(value: Any) -> Any:
    """A request with keys of the prefetch and entries of every Bundle in the opposite order."""
    if isinstance(value, dict) and value.get("resourceType") == "Bundle":
        return {**value, "entry": [backwards(entry) for entry in reversed(value.get("entry") or ())]}
    return value


@pytest.mark.parametrize("case", CASES)
def test_order_of_entries_and_keys_changes_nothing(case: str) -> None:
    request = request_of(case)
    turned = {key: backwards(value) for key, value in reversed(request["prefetch"].items())}
    forth, back = run(case), run(case, {**request, "prefetch": turned})
    assert msgspec.json.encode(back) == msgspec.json.encode(forth)
