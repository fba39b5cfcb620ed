"""Report texts read once: both readers behind a bounded memo, since a chart is opened again with the same reports.

The memo holds readings of short texts only and no key but the text itself; it is emptied with the process.
"""

from __future__ import annotations

from functools import lru_cache

from mappings.loading import Knowledge
from mappings.reading.course_text import CourseReading, read_course
from mappings.reading.report import ReportReading, read_report

_LONGEST = 8_000
_KEPT = 512


class Texts:
    """Reads report texts with one knowledge's word lists; equal texts are read once."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._lexicon = knowledge.lexicon
        self._reports = lru_cache(maxsize=_KEPT)(self._report)
        self._courses = lru_cache(maxsize=_KEPT)(self._course)

    def report(self, text: str, specimen: str = "unspecified", method: str = "unspecified") -> ReportReading:
        """What a text says of CD19, CD20 and CD22 on malignant cells."""
        read = self._reports if len(text) <= _LONGEST else self._report
        return read(text, specimen, method)

    def course(self, text: str) -> CourseReading:
        """What a text says of the course of the disease."""
        return self._courses(text) if len(text) <= _LONGEST else self._course(text)

    def forget(self) -> None:
        """Empties the memos (for measuring a cold start)."""
        self._reports.cache_clear()
        self._courses.cache_clear()

    def _report(self, text: str, specimen: str, method: str) -> ReportReading:
        return read_report(text, specimen=specimen, method=method, lexicon=self._lexicon)

    def _course(self, text: str) -> CourseReading:
        return read_course(text, self._lexicon)
