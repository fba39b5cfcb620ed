"""The cards of one call with what goes beside their words: ids, source, suggestions, the link into the app."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cds_hooks.cards import MAX_CARDS, Card, build_cards, card_json
from cds_hooks.envelope import Context, SignContext
from cds_hooks.facts_digest import facts_digest
from cds_hooks.memory import CardShown
from cds_hooks.names import CardNames
from cds_hooks.order_cards import OrderCard, order_cards
from cds_hooks.suggestions import suggestions_for, with_suggestions
from ehr.app_context import sign_context, smart_link
from mappings.deciding.orders import check_orders
from mappings.evaluation import Evaluation
from mappings.orders import DraftOrder
from mappings.reading.decode import Decoded
from mappings.reading.orders import read_drafts, read_open_orders

if TYPE_CHECKING:
    from ehr.site import Site
    from mappings.loading import Knowledge

Evaluator = Callable[[Decoded, str, datetime], Evaluation]

_LINK_LABEL = "Open the whole evaluation"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one site's charts are judged with: evaluation, names for cards, knowledge (its overlay included).

    `evaluate_orders` reads what orders ask about whatever the category.
    """

    evaluate: Evaluator
    names: CardNames
    knowledge: Knowledge
    evaluate_orders: Evaluator

    def evaluator_for(self, context: Context) -> Evaluator:
        """The evaluation that a hook of this context needs."""
        return self.evaluate_orders if isinstance(context, SignContext) else self.evaluate


@dataclass(frozen=True, slots=True)
class AdvisedCard:
    """One card that is due: its words, its id, what it suggests, and the digest an override of it holds for.

    `facts` is the digest of the facts alone, which the link into the app carries.
    """

    card: Card
    digest: str
    facts: str
    suggestions: tuple[dict[str, Any], ...] = ()
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def kind(self) -> str:
        """The closed label it is counted under."""
        return self.card.kind

    def shown(self) -> CardShown:
        """What the audit keeps of it."""
        return CardShown(self.uuid, self.kind, self.digest, tuple(one["uuid"] for one in self.suggestions))


@dataclass(frozen=True, slots=True)
class Linking:
    """How a card's link into the app is made; without a key no `appContext` goes with it."""

    public_url: str
    context_key: bytes = b""


def advise(
    evaluation: Evaluation,
    judgement: Judgement,
    context: Context,
    decoded: Decoded,
    site: Site | None,
    notes: tuple[str, ...],
) -> tuple[AdvisedCard, ...]:
    """The cards a chart, and on the order hooks the drafts, call for; `notes` say how the chart was read."""
    drafts: tuple[DraftOrder, ...] = ()
    orders: tuple[DraftOrder, ...] | None = None
    cards: tuple[Card, ...]
    if isinstance(context, SignContext):
        drafts = read_drafts(
            decoded.request.context if decoded.request else b"", judgement.knowledge, decoded
        )
        orders = read_open_orders(decoded, context.patientId, judgement.knowledge)
        findings = check_orders(evaluation, drafts, judgement.knowledge, orders)
        digest = facts_digest(evaluation) if findings else ""
        cards = order_cards(evaluation, findings, judgement.names, drafts, notes, digest)
    else:
        cards = build_cards(evaluation, judgement.names, notes)
        digest = facts_digest(evaluation) if cards else ""
    if not cards:
        return ()
    suggested: tuple[dict[str, Any], ...] = ()
    if any(card.suggests for card in cards):
        if orders is None:
            orders = read_open_orders(decoded, context.patientId, judgement.knowledge)
        suggested = _suggested(evaluation, context, decoded, site, (*drafts, *orders), digest)
    return _advised(cards[:MAX_CARDS], digest, suggested)


def _suggested(
    evaluation: Evaluation,
    context: Context,
    decoded: Decoded,
    site: Site | None,
    existing: tuple[DraftOrder, ...],
    digest: str,
) -> tuple[dict[str, Any], ...]:
    """The test that would settle what is open; its uuid is of these facts in this call (2.0.1: used once)."""
    return tuple(
        suggestions_for(
            evaluation,
            context.patientId,
            intent=site.suggestion_intent if site is not None else "order",
            encounter_id=context.encounterId,
            existing=existing,
            call=(decoded.request.hookInstance or "") if decoded.request else "",
            digest=digest,
        )
    )


def _advised(
    cards: tuple[Card, ...], digest: str, suggested: tuple[dict[str, Any], ...]
) -> tuple[AdvisedCard, ...]:
    """The cards with their digests; only the first that may suggest a test does, so that it is offered once (H-49)."""
    first = next((card for card in cards if card.suggests), None)
    return tuple(
        AdvisedCard(
            card,
            card.digest if isinstance(card, OrderCard) else digest,
            digest,
            suggested if card is first else (),
        )
        for card in cards
    )


def cards_as_json(
    advised: tuple[AdvisedCard, ...],
    evaluation: Evaluation,
    linking: Linking,
    site: Site | None,
    patient_id: str,
) -> list[dict[str, Any]]:
    """The cards as CDS Hooks wants them; each is complete without its link and its suggestion (vendors drop both)."""
    made = []
    for one in advised:
        card = card_json(evaluation, one.card, linking.public_url + "/", one.uuid)
        card = with_suggestions(card, list(one.suggestions))
        if site is not None and site.smart is not None:
            card["links"] = [_link(one, linking, site, patient_id)]
        made.append(card)
    return made


def _link(one: AdvisedCard, linking: Linking, site: Site, patient_id: str) -> dict[str, Any]:
    signed = ""
    if linking.context_key:
        signed = sign_context(
            linking.context_key, site.name, patient_id, one.uuid, datetime.now(UTC), facts_digest=one.facts
        )
    return smart_link(linking.public_url, _LINK_LABEL, signed)
