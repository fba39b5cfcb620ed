"""A digest of everything an answer rests on: it decides how long an override holds, and names suggestions (H-44, H-49).

It does not change with the order of the input or with the moment of judgement alone; it changes with any fact, with what
was seen, with the regions shown and with the knowledge. It holds no name and no identifier of a person.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from enum import Enum
from typing import Any

import msgspec

from mappings.dates import ClinicalDate
from mappings.evaluation import Evaluation
from mappings.facts import Facts, PatientFacts, Remark, SeenType
from mappings.orders import OrderFinding

_DIGITS = 32
_NOW = "now"
# Derived from the moment of judgement, or counting what says nothing of its own.
_LEFT_OUT = frozenset({"newest", "patient", "seen", "remarks"})


def facts_digest(evaluation: Evaluation) -> str:
    """Thirty-two hexadecimal digits over facts, answer and knowledge of one evaluation."""
    return _digest(_parts(evaluation))


def findings_digest(evaluation: Evaluation, findings: Iterable[OrderFinding]) -> str:
    """The same, with what was ordered and found: an override of one order never hides another (H-44, H-50)."""
    rows = sorted(
        (one.rule, one.level, list(one.concepts), sorted(o.label for o in one.orders), sorted(one.fills))
        for one in findings
    )
    return _digest([*_parts(evaluation), ["orders", rows]])


def _digest(parts: list[Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:_DIGITS]


def _parts(evaluation: Evaluation) -> list[Any]:
    facts, assessment, stamp = evaluation.facts, evaluation.assessment, evaluation.knowledge
    now = evaluation.as_of
    rows = [
        [part.name, _rows(getattr(facts, part.name), now)]
        for part in dataclasses.fields(Facts)
        if part.name not in _LEFT_OUT
    ]
    answer = [
        assessment.category,
        assessment.branch,
        assessment.confirmation,
        assessment.disease_group,
        assessment.disease_scope,
        [[v.antigen, v.state, v.discordant, v.voided, v.before, v.preliminary] for v in assessment.antigens],
        [assessment.timing.days, _plain(assessment.timing.relapse_date, now)],
    ]
    return [
        ["knowledge", stamp.version, stamp.digest, stamp.overlay],
        ["regions", list(evaluation.regions)],
        ["answer", answer],
        ["patient", _patient(facts.patient, now)],
        ["seen", sorted(_seen(row) for row in facts.seen)],
        ["remarks", sorted({_remark(row) for row in facts.remarks})],
        *rows,
    ]


def _patient(patient: PatientFacts, now: str) -> list[Any]:
    """What of the person may decide: birth date, sex, death; never who it is."""
    return [
        _plain(patient.birth_date, now),
        patient.sex,
        patient.deceased,
        _plain(patient.deceased_date, now),
        patient.source is not None,
    ]


def _seen(row: SeenType) -> list[str]:
    return [row.type, row.state]


def _remark(row: Remark) -> tuple[str, ...]:
    source = row.source
    placed = (source.reference, source.element, source.quote) if source is not None else ("", "", "")
    return (row.kind, row.code, row.about, row.quote, *placed)


def _rows(value: Any, now: str) -> Any:
    """A collection without its order; each distinct row once."""
    if not isinstance(value, tuple):
        return _plain(value, now)
    encoded = {msgspec.json.encode(_plain(row, now)) for row in value}
    return sorted(one.decode() for one in encoded)


def _plain(value: Any, now: str) -> Any:
    """A fact as JSON; a date that is the moment of judgement itself is only "now"."""
    if isinstance(value, ClinicalDate):
        return _NOW if value.text == now else [value.text, value.first.isoformat(), value.last.isoformat()]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [[f.name, _plain(getattr(value, f.name), now)] for f in dataclasses.fields(value)]
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple):
        return [_plain(row, now) for row in value]
    return value
