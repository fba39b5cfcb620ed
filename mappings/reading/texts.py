"""Report texts read once: both readers behind a bounded memo, since a chart is opened again with the same reports.

The memo has no key but the text itself and is emptied with the process; of long texts it holds only the last few, which
one chart asks for several times over.
"""

from __future__ import annotations

from functools import lru_cache

from mappings.loading import Knowledge
from mappings.reading.course_text import CourseReading, read_course
from mappings.reading.report import ReportReading, read_report

_LONGEST = 8_000
_KEPT = 512
_LONG_KEPT = 4


class Texts:
    """Reads report texts with one knowledge's word lists; equal texts are read once."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._lexicon = knowledge.lexicon
        self._reports = lru_cache(maxsize=_KEPT)(self._report)
        self._courses = lru_cache(maxsize=_KEPT)(self._course)
        self._long_reports = lru_cache(maxsize=_LONG_KEPT)(self._report)
        self._long_courses = lru_cache(maxsize=_LONG_KEPT)(self._course)

    def report(self, text: str, specimen: str = "unspecified", method: str = "unspecified") -> ReportReading:
        """What a text says of CD19, CD20 and CD22 on malignant cells."""
        read = self._reports if len(text) <= _LONGEST else self._long_reports
        return read(text, specimen, method)

    def course(self, text: str) -> CourseReading:
        """What a text says of the course of the disease."""
        read = self._courses if len(text) <= _LONGEST else self._long_courses
        return read(text)

    def forget(self) -> None:
        """Empties the memos (for measuring a cold start)."""
        for memo in (self._reports, self._courses, self._long_reports, self._long_courses):
            memo.cache_clear()

    def _report(self, text: str, specimen: str, method: str) -> ReportReading:
        return read_report(text, specimen=specimen, method=method, lexicon=self._lexicon)

    def _course(self, text: str) -> CourseReading:
        return read_course(text, self._lexicon)
