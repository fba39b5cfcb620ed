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
from mappings.reading.disease import verification_of
from mappings.reading.recognise import label_of, texts_of
from mappings.reading.vocabulary import Vocabulary

THERAPY, TRANSPLANT, RADIOTHERAPY = "therapy", "transplant", "radiotherapy"
_KINDS = (THERAPY, TRANSPLANT, RADIOTHERAPY)
_CAR_T = ("car-t-product", "car-t-target-known", "car-t-administration")
_NEVER_HAPPENED = frozenset(
    {"not-done", "entered-in-error", "cancelled", "preparation", "draft", "not-taken", "intended"}
)
_ONGOING = frozenset({"in-progress", "active"})
_GIVEN = frozenset({"MedicationAdministration", "MedicationStatement", "Procedure", "Immunization"})
_ORDERS = frozenset({"MedicationRequest", "ServiceRequest"})
_REFUTED = frozenset({"refuted", "entered-in-error"})


@dataclass(frozen=True, slots=True)
class _Exposure:
    """One resource that says one treatment was given or ordered."""

    concept: Concept
    first: ClinicalDate | None
    last: ClinicalDate | None
    status: str
    source: SourceRef
    administered: bool


def read_therapies(
    hits: Iterable[Hit], as_of: ClinicalDate, knowledge: Knowledge, vocabulary: Vocabulary
) -> tuple[tuple[PriorTherapy, ...], tuple[Remark, ...]]:
    """Courses of treatment with first and last dose, in order of time; what did not count, and why (rules
    11.6).

    Doses of one drug further apart than the age limit of a result (local policy, rules 11.3) are two courses:
    a result from between them must not pass as taken on treatment.
    """
    course_gap_days = knowledge.policy.max_age_days_lymphoma
    exposures: list[_Exposure] = []
    remarks: list[Remark] = []
    for hit in hits:
        concepts = _named(hit)
        if concepts:
            _read(hit, concepts, as_of, vocabulary, exposures, remarks)
    courses = [course for group in _grouped(exposures) for course in _courses(group, course_gap_days)]
    return tuple(sorted(courses, key=_order)), tuple(remarks)


def _named(hit: Hit) -> tuple[Concept, ...]:
    if not hit.concepts:
        return ()
    concepts = hit.of(*_KINDS)
    if not concepts or hit.of(*_CAR_T):
        return ()
    typed = [c for c in concepts if c.kind == TRANSPLANT and c.text("type") != "unspecified"]
    if typed:  # a code without donor type beside a text that names it is one transplant
        return tuple(c for c in concepts if c.kind != TRANSPLANT or c in typed)
    return concepts


def _read(
    hit: Hit,
    concepts: Sequence[Concept],
    as_of: ClinicalDate,
    vocabulary: Vocabulary,
    exposures: list[_Exposure],
    remarks: list[Remark],
) -> None:
    resource = hit.resource
    kind = resource.resourceType or ""
    name = resource.code or resource.medicationCodeableConcept
    source = SourceRef(hit.reference, "code", label_of(name) or concepts[0].label)
    if kind not in _GIVEN and kind not in _ORDERS and kind != "Condition":
        return
    reason, code = _why_not(hit, concepts, vocabulary)
    first, last = _dates(hit, as_of)
    if not reason and first is not None and kind not in _ORDERS and before(as_of, first):
        reason, code = "is dated after the time of judgement", "future"
    if reason:
        remarks.append(Remark("set-aside", reason, source, about=concepts[0].id, code=code))
        return
    for concept in concepts:
        if kind == "Condition" and concept.kind == THERAPY:
            continue  # "adverse effect of lenalidomide" is no dose of it
        exposures.append(_Exposure(concept, first, last, hit.status, source, kind not in _ORDERS))


def _why_not(hit: Hit, concepts: Sequence[Concept], vocabulary: Vocabulary) -> tuple[str, str]:
    """Why a resource that names a treatment is no exposure: reason and code, empty where it is one (rules
    11.6).
    """
    resource = hit.resource
    kind = resource.resourceType
    if hit.status in _NEVER_HAPPENED:
        return f"has status “{hit.status}”: nothing was given", "not-done"
    if kind == "Condition":
        verification = verification_of(resource)
        if verification in _REFUTED:
            return f"is {verification}", "refuted"
    if kind not in ("Procedure", "Condition") or all(concept.kind == THERAPY for concept in concepts):
        return "", ""
    names = " ; ".join(texts_of(resource.code))
    if hit.of("car-t-not-infusion") or vocabulary.qualifiers["doubt"].any_in(names):
        return "names a treatment that is evaluated or planned, not given", "planned"
    if kind == "Condition" and (
        vocabulary.qualifiers["negated"].any_in(names) or vocabulary.qualifiers["family"].any_in(names)
    ):
        return "does not say that this patient had the treatment", "negated"
    return "", ""


def _dates(hit: Hit, as_of: ClinicalDate) -> tuple[ClinicalDate | None, ClinicalDate | None]:
    resource = hit.resource
    kind = resource.resourceType
    if kind in _ORDERS:
        ordered = when.date_at(resource.authoredOn)
        return ordered, ordered
    if kind == "Condition":
        onset = when.date_at(resource.onsetDateTime)
        return onset, onset
    procedure = kind == "Procedure"
    moment = when.date_at(resource.performedDateTime if procedure else resource.effectiveInstant)
    if not procedure and resource.effectiveDateTime:
        moment = parse_date(resource.effectiveDateTime)
    if moment is not None:
        return moment, moment
    period = wire.peek(resource.performedPeriod if procedure else resource.effectivePeriod, wire.Period)
    if period is None:
        return None, None
    return _ends(period, hit.status, as_of)


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
    undated = sorted((e for e in group if e.first is None), key=lambda e: e.source.reference)
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
    return (first.first if first else date.min, first.last if first else date.min, exposure.source.reference)


def _course(run: list[_Exposure]) -> PriorTherapy:
    concept = run[0].concept
    firsts = [e.first for e in run if e.first is not None]
    lasts = [e.last or e.first for e in run if e.first is not None]
    ends = [day for day in lasts if day is not None]
    newest = max(run, key=lambda e: (e.last.last if e.last else date.min, e.source.reference))
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
        status=newest.status,
        sources=tuple(sorted({e.source for e in run}, key=lambda s: (s.reference, s.quote))),
        administered=run[0].administered,
    )


def _order(course: PriorTherapy) -> tuple[bool, date, date, str, bool]:
    first, last = course.first, course.last
    start = first.first if first else date.max
    return (first is None, start, last.last if last else start, course.therapy, course.administered)
