"""Treatments that were given, and those only ordered: drugs, transplants, radiotherapy. CAR T is read
elsewhere.

Sources: rules 11.6 (status), 11.10 (administered only; the clock is the last dose), 11.11 (order that cannot
be known); terminology (transplant codes that do not name the donor). An exposure that is in doubt counts as
exposure: it can only take a result away, never add one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from mappings.dates import ClinicalDate, before, parse_date
from mappings.facts import PriorTherapy, Remark, SourceRef
from mappings.loading import Concept, Knowledge
from mappings.reading import when, wire
from mappings.reading.chart import Hit
from mappings.reading.denial import Names
from mappings.reading.disease import verification_of
from mappings.reading.recognise import label_of, texts_of
from mappings.reading.vocabulary import Vocabulary

THERAPY, TRANSPLANT, RADIOTHERAPY = "therapy", "transplant", "radiotherapy"
_KINDS = (THERAPY, TRANSPLANT, RADIOTHERAPY)
_CAR_T = ("car-t-product", "car-t-target-known", "car-t-administration")
_NEVER_HAPPENED = frozenset(
    {"not-done", "entered-in-error", "cancelled", "preparation", "draft", "not-taken", "intended"}
)
_KNOWN = _NEVER_HAPPENED | {"", "completed", "in-progress", "on-hold", "stopped", "unknown", "active"}
_ONGOING = frozenset({"in-progress", "active"})
_GIVEN = frozenset({"MedicationAdministration", "MedicationStatement", "Procedure", "Immunization"})
_ORDERS = frozenset({"MedicationRequest", "ServiceRequest"})
_SOURCES_EACH_END = 6
_REFUTED = frozenset({"refuted", "entered-in-error"})


@dataclass(frozen=True, slots=True)
class _Exposure:
    """One resource that says one treatment was given or ordered."""

    hit: Hit
    concept: Concept
    first: ClinicalDate | None
    last: ClinicalDate | None
    administered: bool


class _Reading:
    """One pass over a chart's hits."""

    def __init__(self, as_of: ClinicalDate, vocabulary: Vocabulary) -> None:
        self.as_of = as_of
        self.names = Names(vocabulary)
        self.exposures: list[_Exposure] = []
        self.remarks: list[Remark] = []

    def read(self, hit: Hit, concepts: Sequence[Concept]) -> None:
        """Takes a resource that names treatments as exposure, order or remark."""
        kind = hit.resource.resourceType or ""
        ordered = kind in _ORDERS
        if not ordered and kind not in _GIVEN and kind != "Condition":
            return
        reason, code = self._why_not(hit, kind, concepts)
        first, last = _dates(hit, kind, self.as_of)
        if not reason and first is not None and not ordered and before(self.as_of, first):
            reason, code = "is dated after the time of judgement", "future"
        if reason:
            remark = Remark("set-aside", reason, _source(hit, concepts[0]), about=concepts[0].id, code=code)
            self.remarks.append(remark)
            return
        if hit.status not in _KNOWN and kind in _GIVEN:
            reason = f"has status “{hit.status}”, which is none that is known: taken as a possible exposure"
            source = _source(hit, concepts[0])
            self.remarks.append(Remark("remark", reason, source, about=concepts[0].id, code="status-unknown"))
        if kind in _GIVEN and any(c.names("voids") for c in concepts) and _end_not_told(hit):
            reason = "tells when it began, not when it ended: a later specimen may be one on treatment"
            source = _source(hit, concepts[0])
            self.remarks.append(Remark("remark", reason, source, about=concepts[0].id, code="open-end"))
        for concept in concepts:
            if kind == "Condition" and concept.kind == THERAPY:
                continue  # "adverse effect of lenalidomide" is no dose of it
            self.exposures.append(_Exposure(hit, concept, first, last, not ordered))

    def _why_not(self, hit: Hit, kind: str, concepts: Sequence[Concept]) -> tuple[str, str]:
        """Why a resource is no exposure: reason and code, empty where it is one (rules 11.6)."""
        if hit.status in _NEVER_HAPPENED:
            return f"has status “{hit.status}”: nothing was given", "not-done"
        if kind in _ORDERS and wire.peek(hit.resource.doNotPerform, bool) is True:
            return "says that it is not to be done", "not-done"
        if kind not in ("Procedure", "Condition"):
            return "", ""
        if kind == "Condition" and (verification := verification_of(hit.resource)) in _REFUTED:
            return f"is {verification}", "refuted"
        if all(concept.kind == THERAPY for concept in concepts):
            return "", ""
        texts = texts_of(hit.resource.code)
        if hit.of("car-t-not-infusion") or self.names.are("doubt", texts):
            return "names a treatment that is evaluated or planned, not given", "planned"
        if kind == "Condition" and (self.names.denied(texts) or self.names.are("family", texts)):
            return "does not say that this patient had the treatment", "negated"
        return "", ""


def read_therapies(
    hits: Iterable[Hit], as_of: ClinicalDate, knowledge: Knowledge, vocabulary: Vocabulary
) -> tuple[tuple[PriorTherapy, ...], tuple[Remark, ...]]:
    """Courses of treatment with first and last dose, in order of time, and what did not count (rules 11.6).

    Doses of one drug further apart than the age limit of a result (local policy, rules 11.3) are two courses:
    a result from between them must not pass as taken on treatment.
    """
    reading = _Reading(as_of, vocabulary)
    named: dict[int, tuple[Concept, ...]] = {}  # by identity: a recogniser gives one tuple per name
    for hit in hits:
        concepts = named.get(id(hit.concepts)) if hit.concepts else _directed_at(hit, vocabulary)
        if concepts is None:
            concepts = named[id(hit.concepts)] = _named(hit)
        if concepts:
            reading.read(hit, concepts)
    gap_days = knowledge.policy.max_age_days_lymphoma
    courses = [course for group in _grouped(reading.exposures) for course in _courses(group, gap_days)]
    return tuple(sorted(courses, key=_order)), tuple(reading.remarks)


def _directed_at(hit: Hit, vocabulary: Vocabulary) -> tuple[Concept, ...]:
    """A drug that no concept knows but whose name tells its target, such as a study antibody against CD19 (11.3)."""
    if hit.resource.resourceType not in ("MedicationAdministration", "MedicationStatement"):
        return ()
    names = " ; ".join(texts_of(hit.resource.medicationCodeableConcept))
    targets = vocabulary.car_t.targets(names)
    if not targets or vocabulary.car_t.cells.any_in(names):
        return ()
    label = label_of(hit.resource.medicationCodeableConcept)
    attributes = {"classes": tuple(f"{target.lower()}-directed" for target in targets), "voids": targets}
    return (Concept(f"directed-at-{'-'.join(targets).lower()}", THERAPY, label, "", attributes),)


def _named(hit: Hit) -> tuple[Concept, ...]:
    concepts = hit.of(*_KINDS)
    if not concepts or hit.of(*_CAR_T):
        return ()
    typed = [c for c in concepts if c.kind == TRANSPLANT and c.text("type") != "unspecified"]
    if typed:  # a code without donor type beside a text that names it is one transplant
        return tuple(c for c in concepts if c.kind != TRANSPLANT or c in typed)
    return concepts


def _source(hit: Hit, concept: Concept) -> SourceRef:
    name = hit.resource.code or hit.resource.medicationCodeableConcept
    return SourceRef(hit.reference, "code", label_of(name) or concept.label)


def _dates(hit: Hit, kind: str, as_of: ClinicalDate) -> tuple[ClinicalDate | None, ClinicalDate | None]:
    resource = hit.resource
    if resource.effectiveDateTime and kind in _GIVEN:
        moment = parse_date(resource.effectiveDateTime)
        if moment is not None:
            return moment, moment
    if kind in _ORDERS:
        ordered = when.date_at(resource.authoredOn)
        return ordered, ordered
    if kind == "Condition":
        onset = when.date_at(resource.onsetDateTime)
        return onset, onset
    procedure = kind == "Procedure"
    moment = when.date_at(resource.performedDateTime if procedure else resource.effectiveInstant)
    if moment is not None:
        return moment, moment
    period = wire.peek(resource.performedPeriod if procedure else resource.effectivePeriod, wire.Period)
    if period is None:
        return None, None
    return _ends(period, hit.status, as_of)


def _end_not_told(hit: Hit) -> bool:
    """Whether a course that is over has a period with a start alone: its last dose is not known (rules 11.10)."""
    resource = hit.resource
    raw = resource.performedPeriod if resource.resourceType == "Procedure" else resource.effectivePeriod
    period = wire.peek(raw, wire.Period)
    return bool(period and period.start and not period.end) and hit.status not in _ONGOING


def _ends(
    period: wire.Period, status: str, as_of: ClinicalDate
) -> tuple[ClinicalDate | None, ClinicalDate | None]:
    first = parse_date(period.start) if period.start else None
    last = parse_date(period.end) if period.end else None
    if last is None and first is not None:
        last = as_of if status in _ONGOING and not before(as_of, first) else first
    if first is None:
        first = last
    if last is not None and before(as_of, last) and first is not None and not before(as_of, first):
        last = as_of  # a planned end is no dose given
    if first is not None and last is not None and before(last, first):
        last = first
    return first, last


def _grouped(exposures: Iterable[_Exposure]) -> Iterator[list[_Exposure]]:
    groups: dict[tuple[str, bool], list[_Exposure]] = {}
    for exposure in exposures:
        groups.setdefault((exposure.concept.id, exposure.administered), []).append(exposure)
    for key in sorted(groups):
        yield groups[key]


def _courses(group: list[_Exposure], gap_days: int) -> Iterator[PriorTherapy]:
    """Doses of one treatment as courses; an undated mention joins the dated course it most likely repeats."""
    dated = sorted((e for e in group if e.first is not None), key=_dose_order)
    undated = sorted((e for e in group if e.first is None), key=_reference)
    runs: list[list[_Exposure]] = []
    reach = date.min
    for exposure in dated:
        start = exposure.first.first if exposure.first else date.min
        if not runs or start > reach + timedelta(days=gap_days):
            runs.append([])
        runs[-1].append(exposure)
        last = exposure.last or exposure.first
        reach = max(reach, last.last if last else start)
    if not runs:
        runs.append([])
    runs[-1].extend(undated)
    for run in runs:
        if run:
            yield _course(run)


def _dose_order(exposure: _Exposure) -> tuple[date, date, str]:
    first = exposure.first
    return (first.first if first else date.min, first.last if first else date.min, exposure.hit.reference)


def _course(run: list[_Exposure]) -> PriorTherapy:
    concept = run[0].concept
    firsts = [e.first for e in run if e.first is not None]
    lasts = [e.last or e.first for e in run if e.first is not None]
    ends = [day for day in lasts if day is not None]
    newest = max(run, key=lambda e: (e.last.last if e.last else date.min, e.hit.reference))
    classes = concept.names("classes")
    if concept.kind == TRANSPLANT:
        classes = (TRANSPLANT, concept.text("type") or "unspecified")
    elif concept.kind == RADIOTHERAPY and RADIOTHERAPY not in classes:
        classes = (*classes, RADIOTHERAPY)
    return PriorTherapy(
        therapy=concept.id,
        label=concept.label,
        classes=classes,
        voids=concept.names("voids"),
        first=min(firsts, key=lambda d: (d.first, d.last, d.text)) if firsts else None,
        last=max(ends, key=lambda d: (d.last, d.first, d.text)) if ends else None,
        status=newest.hit.status,
        sources=_sources(run),
        administered=run[0].administered,
        open_end=run[0].administered and _end_not_told(newest.hit),
    )


def _reference(exposure: _Exposure) -> str:
    return exposure.hit.reference


def _sources(run: Sequence[_Exposure]) -> tuple[SourceRef, ...]:
    """Where the course is documented; of a long one the first and last doses."""
    kept = run if len(run) <= 2 * _SOURCES_EACH_END else [*run[:_SOURCES_EACH_END], *run[-_SOURCES_EACH_END:]]
    return tuple(dict.fromkeys(_source(exposure.hit, exposure.concept) for exposure in kept))


def _order(course: PriorTherapy) -> tuple[bool, date, date, str, bool]:
    first, last = course.first, course.last
    start = first.first if first else date.max
    return (first is None, start, last.last if last else start, course.therapy, course.administered)
