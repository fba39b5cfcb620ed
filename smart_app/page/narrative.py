"""Reports that decided, with the deciding words marked, so that a reading can be checked at a glance (H-45)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from mappings.evaluation import Evaluation, Outcome
from mappings.facts import SourceRef
from mappings.reading.chart import Hit
from mappings.reading.narrative import passages
from mappings.reading.wire import Resource
from mappings.stated import is_stated
from smart_app.page import words
from smart_app.page.view import PageView

_TEXTS = frozenset({"conclusion", "presentedForm", "note", "valueString", "content", "conclusionCode"})
_LONGEST = 1_400
_AROUND = 260
_MOST = 12


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a report; `marked` where these words decided."""

    text: str
    marked: bool


@dataclass(frozen=True, slots=True)
class Narrative:
    """One report as charted, cut into pieces, with where it stands."""

    key: str
    reference: str
    element: str
    pieces: tuple[Piece, ...]
    whole: bool
    raw: str


def narratives_of(view: PageView) -> dict[str, Narrative]:
    """The reports whose text decided, by reference; with the words alone where the record is not at hand."""
    found: dict[str, Narrative] = {}
    for reference, (element, said) in _deciding(view.evaluation).items():
        if len(found) >= _MOST:
            break
        text = _text(view.records.get(reference), element)
        pieces, whole = _pieces(text, said) if text else (tuple(_alone(said)), False)
        if pieces:
            found[reference] = Narrative(
                key=f"n{len(found) + 1}",
                reference=words.short(reference, 90),
                element=element,
                pieces=pieces,
                whole=whole,
                raw=words.raw_path(view.base, reference),
            )
    return found


def deciding_references(evaluation: Evaluation) -> tuple[str, ...]:
    """The records whose text a page shows: what `PageView.records` needs to hold, and no more."""
    return tuple(_deciding(evaluation))


def _deciding(evaluation: Evaluation) -> dict[str, tuple[str, list[str]]]:
    """Element and deciding words by reference: antigen results first, then what shows the relapse."""
    found: dict[str, tuple[str, list[str]]] = {}

    def keep(source: SourceRef, said: tuple[str, ...]) -> None:
        if source.element.split("[")[0].split(".")[0] in _TEXTS and not is_stated(source):
            found.setdefault(source.reference, (source.element, []))[1].extend(one for one in said if one)

    for view in evaluation.assessment.antigens:
        for result in view.results:
            keep(result.source, (*result.words, result.source.quote))
    for step in evaluation.assessment.trail:
        if step.outcome is Outcome.HOLDS and step.criterion in ("relapse-after-car-t", "lineage-switch"):
            for source in step.sources:
                keep(source, tuple(source.quote.split("; ")))
    return found


def _text(record: bytes | None, element: str) -> str:
    """The text of a record's element as reading saw it; empty where the record is not at hand or not readable."""
    if record is None:
        return ""
    try:
        resource = msgspec.json.decode(record, type=Resource)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    found, _ = passages(Hit(resource, (), "", ""))
    name = element.split("[")[0].split(".")[0]
    texts = [passage.text for passage in found if passage.element == name]
    return words.clean("\n".join(texts), 60_000, lines=True)


def _pieces(text: str, said: list[str]) -> tuple[tuple[Piece, ...], bool]:
    """The text cut at the deciding words; a long text is shown around them only."""
    spans = _merged(_spans(text, said))
    if len(text) > _LONGEST:
        return tuple(_windows(text, spans)), False
    pieces: list[Piece] = []
    at = 0
    for start, end in spans:
        pieces += [Piece(text[at:start], False), Piece(text[start:end], True)]
        at = end
    pieces.append(Piece(text[at:], False))
    return tuple(piece for piece in pieces if piece.text), True


def _spans(text: str, said: list[str]) -> Iterator[tuple[int, int]]:
    for phrase in dict.fromkeys(said):
        parts = words.clean(phrase, 400).split()
        if parts:
            pattern = r"\s+".join(re.escape(part) for part in parts)
            for match in list(re.finditer(pattern, text, re.IGNORECASE))[:8]:
                yield match.span()


def _merged(spans: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _windows(text: str, spans: list[tuple[int, int]]) -> Iterator[Piece]:
    """Stretches around the marks with an ellipsis for what lies between; the beginning where nothing is marked."""
    if not spans:
        yield Piece(text[:_LONGEST].rstrip() + " …", False)
        return
    at = max(0, spans[0][0] - _AROUND)
    if at:
        yield Piece("… ", False)
    for start, end in spans[:8]:
        if start - at > 2 * _AROUND:
            yield Piece(f"{text[at : at + _AROUND]} … {text[start - _AROUND : start]}", False)
        else:
            yield Piece(text[at:start], False)
        yield Piece(text[start:end], True)
        at = end
    tail = text[at : at + _AROUND]
    yield Piece(tail + (" …" if at + _AROUND < len(text) else ""), False)


def _alone(said: list[str]) -> Iterator[Piece]:
    for number, phrase in enumerate(dict.fromkeys(said)):
        if number:
            yield Piece(" … ", False)
        yield Piece(words.short(phrase, 200), True)
