"""What an order would give, read from its name: treatment, collection for CAR T, plan for a transplant, test.

Codes and texts are recognised with the same value sets as the chart. Reason and instruction of an order are not its
name. An order that is over, or that says not to do it, is no order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec import Raw

from mappings.facts import Antigen
from mappings.loading import Concept
from mappings.orders import DraftOrder, OrderRole
from mappings.reading import when, wire
from mappings.reading.car_t_act import act_of, says_infused
from mappings.reading.chart import make_hit, reference_key
from mappings.reading.denial import Names
from mappings.reading.recognise import Recogniser, label_of, texts_of
from mappings.reading.vocabulary import Vocabulary, WordList
from mappings.reading.wire import NOTHING, Resource

if TYPE_CHECKING:
    from mappings.loading import Knowledge

_ENDED = frozenset({"cancelled", "entered-in-error", "stopped", "revoked"})
_CAR_T = ("car-t-product", "car-t-target-known", "car-t-administration")
_GIVES = ("therapy", "transplant", "radiotherapy", *_CAR_T)
_TESTS = ("antigen-observation", "immunophenotype-report")


class More(wire.Struct, gc=False):
    """Elements of an order that a chart's reading does not need."""

    doNotPerform: Raw = NOTHING  # noqa: N815
    orderDetail: Raw = NOTHING  # noqa: N815
    ingredient: Raw = NOTHING


class _Ingredient(wire.Struct, gc=False):
    itemCodeableConcept: wire.Concept | None = None  # noqa: N815


@dataclass(frozen=True, slots=True)
class Given:
    """One resource of a Bundle with the elements beyond the common shape, and the address it came under."""

    resource: Resource
    more: More
    url: str = ""

    @property
    def reference(self) -> str:
        return f"{self.resource.resourceType}/{self.resource.id or '?'}"


class OrderReader:
    """Recognises orders with one knowledge; holds the recogniser's bounded memos and no patient."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._recogniser = Recogniser(knowledge)
        self._vocabulary = Vocabulary(knowledge.lexicon["chart"])
        words = knowledge.orders.words
        self._testing = WordList(words.testing)
        self._biopsy = WordList(words.biopsy)
        self._not_collection = WordList(words.not_collection)

    def says_nothing(self, given: Given) -> bool:
        """Whether a medicine of the chart names nothing that is known; the quick way past a long list of them."""
        name = given.resource.medicationCodeableConcept
        if given.resource.resourceType != "MedicationRequest" or name is None:
            return False
        return not _gives(self._recogniser.concepts(name))

    def order(
        self, given: Given, patient_id: str, medications: Mapping[str, Given], selected: bool
    ) -> DraftOrder | None:
        """One order; None for what is no order of a treatment or service, is over, or says not to do it."""
        resource = given.resource
        kind = resource.resourceType or ""
        status = (resource.status or "").strip().lower()
        if kind not in ("MedicationRequest", "ServiceRequest", "Procedure") or status in _ENDED:
            return None
        if wire.peek(given.more.doNotPerform, bool) is True:
            return None
        owner = reference_key(resource.subject.reference) if resource.subject is not None else ""
        stranger = bool(patient_id) and owner.startswith("Patient/") and owner != f"Patient/{patient_id}"
        if stranger:
            return DraftOrder(given.reference, kind, "", selected=selected, problem="other-patient")
        named = self._named(given, medications)
        label = next((text for text in map(label_of, named) if text), "")
        if kind == "MedicationRequest" and not label:
            return DraftOrder(given.reference, kind, "", status=status, selected=selected, problem="no-drug")
        concepts = tuple(dict.fromkeys(c for one in named for c in self._recogniser.concepts(one)))
        texts = tuple(dict.fromkeys(text for one in named for text in texts_of(one)))
        if kind == "MedicationRequest":
            role, gives = self._medicine(concepts, texts)
        else:
            role, gives = self._service(resource, named, concepts, texts)
        joined = " ; ".join(texts)
        return DraftOrder(
            reference=given.reference,
            resource=kind,
            label=label,
            role=role,
            concepts=gives,
            status=status,
            selected=selected,
            authored=when.date_at(resource.authoredOn),
            antigens=self._antigens(joined, concepts) if kind == "ServiceRequest" else (),
            biopsy=kind == "ServiceRequest" and self._is_biopsy(joined),
        )

    def _named(self, given: Given, medications: Mapping[str, Given]) -> list[wire.Concept]:
        """The names of what is ordered: codes and texts, a Medication by reference, details of a service."""
        resource = given.resource
        if resource.resourceType != "MedicationRequest":
            details = wire.peek_list(given.more.orderDetail, wire.Concept)
            return [one for one in (resource.code, *details) if one is not None]
        if resource.medicationCodeableConcept is not None:
            return [resource.medicationCodeableConcept]
        reference = wire.peek(resource.medicationReference, wire.Reference)
        if reference is None:
            return []
        found = _contained(resource, reference.reference) or medications.get(
            reference_key(reference.reference)
        )
        named: list[wire.Concept] = []
        if found is not None:
            parts = wire.peek_list(found.more.ingredient, _Ingredient)
            named = [c for c in (found.resource.code, *(p.itemCodeableConcept for p in parts)) if c]
        if not named and reference.display:
            named = [wire.Concept(text=reference.display)]
        return named

    def _medicine(
        self, concepts: tuple[Concept, ...], texts: tuple[str, ...]
    ) -> tuple[OrderRole, tuple[Concept, ...]]:
        gives = _gives(concepts)
        if not gives:
            gives = self._directed_at(texts)
        return (OrderRole.TREATMENT, gives) if gives else (OrderRole.OTHER, ())

    def _directed_at(self, texts: tuple[str, ...]) -> tuple[Concept, ...]:
        """A drug that no concept knows but whose name tells its target, such as a study antibody against CD19."""
        text = " ; ".join(texts)
        targets = self._vocabulary.car_t.targets(text)
        if not targets:
            return ()
        if self._vocabulary.car_t.cells.any_in(text):
            attributes: dict[str, Any] = {"targets": targets, "car": True}
            return (Concept("car-t-study", "car-t-target-known", texts[0], "", attributes),)
        attributes = {"classes": tuple(f"{target.lower()}-directed" for target in targets)}
        return (Concept(f"directed-at-{'-'.join(targets).lower()}", "therapy", texts[0], "", attributes),)

    def _service(
        self,
        resource: Resource,
        named: list[wire.Concept],
        concepts: tuple[Concept, ...],
        texts: tuple[str, ...],
    ) -> tuple[OrderRole, tuple[Concept, ...]]:
        coded = _gives([c for one in named for c in self._recogniser.coded(one)])
        if coded:
            return OrderRole.TREATMENT, coded
        joined = " ; ".join(texts)
        names = Names(self._vocabulary)
        if names.denied(texts) or names.are("history", texts) or names.are("family", texts):
            return OrderRole.OTHER, ()
        kinds = {concept.kind for concept in concepts}
        if "car-t-not-infusion" in kinds and not self._not_collection.any_in(joined):
            return OrderRole.COLLECTION, ()
        if any(c.id == "transplant-plan" for c in concepts) and "auto" not in joined.lower():
            return OrderRole.TRANSPLANT_PLAN, ()
        gives = _gives(concepts)
        if self._says_given(gives, texts):
            return OrderRole.TREATMENT, gives
        if kinds & set(_TESTS) or self._biopsy.any_in(joined) or self._testing.any_in(joined):
            return OrderRole.TESTING, ()
        if not gives or names.are("doubt", texts):
            return OrderRole.OTHER, ()
        if any(c.kind in _CAR_T for c in gives):
            hit = make_hit(resource, concepts)
            if act_of(hit, self._recogniser, self._vocabulary) != "infusion":
                return OrderRole.OTHER, ()
        return OrderRole.TREATMENT, gives

    def _says_given(self, gives: tuple[Concept, ...], texts: tuple[str, ...]) -> bool:
        """Whether the words say that the treatment is to be given, whatever test or visit they name beside it."""
        words = self._vocabulary.car_t
        if any(concept.kind in _CAR_T for concept in gives):
            return any(says_infused(text, self._recogniser, words) for text in texts)
        return bool(gives) and any(words.infusion.any_in(text) for text in texts)

    def _antigens(self, text: str, concepts: tuple[Concept, ...]) -> tuple[str, ...]:
        """The antigens a test order names; a blood count of B cells is no test of the tumour (rules 4)."""
        if any(c.text("use_class") in ("lymphocyte_subset", "not_relevant") for c in concepts):
            return ()
        said = {one for one in self._vocabulary.car_t.targets(text) if one in set(Antigen)}
        coded = {c.text("antigen") for c in concepts if c.kind == "antigen-observation"}
        return tuple(sorted(said | (coded & set(Antigen))))

    def _is_biopsy(self, text: str) -> bool:
        return self._biopsy.any_in(text) and not self._vocabulary.names_other_cancer(text)


def _gives(concepts: Iterable[Concept]) -> tuple[Concept, ...]:
    return tuple(dict.fromkeys(c for c in concepts if c.kind in _GIVES))


def _contained(holder: Resource, reference: str | None) -> Given | None:
    """The resource inside an order that a `#id` points to."""
    if not reference or not reference.startswith("#"):
        return None
    for raw in wire.peek_list(holder.contained, Raw):
        inner = wire.peek(raw, Resource)
        if inner is not None and inner.id in (reference, reference[1:]):
            return Given(inner, wire.peek(raw, More) or More())
    return None
