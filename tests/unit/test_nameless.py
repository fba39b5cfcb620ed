"""Valid entries that do not say what they are: masked or without a name, they may be what decides (11.5; H-08, H-11)."""

from __future__ import annotations

from typing import Any

import pytest
from builders import Resource, administration, category, condition, judge, procedure, report

EXTENSION = {
    "extension": [
        {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}
    ]
}
CODED = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "masked"}]}
MASKED = [None, {}, EXTENSION, CODED, {"coding": [{}]}, {"text": " "}]


def masked(whole: Resource, member: str, name: Any) -> Resource:
    """An entry with its name taken away."""
    return {
        **{key: value for key, value in whole.items() if key != member},
        **({member: name} if name else {}),
    }


@pytest.mark.parametrize("name", MASKED)
def test_h08_no_negative_rests_on_what_has_no_name(name: Any) -> None:
    active, remission = condition(clinical="active"), condition(clinical="remission")
    other, given = procedure("Appendectomy", id="x"), administration("Ondansetron", "2025-09-01", id="x")
    assert category(judge(active, other)) == "no-cd19-car-t"
    assert category(judge(active, masked(other, "code", name))) == "insufficient-data"
    assert category(judge(active, given)) == "no-cd19-car-t"
    assert category(judge(active, masked(given, "medicationCodeableConcept", name))) == "insufficient-data"
    fracture = condition("Fracture of wrist", id="x")
    assert category(judge(fracture, procedure())) == "no-lymphoid-malignancy"
    assert category(judge(masked(fracture, "code", name), procedure())) == "insufficient-data"
    silent = {key: value for key, value in report("x", "2026-03-01", id="x").items() if key != "conclusion"}
    assert category(judge(remission, procedure(), silent)) == "no-relapse"
    assert category(judge(remission, procedure(), masked(silent, "code", name))) == "insufficient-data"


def test_h43_what_did_not_happen_needs_no_name() -> None:
    active = condition(clinical="active")
    for status in ("not-done", "entered-in-error", "preparation"):
        assert category(judge(active, masked(procedure(status=status), "code", None))) == "no-cd19-car-t"
    wrong = {"verificationStatus": {"coding": [{"code": "entered-in-error"}]}}
    assert category(judge(active, {**masked(condition(id="x"), "code", None), **wrong})) == "no-cd19-car-t"
    local = masked(procedure(id="x"), "code", {"coding": [{"system": "urn:local", "code": "77"}]})
    assert category(judge(active, local)) == "no-cd19-car-t"
