"""Prior CAR T: the evidence ladder, and many documents of one infusion told from a true second one.

Sources: terminology (prior CAR-T evidence ladder), rules 11.6, 11.7, 11.10, 11.13; hazards H-26, H-27, H-28.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from mappings.dates import ClinicalDate, Precision
from mappings.facts import CarTInfusion, CarTKnowledge, Remark, SourceRef
from mappings.loading import Concept
from mappings.reading import when
from mappings.reading.car_t_act import act_of, says_infused
from mappings.reading.car_t_problem import HISTORY, INFUSION, NOT_INFUSION, PRODUCT, TARGET, read_problem
from mappings.reading.chart import Chart, Hit
from mappings.reading.disease import verification_of
from mappings.reading.recognise import Recogniser, label_of, texts_of
from mappings.reading.vocabulary import Vocabulary

_NOTHING_HAPPENED = frozenset(
    {"not-done", "entered-in-error", "cancelled", "preparation", "draft", "not-taken", "intended"}
)
_INCOMPLETE = frozenset({"stopped", "in-progress", "on-hold", "unknown", "active"})
_KNOWN = _NOTHING_HAPPENED | _INCOMPLETE | {"", "completed"}
_GIVEN = ("Procedure", "MedicationAdministration", "MedicationStatement", "Immunization")
_ORDERS = ("MedicationRequest", "ServiceRequest")


@dataclass(frozen=True, slots=True)
class _Document:
    """One resource that says CAR T cells were given."""

    product: str
    label: str
    targets: tuple[str, ...]
    is_car: bool
    split: bool
    date: ClinicalDate | None
    end: ClinicalDate | None
    source: SourceRef
    incomplete: bool
    history: bool


@dataclass(frozen=True, slots=True)
class CarTReading:
    """Infusions of the CD19 question, other cellular therapies, and what was not counted."""

    infusions: tuple[CarTInfusion, ...]
    other: tuple[CarTInfusion, ...]
    remarks: tuple[Remark, ...]


def read_car_t(chart: Chart, merge_days: int, recogniser: Recogniser, vocabulary: Vocabulary) -> CarTReading:
    """Reads every document of CAR T and merges those of one infusion (within `merge_days`, local policy)."""
    documents: list[_Document] = []
    remarks: list[Remark] = []
    for hit in chart.hits:
        if not hit.of(PRODUCT, TARGET, INFUSION, HISTORY, NOT_INFUSION) and not _names_cells(hit, vocabulary):
            continue
        if disagreeing_targets(hit.of(PRODUCT, TARGET)):
            reason = "names products of different targets in code and text: which one was given is not known"
            source = SourceRef(hit.reference, "code", label_of(hit.resource.code))
            remarks.append(Remark("conflict", reason, source, about="car-t", code="product-conflict"))
        outcome = _read(hit, recogniser, vocabulary)
        if isinstance(outcome, Remark):
            remarks.append(outcome)
        elif outcome is not None:
            documents.append(outcome)
            if hit.status not in _KNOWN:
                reason = (
                    f"has status “{hit.status}”, which is none that is known: taken as a possible infusion"
                )
                remarks.append(Remark("remark", reason, outcome.source, about="car-t", code="status-unknown"))
    infusions = _merge(documents, merge_days)
    cars = tuple(item for item, is_car in infusions if is_car)
    other = tuple(item for item, is_car in infusions if not is_car)
    return CarTReading(cars, other, tuple(remarks))


def _names_cells(hit: Hit, vocabulary: Vocabulary) -> bool:
    """Whether a procedure without a known name says CAR T cells in its own words."""
    names = " ; ".join(texts_of(hit.resource.code or hit.resource.medicationCodeableConcept))
    return hit.resource.resourceType in _GIVEN and vocabulary.car_t.cells.any_in(names)


def _read(hit: Hit, recogniser: Recogniser, vocabulary: Vocabulary) -> _Document | Remark | None:
    resource = hit.resource
    kind = resource.resourceType
    label = label_of(resource.code or resource.medicationCodeableConcept or resource.vaccineCode)
    source = SourceRef(hit.reference, "code", label)
    if kind in _ORDERS:
        return Remark(
            "set-aside", "is an order or a plan, not an infusion", source, about="car-t", code="order"
        )
    if kind == "Condition":
        return _history(hit, source, recogniser, vocabulary)
    if kind not in _GIVEN:
        return None
    if hit.of(NOT_INFUSION) and not _named_beside(hit, recogniser, vocabulary):
        reason = "is collection, handling, planning or referral, not an infusion"
        return Remark("set-aside", reason, source, about="car-t", code="not-infusion")
    if hit.status in _NOTHING_HAPPENED:
        return Remark(
            "set-aside",
            f"has status “{hit.status}”: nothing was given",
            source,
            about="car-t",
            code="not-done",
        )
    targets = vocabulary.car_t.targets(
        " ; ".join(texts_of(resource.code or resource.medicationCodeableConcept))
    )
    if not hit.of(PRODUCT, TARGET, INFUSION) and hit.of(HISTORY):
        return _document(hit, source, None, None, targets, history=True)
    if kind != "Procedure":
        return _document(hit, source, when.given(resource), when.last_given(resource), targets)
    act = act_of(hit, recogniser, vocabulary)
    if act == "another":
        reason = "names CAR T, but is another act than the infusion"
        return Remark("set-aside", reason, source, about="car-t", code="not-infusion")
    if act == "look-back":
        return _document(hit, source, None, None, targets, history=True)
    return _document(hit, source, when.performed(resource), _procedure_end(hit), targets)


def _procedure_end(hit: Hit) -> ClinicalDate | None:
    period = when.period(hit.resource.performedPeriod)
    start = when.performed(hit.resource)
    if period is None or start is None or period.last <= start.last:
        return None
    # an admission-long period is not a split dose: only short ones tell the last bag
    return period if period.last - start.first <= timedelta(days=2) else None


def _history(
    hit: Hit, source: SourceRef, recogniser: Recogniser, vocabulary: Vocabulary
) -> _Document | Remark | None:
    """A problem-list entry about CAR T: history where its code or its words say it was given (rules 11.7)."""
    resource = hit.resource
    coded = recogniser.coded(resource.code)
    by_code = [c for c in coded if c.kind in (HISTORY, INFUSION)]
    said = read_problem(texts_of(resource.code), recogniser, vocabulary)
    if not by_code and not said.mentions:
        return None
    if verification_of(resource) in ("refuted", "entered-in-error"):
        return Remark("set-aside", "is refuted or entered in error", source, about="car-t", code="refuted")
    if not by_code and not said.given:
        reason = "names CAR T without saying that this patient was given it"
        return Remark("set-aside", reason, source, about="car-t", code="mention")
    onset = when.date_at(resource.onsetDateTime) if by_code or said.alone else None
    named_by = tuple(dict.fromkeys((*coded, *(mention.concept for mention in said.given))))
    return _document(hit, source, said.date or onset, None, said.targets, True, named_by)


def _named_beside(hit: Hit, recogniser: Recogniser, vocabulary: Vocabulary) -> bool:
    """Whether only words beside the infusion itself name a collection or a plan: "infusion post leukapheresis"."""
    code = hit.resource.code
    if any(concept.kind == NOT_INFUSION for concept in recogniser.coded(code)):
        return False
    return any(says_infused(name, recogniser, vocabulary.car_t) for name in texts_of(code))


def disagreeing_targets(products: tuple[Concept, ...]) -> bool:
    """Whether code and text of one entry name products of different targets: then neither is believed (H-28)."""
    targets = [set(concept.attributes.get("targets", ())) for concept in products]
    return len(targets) > 1 and not set.intersection(*targets)


def _document(
    hit: Hit,
    source: SourceRef,
    date: ClinicalDate | None,
    end: ClinicalDate | None,
    named_targets: tuple[str, ...],
    history: bool = False,
    named_by: tuple[Concept, ...] | None = None,
) -> _Document:
    concepts = hit.concepts if named_by is None else named_by
    products = tuple(c for c in concepts if c.kind == PRODUCT)
    naming = tuple(c for c in concepts if c.kind in (PRODUCT, TARGET))
    known = {str(t) for c in naming for t in c.attributes.get("targets", ())}
    if disagreeing_targets(naming):
        products, known, named_targets = (), set(), ()
    targets = tuple(sorted(known | set(named_targets)))
    named = products[0] if products else None
    short = str(named.attributes.get("short") or named.label) if named else ""
    return _Document(
        product=named.id if named else "",
        label=short or source.quote,
        targets=targets,
        is_car=bool(named.attributes.get("car", True)) if named else True,
        split=bool(named.attributes.get("split_dose", False)) if named else False,
        date=date,
        end=end,
        source=source,
        incomplete=hit.status in _INCOMPLETE or hit.status not in _KNOWN,
        history=history,
    )


def _merge(documents: Iterable[_Document], merge_days: int) -> list[tuple[CarTInfusion, bool]]:
    """Groups documents of one infusion: compatible product and dates that lie within the window or overlap."""
    groups: list[list[_Document]] = []
    order = sorted(
        documents,
        key=lambda d: (d.date is None, not (d.date and d.date.exact), _first(d), d.source.reference),
    )
    for document in order:
        group = next((g for g in groups if all(_same(document, one, merge_days) for one in _unlike(g))), None)
        if group is None:
            group = next((g for g in groups if _fits_loosely(document, g)), None)
        if group is None:
            groups.append([document])
        else:
            group.append(document)
    return [(_infusion(group, merge_days), any(d.is_car for d in group)) for group in groups]


def _unlike(group: list[_Document]) -> Iterable[_Document]:
    """One document of each product, target and day of a group: a copy answers as its like does."""
    return {
        (d.product, d.targets, d.is_car, d.date and (d.date.first, d.date.last)): d for d in group
    }.values()


def _first(document: _Document) -> str:
    return document.date.first.isoformat() if document.date else ""


def _compatible(one: _Document, other: _Document) -> bool:
    if one.is_car != other.is_car:
        return False
    if one.product and other.product:
        return one.product == other.product
    return not one.targets or not other.targets or one.targets == other.targets


def _same(one: _Document, other: _Document, merge_days: int) -> bool:
    if not _compatible(one, other) or one.date is None or other.date is None:
        return False
    window = timedelta(days=merge_days)
    return one.date.first <= other.date.last + window and other.date.first <= one.date.last + window


def _fits_loosely(document: _Document, group: list[_Document]) -> bool:
    """An undated document, or a bare history entry, belongs to an infusion that is already known."""
    return (document.date is None or document.history) and all(
        _compatible(document, member) for member in group
    )


def _perhaps_later(last: ClinicalDate, given: list[_Document], merge_days: int) -> ClinicalDate:
    """The last bag of a product given in two, where a document without a full date may be the second (11.10, 11.11)."""
    vague = [d for d in given if d.split and (d.date is None or not d.date.exact)]
    if not vague:
        return last
    limit = last.last + timedelta(days=merge_days)
    latest = max(limit if d.date is None else min(limit, d.date.last) for d in vague)
    if latest <= last.last:
        return last
    return ClinicalDate(last.text, Precision.MONTH, last.first, latest)


def _infusion(group: list[_Document], merge_days: int) -> CarTInfusion:
    named = next((d for d in group if d.product), None)
    targets = tuple(sorted({target for d in group for target in d.targets}))
    given = [d for d in group if not d.history] or group
    exact = [d for d in given if d.date is not None and d.date.exact]
    dated = exact or [d for d in given if d.date is not None]
    first = min((d.date for d in dated if d.date), key=lambda date: date.first, default=None)
    ends = [d.end or d.date for d in dated]
    last = max((date for date in ends if date), key=lambda date: date.last, default=None)
    if last is not None and len({d.date.first for d in exact if d.date}) == 1 and len(given) > len(exact):
        last = _perhaps_later(last, given, merge_days)
    knowledge = CarTKnowledge.TARGET_UNKNOWN
    if named is not None:
        knowledge = CarTKnowledge.PRODUCT_KNOWN
    elif targets:
        knowledge = CarTKnowledge.TARGET_KNOWN
    return CarTInfusion(
        knowledge=knowledge,
        product=named.product if named else "",
        label=named.label if named else (f"anti-{'/'.join(targets)} CAR T" if targets else "CAR T"),
        targets=targets,
        first=first,
        last=last,
        sources=tuple(d.source for d in sorted(group, key=lambda d: d.source.reference)),
        split_doses=bool(first and last and last.last > first.first and any(d.split for d in group)),
        possibly_incomplete=all(d.incomplete for d in given),
        history_only=all(d.history for d in group),
    )


def ordered(infusions: Iterable[CarTInfusion]) -> tuple[CarTInfusion, ...]:
    """Infusions by last bag, undated last."""
    return tuple(
        sorted(
            infusions, key=lambda i: (i.last is None, i.last.last.isoformat() if i.last else "", i.product)
        )
    )
