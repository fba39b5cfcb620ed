"""Report text: antigen states on malignant cells, and what a report says of the disease.

Sources: rules CD-2, CD-6a, 11.3, 11.9, 11.15; narratives are read by `mappings.reading.report` and `course_text`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from mappings.facts import (
    Antigen,
    AntigenResult,
    AntigenState,
    Certainty,
    Diagnosis,
    DiseaseEvent,
    EventKind,
    Method,
    Remark,
    Sighting,
    SourceRef,
    SpecimenKind,
)
from mappings.loading import Concept
from mappings.reading.antigens import TUMOUR_SPECIMENS
from mappings.reading.chart import Hit
from mappings.reading.context import VOID, Context, Surroundings, about_somebody_else, not_this_tumour
from mappings.reading.course_events import WORSE, course_event
from mappings.reading.misfits import LONG_TEXT
from mappings.reading.named_disease import TAKEN_BACK, DiseaseNames, reported_diagnosis
from mappings.reading.narrative import LONG, Passage, unread
from mappings.reading.notes import as_collected, is_note, specimen_of, states_the_indication
from mappings.reading.report import AntigenFinding, ReportReading
from mappings.reading.texts import Texts
from mappings.reading.vocabulary import Vocabulary

_BETTER = frozenset({EventKind.RESPONSE, EventKind.REMISSION, EventKind.PARTIAL_RESPONSE, EventKind.STABLE})
_CLEAR = frozenset({EventKind.NO_MALIGNANCY, EventKind.MRD_NEGATIVE})
_OTHER_LINEAGE = ("myeloid", "mixed")
_T_CELL = re.compile(r"\bT[\s-]cell", re.IGNORECASE)
_AFTER = 16
"""Characters behind the deciding words in which "was not performed" may end."""
_RELAPSES = ("relapse", "new-episode", "progression", "refractory")


def _doubted(rows: list[_Row]) -> list[_Row]:
    """Of a text read in part no state counts: what was not read may take it back."""
    return [
        (replace(finding, state=AntigenState.UNKNOWN), passage, reading) for finding, passage, reading in rows
    ]


def _keep_the_worst(hit: Hit, into: ReportsReading, *, in_part: bool) -> None:
    """A report that tells of active disease anywhere, or was not read in full, is no response (11.9)."""
    own = [e for e in into.events if e.source.reference == hit.reference]
    if in_part or any(e.kind in WORSE for e in own):
        dropped = _BETTER | _CLEAR if in_part else _BETTER
        into.events = [e for e in into.events if e.source.reference != hit.reference or e.kind not in dropped]


_Row = tuple[AntigenFinding, Passage, ReportReading]


@dataclass(slots=True)
class ReportsReading:
    """What texts said."""

    results: list[AntigenResult] = field(default_factory=list)
    events: list[DiseaseEvent] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    lineage_switch: list[Sighting] = field(default_factory=list)
    t_cell_malignancy: list[Sighting] = field(default_factory=list)
    cns: list[Sighting] = field(default_factory=list)
    diagnoses: list[Diagnosis] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TextReader:
    """Reads the texts of Observations, reports and documents; one per chart."""

    vocabulary: Vocabulary
    surroundings: Surroundings
    names: DiseaseNames
    texts: Texts

    def read(
        self, hit: Hit, found: list[Passage], known: set[tuple[str, Antigen]], into: ReportsReading
    ) -> None:
        """Reads the texts found in one resource; `known` are antigens that its coded value already settled."""
        if not found:
            return
        concept = self.names.named(" ; ".join(passage.text for passage in found))
        if hit.status in VOID or self.surroundings.void_parent(hit):
            if hit.status != "registered":
                reason = f"has status “{hit.status}” and proves nothing"
                into.remarks.append(
                    Remark("set-aside", reason, SourceRef(hit.reference), about="report", code="void")
                )
            return
        context = self.surroundings.of(hit)
        reason, code = self._refusal(hit, context)
        if reason:
            into.remarks.append(
                Remark("set-aside", reason, SourceRef(hit.reference), about="report", code=code)
            )
            return
        for passage in found:  # one specimen: the day one text gives holds for what all of them say
            context = as_collected(context, passage.text)
        self._t_cell(hit, found, context, into)
        if self._another_malignancy(hit, found, concept, context, into):
            return
        findings: dict[Antigen, list[_Row]] = {}
        in_part = self._read_in_part(hit, found, context, into)
        for passage in found:
            reading = self.texts.report(passage.text, context.specimen.value, context.method.value)
            for antigen, finding in reading.findings.items():
                if finding is not None and (hit.reference, antigen) not in known:
                    findings.setdefault(antigen, []).append((finding, passage, reading))
            self._disease(hit, passage, reading, context, concept, into)
        for antigen, rows in findings.items():
            self._result(hit, antigen, _doubted(rows) if in_part else rows, context, into)
        _keep_the_worst(hit, into, in_part=in_part)

    def _read_in_part(self, hit: Hit, found: list[Passage], context: Context, into: ReportsReading) -> bool:
        """Whether a text holds more than is read of it: no antigen state and no good news of it counts then."""
        in_part = False
        for passage in found:
            reading = self.texts.report(passage.text, context.specimen.value, context.method.value)
            beyond = reading.cut or self.texts.course(passage.text).cut
            if beyond and not passage.cut:
                into.remarks.append(unread(hit, passage.element, LONG, code=LONG_TEXT))
            in_part = in_part or beyond or passage.cut
        return in_part

    def _refusal(self, hit: Hit, context: Context) -> tuple[str, str]:
        """Why nothing in a text counts, and the code of the remark; empty where it may."""
        other = about_somebody_else(hit.resource, self.vocabulary)
        if other:
            return other, "focus"
        if context.specimen_status == "entered-in-error":
            return not_this_tumour(context, self.vocabulary)
        if self.vocabulary.before_infusion.any_in(context.names):
            return "speaks of the time before the infusion", "before-infusion"
        return "", ""

    def _result(
        self,
        hit: Hit,
        antigen: Antigen,
        rows: list[_Row],
        context: Context,
        into: ReportsReading,
    ) -> None:
        definite = [row for row in rows if row[0].state is not AntigenState.UNKNOWN]
        states = {row[0].state for row in definite}
        finding, passage, reading = (definite or rows)[0]
        state = finding.state
        if len(states) > 1:
            state = AntigenState.UNKNOWN
            reason = "says different things in different parts of one report"
            into.remarks.append(
                Remark("conflict", reason, SourceRef(hit.reference, passage.element), about=antigen.value)
            )
        source = SourceRef(hit.reference, passage.element, finding.words[0] if finding.words else "")
        specimen = specimen_of(context, reading)
        if state is not AntigenState.UNKNOWN:
            aside = self._not_tumour(specimen, context, reading, passage)
            if aside:
                into.remarks.append(Remark("set-aside", aside, source, about="antigen", code="not-tumour"))
                return
        into.results.append(
            AntigenResult(
                antigen=antigen,
                state=state,
                method=finding.method if finding.method is not Method.UNSPECIFIED else context.method,
                specimen=specimen,
                specimen_text=context.specimen_text,
                collected=context.date,
                source=source,
                collected_is_bound=context.date_is_bound,
                status=context.status,
                percent=finding.percent,
                h_score=finding.h_score,
                intensity=finding.intensity,
                clone=finding.clone,
                band=finding.band,
                preliminary=context.preliminary,
                amended=context.amended,
                words=finding.words,
                accession=context.accession,
                issued=context.issued,
                cns=context.cns,
                integrated=reading.integrated,
                untested=state is AntigenState.UNKNOWN and all(self._untested(*row) for row in rows),
            )
        )

    def _untested(self, finding: AntigenFinding, passage: Passage, reading: ReportReading) -> bool:
        """Whether a text says of an antigen only that it was not looked for."""
        said = [passage.text[start : end + _AFTER] for start, end in finding.spans]
        return bool(said) and all(self.vocabulary.untested_words.any_in(text) for text in said)

    def _not_tumour(
        self, specimen: SpecimenKind, context: Context, reading: ReportReading, passage: Passage
    ) -> str:
        """Why a state read from text is not of tumour: blood or an unnamed specimen needs malignant cells (CD-2)."""
        aside, _ = not_this_tumour(context, self.vocabulary)
        if aside:
            return aside
        if is_note(context, self.vocabulary):
            return (
                "stands in a note or letter without a specimen: the report of the specimen itself is needed"
            )
        if specimen in TUMOUR_SPECIMENS or reading.malignancy == "present":
            return ""
        if self.vocabulary.malignant_cells.any_in(passage.text) and specimen is not SpecimenKind.BLOOD:
            return ""
        if specimen is SpecimenKind.UNSPECIFIED and context.pathology and reading.malignancy != "absent":
            return ""
        return "does not say that malignant cells were looked at"

    def _disease(
        self,
        hit: Hit,
        passage: Passage,
        reading: ReportReading,
        context: Context,
        concept: Concept | None,
        into: ReportsReading,
    ) -> None:
        specimen = specimen_of(context, reading)
        if reading.malignancy == "present" and self.names.denied(passage.text):
            reading = replace(reading, malignancy="not-stated", findings={})
        if not context.imaging:
            self._cells(hit, passage, reading, context, specimen, into)
            if concept is not None and reading.malignancy == "present":
                source = SourceRef(hit.reference, passage.element)
                into.diagnoses.append(reported_diagnosis(concept, source, context.date))
        switched = "; ".join(reading.lineage_words) if self._of_other_lineage(reading) else ""
        switched = switched or self.names.switch(passage.text)
        if switched and not context.imaging:
            words = SourceRef(hit.reference, passage.element, switched)
            into.lineage_switch.append(Sighting(words, context.date))
        for statement in self.texts.course(passage.text).statements:
            if statement.about in ("family", "other-cancer") or statement.time == "prior":
                continue
            quote = SourceRef(hit.reference, passage.element, statement.words)
            if statement.kind in ("cns", "isolated-cns"):
                into.cns.append(Sighting(quote, context.date, isolated=statement.kind == "isolated-cns"))
            event = course_event(statement, quote, passage.text, context, specimen, self.vocabulary)
            if event is None:
                continue
            if self._is_indication(event, statement.after_car_t, passage, context):
                reason = "names the relapse that led to CAR T, not one after it"
                into.remarks.append(Remark("set-aside", reason, quote, about="report", code="indication"))
                continue
            into.events.append(event)

    def _is_indication(
        self, event: DiseaseEvent, after_car_t: bool, passage: Passage, context: Context
    ) -> bool:
        """Whether a note only says for which disease CAR T was given (hazard H-23)."""
        if after_car_t or event.kind not in (EventKind.RELAPSE, EventKind.REFRACTORY):
            return False
        return is_note(context, self.vocabulary) and states_the_indication(
            event.words, passage.text, self.vocabulary
        )

    def _cells(
        self,
        hit: Hit,
        passage: Passage,
        reading: ReportReading,
        context: Context,
        specimen: SpecimenKind,
        into: ReportsReading,
    ) -> None:
        """Malignant cells seen or not seen in a specimen, and minimal residual disease (11.9)."""
        tumour = specimen in TUMOUR_SPECIMENS or (context.pathology and specimen is SpecimenKind.UNSPECIFIED)
        kind = None
        certainty = Certainty.CONFIRMED
        if reading.mrd or self.vocabulary.names_mrd(context.names):
            said = reading.mrd or {"present": "positive", "absent": "negative"}.get(reading.malignancy, "")
            kind = {"positive": EventKind.MRD_POSITIVE, "negative": EventKind.MRD_NEGATIVE}.get(said)
            certainty = Certainty.MRD
        elif (
            reading.malignancy == "present"
            and not is_note(context, self.vocabulary)
            and (tumour or specimen is SpecimenKind.BLOOD)
        ):
            kind = EventKind.MALIGNANT_CELLS
        elif (
            reading.malignancy == "absent"
            and tumour
            and not context.specimen_status
            and self._course_agrees(passage)
        ):
            kind = EventKind.NO_MALIGNANCY
        if kind is EventKind.MALIGNANT_CELLS and (context.cns or specimen is SpecimenKind.CSF):
            into.cns.append(Sighting(SourceRef(hit.reference, passage.element, "CNS specimen"), context.date))
        if kind is not None:
            phenotype = any(
                finding is not None and finding.state is not AntigenState.UNKNOWN
                for finding in reading.findings.values()
            )
            into.events.append(
                DiseaseEvent(
                    kind=kind,
                    certainty=certainty,
                    when=None if context.date_is_bound else context.date,
                    source=SourceRef(hit.reference, passage.element, "; ".join(reading.malignancy_words)),
                    site="cns" if context.cns else specimen.value,
                    phenotype=phenotype,
                    accession=context.accession or hit.reference,
                )
            )

    def _of_other_lineage(self, reading: ReportReading) -> bool:
        """Whether malignant cells of this specimen are myeloid or mixed, in a patient with lymphoblastic leukaemia."""
        return self.names.has_all and reading.lineage in _OTHER_LINEAGE and reading.malignancy == "present"

    def _course_agrees(self, passage: Passage) -> bool:
        """Whether the course told is not of another disease alone: its remission is no clear specimen of this one."""
        course = self.texts.course(passage.text)
        others = any(statement.about in ("other-cancer", "family") for statement in course.statements)
        return not others or bool(course.current("no-malignancy", "response", "remission"))

    def _t_cell(self, hit: Hit, found: list[Passage], context: Context, into: ReportsReading) -> None:
        """A T-cell malignancy in a specimen: seen there, named, and neither denied nor past (rules 7)."""
        for passage in found if not context.imaging else ():
            told = self._told_t_cell(passage)
            words = self.names.t_cell(passage.text) or told
            reading = self.texts.report(passage.text, context.specimen.value, context.method.value)
            seen = reading.malignancy == "present"
            if words and (seen or (told and not is_note(context, self.vocabulary))):
                source = SourceRef(hit.reference, passage.element, words)
                into.t_cell_malignancy.append(Sighting(source, context.date))

    def _told_t_cell(self, passage: Passage) -> str:
        """The words of a T-cell malignancy that a text tells of as new or after CAR T, or empty."""
        course = self.texts.course(passage.text)
        for statement in course.current("t-cell-malignancy"):
            ahead = _T_CELL.split(statement.words, maxsplit=1)[0]
            qualifiers = self.vocabulary.qualifiers
            taken_back = any(qualifiers[name].any_in(ahead) for name in TAKEN_BACK)
            taken_back = taken_back or qualifiers["family"].any_in(statement.words)
            if statement.certainty == "stated" and not taken_back:
                return statement.words
        return ""

    def _t_cell_alone(self, concept: Concept | None, found: list[Passage]) -> bool:
        """Whether a report tells of a new T-cell malignancy and of no B-cell one beside it."""
        told = [passage for passage in found if self._told_t_cell(passage)]
        if not told or any(self.texts.course(passage.text).current(*_RELAPSES) for passage in found):
            return False
        return concept is None or all(self.names.denied(passage.text) for passage in told)

    def _another_malignancy(
        self, hit: Hit, found: list[Passage], concept: Concept | None, context: Context, into: ReportsReading
    ) -> bool:
        """A specimen of another cancer says nothing of this disease; a new T-cell malignancy is its own branch (7)."""
        if context.imaging:
            return False
        reason = self.names.other_than_this(concept, " ; ".join(passage.text for passage in found))
        if not reason and self._t_cell_alone(concept, found):
            reason = "is of another malignancy: a T-cell malignancy"
        if not reason and concept is None and self.vocabulary.names_other_cancer(context.specimen_text):
            reason = "is of a specimen of another cancer"
        if not reason:
            return False
        source = SourceRef(hit.reference, found[0].element)
        into.remarks.append(Remark("set-aside", reason, source, about="report", code="other-cancer"))
        return True
