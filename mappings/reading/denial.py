"""Whether a name takes back what it names: `no active infection`, `pneumonia ruled out`.

A single word denies only where it opens the text: `zoster without complications` and `gram-negative sepsis`
deny nothing, and neither does `not otherwise specified`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mappings.reading.vocabulary import Vocabulary, tokens

_UNSPECIFIED = re.compile(
    r"\bnot\s+(?:otherwise\s+|elsewhere\s+)?(?:specified|classified|further\s+specified)\b", re.IGNORECASE
)


def plain(text: str) -> str:
    """The text without `not otherwise specified` and its like."""
    return _UNSPECIFIED.sub(" ", text)


class Names:
    """The texts of entries, asked about denial, doubt, history and family; answers are kept for a chart."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._lists = vocabulary.qualifiers
        self._kept: dict[tuple[str, tuple[str, ...]], bool] = {}

    def are(self, kind: str, texts: tuple[str, ...]) -> bool:
        """Whether the texts carry a word of a qualifier list: `doubt`, `history`, `family`."""
        key = (kind, texts)
        known = self._kept.get(key)
        if known is None:
            words = self._lists[kind]
            known = self._kept[key] = any(words.any_in(text) for text in texts)
        return known

    def denied(self, texts: tuple[str, ...]) -> bool:
        """Whether the texts say that the thing named is not so."""
        key = ("denied", texts)
        known = self._kept.get(key)
        if known is None:
            known = self._kept[key] = self._denied(texts)
        return known

    def _denied(self, texts: Sequence[str]) -> bool:
        for text in texts:
            bare = plain(text)
            phrase = self._lists["negated"].first(bare)
            if phrase and (" " in phrase or tokens(bare)[:1] == [phrase]):
                return True
        return False
