"""The self-test at start: one built-in chart per category must be given its category, else no answers.

A rule path that was switched off by accident shows here before a clinician meets it (hazard H-70).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from mappings.evaluation import Evaluation, RelapseCategory
from mappings.reading.decode import Decoded, decode_chart

if TYPE_CHECKING:
    from mappings.loading import Knowledge

Evaluator = Callable[[Decoded, str, datetime], Evaluation]


@dataclass(frozen=True, slots=True)
class Case:
    """A built-in chart with the category it must be given at a fixed moment."""

    name: str
    category: str
    patient: str
    as_of: datetime
    chart: bytes


class _File(msgspec.Struct):
    category: str
    patient: str
    as_of: datetime
    chart: msgspec.Raw


@cache
def cases() -> tuple[Case, ...]:
    """The built-in cases, by file name."""
    folder = resources.files("smart_app").joinpath("selftest")
    found = []
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.name.endswith(".json"):
            file = msgspec.json.decode(entry.read_bytes(), type=_File)
            name = entry.name.removesuffix(".json")
            found.append(Case(name, file.category, file.patient, file.as_of, bytes(file.chart)))
    return tuple(found)


def evaluator_of(knowledge: Knowledge, regions: tuple[str, ...], *, safety: bool = False) -> Evaluator:
    """`evaluate` with knowledge and regions filled in; with `safety` as the order hooks need it."""
    from mappings.evaluate import evaluate

    def evaluated(chart: Decoded, patient_id: str, as_of: datetime) -> Evaluation:
        return evaluate(chart, knowledge, patient_id=patient_id, as_of=as_of, regions=regions, safety=safety)

    return evaluated


def run_selftest(evaluate: Evaluator) -> tuple[str, ...]:
    """The names of the cases that were not given their category; empty where all is well.

    A category without a case counts as a failed case, and so does a case that raises.
    """
    failed = [
        f"no-case:{category}" for category in RelapseCategory if category not in {c.category for c in cases()}
    ]
    for case in cases():
        try:
            given = evaluate(decode_chart(case.chart), case.patient, case.as_of).assessment.category.value
        except Exception:  # noqa: BLE001  whatever a broken rule raises, the case has failed
            given = "fault"
        if given != case.category:
            failed.append(case.name)
    return tuple(failed)
