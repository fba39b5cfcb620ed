"""One hook call from bytes to bytes: decode, check, evaluate, say it in cards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from cds_hooks.cards import build_cards, response_json
from cds_hooks.envelope import check_envelope
from cds_hooks.names import CardNames
from cds_hooks.needs import ESSENTIAL, prefetch_templates
from cds_hooks.outcome import Refusal
from mappings.evaluation import Evaluation, RelapseCategory
from mappings.reading.decode import Decoded, decode_request
from mappings.reading.guard import BadBody

SERVICE_ID = "post-car-t-relapse"
HOOK = "patient-view"

Evaluator = Callable[[Decoded, str, datetime], Evaluation]

_encode = msgspec.json.Encoder().encode
_BAD_BODY_STATUS = {"too-large": 413}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answered call: the response as bytes, and what may be counted of it (closed labels only)."""

    body: bytes
    category: str
    kinds: tuple[str, ...]
    keys: Mapping[str, str] = field(default_factory=dict)
    repaired: int = 0


@dataclass(frozen=True, slots=True)
class RelapseService:
    """The relapse service with what it needs to answer; holds nothing of any patient.

    `as_of` fixes the moment of judgement; None takes the time of the call. `opened` adds the extension to the
    response itself.
    """

    evaluate: Evaluator
    names: CardNames
    source_url: str
    as_of: datetime | None = None
    opened: bool = False

    def answer(self, body: bytes) -> Answer:
        """Answers one request body; raises `Refusal` where no honest answer is possible."""
        decoded = _decoded(body)
        context = check_envelope(body, decoded, {HOOK})
        _check_patient(decoded, context.patientId)
        moment = self.as_of if self.as_of is not None else datetime.now(UTC)
        evaluation = self.evaluate(decoded, context.patientId, moment)
        _check_essentials(evaluation)
        cards = build_cards(evaluation, self.names)
        return Answer(
            body=_encode(response_json(evaluation, cards, self.source_url, self.opened)),
            category=evaluation.assessment.category.value,
            kinds=tuple(card.kind for card in cards),
            keys={seen.type: seen.state for seen in evaluation.facts.seen},
            repaired=decoded.repaired,
        )


def _decoded(body: bytes) -> Decoded:
    try:
        return decode_request(body)
    except BadBody as fault:
        raise Refusal(_BAD_BODY_STATUS.get(fault.code, 400), fault.code, str(fault), fault.field) from fault


def _check_patient(decoded: Decoded, patient_id: str) -> None:
    """Refuses a chart whose Patient is somebody else than the context names (hazard H-01)."""
    for value in decoded.keys.values():
        if value is not None and value.resourceType == "Patient" and value.id != patient_id:
            raise Refusal(
                412,
                "other-patient",
                "the Patient given is not the one of context.patientId",
                "prefetch.patient",
            )


def _check_essentials(evaluation: Evaluation) -> None:
    """412 where nothing can be said; a chart that shows CAR T gets a card with its gaps (rules 11.5)."""
    if evaluation.facts.infusions or evaluation.assessment.category is not RelapseCategory.INSUFFICIENT_DATA:
        return
    states = {seen.type: seen.state for seen in evaluation.facts.seen}
    for group in ESSENTIAL:
        if all(states.get(name, "not-seen") == "not-seen" for name in group):
            raise Refusal(
                412,
                "data-needed",
                f"{' or '.join(group)} was neither given nor can it be fetched",
                "prefetch",
            )


def discovery() -> dict[str, Any]:
    """The discovery answer: one service on patient-view with the prefetch it needs (CDS Hooks 2.0.1)."""
    return {
        "services": [
            {
                "hook": HOOK,
                "id": SERVICE_ID,
                "title": "Relapse after CD19 CAR T",
                "description": (
                    "Reads the chart for relapse after CD19 CAR T-cell therapy, names the relapse category "
                    "and lists salvage options by route. Silent for every other patient. Options, not "
                    "orders; for health professionals; not for emergencies."
                ),
                "prefetch": prefetch_templates(),
                "usageRequirements": (
                    "Prefetch of Condition and of Procedure or MedicationAdministration, otherwise 412. "
                    "Without Observation and DiagnosticReport the antigen state stays unknown."
                ),
            }
        ]
    }
