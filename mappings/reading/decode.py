"""Bytes to resources: one typed pass for the whole body, and entry by entry where something does not fit.

Both roads give the same facts; the second one repairs or sets aside a misfit alone, so that dirt in one entry
never takes its neighbours with it (hazard H-11).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import Raw, Struct

from mappings.facts import Remark, SourceRef
from mappings.reading.guard import BadBody, check_body
from mappings.reading.misfits import misfit_remark, save_concept
from mappings.reading.wire import NOTHING, Entry, HookRequest, Reference, Resource, decoder

_CONCEPTS = frozenset({"code", "medicationCodeableConcept", "vaccineCode"})
_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)


@dataclass(frozen=True, slots=True)
class ReadNote:
    """How a read of one key ended for its type: `complete`, `incomplete` or `not-seen`, and why (H-08, H-09)."""

    type: str
    state: str
    reason: str = ""


@dataclass(slots=True)
class Decoded:
    """A decoded input: the request's envelope where it was one, and resources by the key or place they came in.

    `fetched` says of keys that were read from a server how that ended; it goes before what their content looks like.
    """

    keys: dict[str, Resource | None] = field(default_factory=dict)
    request: HookRequest | None = None
    remarks: list[Remark] = field(default_factory=list)
    repaired: int = 0
    fetched: dict[str, ReadNote] = field(default_factory=dict)


class _Envelope(Struct):
    hook: Any = None
    hookInstance: Any = None  # noqa: N815
    context: Raw = NOTHING
    fhirServer: Any = None  # noqa: N815
    fhirAuthorization: Raw = NOTHING  # noqa: N815
    prefetch: Raw = NOTHING
    extension: Raw = NOTHING


def decode_request(body: bytes) -> Decoded:
    """Decodes a CDS Hooks request; raises `BadBody` only where the envelope itself is unusable."""
    check_body(body)
    return _decode_checked(body)


def _decode_checked(body: bytes) -> Decoded:
    try:
        request = decoder(HookRequest).decode(body)
    except _FAULTS:
        return _decode_request_slowly(body)
    return Decoded(keys=request.prefetch or {}, request=request)


def _decode_request_slowly(body: bytes) -> Decoded:
    try:
        envelope = decoder(_Envelope).decode(body)
    except _FAULTS as error:
        raise BadBody("not-json", "the body is not a JSON object") from error
    for name in ("hook", "hookInstance", "fhirServer"):
        value = getattr(envelope, name)
        if value is not None and not isinstance(value, str):
            raise BadBody("wrong-type", "must be a string", name)
    decoded = Decoded(
        request=HookRequest(
            hook=envelope.hook,
            hookInstance=envelope.hookInstance,
            context=envelope.context,
            fhirServer=envelope.fhirServer,
            fhirAuthorization=envelope.fhirAuthorization,
            extension=envelope.extension,
        )
    )
    if envelope.prefetch and bytes(envelope.prefetch).strip() != b"null":
        try:
            prefetch = decoder(dict[str, Raw]).decode(envelope.prefetch)
        except _FAULTS as error:
            raise BadBody("wrong-type", "must be an object", "prefetch") from error
        for key, raw in prefetch.items():
            decoded.keys[key] = decode_tolerantly(raw, key, decoded)
    return decoded


class _RawBundle(Struct):
    resourceType: Any = None  # noqa: N815
    entry: Raw = NOTHING


def decode_tolerantly(raw: Raw | bytes, place: str, decoded: Decoded) -> Resource | None:
    """Decodes one value that may be a resource or a Bundle, repairing misfits entry by entry."""
    try:
        value: Resource | None = decoder(Resource | None).decode(raw)
        return value
    except _FAULTS:
        pass
    try:
        bundle = decoder(_RawBundle).decode(raw)
    except _FAULTS:
        _unreadable(place, decoded)
        return Resource(resourceType="Unreadable")
    if bundle.resourceType != "Bundle":
        return _repair(raw, place, decoded)
    known = len(decoded.remarks)
    head = _repair(raw, place, decoded, leave_out="entry") or Resource(resourceType="Bundle")
    # a member that did not fit may have said that there is more: what stands for it keeps the set incomplete
    lost = [_lost()] if len(decoded.remarks) > known else []
    present = bundle.entry and bytes(bundle.entry).strip() != b"null"
    head.entry = [*(_entries(bundle.entry, place, decoded) if present else ()), *lost]
    return head


def _lost() -> Entry:
    """What stands for an entry or member that could not be read."""
    return Entry(resource=Resource(resourceType="Unreadable"))


def _entries(raw: Raw, place: str, decoded: Decoded) -> Iterator[Entry]:
    try:
        items = decoder(list[Raw]).decode(raw)
    except _FAULTS:
        _unreadable(f"{place}.entry", decoded)
        yield _lost()
        return
    for number, item in enumerate(items):
        where = f"{place}.entry[{number}]"
        try:
            entry = decoder(Entry | None).decode(item)
        except _FAULTS:
            entry = _repair_entry(item, where, decoded)
        if entry is None:  # named without its number, which says nothing and changes with the order
            _unreadable(f"{place}.entry", decoded)
        yield entry or _lost()


class _RawEntry(Struct):
    resource: Raw = NOTHING
    fullUrl: Any = None  # noqa: N815
    search: Any = None


def _repair_entry(raw: Raw, where: str, decoded: Decoded) -> Entry | None:
    try:
        entry = decoder(_RawEntry).decode(raw)
    except _FAULTS:
        _unreadable(where, decoded)
        return _lost()
    resource = decode_tolerantly(entry.resource, f"{where}.resource", decoded) if entry.resource else None
    full_url = entry.fullUrl if isinstance(entry.fullUrl, str) else None
    search = _fit(entry.search, "search", Entry)
    return Entry(resource=resource, fullUrl=full_url, search=search)


def _repair(raw: Raw | bytes, place: str, decoded: Decoded, leave_out: str = "") -> Resource | None:
    """Keeps every element that fits its type; each one that does not becomes a remark and is left out."""
    try:
        untyped = msgspec.json.decode(raw)
    except _FAULTS:
        _unreadable(place, decoded)
        return Resource(resourceType="Unreadable")
    if not isinstance(untyped, dict):
        _unreadable(place, decoded)
        return Resource(resourceType="Unreadable")
    resource = Resource()
    misfits = []
    for info in msgspec.structs.fields(Resource):
        if info.name not in untyped or info.name == leave_out:
            continue
        value = untyped[info.name]
        if info.type is Raw:
            setattr(resource, info.name, msgspec.Raw(msgspec.json.encode(value)))
            continue
        fitted = _fit(value, info.name, Resource)
        if value is not None and (fitted is None or (info.name in _CONCEPTS and not _fits(value, info.type))):
            misfits.append(info.name)
        if fitted is not None:
            setattr(resource, info.name, fitted)
    decoded.repaired += 1
    if misfits:
        kind = resource.resourceType or "resource"
        decoded.remarks.append(misfit_remark(f"{kind}/{resource.id or place}", misfits))
        if set(misfits) & {"status", "subject", "patient", "resourceType"}:
            # what says whose it is or whether it holds is gone: the rest cannot count
            return Resource(resourceType="Unreadable", id=resource.id)
    return resource


def _fit(value: Any, name: str, owner: type[Struct]) -> Any:
    """Converts a value to the field's type, dropping misfit list items and misfit members; None where impossible."""
    kind = {info.name: info.type for info in msgspec.structs.fields(owner)}[name]
    try:
        return msgspec.convert(value, kind)
    except _FAULTS:
        pass
    if name in _CONCEPTS:
        return save_concept(value)
    if isinstance(value, dict) and name in ("subject", "patient") and isinstance(value.get("reference"), str):
        return Reference(
            reference=value["reference"], identifier=Raw(msgspec.json.encode(value.get("identifier")))
        )
    if name == "total" and isinstance(value, float | str):
        return _whole_number(value)
    return None


def _whole_number(value: float | str) -> int | None:
    """The number that a sloppy sender wrote as text or with a decimal point."""
    if isinstance(value, str):
        text = value.strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
    return int(value) if value.is_integer() else None


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except _FAULTS:
        return False
    return True


def _unreadable(place: str, decoded: Decoded) -> None:
    decoded.remarks.append(
        Remark("unread", "is not readable JSON of a FHIR resource", SourceRef(place), code="unreadable")
    )


def decode_chart(body: bytes) -> Decoded:
    """Decodes a chart given as a hook request, any Bundle, one resource, a list of resources or NDJSON lines.

    Raises `BadBody` where the whole is not JSON of one of these forms.
    """
    if len(body) > 0 and not body.strip():
        raise BadBody("not-json", "the file is empty")
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) > 1 and all(
        line.lstrip()[:1] == b"{" and line.rstrip()[-1:] == b"}" for line in lines[:50]
    ):
        return _decode_lines(lines)
    check_body(body)
    start = body.lstrip()[:1]
    if start == b"[":
        return _decode_list(body)
    if start != b"{":
        raise BadBody("not-json", "the file is not JSON")
    try:
        head = decoder(_Envelope).decode(body)
    except _FAULTS as error:
        raise BadBody("not-json", "the file is not JSON") from error
    if head.hook is not None or head.prefetch:
        return _decode_checked(body)
    decoded = Decoded()
    resource = decode_tolerantly(body, "chart", decoded)
    if resource is None or not resource.resourceType:
        raise BadBody("wrong-type", "is neither a hook request nor a FHIR resource", "resourceType")
    decoded.keys["chart"] = resource
    return decoded


def _decode_list(body: bytes) -> Decoded:
    decoded = Decoded()
    try:
        items = decoder(list[Raw]).decode(body)
    except _FAULTS as error:
        raise BadBody("not-json", "the file is not JSON") from error
    _collect(items, decoded)
    return decoded


def _decode_lines(lines: list[bytes]) -> Decoded:
    decoded = Decoded()
    good: list[Raw | bytes] = []
    for number, line in enumerate(lines, 1):
        try:
            check_body(line)
            decoder(Raw).decode(line)
        except (BadBody, *_FAULTS):
            _unreadable(f"line {number}", decoded)
            continue
        good.append(line)
    _collect(good, decoded)
    return decoded


def _collect(items: list[Any], decoded: Decoded) -> None:
    entries = []
    for number, item in enumerate(items):
        resource = decode_tolerantly(item, f"chart[{number}]", decoded)
        if resource is not None:
            entries.append(Entry(resource=resource))
    decoded.keys["chart"] = Resource(resourceType="Bundle", type=Raw(b'"collection"'), entry=entries)
