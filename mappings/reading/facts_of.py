"""A decoded chart to `Facts`: every reader in turn, in an order that does not depend on the chart's."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mappings.dates import ClinicalDate
from mappings.facts import AntigenState, DiseaseEvent, Facts, PatientFacts, Remark, Sighting, SourceRef
from mappings.loading import Knowledge
from mappings.reading import when, wire
from mappings.reading.allowance import Allowance
from mappings.reading.antigens import AntigenReading, Reader, cells_event
from mappings.reading.car_t import ordered, read_car_t
from mappings.reading.chart import Chart
from mappings.reading.collect import Triggers, read_chart
from mappings.reading.context import Surroundings
from mappings.reading.decode import Decoded
from mappings.reading.disease import read_diseases
from mappings.reading.doubted import doubt_unknown_status, note_unnamed
from mappings.reading.findings import FindingReader
from mappings.reading.misfits import hold_back
from mappings.reading.named_disease import DiseaseNames
from mappings.reading.recognise import Recogniser
from mappings.reading.reports import ReportsReading, TextReader
from mappings.reading.safety_facts import read_safety
from mappings.reading.texts import Texts
from mappings.reading.therapies import read_therapies
from mappings.reading.validate import Validator
from mappings.reading.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class ChartReader:
    """Reads charts with one knowledge; holds the recogniser's bounded memos and no patient."""

    knowledge: Knowledge
    recogniser: Recogniser
    vocabulary: Vocabulary
    validator: Validator
    texts: Texts
    triggers: Triggers

    @classmethod
    def of(cls, knowledge: Knowledge) -> ChartReader:
        """A reader for this knowledge."""
        vocabulary = Vocabulary(knowledge.lexicon["chart"])
        triggers = Triggers(vocabulary.triggers, vocabulary.car_t.stems)
        return cls(knowledge, Recogniser(knowledge), vocabulary, Validator(), Texts(knowledge), triggers)

    def read(self, decoded: Decoded, patient_id: str, as_of: ClinicalDate) -> tuple[Facts, Chart]:
        """What the chart says of disease, treatment and antigens up to `as_of`, and the chart it was read from."""
        chart = read_chart(decoded, patient_id, self.recogniser, self.triggers)
        return self._facts(chart, as_of), chart

    def read_safety(self, chart: Chart, facts: Facts, as_of: ClinicalDate) -> Facts:
        """The facts with those that options ask about; read only where options are to be laid out."""
        hits = [*chart.hits, *chart.labs]
        safety, remarks = read_safety(
            hits,
            facts.therapies,
            facts.patient,
            as_of,
            self.knowledge,
            self.vocabulary,
            self.recogniser.concepts,
        )
        dates = [fact.when for fact in safety if fact.when is not None and fact.when.first <= as_of.last]
        newest = max((*dates, *([facts.newest] if facts.newest else [])), key=lambda d: d.last, default=None)
        return replace(
            facts, safety=safety, remarks=_sorted_remarks([*facts.remarks, *remarks]), newest=newest
        )

    def _facts(self, chart: Chart, as_of: ClinicalDate) -> Facts:
        diseases = read_diseases(chart, self.knowledge, self.recogniser, self.vocabulary)
        cars = read_car_t(chart, self.knowledge.policy.merge_days, self.recogniser, self.vocabulary)
        has_all = any(d.group == "b-all" or d.disease.startswith("all-") for d in diseases.diagnoses)
        infused = min((i.first for i in cars.infusions if i.first), key=lambda d: d.first, default=None)
        antigens, reports, events = self._results(chart, has_all, infused)
        therapies, therapy_remarks = read_therapies(chart.hits, as_of, self.knowledge, self.vocabulary)
        patient = read_patient(chart)
        facts = Facts(
            patient=patient,
            seen=hold_back(chart, [*diseases.remarks, *reports.remarks]),
            diagnoses=tuple(diseases.diagnoses + reports.diagnoses),
            infusions=ordered(cars.infusions),
            other_cellular=ordered(cars.other),
            antigens=tuple(antigens.results + reports.results),
            monitoring=tuple(antigens.monitoring),
            events=tuple(diseases.events + events + reports.events),
            therapies=therapies,
            remarks=(
                *chart.remarks,
                *diseases.remarks,
                *cars.remarks,
                *antigens.remarks,
                *reports.remarks,
                *therapy_remarks,
            ),
            lineage_switch=tuple(diseases.lineage_switch + reports.lineage_switch),
            t_cell_malignancy=tuple(diseases.t_cell_malignancy + reports.t_cell_malignancy),
            cns=tuple(diseases.cns + reports.cns + _cns_results(antigens)),
        )
        return _without_future(facts, as_of)

    def _results(
        self, chart: Chart, has_all: bool, infused: ClinicalDate | None
    ) -> tuple[AntigenReading, ReportsReading, list[DiseaseEvent]]:
        surroundings = Surroundings(chart, self.vocabulary)
        coded = Reader(self.knowledge, self.recogniser, self.vocabulary, surroundings, self.texts)
        status = FindingReader(self.knowledge, self.recogniser, self.vocabulary, surroundings, self.texts)
        names = DiseaseNames(self.recogniser, self.vocabulary, has_all)
        texts = TextReader(self.vocabulary, surroundings, names, self.texts)
        antigens, reports = AntigenReading(), ReportsReading()
        events = []
        for hit in chart.of_type("Observation"):
            coded.read(hit, antigens)
            found, remarks = status.read(hit)
            events.extend(found)
            antigens.remarks.extend(remarks)
        events.extend(cells_event(hit, context, quote) for hit, context, quote in antigens.tumour_cells)
        known = {(result.source.reference, result.antigen) for result in antigens.results}
        counted = {result.source.reference for result in antigens.monitoring}
        told = [
            hit
            for hit in chart.of_type("Observation", "DiagnosticReport", "DocumentReference")
            if hit.reference not in counted
        ]
        allowance = Allowance(chart, surroundings, self.knowledge.lexicon, reports.remarks)
        for hit, passages in allowance.texts(told, infused):
            texts.read(hit, passages, known, reports)
        window = self.knowledge.policy.window_days
        antigens.results = allowance.without_doubted(antigens.results, window)
        reports.results = allowance.without_doubted(reports.results, window)
        note_unnamed(chart, surroundings, antigens)
        return antigens, reports, doubt_unknown_status(chart, antigens, reports, events)


def _cns_results(antigens: AntigenReading) -> list[Sighting]:
    """An antigen stated on cells of the CSF or CNS tissue says that the disease is there (rules 7)."""
    stated = [r for r in antigens.results if r.cns and r.state is not AntigenState.UNKNOWN]
    return [Sighting(r.source, r.collected) for r in stated]


def read_patient(chart: Chart) -> PatientFacts:
    """The patient's own resource: birth date, sex, death, name for display."""
    resource = chart.patient
    if resource is None:
        return PatientFacts(id=chart.patient_id)
    names = wire.peek_list(resource.name, _Name)
    deceased_date = when.date_at(resource.deceasedDateTime)
    return PatientFacts(
        id=chart.patient_id,
        birth_date=when.date_at(resource.birthDate),
        sex=wire.peek(resource.gender, str) or "",
        deceased=wire.peek(resource.deceasedBoolean, bool) is True,
        deceased_date=deceased_date,
        name=names[0].shown() if names else "",
        identifiers=tuple(i.value for i in wire.peek_list(resource.identifier, _Identifier) if i.value),
        source=SourceRef(f"Patient/{chart.patient_id}"),
    )


class _Name(wire.Struct, gc=False):
    family: str | None = None
    given: list[str] | None = None
    text: str | None = None

    def shown(self) -> str:
        """Family name in capitals first, as patient banners do."""
        if self.family:
            return f"{self.family.upper()}, {' '.join(self.given or ())}".strip(", ")
        return self.text or " ".join(self.given or ())


class _Identifier(wire.Struct, gc=False):
    value: str | None = None


def _without_future(facts: Facts, as_of: ClinicalDate) -> Facts:
    """Takes facts dated after the time of judgement out, with a remark each (hazard H-32)."""
    limit = as_of.last
    remarks = list(facts.remarks)

    def in_time(date: ClinicalDate | None, source: SourceRef, about: str) -> bool:
        if date is None or date.first <= limit:
            return True
        reason = f"is dated {date.display()}, after the time of judgement"
        remarks.append(Remark("conflict", reason, source, about=about, code="future"))
        return False

    kept = replace(
        facts,
        antigens=tuple(r for r in facts.antigens if in_time(r.collected, r.source, "antigen")),
        events=tuple(
            e
            for e in facts.events
            if all(in_time(date, e.source, "course") for date in (e.when, e.onset, e.recorded))
        ),
        infusions=tuple(i for i in facts.infusions if in_time(i.first, i.sources[0], "car-t")),
        monitoring=tuple(m for m in facts.monitoring if in_time(m.when, m.source, "monitoring")),
    )
    dates = (
        [r.collected for r in kept.antigens]
        + [e.when for e in kept.events]
        + [i.last for i in kept.infusions]
    )
    dates += [t.last for t in kept.therapies]
    newest = max((d for d in dates if d is not None and d.first <= limit), key=lambda d: d.last, default=None)
    return replace(kept, remarks=_sorted_remarks(remarks), newest=newest)


def _sorted_remarks(remarks: list[Remark]) -> tuple[Remark, ...]:
    unique = dict.fromkeys(remarks)
    return tuple(
        sorted(unique, key=lambda r: (r.kind, r.about, r.source.reference if r.source else "", r.reason))
    )
