"""Draft orders of the invented patient and what the order rules make of them."""

# ruff: noqa: A002  (`id` is the name of the FHIR element)

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from builders import PATIENT, Resource, body, concept, knowledge, prefetch

from cds_hooks.names import CardNames, card_names
from cds_hooks.order_cards import OrderCard, order_cards
from mappings.deciding.orders import check_orders
from mappings.evaluation import Evaluation
from mappings.loading import Knowledge
from mappings.orders import DraftOrder, OrderFinding
from mappings.reading.decode import decode_request
from mappings.reading.orders import read_drafts, read_open_orders

_NUMBER = count(1)


def names() -> CardNames:
    """The names cards use, out of the knowledge that ships."""
    return card_names(knowledge())


def drug(name: Resource | str | None = None, id: str | None = None, **elements: Any) -> Resource:
    """A draft MedicationRequest."""
    made: Resource = {
        "resourceType": "MedicationRequest",
        "id": id or f"draft-{next(_NUMBER)}",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": f"Patient/{PATIENT}"},
        **elements,
    }
    if name is not None:
        made["medicationCodeableConcept"] = concept(name) if isinstance(name, str) else name
    return made


def service(name: Resource | str, id: str | None = None, **elements: Any) -> Resource:
    """A draft ServiceRequest."""
    return {
        "resourceType": "ServiceRequest",
        "id": id or f"draft-{next(_NUMBER)}",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": f"Patient/{PATIENT}"},
        "code": concept(name) if isinstance(name, str) else name,
        **elements,
    }


def context(*orders: Resource, **more: Any) -> dict[str, Any]:
    """The context of an order hook around some drafts."""
    entries = [order if "resource" in order else {"resource": order} for order in orders]
    return {
        "userId": "Practitioner/syn",
        "patientId": PATIENT,
        "draftOrders": {"resourceType": "Bundle", "type": "collection", "entry": entries},
        **more,
    }


def drafts(*orders: Resource | str, **more: Any) -> tuple[DraftOrder, ...]:
    """Drafts as they are read; a text is a medicine of that name."""
    made = [drug(order) if isinstance(order, str) else order for order in orders]
    return read_drafts(context(*made, **more), knowledge())


def standing(*resources: Resource) -> tuple[DraftOrder, ...]:
    """The open orders of a chart."""
    return read_open_orders(decode_request(body(prefetch(*resources))), PATIENT, knowledge())


def checked(
    made: Evaluation,
    *orders: Resource | str,
    using: Knowledge | None = None,
    open_orders: Sequence[DraftOrder] = (),
    **more: Any,
) -> tuple[OrderFinding, ...]:
    """The findings on some drafts."""
    return check_orders(made, drafts(*orders, **more), using or knowledge(), open_orders)


def rules(made: Evaluation, *orders: Resource | str, **more: Any) -> set[str]:
    """The ids of the rules that spoke."""
    return {finding.rule for finding in checked(made, *orders, **more)}


def cards(made: Evaluation, *orders: Resource | str, **more: Any) -> tuple[OrderCard, ...]:
    """The cards on some drafts."""
    read = drafts(*orders, **more)
    return order_cards(made, check_orders(made, read, knowledge()), names(), read)
