"""What a problem-list entry says of CAR T: given, planned or denied, which product, and when.

Each mention of CAR T is told by the nearest word that speaks of it ("DLBCL s/p axi-cel 3/2025"). Sources:
terminology (prior CAR-T evidence ladder: often only in the problem list), rules 11.7, 11.11; hazards H-26, H-27.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from mappings.dates import ClinicalDate, parse_date
from mappings.loading import Concept
from mappings.reading.recognise import Recogniser, words_of
from mappings.reading.vocabulary import CarTWords, ProblemWords, Vocabulary

PRODUCT, TARGET, INFUSION, HISTORY, NOT_INFUSION = (
    "car-t-product",
    "car-t-target-known",
    "car-t-administration",
    "car-t-history",
    "car-t-not-infusion",
)
TOXICITY = "car-t-toxicity"
_MENTIONS = (PRODUCT, TARGET, INFUSION, HISTORY)
_CLAUSE = re.compile(r"[;\n]|\.\s")
_LONGEST_NAME = 400
_REACH = 4  # words behind a mention that still speak of it
_LONGEST_CUE = 4
_SAID = {"received": "given", "after": "given"}


@dataclass(frozen=True, slots=True)
class Mention:
    """One name of CAR T in a text: `said` is given, planned, denied or empty where the words do not tell."""

    said: str
    concept: Concept
    targets: tuple[str, ...]
    date: ClinicalDate | None
    alone: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """What the names of one problem say together: what was given, when, and whether the entry is about it alone."""

    mentions: tuple[Mention, ...]

    @property
    def given(self) -> tuple[Mention, ...]:
        """The mentions that say it was given."""
        return tuple(mention for mention in self.mentions if mention.said == "given")

    @property
    def date(self) -> ClinicalDate | None:
        """The date that stands beside the treatment."""
        return next((mention.date for mention in self.given if mention.date), None)

    @property
    def alone(self) -> bool:
        """Whether the entry is about the treatment, so that its onset is the infusion's date."""
        return any(mention.alone for mention in self.given)

    @property
    def targets(self) -> tuple[str, ...]:
        """Targets named beside what was given."""
        return tuple(sorted({target for mention in self.given for target in mention.targets}))


def read_problem(names: Sequence[str], recogniser: Recogniser, vocabulary: Vocabulary) -> Problem:
    """Every mention of CAR T in the names of a problem, in reading order."""
    found: list[Mention] = []
    for name in names:
        for part in _CLAUSE.split(name[:_LONGEST_NAME]):
            if part.strip():
                found.extend(_Clause(part, recogniser, vocabulary).mentions())
    return Problem(tuple(found))


class _Clause:
    """One clause of a name, as words and the concepts they stand for."""

    def __init__(self, text: str, recogniser: Recogniser, vocabulary: Vocabulary) -> None:
        self.words = words_of(text)
        self.vocabulary = vocabulary
        self.cues: ProblemWords = vocabulary.car_t.problem
        found = recogniser.phrases.find(text)
        self.spans = [row for row in found if row[2].kind in _MENTIONS or row[2].kind == NOT_INFUSION]
        self.diseases = [(start, end) for start, end, concept in found if concept.kind == "diagnosis"]
        self.toxicity = any(concept.kind == TOXICITY for _, _, concept in found)
        self.elsewhere = any(concept.kind not in (*_MENTIONS, NOT_INFUSION) for _, _, concept in found)

    def mentions(self) -> list[Mention]:
        made = []
        for start, end, concept in self.spans:
            if concept.kind == NOT_INFUSION:
                continue
            cue = self._cue(start, end, concept)
            date_of_it = None if cue == "after" or self._after_event(start) else self._date_behind(end)
            alone = cue in ("", "received") and not self.elsewhere and self._opens(start)
            said = _SAID.get(cue, cue)
            made.append(Mention(said, concept, self._targets(start, end), date_of_it, alone))
        return made

    def _cue(self, start: int, end: int, concept: Concept) -> str:
        """The nearest words that speak of a mention: received, after, planned, denied or empty."""
        behind = " ".join(self._behind(end))
        if self.vocabulary.qualifiers["family"].any_in(" ".join(self.words[:start])):
            return "denied"
        if self.cues.plan_behind.any_in(behind):
            return "planned"
        if concept.kind == HISTORY:
            if self._denied_at(start):
                return "denied"
            return "after" if start and self.cues.given.is_one(self.words[start]) else "received"
        cue = self._nearest(start)
        if cue:
            return cue
        if self.toxicity:
            return "after"
        told = self.cues.given_behind.any_in(behind) or concept.kind == INFUSION
        return "received" if told or self._date_behind(end) else ""

    def _behind(self, end: int) -> list[str]:
        following = min((a for a, _, _ in self.spans if a >= end), default=len(self.words))
        return self.words[end : min(end + _REACH, following)]

    def _nearest(self, start: int) -> str:
        """What the nearest word or mention ahead says; a mention hands on what was said of itself."""
        for end in range(start, 0, -1):
            earlier = next((row for row in self.spans if row[1] == end), None)
            if earlier is not None:
                return "planned" if earlier[2].kind == NOT_INFUSION else self._cue(*earlier)
            for size in range(min(_LONGEST_CUE, end), 0, -1):
                phrase = " ".join(self.words[end - size : end])
                if self.cues.plan.is_one(phrase):
                    return "planned"
                if self.cues.denial.is_one(phrase):
                    return "denied"
                dated = self.cues.dated.is_one(phrase)
                if dated or self.cues.given.is_one(phrase):
                    told = "received" if dated else "after"
                    return "denied" if self._denied_at(end - size) else told
        return ""

    def _denied_at(self, start: int) -> bool:
        return bool(start) and self.cues.denial.is_one(self.words[start - 1])

    def _after_event(self, start: int) -> bool:
        """Whether a relapse or toxicity stands between the disease and the mention: a date beside it is theirs."""
        named = max((end for _, end in self.diseases if end <= start), default=0)
        between = " ".join(self.words[named:start])
        return self.toxicity or any(w.any_in(between) for w in self.vocabulary.course_in_names.values())

    def _opens(self, start: int) -> bool:
        """Whether nothing but words of the treatment itself stands ahead, so that the entry is about it."""
        ahead = [word for word in self.words[:start] if not self.vocabulary.car_t.targets(word)]
        return not ahead or self.cues.dated.is_one(" ".join(ahead))

    def _date_behind(self, end: int) -> ClinicalDate | None:
        at = end
        while at < len(self.words) and (
            self.cues.before_date.is_one(self.words[at]) or any(a <= at < b for a, b, _ in self.spans)
        ):
            at += 1
        return read_date(self.words[at : at + 3], self.cues.months)

    def _targets(self, start: int, end: int) -> tuple[str, ...]:
        """Targets named right beside the mention; "CD19-negative" beside it is a result, not a target."""
        words: CarTWords = self.vocabulary.car_t
        before = " ".join(self.words[max(0, start - 2) : start])
        next_one, next_two = (" ".join(self.words[end : end + size]) for size in (1, 2))
        stated = " ".join(self.words[end : end + 3])
        near = [before, *([] if self.cues.state.any_in(stated) else [next_one, next_two])]
        named = [text for text in near if not self.cues.state.any_in(text)]
        return words.targets(" ; ".join((" ".join(self.words[start:end]), *named)))


def read_date(words: Sequence[str], months: Mapping[str, int]) -> ClinicalDate | None:
    """A date at the head of words, only as exact as every reading of it agrees (`3/4/2025` is the year) (11.11)."""
    if words and _is_year(words[0]):
        month = _number(words, 1, 12) if _two_digits(words, 1) else 0
        day = _number(words, 2, 31) if month and _two_digits(words, 2) else 0
        return _made(int(words[0]), month, day)
    if len(words) > 1 and _is_year(words[1]):
        return _made(int(words[1]), months.get(words[0], 0) or _number(words, 0, 12), 0)
    if len(words) > 2 and _is_year(words[2]):
        one, two, year = _number(words, 0, 31), _number(words, 1, 31), int(words[2])
        for name, day in ((words[0], two), (words[1], one)):
            if name in months and day:
                return _made(year, months[name], day)
        if one and two and (one == two or max(one, two) > 12):
            return _made(year, min(one, two), max(one, two))
        return _made(year, 0, 0) if one and two else None
    return None


def _is_year(word: str) -> bool:
    return len(word) == 4 and word.isdigit() and word[:2] in ("19", "20")


def _two_digits(words: Sequence[str], at: int) -> bool:
    return len(words) > at and len(words[at]) == 2


def _number(words: Sequence[str], at: int, most: int) -> int:
    if len(words) <= at or not words[at].isdigit() or len(words[at]) > 2:
        return 0
    value = int(words[at])
    return value if 1 <= value <= most else 0


def _made(year: int, month: int, day: int) -> ClinicalDate | None:
    if not month:
        return parse_date(f"{year:04d}")
    if not day:
        return parse_date(f"{year:04d}-{month:02d}")
    try:
        return parse_date(date(year, month, day).isoformat())
    except ValueError:
        return parse_date(f"{year:04d}-{month:02d}")
