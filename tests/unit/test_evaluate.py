"""The core's one call: pure, repeatable, and the same for every face (invariants 1 to 4)."""

from __future__ import annotations

import builtins
import socket
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from builders import (
    AS_OF,
    body,
    condition,
    judge,
    judge_bytes,
    knowledge,
    observation,
    outcomes,
    patient,
    prefetch,
    procedure,
    relapsed,
    stain,
)

from mappings.dates import parse_date
from mappings.evaluate import age_at, evaluate
from mappings.facts import PatientFacts
from mappings.reading.decode import decode_request

CHART = (condition(), procedure(), stain("Negative"), stain("Positive", "CD20"))


def test_the_same_chart_gives_the_same_bytes() -> None:
    one, two = judge(*CHART), judge(*CHART)
    assert msgspec.json.encode(one) == msgspec.json.encode(two)
    assert one == two


def test_one_chart_leaves_no_trace_in_the_next() -> None:
    before = judge(condition(clinical="active"), procedure())
    relapsed(stain("Negative"))
    assert judge(condition(clinical="active"), procedure()) == before


def test_the_core_touches_neither_file_nor_net_nor_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    judge(*CHART)  # what is read once is read by now

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("the core must not do this")

    raw = body(prefetch(*CHART))
    monkeypatch.setattr(builtins, "open", refuse)
    monkeypatch.setattr(socket, "socket", refuse)
    for name in ("time", "time_ns", "sleep"):
        monkeypatch.setattr(time, name, refuse)
    assert judge_bytes(raw).assessment.category.value == "cd19-negative"


def test_the_decoded_input_may_be_judged_twice() -> None:
    decoded = decode_request(body(prefetch(*CHART)))
    assert judge_bytes(decoded) == judge_bytes(decoded)


def test_what_the_answer_rests_on_is_named() -> None:
    made = judge(*CHART)
    assert (made.knowledge.version, made.knowledge.digest) == (knowledge().version, knowledge().digest)
    assert made.regions == ("US", "EU")
    assert made.as_of == "2026-06-01T12:00:00Z"


def test_regions_come_as_asked() -> None:
    decoded = decode_request(body(prefetch(*CHART)))
    assert evaluate(decoded, knowledge(), patient_id="syn-1", as_of=AS_OF, regions=["EU"]).regions == ("EU",)


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        judge(*CHART, as_of=datetime(2026, 6, 1))


@pytest.mark.parametrize(
    ("born", "day", "age"),
    [("1960-05-05", date(2026, 5, 4), 65), ("1960-05-05", date(2026, 5, 5), 66),
    ("2008-02-29", date(2026, 2, 28), 17),
     ("2008-02-29", date(2026, 3, 1), 18), ("1960-05", date(2026, 5, 15), None),
     ("1960-05", date(2026, 6, 1), 66), ("1960", date(2026, 6, 1), None),
     ("1960", date(2026, 12, 31), 66), (None, date(2026, 6, 1), None), ("", date(2026, 6, 1), None)],
)  # fmt: skip
def test_age(born: str | None, day: date, age: int | None) -> None:
    moment = parse_date(day.isoformat())
    assert moment is not None
    assert age_at(PatientFacts("x", parse_date(born) if born else None), moment) == age


def test_no_patient_resource_is_no_age_and_no_failure() -> None:
    made = judge(*CHART, patient=...)
    assert made.assessment.age_years is None
    assert outcomes(made)["cd19-on-relapse"] == "FAILS"


def test_the_patients_identity_is_for_display_only() -> None:
    who = patient(
        name=[{"family": "Zztest", "given": ["Anna", "B"]}], identifier=[{"value": "SYN-1"}, {"system": "x"}]
    )
    facts = judge(*CHART, patient=who).facts.patient
    assert (facts.name, facts.identifiers) == ("ZZTEST, Anna B", ("SYN-1",))


@pytest.mark.parametrize("name", [[], None, 5, [{"text": "A B"}], [{}], [{"given": ["A"]}], [{"family": 3}]])
def test_names_of_any_form(name: Any) -> None:
    assert isinstance(judge(*CHART, patient=patient(name=name)).facts.patient.name, str)


def test_remarks_are_unique_and_sorted() -> None:
    told = judge(
        *CHART, stain("Negative", when="2024-01-01", id="old"), stain("Negative", when="2024-01-01", id="old")
    ).assessment
    rows = [(row.about, row.source.reference if row.source else "", row.reason) for row in told.set_aside]
    assert rows == sorted(set(rows))


def test_a_thousand_values_are_read_in_a_fraction_of_a_second() -> None:
    """A guard against reading that grows with the square of the chart; the figures themselves are benchmarked."""

    def chart(size: int) -> bytes:
        more = [
            observation("Sodium", {"valueQuantity": {"value": 140, "unit": "mmol/L"}}, id=f"n{n}")
            for n in range(size)
        ]
        notes = [
            observation("CD19", "Negative", specimen="Bone marrow", id=f"m{n}") for n in range(size // 20)
        ]
        return body(prefetch(*CHART, *more, *notes))

    def cost(raw: bytes) -> float:
        best = 9.0
        for _ in range(3):
            started = time.perf_counter()
            judge_bytes(raw)
            best = min(best, time.perf_counter() - started)
        return best

    small, large = chart(500), chart(4_000)
    assert cost(large) < 24 * cost(small) + 0.1


def test_judging_at_the_edges_of_time_does_not_raise() -> None:
    for moment in (
        datetime(1, 1, 2, tzinfo=UTC),
        datetime(9999, 12, 30, tzinfo=UTC),
        AS_OF + timedelta(days=1),
    ):
        assert judge(*CHART, as_of=moment).assessment.trail
