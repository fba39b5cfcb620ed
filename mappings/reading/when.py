"""When something in a chart happened: the element that counts for each resource type (rules 11.11)."""

from __future__ import annotations

from dataclasses import dataclass

from mappings.dates import ClinicalDate, parse_date
from mappings.reading import wire
from mappings.reading.chart import Chart, resolve
from mappings.reading.wire import Raw, Resource


@dataclass(frozen=True, slots=True)
class When:
    """A date and where it stands; `bound` marks one that is only the latest possible (issued)."""

    date: ClinicalDate
    element: str
    bound: bool = False


def date_at(raw: Raw) -> ClinicalDate | None:
    """A FHIR date element, or None."""
    text = wire.peek(raw, str)
    return parse_date(text) if text else None


def period(raw: Raw) -> ClinicalDate | None:
    """A FHIR Period as one date whose first and last possible day are its ends; one end alone stands for both."""
    value = wire.peek(raw, wire.Period)
    if value is None:
        return None
    start = parse_date(value.start) if value.start else None
    end = parse_date(value.end) if value.end else None
    if start is None or end is None:
        return start or end
    if end.last < start.first:
        return start
    return ClinicalDate(start.text, min(start.precision, end.precision), start.first, end.last)


def performed(resource: Resource) -> ClinicalDate | None:
    """When a Procedure was done; free text gives no date."""
    return date_at(resource.performedDateTime) or _start(resource.performedPeriod)


def _start(raw: Raw) -> ClinicalDate | None:
    value = wire.peek(raw, wire.Period)
    if value is None:
        return None
    return parse_date(value.start or value.end or "")


def effective(resource: Resource) -> ClinicalDate | None:
    """When an Observation, report or administration took place."""
    if resource.effectiveDateTime:
        return parse_date(resource.effectiveDateTime)
    return period(resource.effectivePeriod) or date_at(resource.effectiveInstant)


def given(resource: Resource) -> ClinicalDate | None:
    """When a medication was given or stated to be taken."""
    return effective(resource) or date_at(resource.occurrenceDateTime)


def last_given(resource: Resource) -> ClinicalDate | None:
    """The end of an administration's period, else its only date."""
    value = wire.peek(resource.effectivePeriod, wire.Period)
    if value is not None and value.end:
        return parse_date(value.end)
    return effective(resource)


class _Collection(wire.Struct, gc=False):
    collectedDateTime: str | None = None  # noqa: N815
    collectedPeriod: wire.Period | None = None  # noqa: N815
    bodySite: wire.Concept | None = None  # noqa: N815


def specimens_of(resource: Resource, chart: Chart) -> list[tuple[wire.Reference, Resource | None]]:
    """The specimens a result names, each with its resource where it is in the chart or contained."""
    found = []
    for reference in wire.peek_list(resource.specimen, wire.Reference):
        found.append((reference, resolve(reference.reference, resource, chart)))
    return found


class _Taken(wire.Struct, gc=False):
    collectedDateTime: Raw = wire.NOTHING  # noqa: N815
    collectedPeriod: Raw = wire.NOTHING  # noqa: N815


def _told(raw: Raw) -> bool:
    return bool(raw) and bytes(raw).strip() != b"null"


def unreadable_collection(resource: Resource, chart: Chart) -> bool:
    """Whether a specimen tells when it was taken in a way that cannot be read: then no other date stands in (11.11)."""
    for _, specimen in specimens_of(resource, chart):
        if specimen is None or not _told(specimen.collection):
            continue
        taken = wire.peek(specimen.collection, _Taken)
        if taken is None:
            return True
        if _told(taken.collectedDateTime):
            return date_at(taken.collectedDateTime) is None
        if _told(taken.collectedPeriod):
            return period(taken.collectedPeriod) is None
    return False


def collection(specimen: Resource) -> _Collection | None:
    """Specimen.collection."""
    return wire.peek(specimen.collection, _Collection)


def collected(resource: Resource, chart: Chart) -> When | None:
    """When the specimen of a result was taken: collection before effective before issued (rules 11.11).

    None as well where the collection is told in a way that cannot be read.
    """
    if unreadable_collection(resource, chart):
        return None
    for _, specimen in specimens_of(resource, chart):
        taken = collection(specimen) if specimen is not None else None
        if taken is None:
            continue
        text = taken.collectedDateTime
        if text is None and taken.collectedPeriod is not None:
            text = taken.collectedPeriod.start or taken.collectedPeriod.end
        date = parse_date(text) if text else None
        if date is not None:
            return When(date, "Specimen.collection")
    date = effective(resource)
    if date is not None:
        return When(date, "effective")
    date = date_at(resource.issued)
    return When(date, "issued", bound=True) if date is not None else None
