"""What a clinician states beside the chart, and the evaluation with it: pure, never written back (H-46).

A statement becomes facts whose source is `stated/<number>` and whose words say so, so that no face can take it for
something the chart says. A stated antigen result that counts stands in place of the chart's results of that
antigen, which stay in sight as set aside; one that does not count changes nothing and the reason is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from mappings.dates import ClinicalDate, parse_date
from mappings.deciding.antigen_order import ClearSpecimens
from mappings.evaluate import assess, decide
from mappings.evaluation import Assessment, CriterionResult, Evaluation
from mappings.facts import (
    Antigen,
    AntigenResult,
    AntigenState,
    CarTInfusion,
    CarTKnowledge,
    Certainty,
    DiseaseEvent,
    EventKind,
    Facts,
    Method,
    Remark,
    SourceRef,
    SpecimenKind,
)
from mappings.loading import Knowledge
from mappings.reading.decode import Decoded
from mappings.reading.facts_of import ChartReader
from mappings.sources import BLOOD_WITH_CELLS, STATED, STATED_PREFIX, is_stated

__all__ = ["STATED", "evaluate_with", "is_stated", "statement_words", "whole_facts"]

_SITES = {
    SpecimenKind.TISSUE: "tissue",
    SpecimenKind.MARROW: "marrow",
    SpecimenKind.BLOOD: BLOOD_WITH_CELLS,
    SpecimenKind.CSF: "CSF",
    SpecimenKind.EFFUSION: "effusion",
    SpecimenKind.UNSPECIFIED: "specimen not stated",
}


@dataclass(frozen=True, slots=True)
class StatedAntigen:
    """A CD19, CD20 or CD22 result on malignant cells that the user has read elsewhere."""

    antigen: Antigen
    state: AntigenState
    specimen: SpecimenKind
    method: Method
    collected: ClinicalDate


@dataclass(frozen=True, slots=True)
class StatedInfusion:
    """A CAR T infusion given elsewhere; `product` is a knowledge id or empty where only the target is known."""

    product: str
    label: str
    targets: tuple[str, ...]
    infused: ClinicalDate


@dataclass(frozen=True, slots=True)
class StatedConfirmation:
    """A relapse confirmed by malignant cells in a specimen collected on a day."""

    specimen: SpecimenKind
    collected: ClinicalDate


@dataclass(frozen=True, slots=True)
class StatedCorrection:
    """A resource of the chart that the user wants left out of account, by `Type/id`."""

    reference: str


Statement = StatedAntigen | StatedInfusion | StatedConfirmation | StatedCorrection


def statement_words(statement: Statement) -> str:
    """A statement in words, without saying who made it: `CD22 positive, tissue, IHC, collected 18 Nov 2026`."""
    match statement:
        case StatedAntigen():
            method = {Method.FLOW: "flow, ", Method.IHC: "IHC, "}.get(statement.method, "")
            state = statement.state.value.replace("-", " ")
            site = _SITES[statement.specimen]
            return f"{statement.antigen.value} {state}, {site}, {method}collected {statement.collected.display()}"
        case StatedInfusion():
            targets = " and ".join(statement.targets)
            return f"{statement.label} ({targets}) infused {statement.infused.display()}"
        case StatedConfirmation():
            cells = f"malignant cells in a specimen: {_SITES[statement.specimen]}"
            return f"relapse confirmed by {cells}, collected {statement.collected.display()}"
        case StatedCorrection():
            return f"{statement.reference} left out of account"


def evaluate_with(
    facts: Facts,
    statements: Sequence[Statement],
    knowledge: Knowledge,
    as_of: datetime,
    regions: Sequence[str],
) -> Evaluation:
    """The evaluation of the chart's facts with the user's statements laid over them, as judged at `as_of`.

    `as_of` needs a zone. The facts of the chart are not changed; evaluate them without statements to compare.
    """
    moment = _moment(as_of)
    numbered = list(enumerate(statements, 1))
    base = facts
    for number, statement in numbered:
        if isinstance(statement, StatedCorrection):
            base = _without(base, statement.reference, number)
    for number, statement in numbered:
        base = _with_event(base, statement, number)
    laid = _with_antigens(base, numbered, knowledge, moment)
    assessment = _marked(assess(laid, knowledge, moment))
    return decide(laid, assessment, knowledge, moment, tuple(regions))


def whole_facts(decoded: Decoded, knowledge: Knowledge, *, patient_id: str, as_of: datetime) -> Facts:
    """The facts of a chart with the values that options ask about, whatever its category is.

    An evaluation without options has not read those values; a statement may bring options up, and a value that is
    in the chart must then not look like one that was not found.
    """
    moment = _moment(as_of)
    reader = ChartReader.of(knowledge)
    facts, chart = reader.read(decoded, patient_id, moment)
    return reader.read_safety(chart, facts, moment)


def _moment(as_of: datetime) -> ClinicalDate:
    if as_of.tzinfo is None:
        raise ValueError("as_of needs a time zone")
    parsed = parse_date(as_of.isoformat(timespec="seconds").replace("+00:00", "Z"))
    if parsed is None:
        raise ValueError("as_of is no date that can be written in FHIR")
    return parsed


def _source(number: int, statement: Statement) -> SourceRef:
    return SourceRef(f"{STATED_PREFIX}{number}", "statement", f"{statement_words(statement)} ({STATED})")


def _with_event(facts: Facts, statement: Statement, number: int) -> Facts:
    if isinstance(statement, StatedInfusion):
        known = CarTKnowledge.PRODUCT_KNOWN if statement.product else CarTKnowledge.TARGET_KNOWN
        infusion = CarTInfusion(
            knowledge=known,
            product=statement.product,
            label=f"{statement.label} ({STATED})",
            targets=statement.targets,
            first=statement.infused,
            last=statement.infused,
            sources=(_source(number, statement),),
        )
        rows = sorted((*facts.infusions, infusion), key=_infusion_order)
        return replace(facts, infusions=tuple(rows))
    if isinstance(statement, StatedConfirmation):
        event = DiseaseEvent(
            kind=EventKind.MALIGNANT_CELLS,
            certainty=Certainty.CONFIRMED,
            when=statement.collected,
            source=_source(number, statement),
            site=statement.specimen.value,
            words=f"malignant cells in a specimen: {_SITES[statement.specimen]} ({STATED})",
        )
        return replace(facts, events=(*facts.events, event))
    return facts


def _infusion_order(infusion: CarTInfusion) -> tuple[bool, str, str]:
    return infusion.last is None, infusion.last.last.isoformat() if infusion.last else "", infusion.product


def _with_antigens(
    facts: Facts, numbered: list[tuple[int, Statement]], knowledge: Knowledge, moment: ClinicalDate
) -> Facts:
    """Adds stated results; where one counts, the chart's results of that antigen are set aside in its favour."""
    stated = [_result(number, one) for number, one in numbered if isinstance(one, StatedAntigen)]
    if not stated:
        return facts
    in_relapse = assess(facts, knowledge, moment).confirmation is not Certainty.NONE
    laid = replace(facts, antigens=(*facts.antigens, *stated))
    views = assess(laid, knowledge, moment).antigens
    counting = {v.antigen for v in views if any(is_stated(r.source) for r in v.results)}
    given_way = [r for r in facts.antigens if r.antigen in counting]
    kept = tuple(r for r in laid.antigens if r not in given_way)
    asides = tuple(_given_way(result) for result in given_way)
    events = _cells(facts, given_way) if in_relapse else ()
    return replace(laid, antigens=kept, events=(*laid.events, *events), remarks=(*laid.remarks, *asides))


def _result(number: int, statement: StatedAntigen) -> AntigenResult:
    source = _source(number, statement)
    return AntigenResult(
        antigen=statement.antigen,
        state=statement.state,
        method=statement.method,
        specimen=statement.specimen,
        specimen_text=f"{_SITES[statement.specimen]}, {STATED}",
        collected=statement.collected,
        source=source,
        words=(source.quote,),
        accession=source.reference,
    )


def _given_way(result: AntigenResult) -> Remark:
    reason = f"is set aside while a result {STATED} stands"
    quote = f"{result.antigen.value} {result.state.value}: {result.source.quote}".strip(": ")
    source = replace(result.source, quote=quote)
    return Remark("set-aside", reason, source, about=result.antigen.value, code="stated")


def _cells(facts: Facts, results: Sequence[AntigenResult]) -> tuple[DiseaseEvent, ...]:
    """The specimens of results that gave way go on dating and confirming the relapse, as they did (rules 11.3)."""
    clear = ClearSpecimens(facts)
    known = {event.source.reference for event in facts.events}
    rows: dict[str, DiseaseEvent] = {}
    for result in results:
        reference = result.source.reference
        countable = result.collected is not None and not result.collected_is_bound
        if (
            not countable
            or result.state is AntigenState.UNKNOWN
            or reference in known
            or clear.covers(result)
        ):
            continue
        rows.setdefault(
            reference,
            DiseaseEvent(
                kind=EventKind.MALIGNANT_CELLS,
                certainty=Certainty.CONFIRMED,
                when=result.collected,
                source=result.source,
                site="cns" if result.cns else result.specimen.value,
                words=f"{result.antigen.value} {result.state.value} on the specimen",
                phenotype=True,
                accession=result.accession,
            ),
        )
    return tuple(rows.values())


_Row = TypeVar("_Row")


def _without(facts: Facts, reference: str, number: int) -> Facts:
    """The facts that do not rest on a resource; what rested on it stays in sight as set aside."""

    def kept(rows: tuple[_Row, ...]) -> tuple[_Row, ...]:
        return tuple(row for row in rows if not _rests_on(row, reference))

    source = SourceRef(reference, "", f"{STATED_PREFIX}{number}")
    reason = f"is left out of account: {STATED}"
    return replace(
        facts,
        diagnoses=kept(facts.diagnoses),
        infusions=kept(facts.infusions),
        other_cellular=kept(facts.other_cellular),
        antigens=kept(facts.antigens),
        monitoring=kept(facts.monitoring),
        events=kept(facts.events),
        therapies=kept(facts.therapies),
        safety=kept(facts.safety),
        lineage_switch=kept(facts.lineage_switch),
        t_cell_malignancy=kept(facts.t_cell_malignancy),
        cns=kept(facts.cns),
        remarks=(
            *facts.remarks,
            Remark(
                "set-aside", reason, replace(source, quote=""), about=f"record {reference}", code="stated"
            ),
        ),
    )


def _rests_on(row: object, reference: str) -> bool:
    """Whether a fact rests on this resource alone."""
    sources = getattr(row, "sources", None) or ((getattr(row, "source", None),))
    references = {source.reference for source in sources if source is not None}
    return references == {reference}


def _marked(assessment: Assessment) -> Assessment:
    """The assessment with the words of what rests on statements saying so, before any option quotes them."""
    mark = f" ({STATED})"
    views = tuple(
        replace(view, because=f"{view.because}{mark}")
        if any(is_stated(r.source) for r in view.results) and STATED not in view.because
        else view
        for view in assessment.antigens
    )
    return replace(assessment, antigens=views, trail=tuple(_step(step, mark) for step in assessment.trail))


def _step(step: CriterionResult, mark: str) -> CriterionResult:
    """One step, marked where it rests on statements alone; words of a single event carry the mark themselves."""
    rests = bool(step.sources) and all(is_stated(source) for source in step.sources)
    return replace(step, because=step.because + mark) if rests and STATED not in step.because else step
