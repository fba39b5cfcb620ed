"""Lymphoid malignancies on the problem list, and what the list itself says of their course.

Sources: terminology (diagnosis traps), rules 11.8, 11.9, 11.16; hazards H-29, H-30.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mappings.facts import Certainty, Diagnosis, DiseaseEvent, EventKind, Remark, Sighting, SourceRef
from mappings.loading import Concept, Knowledge
from mappings.reading import when, wire
from mappings.reading.chart import Chart, Hit
from mappings.reading.misfits import misfit_remark, read_concept
from mappings.reading.problem_course import event_of, is_visit_only, relapsed_after_car_t, stated_kinds
from mappings.reading.recognise import Recogniser, label_of, texts_of, words_of
from mappings.reading.vocabulary import Vocabulary

_BESIDE = 4  # words before a disease in which a qualifier speaks of it
FINDINGS = {
    "relapse-finding": "relapse",
    "refractory-finding": "refractory",
    "remission-finding": "remission",
}
_SCOPE_ORDER = {"in": 0, "outside": 1, "excluded": 2, "unspecified": 3}
_GROUP_FIRST = {"richter": 0}


@dataclass(slots=True)
class DiseaseReading:
    """What the Conditions of a chart say."""

    diagnoses: list[Diagnosis] = field(default_factory=list)
    events: list[DiseaseEvent] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    cns: list[Sighting] = field(default_factory=list)
    lineage_switch: list[Sighting] = field(default_factory=list)
    t_cell_malignancy: list[Sighting] = field(default_factory=list)
    unconfirmed: int = 0


def verification_of(resource: wire.Resource) -> str:
    """Condition.verificationStatus, trimmed; empty where not given."""
    return _first_code(read_concept(resource.verificationStatus)[0])


def _first_code(concept: wire.Concept | None) -> str:
    for coding in (concept.coding or ()) if concept else ():
        if coding.code:
            return coding.code.strip().lower()
    return concept.text.strip().lower() if concept and concept.text else ""


def clinical_status_of(resource: wire.Resource, knowledge: Knowledge) -> str:
    """Condition.clinicalStatus as relapse, active, remission, inactive, resolved or unknown (ConceptMap)."""
    code = _first_code(read_concept(resource.clinicalStatus)[0])
    return knowledge.clinical_status.get(code, "unknown" if code else "")


def read_diseases(
    chart: Chart, knowledge: Knowledge, recogniser: Recogniser, vocabulary: Vocabulary
) -> DiseaseReading:
    """Reads every Condition of this patient; refuted ones and family history become remarks."""
    reading = DiseaseReading()
    for hit in chart.of_type("Condition"):
        _read_condition(hit, knowledge, recogniser, vocabulary, reading)
    for hit in chart.of_type("FamilyMemberHistory"):
        reading.remarks.append(
            Remark(
                "set-aside", "is family history, not this patient", SourceRef(hit.reference), code="family"
            )
        )
    return reading


def _read_condition(
    hit: Hit, knowledge: Knowledge, recogniser: Recogniser, vocabulary: Vocabulary, reading: DiseaseReading
) -> None:
    resource = hit.resource
    label = label_of(resource.code)
    source = SourceRef(hit.reference, "code", label)
    verification = verification_of(resource)
    reading.remarks.extend(_misfits(hit, verification))
    if not any(c.kind == "diagnosis" or c.kind in _COUNTED for c in hit.concepts):
        _bare_relapse(hit, knowledge, vocabulary, reading)
        return
    if verification in ("refuted", "entered-in-error"):
        reading.remarks.append(
            Remark("set-aside", f"is {verification}", source, code="refuted", about="diagnosis")
        )
        return
    qualifiers = _qualifiers(hit, recogniser, vocabulary)
    if "family" in qualifiers or _is_family_code(hit):
        reading.remarks.append(
            Remark("set-aside", "is family history, not this patient", source, code="family")
        )
        return
    doubted = verification in ("unconfirmed", "provisional", "differential")
    if doubted or "doubt" in qualifiers:
        reading.unconfirmed += 1
        reading.remarks.append(
            Remark(
                "set-aside", "is not confirmed as a diagnosis", source, code="unconfirmed", about="diagnosis"
            )
        )
        return
    status = clinical_status_of(resource, knowledge)
    _special_findings(hit, status, source, reading, resource)
    concept = most_telling(hit.of("diagnosis"))
    finding = next((c for c in hit.concepts if c.kind in FINDINGS), None)
    if concept is None and finding is None:
        if hit.of("diagnosis-history"):
            reading.diagnoses.append(_history_diagnosis(hit, source))
        return
    diagnosis = _diagnosis(hit, concept, finding, status, source, "history" in qualifiers, vocabulary)
    if diagnosis is None:
        return
    reading.diagnoses.append(diagnosis)
    if not diagnosis.history and diagnosis.scope != "excluded":
        event = event_of(diagnosis)
        if event is not None:
            reading.events.append(event)


def _misfits(hit: Hit, verification: str) -> Iterator[Remark]:
    """Names a status of a wrong form, of a disease or CAR T only: it may have said relapse, or that it is over."""
    if verification in ("refuted", "entered-in-error"):
        return
    if not any(
        c.kind == "diagnosis" or c.kind in _COUNTED or c.kind.startswith("car-t") for c in hit.concepts
    ):
        return
    members = ("clinicalStatus", "verificationStatus")
    odd = [name for name in members if not read_concept(getattr(hit.resource, name))[1]]
    if odd:
        yield misfit_remark(hit.reference, odd)


def _bare_relapse(hit: Hit, knowledge: Knowledge, vocabulary: Vocabulary, reading: DiseaseReading) -> None:
    """A problem that says only "relapse after axi-cel": the disease stands in another entry (rules 11.9)."""
    resource = hit.resource
    names = " ; ".join(texts_of(resource.code))
    if not any(concept.kind.startswith("car-t") for concept in hit.concepts):
        return
    if not relapsed_after_car_t(names) or verification_of(resource) not in ("", "confirmed"):
        return
    if clinical_status_of(resource, knowledge) in ("remission", "resolved", "inactive"):
        return
    if any(vocabulary.qualifiers[kind].any_in(names) for kind in ("family", "history", "doubt", "negated")):
        return
    source = SourceRef(hit.reference, "code", label_of(resource.code))
    onset, recorded = when.date_at(resource.onsetDateTime), when.date_at(resource.recordedDate)
    reading.events.append(
        DiseaseEvent(
            EventKind.RELAPSE,
            Certainty.STATED,
            None,
            source,
            current=True,
            words=source.quote,
            onset=onset,
            recorded=recorded,
        )
    )


_COUNTED = frozenset(
    {"diagnosis-history", "cns-involvement", "lineage-switch", "t-cell-malignancy-after-car-t", *FINDINGS}
)


def _qualifiers(hit: Hit, recogniser: Recogniser, vocabulary: Vocabulary) -> set[str]:
    """Which of family, history and doubt stand right before the disease in every name that holds it.

    "History of DLBCL" is past; "DLBCL with history of axi-cel" is not.
    """
    found: set[str] | None = None
    for name in texts_of(hit.resource.code):
        words = words_of(name)
        spans = [(start, end) for start, end, c in recogniser.phrases.find(name) if c.kind == "diagnosis"]
        before_this = 0
        for start, end in spans:
            ahead = words[max(before_this, start - _BESIDE) : start]
            now = max(
                (at + 1 for at, word in enumerate(ahead) if vocabulary.now_words.any_in(word)), default=0
            )
            before_this = end
            here = {
                kind
                for kind in ("family", "history", "doubt")
                if vocabulary.qualifiers[kind].any_in(" ".join(ahead[now:]))
            }
            if words[end : end + 1] in (["in"], ["of"]) and vocabulary.names_another(
                " ".join(words[end + 1 : end + 3])
            ):
                here.add("family")
            found = here if found is None else found & here
    if found is None:  # the name holds no disease: whatever qualifies stands for all of it
        names = " ; ".join(texts_of(hit.resource.code))
        return {kind for kind in ("family", "history", "doubt") if vocabulary.qualifiers[kind].any_in(names)}
    return found


def _is_family_code(hit: Hit) -> bool:
    return any(c.kind == "diagnosis-history" and c.attributes.get("family") for c in hit.concepts)


def _special_findings(
    hit: Hit, status: str, source: SourceRef, reading: DiseaseReading, resource: wire.Resource
) -> None:
    if status in ("resolved", "inactive", "remission"):
        return
    sighting = Sighting(source, when.date_at(resource.onsetDateTime) or when.date_at(resource.recordedDate))
    if any(c.attributes.get("cns") for c in hit.of("diagnosis")):
        # a lymphoma of the CNS is there whenever it is active, whatever its onset (rules 7)
        reading.cns.append(Sighting(source, None))
    elif hit.of("cns-involvement"):
        reading.cns.append(sighting)
    if hit.of("lineage-switch"):
        reading.lineage_switch.append(sighting)
    if hit.of("t-cell-malignancy-after-car-t"):
        reading.t_cell_malignancy.append(sighting)


def most_telling(concepts: tuple[Concept, ...]) -> Concept | None:
    """Of several names for one entry the one that says most: Richter, transformed, PMBCL, then in, outside, excluded."""
    if not concepts:
        return None
    if any(
        concept.attributes.get("group") == "burkitt" for concept in concepts
    ):  # "Burkitt leukaemia (B-ALL L3)"
        concepts = tuple(c for c in concepts if c.attributes.get("group") != "b-all")

    def rank(concept: Concept) -> tuple[int, int, int, int, str]:
        attributes = concept.attributes
        return (
            _GROUP_FIRST.get(str(attributes.get("group")), 1),
            0 if attributes.get("transformed") or attributes.get("pmbcl") else 1,
            _SCOPE_ORDER.get(str(attributes.get("scope")), 4),
            1 if attributes.get("group") == "fl" else 0,
            concept.id,
        )

    return min(concepts, key=rank)


def _history_diagnosis(hit: Hit, source: SourceRef) -> Diagnosis:
    concept = hit.of("diagnosis-history")[0]
    return Diagnosis(
        disease=concept.id,
        label=source.quote or concept.label,
        scope="unspecified",
        status="history",
        recorded=None,
        onset=None,
        source=source,
        history=True,
    )


def _diagnosis(
    hit: Hit,
    concept: Concept | None,
    finding: Concept | None,
    status: str,
    source: SourceRef,
    past: bool,
    vocabulary: Vocabulary,
) -> Diagnosis | None:
    resource = hit.resource
    attributes = dict(concept.attributes) if concept else {}
    if concept is None and finding is not None:
        group = str(finding.attributes.get("group") or "any")
        if group == "any":
            return None
        attributes = {
            "group": group,
            "scope": finding.attributes.get("scope", "unspecified"),
            "disease": group,
        }
    states = {str(c.attributes.get("state") or "") for c in hit.of("diagnosis")} - {""}
    states |= {FINDINGS[c.kind] for c in hit.concepts if c.kind in FINDINGS}
    names = " ; ".join(texts_of(resource.code))
    states |= stated_kinds(names)
    if not any(vocabulary.qualifiers[kind].any_in(names) for kind in ("negated", "doubt")):
        states |= {kind for kind, words in vocabulary.course_in_names.items() if words.any_in(names)}
    is_history = bool(hit.of("diagnosis-history")) or past
    return Diagnosis(
        disease=str(attributes.get("disease") or (concept.id if concept else "")),
        label=source.quote or (concept.label if concept else ""),
        scope=str(attributes.get("scope") or "unspecified"),
        status=status,
        recorded=when.date_at(resource.recordedDate),
        onset=when.date_at(resource.onsetDateTime) or when.period(resource.onsetPeriod),
        source=source,
        history=is_history,
        remission_code="remission" in states,
        relapse_code=bool(states & {"relapse", "refractory"}),
        cns=bool(attributes.get("cns")) or bool(hit.of("cns-involvement")),
        transformed=bool(attributes.get("transformed")),
        visit_only=is_visit_only(resource),
        coded_state=next((state for state in ("relapse", "refractory", "remission") if state in states), ""),
        group=str(attributes.get("group") or ""),
        pmbcl=any(c.attributes.get("pmbcl") for c in hit.of("diagnosis")),
        after_car_t=relapsed_after_car_t(names),
    )
