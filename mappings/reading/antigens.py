"""CD19, CD20 and CD22 on malignant cells from coded results, components and panels; blood counts kept apart.

Sources: rules CD-1 to CD-10, 4 (B-cell aplasia trap), 11.1, 11.6, 11.14, 11.15, 11.18, 11.19; hazards H-17 to H-24.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mappings.facts import (
    Antigen,
    AntigenResult,
    AntigenState,
    Certainty,
    DiseaseEvent,
    EventKind,
    Method,
    MonitoringResult,
    Remark,
    SourceRef,
    SpecimenKind,
)
from mappings.loading import Concept, Knowledge
from mappings.reading import values, wire
from mappings.reading.chart import Hit
from mappings.reading.components import Component, values_text
from mappings.reading.context import VOID, Context, Surroundings, about_somebody_else, not_this_tumour
from mappings.reading.recognise import Recogniser, texts_of
from mappings.reading.report import ReportReading
from mappings.reading.texts import Texts
from mappings.reading.values import CodedState, Valued
from mappings.reading.vocabulary import Vocabulary

TUMOUR_SPECIMENS = frozenset(
    {SpecimenKind.TISSUE, SpecimenKind.MARROW, SpecimenKind.CSF, SpecimenKind.EFFUSION}
)
_NAMED = re.compile(r"(?<![a-z0-9])cd[\s-]?(19|20|22)(?![0-9a-z])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Item:
    """One named value: an Observation itself or one of its components."""

    concepts: tuple[Concept, ...]
    names: str
    valued: Valued
    element: str
    coded: bool = False


@dataclass(slots=True)
class AntigenReading:
    """Results that may count, monitoring values, and what was set aside."""

    results: list[AntigenResult] = field(default_factory=list)
    monitoring: list[MonitoringResult] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    tumour_cells: list[tuple[Hit, Context, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the antigen results of Observations; one per chart."""

    knowledge: Knowledge
    recogniser: Recogniser
    vocabulary: Vocabulary
    surroundings: Surroundings
    texts: Texts

    def read(self, hit: Hit, into: AntigenReading) -> None:
        """Reads one Observation and its components."""
        items = [item for item in self._items(hit) if self._antigen(item) is not None]
        if not items:
            return
        context = self.surroundings.of(hit)
        if hit.status in VOID or self.surroundings.void_parent(hit):
            reason = (
                f"has status “{hit.status}” and proves nothing"
                if hit.status in VOID
                else "belongs to a withdrawn report"
            )
            into.remarks.append(_aside(hit, items[0], reason, "void"))
            return
        other = about_somebody_else(hit.resource, self.vocabulary)
        if other:
            into.remarks.append(_aside(hit, items[0], other, "focus"))
            return
        reason, code = not_this_tumour(context, self.vocabulary)
        if reason:
            into.remarks.append(_aside(hit, items[0], reason, code))
            return
        for item in items:
            antigen = self._antigen(item)
            if antigen is not None:
                self._read_item(hit, item, antigen, context, into)

    def _items(self, hit: Hit) -> Iterator[Item]:
        resource = hit.resource
        names = " ; ".join(texts_of(resource.code))
        coded = self._by_code(resource.code)
        yield Item(hit.concepts, names, values.of_resource(resource), "value", coded)
        for number, part in enumerate(wire.peek_list(resource.component, Component)):
            concepts = self.recogniser.concepts(part.code)
            part_names = " ; ".join(texts_of(part.code))
            coded = self._by_code(part.code)
            yield Item(concepts, part_names, part.valued(), f"component[{number}]", coded)

    def _by_code(self, code: wire.Concept | None) -> bool:
        """Whether a verified code, and not only a name, says which antigen a result is about."""
        return any(concept.kind == "antigen-observation" for concept in self.recogniser.coded(code))

    def _antigen(self, item: Item) -> Antigen | None:
        """The one antigen an item is about, by code or by name; None for none or several, or for CAR T cells."""
        coded = {c.attributes.get("antigen") for c in item.concepts if c.kind == "antigen-observation"}
        named = {f"CD{number}" for number in _NAMED.findall(item.names)}
        found = (coded or named) & {"CD19", "CD20", "CD22"}
        names = self.vocabulary.without_timing(item.names)
        if len(found) != 1 or (named and not coded and self.vocabulary.persistence.any_in(names)):
            return None
        return Antigen(str(next(iter(found))))

    def _read_item(
        self, hit: Hit, item: Item, antigen: Antigen, context: Context, into: AntigenReading
    ) -> None:
        uses = {str(c.attributes.get("use_class")) for c in item.concepts if c.kind == "antigen-observation"}
        text = values_text(item.valued)
        told = text or item.valued.interpretation or item.valued.range
        if not told and not values.unreadable(item.valued):
            return
        if self._is_monitoring(item, uses, context, text):
            into.monitoring.append(self._monitoring(hit, item, context, text))
            return
        aside = self._not_tumour(item, uses, context, text)
        if aside:
            into.remarks.append(_aside(hit, item, aside, "not-tumour"))
            return
        if values.unreadable(item.valued):
            reason = "has a value of a form FHIR does not allow: what it says is not known"
            source = SourceRef(hit.reference, item.element, item.names.split(" ; ")[0])
            into.remarks.append(Remark("unread", reason, source, about="antigen", code="unread-value"))
            lost = CodedState(AntigenState.UNKNOWN, hedged=True)
            result = self._result(hit, item, antigen, lost, context, "value could not be read")
            into.results.append(replace(result, unreadable=True))
            return
        if self._says_more(item, uses):
            reason = "has a name that says more than the antigen: its value alone gives no state"
            into.remarks.append(_aside(hit, item, reason, "name"))
            return
        found = self._state(item, antigen, context)
        if found is None:
            into.remarks.append(_aside(hit, item, "gives no state that can be read", "no-state"))
            return
        if found.discard:
            into.remarks.append(_aside(hit, item, "was withdrawn by the laboratory", "discarded"))
            return
        if found.state is None:
            return
        found = self._against_note(hit, found, antigen, context)
        result = self._result(hit, item, antigen, found, context, text)
        into.results.append(result)
        named = bool(uses & {"tumour_antigen"}) or self._names_cells(item, context)
        if named and result.state is not AntigenState.UNKNOWN:
            into.tumour_cells.append((hit, context, result.source.quote))

    def _names_cells(self, item: Item, context: Context) -> bool:
        """Whether the name, or that of its panel, says malignant cells; the name of a disease or a test does not."""
        return self.vocabulary.names_cells(f"{item.names} ; {context.names}")

    def _is_monitoring(self, item: Item, uses: set[str], context: Context, text: str) -> bool:
        """Blood counts of normal B cells: never tumour status, in either direction (rules 4)."""
        if "lymphocyte_subset" in uses:
            return True
        if self._names_cells(item, context) or uses & {"tumour_antigen", "trap"}:
            return False
        quantity = values.quantity_of(item.valued)
        if quantity is not None and values.is_count(quantity):
            return True
        if quantity is not None and self.vocabulary.counts.any_in(item.names):
            return True
        return context.specimen is SpecimenKind.BLOOD

    def _not_tumour(self, item: Item, uses: set[str], context: Context, text: str) -> str:
        if "not_relevant" in uses:
            return "is of a specimen that says nothing of the tumour"
        if uses & {"trap"}:
            return ""
        if uses & {"tumour_antigen"} or self._names_cells(item, context):
            return ""
        if self.vocabulary.counts.any_in(item.names):
            return "speaks of B cells in general, not of malignant cells"
        if context.specimen in TUMOUR_SPECIMENS or context.method is Method.IHC:
            return ""
        if (
            context.pathology
            and context.specimen is SpecimenKind.UNSPECIFIED
            and "ambiguous_specimen" not in uses
        ):
            return "" if self.vocabulary.malignant_cells.any_in(context.names) else _NO_SPECIMEN
        return _NO_SPECIMEN

    def _says_more(self, item: Item, uses: set[str]) -> bool:
        """Whether an uncoded name holds more than the antigen, and its value does not name the antigen itself."""
        if item.coded or "trap" in uses:
            return False
        names = [name for name in item.names.split(" ; ") if _NAMED.search(name)]
        value = wire.peek(item.valued.string, str) or ""
        return not _NAMED.search(value) and not all(self.vocabulary.plain_name(name) for name in names)

    def _state(self, item: Item, antigen: Antigen, context: Context) -> CodedState | None:
        """The laboratory's own word first, then its number (CD-3); dim or partial never turns positive or negative."""
        if any(c.attributes.get("use_class") == "trap" for c in item.concepts):
            return CodedState(AntigenState.UNKNOWN, "does not tell the surface antigen (cytoplasmic)")
        coded = values.polarity(item.valued, self.knowledge)
        if coded is not None and coded.discard:
            return coded
        worded = self._worded(item, antigen, context)
        if coded is not None and worded is not None and worded.state is not coded.state:
            if worded.state is AntigenState.LOW_OR_PARTIAL and coded.state is AntigenState.POSITIVE:
                return worded
            if worded.state is AntigenState.UNKNOWN and not worded.hedged:
                return coded
            return CodedState(AntigenState.UNKNOWN, f"{coded.text}; {worded.text}")
        number = self._numbered(item, context)
        word = coded or worded
        if word is not None and (word.state is not AntigenState.UNKNOWN or number is None):
            return CodedState(
                word.state,
                word.text,
                percent=number.percent if number else word.percent,
                h_score=number.h_score if number else word.h_score,
                band=word.band,
                hedged=word.hedged,
            )
        return number

    def _against_note(self, hit: Hit, found: CodedState, antigen: Antigen, context: Context) -> CodedState:
        """The state, unless the comment of the result withdraws, qualifies or contradicts it (CD-3, CD-4)."""
        if found.state is AntigenState.UNKNOWN:
            return found
        for note in wire.peek_list(hit.resource.note, wire.Annotation):
            text = (note.text or "").strip()
            if not text:
                continue
            reading = self._comment(text, antigen, context)
            said = reading.findings.get(antigen)
            doubted = self.vocabulary.withdrawing_words.any_in(text) or reading.malignancy == "absent"
            doubted = doubted or reading.cut
            if doubted or (said is not None and said.state not in (found.state, AntigenState.UNKNOWN)):
                dim = said is not None and said.state is AntigenState.LOW_OR_PARTIAL
                softer = dim and not doubted and found.state is AntigenState.POSITIVE
                state = AntigenState.LOW_OR_PARTIAL if softer else AntigenState.UNKNOWN
                return replace(
                    found, state=state, text=f"{found.text}; note: {text}"[:300], hedged=not softer
                )
        return found

    def _comment(self, text: str, antigen: Antigen, context: Context) -> ReportReading:
        """A comment read as written, or as of this antigen where it is only a word or two about the staining."""
        reading = self.texts.report(text, context.specimen.value, context.method.value)
        if any(reading.findings.values()) or _NAMED.search(text) or len(text) > _SHORT_COMMENT:
            return reading
        sentence = f"Tumour cells: {antigen.value} {text[0].lower()}{text[1:]}"
        worded = self.texts.report(sentence, context.specimen.value, context.method.value)
        return replace(reading, findings=worded.findings)

    def _worded(self, item: Item, antigen: Antigen, context: Context) -> CodedState | None:
        texts = [wire.peek(item.valued.string, str) or ""]
        concept = wire.peek(item.valued.concept, wire.Concept)
        texts.extend(texts_of(concept))
        texts.extend(
            text for c in wire.peek_list(item.valued.interpretation, wire.Concept) for text in (c.text or "",)
        )
        text = "; ".join(
            dict.fromkeys(t.strip() for t in texts if t.strip() and t.strip().lower() not in _NO_WORD)
        )
        if not text:
            return None
        if self.vocabulary.control_words.any_in(text):
            return CodedState(AntigenState.UNKNOWN, text, hedged=True)
        sentence = text if _NAMED.search(text) else f"Tumour cells: {antigen.value} {text}"
        reading = self.texts.report(sentence, context.specimen.value, context.method.value)
        finding = reading.findings.get(antigen)
        if finding is None:
            return None
        state = finding.state if not reading.cut else AntigenState.UNKNOWN
        return CodedState(
            state,
            text,
            band=finding.band,
            percent=finding.percent,
            h_score=finding.h_score,
            hedged=state is AntigenState.UNKNOWN,
        )

    def _numbered(self, item: Item, context: Context) -> CodedState | None:
        """A number by its band, where it is a share of malignant cells or a score of the stain (11.1)."""
        shown = values_text(item.valued)
        tumour_code = any(c.attributes.get("use_class") == "tumour_antigen" for c in item.concepts)
        of_malignant = tumour_code or context.method is Method.IHC or self._names_cells(item, context)
        ranged = values.range_state(item.valued, self.knowledge)
        if ranged is not None:
            return ranged if of_malignant else CodedState(AntigenState.UNKNOWN, ranged.text)
        quantity = values.quantity_of(item.valued)
        if quantity is None:
            return None
        unit = f"{quantity.unit or ''} {quantity.code or ''} {item.names}".lower()
        if "h-score" in unit or "h score" in unit or "hscore" in unit:
            return values.h_score_state(quantity, self.knowledge)
        if values.is_share(quantity) and of_malignant:
            return values.share_state(quantity, self.knowledge)
        return CodedState(AntigenState.UNKNOWN, shown)

    def _result(
        self, hit: Hit, item: Item, antigen: Antigen, found: CodedState, context: Context, text: str
    ) -> AntigenResult:
        quote = f"{item.names.split(' ; ')[0]}: {text}".strip(": ")
        return AntigenResult(
            antigen=antigen,
            state=found.state or AntigenState.UNKNOWN,
            method=context.method,
            specimen=context.specimen,
            specimen_text=context.specimen_text,
            collected=context.date,
            source=SourceRef(hit.reference, item.element, quote),
            collected_is_bound=context.date_is_bound,
            status=context.status,
            percent=found.percent,
            h_score=found.h_score,
            clone=clone_of(f"{item.names} {context.names}"),
            band=found.band,
            preliminary=context.preliminary,
            amended=context.amended,
            words=(quote,),
            accession=context.accession,
            issued=context.issued,
            cns=context.cns,
        )

    def _monitoring(self, hit: Hit, item: Item, context: Context, text: str) -> MonitoringResult:
        return MonitoringResult(
            label=item.names.split(" ; ")[0],
            value=text,
            when=context.date,
            source=SourceRef(hit.reference, item.element, text),
        )


_NO_SPECIMEN = "does not say that the specimen is tumour"
_SHORT_COMMENT = 60
_NO_WORD = frozenset({"a", "n", "h", "l", "hh", "ll", "abnormal", "normal", "high", "low", "*"})
_CLONE = re.compile(r"\bclone[:\s]+([A-Za-z0-9-]{2,12})")


def clone_of(text: str) -> str:
    """The antibody clone named, or empty: shown as "clone unknown" (hazard H-22)."""
    match = _CLONE.search(text)
    return match[1] if match else ""


def cells_event(hit: Hit, context: Context, quote: str) -> DiseaseEvent:
    """An antigen stated of malignant cells says that such cells were there (rules 11.3, 11.9)."""
    return DiseaseEvent(
        kind=EventKind.MALIGNANT_CELLS,
        certainty=Certainty.CONFIRMED,
        when=context.date if not context.date_is_bound else None,
        source=SourceRef(hit.reference, "value", quote),
        site="cns" if context.cns else context.specimen.value,
        words="malignant cells reported",
        phenotype=True,
        accession=context.accession or hit.reference,
    )


def _aside(hit: Hit, item: Item, reason: str, code: str) -> Remark:
    text = values_text(item.valued)
    quote = f"{item.names.split(' ; ')[0]}: {text}".strip(": ")
    return Remark(
        "set-aside", reason, SourceRef(hit.reference, item.element, quote[:200]), about="antigen", code=code
    )
