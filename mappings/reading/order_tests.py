"""What a test order asks for: which antigens on what cells, and whether it takes tissue that may hold this disease."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mappings.facts import Antigen, SpecimenKind
from mappings.loading import Concept
from mappings.reading.vocabulary import Vocabulary, WordList


class TestWords:
    """The word lists by which test orders are told apart."""

    __test__ = False  # not a class of tests, whatever a test runner thinks of its name

    def __init__(self, lexicon: Mapping[str, Any], biopsy: Iterable[str], vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._biopsy = WordList(biopsy)
        self._elsewhere = WordList(lexicon["biopsy_elsewhere"]["sites"])
        self._this_disease = WordList(lexicon["biopsy_elsewhere"]["this_disease"])
        self._not_sampling = WordList(lexicon["not_the_sampling"]["words"])
        self._cell_counts = WordList(lexicon["not_tumour"]["words"])

    def names_biopsy(self, text: str) -> bool:
        """Whether a biopsy is named, of whatever."""
        return self._biopsy.any_in(text)

    def antigens(self, text: str, concepts: Iterable[Concept]) -> tuple[str, ...]:
        """The antigens that are asked for; a blood count of B cells is no test of the tumour (rules 4, CD-2)."""
        concepts = tuple(concepts)
        if any(c.text("use_class") in ("lymphocyte_subset", "not_relevant") for c in concepts):
            return ()
        if self._not_sampling.any_in(text) or self._counts_blood(text):
            return ()
        said = {one for one in self._vocabulary.car_t.targets(text) if one in set(Antigen)}
        coded = {c.text("antigen") for c in concepts if c.kind == "antigen-observation"}
        return tuple(sorted(said | (coded & set(Antigen))))

    def _counts_blood(self, text: str) -> bool:
        """Whether the cells looked at are blood B cells: no tumour specimen and no malignant cell is named."""
        words = self._vocabulary
        if self._this_disease.any_in(text) or words.cells_in_name.any_in(text):
            return False
        kind = words.specimen(text)
        counts = kind is SpecimenKind.UNSPECIFIED and self._cell_counts.any_in(text)
        return counts or kind is SpecimenKind.BLOOD

    def takes_tissue(self, text: str, concepts: Iterable[Concept]) -> bool:
        """Whether it takes tissue that may hold this disease (H-49); an organ alone is looked at for something else."""
        if not self._biopsy.any_in(text) or self._vocabulary.names_other_cancer(text):
            return False
        if self._not_sampling.any_in(text):
            return False
        here = self._this_disease.any_in(text) or bool(self.antigens(text, concepts))
        return here or not self._elsewhere.any_in(text)
