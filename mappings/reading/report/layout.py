"""Lines of a report: which line ends are only wraps, which heading a line stands under, what a printed key says."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from mappings.reading.report.words import Words

_HEAD = re.compile(
    r"[ \t]*(?:[-*•#>]{1,3}[ \t]*|\d{1,2}[.)][ \t]+)?([^\W\d_][^:\n|.;,]{0,48}?)[ \t]*"
    r"(?:\([^()\n]{0,40}\)[ \t]*)?(:|\.{2,}|(?=\n)|\Z|[ \t]-[ \t]|[ \t]–[ \t])"
)
_DATEISH = re.compile(r"[ \t]*[\d./-]{2,12}|\bday\b.*|\bdated\b.*|\bof\b[ \t]\d.*", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
_KEY_HEAD = re.compile(r"(?:(?<=[.;] )|(?<=\())([A-Za-z]{3,12})(?=:[ ])")
_ALONE = re.compile(r"(?:%[ ]?)?(?:s|c|cy)?CD\d{1,3}[a-zA-Z]?[ ]?[:%]?", re.IGNORECASE)
_VALUE_LINE = re.compile(r"[<>]?[ ]?\d{1,3}(?:[.,]\d+)?[ ]?%?|[+-]{1,3}|[a-zA-Z]{3,14}(?:[ ][a-z]{3,12})?")
_RESULT_LABEL = re.compile(
    r"(?:result|value|ergebnis|befund|résultat|risultato|resultado)[ ]?:", re.IGNORECASE
)
_DANGLING = re.compile(r"\b(?:with|and|but|shows?|showing)[ ][a-zA-Z]{3,12}$")
_ENDS_MARKED = re.compile(r"\bCD\d{1,3}[a-z]?$", re.IGNORECASE)
_VALUE_START = re.compile(
    r"[<>]?[ ]?\d{1,3}(?:[.,]\d+)?[ ]?(?:-[ ]?\d{1,3}[ ]?)?%|[a-z]{3,12}[,.;]|(?:positive|negative|dim|weak|not|is|are)\b"
)
_MARKED = re.compile(r"(?:s|c|cy)?CD\d", re.IGNORECASE)
_MONTH_NAMES = "janfebmaraprmayjunjulaugsepoctnovdec"
_METHOD_LINE = re.compile(r"\b(?:ihc|immuno|stains|flow|phenotype)", re.IGNORECASE)
_LEADING_DATE = re.compile(
    r"[ \t]*(?:[-*•][ \t]?)?(?:(?:(\d{1,2})[./])?(\d{1,2})[./]|"
    r"(?:(\d{1,2})[ ])?([A-Za-z]{3,9})\.?[ ])?((?:19|20)\d\d)(?:-(\d\d)(?:-(\d\d))?)?"
    r"(?![\d])[ \t:,(]"
)
_INNER = re.compile(
    r"\((?:[^()\n]{0,12}[:=])?[ ]?[0-4]\+?[ ]?=?[ ]?[a-z]{2,12},[ ][^()\n]{3,90}\)", re.IGNORECASE
)
_YEARS = re.compile(r"\b(?:19|20)\d\d\b")
_OPENERS = frozenset(
    [
        "and",
        "or",
        "but",
        "for",
        "of",
        "the",
        "with",
        "had",
        "has",
        "have",
        "do",
        "does",
        "did",
        "by",
        "in",
        "on",
        "to",
        "is",
        "are",
        "was",
        "were",
        "not",
        "no",
        "as",
        "than",
        "at",
        "a",
        "an",
        "from",
        "und",
        "oder",
        "für",
        "mit",
        "der",
        "die",
        "das",
        "von",
        "et",
        "ou",
        "pour",
        "de",
        "des",
        "du",
        "le",
        "la",
        "les",
        "con",
        "per",
        "e",
        "o",
        "y",
        "para",
        "di",
        "del",
        "della",
        "however",
        "whereas",
        "while",
        "which",
        "that",
        "be",
        "been",
        "shows",
        "show",
        "express",
        "lack",
        "lacks",
        "expressing",
    ]
)
_BULLET = re.compile(r"[ \t]*(?:[-*•>]|\d{1,2}[.)])[ \t]")
_LAST = re.compile(r"([^\W\d_]+)[ \t]*$")
_FIRST = re.compile(r"[ \t]*([^\W\d_]+|.)")
_COLUMNS = re.compile(r"\S(?:[ ]{2,}|\t)\S|\|")
_KEY_ITEM = re.compile(
    r"(?:^|[,;:(\n]|[ ]{2,}|\band\b)[ \t]*[\"'“]?\(?([^\s\w(]{1,3}|[a-zA-Z]"
    r"(?:\.?[a-zA-Z]){0,2}\.?|\d\+?|[-–—]+|dash|blank)\)?[\"'”]?"
    r"[ \t]*(?:=|:|means|stands for|[ ]|is\b)[ \t]*([^,;=\n]{2,60})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its place, the kind of heading it stands under, and whether that heading stands on this line."""

    start: int
    end: int
    section: str
    headed: bool
    body: int


def soft_wraps(text: str) -> frozenset[int]:
    """Offsets of line ends that only wrap a sentence."""
    soft: set[int] = set()
    lines = text.split("\n")
    offset = 0
    width = max(map(len, lines))
    full = [(a, b) for a, b in itertools.pairwise(lines) if _fills(a, b, width)]
    evidence = sum(b.lstrip()[:1].islower() for _, b in full)
    sure = evidence >= 2
    width = width if evidence else 10**6
    for here, following in itertools.pairwise(lines):
        offset += len(here)
        if _wraps(here, following) or (
            (sure or following.lstrip()[:1].islower()) and _fills(here, following, width)
        ):
            soft.add(offset)
        offset += 1
    return frozenset(soft)


def _wraps(here: str, following: str) -> bool:
    left, right = here.rstrip(), following.strip()
    if not left.strip() or not right or left[-1] in ".:;!?" or _BULLET.match(following):
        return False
    if left[-1] in ",(/&":
        return True
    last, first = _LAST.search(left[-30:]), _FIRST.match(right)
    if last and last.group(1).lower() in _OPENERS and " " in left.strip():
        return True
    if _DANGLING.search(left) and _MARKED.match(right):
        return True
    if _ENDS_MARKED.search(left) and _VALUE_START.match(right) and " " in left.strip():
        return True
    if left.count("(") > left.count(")") and right[0] not in "-*":
        return True
    if first is None:
        return False
    word = first.group(1)
    if _ALONE.fullmatch(left.strip()) and (_VALUE_LINE.fullmatch(right) or words_head(right)):
        return True
    if len(right.split()) == 1 and right[0].islower() and len(left.split()) <= 3:
        return True
    if word in ("and", "or", "but", "und", "et", "oder", "ou", "y", "ed"):
        return True
    wide = _COLUMNS.search(right) or _COLUMNS.search(left.strip())
    return (
        word[0].islower()
        and not wide
        and len(left) >= 45
        and following[:1].isspace() == here[:1].isspace()
        and ":" not in right[:25]
    )


def _fills(here: str, following: str, width: int) -> bool:
    """Whether a line was full: the next word would not have fitted, and the sentence has not ended."""
    left, right = here.rstrip(), following.strip()
    if (
        not (len(left) >= 44 and 50 <= width <= 132)
        or not right
        or left[-1] in ".:!?"
        or _BULLET.match(following)
    ):
        return False
    if (
        len(left) + 1 + len(right.split(" ", 1)[0]) <= width
        or _COLUMNS.search(right)
        or _COLUMNS.search(left.strip())
    ):
        return False
    return following[:1].isspace() == here[:1].isspace() and ":" not in right[:22]


def words_head(line: str) -> bool:
    """Whether a line opens with a label for the value of the marker on the line before."""
    return bool(_RESULT_LABEL.match(line))


def lines_of(text: str, soft: frozenset[int], words: Words) -> list[Line]:
    """The lines (wraps joined) with the kind of section each stands in."""
    out: list[Line] = []
    section, start, offset = "", 0, 0
    for part in text.split("\n"):
        offset += len(part)
        if offset in soft:
            offset += 1
            continue
        kind, body = heading(text, start, words)
        alone = bool(kind) and not text[body:offset].strip()
        if (
            kind == "history"
            and not alone
            and _first_word(text, start) in words.prior_heads
            and "CD" not in text[body:offset].upper()
        ):
            alone = True
        if kind:
            section = kind
        elif not text[start:offset].strip() or (
            section == "gene" and _METHOD_LINE.search(text, start, offset)
        ):
            section = ""
        out.append(Line(start, offset, section, bool(kind), body if kind else start))
        if kind and not alone and kind not in ("history",):
            section = kind if kind in ("count",) else ""
        elif kind and not alone:
            section = ""
        offset += 1
        start = offset
    return out


def _first_word(text: str, start: int) -> str:
    match = _WORD.search(text, start, start + 40)
    return match.group().lower() if match else ""


def dated_lines(text: str, lines: list[Line]) -> tuple[frozenset[int], frozenset[int]]:
    """Of a dated series the numbers of the older lines, and of the newest (narrative rule 3)."""
    dates: dict[int, tuple[int, ...]] = {}
    last: tuple[int, ...] = ()
    opened: set[tuple[int, ...]] = set()
    for number, line in enumerate(lines):
        match = _LEADING_DATE.match(text, line.start, line.end)
        if match:
            day, month, name_day, name, year, iso_month, iso_day = match.groups()
            named = _MONTH_NAMES.find(name[:3].lower()) // 3 + 1 if name else 0
            last = int(year), int(iso_month or month or named), int(iso_day or day or name_day or 0)
            opened.add(last)
        elif line.headed or line.start == line.end:
            last = ()
        if last:
            dates[number] = last
    if len(opened) < 2:
        return frozenset(), frozenset()
    newest = max(opened)
    return (
        frozenset(n for n, d in dates.items() if d != newest),
        frozenset(n for n, d in dates.items() if d == newest),
    )


def heading(text: str, start: int, words: Words) -> tuple[str, int]:
    """The kind of heading at the start of a line and where the content begins."""
    match = _HEAD.match(text, start)
    if not match:
        return "", start
    name = " ".join(_DATEISH.sub("", match.group(1).lower()).split())
    kind = words.headings.get(name, "")
    if not kind and match.group(2) == ":":
        first = name.split(" ")
        for size in (3, 2, 1):
            kind = kind or words.headings.get(" ".join(first[:size]), "")
        if kind and kind in ("body", "panel", "conclusion") and len(first) > 3:
            kind = ""
    if kind == "conclusion" and _YEARS.search(match.group(1)):
        kind = "history"
    if match.group(2) == "" and kind in ("history",) and len(name) < 5:
        kind = ""
    return kind, match.end() if kind else start


def legend_of(text: str, words: Words) -> tuple[dict[str, str], list[tuple[int, int]]]:
    """Signs that a printed key gives a meaning of its own, and where the key stands (narrative rule 12)."""
    found: dict[str, str] = {}
    places: list[tuple[int, int]] = []
    offset = -1
    past = 0
    for line in text.split("\n"):
        offset += past + 1
        past = len(line)
        named = _KEY_HEAD.search(line)
        if named and named.group(1).lower() in words.legend_heads:
            line = " " * named.start() + line[named.start() :]
        head = line.strip().lower().lstrip("(").split(":")[0].split("=")[0].strip()
        keyed = bool(words.legend_heads & set(head.split(" ")[:4])) and len(head) < 40
        inner = _INNER.search(line)
        if not keyed and "=" not in line and not inner:
            continue
        if inner and not keyed:
            places.append((offset + inner.start(), offset + inner.end()))
        begin = min(
            (p for p in (line.find(":"), len(line) if "=" in line.split(":")[0] else -1) if p >= 0),
            default=-1,
        )
        begin = begin if keyed and 0 <= begin < 30 else 0
        if keyed and not _MARKED.search(line):
            places.append((offset, offset + len(line)))
        for match in _KEY_ITEM.finditer(line, begin):
            sign, meaning = match.group(1).lower().strip("\"'“”"), match.group(2).strip().lower()
            if sign in words.legend_heads:
                continue
            value = meaning_value(meaning, words)
            if value:
                found["-" if sign in ("dash", "–", "—", "-") else sign] = value
    return found, places


def meaning_value(meaning: str, words: Words) -> str:
    """The state a phrase stands for, by its longest known words."""
    pieces = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+|[^\w\s]", meaning)
    best = ""
    for index, piece in enumerate(pieces):
        for parts, kind in words.entries(piece):
            if tuple(pieces[index : index + len(parts)]) == parts and kind in (
                "pos",
                "neg",
                "low",
                "failed",
                "pending",
            ):
                value = "unk" if kind in ("failed", "pending") else kind
                if value == "unk" or not best or (best == "pos" and value == "low"):
                    best = value
                break
    return best
