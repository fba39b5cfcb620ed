"""Members of a wrong form: what can be saved is read, the remark names them, and no negative rests on them
(rules 11.5; hazards H-08, H-11, H-43)."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from builders import (
    administration,
    body,
    category,
    codes_of,
    concept,
    condition,
    judge,
    judge_bytes,
    observation,
    patient,
    prefetch,
    procedure,
    relapsed,
    report,
    stain,
)

from mappings.reading.misfits import save_concept
from mappings.reading.validate import _validate

LOINC = "http://loinc.org"
IN_REMISSION = condition(clinical="remission")
LYMPHOMA_CODE = IN_REMISSION["code"]


def seen(made: Any, kind: str) -> str:
    return next(row.state for row in made.facts.seen if row.type == kind)


def elements(made: Any) -> dict[str, str]:
    """Of every misfit remark the deciding members, by resource."""
    return {r.source.reference: r.source.element for r in made.assessment.unread if r.code == "misfit"}


def answer(*resources: Any) -> Any:
    return judge(*resources)


def test_the_charts_below_are_negative_as_they_are() -> None:
    assert category(answer(IN_REMISSION, procedure())) == "no-relapse"
    assert category(answer(condition(clinical="active"))) == "no-cd19-car-t"
    assert category(answer(procedure())) == "no-lymphoid-malignancy"


WRONG_NAMES: list[Any] = [
    "qz7m",
    7,
    [],
    [[]],
    {"coding": {"x": 1}},
    {"coding": "C83.3"},
    {"coding": [7]},
    {"coding": [{"system": 7, "code": "x"}]},
    {"coding": [{"code": ["x"]}]},
    {"text": []},
]


@pytest.mark.parametrize("wrong", WRONG_NAMES)
@pytest.mark.parametrize(
    ("kind", "others", "negative"),
    [
        ("Condition", [procedure()], "no-lymphoid-malignancy"),
        ("Procedure", [condition(clinical="active")], "no-cd19-car-t"),
        ("Observation", [IN_REMISSION, procedure()], "no-relapse"),
        ("DiagnosticReport", [IN_REMISSION, procedure()], "no-relapse"),
    ],
)
def test_h08_no_negative_rests_on_a_name_of_a_wrong_form(
    kind: str, others: list[Any], negative: str, wrong: Any
) -> None:
    made = {
        "Condition": condition,
        "Procedure": procedure,
        "Observation": observation,
        "DiagnosticReport": partial(report, "nothing", None),
    }[kind]
    plain = made(concept("nobody knows this"), id="odd")
    odd = {**plain, "code": wrong}
    assert category(answer(*others, plain)) == negative
    found = answer(*others, odd)
    assert category(found) == "insufficient-data"
    assert seen(found, kind) == "incomplete"
    assert elements(found) == {f"{kind}/odd": "code"}


@pytest.mark.parametrize("wrong", WRONG_NAMES)
def test_h08_no_negative_rests_on_a_drug_of_a_wrong_form(wrong: Any) -> None:
    odd = {**administration("x", "2025-01-01", id="odd"), "medicationCodeableConcept": wrong}
    found = answer(condition(clinical="active"), odd)
    assert category(found) == "insufficient-data"
    assert elements(found) == {"MedicationAdministration/odd": "medicationCodeableConcept"}


def test_h08_a_drug_named_by_a_record_of_a_wrong_form_is_not_no_infusion() -> None:
    drug = {"resourceType": "Medication", "id": "m", "code": {"coding": [{"code": 7, "display": "qz7m"}]}}
    given = administration("x", "2025-01-01", id="odd")
    given.pop("medicationCodeableConcept")
    given["medicationReference"] = {"reference": "Medication/m"}
    whole = {**drug, "code": {"text": "qz7m"}}
    assert category(answer(condition(clinical="active"), given, whole)) == "no-cd19-car-t"
    assert category(answer(condition(clinical="active"), given, drug)) == "insufficient-data"


@pytest.mark.parametrize(
    "wrong", ["qz7m", 7, [[]], {"coding": "x"}, {"coding": [7]}, {"coding": [{"code": 7}]}]
)
@pytest.mark.parametrize("member", ["clinicalStatus", "verificationStatus"])
@pytest.mark.parametrize("code", [LYMPHOMA_CODE, concept("Relapse after axicabtagene ciloleucel")])
def test_h08_no_negative_rests_on_a_status_of_a_wrong_form(code: Any, member: str, wrong: Any) -> None:
    odd = {**condition(code, clinical="active", id="odd"), member: wrong}
    found = answer(IN_REMISSION, procedure(), odd)
    assert category(found) in ("insufficient-data", "cd19-unknown")
    assert elements(found) == {"Condition/odd": member}
    assert seen(found, "Condition") == "incomplete"


@pytest.mark.parametrize(
    ("member", "wrong"),
    [
        ("conclusion", 7),
        ("conclusion", ["Relapse"]),
        ("conclusion", {}),
        ("conclusionCode", "qz7m"),
        ("conclusionCode", [7]),
        ("conclusionCode", [{"coding": {}}]),
        ("presentedForm", 7),
        ("presentedForm", [{"contentType": "text/plain", "data": 7}]),
    ],
)
def test_h08_no_negative_rests_on_a_report_whose_words_are_of_a_wrong_form(member: str, wrong: Any) -> None:
    odd = {**report(None, id="odd"), member: wrong}
    found = answer(IN_REMISSION, procedure(), odd)
    assert category(found) == "insufficient-data"
    assert seen(found, "DiagnosticReport") == "incomplete"
    assert elements(found) == {"DiagnosticReport/odd": member}
    void = answer(IN_REMISSION, procedure(), {**odd, "status": "entered-in-error"})
    assert category(void) == "no-relapse"


@pytest.mark.parametrize(
    ("member", "right"),
    [
        ("conclusion", None),
        ("conclusionCode", None),
        ("conclusionCode", {"text": "one"}),
        ("presentedForm", []),
    ],
)
def test_a_report_without_words_or_with_one_for_a_list_is_no_misfit(member: str, right: Any) -> None:
    found = answer(IN_REMISSION, procedure(), {**report(None, id="odd"), member: right})
    assert category(found) == "no-relapse"


@pytest.mark.parametrize("nothing", [None, {}, {"coding": []}, {"coding": None}, {"text": None}])
def test_a_status_that_says_nothing_in_the_right_form_is_no_misfit(nothing: Any) -> None:
    found = answer({**condition(), "clinicalStatus": nothing}, procedure())
    assert elements(found) == {}
    assert seen(found, "Condition") == "complete"


def test_what_could_be_saved_of_a_status_is_read() -> None:
    status = {"coding": [{"code": 7}, {"code": "relapse"}], "text": [1]}
    found = relapsed(stain("Negative"))
    odd = answer({**condition(), "clinicalStatus": status}, procedure(), stain("Negative"))
    assert category(found) == category(odd) == "cd19-negative"
    assert elements(odd) == {"Condition/disease": "clinicalStatus"}


@pytest.mark.parametrize(
    "code",
    [
        {"text": "Axicabtagene ciloleucel infusion", "coding": {"x": 1}},
        {"text": 5, "coding": [{"display": "Axicabtagene ciloleucel infusion", "system": 7, "code": "x"}]},
        {"coding": [7, {"display": "Axicabtagene ciloleucel infusion"}]},
        "Axicabtagene ciloleucel infusion",
    ],
)
def test_what_could_be_saved_of_a_name_is_read(code: Any) -> None:
    found = answer(condition(), {**procedure(), "code": code}, stain("Negative"))
    assert category(found) == "cd19-negative"
    assert elements(found) == {"Procedure/car": "code"}


def test_a_code_without_its_system_is_not_saved() -> None:
    saved = save_concept(
        {"coding": [{"system": 7, "code": "x", "display": "name"}, {"system": "s", "code": 7}]}
    )
    assert saved is not None
    assert [(c.system, c.code, c.display) for c in saved.coding or ()] == [
        (None, None, "name"),
        (None, None, None),
    ]


@pytest.mark.parametrize(
    "harmless",
    [
        {**observation(concept("Sodium"), id="odd"), "total": "many"},
        {**observation(concept("Sodium"), id="odd"), "effectiveDateTime": 20250920},
        {**observation(concept("Sodium"), id="odd"), "vaccineCode": 7},
        {**condition(concept("Essential hypertension"), id="odd"), "clinicalStatus": [[]]},
        {**condition(id="odd", verification="refuted"), "clinicalStatus": [[]]},
    ],
)
def test_h43_what_decides_nothing_holds_nothing_back(harmless: Any) -> None:
    found = answer(IN_REMISSION, procedure(), harmless)
    assert category(found) == "no-relapse"
    assert set(elements(found).values()) <= {""}


def test_h43_a_laboratory_value_known_by_the_rest_of_its_code_holds_nothing_back() -> None:
    lab = observation(
        concept("Platelets", (LOINC, "777-3")),
        {"valueQuantity": {"value": 90, "unit": "10*3/uL"}},
        id="lab",
    )
    lab["code"]["coding"].append({"system": "urn:local", "code": 1234})
    found = answer(IN_REMISSION, procedure(), lab)
    assert category(found) == "no-relapse"
    assert "misfit" in codes_of(found, "unread")


def test_k_a_contained_resource_whose_type_is_no_text_is_marked_and_no_fault() -> None:
    odd = {**stain("Negative"), "contained": [{"resourceType": {"x": 1}, "id": "s"}]}
    made = judge_bytes(body(prefetch(patient(), condition(), procedure(), odd)))
    assert category(made) == "cd19-negative"
    assert any(row.code == "invalid" for row in made.assessment.remarks)
    assert _validate("Observation", json.dumps(odd).encode()) == ("Observation",)
