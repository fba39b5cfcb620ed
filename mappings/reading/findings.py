"""Disease status, response scores and minimal residual disease from coded or plainly named Observations.

Sources: terminology (disease status), rules EN-2, 11.9; mCODE cancer disease status and Deauville profiles.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mappings.facts import Certainty, DiseaseEvent, EventKind, Remark, SourceRef
from mappings.loading import Knowledge
from mappings.reading import wire
from mappings.reading.chart import Hit
from mappings.reading.components import values_text
from mappings.reading.context import VOID, Context, Surroundings, about_somebody_else
from mappings.reading.course_events import deauville_kind
from mappings.reading.recognise import Recogniser, texts_of
from mappings.reading.texts import Texts
from mappings.reading.values import number_of, of_resource, polarity, unreadable
from mappings.reading.vocabulary import Vocabulary
from mappings.reading.wire import Quantity

_ONE_WORD = 40
_TREND = {
    "improved": EventKind.PARTIAL_RESPONSE,
    "stable": EventKind.STABLE,
    "worsened": EventKind.PROGRESSION,
    "undetermined": EventKind.UNDETERMINED,
    "full-remission": EventKind.REMISSION,
    "partial-remission": EventKind.PARTIAL_RESPONSE,
}


@dataclass(frozen=True, slots=True)
class FindingReader:
    """Reads status Observations; one per chart."""

    knowledge: Knowledge
    recogniser: Recogniser
    vocabulary: Vocabulary
    surroundings: Surroundings
    texts: Texts

    def read(self, hit: Hit) -> tuple[list[DiseaseEvent], list[Remark]]:
        """Events that one Observation states, and why it did not count where it does not."""
        is_status = bool(hit.of("disease-status"))
        is_deauville = bool(hit.of("deauville"))
        names = " ; ".join(texts_of(hit.resource.code))
        is_mrd = self.vocabulary.names_mrd(names) and not hit.of("mrd-panel-trap")
        is_flag = not (is_status or is_deauville or is_mrd) and self._relapse_flag(hit, names)
        if not (is_status or is_deauville or is_mrd or is_flag):
            return [], []
        source = SourceRef(
            hit.reference, "value", f"{names.split(' ; ')[0]}: {values_text(of_resource(hit.resource))}"
        )
        if hit.status in VOID:
            return [], [
                Remark(
                    "set-aside",
                    f"has status “{hit.status}” and proves nothing",
                    source,
                    about="course",
                    code="void",
                )
            ]
        other = about_somebody_else(hit.resource, self.vocabulary) or self._other_cancer(hit, names)
        if other:
            return [], [Remark("set-aside", other, source, about="course", code="focus")]
        context = self.surroundings.of(hit)
        if self.vocabulary.before_infusion.any_in(names):
            reason = "speaks of the time before the infusion"
            return [], [Remark("set-aside", reason, source, about="course", code="before-infusion")]
        event: DiseaseEvent | None
        if is_flag:
            event = self._event(EventKind.RELAPSE, context, source)
        elif is_deauville:
            event = self._deauville(hit, context, source)
        elif is_status:
            event = self._trend(hit, context, source)
        else:
            event = self._mrd(hit, context, source)
        if event is None and unreadable(of_resource(hit.resource)):
            reason = "has a value of a form FHIR does not allow: what it says of the disease is not known"
            certainty = Certainty.MRD if is_mrd else Certainty.STATED
            event = replace(self._event(EventKind.UNDETERMINED, context, source, certainty), unreadable=True)
            return [event], [Remark("unread", reason, source, about="course", code="unread-value")]
        return ([event] if event else []), []

    def _relapse_flag(self, hit: Hit, names: str) -> bool:
        """An Observation named after relapse whose value says yes, such as "Disease relapse": Yes."""
        if not self.vocabulary.course_in_names["relapse"].any_in(names):
            return False
        if any(
            self.vocabulary.qualifiers[kind].any_in(names)
            for kind in ("negated", "doubt", "family", "history")
        ):
            return False
        text = values_text(of_resource(hit.resource))
        said = self.vocabulary.yes_words.any_in(text) or self.vocabulary.present_words.any_in(text)
        return len(text) <= _ONE_WORD and said and not self.vocabulary.absent_words.any_in(text)

    def _other_cancer(self, hit: Hit, names: str) -> str:
        """Worsening of another cancer is not this relapse (11.9): by focus, or by name in any text."""
        for focus in wire.peek_list(hit.resource.focus, wire.Reference):
            target = self.surroundings.chart.find(focus.reference)
            if target is not None and target.resourceType == "Condition":
                concepts = self.recogniser.concepts(target.code)
                lymphoid = [
                    c for c in concepts if c.kind == "diagnosis" and c.attributes.get("scope") != "excluded"
                ]
                if not lymphoid:
                    return "is about another disease (focus)"
            if focus.display and self.vocabulary.other_cancers.any_in(focus.display):
                return "is about another disease (focus)"
        notes = [note.text or "" for note in wire.peek_list(hit.resource.note, wire.Annotation)]
        value = values_text(of_resource(hit.resource))
        if self.vocabulary.other_cancers.any_in(" ; ".join((names, value, *notes))):
            return "names another cancer"
        return ""

    def _event(
        self, kind: EventKind, context: Context, source: SourceRef, certainty: Certainty = Certainty.STATED
    ) -> DiseaseEvent:
        return DiseaseEvent(
            kind=kind,
            certainty=Certainty.SUSPECTED if kind is EventKind.SUSPECTED else certainty,
            when=None if context.date_is_bound else context.date,
            source=source,
            site=context.specimen.value,
            words=source.quote,
            imaging=context.imaging,
            accession=context.accession or source.reference,
        )

    def _trend(self, hit: Hit, context: Context, source: SourceRef) -> DiseaseEvent | None:
        value = wire.peek(hit.resource.valueCodeableConcept, wire.Concept)
        for coding in (value.coding or ()) if value else ():
            kind = _TREND.get(self.knowledge.trend_of(coding.system, coding.code) or "")
            if kind is not None:
                return self._event(kind, context, source)
        for concept in self.recogniser.concepts(value):
            finding = {
                "relapse-finding": EventKind.RELAPSE,
                "refractory-finding": EventKind.REFRACTORY,
                "remission-finding": EventKind.REMISSION,
            }.get(concept.kind)
            if finding is not None:
                return self._event(finding, context, source)
        return None

    def _deauville(self, hit: Hit, context: Context, source: SourceRef) -> DiseaseEvent | None:
        score = self._score(hit)
        if score is None:
            return None
        notes = " ".join(note.text or "" for note in wire.peek_list(hit.resource.note, wire.Annotation))
        text = " ".join((values_text(of_resource(hit.resource)), notes))
        change = next(
            (s.change for s in self.texts.course(f"Deauville {score}. {text}").statements if s.change), ""
        )
        kind = deauville_kind(self.vocabulary, score, change)
        return self._event(kind, context, source) if kind else None

    def _score(self, hit: Hit) -> int | None:
        resource = hit.resource
        concepts = [
            wire.peek(resource.valueCodeableConcept, wire.Concept),
            *wire.peek_list(resource.interpretation, wire.Concept),
        ]
        for concept in concepts:
            for coding in (concept.coding or ()) if concept else ():
                score = self.knowledge.deauville_of(coding.system, coding.code)
                if score is not None and score.isdecimal():
                    return int(score)
        number = wire.peek(resource.valueInteger, int)
        if number is None:
            quantity = wire.peek(resource.valueQuantity, Quantity)
            value = number_of(quantity.value) if quantity else None
            number = int(value) if value is not None and value == int(value) else None
        if number is None:
            text = values_text(of_resource(resource))
            for statement in self.texts.course(f"Deauville {text}").statements:
                if statement.deauville is not None:
                    return statement.deauville
        return number if number is not None and 1 <= number <= 5 else None

    def _mrd(self, hit: Hit, context: Context, source: SourceRef) -> DiseaseEvent | None:
        valued = of_resource(hit.resource)
        coded = polarity(valued, self.knowledge)
        state = coded.state.value if coded and coded.state else ""
        if state not in ("positive", "negative"):
            state = self._mrd_text(hit)
        if state not in ("positive", "negative"):
            return None
        kind = EventKind.MRD_POSITIVE if state == "positive" else EventKind.MRD_NEGATIVE
        return self._event(kind, context, source, Certainty.MRD)

    def _mrd_text(self, hit: Hit) -> str:
        quantity = wire.peek(hit.resource.valueQuantity, Quantity)
        if quantity is not None:
            number = number_of(quantity.value)
            if (quantity.comparator or "").startswith("<") or number == 0:
                return "negative"
            return "positive" if number is not None else ""
        text = values_text(of_resource(hit.resource))
        said = self.texts.report(f"MRD: {text}").mrd
        if said or len(text) > _ONE_WORD:
            return said
        if self.vocabulary.absent_words.any_in(text):
            return "negative"
        return "positive" if self.vocabulary.present_words.any_in(text) else ""
