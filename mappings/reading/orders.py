"""Orders somebody is about to place, out of a hook's context, and those a chart holds open (CDS Hooks order hooks).

Entries are decoded one by one: what is unreadable or belongs to another patient is named and takes nothing with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

from mappings.loading.same import SameKnowledge
from mappings.orders import DraftOrder, OrderRole
from mappings.reading import wire
from mappings.reading.chart import Chart, reference_key
from mappings.reading.decode import Decoded, decode_tolerantly
from mappings.reading.guard import BadBody
from mappings.reading.order_given import Given, Medications, More
from mappings.reading.order_names import OrderReader, Owned
from mappings.reading.owner import Owners, find_patient, own_references, own_server
from mappings.reading.wire import NOTHING, Resource

if TYPE_CHECKING:
    from mappings.loading import Knowledge

_OPEN = frozenset({"draft", "active", "on-hold", "unknown", ""})
# a procedure on hold or of unknown status may have been done, and is told as such (rules 11.6)
_OPEN_PROCEDURE = frozenset({"preparation"})
_KINDS_OF_CHART = frozenset({"MedicationRequest", "ServiceRequest", "Procedure", "Medication"})
_DEPTH = 4
_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)


class _Context(wire.Struct, gc=False):
    draftOrders: Raw = NOTHING  # noqa: N815  names as on the wire
    selections: Raw = NOTHING
    patientId: Raw = NOTHING  # noqa: N815


class _Bundle(wire.Struct, gc=False):
    entry: Raw = NOTHING


class _Entry(wire.Struct, gc=False):
    fullUrl: Raw = NOTHING  # noqa: N815
    resource: Raw = NOTHING


def read_drafts(
    raw_context: bytes | Raw | Mapping[str, Any], knowledge: Knowledge, chart: Decoded | None = None
) -> tuple[DraftOrder, ...]:
    """The orders of a hook's context, in their order, with what is selected marked (order-select, order-sign 1.0).

    `chart` holds the Medications that orders may point to, and tells which references are this patient's.
    Orders for another patient, without a drug or unreadable come with their `problem`. Raises `BadBody` where
    `draftOrders` is no Bundle. Without `selections` every order counts as selected.
    """
    raw = msgspec.json.encode(raw_context) if isinstance(raw_context, Mapping) else bytes(raw_context)
    try:
        context = wire.decoder(_Context).decode(raw)
    except _FAULTS as error:
        raise BadBody("wrong-type", "must be an object", "context") from error
    given, unreadable = _entries_of(context.draftOrders)
    selections = {reference_key(one) for one in wire.peek_list(context.selections, str)}
    held = _given_of(chart) if chart is not None else []
    owned = _owned(chart or Decoded(), wire.peek(context.patientId, str) or "", (*held, *given))
    reader = _reader(SameKnowledge(knowledge))
    medications = Medications(own_server(chart or Decoded()), given, held)
    drafts = [
        order
        for one in given
        if (order := reader.order(one, owned, medications, _is_selected(one, selections))) is not None
    ]
    return (*drafts, *(DraftOrder(place, "", "", problem="unreadable") for place in unreadable))


def medications_pointed_to(raw_context: bytes | Raw) -> tuple[wire.Reference, ...]:
    """The references by which draft orders name their drug and that the drafts do not resolve themselves."""
    context = wire.peek(Raw(bytes(raw_context)), _Context)
    try:
        given, _ = _entries_of(context.draftOrders) if context is not None else ([], [])
    except BadBody:
        return ()
    held = Medications("", given)
    references = (wire.peek(one.resource.medicationReference, wire.Reference) for one in given)
    return tuple(one for one in references if one is not None and not held.find(one.reference))


def read_open_orders(decoded: Decoded, patient_id: str, knowledge: Knowledge) -> tuple[DraftOrder, ...]:
    """Open orders of the chart that an order rule or a suggestion has to know: never those of another patient."""
    given = _given_of(decoded)
    reader = _reader(SameKnowledge(knowledge))
    medications = Medications(own_server(decoded), given)
    owned = _owned(decoded, patient_id, given)
    found = []
    for one in given:
        status = (one.resource.status or "").strip().lower()
        open_ = _OPEN_PROCEDURE if one.resource.resourceType == "Procedure" else _OPEN
        if status not in open_ or reader.says_nothing(one):
            continue
        order = reader.order(one, owned, medications, False)
        if order is not None and not order.problem and order.role is not OrderRole.OTHER:
            found.append(order)
    return tuple(sorted(found, key=lambda order: (order.reference, order.label)))


def _given_of(decoded: Decoded) -> list[Given]:
    nothing = More()
    return [
        Given(resource, nothing, url)
        for resource, url in _walk(decoded)
        if resource.resourceType in _KINDS_OF_CHART
    ]


def _owned(decoded: Decoded, patient_id: str, given: Iterable[Given]) -> Owned:
    """Whose a resource is, by the same judgement as for the chart; without a patient everything is taken (H-01)."""
    if not patient_id:
        return lambda resource: None
    everything: list[tuple[Resource, str | None]] = [(one.resource, one.url) for one in given]
    patients = [placed for placed in _walk(decoded) if placed[0].resourceType == "Patient"]
    chart = Chart(patient_id=patient_id)
    chart.patient = find_patient(patients, patient_id, chart)
    return Owners(decoded, everything, own_references(chart, patients), chart).of


def _entries_of(raw: Raw) -> tuple[list[Given], list[str]]:
    """The resources of a Bundle, or of a bare list, and the places of those that could not be read."""
    items: list[Any] | None = None
    start = bytes(raw).lstrip()[:1]
    if start == b"{":
        bundle = wire.peek(raw, _Bundle)
        items = wire.peek(bundle.entry, list[Raw]) if bundle is not None and bundle.entry else []
    elif start == b"[":
        items = wire.peek(raw, list[Raw])
    if items is None:
        raise BadBody("wrong-type", "must be a Bundle", "context.draftOrders")
    given: list[Given] = []
    unreadable: list[str] = []
    for number, item in enumerate(items):
        place = f"context.draftOrders.entry[{number}]"
        entry = wire.peek(item, _Entry)
        held = entry.resource if entry is not None and entry.resource else item
        resource = decode_tolerantly(held, place, Decoded())
        if resource is None or not resource.resourceType or resource.resourceType == "Unreadable":
            unreadable.append(place)
            continue
        url = (wire.peek(entry.fullUrl, str) or "") if entry is not None else ""
        given.append(Given(resource, wire.peek(held, More) or More(), url))
    return given, unreadable


def _walk(decoded: Decoded) -> Iterator[tuple[Resource, str]]:
    for value in decoded.keys.values():
        if value is not None:
            yield from _flatten(value, "", 0)


def _flatten(value: Resource, url: str, depth: int) -> Iterator[tuple[Resource, str]]:
    if value.resourceType != "Bundle":
        yield value, url
        return
    for entry in value.entry or ():
        if entry.resource is not None and depth < _DEPTH:
            yield from _flatten(entry.resource, entry.fullUrl or "", depth + 1)


def _is_selected(one: Given, selections: set[str]) -> bool:
    return not selections or one.reference in selections or (bool(one.url) and one.url in selections)


@lru_cache(maxsize=32)
def _reader(knowledge: SameKnowledge) -> OrderReader:
    """One reader per knowledge, so that recognition is memoised across calls."""
    return OrderReader(knowledge.value)
