"""Resources to one `Evaluation`: read, weigh, categorise, match options. Pure; the time of judgement is passed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache

from mappings.dates import ClinicalDate, parse_date
from mappings.deciding import category as questions
from mappings.deciding.antigen_order import Window
from mappings.deciding.antigen_state import view_antigen
from mappings.deciding.antigen_words import marks_on
from mappings.deciding.course import anchor_of, days_to_relapse, read_course, response_before_relapse
from mappings.deciding.course_model import Course
from mappings.deciding.disease_choice import DiseaseChoice, choose_disease
from mappings.deciding.gaps import SILENT, missing_items
from mappings.deciding.options import age_group, match_options
from mappings.deciding.options_plan import AgeGroup
from mappings.deciding.timeline import build_timeline
from mappings.evaluation import (
    AntigenView,
    Assessment,
    Branch,
    Evaluation,
    KnowledgeStamp,
    Outcome,
    RelapseCategory,
    Timing,
)
from mappings.facts import Antigen, Certainty, EventKind, Facts, PatientFacts, Remark
from mappings.loading import Knowledge
from mappings.loading.same import SameKnowledge
from mappings.reading.decode import Decoded
from mappings.reading.facts_of import ChartReader
from mappings.sources import is_stated

REGIONS = ("US", "EU")
_ASSESSED = frozenset({"antigen", "course", "car-t", "diagnosis", "report", "monitoring"})


@lru_cache(maxsize=32)
def _reader(knowledge: SameKnowledge) -> ChartReader:
    """One reader per knowledge, so that recognition is memoised across charts."""
    return ChartReader.of(knowledge.value)


def evaluate(
    decoded: Decoded,
    knowledge: Knowledge,
    *,
    patient_id: str,
    as_of: datetime,
    regions: Sequence[str] = REGIONS,
    safety: bool = False,
) -> Evaluation:
    """The relapse category and options of one patient's chart as judged at `as_of` (design, one hook call).

    `as_of` needs a zone. Reading never raises on a chart; what could not be read is in the assessment. With `safety`
    the values that orders ask about are read whatever the category (rules 11.12).
    """
    moment = _clinical_moment(as_of)
    reader = _reader(SameKnowledge(knowledge))
    facts, chart = reader.read(decoded, patient_id, moment)
    assessment = assess(facts, knowledge, moment)
    to_lay_out = assessment.category not in SILENT or assessment.branch is not None
    if to_lay_out or safety:
        facts = reader.read_safety(chart, facts, moment)
    if to_lay_out:
        marks = reader.validator.remarks(_deciding(assessment), chart)
        assessment = replace(assessment, remarks=(*assessment.remarks, *marks))
    made = decide(facts, assessment, knowledge, moment, tuple(regions))
    return replace(made, safety_read=to_lay_out or safety)


def _deciding(assessment: Assessment) -> set[str]:
    """References of the resources that made the answer: those of criteria that hold, and the antigen results."""
    sources = {
        s.reference for step in assessment.trail if step.outcome is Outcome.HOLDS for s in step.sources
    }
    return sources | {r.source.reference for view in assessment.antigens for r in view.results}


def decide(
    facts: Facts, assessment: Assessment, knowledge: Knowledge, as_of: ClinicalDate, regions: tuple[str, ...]
) -> Evaluation:
    """Facts and their assessment to an evaluation."""
    matches = match_options(assessment, facts, knowledge, regions, as_of)
    extra = [r for r in facts.remarks if r.about not in _ASSESSED]
    if matches and age_group(assessment) is AgeGroup.CHILD:
        extra.append(Remark("remark", _CHILD_NOTE, None, about="", code="child"))
    assessment = replace(
        assessment,
        missing=missing_items(assessment, facts, matches),
        conflicts=_of_kind([*assessment.conflicts, *extra], "conflict"),
        set_aside=_of_kind([*assessment.set_aside, *extra], "set-aside"),
        unread=_of_kind([*assessment.unread, *extra], "unread"),
        remarks=_of_kind([*assessment.remarks, *extra], "remark"),
    )
    return Evaluation(
        assessment=assessment,
        matches=matches,
        timeline=build_timeline(facts, assessment),
        knowledge=KnowledgeStamp(knowledge.version, knowledge.digest, knowledge.overlay),
        facts=facts,
        as_of=as_of.text,
        regions=regions,
    )


_CHILD_NOTE = "the patient is a child: labels and figures are of adults wherever no other age group is named"


def assess(facts: Facts, knowledge: Knowledge, as_of: ClinicalDate) -> Assessment:
    """Category, axes and trail, before any option is looked at."""
    disease = choose_disease(facts, anchor_of(facts.infusions))
    course = read_course(facts, disease.group)
    policy = knowledge.policy
    window = Window(policy.window_days, policy.max_age_days(disease.group))
    cns = questions.after_anchor(facts.cns, course)
    isolated = questions.isolated_cns_relapse(cns, course)
    given = questions.has_cd19_car_t(facts, course)
    unplaced = course.anchor is None and given.outcome is Outcome.UNKNOWN
    views, antigen_remarks = _antigens(facts, course, window, isolated, unplaced=unplaced)
    course = _date_by_specimen(course, views)
    cd19 = next(view for view in views if view.antigen is Antigen.CD19)
    trail = [
        questions.is_deceased(facts, as_of),
        questions.has_lymphoid_malignancy(facts, course),
        given,
        questions.has_relapse(facts, course),
        questions.has_lineage_switch(facts, course),
        questions.cd19_state(cd19.state, cd19.because, tuple(r.source for r in cd19.results)),
    ]
    category = questions.categorise(trail, cd19.state)
    t_cell = questions.after_anchor(facts.t_cell_malignancy, course)
    branch = questions.branch_of(category, t_cell, isolated or questions.is_cns_lymphoma(facts), course)
    remarks = [*facts.remarks, *course.remarks, *antigen_remarks]
    return Assessment(
        category=category,
        branch=branch,
        confirmation=course.certainty if trail[3].outcome is Outcome.HOLDS else Certainty.NONE,
        antigens=views,
        timing=_timing(course, knowledge, views),
        disease=disease.diagnosis,
        disease_group=disease.group,
        disease_scope=disease.scope,
        age_years=age_at(facts.patient, as_of),
        pmbcl=disease.pmbcl,
        cns=bool(cns),
        anchor=course.anchor,
        trail=tuple(trail),
        missing=(),
        conflicts=_of_kind(remarks, "conflict"),
        set_aside=_of_kind(remarks, "set-aside"),
        unread=_of_kind(remarks, "unread"),
        remarks=_of_kind(remarks, "remark") + _notes(disease, course),
        confirmation_sources=tuple(
            item.event.source for item in course.relapse if item.event.certainty is course.certainty
        ),
    )


def _antigens(
    facts: Facts, course: Course, window: Window, isolated_cns: bool, *, unplaced: bool
) -> tuple[tuple[AntigenView, ...], list[Remark]]:
    views, remarks = [], []
    for antigen in Antigen:
        view, notes = view_antigen(antigen, facts, course, window, isolated_cns, unplaced=unplaced)
        mark = marks_on(antigen, view, facts.therapies)
        if mark:
            view = replace(view, because=f"{view.because} ({mark})")
        views.append(view)
        remarks.extend(notes)
    return tuple(views), remarks


def _date_by_specimen(course: Course, views: tuple[AntigenView, ...]) -> Course:
    """If only the specimen dates the relapse, its date is the relapse date (11.3)."""
    if not course.in_relapse or course.start is not None:
        return course
    found = [r for view in views for r in view.results if r.collected is not None]
    charted = [r for r in found if not is_stated(r.source)]
    dates = [r.collected for r in charted or found if r.collected is not None]
    if dates:
        course.start = min(dates, key=lambda d: d.first)
    return course


def _timing(course: Course, knowledge: Knowledge, views: tuple[AntigenView, ...]) -> Timing:
    if not course.in_relapse:
        return Timing(None, None, None)
    days = days_to_relapse(course)
    row = knowledge.policy.timing_bin(days) if days is not None else None
    response = response_before_relapse(course)
    refractory: bool | None = None
    if response is not None:
        refractory = False
    elif course.refractory_stated:
        refractory = True
    source = next((item.event.source for item in course.relapse if item.date is course.start), None)
    if source is None and course.start is not None:
        results = (result for view in views for result in view.results)
        source = next((result.source for result in results if result.collected is course.start), None)
    return Timing(days, row.id if row else None, refractory, course.start, source, response)


def _of_kind(remarks: list[Remark], kind: str) -> tuple[Remark, ...]:
    unique = dict.fromkeys(r for r in remarks if r.kind == kind)
    return tuple(sorted(unique, key=lambda r: (r.about, r.source.reference if r.source else "", r.reason)))


def _notes(disease: DiseaseChoice, course: Course) -> tuple[Remark, ...]:
    notes = []
    if disease.note and disease.diagnosis is not None:
        notes.append(
            Remark("remark", disease.note, disease.diagnosis.source, about="diagnosis", code="inferred")
        )
    if course.anchor is not None and course.anchor.possibly_incomplete:
        notes.append(
            Remark(
                "remark", "dose may be incomplete", course.anchor.sources[0], about="car-t", code="incomplete"
            )
        )
    return tuple(notes)


def age_at(patient: PatientFacts, as_of: ClinicalDate) -> int | None:
    """Age in whole years; with a partial birth date only where every reading agrees."""
    born = patient.birth_date
    if born is None:
        return None
    ages = {_years(day, as_of.last) for day in (born.first, born.last)}
    return ages.pop() if len(ages) == 1 else None


def _years(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _clinical_moment(as_of: datetime) -> ClinicalDate:
    if as_of.tzinfo is None:
        raise ValueError("as_of needs a time zone")
    parsed = parse_date(as_of.isoformat(timespec="seconds").replace("+00:00", "Z"))
    if parsed is None:
        raise ValueError("as_of is no date that can be written in FHIR")
    return parsed


__all__ = ["REGIONS", "Branch", "EventKind", "RelapseCategory", "assess", "decide", "evaluate"]
