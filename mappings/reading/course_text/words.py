"""Words, sentences and headed sections of a text, each word with its place in the original."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_TOKEN = re.compile(r"[a-z0-9]+")
_SAME = {
    "\u00a0": " ", "\u2007": " ", "\u202f": " ", "\u2009": " ", "\u3000": " ", "\u2028": "\n", "\u2029": "\n",
    "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-",
    "\u2018": "'", "\u2019": "'", "\u02bc": "'", "\u201c": '"', "\u201d": '"', "\u2022": "*", "\u00b7": "*",
    "\u2610": "[ ]", "\u2611": "[x]", "\u2612": "[x]", "\u25a1": "[ ]", "\u25cb": "[ ]", "\u25a0": "[x]",
    "\u00df": "ss", "\u0153": "oe", "\u00e6": "ae",
    "\u0152": "oe", "\u00c6": "ae", "\ufb01": "fi", "\ufb02": "fl",
    "\u00ad": "", "\u200b": "", "\u200c": "", "\u200d": "", "\ufeff": "",
    "\u2192": "->", "\u2265": ">", "\u2264": "<",
}  # fmt: skip


@lru_cache(maxsize=4096)
def _fold_character(letter: str) -> str:
    if letter in _SAME:
        return _SAME[letter]
    if unicodedata.combining(letter):
        return ""
    base = unicodedata.normalize("NFKD", letter)
    plain = "".join(part for part in base if not unicodedata.combining(part)).lower()
    return plain if plain.isascii() else (letter.lower()[:1] or " ")


def fold_word(text: str) -> str:
    """Lower case without accents, typographic signs as plain ones."""
    return text.lower() if text.isascii() else "".join(map(_fold_character, text))


def fold(text: str) -> tuple[str, list[int] | None]:
    """Folded text and, for each character, its place in the original (None where they are the same)."""
    if text.isascii():
        return text.lower(), None
    pieces: list[str] = []
    places: list[int] = []
    for place, letter in enumerate(text):
        plain = letter.lower() if letter.isascii() else _fold_character(letter)
        pieces.append(plain)
        places.extend([place] * len(plain))
    places.append(len(text))
    return "".join(pieces), places


@dataclass(slots=True)
class Words:
    """Parallel lists: each word, where it starts and ends in the folded text, and what stands before it."""

    source: str
    folded: str
    places: list[int] | None
    text: list[str]
    start: list[int]
    end: list[int]
    before: list[str]
    tail: str

    def original(self, place: int) -> int:
        """A place in the folded text as a place in the original."""
        return place if self.places is None else self.places[place]

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Where the words `first` to `last` stand in the original."""
        return self.original(self.start[first]), self.original(self.end[last] - 1) + 1

    def after(self, at: int) -> str:
        """What stands between word `at` and the next one."""
        return self.before[at + 1] if at + 1 < len(self.text) else self.tail


def split_words(text: str) -> Words:
    """Splits a text into folded words."""
    folded, places = fold(text)
    words: list[str] = []
    start: list[int] = []
    end: list[int] = []
    before: list[str] = []
    at = 0
    for found in _TOKEN.finditer(folded):
        begin, finish = found.span()
        words.append(folded[begin:finish])
        start.append(begin)
        end.append(finish)
        before.append(folded[at:begin])
        at = finish
    return Words(text, folded, places, words, start, end, before, folded[at:])
