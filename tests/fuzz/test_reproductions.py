"""The smallest change of each kind that the mutator found to flip an answer unseen; each must show or change nothing.

A row marked open is a fault that is known and not yet mended; when it is mended the mark has to go (strict).
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
OPEN = pytest.mark.xfail(strict=True, raises=AssertionError, reason="known and not yet mended")


def _row(name: str, sample: str, path: str, value: Any, *, mended: bool = False) -> Any:
    return pytest.param(sample, path, value, id=name, marks=() if mended else (OPEN,))


ROWS = [
    _row(
        "A infusion without resourceType",
        "product-tisa-pcs",
        "procedures.entry.0.resource.resourceType",
        GONE,
        mended=True,
    ),
    _row(
        "A infusion that is an object of something",
        "product-tisa-pcs",
        "procedures.entry.0.resource",
        {"x": 1},
        mended=True,
    ),
    _row(
        "A diagnosis without resourceType",
        "report-dutch",
        "conditions.entry.0.resource.resourceType",
        None,
        mended=True,
    ),
    _row(
        "A result without resourceType",
        "deauville-5-suspected",
        "observations.entry.0.resource",
        {},
        mended=True,
    ),
    _row(
        "B codings that are no list",
        "product-tisa-pcs",
        "procedures.entry.0.resource.code.coding",
        {"x": 1},
        mended=True,
    ),
    _row(
        "B a coding's system that is no text",
        "product-tisa-pcs",
        "procedures.entry.0.resource.code.coding.0.system",
        7,
        mended=True,
    ),
    _row(
        "B a code's text that is no text",
        "order-no-car-t-sign",
        "conditions.entry.0.resource.code.text",
        [],
        mended=True,
    ),
    _row(
        "C a code that is no concept",
        "cd20-after-rituximab",
        "procedures.entry.0.resource.code",
        "qz7m",
        mended=True,
    ),
    _row(
        "D status codings that are no list",
        "panel-components",
        "conditions.entry.0.resource.clinicalStatus.coding",
        "qz7m",
        mended=True,
    ),
    _row(
        "D a status that is no concept",
        "contained-specimen",
        "conditions.entry.0.resource.clinicalStatus",
        [[]],
        mended=True,
    ),
    _row(
        "E a value's codings that are no list",
        "status-worsened",
        "observations.entry.0.resource.valueCodeableConcept.coding",
        {},
        mended=True,
    ),
    _row(
        "E a value's text that is no text",
        "corrected-replaces-final",
        "observations.entry.1.resource.valueCodeableConcept.text",
        [None, 3],
        mended=True,
    ),
    _row(
        "F a result without a code",
        "preliminary-replaced-by-final",
        "observations.entry.1.resource.code",
        GONE,
        mended=True,
    ),
    _row(
        "G a status nobody knows",
        "result-entered-in-error-blank",
        "observations.entry.0.resource.status",
        "COMPLETED?",
        mended=True,
    ),
    _row(
        "H a specimen date that is none",
        "specimen-collected-before",
        "observations.entry.0.resource.collection.collectedDateTime",
        "0000-00-00",
        mended=True,
    ),
    _row(
        "H a collection that is none",
        "specimen-collected-before",
        "observations.entry.0.resource.collection",
        [None, 3],
        mended=True,
    ),
    _row(
        "I a relapse without a date",
        "mrd-percent-is-burden",
        "reports.entry.0.resource.effectiveDateTime",
        GONE,
        mended=True,
    ),
    _row(
        "I a suspicion without a date",
        "deauville-5-suspected",
        "observations.entry.0.resource.effectiveDateTime",
        "soon",
        mended=True,
    ),
    _row(
        "I an infusion of a year",
        "mrd-return-ball",
        "procedures.entry.0.resource.performedDateTime",
        "2025",
        mended=True,
    ),
    _row(
        "J the second bag of a year",
        "obe-between-bags",
        "procedures.entry.1.resource.performedDateTime",
        "2025",
        mended=True,
    ),
    _row(
        "J a second relapse of a year",
        "second-relapse-ball-28-days",
        "reports.entry.1.resource.effectiveDateTime",
        "2025",
        mended=True,
    ),
    _row(
        "K a contained resource whose type is an object",
        "effective-period-end-only",
        "reports.entry.0.resource.contained.0.resourceType",
        {"x": "Specimen"},
        mended=True,
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
