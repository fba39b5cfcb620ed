"""Whether a procedure that names CAR T is the infusion itself, a look back at one, or another act (EN-1, H-27)."""

from __future__ import annotations

from mappings.reading.car_t_problem import INFUSION, PRODUCT, TARGET
from mappings.reading.chart import Hit
from mappings.reading.recognise import Recogniser, texts_of, words_of
from mappings.reading.vocabulary import CarTWords, Vocabulary

_FILLERS = frozenset({"car", "t", "cell", "cells", "cart", "therapy", "therapie"})


def says_infused(name: str, recogniser: Recogniser, words: CarTWords) -> bool:
    """Whether the product is followed by a word of giving that ends the phrase: "Kymriah infusion post leukapheresis"."""
    said = words_of(name)
    spans = [(a, b) for a, b, c in recogniser.phrases.find(name) if c.kind in (PRODUCT, TARGET)]
    if not spans or words.look_back.any_in(" ".join(said[: spans[0][0]])):
        return False
    behind = [word for word in said[max(b for _, b in spans) :] if word not in _FILLERS]
    if behind[:2] == ["day", "0"]:
        return True
    if words.another_act.any_in(" ".join(said[: spans[0][0]])):
        return False
    return bool(behind) and words.infusion.any_in(behind[0]) and words.joins_on(behind[1:])


def act_of(hit: Hit, recogniser: Recogniser, vocabulary: Vocabulary) -> str:
    """Whether a procedure is the infusion itself, a look back at one, or another act that names it (EN-1, H-27).

    A verified code says it; a text that merely names the product says it only where no other act is named.
    """
    if any(c.kind in (PRODUCT, TARGET, INFUSION) for c in recogniser.coded(hit.resource.code)):
        return "infusion"
    words = vocabulary.car_t
    if any(says_infused(name, recogniser, words) for name in texts_of(hit.resource.code)):
        return "infusion"
    parts = [_around(name, recogniser, words) for name in texts_of(hit.resource.code)]
    if any(words.look_back.any_in(ahead) for ahead, _ in parts):
        return "look-back"
    if any(words.another_act.any_in(ahead) or words.another_act.any_in(behind) for ahead, behind in parts):
        return "another"
    return "infusion"


def _around(name: str, recogniser: Recogniser, words: CarTWords) -> tuple[str, str]:
    """The words before a name first speaks of CAR T, and those behind it up to a word such as "after"."""
    said = words_of(name)
    spans = [(a, b) for a, b, c in recogniser.phrases.find(name) if c.kind in (PRODUCT, TARGET, INFUSION)]
    if spans:
        start, end = min(a for a, _ in spans), min(b for _, b in spans)
    else:
        ends = [n + 1 for n in range(len(said)) if words.cells.any_in(" ".join(said[: n + 1]))]
        start = end = ends[0] if ends else len(said)
    behind = said[end:]
    cut = next((n for n, word in enumerate(behind) if words.look_back.any_in(word)), len(behind))
    return " ".join(said[:start]), " ".join(behind[:cut])
