"""Codings and texts to the concepts of the knowledge folder, memoised by coding and by text.

A chart repeats the same few hundred names, so nearly every look-up is one dictionary access.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from mappings.reading import wire

if TYPE_CHECKING:
    from mappings.loading import Concept, Knowledge

_WORDS = re.compile(r"[a-z0-9]+")
_MEMO_LIMIT = 20_000
_TEXT_LIMIT = 400
_REPORTS_KEPT = 512
_LOCAL_DIGITS = 9  # longer runs of digits may be an NDC; shorter ones count only as written
_NOTHING: tuple[Concept, ...] = ()


def words_of(text: str) -> list[str]:
    """Lower-case words of a text; every other character separates (`CAR-T` is `car`, `t`)."""
    return _WORDS.findall(text.lower())


class _Node:
    """One word of known phrases: the words that may follow it, and what the phrase that ends with it names."""

    __slots__ = ("after", "concepts")

    def __init__(self) -> None:
        self.after: dict[str, _Node] = {}
        self.concepts: list[Concept] = []


class Phrases:
    """Finds the longest known phrases in a text, word by word; no two overlap, in reading order.

    Each word of a text costs one look-up per word of the phrases it may begin, however many phrases are known.
    """

    def __init__(self, synonyms: Iterable[tuple[str, Concept]]) -> None:
        self._root = _Node()
        for phrase, concept in synonyms:
            node = self._root
            for word in words_of(phrase):
                node = node.after.setdefault(word, _Node())
            if node is not self._root and concept not in node.concepts:
                node.concepts.append(concept)

    def find(self, text: str) -> tuple[tuple[int, int, Concept], ...]:
        """Matches as (first word, last word + 1, concept)."""
        words = words_of(text)
        found: list[tuple[int, int, Concept]] = []
        at, count, first = 0, len(words), self._root.after
        while at < count:
            node, end, ended, named = first.get(words[at]), at + 1, at + 1, None
            while node is not None:
                if node.concepts:
                    ended, named = end, node.concepts
                node = node.after.get(words[end]) if end < count else None
                end += 1
            if named is not None:
                found.extend((at, ended, concept) for concept in named)
            at = ended
        return tuple(found)


class Recogniser:
    """Recognises CodeableConcepts; one per knowledge, shared by all charts. Memos are bounded and hold no patient data
    beyond names of codes."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self.phrases = Phrases(knowledge.synonyms)
        self._codes: dict[str | None, dict[str | None, tuple[Concept, ...]]] = {}
        self._known = {code for _, code in knowledge.by_code} | {code for _, code in knowledge.stops}
        self._whole = knowledge.whole_texts
        self._texts: dict[str, tuple[Concept, ...]] = {}
        self._telling: dict[tuple[str, re.Pattern[bytes]], bool] = {}
        self.mentions = lru_cache(maxsize=_REPORTS_KEPT)(self.phrases.find)  # names in report texts

    def concepts(self, concept: wire.Concept | None) -> tuple[Concept, ...]:
        """Every concept that any coding or any text of a CodeableConcept names (never `coding[0]` alone)."""
        if concept is None:
            return _NOTHING
        found = _NOTHING
        codes, texts, known = self._codes, self._texts, self._known
        for coding in concept.coding or ():
            code, display = coding.code, coding.display
            if code is not None and (code in known or not code.isdigit() or len(code) > _LOCAL_DIGITS):
                by_system = codes.get(code)
                hit = by_system.get(coding.system) if by_system is not None else None
                if hit is None:
                    hit = self._look_up(coding.system, code)
                if hit:
                    found = _joined(found, hit)
            if display is not None:
                named = texts.get(display)
                if named is None:
                    named = self.text(display)
                if named:
                    found = _joined(found, named)
        text = concept.text
        if text is not None:
            named = texts.get(text)
            if named is None:
                named = self.text(text)
            if named:
                found = _joined(found, named)
        return found

    def speaks(self, concept: wire.Concept | None, triggers: re.Pattern[bytes]) -> bool:
        """Whether a name that stands for no concept holds a word that makes its result worth reading."""
        for text in texts_of(concept):
            known = self._telling.get((text, triggers))
            if known is None:
                if len(self._telling) >= _MEMO_LIMIT:
                    self._telling.clear()
                known = self._telling[text, triggers] = triggers.search(text.encode()) is not None
            if known:
                return True
        return False

    def coded(self, concept: wire.Concept | None) -> tuple[Concept, ...]:
        """The concepts that codings alone name."""
        found: list[Concept] = []
        for coding in (concept.coding or ()) if concept else ():
            if coding.code is not None:
                found.extend(self._look_up(coding.system, coding.code))
        return tuple(dict.fromkeys(found))

    def text(self, text: str) -> tuple[Concept, ...]:
        """The concepts that a name or title mentions; long texts are read by the report readers instead."""
        known = self._texts.get(text)
        if known is not None:
            return known
        found = [concept for _, _, concept in self.phrases.find(text[:_TEXT_LIMIT])]
        found.extend(self._whole.get(text.strip().lower(), ()))
        named = tuple(dict.fromkeys(found))
        if len(text) <= _TEXT_LIMIT:
            if len(self._texts) >= _MEMO_LIMIT:
                self._texts.clear()
            self._texts[text] = named
        return named

    def _look_up(self, system: str | None, code: str) -> tuple[Concept, ...]:
        by_system = self._codes.get(code)
        if by_system is not None and (known := by_system.get(system)) is not None:
            return known
        found = self._knowledge.lookup(system, code) or self._stops(system, code)
        if len(self._codes) >= _MEMO_LIMIT:
            self._codes.clear()
            by_system = None
        if by_system is None:
            by_system = self._codes.setdefault(code, {})
        if len(by_system) < 64:
            by_system[system] = found
        return found

    def _stops(self, system: str | None, code: str) -> tuple[Concept, ...]:
        """Unverified rows that stop a wrong conclusion; one of unknown specimen says nothing by its code (11.18)."""
        stops = self._knowledge.stopped_by(system, code)
        return tuple(
            c for c in stops if c.attributes.get("use_class") not in ("ambiguous_specimen", "tumour_antigen")
        )

    def forget(self) -> None:
        """Empties the memos (for measuring a cold start)."""
        self._codes.clear()
        self._texts.clear()
        self._telling.clear()
        self.mentions.cache_clear()


def _joined(found: tuple[Concept, ...], more: tuple[Concept, ...]) -> tuple[Concept, ...]:
    if not found:
        return more
    for concept in more:
        if concept not in found:
            found += (concept,)
    return found


def texts_of(concept: wire.Concept | None) -> tuple[str, ...]:
    """Text and displays of a CodeableConcept, text first, without repeats."""
    if concept is None:
        return ()
    texts = [concept.text] + [coding.display for coding in concept.coding or ()]
    return tuple(dict.fromkeys(text.strip() for text in texts if text and text.strip()))


def label_of(concept: wire.Concept | None) -> str:
    """The name a person would read: text, else the first display, else the first code."""
    texts = texts_of(concept)
    if texts:
        return texts[0]
    for coding in (concept.coding or ()) if concept else ():
        if coding.code:
            return coding.code
    return ""
