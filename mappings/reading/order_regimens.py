"""Regimens by their short names in orders: BR, R2, tafa-len; a lone R joined to a regimen is rituximab.

They are read in orders only: in a report or a problem list the same letters may mean anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from mappings.loading import Concept
from mappings.reading.vocabulary import WordList

_JOIN = r"\s?[-\u2010-\u2013/+]\s?"
_LETTERS = 3  # a name as short as this needs a word of treatment beside it in a service order


class Regimens:
    """The regimens of the order word list with the drugs that are part of them."""

    def __init__(self, lexicon: Mapping[str, Any], concepts: Mapping[str, Concept]) -> None:
        self._parts = {
            name: tuple(concepts[one] for one in parts)
            for name, parts in lexicon["regimens"]["names"].items()
        }
        self._names = re.compile(_whole(self._parts))
        beside = lexicon["rituximab_beside"]
        joined = _alternatives(beside["joined_to"])
        self._rituximab = concepts[beside["concept"]]
        self._beside = re.compile(
            rf"(?<![a-z0-9])(?:r(?:{_JOIN})(?:{joined})|(?:{joined})(?:{_JOIN})r)(?![a-z0-9])"
        )
        self._treating = WordList(lexicon["treating"]["words"])

    def drugs(self, texts: Iterable[str], *, service: bool) -> tuple[Concept, ...]:
        """The drugs of the regimens that names of an order hold."""
        found: list[Concept] = []
        for text in texts:
            lowered = text.lower()
            for match in self._names.finditer(lowered):
                name = "-".join(re.split(r"[^a-z0-9]+", match[0]))
                if service and len(name) <= _LETTERS and not self._treating.any_in(text):
                    continue
                found.extend(self._parts[name])
            if self._beside.search(lowered):
                found.append(self._rituximab)
        return tuple(dict.fromkeys(found))


def _whole(names: Iterable[str]) -> str:
    return rf"(?<![a-z0-9])(?:{_alternatives(names)})(?![a-z0-9])"


def _alternatives(names: Iterable[str]) -> str:
    longest = sorted(names, key=len, reverse=True)
    return "|".join(_JOIN.join(re.escape(part) for part in name.split("-")) for name in longest)
