"""What options ask about before use: values, findings and earlier treatments, as charted, with date and
source.

Sources: rules 6, 9.7 and 11.12 (facts that exclude; everything else is shown without pass or fail); hazards
H-25 (units) and H-38 (a check that was missed). A fact that was not seen has no entry: nobody may read that
as *no*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from mappings.dates import ClinicalDate, before, days_between
from mappings.facts import PatientFacts, PriorTherapy, Remark, SafetyFact, SourceRef
from mappings.loading import Concept, Knowledge
from mappings.reading import when, wire
from mappings.reading.chart import Hit, reference_key
from mappings.reading.disease import clinical_status_of, verification_of
from mappings.reading.measurements import Polarity, Reading, polarity_of, read_measurement
from mappings.reading.recognise import label_of, texts_of
from mappings.reading.vocabulary import Vocabulary

Recognise = Callable[[wire.Concept | None], tuple[Concept, ...]]

_NO_RESULT = frozenset({"registered", "cancelled", "entered-in-error"})
_REFUTED = frozenset({"refuted", "entered-in-error"})
_DOUBTED = frozenset({"unconfirmed", "provisional", "differential"})
_OVER = frozenset({"resolved", "inactive", "remission"})
# Facts that only count while they last; of any other finding an earlier episode matters too, and is marked as
# past.
_CURRENT_ONLY = frozenset(
    {"active-infection", "pregnancy", "effusion-or-oedema", "car-t-toxicity", "cytopenia"}
)
_MARKERS = {"bcr_abl1": "bcr-abl1-status", "kmt2a": "kmt2a-status"}
# Earlier treatments by class or drug, under the names by which options ask (`check_before`).
_BY_CLASS = {
    "pd-1": ("prior-pd1-blockade", "recent-checkpoint-inhibitor"),
    "btk-inhibitor": ("prior-btk-inhibitor",),
    "cd20xcd3": ("prior-bispecific",),
    "cd19-directed": ("prior-cd19-directed",),
    "allo": ("prior-allo-hct",),
    "radiotherapy": ("prior-rt-field",),
    "steroid": ("corticosteroid-use",),
}
_BY_DRUG = {
    "blinatumomab": ("prior-blinatumomab-response",),
    "inotuzumab-ozogamicin": ("prior-inotuzumab",),
    "bendamustine": ("prior-bendamustine",),
}


@dataclass(frozen=True, slots=True)
class _Setting:
    patient: PatientFacts
    as_of: ClinicalDate
    knowledge: Knowledge
    vocabulary: Vocabulary
    polarity: Polarity


def read_safety(
    hits: Iterable[Hit],
    therapies: Sequence[PriorTherapy],
    patient: PatientFacts,
    as_of: ClinicalDate,
    knowledge: Knowledge,
    vocabulary: Vocabulary,
    recognise: Recognise | None = None,
) -> tuple[tuple[SafetyFact, ...], tuple[Remark, ...]]:
    """The newest entry of every fact, sorted by fact, and what was set aside (rules 11.12).

    With `recognise` the components of panels are read as results of their own.
    """
    setting = _Setting(patient, as_of, knowledge, vocabulary, polarity_of(knowledge))
    found: list[SafetyFact] = []
    remarks: list[Remark] = []
    for hit in hits:
        kind = hit.resource.resourceType
        if kind == "Observation":
            _observation(hit, setting, recognise, found, remarks)
        elif kind == "Condition" and hit.concepts:
            _condition(hit, setting, found, remarks)
    found.extend(_from_therapies(therapies))
    return _newest(found, as_of, remarks), tuple(remarks)


def _observation(
    hit: Hit, setting: _Setting, recognise: Recognise | None, found: list[SafetyFact], remarks: list[Remark]
) -> None:
    resource = hit.resource
    named = hit.of("safety", "safety-condition")
    has_parts = recognise is not None and bool(resource.component)
    if (not named and not has_parts) or hit.status in _NO_RESULT:
        return
    source = SourceRef(hit.reference, "value", label_of(resource.code))
    if _about_another(resource, setting.patient):
        if named:
            reason = "is about another person than the patient"
            remarks.append(Remark("set-aside", reason, source, about=named[0].id, code="other-subject"))
        return
    day = when.effective(resource) or when.date_at(resource.issued)
    if named:
        _result(resource, resource.code, named, hit.status, day, source, setting, found, remarks)
    if recognise is None or not resource.component:
        return
    for number, part in enumerate(wire.peek_list(resource.component, wire.Resource)):
        parts = tuple(c for c in recognise(part.code) if c.kind == "safety")
        if parts:
            where = SourceRef(hit.reference, f"component[{number}]", label_of(part.code))
            _result(part, part.code, parts, hit.status, day, where, setting, found, remarks)


def _about_another(resource: wire.Resource, patient: PatientFacts) -> bool:
    for focus in wire.peek_list(resource.focus, wire.Reference):
        kind, _, key = reference_key(focus.reference).partition("/")
        if kind == "RelatedPerson" or (kind == "Patient" and key != patient.id):
            return True
    return False


def _result(
    holder: wire.Resource,
    code: wire.Concept | None,
    named: Sequence[Concept],
    status: str,
    day: ClinicalDate | None,
    source: SourceRef,
    setting: _Setting,
    found: list[SafetyFact],
    remarks: list[Remark],
) -> None:
    """Reads one result as the fact its name stands for; a name of several facts stands for none."""
    concepts = [c for c in named if c.kind == "safety"] or list(named)
    if len({c.id for c in concepts}) > 1:
        names = ", ".join(sorted(c.label for c in concepts))
        remarks.append(
            Remark("set-aside", f"could be any of {names}", source, about="safety", code="ambiguous")
        )
        return
    concept = concepts[0]
    reading = read_measurement(holder, concept, setting.polarity)
    if isinstance(reading, str):
        if reading:
            remarks.append(
                Remark("set-aside", reason_of(reading, concept), source, about=concept.id, code=reading)
            )
        return
    quoted = SourceRef(source.reference, source.element, reading.as_charted or source.quote)
    fact = _fact(concept.id, "value", reading, day, quoted, status)
    if concept.kind == "safety":
        found.append(fact)
        _pregnancy(concept, reading, fact, setting, found)
    elif reading.polarity:
        found.append(_fact(concept.id, reading.polarity, reading, day, quoted, status))


def reason_of(code: str, concept: Concept) -> str:
    """The sentence for a value that was not taken as this fact (H-25)."""
    if code == "unit-misfit":
        return f"has a unit that does not fit {concept.label}; shown here only"
    if code == "implausible":
        return f"is outside what is possible for {concept.label}: unit or decimal point in doubt"
    return f"says nothing of {concept.label}"


def _fact(
    name: str, state: str, reading: Reading, day: ClinicalDate | None, source: SourceRef, status: str
) -> SafetyFact:
    value = reading.value + (" (preliminary)" if status == "preliminary" else "")
    return SafetyFact(name, state, value, day, source, reading.number, reading.unit, reading.as_charted)


def _pregnancy(
    concept: Concept, reading: Reading, fact: SafetyFact, setting: _Setting, found: list[SafetyFact]
) -> None:
    """A status or test that says pregnant and is not older than a gestation is current (rules 11.12)."""
    if concept.id not in ("pregnancy-status", "pregnancy-test") or not reading.polarity:
        return
    if reading.polarity == "present" and not _within_gestation(fact.when, setting):
        return
    value = f"{concept.label}: {fact.value}"
    found.append(
        SafetyFact("pregnancy", reading.polarity, value, fact.when, fact.source, as_charted=fact.as_charted)
    )


def _within_gestation(day: ClinicalDate | None, setting: _Setting) -> bool:
    if day is None:
        return True
    limit = timedelta(weeks=setting.knowledge.policy.gestation_weeks)
    return day.last + limit >= setting.as_of.first


def _condition(hit: Hit, setting: _Setting, found: list[SafetyFact], remarks: list[Remark]) -> None:
    resource = hit.resource
    verification = verification_of(resource)
    label = label_of(resource.code)
    source = SourceRef(hit.reference, "code", label)
    _markers(hit, verification, source, found)
    named = {c.id: c for c in hit.of("safety-condition", "car-t-toxicity", "cns-involvement")}
    if not named:
        return
    if verification in _REFUTED:
        remarks.append(Remark("set-aside", f"is {verification}", source, about=min(named), code="refuted"))
        return
    names = " ; ".join(texts_of(resource.code))
    qualifiers = setting.vocabulary.qualifiers
    if qualifiers["negated"].any_in(names) or qualifiers["family"].any_in(names):
        reason = "denies the finding or is about the family"
        remarks.append(Remark("set-aside", reason, source, about=min(named), code="negated"))
        return
    doubted = verification in _DOUBTED or qualifiers["doubt"].any_in(names)
    day = (
        when.date_at(resource.onsetDateTime)
        or when.period(resource.onsetPeriod)
        or when.date_at(resource.recordedDate)
    )
    status = clinical_status_of(resource, setting.knowledge)
    ended = when.date_at(resource.abatementDateTime)
    over = status in _OVER or (ended is not None and before(ended, setting.as_of) is True)
    for name, concept in sorted(named.items()):
        over_here = over or concept.text("state") == "remission"
        if over_here and name in _CURRENT_ONLY:
            continue
        if name == "pregnancy" and not _within_gestation(day, setting):
            continue
        marks = [word for word, holds in (("past", over_here), ("unconfirmed", doubted)) if holds]
        value = label + (f" ({', '.join(marks)})" if marks else "")
        found.append(SafetyFact(name, "present", value, day, source, as_charted=label))


def _markers(hit: Hit, verification: str, source: SourceRef, found: list[SafetyFact]) -> None:
    """BCR::ABL1 and KMT2A as the diagnosis names them; unproven diagnoses name nothing."""
    if verification in _REFUTED or verification in _DOUBTED:
        return
    for concept in hit.of("diagnosis"):
        for attribute, fact in _MARKERS.items():
            said = concept.text(attribute)
            if said:
                state = "present" if said == "positive" else "absent"
                day = when.date_at(hit.resource.onsetDateTime) or when.date_at(hit.resource.recordedDate)
                found.append(SafetyFact(fact, state, source.quote or concept.label, day, source))


def _from_therapies(therapies: Iterable[PriorTherapy]) -> Iterable[SafetyFact]:
    for course in therapies:
        source = course.sources[0] if course.sources else SourceRef("")
        span = course_dates(course)
        if not course.administered:
            if "allo" in course.classes:
                value = f"{course.label} ordered{f' {span}' if span else ''}"
                yield SafetyFact("planned-allo-hct", "present", value, course.last, source)
            continue
        names = [name for key in course.classes for name in _BY_CLASS.get(key, ())]
        names += _BY_DRUG.get(course.therapy, ())
        for name in dict.fromkeys(names):
            said = ", response not read" if name == "prior-blinatumomab-response" else ""
            value = f"{course.label}{f', {span}' if span else ', date not known'}{said}"
            yield SafetyFact(name, "present", value, course.last, source)


def course_dates(course: PriorTherapy) -> str:
    """First and last dose as shown to people; one date where they are the same day."""
    first, last = course.first, course.last
    if first is None:
        return ""
    if last is None or last.display() == first.display():
        return first.display()
    return f"{first.display()} to {last.display()}"


def _newest(
    found: Iterable[SafetyFact], as_of: ClinicalDate, remarks: list[Remark]
) -> tuple[SafetyFact, ...]:
    """One entry per fact: the newest, an active one before a past one; the rest is history the chart still
    holds.
    """
    groups: dict[str, list[SafetyFact]] = {}
    for fact in found:
        if fact.when is not None and before(as_of, fact.when):
            reason = "is dated after the time of judgement"
            remarks.append(Remark("set-aside", reason, fact.source, about=fact.fact, code="future"))
            continue
        groups.setdefault(fact.fact, []).append(fact)
    kept = []
    for name in sorted(groups):
        group = sorted(groups[name], key=_age)
        if name in _MARKERS.values() and len({fact.state for fact in group}) > 1:
            reason = "is named positive in one place and negative in another"
            remarks.extend(
                Remark("conflict", reason, fact.source, about=name, code="marker") for fact in group
            )
            continue
        newest = group[-1]
        if name == "pregnancy":
            # a test that denies it does not end a pregnancy that is on the problem list (rules 11.12)
            listed = [
                f for f in group if f.state == "present" and f.source.reference.startswith("Condition/")
            ]
            newest = listed[-1] if listed else newest
        kept.append(newest)
    return tuple(kept)


def _age(fact: SafetyFact) -> tuple[bool, bool, date, date, str, str, str]:
    day = fact.when
    moment = day.moment.isoformat() if day is not None and day.moment else ""
    first, last = (day.first, day.last) if day else (date.min, date.min)
    current = "(past" not in fact.value
    return (current, day is not None, first, last, moment, fact.source.reference, fact.source.element)


def age_days(fact: SafetyFact, as_of: ClinicalDate) -> int | None:
    """Days from the fact to the day of judgement; None where the day is not known."""
    return days_between(fact.when, as_of) if fact.when is not None else None
