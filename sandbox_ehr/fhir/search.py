"""Searches over the records: parameters known per type, everything else refused with the parameter's name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox_ehr.fhir.records import Records, Resource
from sandbox_ehr.fhir.when import FIRST, fits, read_prefixed, value_span

DEFAULT_COUNT = 100
MAX_COUNT = 1000


class SearchFault(Exception):
    """A search that a careful server refuses: `parameter` and one sentence."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.message = message


@dataclass(frozen=True, slots=True)
class Parameter:
    """A search parameter: its FHIR type and the elements it looks at."""

    kind: str
    fields: tuple[str, ...] = ()


_PATIENT = {"patient": Parameter("reference"), "subject": Parameter("reference")}
_CODE = {"code": Parameter("token", ("code",))}
_STATUS = {"status": Parameter("token", ("status",))}
_CATEGORY = {"category": Parameter("token", ("category",))}
_DRUG = {"code": Parameter("token", ("medicationCodeableConcept",))}
_EFFECTIVE = Parameter("date", ("effectiveDateTime", "effectivePeriod"))

PARAMETERS: dict[str, dict[str, Parameter]] = {
    "Patient": {
        "identifier": Parameter("identifier"),
        "family": Parameter("name"),
        "given": Parameter("name"),
    },
    "Practitioner": {},
    "Condition": {
        **_PATIENT,
        **_CODE,
        **_CATEGORY,
        "clinical-status": Parameter("token", ("clinicalStatus",)),
        "verification-status": Parameter("token", ("verificationStatus",)),
        "onset-date": Parameter("date", ("onsetDateTime",)),
        "recorded-date": Parameter("date", ("recordedDate",)),
    },
    "Procedure": {
        **_PATIENT,
        **_CODE,
        **_STATUS,
        **_CATEGORY,
        "date": Parameter("date", ("performedDateTime", "performedPeriod")),
    },
    "Observation": {**_PATIENT, **_CODE, **_STATUS, **_CATEGORY, "date": _EFFECTIVE},
    "DiagnosticReport": {**_PATIENT, **_CODE, **_STATUS, **_CATEGORY, "date": _EFFECTIVE},
    "MedicationAdministration": {**_PATIENT, **_DRUG, **_STATUS, "effective-time": _EFFECTIVE},
    "MedicationRequest": {
        **_PATIENT,
        **_DRUG,
        **_STATUS,
        "intent": Parameter("token", ("intent",)),
        "authoredon": Parameter("date", ("authoredOn",)),
    },
    "Medication": {**_CODE},
    "Specimen": {**_PATIENT, "type": Parameter("token", ("type",)), "collected": Parameter("collected")},
    "ServiceRequest": {
        **_PATIENT,
        **_CODE,
        **_STATUS,
        "intent": Parameter("token", ("intent",)),
        "authored": Parameter("date", ("authoredOn",)),
    },
}
CONTROL = ("_id", "_count", "_sort", "_format")
_JSON_FORMATS = ("json", "application/json", "application/fhir+json")
_DATED = ("date", "collected")


@dataclass(frozen=True, slots=True)
class Search:
    """A search that was understood: the type, its filters as (name, alternatives), order and page size."""

    type: str
    filters: tuple[tuple[str, tuple[str, ...]], ...]
    patients: frozenset[str] | None
    sort: tuple[tuple[str, bool], ...]
    count: int


def read_search(kind: str, pairs: Iterable[tuple[str, str]], base: str) -> Search:
    """Understands the parameters of a search or raises `SearchFault` with the first that is not."""
    known = PARAMETERS[kind]
    filters: list[tuple[str, tuple[str, ...]]] = []
    patients: frozenset[str] | None = None
    sort: tuple[tuple[str, bool], ...] = ()
    count = DEFAULT_COUNT
    for name, text in pairs:
        if not text.strip():
            raise SearchFault(name, f"the parameter {name} has no value")
        if name == "_count":
            count = _read_count(text)
        elif name == "_sort":
            sort = _read_sort(text, known)
        elif name == "_format":
            if text not in _JSON_FORMATS:
                raise SearchFault(name, "this server answers in JSON only")
        elif name == "_id":
            filters.append((name, tuple(text.split(","))))
        elif name not in known:
            raise SearchFault(name, f"the parameter {name} is not supported for {kind}")
        elif known[name].kind == "reference":
            asked = frozenset(_patient_id(one, name, base) for one in text.split(","))
            patients = asked if patients is None else patients & asked
        else:
            filters.append((name, _checked(known[name], name, text)))
    return Search(kind, tuple(filters), patients, sort, count)


def _read_count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise SearchFault("_count", "_count takes a whole number")
    return min(int(text[:9]), MAX_COUNT)


def _read_sort(text: str, known: dict[str, Parameter]) -> tuple[tuple[str, bool], ...]:
    rows = []
    for one in text.split(","):
        name = one.removeprefix("-")
        if name != "_id" and (name not in known or known[name].kind not in _DATED):
            raise SearchFault("_sort", f"sorting by {name} is not supported")
        rows.append((name, one.startswith("-")))
    return tuple(rows)


def _patient_id(text: str, name: str, base: str) -> str:
    rest = text.removeprefix(f"{base}/")
    kind, slash, number = rest.rpartition("/")
    if slash and kind != "Patient":
        raise SearchFault(name, f"{name} takes the id of a patient of this server")
    return number


def _checked(parameter: Parameter, name: str, text: str) -> tuple[str, ...]:
    alternatives = tuple(text.split(","))
    if parameter.kind in _DATED:
        for one in alternatives:
            try:
                read_prefixed(one)
            except ValueError as error:
                raise SearchFault(name, f"{name} takes a date with an optional prefix") from error
    return alternatives


def run_search(records: Records, search: Search) -> list[Resource]:
    """The resources a search finds, in its order."""
    found = records.of_type(search.type, None if search.type == "Patient" else search.patients)
    for name, alternatives in search.filters:
        found = [one for one in found if any(_fits(one, search.type, name, text) for text in alternatives)]
    for name, backwards in reversed(search.sort):
        found.sort(key=lambda one, name=name: _order(one, search.type, name), reverse=backwards)  # type: ignore[misc]
    return found


def _order(one: Resource, kind: str, name: str) -> Any:
    if name == "_id":
        return one["id"]
    return next((value[0] for value in _spans(one, PARAMETERS[kind][name])), FIRST)


def _fits(one: Resource, kind: str, name: str, text: str) -> bool:
    if name == "_id":
        return bool(one["id"] == text)
    parameter = PARAMETERS[kind][name]
    if parameter.kind in _DATED:
        prefix, wanted = read_prefixed(text)
        return any(fits(prefix, wanted, value) for value in _spans(one, parameter))
    if parameter.kind == "identifier":
        return _identified(one.get("identifier", ()), text)
    if parameter.kind == "name":
        return any(_named(part, name, text) for part in one.get("name", ()))
    return any(_token(one.get(field), text) for field in parameter.fields)


def _spans(one: Resource, parameter: Parameter) -> list[Any]:
    if parameter.kind == "collected":
        values = [one.get("collection", {}).get("collectedDateTime")]
    else:
        values = [one.get(field) for field in parameter.fields]
    return [value for value in (value_span(each) for each in values) if value is not None]


def _identified(identifiers: Sequence[Resource], text: str) -> bool:
    system, bar, value = text.rpartition("|")
    return any(
        one.get("value") == value and (not bar or one.get("system", "") == system) for one in identifiers
    )


def _named(part: Resource, name: str, text: str) -> bool:
    given = part.get("given", ())
    candidates = [part.get("family", "")] if name == "family" else list(given)
    return any(one.lower().startswith(text.lower()) for one in candidates)


def _token(value: Any, text: str) -> bool:
    system, bar, code = text.rpartition("|")
    if isinstance(value, str):
        return not system and value == code
    for concept in value if isinstance(value, list) else [value or {}]:
        for coding in concept.get("coding", ()):
            if code and coding.get("code") != code:
                continue
            if not bar or coding.get("system", "") == system:
                return True
    return False
