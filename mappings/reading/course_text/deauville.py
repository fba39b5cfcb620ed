"""Deauville scores written in a report, with growth or shrinkage beside them (rules EN-2, 11.9)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from mappings.reading.course_text.lexicon import CourseLexicon
from mappings.reading.course_text.scope import Scope
from mappings.reading.course_text.sentences import Sentence
from mappings.reading.course_text.words import Words

_FUSED = re.compile(r"(?:deauville|ds|dv)([1-5])[abx]?\Z")
_SHORT = re.compile(r"d([1-5])\Z")
_GRADE = re.compile(r"([1-5])[abx]?\Z")
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5}
_REACH = 9


@dataclass(frozen=True, slots=True)
class Score:
    """A Deauville score at the words `first` to `last`; `open` where the report gives a range."""

    first: int
    last: int
    grade: int
    prior: bool
    open: bool = False


def deauville_scores(words: Words, sentence: Sentence, lexicon: CourseLexicon) -> list[Score]:
    """Every score of the sentence that is a result and not part of a scale's definition."""
    if _is_scale(words, sentence):
        return []
    named = lexicon.deauville["names"]
    context = any(word in named for word in words.text[sentence.first : sentence.last + 1])
    found: list[Score] = []
    at = sentence.first
    while at <= sentence.last:
        word = words.text[at]
        fused = _FUSED.match(word)
        if fused is None and (short := _SHORT.match(word)):
            enclosed = "(" in words.before[at] and ")" in words.after(at)
            fused = short if context or (enclosed and sentence.tagged("imaging")) else None
        if fused and (word.startswith("deauville") or sentence.tagged("imaging") or context):
            found.append(Score(at, at, int(fused[1]), _prior_before(words, sentence, at, lexicon)))
        elif word in named and (word not in {"ds", "5ps"} or sentence.tagged("imaging")):
            found.extend(_after_name(words, sentence, at, lexicon))
            at = found[-1].last if found and found[-1].last > at else at
        at += 1
    return found


def _is_scale(words: Words, sentence: Sentence) -> bool:
    """Three or more grades, each followed by what it means: the definition of the scale."""
    grades = set()
    for at in range(sentence.first, sentence.last + 1):
        gap = words.after(at)
        if words.text[at] in {"1", "2", "3", "4", "5"} and (
            "=" in gap or ":" in gap or gap in {" - ", ") ", ". "}
        ):
            grades.add(words.text[at])
    return len(grades) >= 3


def _prior_before(words: Words, sentence: Sentence, at: int, lexicon: CourseLexicon) -> bool:
    before = words.text[max(sentence.first, at - 2) : at]
    return any(word in lexicon.deauville["prior"] for word in before)


def _after_name(words: Words, sentence: Sentence, name: int, lexicon: CourseLexicon) -> list[Score]:
    """Grades that follow the name, past words such as "score of", with a note of what was earlier."""
    prior = _prior_before(words, sentence, name, lexicon)
    found: list[Score] = []
    at = name + 1
    while at <= min(sentence.last, name + _REACH):
        word = words.text[at]
        if "." in words.before[at] or ";" in words.before[at]:
            break
        grade = _grade(words, at)
        if grade:
            last, low, is_scale = _extent(words, sentence, at, grade)
            if is_scale:
                at = last + 1
                continue
            if found and ">" in words.before[at] and found[-1].first == name:  # "4 -> 5"
                found[-1] = replace(found[-1], prior=True)
                prior = False
            found.append(Score(name, last, low, prior, open=last > at and _ranged(words, at)))
            prior = True  # a second figure without "now" is what it is compared with
            at = last
        elif word in lexicon.deauville["prior"]:
            prior = True
        elif word in lexicon.deauville["now"]:
            prior = False
        elif word not in lexicon.deauville["fillers"]:
            break
        at += 1
    return found


def _grade(words: Words, at: int) -> int:
    word = words.text[at]
    plain = _GRADE.match(word)
    if plain:
        decimal = at + 1 < len(words.text) and words.after(at) in {".", ","}
        below = words.before[at].strip().endswith(("<", ">")) and not words.before[at].strip().endswith("->")
        return 0 if decimal or below else int(plain[1])
    original = words.source[words.original(words.start[at])]
    return _ROMAN.get(word, 0) if original.isupper() else 0


def _ranged(words: Words, at: int) -> bool:
    return words.after(at).strip() == "-" or words.text[at + 1] in {"to", "bis", "a", "or", "oder", "ou", "o"}


def _extent(words: Words, sentence: Sentence, at: int, grade: int) -> tuple[int, int, bool]:
    """Last word of the figure, its lowest reading, and whether it only names the five-point scale."""
    if at + 1 > sentence.last:
        return at, grade, False
    gap, following = words.after(at), words.text[at + 1]
    if following in {"point", "points", "ps", "punkte"}:
        return at + 1, grade, True
    if gap.strip() == "/" and following == "5":
        return at + 1, grade, False
    step = at + 1
    if following in {"to", "bis", "a", "or", "oder", "ou", "o"} and step + 1 <= sentence.last:
        step += 1
    elif gap.strip() != "-":
        return at, grade, False
    other = _grade(words, step)
    if not other:
        return at, grade, False
    return step, min(grade, other), False


def change_beside(scope: Scope) -> str:
    """Growth or shrinkage said in the sentence; empty for neither, both or "unchanged" (rules 11.9)."""
    said: set[str] = set()
    for hit in scope.sentence.hits:
        if "unchanged" in hit.tags:
            return ""
        changes = hit.tags & {"growth", "shrinkage"}
        if changes and not scope.before(hit.first, "negation", "absence", "plan", "history", reach=4):
            said |= changes
    return said.pop() if len(said) == 1 else ""
