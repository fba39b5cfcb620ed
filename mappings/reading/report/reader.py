"""Puts the steps of reading one report together."""

from __future__ import annotations

import re

from mappings.facts import Antigen, Method
from mappings.reading.report.claims import Story, read_sentence, sentences_of
from mappings.reading.report.layout import legend_of, lines_of, soft_wraps
from mappings.reading.report.model import ReportReading
from mappings.reading.report.normal import normalise
from mappings.reading.report.resolve import malignancy_of, resolve
from mappings.reading.report.tokens import Scanner
from mappings.reading.report.words import Words

_BARE_PERCENT = re.compile(r"(?<![\d.])[ (](?:%|percent|prozent|pct)[ ]?(?:of|der|des|\)|pos)|percent of", re.IGNORECASE)


def read(text: str, words: Words, specimen: str, method: Method) -> ReportReading:
    """Reads one text; `specimen` and `method` are what the resource around it says."""
    limit = words.policy.text_limit
    cut = len(text) > limit
    original = text[:limit]
    nothing: dict[Antigen, None] = dict.fromkeys(Antigen)
    plain = normalise(original, words.wrap_words)
    soft = soft_wraps(plain.text)
    lines = lines_of(plain.text, soft, words)
    tokens = Scanner(plain.text, words, soft, legend_of(plain.text, words)).run()
    story = Story(words)
    story.bare_percent = bool(_BARE_PERCENT.search(plain.text))
    story.two = any(t.kind == "second" and t.text.startswith(("two", "both", "composite")) for t in tokens)
    for sentence in sentences_of(tokens, lines, plain.text, words):
        read_sentence(sentence, story)
    malignancy = malignancy_of(story)
    findings = {a: resolve(story, a, malignancy, plain, original) for a in Antigen}
    del nothing
    return ReportReading(findings, malignancy, cut=cut)
