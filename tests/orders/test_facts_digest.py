"""The digest that says whether anything changed: order and hour do not, every fact does (H-44, H-49)."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from builders import (
    AS_OF,
    Resource,
    administration,
    body,
    condition,
    flow,
    judge,
    judge_bytes,
    observation,
    order,
    patient,
    pet,
    prefetch,
    procedure,
    relapsed,
    report,
    stain,
)
from hypothesis import given
from hypothesis import strategies as st

from cds_hooks.facts_digest import facts_digest
from mappings.evaluation import Evaluation

GFR = {
    "valueQuantity": {"value": 61, "unit": "mL/min", "system": "http://unitsofmeasure.org", "code": "mL/min"}
}
CHART: tuple[Resource, ...] = (
    patient(name=[{"family": "ZZTEST", "given": ["Alma"]}], identifier=[{"value": "MRN-1"}]),
    condition(),
    condition("Hepatitis B", "active", id="hep"),
    procedure(),
    administration("Polatuzumab vedotin", "2024-03-01", id="pola"),
    stain("Negative"),
    stain("Positive", "CD20"),
    flow("Positive", "CD22"),
    observation("Creatinine clearance", GFR, "2025-10-01", id="crcl"),
    pet("Progression, new lesions."),
    report("Diffuse large B-cell lymphoma, relapsed.", id="path"),
    order("Breyanzi", "2025-11-01", id="liso"),
)


def digest(*resources: Resource, as_of: datetime = AS_OF, **keys: Any) -> str:
    return facts_digest(judge(*resources, as_of=as_of, **keys))


BASE = digest(*CHART)


@given(st.randoms(use_true_random=False))
def test_input_order_does_not_change_it(shuffler: random.Random) -> None:
    """Any order of entries, keys and codings is the same chart."""
    resources = [json.loads(json.dumps(one)) for one in CHART]
    shuffler.shuffle(resources)
    given_keys = list(prefetch(*resources).items())
    shuffler.shuffle(given_keys)
    assert facts_digest(judge_bytes(body(dict(given_keys)))) == BASE


def test_the_order_of_facts_does_not_change_it() -> None:
    """Whatever order reading gives its facts in, they are the same facts."""
    made = judge(*CHART)
    turned = {
        part.name: tuple(reversed(value))
        for part in fields(made.facts)
        if isinstance(value := getattr(made.facts, part.name), tuple)
    }
    assert any(len(value) > 1 for value in turned.values())
    assert facts_digest(replace(made, facts=replace(made.facts, **turned))) == BASE


def test_what_was_seen_counts_by_itself() -> None:
    """A type that is read at last may change nothing that was found, and still ends a suppression (H-44)."""
    made = judge(*CHART)
    seen = tuple(
        replace(row, state="incomplete") if row.type == "Observation" else row for row in made.facts.seen
    )
    assert facts_digest(replace(made, facts=replace(made.facts, seen=seen))) != BASE


@given(st.integers(min_value=0, max_value=60 * 24 * 200))
def test_the_hour_alone_does_not_change_it(minutes: int) -> None:
    assert digest(*CHART, as_of=AS_OF + timedelta(minutes=minutes)) == BASE


def test_an_ongoing_treatment_does_not_age_by_the_hour() -> None:
    """A course without an end runs to the moment of judgement; that end is no fact."""
    ongoing = administration(
        "Rituximab", None, "in-progress", id="r", effectivePeriod={"start": "2025-12-01"}
    )
    assert digest(*CHART, ongoing) == digest(*CHART, ongoing, as_of=AS_OF + timedelta(days=3))


def test_a_birthday_is_no_new_fact() -> None:
    assert digest(*CHART, as_of=datetime(2026, 5, 4, tzinfo=UTC)) == digest(
        *CHART, as_of=datetime(2026, 5, 6, tzinfo=UTC)
    )


def test_names_and_identifiers_are_not_in_it() -> None:
    renamed = patient(name=[{"family": "OTHER"}], identifier=[{"value": "MRN-2"}])
    assert digest(renamed, *CHART[1:]) == BASE


def changed(number: int, **elements: Any) -> tuple[Resource, ...]:
    return (*CHART[:number], {**CHART[number], **elements}, *CHART[number + 1 :])


CHANGES: dict[str, Callable[[], str]] = {
    "birth date": lambda: digest(patient(birthDate="1961-05-05"), *CHART[1:]),
    "sex": lambda: digest(patient(gender="male"), *CHART[1:]),
    "death": lambda: digest(patient(deceasedBoolean=True), *CHART[1:]),
    "disease": lambda: digest(CHART[0], condition("Mantle cell lymphoma"), *CHART[2:]),
    "clinical status": lambda: digest(CHART[0], condition(clinical="active"), *CHART[2:]),
    "a finding gone": lambda: digest(*CHART[:2], *CHART[3:]),
    "date of the infusion": lambda: digest(*changed(3, performedDateTime="2025-01-11")),
    "product": lambda: digest(*CHART[:3], procedure("Lisocabtagene maraleucel infusion"), *CHART[4:]),
    "date of a therapy": lambda: digest(*changed(4, effectiveDateTime="2024-03-02")),
    "a therapy more": lambda: digest(*CHART, administration("Blinatumomab", "2025-12-01", id="b")),
    "state": lambda: digest(*changed(5, valueCodeableConcept={"text": "Positive"})),
    "date of a result": lambda: digest(*changed(5, effectiveDateTime="2025-09-25")),
    "specimen": lambda: digest(*changed(5, specimen={"display": "Bone marrow biopsy"})),
    "status of a result": lambda: digest(*changed(5, status="preliminary")),
    "another antigen": lambda: digest(*changed(6, valueCodeableConcept={"text": "Negative"})),
    "value": lambda: digest(*changed(8, valueQuantity={**GFR["valueQuantity"], "value": 20})),
    "date of a value": lambda: digest(*changed(8, effectiveDateTime="2025-10-02")),
    "imaging": lambda: digest(*changed(9, conclusion="Partial response.")),
    "words of a report": lambda: digest(*changed(10, conclusion="No evidence of lymphoma.")),
    "an order gone": lambda: digest(*CHART[:11]),
    "a type not read": lambda: digest(*CHART, reports=...),
    "regions": lambda: facts_digest(replace(judge(*CHART), regions=("US",))),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_of_a_fact_changes_it(name: str) -> None:
    """H-44: change one fact and a suppressed card returns."""
    assert CHANGES[name]() != BASE


def test_all_changes_are_told_apart() -> None:
    assert len({CHANGES[name]() for name in CHANGES}) == len(CHANGES)


@pytest.mark.parametrize("part", ["version", "digest", "overlay"])
def test_other_knowledge_changes_it(part: str) -> None:
    made = judge(*CHART)
    other = replace(made, knowledge=replace(made.knowledge, **{part: "other"}))
    assert facts_digest(other) != BASE


def test_its_form_is_short_and_says_nothing() -> None:
    made: Evaluation = relapsed()
    found = facts_digest(made)
    assert len(found) == 32
    assert set(found) <= set("0123456789abcdef")
