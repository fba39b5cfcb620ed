"""Reads what a report or note says about the course of the disease (rules EN-2, 7, 11.3, 11.9, 11.20).

Closed word lists in five languages, one pass, linear time. When in doubt a text says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mappings.reading.course_text.judge import TERM_CAP, Judge
from mappings.reading.course_text.lexicon import lexicon_from
from mappings.reading.course_text.sentences import sentences
from mappings.reading.course_text.statements import CourseReading, CourseStatement
from mappings.reading.course_text.timing import Calendar
from mappings.reading.course_text.words import fold_word, split_words

__all__ = ["CourseReading", "CourseStatement", "read_course"]

TEXT_CAP = 256 * 1024


def read_course(text: str, lexicon: Mapping[str, Any] | None = None) -> CourseReading:
    """The statements of a report or note about relapse, response and course, each with its exact words.

    `lexicon` maps a file name without ending ("course_en") to its decoded JSON; without it the packaged
    lists are used. Of a very long text only the head is read (256 kB, 2,000 words of course), then `cut` is set.
    """
    cut = len(text) > TEXT_CAP
    if cut:
        text = text[:TEXT_CAP]
    lists = lexicon_from(lexicon)
    if not lists.gate.search(fold_word(text)):
        return CourseReading(cut=cut)
    words = split_words(text)
    judge = Judge(words, lists, Calendar.of(words, lists))
    told = list(sentences(words, lists))
    for nth, sentence in enumerate(told):
        judge.read(sentence, tuple(told[max(0, nth - 1) : nth] + told[nth + 1 : nth + 2]))
    return CourseReading(judge.settled(), cut or judge.judged >= TERM_CAP)
