"""Rows of a chart for the screen, newest first; nothing here decides anything."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sandbox_ehr.fhir.records import Records, Resource

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_IMAGING = ("PET", "CT", "MRI")


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what, its result, when (as FHIR date), its status."""

    what: str
    result: str
    when: str
    status: str = ""


@dataclass(frozen=True, slots=True)
class ChartView:
    """What the summary page shows."""

    problems: list[Row]
    procedures: list[Row]
    results: list[Row]
    reports: list[Row]
    imaging: list[Row]
    medications: list[Row]


def show_date(text: str) -> str:
    """A FHIR date as `03 Mar 1963`, `Mar 1963` or `1963`."""
    parts = text[:10].split("-")
    if len(parts) == 3:
        return f"{parts[2]}\u00a0{_MONTHS[int(parts[1]) - 1]}\u00a0{parts[0]}"
    if len(parts) == 2:
        return f"{_MONTHS[int(parts[1]) - 1]}\u00a0{parts[0]}"
    return text


def age(birth: date, today: date) -> int:
    """Completed years."""
    return today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))


def name_of(code: Any) -> str:
    """The words of a CodeableConcept."""
    code = code or {}
    codings = code.get("coding") or [{}]
    return str(code.get("text") or codings[0].get("display") or codings[0].get("code") or "")


def _when(one: Resource) -> str:
    for name in ("effectiveDateTime", "performedDateTime", "authoredOn", "recordedDate", "onsetDateTime"):
        if one.get(name):
            return str(one[name])
    period = one.get("performedPeriod") or one.get("effectivePeriod") or {}
    return str(period.get("start") or period.get("end") or "")


def _value(one: Resource) -> str:
    if "valueQuantity" in one:
        amount = one["valueQuantity"]
        number = f"{amount['value']:g}" if isinstance(amount["value"], int | float) else str(amount["value"])
        return f"{amount.get('comparator', '')}{number} {amount.get('unit', '')}".strip()
    if "valueCodeableConcept" in one:
        return name_of(one["valueCodeableConcept"])
    for name in ("valueString", "valueInteger"):
        if name in one:
            return str(one[name])
    return f"no value ({name_of(one.get('dataAbsentReason'))})"


def _text(one: Resource) -> str:
    if one.get("conclusion"):
        return str(one["conclusion"])
    forms = [base64.b64decode(form["data"]).decode() for form in one.get("presentedForm", ())]
    return "\n".join(forms)


def _newest(rows: list[Row], most: int) -> list[Row]:
    return sorted(rows, key=lambda row: row.when, reverse=True)[:most]


def _drug(records: Records, one: Resource) -> str:
    if "medicationCodeableConcept" in one:
        return name_of(one["medicationCodeableConcept"])
    name = one["medicationReference"]["reference"].rpartition("/")[2]
    inside = next(iter(one.get("contained", ())), None)
    return name_of((inside or records.get("Medication", name) or {}).get("code"))


def _once(rows: list[Row], most: int) -> list[Row]:
    """The latest of each name, with how often it stands in the chart."""
    latest: dict[str, Row] = {}
    times: dict[str, int] = {}
    for row in _newest(rows, len(rows)):
        latest.setdefault(row.what, row)
        times[row.what] = times.get(row.what, 0) + 1
    shown = list(latest.values())[:most]
    return [
        replace(row, what=f"{row.what}, latest of {times[row.what]}") if times[row.what] > 1 else row
        for row in shown
    ]


def _routine(one: Resource) -> bool:
    return "specimen" not in one and one["category"][0]["coding"][0]["code"] in ("laboratory", "vital-signs")


def result_rows(records: Records, patient: str, *, routine: bool) -> list[Row]:
    """Results newest first; without `routine` only those that are no daily counts."""
    found = records.of_type("Observation", frozenset((patient,)))
    rows = []
    for one in found:
        if routine or not _routine(one):
            method = f", {one['method']['text']}" if "method" in one else ""
            rows.append(Row(name_of(one["code"]) + method, _value(one), _when(one), one["status"]))
    return _newest(rows, len(rows))


def chart_view(records: Records, patient: str) -> ChartView:
    """The summary of one chart."""
    mine = frozenset((patient,))
    problems = [
        Row(name_of(one["code"]), name_of(one.get("clinicalStatus")), _when(one))
        for one in records.of_type("Condition", mine)
    ]
    procedures = [
        Row(name_of(one["code"]), "", _when(one), one["status"]) for one in records.of_type("Procedure", mine)
    ]
    for one in records.of_type("MedicationAdministration", mine):
        procedures.append(Row(f"{_drug(records, one)}, given", "", _when(one), one["status"]))
    reports = [
        Row(name_of(one["code"]), _text(one), _when(one), one["status"])
        for one in records.of_type("DiagnosticReport", mine)
    ]
    medications = [
        Row(name_of(one.get("medicationCodeableConcept")), "", _when(one), one["status"])
        for one in records.of_type("MedicationRequest", mine)
        if not one["id"].startswith("draft-")
    ]
    imaging = [row for row in reports if row.what.startswith(_IMAGING)]
    return ChartView(
        problems=_newest(problems, 8),
        procedures=_once(procedures, 8),
        results=_once(result_rows(records, patient, routine=False), 8),
        reports=_newest([row for row in reports if row not in imaging], 3),
        imaging=_newest(imaging, 5),
        medications=_newest(medications, 8),
    )
