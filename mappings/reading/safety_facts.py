"""What options ask about before use: values, findings and earlier treatments, as charted, with date and
source.

Sources: rules 6, 9.7 and 11.12 (facts that exclude; everything else is shown without pass or fail); hazards
H-25 (units) and H-38 (a check that was missed). A fact that was not seen has no entry: nobody may read that
as *no*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date

from mappings.dates import ClinicalDate, before
from mappings.facts import PatientFacts, PriorTherapy, Remark, SafetyFact, SourceRef
from mappings.loading import Concept, Knowledge
from mappings.reading import when, wire
from mappings.reading.chart import Hit, reference_key
from mappings.reading.denial import Names
from mappings.reading.measurements import NO_RESULT, Reading, polarity_of, read_measurement
from mappings.reading.recognise import label_of, texts_of
from mappings.reading.safety_findings import (
    MARKERS,
    Setting,
    read_finding,
    read_marker_text,
    read_medicine,
    within_gestation,
)
from mappings.reading.safety_history import facts_from_therapies
from mappings.reading.vocabulary import Vocabulary

Recognise = Callable[[wire.Concept | None], tuple[Concept, ...]]

_NO_RESULT = frozenset({"registered", "cancelled", "entered-in-error"})
_MEDICINES = frozenset({"MedicationAdministration", "MedicationStatement", "MedicationRequest"})
_KEPT_PER_FINDING = 5
# Of these every entry is read: what the newest one says may depend on an earlier one.
_EACH_READ = frozenset({"pregnancy-status", "pregnancy-test", "hcg"})


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
    setting = Setting(patient, as_of, knowledge, vocabulary, polarity_of(knowledge), Names(vocabulary))
    found: list[SafetyFact] = []
    remarks: list[Remark] = []
    series: dict[str, list[Hit]] = {}
    single: dict[int, str] = {}  # by identity: a recogniser gives one tuple per name
    for hit in hits:
        kind = hit.resource.resourceType
        if kind == "Observation":
            name = single.get(id(hit.concepts))
            if name is None:
                name = single[id(hit.concepts)] = _only_value(hit)
            if name and hit.resource.effectiveDateTime and not hit.resource.component:
                series.setdefault(name, []).append(hit)
            else:
                _observation(hit, setting, recognise, found, remarks)
        elif kind == "Condition" and hit.concepts:
            read_finding(hit, setting, found, remarks)
        elif kind in _MEDICINES and hit.concepts:
            read_medicine(hit, setting, found)
    for rows in series.values():
        _newest_of_series(rows, setting, found, remarks)
    found.extend(facts_from_therapies(therapies))
    return _newest(found, as_of, remarks), tuple(remarks)


def _only_value(hit: Hit) -> str:
    """The one laboratory fact a name stands for; empty where every entry has to be looked at."""
    named = {concept.id for concept in hit.of("safety", "safety-condition")}
    return named.pop() if len(named) == 1 and not named & _EACH_READ else ""


def _newest_of_series(
    rows: list[Hit], setting: Setting, found: list[SafetyFact], remarks: list[Remark]
) -> None:
    """Reads a series of dated values from its newest day back until one stands."""
    rows.sort(key=_written_day, reverse=True)
    until = setting.as_of.last.isoformat()
    day = ""
    for hit in rows:
        written = _written_day(hit)
        if day and written != day:
            return
        kept = len(found)
        _observation(hit, setting, None, found, remarks)
        if len(found) > kept and written <= until:
            day = written


def _written_day(hit: Hit) -> str:
    return (hit.resource.effectiveDateTime or "").strip()[:10]


def _observation(
    hit: Hit, setting: Setting, recognise: Recognise | None, found: list[SafetyFact], remarks: list[Remark]
) -> None:
    resource = hit.resource
    named = hit.of("safety", "safety-condition")
    has_parts = recognise is not None and bool(resource.component)
    if hit.status in _NO_RESULT:
        return
    if not named and not has_parts:
        if not hit.concepts and not _about_another(resource, setting.patient):
            read_marker_text(hit, setting, when.effective(resource), found)
        return
    source = SourceRef(hit.reference, "value", label_of(resource.code))
    if _about_another(resource, setting.patient) or _named_another(resource, setting):
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


def _named_another(resource: wire.Resource, setting: Setting) -> bool:
    """Whether the name of a result says whose it is: a donor's or a relative's (rules 11.14)."""
    return any(setting.vocabulary.names_another(name) for name in texts_of(resource.code))


def _result(
    holder: wire.Resource,
    code: wire.Concept | None,
    named: Sequence[Concept],
    status: str,
    day: ClinicalDate | None,
    source: SourceRef,
    setting: Setting,
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
    if code == NO_RESULT:
        return f"says that {concept.label} has no result yet or could not be measured"
    return f"says nothing of {concept.label}"


def _fact(
    name: str, state: str, reading: Reading, day: ClinicalDate | None, source: SourceRef, status: str
) -> SafetyFact:
    value = reading.value + (" (preliminary)" if status == "preliminary" else "")
    return SafetyFact(name, state, value, day, source, reading.number, reading.unit, reading.as_charted)


def _pregnancy(
    concept: Concept, reading: Reading, fact: SafetyFact, setting: Setting, found: list[SafetyFact]
) -> None:
    """A status or test that says pregnant and is not older than a gestation is current (rules 11.12)."""
    if concept.id not in ("pregnancy-status", "pregnancy-test") or not reading.polarity:
        return
    if reading.polarity == "present" and not within_gestation(fact.when, setting):
        return
    value = f"{concept.label}: {fact.value}"
    found.append(
        SafetyFact("pregnancy", reading.polarity, value, fact.when, fact.source, as_charted=fact.as_charted)
    )


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
        if name in MARKERS.values() and len({fact.state for fact in group}) > 1:
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
    """Whether the fact is an entry of the problem or medication list, of which several may hold at once."""
    return fact.source.reference.startswith(("Condition/", "Medication"))


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
