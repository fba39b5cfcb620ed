"""Report text as charted -> plain text a reader can walk through, with the way back to the original offsets."""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

_DASHES = {0x2212: "-", 0x2010: "-", 0x2011: "-", 0xFE63: "-", 0xFF0D: "-", 0x207B: "-", 0x02D7: "-"}
_SIGNS = {0x207A: "+", 0xFF0B: "+", 0x2795: "+", 0x2796: "-", 0x2012: "–", 0x2015: "–"}
_SPACES = {0xA0: " ", 0x202F: " ", 0x2007: " ", 0x2009: " ", 0x200A: " ", 0x3000: " ", 0x0B: "\n", 0x0C: "\n"}
_MISC = {
    0x2028: "\n",
    0x2029: "\n",
    0x2019: "'",
    0x2018: "'",
    0x2264: "<",
    0x2265: ">",
    0x130: "I",
    0xAD: "-",
}
_MISC |= {
    0xFF05: "%",
    0xFE6A: "%",
    0x2502: "|",
    0x250A: "|",
    0xA6: "|",
    0x2503: "|",
    0x2551: "|",
    0x2044: "/",
    0xFF0F: "/",
}
_WIDE = {0xFF10 + digit: str(digit) for digit in range(10)}
_TRANSLATE = _DASHES | _SIGNS | _SPACES | _MISC | _WIDE

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,12})\b[^<>]{0,400}>|<!--[^<>]{0,400}-->")
_BREAKING = frozenset(
    [
        "tr",
        "br",
        "p",
        "div",
        "li",
        "ul",
        "ol",
        "table",
        "tbody",
        "thead",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "pre",
        "section",
        "dt",
        "dd",
        "dl",
    ]
)
_CELL = frozenset(("td", "th"))
_ENTITY = re.compile(r"&(?:#\d{1,6}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,10});?")
_LINE_END = re.compile(r"\r\n?|[\u200b\u200c\u200d\ufeff\x00-\x08]|(?<![ \t])[ \t]+(?=\n)")
_WRAPPED_WORD = re.compile(r"(?<=[a-zà-ÿ]{2})-[ \t]*\n[ \t>|*]*([a-zà-ÿ]+)", re.IGNORECASE)
_CUT_WORD = re.compile(r"\b(posi|nega)[ \t]*\n[ \t]*(?=ti[vf])", re.IGNORECASE)
_CD = re.compile(
    r"(?<![a-z0-9])((?:s|c|cy|cyt|m|ic)?CD)(?:[ \t]{0,2}[-/._#:]?[ \t]{0,2}\n?[ \t]{0,8})(?=\d)",
    re.IGNORECASE,
)
_DOTTED_CD = re.compile(r"\bC\.[ ]?D\.[ ]?(?=\d)", re.IGNORECASE)


_STRUCK = re.compile(r"<(s|del|strike)>[^<>]{0,200}</(?:s|del|strike)>", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n(?:[ \t\r]{0,40}\n)+")
_SINGLE = re.compile(r"[^\n\r]\r?\n[^\n\r]")
_JOINED = re.compile(r"(?<=[A-Za-z])_(?=[A-Za-z])")
_OPTION = re.compile(
    r"<option(?![^<>]{0,80}\b(?:selected|checked))[^<>]{0,80}>[^<>]{0,80}</option>"
    r"|<option[^<>]{0,80}>[^<>\w]{0,6}(?:choose|select)[^<>]{0,30}</option>",
    re.IGNORECASE,
)
_RTF = re.compile(r"\\([a-z]{1,12})-?\d{0,6}[ ]?|[{}]")
_PAGE = re.compile(
    r"\n[^\n]{0,60}\b(?:page|seite|pagina|página)[ ]\d{1,3}[ ]?(?:of|/|von|sur|di"
    r"|de)[ ]?\d{1,3}\b[^\n]{0,60}\n|\n[ \t]{0,60}-[ ]?\d{1,3}[ ]?-[ \t]{0,20}\n",
    re.IGNORECASE,
)
_CHAIN = re.compile(
    r"\bCDs?[ ]?\d{1,3}(?:[+-]|neg|pos)?(?:(?:/|,[ ]?)(?:CD)?\d{1,3}(?:[+-]|neg|pos)?(?![\d%.,]\d"
    r"|[ ]?%|\w)){1,8}"
    r"(?:[ ](?:and|or|und|oder|et|ou|y|e|o)[ ]\d{1,3}(?![\d%.,]\d|[ ]?%|\w))?"
    r"|\bCDs?[ ]?\d{1,3}[ ](?:and|or|und|et|y|e)[ ](?:19|20|22)(?![\d%.,]|[ ]?%|[ ]?\w)",
    re.IGNORECASE,
)
_DECLARED = re.compile(
    r"\bCD[ -]?(?:numbers?|nos?\b|nummern?|markers? as numbers)|numbers?[ ](?:only[ ])?(?:are"
    r"|refer to|stand for|=|denote|mean|indicate)[ ](?:the[ ])?CD|numbers?[ ](?:without"
    r"|after)[ ]CD|\bnumbers?[ ]?[:=][ ]?CD\b|\(CD(?:[ ]markers?)?\)",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"(?<![\w.,-])(\d{1,3})(?=[ ]?(?:\+|-(?![\d])|±|w\b|dim\b|pos|neg|bright|weak|part|low))"
)


@dataclass(frozen=True, slots=True)
class Plain:
    """Plain text with a map back: `text` for reading, `back` turns its offsets into original ones."""

    text: str
    maps: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]

    def back(self, position: int) -> int:
        """The original offset of a position in the plain text."""
        for outs, ins in reversed(self.maps):
            index = bisect_right(outs, position) - 1
            position = ins[index] + position - outs[index]
        return position


def _rewrite(
    text: str, pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str]
) -> tuple[str, tuple[tuple[int, ...], tuple[int, ...]] | None]:
    parts: list[str] = []
    outs, ins = [0], [0]
    done = size = 0
    for match in pattern.finditer(text):
        new = replace(match)
        if new == match.group():
            continue
        parts += (text[done : match.start()], new)
        size += match.start() - done + len(new)
        done = match.end()
        outs.append(size)
        ins.append(done)
    if not parts:
        return text, None
    parts.append(text[done:])
    return "".join(parts), (tuple(outs), tuple(ins))


def _tag(match: re.Match[str]) -> str:
    name = (match.group(2) or "").lower()
    if name in _CELL:
        return " | " if match.group(1) else ""
    if name in ("sup", "sub", "b", "i", "span", "strong", "em", "font", "u", "a"):
        return ""
    if name == "tr" and match.group(1):
        return ""
    return "\n" if name in _BREAKING else " "


def _entity(match: re.Match[str]) -> str:
    found = html.unescape(match.group())
    return found.translate(_TRANSLATE) if len(found) == 1 else match.group()


def _chain(match: re.Match[str]) -> str:
    return re.sub(r"(?<![\dA-Za-z])(?=\d)", "CD", match.group())


def _rtf(match: re.Match[str]) -> str:
    return (
        "\n" if match.group(1) in ("par", "line", "row") else " " if match.group(1) in ("tab", "cell") else ""
    )


def _blank(match: re.Match[str]) -> str:
    return "\n" if match.group()[0] == "\r" else ""


def normalise(text: str, wrap_words: frozenset[str]) -> Plain:
    """Tags, entities, exotic dashes and spaces, words and marker names cut by a line end (narrative rule 12)."""

    def join(match: re.Match[str]) -> str:
        word = match.group(1)
        return ("-" if word.lower() in wrap_words else "") + word

    text = text.translate(_TRANSLATE)
    marked = "<br" in text.lower() or "</" in text
    steps: tuple[tuple[bool, re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
        ("<" in text, _STRUCK, lambda m: ""),
        ("<option" in text, _OPTION, lambda m: ""),
        ("\\par" in text or "{\\rtf" in text, _RTF, _rtf),
        ("<" in text, _TAG, _tag),
        ("&" in text, _ENTITY, _entity),
        (True, _LINE_END, _blank),
        (marked or ("\n\n" in text and not _SINGLE.search(text)), _BLANK_LINES, lambda m: "\n"),
        (True, _PAGE, lambda m: " "),
        ("-" in text, _WRAPPED_WORD, join),
        ("\n" in text, _CUT_WORD, lambda m: m.group(1)),
        ("_" in text, _JOINED, lambda m: " "),
        (True, _DOTTED_CD, lambda m: "CD"),
        (True, _CD, lambda m: m.group(1)),
        (True, _CHAIN, _chain),
        (bool(_DECLARED.search(text)), _NUMBERED, lambda m: "CD" + m.group(1)),
    )
    maps = []
    for wanted, pattern, replace in steps:
        if wanted:
            text, step = _rewrite(text, pattern, replace)
            if step:
                maps.append(step)
    return Plain(text, tuple(maps))
