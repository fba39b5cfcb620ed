"""What a statement about the course becomes as an event of the disease (rules EN-2, 11.9)."""

from __future__ import annotations

import re

from mappings.facts import Certainty, DiseaseEvent, EventKind, SourceRef, SpecimenKind
from mappings.reading.context import Context
from mappings.reading.course_text import CourseStatement
from mappings.reading.vocabulary import Vocabulary

WORSE = frozenset({EventKind.RELAPSE, EventKind.PROGRESSION, EventKind.REFRACTORY, EventKind.SUSPECTED})
_COURSE_KINDS = {
    "relapse": EventKind.RELAPSE,
    "new-episode": EventKind.RELAPSE,
    "progression": EventKind.PROGRESSION,
    "refractory": EventKind.REFRACTORY,
    "partial-response": EventKind.PARTIAL_RESPONSE,
    "response": EventKind.RESPONSE,
    "remission": EventKind.REMISSION,
    "stable": EventKind.STABLE,
    "undetermined": EventKind.UNDETERMINED,
    "no-malignancy": EventKind.NO_MALIGNANCY,
}
_NEXT_SENTENCE = re.compile(r"[.;]?\s{0,4}([^.\n]{1,200})")


def deauville_kind(vocabulary: Vocabulary, score: int, change: str) -> EventKind | None:
    """What a Deauville score says of the course (rules EN-2, 11.9)."""
    said = vocabulary.deauville(score, change)
    return EventKind(said) if said else None


def course_event(
    statement: CourseStatement,
    source: SourceRef,
    text: str,
    context: Context,
    specimen: SpecimenKind,
    vocabulary: Vocabulary,
) -> DiseaseEvent | None:
    """The event that a statement of `text` tells of; None where it tells of none."""
    kind = _COURSE_KINDS.get(statement.kind)
    if statement.deauville is not None:
        change = statement.change or _growth_told(statement, text, vocabulary)
        kind = deauville_kind(vocabulary, statement.deauville, change) or kind
    if kind is None:
        return None
    suspected = statement.certainty == "suspected" or kind is EventKind.SUSPECTED
    if kind is EventKind.NO_MALIGNANCY and context.imaging:
        kind = EventKind.RESPONSE
    if suspected and kind not in WORSE:
        return None  # a suspected response or absence says nothing
    return DiseaseEvent(
        kind=EventKind.SUSPECTED if suspected else kind,
        certainty=Certainty.SUSPECTED if suspected else Certainty.STATED,
        when=None if context.date_is_bound else context.date,
        source=source,
        site=specimen.value,
        words=source.quote,
        new_episode=statement.kind == "new-episode",
        imaging=context.imaging,
        accession=context.accession or source.reference,
        in_note=not context.imaging and not context.pathology and specimen is SpecimenKind.UNSPECIFIED,
    )


def _growth_told(statement: CourseStatement, text: str, vocabulary: Vocabulary) -> str:
    """Growth told in the sentence of a Deauville score, or of size in the next one (11.9)."""
    following = _NEXT_SENTENCE.match(text, statement.span[1])
    told = vocabulary.tells_growth(statement.words) or (
        following is not None and vocabulary.tells_growth(following[1], size_only=True)
    )
    return "growth" if told else ""
