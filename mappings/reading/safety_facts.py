"""What options ask about before use: values, findings and earlier treatments, as charted, with date and
source.

Sources: rules 6, 9.7 and 11.12 (facts that exclude; everything else is shown without pass or fail); hazards
H-25 (units) and H-38 (a check that was missed). A fact that was not seen has no entry: nobody may read that
as *no*.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from mappings.dates import ClinicalDate, before
from mappings.facts import PatientFacts, PriorTherapy, Remark, SafetyFact, SourceRef
from mappings.loading import Concept, Knowledge
from mappings.reading import when, wire
from mappings.reading.chart import Hit, reference_key
from mappings.reading.disease import clinical_status_of, verification_of
from mappings.reading.measurements import Polarity, Reading, polarity_of, read_measurement
from mappings.reading.recognise import label_of, texts_of
from mappings.reading.safety_history import facts_from_therapies
from mappings.reading.vocabulary import Vocabulary

Recognise = Callable[[wire.Concept | None], tuple[Concept, ...]]

_NO_RESULT = frozenset({"registered", "cancelled", "entered-in-error"})
_KEPT_PER_FINDING = 5
_REFUTED = frozenset({"refuted", "entered-in-error"})
_DOUBTED = frozenset({"unconfirmed", "provisional", "differential"})
_OVER = frozenset({"resolved", "inactive", "remission"})
# Facts that only count while they last; of any other finding an earlier episode matters too, and is marked as
# past.
_CURRENT_ONLY = frozenset(
    {"active-infection", "pregnancy", "effusion-or-oedema", "car-t-toxicity", "cytopenia"}
)
# "Not otherwise specified" denies nothing.
_UNSPECIFIED = re.compile(
    r"\bnot\s+(?:otherwise\s+|elsewhere\s+)?(?:specified|classified|further\s+specified)\b", re.IGNORECASE
)
_MARKERS = {"bcr_abl1": "bcr-abl1-status", "kmt2a": "kmt2a-status"}


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
    found.extend(facts_from_therapies(therapies))
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
                Remark("set-aside", _reason(reading, concept), source, about=concept.id, code=reading)
            )
        return
    quoted = SourceRef(source.reference, source.element, reading.as_charted or source.quote)
    fact = _fact(concept.id, "value", reading, day, quoted, status)
    if concept.kind == "safety":
        found.append(fact)
        _pregnancy(concept, reading, fact, setting, found)
    elif reading.polarity:
        found.append(_fact(concept.id, reading.polarity, reading, day, quoted, status))


def _reason(code: str, concept: Concept) -> str:
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
    names = _UNSPECIFIED.sub(" ", " ; ".join(texts_of(resource.code)))
    qualifiers = setting.vocabulary.qualifiers
    denied = qualifiers["negated"].any_in(names) or setting.polarity.of_text(names) == "absent"
    if denied or qualifiers["family"].any_in(names):
        reason = "denies the finding or is about the family"
        remarks.append(Remark("set-aside", reason, source, about=min(named), code="negated"))
        return
    asked_only = qualifiers["doubt"].any_in(names)
    day = (
        when.date_at(resource.onsetDateTime)
        or when.period(resource.onsetPeriod)
        or when.date_at(resource.recordedDate)
    )
    status = clinical_status_of(resource, setting.knowledge)
    ended = when.date_at(resource.abatementDateTime)
    over = status in _OVER or (ended is not None and before(ended, setting.as_of) is True)
    over = over or qualifiers["history"].any_in(names)
    for name, concept in sorted(named.items()):
        over_here = over or concept.text("state") == "remission"
        if over_here and name in _CURRENT_ONLY:
            continue
        if name == "pregnancy" and not _within_gestation(day, setting):
            continue
        said = (
            ("past", over_here),
            ("unconfirmed", verification in _DOUBTED),
            ("asked for only", asked_only),
        )
        marks = [word for word, holds in said if holds]
        value = label + (f" ({', '.join(marks)})" if marks else "")
        state = "value" if over_here or asked_only else "present"
        found.append(SafetyFact(name, state, value, day, source, as_charted=label))


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


def _newest(
    found: Iterable[SafetyFact], as_of: ClinicalDate, remarks: list[Remark]
) -> tuple[SafetyFact, ...]:
    """The newest entry of each fact; of findings on the problem list all that are present, newest first."""
    groups: dict[str, list[SafetyFact]] = {}
    for fact in found:
        if fact.when is not None and before(as_of, fact.when):
            reason = "is dated after the time of judgement"
            remarks.append(Remark("set-aside", reason, fact.source, about=fact.fact, code="future"))
        else:
            groups.setdefault(fact.fact, []).append(fact)
    kept: list[SafetyFact] = []
    for name in sorted(groups):
        group = sorted(dict.fromkeys(groups[name]), key=_age, reverse=True)
        if name in _MARKERS.values() and len({fact.state for fact in group}) > 1:
            reason = "is named positive in one place and negative in another"
            remarks.extend(
                Remark("conflict", reason, fact.source, about=name, code="marker") for fact in group
            )
            continue
        # a test that denies it does not end a pregnancy that is on the problem list (rules 11.12)
        listed = [fact for fact in group if fact.state == "present" and _is_listed(fact)]
        kept.extend(_distinct(listed)[:_KEPT_PER_FINDING] if listed else group[:1])
    return tuple(kept)


def _is_listed(fact: SafetyFact) -> bool:
    return fact.source.reference.startswith("Condition/")


def _distinct(facts: Iterable[SafetyFact]) -> list[SafetyFact]:
    """One entry per wording, the newest."""
    kept: dict[str, SafetyFact] = {}
    for fact in facts:
        kept.setdefault(fact.value.lower(), fact)
    return list(kept.values())


def _age(fact: SafetyFact) -> tuple[bool, date, date, str, str, str, str]:
    day = fact.when
    moment = day.moment.isoformat() if day is not None and day.moment else ""
    first, last = (day.first, day.last) if day is not None else (date.min, date.min)
    return (day is not None, first, last, moment, fact.source.reference, fact.source.element, fact.value)
