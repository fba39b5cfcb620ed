"""One order before one rule: the patient's data that order criteria look at, and the words they put on a card.

Sources: rules 7 (PD-1 and transplant), 11.5, 11.7, 11.10, 11.11, 11.12.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mappings.dates import ClinicalDate, before
from mappings.deciding.gaps import SILENT
from mappings.evaluation import Assessment, Evaluation, Outcome
from mappings.facts import CarTInfusion, PriorTherapy, SourceRef
from mappings.loading import Concept, Knowledge
from mappings.orders import DraftOrder, OrderRole

NO_DATE = "date not known"
_WORDS_OF_TYPES = {
    "Condition": "problem list",
    "Procedure": "procedures",
    "MedicationAdministration": "administrations",
    "Observation": "results",
    "DiagnosticReport": "reports",
}
_ENDED = frozenset({"completed", "stopped", "revoked", "cancelled", "entered-in-error"})


@dataclass(frozen=True, slots=True)
class Found:
    """What a criterion found: the words for the placeholders of its rule, and where they stand in the chart."""

    fills: tuple[tuple[str, str], ...] = ()
    sources: tuple[SourceRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One patient's evaluation with the orders of the moment; the same for every rule."""

    evaluation: Evaluation
    knowledge: Knowledge
    drafts: tuple[DraftOrder, ...]
    open_orders: tuple[DraftOrder, ...]

    @property
    def assessment(self) -> Assessment:
        """Category, axes and trail."""
        return self.evaluation.assessment

    @property
    def in_relapse_scope(self) -> bool:
        """Whether the chart was read for what options ask about: a relapse, or data that do not answer that."""
        return self.assessment.category not in SILENT or self.assessment.branch is not None

    def after_car_t(self) -> Outcome:
        """Whether this patient has had CAR T that is or may be CD19-directed; FAILS is silence (rules 11.7, 11.8)."""
        trail = {step.criterion: step.outcome for step in self.assessment.trail}
        if Outcome.HOLDS is trail.get("deceased") or trail.get("lymphoid-malignancy") is Outcome.FAILS:
            return Outcome.FAILS
        answer = trail.get("cd19-car-t", Outcome.UNKNOWN)
        if answer is Outcome.UNKNOWN and self.target_open:
            return Outcome.HOLDS
        return answer

    def not_read(self, types: Iterable[str]) -> tuple[str, ...]:
        """Which of these types were not read in full, in words of a clinician (rules 11.5)."""
        seen = {row.type: row.state for row in self.evaluation.facts.seen}
        return tuple(_WORDS_OF_TYPES.get(kind, kind) for kind in types if seen.get(kind) != "complete")

    @property
    def target_open(self) -> bool:
        """Whether CAR T is on record without its target (rules 11.7)."""
        return self.assessment.anchor is None and any(not i.targets for i in self.evaluation.facts.infusions)

    def collections(self) -> list[DraftOrder]:
        """Orders for CAR T or a collection for it, still to be done: drafts, and open ones since the last infusion."""
        return [o for o in self._standing() if o.role is OrderRole.COLLECTION or _names_car(o)]

    def transplant_orders(self) -> list[DraftOrder]:
        """Orders or plans for a transplant that is or may be allogeneic."""
        return [o for o in self._standing() if o.role is OrderRole.TRANSPLANT_PLAN or _names_transplant(o)]

    def ordered_transplants(self) -> list[PriorTherapy]:
        """Allogeneic transplants that the chart holds as ordered and not yet given."""
        rows = self.evaluation.facts.therapies
        return [t for t in rows if not t.administered and "allo" in t.classes and t.status not in _ENDED]

    def _standing(self) -> Iterable[DraftOrder]:
        anchor = self.assessment.anchor
        yield from self.drafts
        for order in self.open_orders:
            if not _is_of_the_past(order, anchor):
                yield order


def _is_of_the_past(order: DraftOrder, anchor: CarTInfusion | None) -> bool:
    """Whether an order left open was written, or a procedure was for a day, before the last infusion."""
    if anchor is None or anchor.last is None or order.authored is None:
        return False
    return before(order.authored, anchor.last) is True or order.authored.last <= anchor.last.last


def _names_car(order: DraftOrder) -> bool:
    return order.role is OrderRole.TREATMENT and any(is_car(c) for c in order.concepts)


def is_car(concept: Concept) -> bool:
    """Whether a concept stands for CAR T cells that are given."""
    if concept.kind == "car-t-administration":
        return True
    return concept.kind in ("car-t-product", "car-t-target-known") and concept.flag("car")


def _names_transplant(order: DraftOrder) -> bool:
    kinds = [c.text("type") for c in order.concepts if c.kind == "transplant"]
    return order.role is OrderRole.TREATMENT and any(kind != "auto" for kind in kinds)


def shown(day: ClinicalDate | None) -> str:
    """A date as people read it, or the words that none is known."""
    return day.display() if day is not None else NO_DATE


def span(therapy: PriorTherapy) -> str:
    """First and last dose of a course as people read them."""
    first, last = shown(therapy.first), shown(therapy.last or therapy.first)
    return first if first == last else f"{first} to {last}"


def planned_words(orders: Sequence[DraftOrder], therapies: Sequence[PriorTherapy] = ()) -> str:
    """Planned things by name, each with where it stands; names of orders are chart text."""
    words = [f"“{o.label}” ({'draft order' if o.status in ('draft', '') else 'open order'})" for o in orders]
    words += [f"{t.label} ordered {shown(t.last)}" for t in therapies]
    return "; ".join(list(dict.fromkeys(words))[:3])
