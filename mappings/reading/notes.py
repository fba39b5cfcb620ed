"""Notes and letters against reports of a specimen, and what a text says of when its specimen was taken.

Sources: rules CD-1, CD-2, 11.11; hazard H-23 (copied-forward text).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from mappings.dates import ClinicalDate, before, parse_date
from mappings.facts import SpecimenKind
from mappings.reading.context import Context
from mappings.reading.report import ReportReading
from mappings.reading.vocabulary import Vocabulary

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(
    r"(?P<iso>\d{4}-\d{2}(?:-\d{2})?)|(?P<one>\d{1,2})[/.](?P<two>\d{1,2})[/.](?P<year>\d{4})"
    r"|(?:(?P<day>\d{1,2})\.?\s)?(?P<month>[A-Z][a-z]{2,8})\.?\s(?:(?P<late>\d{1,2}),?\s)?(?P<of>\d{4})\b"
)
_COLLECTED = re.compile(
    r"\b(?:collected|collection date|date of collection|date taken)\b[\s:]{0,3}(?:on\s)?", re.I
)
_ADDENDUM = re.compile(r"\s*addendum\b[^.\n]{0,40}\b(?:biopsy|specimen)\s(?:of|from|taken)\s(?:on\s)?", re.I)
_ADJECTIVE = re.compile(r"\b(?:relapsed|refractory|r/r)\b", re.I)
_EVENT = re.compile(
    r"\b(?:relapses?\b(?!/)|relapsing|recurr\w+|progress\w+|(?:has|have|had|now|again|who|patient|she|he)\s+relapsed"
    r"|relapsed\s+(?:again|in|on|at|with|after|since|following|post))\b",
    re.I,
)


def is_note(context: Context, vocabulary: Vocabulary) -> bool:
    """A note, letter or summary: neither a specimen nor a laboratory or pathology heading (CD-2)."""
    if context.specimen_text or context.pathology:
        return False
    return context.specimen is SpecimenKind.UNSPECIFIED or vocabulary.note_titles.any_in(context.names)


def states_the_indication(words: str, text: str, vocabulary: Vocabulary) -> bool:
    """Whether "relapsed lymphoma" stands beside the CAR T therapy it was the reason for, and no new relapse is told."""
    if not _ADJECTIVE.search(words) or _EVENT.search(words):
        return False
    return vocabulary.car_t_named(text)


def as_collected(context: Context, text: str) -> Context:
    """The context with the day of collection a text itself gives, where that is another than the result's (11.11).

    A day that can be read one way only and lies earlier replaces the date; one that cannot be read for certain, or
    that disagrees, leaves the date as a latest possible one.
    """
    match = _ADDENDUM.match(text) or _COLLECTED.search(text)
    if match is None or context.date is None:
        return context
    found = _DATE.match(text, match.end())
    if found is None:
        return context
    read = [date for date in _readings(found) if before(context.date, date) is not True]
    if any(before(date, context.date) is None or date.first == context.date.first for date in read):
        return context
    if len(read) == 1 and before(read[0], context.date) is True:
        return replace(context, date=read[0], date_is_bound=False)
    return replace(context, date_is_bound=True) if read else context


def _readings(found: re.Match[str]) -> Iterator[ClinicalDate]:
    """Each date the words can stand for; day and month in figures can stand either way round."""
    part = found.groupdict()
    texts = []
    if part["iso"]:
        texts.append(part["iso"])
    elif part["year"]:
        one, two = int(part["one"]), int(part["two"])
        texts += [f"{part['year']}-{one:02}-{two:02}", f"{part['year']}-{two:02}-{one:02}"]
    elif part["month"].lower()[:3] in _MONTHS:
        month = _MONTHS.index(part["month"].lower()[:3]) + 1
        day = part["day"] or part["late"]
        texts.append(f"{part['of']}-{month:02}" + (f"-{int(day):02}" if day else ""))
    for text in dict.fromkeys(texts):
        date = parse_date(text)
        if date is not None:
            yield date


def specimen_of(context: Context, reading: ReportReading) -> SpecimenKind:
    """The specimen of a text: that of the resource, else the one the text names."""
    return context.specimen if context.specimen is not SpecimenKind.UNSPECIFIED else reading.specimen
