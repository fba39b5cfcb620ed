"""The closed word lists of the report reader, compiled once (rules 11.19, 11.20)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any

from mappings.reading.report.doubt_words import Doubt, compile_doubt

FILES = ("report_markers", "report_policy", "report_words")
_PIECE = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+|[^\w\s]")
_LONG = 24  # no listed word is longer; keeps look-up of hostile "words" cheap
Entry = tuple[tuple[str, ...], str]
Branches = tuple[Mapping[str, tuple[Entry, ...]], tuple[Entry, ...]]


@dataclass(frozen=True, slots=True)
class Policy:
    """Bands and limits that class a number when no word does (rules 11.1)."""

    percent_positive: float
    percent_low: float
    h_score_positive: float
    h_score_low: float
    mfi_low_ratio: float
    mfi_positive_ratio: float
    mfi_isotype_ratio: float
    mfi_isotype_positive_ratio: float
    text_limit: int
    claim_limit: int
    chart_limit: int


@dataclass(frozen=True, slots=True)
class Words:
    """Everything the reader looks up: phrases by their first word, marker names, headings, table headers."""

    phrases: Mapping[str, tuple[Entry, ...]]
    prefixes: Mapping[str, tuple[Entry, ...]]
    numbers: Mapping[str, str]
    ambiguous: Mapping[str, str]
    not_before: frozenset[str]
    clones: tuple[tuple[str, ...], ...]
    dyes: re.Pattern[str]
    cyto_prefixes: frozenset[str]
    headings: Mapping[str, str]
    table: Mapping[str, str]
    legend_heads: frozenset[str]
    wrap_words: frozenset[str]
    abbreviations: frozenset[str]
    glued: Mapping[str, str]
    prefilter: re.Pattern[str]
    prior_heads: frozenset[str]
    small_dx: tuple[str, ...]
    question_openers: frozenset[str]
    yes: frozenset[str]
    no: frozenset[str]
    specimens: Mapping[str, str]
    frame: Mapping[str, tuple[Entry, ...]]
    fuzzy: Mapping[str, str]
    policy: Policy
    doubt: Doubt
    cache: dict[str, tuple[Entry, ...]] = field(default_factory=dict)
    parted: dict[str, Branches] = field(default_factory=dict)

    def _near(self, word: str) -> str:
        """The key word that this is a misspelling of, if any."""
        found = self.fuzzy.get(word, "")
        for at in range(1, len(word)) if not found else ():
            name = word[:at] + word[at + 1 :]
            if self.fuzzy.get(name) == name:
                return name
        return found

    def entries(self, word: str) -> tuple[Entry, ...]:
        """Phrases that begin with this word, longest first."""
        found = self.cache.get(word)
        if found is None:
            found = self.phrases.get(word, ())
            for size in range(4, min(len(word), _LONG) + 1):
                found += self.prefixes.get(word[:size], ())
            if not found and 6 <= len(word) <= _LONG:
                found = self.phrases.get(self._near(word), ())
            if len(self.cache) < 20000:
                self.cache[word] = found
        return found

    def branches(self, word: str) -> Branches:
        """The same phrases parted by their second piece, and those of one piece."""
        found = self.parted.get(word)
        if found is None:
            longer: dict[str, tuple[Entry, ...]] = {}
            for entry in self.entries(word):
                if len(entry[0]) > 1:
                    longer[entry[0][1]] = (*longer.get(entry[0][1], ()), entry)
            found = (longer, tuple(e for e in self.entries(word) if len(e[0]) == 1))
            if len(self.parted) < 20000:
                self.parted[word] = found
        return found


def _misspelt(names: Iterable[str]) -> dict[str, str]:
    """Spellings one slip away: a letter left out, two exchanged."""
    out: dict[str, str] = {}
    for name in names:
        for at in range(1, len(name)):
            out.setdefault(name[:at] + name[at + 1 :], name)
            out.setdefault(name[: at - 1] + name[at] + name[at - 1] + name[at + 1 :], name)
        out[name] = name
    return out


def pieces(phrase: str) -> tuple[str, ...]:
    """A phrase as the pieces the tokeniser makes; hyphens between words do not count."""
    return tuple(p for p in _PIECE.findall(phrase.lower()) if p != "-")


def _phrases(
    items: Iterable[tuple[str, str]],
) -> tuple[dict[str, tuple[Entry, ...]], dict[str, tuple[Entry, ...]]]:
    exact: dict[str, dict[tuple[str, ...], str]] = {}
    prefixed: dict[str, dict[tuple[str, ...], str]] = {}
    for phrase, kind in items:
        parts = pieces(phrase.rstrip("*"))
        if parts:
            store = prefixed if phrase.endswith("*") and len(parts) == 1 else exact
            store.setdefault(parts[0], {}).setdefault(parts, kind)

    def ordered(store: dict[str, dict[tuple[str, ...], str]]) -> dict[str, tuple[Entry, ...]]:
        return {k: tuple(sorted(v.items(), key=lambda e: -len(e[0]))) for k, v in store.items()}

    return ordered(exact), ordered(prefixed)


def _flatten(classes: Mapping[str, Mapping[str, list[str]]]) -> Iterable[tuple[str, str]]:
    for kind, languages in classes.items():
        for phrases in languages.values():
            for phrase in phrases:
                yield phrase, kind


def _frame(words: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for group, tag in (("specimens", "specimen"), ("lineages", "lineage")):
        for kind, names in words[group].items():
            yield from ((name, f"{tag}:{kind}") for name in names)
    yield from ((name, "integrated") for name in words["integrated"])


def compile_words(lexicon: Mapping[str, Any]) -> Words:
    """Turns the decoded word files into lookups; `lexicon` maps a file's name to its content."""
    data = {name.rsplit("/", 1)[-1].removesuffix(".json"): value for name, value in lexicon.items()}
    markers, policy, words = data["report_markers"], data["report_policy"], data["report_words"]
    named = [(n, f"marker:{a}") for a, names in markers["synonyms"].items() for n in names]
    others = [(n, "marker:") for n in markers["others"]]
    named += [(n, f"maybe:{a}") for a, names in markers["ambiguous_synonyms"].items() for n in names]
    exact, prefixed = _phrases([*named, *others, *_flatten(words["classes"])])
    every = sorted({n for names in markers["synonyms"].values() for n in names}, key=len, reverse=True)
    loose = [re.escape(n) for n in every] + [
        rf"\b{n}\b" for v in markers["ambiguous_synonyms"].values() for n in v
    ]
    numbers = "|".join(markers["antigen_numbers"])
    return Words(
        phrases=exact,
        prefixes=prefixed,
        numbers=markers["antigen_numbers"],
        ambiguous={n: a for a, names in markers["ambiguous_synonyms"].items() for n in names},
        not_before=frozenset(markers["not_synonym_before"]),
        clones=tuple(sorted((pieces(c) for c in markers["clones"]), key=len, reverse=True)),
        dyes=re.compile(
            "(?:"
            + "|".join(re.escape(d) for d in sorted(markers["dyes"], key=len, reverse=True))
            + r")(?![a-z0-9])",
            re.IGNORECASE,
        ),
        cyto_prefixes=frozenset(markers["cytoplasmic_prefixes"]),
        headings={h: k for k, names in words["headings"].items() for h in names},
        table={h: k for k, names in words["table"].items() for h in names},
        legend_heads=frozenset(words["legend"]["heads"]),
        wrap_words=frozenset(words["wrap_words"]),
        abbreviations=frozenset(words["abbreviations"]),
        glued=dict(words["glued"]),
        prefilter=re.compile(rf"(?<!\d)(?:{numbers})(?!\d)|" + "|".join(loose), re.IGNORECASE),
        question_openers=frozenset(words["question_openers"]),
        yes=frozenset(words["yes"]),
        no=frozenset(words["no"]),
        specimens={w: k for k, names in words["specimens"].items() for w in names},
        frame=_phrases(_frame(words))[0],
        small_dx=tuple(words["small_dx"]),
        prior_heads=frozenset(words["prior_heads"]),
        fuzzy=_misspelt(words["fuzzy"]),
        policy=Policy(**{k: v for k, v in policy.items() if k != "about"}),
        doubt=compile_doubt(words["doubt"], words["lineage_cues"]),
    )


@lru_cache(maxsize=1)
def packaged() -> Words:
    """The word lists that ship with the package."""
    folder = resources.files("mappings") / "knowledge" / "lexicon"
    return compile_words({n: json.loads((folder / f"{n}.json").read_text("utf-8")) for n in FILES})
