"""Malignancies that a report names: which one, whether it is denied, and whether it is another one than this patient's.

Sources: rules CD-10 (lineage), 7 (T-cell malignancy), 11.8; hazards H-23, H-29, H-31.
"""

from __future__ import annotations

from dataclasses import dataclass

from mappings.dates import ClinicalDate
from mappings.facts import Diagnosis, SourceRef
from mappings.loading import Concept
from mappings.reading.disease import most_telling
from mappings.reading.recognise import Recogniser, words_of
from mappings.reading.vocabulary import Vocabulary

_DENIED_BEHIND = frozenset({"ruled out", "excluded"})
_NAME_WITHIN = 8_000
_DENIAL_WITHIN = 5  # words before a name in which a denial still speaks of it


TAKEN_BACK = ("negated", "doubt", "history", "family")
"""Qualifiers ahead of a name that take it back."""
_PAST = frozenset({"remission"})


@dataclass(frozen=True, slots=True)
class DiseaseNames:
    """Reads names of malignancies in text. `has_all`: acute lymphoblastic leukaemia is on the problem list, so that
    blasts of another lineage mean a switch."""

    recogniser: Recogniser
    vocabulary: Vocabulary
    has_all: bool

    def named(self, text: str) -> Concept | None:
        """The lymphoid malignancy a text names, most telling first; another one only where no B-cell one is named."""
        found = tuple(c for _, _, c in self._find(text) if c.kind == "diagnosis")
        lymphoid = tuple(c for c in found if c.attributes.get("scope") != "excluded")
        return most_telling(lymphoid or found)

    def switch(self, text: str) -> str:
        """The words of a switch of lineage, or of a myeloid or mixed leukaemia, named without denial (CD-10)."""
        words = words_of(text[:_NAME_WITHIN])
        for start, end, concept in self._find(text):
            if _PAST & set(words[start:end]):
                continue  # "AML in remission" is no switch of this leukaemia
            in_leukaemia = self.has_all and concept.attributes.get("acute_leukaemia")
            if (concept.kind == "lineage-switch" or in_leukaemia) and not self._taken_back(words, start, end):
                return " ".join(words[start:end])
        return ""

    def denied(self, text: str) -> bool:
        """Whether every malignancy a text names is denied, asked for only, or of a relative."""
        words = words_of(text[:_NAME_WITHIN])
        kinds = ("diagnosis", "t-cell-malignancy-after-car-t")
        named = [(start, end) for start, end, c in self._find(text) if c.kind in kinds]
        return bool(named) and all(self._taken_back(words, start, end) for start, end in named)

    def t_cell(self, text: str) -> str:
        """The words of a T-cell malignancy named as such, where no B-cell one is named beside it (rules 7)."""
        words = words_of(text[:_NAME_WITHIN])
        found = [(start, end, c) for start, end, c in self._find(text) if c.kind == "diagnosis"]
        if any(
            c.attributes.get("group") not in ("t-lineage",) and c.attributes.get("scope") == "in"
            for _, _, c in found
        ):
            return ""
        for start, end, concept in found:
            if concept.attributes.get("group") == "t-lineage" and not self._taken_back(words, start, end):
                return " ".join(words[start:end])
        return ""

    def other_than_this(self, concept: Concept | None, texts: str) -> str:
        """Why a specimen is of another malignancy, or empty."""
        if concept is not None and self._is_other(concept):
            return f"is of another malignancy: {concept.label}"
        if concept is None and self.vocabulary.other_cancers.any_in(texts):
            return "is of another cancer"
        return ""

    def _is_other(self, concept: Concept) -> bool:
        if concept.attributes.get("group") == "myeloid":
            return not (self.has_all and concept.attributes.get("acute_leukaemia"))
        return concept.attributes.get("scope") == "excluded"

    def _find(self, text: str) -> tuple[tuple[int, int, Concept], ...]:
        return self.recogniser.mentions(text[:_NAME_WITHIN])

    def _taken_back(self, words: list[str], start: int, end: int) -> bool:
        """Whether a name is denied, doubted, past or of a relative by the words beside it."""
        ahead = " ".join(words[max(0, start - _DENIAL_WITHIN) : start])
        qualifiers = self.vocabulary.qualifiers
        if any(qualifiers[name].any_in(ahead) for name in TAKEN_BACK):
            return True
        if qualifiers["negated"].first(" ".join(words[end : end + 2])) in _DENIED_BEHIND:
            return True
        nearer = " ".join(words[max(0, start - 3) : start])
        behind = " ".join(words[end : end + 3])
        if qualifiers["family"].any_in(behind):
            return True
        return self.vocabulary.not_stated_ahead.any_in(nearer) or self.vocabulary.not_stated_behind.any_in(
            behind
        )


def reported_diagnosis(concept: Concept, source: SourceRef, seen_on: ClinicalDate | None) -> Diagnosis:
    """The malignancy that a report shows in a specimen of this day: for charts whose problem list does not name it
    (rules 11.8), or not as the tissue shows it (rules 6).
    """
    attributes = concept.attributes
    return Diagnosis(
        disease=str(attributes.get("disease") or concept.id),
        label=concept.label,
        scope=str(attributes.get("scope") or "unspecified"),
        status="reported",
        recorded=None,
        onset=None,
        source=SourceRef(source.reference, source.element, concept.label),
        cns=bool(attributes.get("cns")),
        transformed=bool(attributes.get("transformed")),
        group=str(attributes.get("group") or ""),
        pmbcl=bool(attributes.get("pmbcl")),
        seen_on=seen_on,
    )
