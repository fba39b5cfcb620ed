"""Whether a service order is, or plans, a stem cell transplant: read clause by clause.

A transplant that lies behind, was refused or is only named beside another act is no plan (rules 7). What donor it
takes is decided by what live clauses name; a transplant without a donor named may be allogeneic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mappings.reading.recognise import Recogniser
from mappings.reading.vocabulary import WordList, tokens

_CLAUSE = re.compile(r"[;,()\[\]\n:]|\.(?!\d)|\s[-\u2013\u2014]+\s")
_SHORT = 4  # words of a clause that only completes the one beside it: "allogeneic", "declined by patient"
_AHEAD = 3
_PLAN = "transplant-plan"


@dataclass(frozen=True, slots=True)
class TransplantNamed:
    """What the clauses of an order say: `live` where one is to come, `planned` where words of planning stand with it."""

    live: bool = False
    planned: bool = False
    allogeneic: bool = False
    autologous: bool = False

    @property
    def may_be_allogeneic(self) -> bool:
        """Autologous only where autologous is named and allogeneic is not."""
        return self.live and (self.allogeneic or not self.autologous)


@dataclass(frozen=True, slots=True)
class _Clause:
    names: bool
    live: bool
    words: int
    planned: bool
    refused: bool
    past: bool
    allogeneic: bool
    autologous: bool


def clauses_of(texts: Iterable[str]) -> tuple[str, ...]:
    """The clauses of names, split at punctuation and at a dash between blanks."""
    parts = (part.strip() for text in texts for part in _CLAUSE.split(text))
    return tuple(dict.fromkeys(part for part in parts if part))


class TransplantWords:
    """The word lists by which orders of transplants are told apart."""

    def __init__(self, lexicon: Mapping[str, Any], recogniser: Recogniser) -> None:
        self._recogniser = recogniser
        self._word = frozenset(lexicon["word"])
        self._bare = frozenset(lexicon["bare"])
        self._allogeneic = WordList(lexicon["allogeneic"])
        self._autologous = WordList(lexicon["autologous"])
        self._organ = WordList(lexicon["organ"])
        self._stem_cells = WordList(lexicon["stem_cells"])
        self._planned = WordList(lexicon["planned"])
        self._refused = WordList(lexicon["refused"])
        self._not_a_plan = WordList(lexicon["not_a_plan"])
        self._past = WordList(lexicon["behind"])
        self._behind = frozenset(" ".join(tokens(one)) for one in lexicon["behind"])
        self._denied = frozenset(" ".join(tokens(one)) for one in lexicon["denied_ahead"])
        donors = (*lexicon["allogeneic"], *lexicon["autologous"])
        self._filler = frozenset(lexicon["filler"]) | {word for one in donors for word in tokens(one)}

    def read(self, texts: Sequence[str]) -> TransplantNamed | None:
        """What the names of one order say of a transplant; None where they name none."""
        clauses = [self._clause(one) for one in clauses_of(texts)]
        typed = any(one.allogeneic or one.autologous for one in clauses)
        bare = [one for one in clauses_of(texts) if self._names_bare(one)] if typed else []
        if not any(one.names for one in clauses) and not bare:
            return None
        completing = [one for one in clauses if not one.names and one.words <= _SHORT and not one.past]
        refused = any(one.refused and not one.allogeneic and not one.autologous for one in completing)
        live = [one for one in clauses if one.live]
        if not any(one.names for one in clauses):
            live = [one for one in map(self._clause_of_bare, bare) if one.live]
        if refused or not live:
            return TransplantNamed()
        return TransplantNamed(
            live=True,
            planned=any(one.planned for one in live),
            allogeneic=any(one.allogeneic for one in (*live, *completing)),
            autologous=any(one.autologous for one in (*live, *completing)),
        )

    def _names_bare(self, clause: str) -> bool:
        """Whether a clause says "transplant" and no organ; of what, another clause must say."""
        return bool(self._bare & set(tokens(clause))) and not self._organ.any_in(clause)

    def _names(self, clause: str, words: Sequence[str]) -> bool:
        """Whether a clause names a stem cell transplant, or what is only done for one."""
        named = set(words) & self._word
        if named - self._bare:
            return True
        if named and not self._organ.any_in(clause):
            return self._stem_cells.any_in(clause) or bool(self._donor(clause))
        return any(concept.id == _PLAN for concept in self._recogniser.text(clause))

    def _donor(self, clause: str) -> bool:
        return self._allogeneic.any_in(clause) or self._autologous.any_in(clause)

    def _clause(self, clause: str) -> _Clause:
        words = tokens(clause)
        return self._judged(clause, words, self._names(clause, words))

    def _clause_of_bare(self, clause: str) -> _Clause:
        return self._judged(clause, tokens(clause), True)

    def _judged(self, clause: str, words: Sequence[str], names: bool) -> _Clause:
        planned = self._planned.any_in(clause)
        refused = self._refused.any_in(clause)
        elsewhere = self._not_a_plan.any_in(clause) and not planned
        live = names and not refused and not elsewhere and not self._is_behind(words)
        return _Clause(
            names=names,
            live=live,
            words=len(words),
            planned=planned,
            refused=refused,
            past=self._past.any_in(clause),
            allogeneic=self._allogeneic.any_in(clause),
            autologous=self._autologous.any_in(clause),
        )

    def _is_behind(self, words: Sequence[str]) -> bool:
        """Whether the words right before the transplant's name say that it lies behind, or that there is none."""
        first = next((at for at, word in enumerate(words) if word in self._word), len(words))
        while first and words[first - 1] in self._filler:
            first -= 1
        ahead = [" ".join(words[max(0, first - size) : first]) for size in range(1, _AHEAD + 1)]
        return any(one in self._behind or one in self._denied for one in ahead)
