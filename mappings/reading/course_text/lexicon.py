"""Closed word lists of the disease course, as a tree of words that is walked once per text (rules 11.20)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from mappings.reading.course_text.words import fold_word

LANGUAGES = ("course_en", "course_de", "course_fr", "course_it", "course_es")
OTHER = "course_other"
_WORD = re.compile(r"[a-z0-9]+")
_RELAPSE_FORMS = frozenset({"noun", "verb", "adjective"})


@dataclass(frozen=True, slots=True)
class Term:
    """A word or phrase of the course: what it means and how it behaves in a sentence."""

    kind: str
    form: str
    implies: str = ""
    new_episode: bool = False


@dataclass(slots=True)
class Node:
    """A place in the tree of phrases."""

    next: dict[str, Node] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    terms: list[Term] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CourseLexicon:
    """Word lists of the five languages, ready to match."""

    root: Node
    headings: Mapping[str, str]
    glue: frozenset[str]
    abbreviations: frozenset[str]
    foreign: frozenset[str]
    deauville: Mapping[str, frozenset[str]]
    gate: re.Pattern[str]
    dates: re.Pattern[str]
    months: frozenset[str]


def phrase_words(phrase: str) -> tuple[str, ...]:
    """The words of a listed phrase as they are matched: folded, without punctuation."""
    return tuple(_WORD.findall(fold_word(phrase)))


@cache
def _packaged_lists() -> dict[str, Any]:
    folder = files("mappings.knowledge") / "lexicon"
    return {name: json.loads((folder / f"{name}.json").read_text("utf-8")) for name in (*LANGUAGES, OTHER)}


@cache
def packaged_lexicon() -> CourseLexicon:
    """The word lists that ship with the product, built once however they are asked for."""
    return build_lexicon(_packaged_lists())


_BUILT: dict[int, tuple[object, CourseLexicon]] = {}


def lexicon_from(given: Mapping[str, Any] | None) -> CourseLexicon:
    """The lexicon given by the caller (file name -> decoded JSON), built once, or the packaged one."""
    if given is None or not any(name in given for name in LANGUAGES):
        return packaged_lexicon()
    kept = _BUILT.get(id(given))
    if kept is None or kept[0] is not given:
        if len(_BUILT) > 8:
            _BUILT.clear()
        shipped = all(given.get(name) == lists for name, lists in _packaged_lists().items())
        kept = _BUILT[id(given)] = (given, packaged_lexicon() if shipped else build_lexicon(given))
    return kept[1]


def build_lexicon(decoded: Mapping[str, Any]) -> CourseLexicon:
    """Puts the decoded JSON of all languages into one tree: a report may mix languages."""
    root = Node()
    headings: dict[str, str] = {}
    glue: set[str] = set()
    abbreviations: set[str] = set()
    deauville: dict[str, set[str]] = {}
    first_words: set[str] = set()
    months: set[str] = set()
    for name in LANGUAGES:
        data = decoded.get(name)
        if data is None:
            continue
        first_words |= _add_terms(root, data)
        _add_cues(root, data, glue)
        _add_patterns(root, data["absence_patterns"])
        months |= {fold_word(m) for m in data["months"]}
        for section, titles in data["headings"].items():
            for title in titles:
                headings.setdefault(" ".join(phrase_words(title)), section)
        abbreviations |= {" ".join(phrase_words(a)).rpartition(" ")[2] for a in data["abbreviations"]}
        for part, words in data["deauville"].items():
            deauville.setdefault(part, set()).update(" ".join(phrase_words(w)) for w in words)
    first_words |= {"d1", "d2", "d3", "d4", "d5"} | deauville.get("names", set())
    first_words |= _absence_words(decoded)
    return CourseLexicon(
        root=root,
        headings=headings,
        glue=frozenset(glue),
        abbreviations=frozenset(abbreviations),
        foreign=frozenset(" ".join(phrase_words(w)) for w in decoded.get(OTHER, {}).get("foreign", ())),
        deauville={part: frozenset(words) for part, words in deauville.items()},
        gate=_gate(first_words),
        dates=_dates(months),
        months=frozenset(months),
    )


def _put(root: Node, phrase: str) -> Node | None:
    node = root
    words = phrase_words(phrase)
    for word in words:
        node = node.next.setdefault(word, Node())
    return node if words else None


def _add_terms(root: Node, data: Mapping[str, Any]) -> set[str]:
    seen: set[str] = set()
    simple = {
        words[0]: entry["kind"]
        for entry in data["terms"]
        if entry["kind"] in {"relapse", "progression"} and entry["form"] in _RELAPSE_FORMS
        for words in map(phrase_words, entry["words"])
        if len(words) == 1
    }
    for entry in data["terms"]:
        for phrase in entry["words"]:
            words = phrase_words(phrase)
            implied = next((simple[w] for w in words if w in simple), "")
            term = Term(entry["kind"], entry["form"], implied if entry["kind"] != implied else "")
            _register(root, phrase, term, seen)
    for phrase in data["new_episode"]:
        _register(root, phrase, Term("relapse", "noun", new_episode=True), seen)
    for phrase in data["pseudo"]:
        node = _put(root, phrase)
        if node is not None:
            node.tags.add("pseudo")
    return seen


def _register(root: Node, phrase: str, term: Term, seen: set[str]) -> None:
    node = _put(root, phrase)
    if node is not None:
        seen.add(max(phrase_words(phrase), key=len))
        if not any(t.kind == term.kind for t in node.terms):
            node.terms.append(term)


def _add_cues(root: Node, data: Mapping[str, Any], glue: set[str]) -> None:
    for tag, phrases in data["cues"].items():
        for phrase in phrases:
            node = _put(root, phrase)
            if node is None:
                continue
            node.tags.add(tag)
            if tag in {
                "absence",
                "negation",
                "plan",
                "hedge",
                "of",
                "qualifier",
                "list",
                "history",
                "assert",
            }:
                glue.add(phrase_words(phrase)[-1])


def _add_patterns(root: Node, patterns: Mapping[str, Any]) -> None:
    """Denials with one or two adjectives: "no morphologic or immunophenotypic evidence of"."""
    middles = list(patterns["middle"])
    pairs = [f"{a} {j} {b}" for a in middles for b in middles if a != b for j in patterns["join"]]
    for opening in patterns["open"]:
        for middle in middles + pairs:
            for close in patterns["close"]:
                node = _put(root, f"{opening} {middle} {close}")
                if node is not None:
                    node.tags.add("absence")


def _dates(months: Iterable[str]) -> re.Pattern[str]:
    """Dates as reports write them: day, month and year, month and year, or a year alone."""
    name = "(?:" + "|".join(sorted(months, key=len, reverse=True)) + r")\.?"
    year = r"(?:19|20)\d\d"
    return re.compile(
        rf"\b(?:\d{{1,2}}[ .]{{1,2}}{name} {year}|{name} \d{{1,2}},? {year}|{year}-\d\d(?:-\d\d)?"
        rf"|\d{{1,2}}[./-]\d{{1,2}}[./-](?:{year}|\d\d)|\d{{1,2}}/{year}|{name} {year}|{year})\b"
    )


def _absence_words(decoded: Mapping[str, Any]) -> set[str]:
    objects: set[str] = set()
    for name in LANGUAGES:
        for phrase in decoded.get(name, {}).get("cues", {}).get("absent-object", ()):
            objects.add(max(phrase_words(phrase), key=len))
    return objects


def _gate(words: Iterable[str]) -> re.Pattern[str]:
    """A quick test whether a text can say anything of the course at all."""
    return re.compile(r"\b(?:" + "|".join(sorted({re.escape(w) for w in words if w})) + r")")
