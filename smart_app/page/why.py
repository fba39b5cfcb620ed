"""Why the category is what it is: each question with its answer, the records behind it, and what was left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mappings.dates import ClinicalDate
from mappings.evaluation import AntigenView, Branch, CriterionResult, Evaluation, Outcome, RelapseCategory
from mappings.facts import Antigen, EventKind, Facts, SourceRef
from mappings.stated import STATED, is_stated
from smart_app.page import words
from smart_app.page.answer import shows_antigens
from smart_app.page.narrative import Narrative, narratives_of
from smart_app.page.notes import STRANGER, Notes, note_lists
from smart_app.page.view import PageView

_QUESTIONS = {
    "deceased": "Is a death recorded?",
    "lymphoid-malignancy": "Is a lymphoid malignancy on record?",
    "cd19-car-t": "Was a CD19 CAR T given?",
    "relapse-after-car-t": "Is this a relapse, and what shows it?",
    "lineage-switch": "Has the lineage switched?",
    "cd19-on-relapse": "CD19 on the relapse sample?",
}
_RESTS_ON = {
    "deceased": ("Patient",),
    "lymphoid-malignancy": ("Condition",),
    "cd19-car-t": ("Procedure", "MedicationAdministration", "Condition"),
    "relapse-after-car-t": ("Condition", "Observation", "DiagnosticReport"),
    "lineage-switch": ("Observation", "DiagnosticReport"),
}
_DECIDED_BY = {
    RelapseCategory.DECEASED: "deceased",
    RelapseCategory.NO_LYMPHOID_MALIGNANCY: "lymphoid-malignancy",
    RelapseCategory.NO_CD19_CAR_T: "cd19-car-t",
    RelapseCategory.NO_RELAPSE: "relapse-after-car-t",
}
_AFTER_INFUSION = frozenset({"relapse-after-car-t", "lineage-switch"})
_QUOTED = frozenset({"relapse-after-car-t", "lineage-switch"})
_SOURCES_SHOWN = 4


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One record behind a step: as quoted, where it stands, when, and where its raw form is read."""

    quote: str
    reference: str
    when: str
    raw: str
    stated: bool
    trigger: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One question of the trail with its answer in words and the records it rests on."""

    number: int
    question: str
    answer: str
    state: str
    glyph: str
    rule: str
    sources: tuple[SourceLine, ...]
    more: tuple[SourceLine, ...]
    narratives: tuple[Narrative, ...]
    stated: bool


@dataclass(frozen=True, slots=True)
class Why:
    """The whole section."""

    steps: tuple[Step, ...]
    lists: tuple[Notes, ...]
    read: str


def build_why(view: PageView) -> Why:
    """Trail, missing, conflicts, set-aside, unread and remarks of this evaluation."""
    evaluation = view.evaluation
    dates = dates_of(evaluation.facts)
    told = narratives_of(view)
    cd19 = {r.source.reference for r in evaluation.assessment.antigen(Antigen.CD19).results}
    rest = {key: one for key, one in told.items() if key not in cd19}
    steps: list[Step] = []
    for step in _asked(evaluation):
        if step.criterion == "cd19-on-relapse":
            if shows_antigens(evaluation):
                for antigen in evaluation.assessment.antigens:
                    steps.append(_antigen_step(view, antigen, len(steps) + 1, step.rule, dates, told))
                    told = {key: one for key, one in told.items() if one not in steps[-1].narratives}
        else:
            steps.append(_step(view, step, len(steps) + 1, dates, rest))
    steps += _branch_steps(view, len(steps) + 1, dates)
    return Why(tuple(steps), tuple(n for n in note_lists(view) if n.rows), _read_words(evaluation))


def _branch_steps(view: PageView, number: int, dates: dict[str, ClinicalDate]) -> list[Step]:
    """The question a branch answers, with the records it rests on (rules 7)."""
    facts = view.evaluation.facts
    found = {
        Branch.T_CELL_MALIGNANCY: ("Is a new T-cell malignancy on record?", "7.2", facts.t_cell_malignancy),
        Branch.CNS: ("Is the central nervous system involved?", "7.3", facts.cns),
    }
    branch = view.evaluation.assessment.branch
    if branch not in found:
        return []
    question, rule, sightings = found[branch]
    shown, more = _sources(view, (sighting.source for sighting in sightings), dates)
    quotes = dict.fromkeys(words.short(one.source.quote, 120) for one in sightings if one.source.quote)
    answer = words.ended(f"Yes: {'; '.join(list(quotes)[:3]) or 'named in the diagnosis'}")
    stated = any(is_stated(one.source) for one in sightings)
    return [Step(number, question, answer, "", "", rule, shown, more, (), stated)]


def _asked(evaluation: Evaluation) -> list[CriterionResult]:
    """The questions up to the one that decided; what comes after it was not asked."""
    trail = list(evaluation.assessment.trail)
    last = _DECIDED_BY.get(evaluation.assessment.category)
    for number, step in enumerate(trail):
        if step.criterion == last:
            return trail[: number + 1]
    return trail


def strangers_of(evaluation: Evaluation) -> frozenset[str]:
    """Records that came with the chart and are of another patient: named, never shown under this one's name (H-01)."""
    assessment = evaluation.assessment
    remarks = (*assessment.set_aside, *assessment.conflicts, *assessment.unread, *assessment.remarks)
    return frozenset(r.source.reference for r in remarks if r.code == STRANGER and r.source is not None)


def dates_of(facts: Facts) -> dict[str, ClinicalDate]:
    """The day each record bears, where a fact that rests on it has one."""
    found: dict[str, ClinicalDate] = {}

    def keep(source: SourceRef | None, when: ClinicalDate | None) -> None:
        if source is not None and when is not None:
            found.setdefault(source.reference, when)

    for result in facts.antigens:
        keep(result.source, result.collected)
    for event in facts.events:
        keep(event.source, event.when or event.recorded)
    for diagnosis in facts.diagnoses:
        keep(diagnosis.source, diagnosis.recorded or diagnosis.onset)
    for infusion in (*facts.infusions, *facts.other_cellular):
        for source in infusion.sources:
            keep(source, infusion.first)
    for therapy in facts.therapies:
        for source in therapy.sources:
            keep(source, therapy.first)
    for fact in facts.safety:
        keep(fact.source, fact.when)
    for count in facts.monitoring:
        keep(count.source, count.when)
    return found


def _step(
    view: PageView,
    step: CriterionResult,
    number: int,
    dates: dict[str, ClinicalDate],
    told: dict[str, Narrative],
) -> Step:
    shown, more = _sources(view, step.sources, dates)
    holds = step.outcome is Outcome.HOLDS
    narratives = [told[s.reference] for s in step.sources if s.reference in told] if holds else []
    reports = tuple(dict.fromkeys(narratives)) if step.criterion in _QUOTED else ()
    return Step(
        number=number,
        question=_QUESTIONS[step.criterion],
        answer=_answer(view.evaluation, step),
        state="",
        glyph="",
        rule=step.rule,
        sources=shown,
        more=more,
        narratives=reports[:3],
        stated=STATED in step.because,
    )


def _answer(evaluation: Evaluation, step: CriterionResult) -> str:
    because = words.short(kind_words(step.because), 420)
    if step.outcome is Outcome.HOLDS:
        return words.ended(f"Yes: {because}")
    if step.outcome is Outcome.UNKNOWN:
        return words.ended(f"Not known: {because}")
    if step.criterion in _AFTER_INFUSION and _infusion_open(evaluation):
        return "Not known: whether and when a CD19 CAR T was given is not known, so nothing can be placed after it."
    if _cut(evaluation, step.criterion):
        return "Not known in full: nothing of it in what was read, but not everything was read."
    return words.ended(f"No: {because}")


def _infusion_open(evaluation: Evaluation) -> bool:
    """Whether the infusion is an open question: then nothing after it can be denied (rules 11.8, H-08)."""
    trail = evaluation.assessment.trail
    return any(one.criterion == "cd19-car-t" and one.outcome is Outcome.UNKNOWN for one in trail)


def kind_words(text: str) -> str:
    """Names of events without their hyphens."""
    for kind in EventKind:
        text = text.replace(kind.value, kind.value.replace("-", " "))
    return text


def _cut(evaluation: Evaluation, criterion: str) -> bool:
    """Whether a `no` would rest on types that were not read in full (rules 11.5, H-08)."""
    needed = _RESTS_ON.get(criterion, ())
    return any(row.type in needed and row.state != "complete" for row in evaluation.facts.seen)


def _antigen_step(
    view: PageView,
    antigen: AntigenView,
    number: int,
    rule: str,
    dates: dict[str, ClinicalDate],
    told: dict[str, Narrative],
) -> Step:
    name = antigen.antigen.value
    question = _QUESTIONS["cd19-on-relapse"] if antigen.antigen is Antigen.CD19 else f"{name}?"
    sources = tuple(result.source for result in antigen.results)
    shown, more = _sources(view, sources, dates)
    named = dict.fromkeys(words.short(r.specimen_text, 60) for r in antigen.results if r.specimen_text)
    where = f" Specimen: {words.ended('; '.join(list(named)[:3]))}" if named else ""
    because = antigen.because.removeprefix(f"{antigen.state.value}, ")
    narratives = tuple(dict.fromkeys(told[s.reference] for s in sources if s.reference in told))
    return Step(
        number=number,
        question=question,
        answer=words.ended(words.upper_first(words.short(because, 300))) + where,
        state="Results disagree" if antigen.discordant else words.STATE_WORDS[antigen.state],
        glyph="discordant" if antigen.discordant else words.GLYPHS[antigen.state],
        rule=rule if antigen.antigen is Antigen.CD19 else "CD-9",
        sources=shown,
        more=more,
        narratives=narratives,
        stated=any(is_stated(source) for source in sources),
    )


def _sources(
    view: PageView, sources: Iterable[SourceRef], dates: dict[str, ClinicalDate]
) -> tuple[tuple[SourceLine, ...], tuple[SourceLine, ...]]:
    """Each record once, with every word quoted from it; the first few, and the rest."""
    quotes: dict[str, list[str]] = {}
    for source in sources:
        quotes.setdefault(source.reference, []).append(words.short(source.quote, 140))
    lines = []
    for reference, said in quotes.items():
        kept = [quote for quote in dict.fromkeys(said) if quote]
        when = dates.get(reference)
        stated = reference.startswith("stated/")
        lines.append(
            SourceLine(
                quote=" … ".join(kept[:2]),
                reference="Stated by the user, not in the chart" if stated else words.short(reference, 90),
                when=words.date_words(when) if when is not None and not stated else "",
                raw=words.raw_path(view.base, reference),
                stated=stated,
                trigger=reference in view.highlighted,
            )
        )
    return tuple(lines[:_SOURCES_SHOWN]), tuple(lines[_SOURCES_SHOWN:])


def _read_words(evaluation: Evaluation) -> str:
    seen = evaluation.facts.seen
    whole = [row for row in seen if row.state == "complete"]
    total = sum(row.count for row in seen)
    unread = len(evaluation.assessment.unread)
    rest = f"{words.counted(unread, 'entry', 'entries')} not readable" if unread else "none unreadable"
    return f"{len(whole)} of {len(seen)} types read in full; {words.counted(total, 'record')} read, {rest}."
