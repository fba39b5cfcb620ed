"""What else a report says of itself: the specimen, another lineage, MRD, and whether it settles other reports."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mappings.facts import SpecimenKind
from mappings.reading.report.doubt_words import Doubt
from mappings.reading.report.model import ReportReading
from mappings.reading.report.normal import Plain
from mappings.reading.report.story import Story
from mappings.reading.report.words import Words

_WORD = re.compile(r"[^\W\d_]+")


def _hits(
    text: str, names: Mapping[str, tuple[tuple[tuple[str, ...], str], ...]]
) -> list[tuple[str, int, int]]:
    """Every phrase of the frame lists in a text, longest first at each place: what it names, and where."""
    words = [(m.group().lower(), m.start(), m.end()) for m in _WORD.finditer(text)]
    out: list[tuple[str, int, int]] = []
    done = 0
    for at, (word, start, _) in enumerate(words):
        for parts, kind in names.get(word, ()) if at >= done else ():
            if tuple(w for w, _, _ in words[at : at + len(parts)]) == parts:
                out.append((kind, start, words[at + len(parts) - 1][2]))
                done = at + len(parts)
                break
    return out


def _quote(plain: Plain, original: str, start: int, end: int) -> str:
    return original[plain.back(start) : plain.back(max(end - 1, start)) + 1]


def _denied(text: str, start: int, end: int, doubt: Doubt) -> bool:
    """Whether another lineage is denied, planned for, remembered or only part of a name."""
    before = _WORD.findall(text[max(0, start - 60) : start].lower().rsplit(".", 1)[-1])
    return (
        bool(doubt.lineage_before & set(before[-5:]))
        or doubt.lineage_after.match(text[end : end + 40].lower()) is not None
    )


def _by_markers(story: Story, doubt: Doubt) -> str:
    """Myeloid, where the malignant cells show a defining and a further myeloid marker and no B marker (rules CD-10)."""
    shown = {m for m, states in story.shown.items() if states <= {"pos", "low"}}
    lacking = {m for m, states in story.shown.items() if states == {"neg"}}
    any_shown = {m for m, states in story.shown.items() if states & {"pos", "low"}}
    lists = doubt.lineage_markers
    myeloid = shown & lists["defining"] and shown & lists["myeloid"]
    return "myeloid" if myeloid and lacking & lists["b"] and not any_shown & lists["b"] else ""


def describe(plain: Plain, original: str, story: Story, words: Words) -> ReportReading:
    """The frame of a reading: specimen (rules CD-2), lineage (rules CD-10), MRD and malignancy words."""
    text = plain.text
    hits = _hits(text, words.frame)
    specimens = [h for h in hits if h[0].startswith("specimen:")]
    specimen = SpecimenKind(specimens[0][0][9:]) if specimens else SpecimenKind.UNSPECIFIED
    lineages = [
        h
        for h in hits
        if h[0].startswith("lineage:")
        and not _denied(text, h[1], h[2], words.doubt)
        and not story.past_at(h[1])
    ]
    by_markers = _by_markers(story, words.doubt) if story.present else ""
    mal = [p for p in story.present if p[2]] or story.present or story.other_present
    shown = (
        mal
        if (mal and any(c.pop == "mal" for c in story.claims)) or not story.absent
        else [(a, b, True) for a, b in story.absent]
    )
    return ReportReading(
        findings={},
        mrd=story.mrd,
        lineage=lineages[0][0][8:] if lineages else by_markers,
        specimen=specimen,
        integrated=any(h[0] == "integrated" for h in hits),
        malignancy_words=tuple(_quote(plain, original, a, b) for a, b, _ in shown[:3]),
        mrd_words=tuple(_quote(plain, original, a, b) for a, b in story.mrd_spans[:2]),
        lineage_words=tuple(_quote(plain, original, a, b) for _, a, b in lineages[:2])
        or ((_quote(plain, original, *story.shown_span),) if by_markers else ()),
        specimen_words=tuple(_quote(plain, original, a, b) for _, a, b in specimens[:1]),
    )
