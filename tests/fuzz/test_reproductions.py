"""The smallest change of each kind that the mutator found to flip an answer unseen; each must show or change nothing.

H-08, H-11, R-11.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from mutate_requests import Driver, Fuzz, as_bytes, faults_of
from mutations import Done, Effect

GONE = object()


def _row(name: str, sample: str, path: str, value: Any) -> Any:
    return pytest.param(sample, path, value, id=name)


ROWS = [
    _row(
        "A infusion without resourceType",
        "product-tisa-pcs",
        "procedures.entry.0.resource.resourceType",
        GONE,
    ),
    _row(
        "A infusion that is an object of something",
        "product-tisa-pcs",
        "procedures.entry.0.resource",
        {"x": 1},
    ),
    _row(
        "A diagnosis without resourceType",
        "report-dutch",
        "conditions.entry.0.resource.resourceType",
        None,
    ),
    _row(
        "A result without resourceType",
        "deauville-5-suspected",
        "observations.entry.0.resource",
        {},
    ),
    _row(
        "A result of a type that FHIR does not know",
        "clone-disagreement",
        "observations.entry.1.resource.resourceType",
        "qz7m",
    ),
    _row(
        "A drug of a type that FHIR does not know",
        "state-observations-cut-total",
        "medicationAdministrations.entry.5.resource.resourceType",
        "qz7m",
    ),
    _row(
        "B codings that are no list",
        "product-tisa-pcs",
        "procedures.entry.0.resource.code.coding",
        {"x": 1},
    ),
    _row(
        "B a coding's system that is no text",
        "product-tisa-pcs",
        "procedures.entry.0.resource.code.coding.0.system",
        7,
    ),
    _row(
        "B a code's text that is no text",
        "order-no-car-t-sign",
        "conditions.entry.0.resource.code.text",
        [],
    ),
    _row(
        "C a code that is no concept",
        "cd20-after-rituximab",
        "procedures.entry.0.resource.code",
        "qz7m",
    ),
    _row(
        "D status codings that are no list",
        "panel-components",
        "conditions.entry.0.resource.clinicalStatus.coding",
        "qz7m",
    ),
    _row(
        "D a status that is no concept",
        "contained-specimen",
        "conditions.entry.0.resource.clinicalStatus",
        [[]],
    ),
    _row(
        "E a value's codings that are no list",
        "status-worsened",
        "observations.entry.0.resource.valueCodeableConcept.coding",
        {},
    ),
    _row(
        "E a value's text that is no text",
        "corrected-replaces-final",
        "observations.entry.1.resource.valueCodeableConcept.text",
        [None, 3],
    ),
    _row(
        "F a result without a code",
        "preliminary-replaced-by-final",
        "observations.entry.1.resource.code",
        GONE,
    ),
    _row(
        "G a status nobody knows",
        "result-entered-in-error-blank",
        "observations.entry.0.resource.status",
        "COMPLETED?",
    ),
    _row(
        "H a specimen date that is none",
        "specimen-collected-before",
        "observations.entry.0.resource.collection.collectedDateTime",
        "0000-00-00",
    ),
    _row(
        "H a collection that is none",
        "specimen-collected-before",
        "observations.entry.0.resource.collection",
        [None, 3],
    ),
    _row(
        "I a relapse without a date",
        "mrd-percent-is-burden",
        "reports.entry.0.resource.effectiveDateTime",
        GONE,
    ),
    _row(
        "I a suspicion without a date",
        "deauville-5-suspected",
        "observations.entry.0.resource.effectiveDateTime",
        "soon",
    ),
    _row(
        "I an infusion of a year",
        "mrd-return-ball",
        "procedures.entry.0.resource.performedDateTime",
        "2025",
    ),
    _row(
        "J the second bag of a year",
        "obe-between-bags",
        "procedures.entry.1.resource.performedDateTime",
        "2025",
    ),
    _row(
        "J a second relapse of a year",
        "second-relapse-ball-28-days",
        "reports.entry.1.resource.effectiveDateTime",
        "2025",
    ),
    _row(
        "K a contained resource whose type is an object",
        "effective-period-end-only",
        "reports.entry.0.resource.contained.0.resourceType",
        {"x": "Specimen"},
    ),
]


@pytest.fixture(scope="module")
def fuzz(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzz]:
    driver = Driver(tmp_path_factory.mktemp("fuzz"))
    yield Fuzz(driver)
    driver.close()


@pytest.mark.parametrize(("sample", "path", "value"), ROWS)
def test_h11_the_smallest_change_shows_or_changes_nothing(
    fuzz: Fuzz, sample: str, path: str, value: Any
) -> None:
    chosen = next(one for one in fuzz.samples if one.name == sample)
    request = copy.deepcopy(chosen.request)
    holder: Any = request["prefetch"]
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in way:
        holder = holder[step]
    before = holder.pop(last) if isinstance(holder, dict) else holder[last]
    if before == value:
        raise LookupError(f"{path} is so already")
    if value is not GONE:
        holder[last] = value
    seen = fuzz.driver.ask(chosen.path, as_bytes(request), chosen.at)
    assert faults_of(fuzz.intact()[sample], seen, [Done("by hand", path, Effect.REMOVES)]) == []


@pytest.mark.parametrize("number", ["9" * 400, "9" * 5000, "-" + "9" * 400, "1e400", '"NaN"', '"Infinity"'])
@pytest.mark.parametrize("member", ["valueQuantity", "valueInteger"])
def test_h11_a_number_beyond_all_measures_ends_no_call(fuzz: Fuzz, member: str, number: str) -> None:
    """A haemoglobin of hundreds of digits is no value; the chart beside it is judged as it was."""
    chosen = next(one for one in fuzz.samples if one.name == "cd19-low-b-all")
    request = copy.deepcopy(chosen.request)
    for entry in request["prefetch"]["observations"]["entry"]:
        if "valueQuantity" in entry["resource"]:
            quantity = entry["resource"].pop("valueQuantity")
            value = {**quantity, "value": "NUMBER"} if member == "valueQuantity" else "NUMBER"
            entry["resource"][member] = value
    body = as_bytes(request)
    assert b'"NUMBER"' in body
    seen = fuzz.driver.ask(chosen.path, body.replace(b'"NUMBER"', number.encode()), chosen.at)
    assert (seen.status, seen.category) == (200, "cd19-low-or-partial")


@pytest.mark.parametrize("sample", ["mcl-brexu-xw2-positive", "panel-components", "value-fraction-unit-one"])
def test_h12_a_copy_with_its_members_in_another_order_contradicts_nothing(fuzz: Fuzz, sample: str) -> None:
    chosen = next(one for one in fuzz.samples if one.name == sample)
    request = copy.deepcopy(chosen.request)
    entries = request["prefetch"]["observations"]["entry"]
    entries.extend([_reversed(entry) for entry in entries])
    seen = fuzz.driver.ask(chosen.path, as_bytes(request), chosen.at)
    assert (seen.status, seen.category, seen.cards) == (
        200,
        fuzz.intact()[sample].category,
        fuzz.intact()[sample].cards,
    )


def _reversed(value: Any) -> Any:
    """The same with the members of every object in the opposite order."""
    if isinstance(value, dict):
        return {name: _reversed(value[name]) for name in reversed(value)}
    return [_reversed(item) for item in value] if isinstance(value, list) else value
