"""Findings on the problem list that options ask about, and genetic markers where the chart names them.

Sources: rules 11.12 (resolved or refuted findings exclude nothing; pregnancy), 6 (BCR::ABL1, KMT2A in B-ALL).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from mappings.dates import ClinicalDate, before
from mappings.facts import PatientFacts, Remark, SafetyFact, SourceRef
from mappings.loading import Concept, Knowledge
from mappings.reading import when, wire
from mappings.reading.chart import Hit
from mappings.reading.denial import Names, plain
from mappings.reading.disease import clinical_status_of, verification_of
from mappings.reading.measurements import Polarity
from mappings.reading.recognise import label_of, texts_of
from mappings.reading.vocabulary import Vocabulary

_REFUTED = frozenset({"refuted", "entered-in-error"})
_DOUBTED = frozenset({"unconfirmed", "provisional", "differential"})
_OVER = frozenset({"resolved", "inactive", "remission"})
# Facts that only count while they last; of any other finding an earlier episode matters too, and is marked as
# past.
_CURRENT_ONLY = frozenset(
    {"active-infection", "pregnancy", "effusion-or-oedema", "car-t-toxicity", "cytopenia"}
)
_NOT_TAKEN = frozenset({"not-done", "entered-in-error", "cancelled", "draft", "not-taken", "intended"})
_OPEN_ORDER = frozenset({"active", "on-hold", "unknown", ""})
MARKERS = {"bcr_abl1": "bcr-abl1-status", "kmt2a": "kmt2a-status"}
_MARKER_NAMES = {
    "bcr-abl1-status": re.compile(r"\bbcr\W{0,3}abl|\bphiladelphia\b", re.IGNORECASE),
    "kmt2a-status": re.compile(r"\bkmt2a\b", re.IGNORECASE),
}
_CLAUSE = re.compile(r"[.;,\n]")
_LONGEST_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Setting:
    """Whose facts are read, as of when, with which knowledge and words; one per chart."""

    patient: PatientFacts
    as_of: ClinicalDate
    knowledge: Knowledge
    vocabulary: Vocabulary
    polarity: Polarity
    names: Names


def read_finding(hit: Hit, setting: Setting, found: list[SafetyFact], remarks: list[Remark]) -> None:
    """A problem-list entry as the findings it names: present, past or not confirmed; denied ones leave a
    remark.
    """
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
    texts = texts_of(resource.code)
    if (
        setting.names.denied(texts)
        or setting.names.are("family", texts)
        or _no_pregnancy(named, label, setting)
    ):
        reason = "denies the finding or is about the family"
        remarks.append(Remark("set-aside", reason, source, about=min(named), code="negated"))
        return
    not_confirmed = setting.names.are("doubt", texts)
    day = (
        when.date_at(resource.onsetDateTime)
        or when.period(resource.onsetPeriod)
        or when.date_at(resource.recordedDate)
    )
    status = clinical_status_of(resource, setting.knowledge)
    ended = when.date_at(resource.abatementDateTime)
    over = status in _OVER or (ended is not None and before(ended, setting.as_of) is True)
    over = over or setting.names.are("history", texts)
    for name, concept in sorted(named.items()):
        over_here = over or concept.text("state") == "remission"
        if over_here and name in _CURRENT_ONLY:
            continue
        if name == "pregnancy" and not within_gestation(day, setting):
            continue
        said = (
            ("past", over_here),
            ("unconfirmed", verification in _DOUBTED),
            ("not confirmed", not_confirmed),
        )
        marks = [word for word, holds in said if holds]
        value = label + (f" ({', '.join(marks)})" if marks else "")
        state = "value" if over_here or not_confirmed else "present"
        found.append(SafetyFact(name, state, value, day, source, as_charted=label))


def read_medicine(hit: Hit, setting: Setting, found: list[SafetyFact]) -> None:
    """A drug that options ask about (anticoagulant, strong CYP3A inhibitor): given, or on order and said so."""
    named = {concept.id for concept in hit.of("safety-condition")}
    if not named or hit.status in _NOT_TAKEN:
        return
    resource = hit.resource
    ordered = resource.resourceType == "MedicationRequest"
    if ordered and (hit.status not in _OPEN_ORDER or wire.peek(resource.doNotPerform, bool) is True):
        return
    label = label_of(resource.code or resource.medicationCodeableConcept)
    day = when.date_at(resource.authoredOn) if ordered else when.last_given(resource)
    source = SourceRef(hit.reference, "code", label)
    value = f"{label} (ordered)" if ordered else label
    for name in sorted(named):
        found.append(SafetyFact(name, "present", value, day, source, as_charted=label))


def _no_pregnancy(named: Mapping[str, Concept], label: str, setting: Setting) -> bool:
    return "pregnancy" in named and setting.polarity.of_text(plain(label)) == "absent"


def _markers(hit: Hit, verification: str, source: SourceRef, found: list[SafetyFact]) -> None:
    """BCR::ABL1 and KMT2A as the diagnosis names them; unproven diagnoses name nothing."""
    if verification in _REFUTED or verification in _DOUBTED:
        return
    for concept in hit.of("diagnosis"):
        for attribute, fact in MARKERS.items():
            said = concept.text(attribute)
            if said:
                state = "present" if said == "positive" else "absent"
                day = when.date_at(hit.resource.onsetDateTime) or when.date_at(hit.resource.recordedDate)
                found.append(SafetyFact(fact, state, source.quote or concept.label, day, source))


def within_gestation(day: ClinicalDate | None, setting: Setting) -> bool:
    """Whether a pregnancy charted on this day may still last; one without a date may (rules 11.12)."""
    if day is None:
        return True
    limit = timedelta(weeks=setting.knowledge.policy.gestation_weeks)
    return day.last + limit >= setting.as_of.first


def read_marker_text(hit: Hit, setting: Setting, day: ClinicalDate | None, found: list[SafetyFact]) -> None:
    """A result that names BCR::ABL1 or KMT2A as present; one that denies it may only measure residual
    disease.
    """
    resource = hit.resource
    coded = wire.peek(resource.valueCodeableConcept, wire.Concept)
    text = (wire.peek(resource.valueString, str) or label_of(coded))[:_LONGEST_TEXT]
    label = label_of(resource.code)
    for fact, pattern in _MARKER_NAMES.items():
        clauses = [label + " " + text] if pattern.search(label) else _CLAUSE.split(text)
        for clause in clauses:
            if pattern.search(clause) and setting.polarity.of_text(clause) == "present":
                source = SourceRef(hit.reference, "value", clause.strip())
                found.append(
                    SafetyFact(fact, "present", clause.strip(), day, source, as_charted=clause.strip())
                )
                break
