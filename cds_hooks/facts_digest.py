"""A digest of everything an answer rests on: it decides how long an override holds, and names suggestions (H-44, H-49).

It does not change with the order of the input or with the moment of judgement alone; it changes with any fact, with what
was seen, with the regions shown and with the knowledge. It holds no name and no identifier of a person.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

from mappings.dates import parse_date
from mappings.evaluation import Assessment, Evaluation
from mappings.facts import Facts, PatientFacts, Remark
from mappings.orders import OrderFinding

_DIGITS = 32
_NOW = b'"now"'
_encode = msgspec.json.Encoder(order="deterministic").encode
# Derived from the moment of judgement, or counting what says nothing of its own.
_LEFT_OUT = frozenset({"newest", "patient", "seen", "remarks"})


def facts_digest(evaluation: Evaluation) -> str:
    """Thirty-two hexadecimal digits over facts, answer and knowledge of one evaluation."""
    facts, assessment, stamp = evaluation.facts, evaluation.assessment, evaluation.knowledge
    now = _bytes_of_now(evaluation.as_of)
    parts = [
        _encode(["knowledge", stamp.version, stamp.digest, stamp.overlay]),
        _encode(["regions", evaluation.regions]),
        _encode(_answer(assessment)),
        _encode(_patient(facts.patient)),
        _encode(sorted((row.type, row.state) for row in facts.seen)),
        _encode(sorted({_remark(row) for row in facts.remarks})),
    ]
    for part in dataclasses.fields(Facts):
        if part.name not in _LEFT_OUT:
            # each distinct row once, in an order of its own; a date that is the hour of judgement is only "now"
            rows = sorted({_encode(row).replace(now, _NOW) for row in getattr(facts, part.name)})
            parts.append(part.name.encode() + b":" + b",".join(rows))
    return _digest(parts)


def findings_digest(facts: str, findings: Iterable[OrderFinding]) -> str:
    """The digest of an order card from that of its facts: an override of one order never hides another (H-44, H-50)."""
    rows = sorted(
        _encode((one.rule, one.level, one.concepts, sorted(o.label for o in one.orders), sorted(one.fills)))
        for one in findings
    )
    return _digest([facts.encode(), *rows])


def _digest(parts: Iterable[bytes]) -> str:
    return hashlib.sha256(b"\n".join(parts)).hexdigest()[:_DIGITS]


def _bytes_of_now(as_of: str) -> bytes:
    moment = parse_date(as_of)
    return _encode(moment) if moment is not None else _NOW


def _answer(assessment: Assessment) -> list[Any]:
    views = [
        (v.antigen, v.state, v.discordant, v.voided, v.before, v.preliminary) for v in assessment.antigens
    ]
    relapse = assessment.timing.relapse_date
    return [
        assessment.category,
        assessment.branch,
        assessment.confirmation,
        assessment.disease_group,
        assessment.disease_scope,
        views,
        assessment.timing.days,
        relapse.text if relapse is not None else None,
    ]


def _patient(patient: PatientFacts) -> list[Any]:
    """What of the person may decide: birth date, sex, death; never who it is."""
    born, died = patient.birth_date, patient.deceased_date
    return [
        born.text if born is not None else None,
        patient.sex,
        patient.deceased,
        died.text if died is not None else None,
        patient.source is not None,
    ]


def _remark(row: Remark) -> tuple[str, ...]:
    source = row.source
    placed = (source.reference, source.element, source.quote) if source is not None else ("", "", "")
    return (row.kind, row.code, row.about, row.quote, *placed)
