"""Tokens of a report -> sentences and their groups between commas and brackets."""

from __future__ import annotations

from mappings.reading.report.layout import Line
from mappings.reading.report.story import CHOICE, Sentence
from mappings.reading.report.tokens import Token
from mappings.reading.report.words import Words

_HEADING = 40
_LONGEST = 160  # keeps work per sentence bounded, so that reading stays linear


def sentences_of(tokens: list[Token], lines: list[Line], text: str, words: Words) -> list[Sentence]:
    """Tokens cut at hard line ends and full stops."""
    out: list[Sentence] = []
    at, first = 0, True
    current: list[Token] = []

    def close(line: int) -> None:
        nonlocal current, first
        if current:
            place = lines[line]
            out.append(
                Sentence(
                    current,
                    _section(current[0].start, place.section, text, words),
                    line,
                    first,
                    text[place.start : place.start + 1] in (" ", "\t"),
                )
            )
            first = False
        current = []

    for index, token in enumerate(tokens):
        while at + 1 < len(lines) and token.start >= lines[at + 1].start:
            close(at)
            at, first = at + 1, True
        if token.kind == "nl":
            close(at)
        elif (
            token.text == "?"
            and index
            and tokens[index - 1].kind != "m"
            and text[token.end : token.end + 1] == " "
            and text[token.end + 1 : token.end + 2].isupper()
        ):
            current.append(token)
            close(at)
        elif token.text == "." and _stops(tokens, index, text, words):
            close(at)
        else:
            current.append(token)
            if len(current) >= _LONGEST:
                close(at)
    if lines:
        close(at)
    return out


def _section(start: int, section: str, text: str, words: Words) -> str:
    """The section of a sentence: a heading of history within a line ("... Clinical info: DLBCL.") holds for it alone."""
    head, colon, _ = text[start : start + _HEADING].partition(":")
    kind = words.headings.get(" ".join(head.lower().split()), "") if colon else ""
    return kind if kind == "history" else section


def _stops(tokens: list[Token], index: int, text: str, words: Words) -> bool:
    end = tokens[index].end
    following = text[end : end + 2]
    if following[:1] and not following[0].isspace():
        return False
    before = tokens[index - 1] if index else None
    if (
        before is not None
        and before.kind == "m"
        and index + 1 < len(tokens)
        and tokens[index + 1].kind in CHOICE
    ):
        return False
    return not (
        before is not None
        and before.end == tokens[index].start
        and before.text in words.abbreviations
        and (following.strip()[:1].islower() or following.strip()[:1].isdigit())
    )


def number_groups(sentence: Sentence) -> None:
    number = 0
    top = 0
    for token in sentence.tokens:
        turned = token.kind in ("current", "agree") and "history" in sentence.group_kinds.get(number, ())
        if token.text in ("(", ")", ",", ";") or token.kind == "but" or turned:
            top += 1
            number = top
        sentence.groups.append(number)
        sentence.group_kinds.setdefault(number, set()).add(token.kind)
