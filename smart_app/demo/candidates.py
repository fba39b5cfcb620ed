"""Patients worth trying on an open server: a few searches by the codes of the knowledge, and why each was named.

Codes are asked for without their system, since servers write systems in many ways; what comes back is checked with
its system. A server that finds nothing may still hold such patients under other codes or in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from ehr.asking import Limits
from ehr.queries import Fetched, Query
from mappings.reading.chart import reference_key
from smart_app.demo.open_server import OpenServer
from smart_app.launch.queries import resources_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mappings.loading import Knowledge
    from mappings.loading.types import Concept

    _Wanted = Callable[[Concept], bool]

_LONGEST_VALUE = 1500
_PAGE = "50"
_ONE_PAGE = Limits(pages=1)
_CAR_T = ("car-t-administration", "car-t-history")


@dataclass(slots=True)
class Candidate:
    """A patient and what speaks for trying: words on CAR T, and on the disease."""

    patient: str
    car_t: list[str] = field(default_factory=list)
    disease: list[str] = field(default_factory=list)

    @property
    def why(self) -> str:
        """The reasons in one line."""
        return "; ".join(dict.fromkeys((*self.car_t, *self.disease)))


class _Coding(msgspec.Struct, frozen=True):
    system: str | None = None
    code: str | None = None


class _Concept(msgspec.Struct, frozen=True):
    coding: list[_Coding] = []


class _Reference(msgspec.Struct, frozen=True):
    reference: str = ""


class _Record(msgspec.Struct, frozen=True):
    subject: _Reference = _Reference()
    code: _Concept = _Concept()
    medicationCodeableConcept: _Concept = _Concept()  # noqa: N815  name as on the wire


_record = msgspec.json.Decoder(_Record).decode


def find_candidates(
    server: OpenServer, knowledge: Knowledge, seconds: float
) -> tuple[list[Candidate], tuple[Fetched, ...]]:
    """Candidates, those with CAR T and a disease first, and the searches that were made (one page of each)."""
    asked = tuple(_queries(knowledge))
    fetched = server.fetch(asked, seconds, _ONE_PAGE)
    found: dict[str, Candidate] = {}
    for one in fetched.values():
        for raw, _ in resources_of(one):
            _note(raw, one.query.type, knowledge, found)
    ranked = sorted(found.values(), key=lambda one: (not one.car_t, not one.disease, one.patient))
    return ranked, tuple(fetched.values())


def _queries(knowledge: Knowledge) -> Iterator[Query]:
    given = _codes(knowledge, lambda concept: _is_car_t(concept) and concept.kind != "car-t-history")
    told = _codes(knowledge, lambda concept: concept.kind == "car-t-history")
    ill = _codes(knowledge, _is_disease)
    for kind, codes in (("Procedure", given), ("MedicationAdministration", given), ("Condition", told + ill)):
        for number, value in enumerate(_chunks(codes)):
            yield Query(f"{kind}-{number}", kind, kind, (("code", value), ("_count", _PAGE)))


def _codes(knowledge: Knowledge, wanted: _Wanted) -> list[str]:
    return sorted(
        {code for (_, code), concepts in knowledge.by_code.items() if any(wanted(one) for one in concepts)}
    )


def _chunks(codes: Iterable[str]) -> Iterator[str]:
    value = ""
    for code in codes:
        if value and len(value) + len(code) >= _LONGEST_VALUE:
            yield value
            value = ""
        value = f"{value},{code}" if value else code
    if value:
        yield value


def _is_car_t(concept: Concept) -> bool:
    return concept.kind in _CAR_T or (concept.kind == "car-t-product" and concept.flag("car"))


def _is_disease(concept: Concept) -> bool:
    return concept.kind == "diagnosis" and concept.text("scope") == "in"


def _note(raw: bytes, kind: str, knowledge: Knowledge, found: dict[str, Candidate]) -> None:
    try:
        record = _record(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    subject = reference_key(record.subject.reference)
    if not subject.startswith("Patient/"):
        return
    for coding in (*record.code.coding, *record.medicationCodeableConcept.coding):
        for concept in knowledge.lookup(coding.system, coding.code):
            words = f"{kind} {coding.code}: {concept.label}"
            patient = subject.removeprefix("Patient/")
            if _is_car_t(concept):
                found.setdefault(patient, Candidate(patient)).car_t.append(words)
            elif _is_disease(concept):
                found.setdefault(patient, Candidate(patient)).disease.append(words)


def candidate_rows(candidates: Iterable[Candidate]) -> list[Mapping[str, object]]:
    """The candidates as JSON."""
    return [
        {
            "patient": one.patient,
            "car_t": list(dict.fromkeys(one.car_t)),
            "disease": list(dict.fromkeys(one.disease)),
        }
        for one in candidates
    ]
