"""What an order would give, read from its name: treatment, collection for CAR T, plan for a transplant, test.

Codes and texts are recognised with the same value sets as the chart. Reason and instruction of an order are not its
name. An order that is over, or that says not to do it, is no order. Names are read up to a length; an order with a
longer one in which nothing was found counts as unreadable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from mappings.dates import ClinicalDate
from mappings.loading import Concept
from mappings.orders import DraftOrder, OrderRole
from mappings.reading import when, wire
from mappings.reading.car_t_act import act_of, says_infused
from mappings.reading.chart import make_hit
from mappings.reading.denial import Names
from mappings.reading.order_given import Given, Medications, contained_in
from mappings.reading.order_regimens import Regimens
from mappings.reading.order_tests import TestWords
from mappings.reading.order_transplant import TransplantNamed, TransplantWords, clauses_of
from mappings.reading.recognise import Recogniser, label_of, texts_of
from mappings.reading.vocabulary import Vocabulary, WordList
from mappings.reading.wire import Resource

if TYPE_CHECKING:
    from mappings.loading import Knowledge

_ENDED = frozenset({"cancelled", "entered-in-error", "stopped", "revoked"})
_CAR_T = ("car-t-product", "car-t-target-known", "car-t-administration")
_GIVES = ("therapy", "transplant", "radiotherapy", *_CAR_T)
_TESTS = ("antigen-observation", "immunophenotype-report")
_FOUND = (OrderRole.TREATMENT, OrderRole.COLLECTION, OrderRole.TRANSPLANT_PLAN)
_JOINED = re.compile(r"\s*[+&]\s*|\s(?:and|with|plus)\s", re.IGNORECASE)
_NAME_LIMIT = 400  # as the recogniser reads names
_NAMES_LIMIT = 40


class _Ingredient(wire.Struct, gc=False):
    itemCodeableConcept: wire.Concept | None = None  # noqa: N815
    itemReference: wire.Reference | None = None  # noqa: N815


Owned = Callable[[Resource], "bool | None"]
"""Tells of a resource whether it is this patient's; None where it does not say."""


class OrderReader:
    """Recognises orders with one knowledge; holds the recogniser's bounded memos and no patient."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._recogniser = Recogniser(knowledge)
        self._vocabulary = Vocabulary(knowledge.lexicon["chart"])
        words, lexicon = knowledge.orders.words, knowledge.lexicon["orders"]
        self._testing = WordList(words.testing)
        self._tests = TestWords(lexicon, words.biopsy, self._vocabulary)
        self._not_collection = WordList(words.not_collection)
        self._regimens = Regimens(lexicon, knowledge.concepts)
        self._transplants = TransplantWords(lexicon["transplant"], self._recogniser)
        self._allogeneic = knowledge.concepts["transplant-allogeneic"]
        self._assay = WordList(lexicon["assay"]["words"])
        collection = lexicon["collection"]
        self._apheresis = WordList(collection["alone"])
        self._collecting = WordList(collection["beside_car_t"])
        self._of_a_sample = WordList((*collection["of_a_sample"], *lexicon["assay"]["words"]))

    def says_nothing(self, given: Given) -> bool:
        """Whether a medicine of the chart names nothing that is known; the quick way past a long list of them."""
        name = given.resource.medicationCodeableConcept
        if given.resource.resourceType != "MedicationRequest" or name is None or not texts_of(name):
            return False
        if _gives(self._recogniser.concepts(name)):
            return False
        return not self._regimens.drugs((text[:_NAME_LIMIT] for text in texts_of(name)), service=False)

    def order(
        self, given: Given, owned: Owned, medications: Medications, selected: bool
    ) -> DraftOrder | None:
        """One order; None for what is no order of a treatment or service, is over, or says not to do it."""
        resource = given.resource
        kind = resource.resourceType or ""
        status = (resource.status or "").strip().lower()
        if kind not in ("MedicationRequest", "ServiceRequest", "Procedure") or status in _ENDED:
            return None
        if wire.peek(resource.doNotPerform, bool) is True:
            return None
        if owned(resource) is False:
            return DraftOrder(given.reference, kind, "", selected=selected, problem="other-patient")
        whole = self._named(given, medications)
        label = next((text for text in map(label_of, whole) if text), "")
        if kind == "MedicationRequest" and not label:
            return DraftOrder(given.reference, kind, "", status=status, selected=selected, problem="no-drug")
        named = [_cut(one) for one in whole[:_NAMES_LIMIT]]
        texts = tuple(dict.fromkeys(text for one in named for text in texts_of(one)))
        concepts = self._concepts(named, texts, service=kind != "MedicationRequest")
        if kind == "MedicationRequest":
            role, gives = self._medicine(concepts, texts)
        else:
            role, gives = self._service(resource, named, concepts, texts)
        if role not in _FOUND and (len(whole) > len(named) or any(map(_is_long, whole))):
            return DraftOrder(
                given.reference, kind, "", status=status, selected=selected, problem="unreadable"
            )
        joined = " ; ".join(texts)
        return DraftOrder(
            reference=given.reference,
            resource=kind,
            label=label[:_NAME_LIMIT],
            role=role,
            concepts=gives,
            status=status,
            selected=selected,
            authored=_day_of(resource),
            antigens=self._tests.antigens(joined, concepts) if kind == "ServiceRequest" else (),
            biopsy=kind == "ServiceRequest" and self._tests.takes_tissue(joined, concepts),
        )

    def _concepts(
        self, named: Iterable[wire.Concept], texts: Sequence[str], *, service: bool
    ) -> tuple[Concept, ...]:
        found = [c for one in named for c in self._recogniser.concepts(one)]
        regimens = self._regimens.drugs(texts, service=service)
        if service and any(concept.kind == "therapy" for concept in found):
            # beside a drug that is named, a short name is a regimen too: "Polivy + BR"
            joined = (part for text in texts for part in _JOINED.split(text)[:_NAMES_LIMIT] if part != text)
            regimens += self._regimens.drugs(joined, service=False)
        return tuple(dict.fromkeys((*found, *regimens)))

    def _named(self, given: Given, medications: Medications) -> list[wire.Concept]:
        """The names of what is ordered: codes and texts, a Medication by reference, details of a service."""
        resource = given.resource
        if resource.resourceType != "MedicationRequest":
            details = wire.peek_list(given.more.orderDetail, wire.Concept)
            return [one for one in (resource.code, *details) if one is not None]
        name = resource.medicationCodeableConcept
        named = [name] if name is not None and label_of(name) else []
        reference = wire.peek(resource.medicationReference, wire.Reference)
        if reference is None:
            return named
        for found in contained_in(resource, reference.reference) or medications.find(reference.reference):
            parts = wire.peek_list(found.more.ingredient, _Ingredient)
            shown = [p.itemReference.display for p in parts if p.itemReference is not None]
            named += [c for c in (found.resource.code, *(p.itemCodeableConcept for p in parts)) if c]
            named += [wire.Concept(text=text) for text in shown if text]
        if reference.display:
            named.append(wire.Concept(text=reference.display))
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
        transplant = self._transplants.read(texts)
        dead = transplant is not None and not transplant.live
        coded = _gives(
            c for one in named for c in self._recogniser.coded(one) if not (dead and c.kind == "transplant")
        )
        if coded:
            return OrderRole.TREATMENT, coded
        about = self._about(texts)
        names = Names(self._vocabulary)
        untrue = names.denied(about) or names.are("history", about) or names.are("family", about)
        joined = " ; ".join(texts)
        kinds = {concept.kind for concept in concepts}
        collects = "car-t-not-infusion" in kinds or self._collects(concepts, texts, joined)
        if collects and not untrue and not self._not_collection.any_in(joined):
            return OrderRole.COLLECTION, ()
        if transplant is not None and transplant.may_be_allogeneic:
            return self._to_transplant(transplant, concepts, joined)
        if untrue:
            return OrderRole.OTHER, ()
        gives = _gives(c for c in concepts if not (dead and c.kind == "transplant"))
        if self._says_given(gives, texts):
            return OrderRole.TREATMENT, gives
        if kinds & set(_TESTS) or self._tests.names_biopsy(joined) or self._asks_a_test(gives, joined):
            return OrderRole.TESTING, ()
        if not gives or names.are("doubt", about):
            return OrderRole.OTHER, ()
        if any(c.kind in _CAR_T for c in gives):
            hit = make_hit(replace(resource, code=_cut(resource.code)), concepts)
            if act_of(hit, self._recogniser, self._vocabulary) != "infusion":
                return OrderRole.OTHER, ()
        return OrderRole.TREATMENT, gives

    def _collects(self, concepts: tuple[Concept, ...], texts: tuple[str, ...], joined: str) -> bool:
        """Whether words name an apheresis of lymphocytes, or the collection or making of a CAR T product."""
        cars = tuple(concept for concept in concepts if concept.kind in _CAR_T)
        if not cars or self._says_given(cars, texts):
            return not cars and self._apheresis.any_in(joined)
        return self._apheresis.any_in(joined) or (
            self._collecting.any_in(joined) and not self._of_a_sample.any_in(joined)
        )

    def _to_transplant(
        self, transplant: TransplantNamed, concepts: tuple[Concept, ...], joined: str
    ) -> tuple[OrderRole, tuple[Concept, ...]]:
        """The transplant itself, a plan of one, or a drug given on the way to one, which then counts with it."""
        ordered = tuple(c for c in concepts if c.kind == "transplant" and c.text("type") != "auto")
        drugs = tuple(c for c in concepts if c.kind == "therapy")
        if drugs and not self._assay.any_in(joined):
            return OrderRole.TREATMENT, (*drugs, *(ordered or (self._allogeneic,)))
        if transplant.planned or not ordered or any(c.id == "transplant-plan" for c in concepts):
            return OrderRole.TRANSPLANT_PLAN, ()
        return OrderRole.TREATMENT, ordered

    def _about(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        """The clauses that name something known; what is denied or past in another clause takes nothing back."""
        about = tuple(
            one
            for one in clauses_of(texts)
            if self._recogniser.text(one) or self._regimens.drugs((one,), service=True)
        )
        return about or texts

    def _asks_a_test(self, gives: Iterable[Concept], joined: str) -> bool:
        """Whether an order that names a drug asks for a sample; education or a visit beside a drug says nothing."""
        drugs = any(concept.kind == "therapy" for concept in gives)
        return self._assay.any_in(joined) if drugs else self._testing.any_in(joined)

    def _says_given(self, gives: tuple[Concept, ...], texts: tuple[str, ...]) -> bool:
        """Whether the words say that the treatment is to be given, whatever test or visit they name beside it."""
        words = self._vocabulary.car_t
        if any(concept.kind in _CAR_T for concept in gives):
            return any(says_infused(text, self._recogniser, words) for text in texts)
        return bool(gives) and any(words.infusion.any_in(text) for text in texts)


def _cut(concept: wire.Concept | None) -> wire.Concept:
    """A name with its texts cut to the length that is read."""
    if concept is None or not _is_long(concept):
        return concept or wire.Concept()
    codings = [
        wire.Coding(one.system, one.code, (one.display or "")[:_NAME_LIMIT] or None)
        for one in (concept.coding or ())[:_NAMES_LIMIT]
    ]
    return wire.Concept(coding=codings, text=(concept.text or "")[:_NAME_LIMIT] or None)


def _is_long(concept: wire.Concept) -> bool:
    return len(concept.coding or ()) > _NAMES_LIMIT or any(
        len(text) > _NAME_LIMIT for text in texts_of(concept)
    )


def _day_of(resource: Resource) -> ClinicalDate | None:
    """When an order was written; a procedure bears the day it is for instead."""
    if resource.resourceType != "Procedure":
        return when.date_at(resource.authoredOn)
    return when.date_at(resource.performedDateTime) or when.period(resource.performedPeriod)


def _gives(concepts: Iterable[Concept]) -> tuple[Concept, ...]:
    return tuple(dict.fromkeys(c for c in concepts if c.kind in _GIVES))
