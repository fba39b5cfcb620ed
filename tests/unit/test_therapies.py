"""Treatments given and ordered: status, dates, courses (rules 11.6, 11.10, 11.11)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mappings.dates import ClinicalDate, parse_date
from mappings.facts import PriorTherapy, Remark
from mappings.loading import load_knowledge
from mappings.reading.decode import decode_chart
from mappings.reading.facts_of import ChartReader

READER = ChartReader.of(load_knowledge())
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
_OTHER_REMARKS = {"no-subject"}
BLINATUMOMAB = {"coding": [{"system": RXNORM, "code": "1597258", "display": "blinatumomab"}]}


def day(text: str) -> ClinicalDate:
    """A readable date."""
    found = parse_date(text)
    assert found is not None
    return found


AS_OF = day("2026-02-01T12:00:00Z")


def read(*resources: dict[str, Any]) -> tuple[tuple[PriorTherapy, ...], tuple[Remark, ...]]:
    """Therapies of a chart of these resources."""
    whole = [{"subject": {"reference": "Patient/p"}, "id": f"r{n}"} | row for n, row in enumerate(resources)]
    facts, _ = READER.read(decode_chart(msgspec.json.encode(whole)), "p", AS_OF)
    return facts.therapies, tuple(remark for remark in facts.remarks if remark.code not in _OTHER_REMARKS)


def dose(date: str | None = "2025-03-04", status: str = "completed", **more: Any) -> dict[str, Any]:
    """One administration of blinatumomab."""
    row: dict[str, Any] = {
        "resourceType": "MedicationAdministration",
        "status": status,
        "medicationCodeableConcept": BLINATUMOMAB,
    }
    if date is not None:
        row["effectiveDateTime"] = date
    return row | more


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        ("completed", True),
        ("in-progress", True),
        ("stopped", True),
        ("on-hold", True),
        ("unknown", True),
        (" Completed ", True),
        ("not-done", False),
        ("entered-in-error", False),
        ("entered-in-error ", False),
        ("cancelled", False),
    ],
)
def test_status_of_an_administration(status: str, counts: bool) -> None:
    """11.6: possible exposure counts, what did not happen leaves a remark."""
    therapies, remarks = read(dose(status=status))
    assert bool(therapies) is counts
    assert bool(remarks) is not counts
    if counts:
        assert (therapies[0].therapy, therapies[0].voids, therapies[0].administered) == (
            "blinatumomab",
            ("CD19",),
            True,
        )


@pytest.mark.parametrize(
    ("status", "counts"), [("active", True), ("completed", True), ("intended", False), ("not-taken", False)]
)
def test_status_of_a_statement(status: str, counts: bool) -> None:
    """What a patient is said to take counts, what is intended or not taken never."""
    row = dose(status=status) | {"resourceType": "MedicationStatement"}
    assert bool(read(row)[0]) is counts


@pytest.mark.parametrize("status", ["active", "completed", "draft", "stopped"])
def test_an_order_is_never_a_dose(status: str) -> None:
    """11.10: only administered drugs void a result."""
    row = {
        "resourceType": "MedicationRequest",
        "status": status,
        "intent": "order",
        "medicationCodeableConcept": BLINATUMOMAB,
        "authoredOn": "2025-03-04",
    }
    therapies, _ = read(row)
    assert all(not therapy.administered for therapy in therapies)
    both, _ = read(row | {"status": "active"}, dose("2025-03-10"))
    assert [(t.administered, t.first.text if t.first else "") for t in both] == [
        (False, "2025-03-04"),
        (True, "2025-03-10"),
    ]


def test_doses_make_one_course_with_first_and_last() -> None:
    """The clock is the last dose, whatever order the chart has."""
    rows = [dose("2025-03-04"), dose("2025-04-20", status="in-progress"), dose("2025-03-30"), dose(None)]
    for order in (rows, rows[::-1]):
        therapies, _ = read(*order)
        assert len(therapies) == 1
        course = therapies[0]
        assert course.first is not None
        assert course.last is not None
        assert (course.first.text, course.last.text, course.status) == (
            "2025-03-04",
            "2025-04-20",
            "in-progress",
        )
        assert len(course.sources) == 4


def test_a_later_course_is_a_course_of_its_own() -> None:
    """A result from between two courses must not pass as taken on treatment."""
    therapies, _ = read(dose("2024-01-05"), dose("2024-02-01"), dose("2025-01-05"))
    assert [(t.first.text, t.last.text) for t in therapies if t.first and t.last] == [
        ("2024-01-05", "2024-02-01"),
        ("2025-01-05", "2025-01-05"),
    ]


def test_undated_dose_alone_has_no_dates() -> None:
    """11.11: an order that cannot be known stays unknown."""
    therapies, _ = read(dose(None))
    assert (therapies[0].first, therapies[0].last) == (None, None)


def test_future_doses_are_set_aside() -> None:
    """A dose after the time of judgement has not been given."""
    therapies, remarks = read(dose("2026-02-02"))
    assert not therapies
    assert remarks[0].code == "future"
    assert read(dose("2026-02"))[0]  # may lie before: exposure in doubt counts


@pytest.mark.parametrize(
    ("period", "status", "last"),
    [
        ({"start": "2025-03-04", "end": "2025-04-01"}, "completed", "2025-04-01"),
        ({"start": "2025-03-04"}, "completed", "2025-03-04"),
        ({"start": "2025-03-04"}, "in-progress", "2026-02-01T12:00:00Z"),
        ({"start": "2025-03-04", "end": "2026-09-01"}, "in-progress", "2026-02-01T12:00:00Z"),
        ({"end": "2025-04-01"}, "completed", "2025-04-01"),
        ({"start": "2025-03-04", "end": "2024-04-01"}, "completed", "2025-03-04"),
    ],
)
def test_periods(period: dict[str, str], status: str, last: str) -> None:
    """An open course of an ongoing drug reaches to today, a planned end does not reach beyond."""
    therapies, _ = read(dose(None, status, effectivePeriod=period))
    assert therapies[0].last is not None
    assert therapies[0].last.text == last


def procedure(text: str, status: str = "completed", **more: Any) -> dict[str, Any]:
    """A procedure known by its text."""
    return {
        "resourceType": "Procedure",
        "status": status,
        "code": {"text": text},
        "performedDateTime": "2023-05-02",
    } | more


@pytest.mark.parametrize(
    ("row", "classes"),
    [
        (procedure("Allogeneic stem cell transplant"), ("transplant", "allo")),
        (
            procedure("x")
            | {"code": {"coding": [{"system": "http://snomed.info/sct", "code": "425983008"}]}},
            ("transplant", "auto"),
        ),
        (
            procedure("x")
            | {"code": {"coding": [{"system": "http://snomed.info/sct", "code": "234336002"}]}},
            ("transplant", "unspecified"),
        ),
        (
            {
                "resourceType": "Condition",
                "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "Z94.84"}]},
            },
            ("transplant", "unspecified"),
        ),
        (procedure("Radiation therapy procedure or service"), ("radiotherapy",)),
    ],
)
def test_transplant_and_radiotherapy(row: dict[str, Any], classes: tuple[str, ...]) -> None:
    """Terminology: the donor is named only where a code or text says so."""
    therapies, _ = read(row)
    assert [therapy.classes for therapy in therapies] == [classes]


def test_a_code_without_donor_beside_a_telling_text_is_one_transplant() -> None:
    """One document is one transplant."""
    code = {
        "coding": [{"system": "http://snomed.info/sct", "code": "234336002"}],
        "text": "Allogeneic stem cell transplant",
    }
    therapies, _ = read(procedure("x") | {"code": code})
    assert [therapy.therapy for therapy in therapies] == ["transplant-allogeneic"]


@pytest.mark.parametrize(
    "row",
    [
        procedure("Evaluation for allogeneic stem cell transplant"),
        procedure("Allogeneic stem cell transplant", status="not-done"),
        procedure("Allogeneic stem cell transplant", status="preparation"),
        {
            "resourceType": "Condition",
            "code": {"text": "Stem cell transplant status"},
            "verificationStatus": {"coding": [{"code": "refuted"}]},
        },
        {"resourceType": "Condition", "code": {"text": "Adverse effect of lenalidomide"}},
        {"resourceType": "Observation", "status": "final", "code": {"text": "blinatumomab level"}},
        procedure("Axicabtagene ciloleucel infusion"),
    ],
)
def test_what_is_no_treatment(row: dict[str, Any]) -> None:
    """Plans, refuted entries, side effects, levels and CAR T itself are no prior therapy."""
    assert read(row)[0] == ()
