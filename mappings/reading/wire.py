"""The shapes a chart is decoded into: one wide struct that holds only what is read, the rest as undecoded bytes.

Sources: FHIR R4 resource definitions; CDS Hooks 2.0.1 "HTTP Request". A struct field of type `Raw` costs no
Python objects until a reader asks for it, and only resources that are recognised are ever asked.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import Raw as Raw
from msgspec import Struct as Struct

T = TypeVar("T")
NOTHING = Raw()


class Coding(Struct, gc=False, omit_defaults=True):
    """FHIR Coding: the parts that are read."""

    system: str | None = None
    code: str | None = None
    display: str | None = None


class Concept(Struct, gc=False, omit_defaults=True):
    """FHIR CodeableConcept."""

    coding: list[Coding] | None = None
    text: str | None = None


class Reference(Struct, gc=False, omit_defaults=True):
    """FHIR Reference; `type` is not read."""

    reference: str | None = None
    display: str | None = None
    identifier: Raw = NOTHING


class Period(Struct, gc=False, omit_defaults=True):
    """FHIR Period."""

    start: str | None = None
    end: str | None = None


class Quantity(Struct, gc=False, omit_defaults=True):
    """FHIR Quantity; `value` may arrive as a number or, from sloppy senders, as text."""

    value: float | int | str | None = None
    comparator: str | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None


class Range(Struct, gc=False, omit_defaults=True):
    """FHIR Range."""

    low: Quantity | None = None
    high: Quantity | None = None


class Ratio(Struct, gc=False, omit_defaults=True):
    """FHIR Ratio."""

    numerator: Quantity | None = None
    denominator: Quantity | None = None


class Annotation(Struct, gc=False, omit_defaults=True):
    """FHIR Annotation."""

    text: str | None = None
    time: str | None = None


class Attachment(Struct, gc=False, omit_defaults=True):
    """FHIR Attachment."""

    contentType: str | None = None  # noqa: N815  names as on the wire
    data: str | None = None
    title: str | None = None
    url: str | None = None


class Link(Struct, gc=False, omit_defaults=True):
    """Bundle.link."""

    relation: str | None = None
    url: str | None = None


class Search(Struct, gc=False, omit_defaults=True):
    """Bundle.entry.search."""

    mode: str | None = None


class Resource(Struct, gc=False, omit_defaults=True):
    """Any FHIR resource: the common head typed, everything else undecoded (`Raw`)."""

    resourceType: str | None = None  # noqa: N815
    id: str | None = None
    status: str | None = None
    code: Concept | None = None
    medicationCodeableConcept: Concept | None = None  # noqa: N815
    vaccineCode: Concept | None = None  # noqa: N815
    subject: Reference | None = None
    patient: Reference | None = None
    # Bundle
    entry: list[Entry] | None = None
    total: int | None = None
    link: Raw = NOTHING
    type: Raw = NOTHING
    # dates
    effectiveDateTime: str | None = None  # noqa: N815
    effectivePeriod: Raw = NOTHING  # noqa: N815
    effectiveInstant: Raw = NOTHING  # noqa: N815
    issued: Raw = NOTHING
    performedDateTime: Raw = NOTHING  # noqa: N815
    performedPeriod: Raw = NOTHING  # noqa: N815
    performedString: Raw = NOTHING  # noqa: N815
    onsetDateTime: Raw = NOTHING  # noqa: N815
    onsetPeriod: Raw = NOTHING  # noqa: N815
    onsetString: Raw = NOTHING  # noqa: N815
    recordedDate: Raw = NOTHING  # noqa: N815
    abatementDateTime: Raw = NOTHING  # noqa: N815
    authoredOn: Raw = NOTHING  # noqa: N815
    occurrenceDateTime: Raw = NOTHING  # noqa: N815
    date: Raw = NOTHING
    # condition
    clinicalStatus: Raw = NOTHING  # noqa: N815
    verificationStatus: Raw = NOTHING  # noqa: N815
    category: Raw = NOTHING
    # observation
    valueQuantity: Raw = NOTHING  # noqa: N815
    valueCodeableConcept: Raw = NOTHING  # noqa: N815
    valueString: Raw = NOTHING  # noqa: N815
    valueInteger: Raw = NOTHING  # noqa: N815
    valueBoolean: Raw = NOTHING  # noqa: N815
    valueRange: Raw = NOTHING  # noqa: N815
    valueRatio: Raw = NOTHING  # noqa: N815
    valueDateTime: Raw = NOTHING  # noqa: N815
    dataAbsentReason: Raw = NOTHING  # noqa: N815
    interpretation: Raw = NOTHING
    note: Raw = NOTHING
    component: Raw = NOTHING
    hasMember: Raw = NOTHING  # noqa: N815
    derivedFrom: Raw = NOTHING  # noqa: N815
    specimen: Raw = NOTHING
    method: Raw = NOTHING
    focus: Raw = NOTHING
    bodySite: Raw = NOTHING  # noqa: N815
    # report, document
    conclusion: Raw = NOTHING
    conclusionCode: Raw = NOTHING  # noqa: N815
    presentedForm: Raw = NOTHING  # noqa: N815
    result: Raw = NOTHING
    content: Raw = NOTHING
    description: Raw = NOTHING
    # specimen
    collection: Raw = NOTHING
    receivedTime: Raw = NOTHING  # noqa: N815
    accessionIdentifier: Raw = NOTHING  # noqa: N815
    # medication
    medicationReference: Raw = NOTHING  # noqa: N815
    intent: Raw = NOTHING
    doNotPerform: Raw = NOTHING  # noqa: N815
    # procedure
    reasonCode: Raw = NOTHING  # noqa: N815
    outcome: Raw = NOTHING
    stage: Raw = NOTHING
    # patient
    birthDate: Raw = NOTHING  # noqa: N815
    gender: Raw = NOTHING
    deceasedBoolean: Raw = NOTHING  # noqa: N815
    deceasedDateTime: Raw = NOTHING  # noqa: N815
    name: Raw = NOTHING
    identifier: Raw = NOTHING
    # outcome
    issue: Raw = NOTHING
    contained: Raw = NOTHING
    meta: Raw = NOTHING


class Entry(Struct, gc=False, omit_defaults=True):
    """Bundle.entry."""

    resource: Resource | None = None
    fullUrl: str | None = None  # noqa: N815
    search: Search | None = None


class HookRequest(Struct, gc=False, omit_defaults=True):
    """A CDS Hooks request; the envelope is also checked against its JSON Schema at the web edge."""

    hook: str | None = None
    hookInstance: str | None = None  # noqa: N815
    context: Raw = NOTHING
    fhirServer: str | None = None  # noqa: N815
    fhirAuthorization: Raw = NOTHING  # noqa: N815
    prefetch: dict[str, Resource | None] | None = None
    extension: Raw = NOTHING


@cache
def decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """One decoder per type, made once."""
    return msgspec.json.Decoder(kind)


@cache
def _optional(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind | None)


def peek(raw: Raw, kind: type[T]) -> T | None:
    """Decodes an undecoded element as `kind`; None where it is absent or of another shape (reading never raises)."""
    if not raw:
        return None
    try:
        value: T | None = _optional(kind).decode(raw)  # type: ignore[arg-type]  # a class is hashable
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return None
    return value


def peek_list(raw: Raw, kind: type[T]) -> list[T]:
    """Decodes an undecoded array item by item, leaving out items of another shape; a single item counts as one."""
    if not raw:
        return []
    whole = peek(raw, list[kind])  # type: ignore[valid-type]
    if whole is not None:
        return [item for item in whole if item is not None]
    items = peek(raw, list[Raw])
    if items is None:
        items = [raw]
    return [item for item in (peek(one, kind) for one in items) if item is not None]


def peek_links(raw: Raw) -> tuple[list[Link], bool]:
    """Bundle.link with relations in small letters, and whether all of it could be read: a lost one may be `next`."""
    links = peek_list(raw, Link)
    for link in links:
        link.relation = (link.relation or "").strip().lower()
    if not raw or bytes(raw).strip() == b"null":
        return links, True
    items = peek(raw, list[Raw])
    return links, items is not None and len(items) == len(links)
