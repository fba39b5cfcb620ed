"""Closed word lists of the knowledge folder, matched by whole words; linear in the text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from mappings.facts import Method, SpecimenKind
from mappings.reading.recognise import words_of

_ANTIGEN = re.compile(r"(?<![a-z0-9])cd[\s-]?(?:19|20|22)(?![0-9])", re.IGNORECASE)
_SIGNED = re.compile(
    r"cd[\s-]?(?:19|20|22)\s{0,2}(?:\(?[+\u2212](?:\)|(?!\w))|\+|\(-\)|-(?![\w(])|neg\b|pos\b)", re.IGNORECASE
)
_CLONE = re.compile(r"\bclone[:\s]+[A-Za-z0-9-]{2,12}", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_DASH = re.compile(r"\s[-\u2013]\s(?!(?:b|cells?|blasts?|clone)\b)(?=[^\W\d_]+\s[^\W\d_])", re.IGNORECASE)
_AFTER_CAR_T = re.compile(
    r"\bpost[\s-]CAR[\s-]?T[\s-](?=(?:biopsy|relapse|specimen|tissue)\b)", re.IGNORECASE
)
_DENIAL_WITHIN = 4
_GROWTH_WITHIN = 600


def tokens(text: str) -> list[str]:
    """Lower-case words of a text, with letters of any alphabet."""
    return _WORD.findall(text.lower())


class WordList:
    """A set of phrases, each one or more whole words."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._phrases = {tuple(tokens(phrase)) for phrase in phrases} - {()}
        self._sizes = tuple(sorted({len(phrase) for phrase in self._phrases}, reverse=True))

    def first(self, text: str) -> str:
        """The first phrase found, longest first at each word; empty where none is."""
        words = tokens(text)
        for at in range(len(words)):
            for size in self._sizes:
                if tuple(words[at : at + size]) in self._phrases:
                    return " ".join(words[at : at + size])
        return ""

    def any_in(self, text: str) -> bool:
        """Whether any phrase occurs."""
        return bool(self.first(text))


class Cues:
    """Phrases in the words by which names are matched, asked one phrase at a time."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._phrases = frozenset(" ".join(words_of(phrase)) for phrase in phrases)

    def is_one(self, phrase: str) -> bool:
        """Whether these words, and no others, are one of the phrases."""
        return phrase in self._phrases


class ProblemWords:
    """How a problem-list entry that names CAR T says whether and when it was given (rules 11.7)."""

    def __init__(self, lexicon: Mapping[str, Any]) -> None:
        self.dated = Cues(lexicon["dated"])
        self.given = Cues(lexicon["given"])
        self.plan = Cues(lexicon["plan"])
        self.denial = Cues(lexicon["denial"])
        self.before_date = Cues(lexicon["before_date"])
        self.given_behind = WordList(lexicon["given_behind"])
        self.plan_behind = WordList(lexicon["plan_behind"])
        self.state = WordList(lexicon["state"])
        self.months: Mapping[str, int] = lexicon["months"]


class CarTWords:
    """How the name of a procedure that speaks of CAR T is read (rules EN-1, 11.7, 11.10)."""

    def __init__(self, lexicon: Mapping[str, Any]) -> None:
        self.stems = _pattern(lexicon["stems"])
        self.cells = WordList(lexicon["cells"])
        self.infusion = WordList(lexicon["infusion"])
        self.another_act = WordList(lexicon["another_act"])
        self.look_back = WordList(lexicon["look_back"])
        self._joining = frozenset(lexicon["joining"])
        self.problem = ProblemWords(lexicon["problem"])
        names = "|".join(
            re.escape(name.lower()) for name in sorted(lexicon["targets"], key=len, reverse=True)
        )
        spaced = names.replace("cd", r"cd[\s-]?")
        self._targets = re.compile(rf"(?<![a-z0-9])(?:anti-?)?({spaced})(?=$|[^0-9a-z]|car|x)")

    def joins_on(self, words: list[str]) -> bool:
        """Whether nothing follows, or a word that starts another phrase ("with", "post", "day")."""
        return not words or words[0] in self._joining or words[0].isdigit()

    def targets(self, text: str) -> tuple[str, ...]:
        """Targets that a text names, as CD19, BCMA and the like."""
        found = self._targets.findall(text.lower())
        return tuple(sorted({re.sub(r"[\s-]", "", name).upper() for name in found}))


class Vocabulary:
    """The word lists that tell specimens, methods and kinds of study apart."""

    def __init__(self, lexicon: Mapping[str, Any]) -> None:
        self.triggers = _pattern(lexicon["triggers"])
        self._specimens = tuple(
            (SpecimenKind(kind), WordList(words)) for kind, words in lexicon["specimens"].items()
        )
        self._methods = tuple((Method(kind), WordList(words)) for kind, words in lexicon["methods"].items())
        self.malignant_cells = WordList(lexicon["malignant_cells"])
        self.counts = WordList(lexicon["counts"])
        self.persistence = WordList(lexicon["persistence"])
        self.pathology = WordList(lexicon["pathology"])
        self.imaging = WordList(lexicon["imaging"])
        self.mrd = WordList(lexicon["mrd"])
        self.present_words = WordList(lexicon["present_words"])
        self.absent_words = WordList(lexicon["absent_words"])
        self.car_t = CarTWords(lexicon["car_t"])
        self._name_words = frozenset(lexicon["antigen_name_words"]["words"])
        self.plain_name = lru_cache(maxsize=4096)(self._plain_name)
        self.course_in_names = {kind: WordList(words) for kind, words in lexicon["relapse_in_names"].items()}
        self.cells_in_name = WordList(lexicon["cells_in_name"])
        self.control_words = WordList(lexicon["control_words"])
        self.untested_words = WordList(lexicon["untested_words"])
        self.withdrawing_words = WordList(lexicon["withdrawing_words"])
        self.note_titles = WordList(lexicon["note_titles"])
        self._car_t_words = WordList(lexicon["note_car_t"]["words"])
        self._car_t_endings = tuple(lexicon["note_car_t"]["endings"])
        self.names_cells = lru_cache(maxsize=4096)(self.cells_in_name.any_in)
        self.not_stated_ahead = WordList(lexicon["not_stated"]["ahead"])
        self.not_stated_behind = WordList(lexicon["not_stated"]["behind"])
        self.before_infusion = WordList(lexicon["before_infusion_words"])
        self.yes_words = WordList(lexicon["yes_words"])
        self.others = WordList(lexicon["others"])
        self.cns_sites = WordList(lexicon["cns_sites"])
        self._deauville = dict(lexicon["deauville"])
        self.other_cancers = WordList(lexicon["other_cancers"])
        self._organs = WordList(lexicon["organs_of_other_cancers"]["organs"])
        self._cancer_words = WordList(lexicon["organs_of_other_cancers"]["cancer"])
        self._cancers = WordList(name for name in lexicon["other_cancers"] if not self._organs.any_in(name))
        self._growth = {name: WordList(words) for name, words in lexicon["growth"].items() if name != "about"}
        self.qualifiers = {name: WordList(words) for name, words in lexicon["qualifiers"].items()}
        self.now_words = WordList(lexicon["now_words"])
        # names of codes repeat, so these are memoised; texts of reports never pass through them
        self.names_imaging = lru_cache(maxsize=4096)(self.imaging.any_in)
        self.names_pathology = lru_cache(maxsize=4096)(self.pathology.any_in)
        self.names_mrd = lru_cache(maxsize=4096)(self.mrd.any_in)
        self.specimen = lru_cache(maxsize=4096)(self._specimen)
        self.method = lru_cache(maxsize=4096)(self._method)

    def car_t_named(self, text: str) -> bool:
        """Whether a text names CAR T therapy, by the words or by the ending of a product's name."""
        lowered = text.lower()
        return self._car_t_words.any_in(lowered) or any(end in lowered for end in self._car_t_endings)

    def names_other_cancer(self, text: str) -> bool:
        """Whether a specimen is that of another cancer by its name; an organ alone may hold lymphoma as well."""
        if self._cancers.any_in(text):
            return True
        return self._organs.any_in(text) and self._cancer_words.any_in(text)

    def without_timing(self, name: str) -> str:
        """A name without the words that only say that the specimen was taken after CAR T."""
        return _AFTER_CAR_T.sub(" ", name)

    def tells_growth(self, text: str, size_only: bool = False) -> bool:
        """Whether a text tells of growth, neither denied nor past (rules 11.9)."""
        if self._told(self._growth["size"], text):
            return True
        return (
            not size_only
            and not self._growth["graded"].any_in(text)
            and self._told(self._growth["uptake"], text)
        )

    def _told(self, phrases: WordList, text: str) -> bool:
        """Whether one of the phrases stands in a text without a denial or an earlier time in the words ahead."""
        rest = " ".join(tokens(text[:_GROWTH_WITHIN]))
        while found := phrases.first(rest):
            ahead, _, rest = rest.partition(found)
            near = " ".join(ahead.split()[-_DENIAL_WITHIN:])
            if not self.qualifiers["negated"].any_in(near) and not self._growth["ahead"].any_in(near):
                return True
        return False

    def _plain_name(self, name: str) -> bool:
        """Whether the name of an antigen result says no more than the antigen, where and how it was looked for.

        "CD19 escape", "CD19+ blasts", "CD19 mRNA" or "CD10/CD19" say more: a bare value is then not the antigen's state.
        """
        name = _DASH.sub(", ", self.without_timing(name))
        if _SIGNED.search(name):
            return False
        words = [word for word in tokens(_CLONE.sub(" ", _ANTIGEN.sub(" ", name))) if not word.isdigit()]
        return all(word in self._name_words for word in words)

    def names_another(self, text: str) -> bool:
        """Whether a text names a donor or relative (rules 11.14)."""
        return self.others.any_in(text) or self.qualifiers["family"].any_in(text)

    def deauville(self, score: int, change: str) -> str:
        """What a Deauville score says of the course, with growth or shrinkage where charted; empty for no score."""
        return str(self._deauville.get(f"{score}+{change}") or self._deauville.get(str(score), ""))

    def _specimen(self, text: str) -> SpecimenKind:
        """What kind of specimen a text names: blood wherever it is named, then CSF, marrow, effusion, tissue.

        A text that names blood beside another specimen does not say which it was: blood asks the most of a result.
        """
        found = {kind for kind, words in self._specimens if words.any_in(text)}
        for kind in (
            SpecimenKind.BLOOD,
            SpecimenKind.CSF,
            SpecimenKind.MARROW,
            SpecimenKind.EFFUSION,
            SpecimenKind.TISSUE,
        ):
            if kind in found:
                return kind
        return SpecimenKind.UNSPECIFIED

    def _method(self, text: str) -> Method:
        """Flow or immunohistochemistry where exactly one is named."""
        found = [kind for kind, words in self._methods if words.any_in(text)]
        return found[0] if len(found) == 1 else Method.UNSPECIFIED


def _pattern(stems: Sequence[str]) -> re.Pattern[bytes]:
    alternatives = "|".join(re.escape(stem) for stem in sorted(stems, key=len, reverse=True))
    return re.compile(alternatives.encode("utf-8"), re.IGNORECASE)
