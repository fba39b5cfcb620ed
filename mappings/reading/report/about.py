"""What else a report says of itself: the specimen, another lineage, MRD, and whether it settles other reports."""

from __future__ import annotations

import re

from mappings.facts import SpecimenKind
from mappings.reading.report.model import ReportReading
from mappings.reading.report.normal import Plain
from mappings.reading.report.story import Story
from mappings.reading.report.words import Words

_WORD = re.compile(r"[^\W\d_]+")
_LONGEST = 6
_DENIALS = frozenset(
    [
        "no",
        "not",
        "without",
        "negative",
        "nor",
        "exclude",
        "excluded",
        "excludes",
        "kein",
        "keine",
        "ohne",
        "pas",
        "sans",
        "non",
        "senza",
        "sin",
        "no",
    ]
)


def _hits(text: str, names: dict[str, str] | frozenset[str]) -> list[tuple[str, int, int]]:
    """Every phrase of a list in a text, longest first at each place."""
    words = [(m.group().lower(), m.start(), m.end()) for m in _WORD.finditer(text)]
    out, at = [], 0
    while at < len(words):
        for size in range(min(_LONGEST, len(words) - at), 0, -1):
            phrase = " ".join(w for w, _, _ in words[at : at + size])
            if phrase in names:
                out.append((phrase, words[at][1], words[at + size - 1][2]))
                at += size - 1
                break
        at += 1
    return out


def _quote(plain: Plain, original: str, start: int, end: int) -> str:
    return original[plain.back(start) : plain.back(max(end - 1, start)) + 1]


def _denied(text: str, start: int) -> bool:
    before = _WORD.findall(text[max(0, start - 40) : start].lower().rsplit(".", 1)[-1])
    return bool(_DENIALS & set(before[-4:]))


def describe(plain: Plain, original: str, story: Story, words: Words) -> ReportReading:
    """The frame of a reading: specimen (rules CD-2), lineage (rules CD-10), MRD and malignancy words."""
    text = plain.text
    specimens = _hits(text, dict(words.specimens))
    specimen = SpecimenKind(words.specimens[specimens[0][0]]) if specimens else SpecimenKind.UNSPECIFIED
    lineages = [
        h for h in _hits(text, dict(words.lineages)) if not _denied(text, h[1]) and not story.past_at(h[1])
    ]
    mal = [p for p in story.present if p[2]] or story.present
    shown = (
        mal
        if (mal and any(c.pop == "mal" for c in story.claims)) or not story.absent
        else [(a, b, True) for a, b in story.absent]
    )
    return ReportReading(
        findings={},
        mrd=story.mrd,
        lineage=words.lineages[lineages[0][0]] if lineages else "",
        specimen=specimen,
        integrated=bool(_hits(text, words.integrated)),
        malignancy_words=tuple(_quote(plain, original, a, b) for a, b, _ in shown[:3]),
        mrd_words=tuple(_quote(plain, original, a, b) for a, b in story.mrd_spans[:2]),
        lineage_words=tuple(_quote(plain, original, a, b) for _, a, b in lineages[:2]),
        specimen_words=tuple(_quote(plain, original, a, b) for _, a, b in specimens[:1]),
    )
