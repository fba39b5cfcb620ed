"""Puts the steps of reading one report together."""

from __future__ import annotations

import re
from dataclasses import replace

from mappings.facts import Antigen, Method, SpecimenKind
from mappings.reading.report.about import describe
from mappings.reading.report.claims import read_sentence
from mappings.reading.report.doubt import unread, weigh
from mappings.reading.report.layout import Line, dated_lines, legend_of, lines_of, soft_wraps
from mappings.reading.report.model import ReportReading
from mappings.reading.report.normal import normalise
from mappings.reading.report.quantity import scale_of
from mappings.reading.report.resolve import malignancy_of, resolve
from mappings.reading.report.sentences import sentences_of
from mappings.reading.report.story import Story
from mappings.reading.report.tables import read_tables
from mappings.reading.report.tokens import Scanner, Token
from mappings.reading.report.words import Words

_TWO = re.compile(
    r"\b(?:subset|portion|fraction|part|third|half|Teil|partie|parte)\b"
    r"[^\n]{0,120}\b(?:remainder|remaining|the rest|übrige|reste|resto)"
    r"|\b(?:two|2|both|zwei|deux|due|dos)\b[^.\n]{0,30}\b(?:cluster|clone|population|component|subset|Klon|clone|popolazion|poblacion)",
    re.IGNORECASE,
)
_VERSION = re.compile(r"[ \t]*v(?:ersion)?\.?[ ]?(\d{1,2})\b", re.IGNORECASE)
_BIG = re.compile(
    r"\b(?:large|big|groß|grosse|grandes? c|grandi c|células grandes)|blast|sternberg", re.IGNORECASE
)
_BARE_PERCENT = re.compile(
    r"(?<![\d.])[ (](?:%|percent|prozent|pct)[ ]?(?:of|der|des|\)|pos)|percent of|percentage of|^[ ]*%[ ]?CD\d",
    re.IGNORECASE | re.MULTILINE,
)


def read(text: str, words: Words, specimen: str, method: Method) -> ReportReading:
    """Reads one text; `specimen` and `method` are what the resource around it says."""
    limit = words.policy.text_limit
    cut = len(text) > limit
    original = text[:limit]
    plain = normalise(original, words.wrap_words)
    soft = soft_wraps(plain.text)
    lines = lines_of(plain.text, soft, words)
    legend, keys = legend_of(plain.text, words)
    tables = read_tables(plain.text, words, legend)
    tokens = Scanner(plain.text, words, soft, legend).run()
    if tables.used or keys:
        tokens = _outside(tokens, tables.used + keys)
    story = Story(words, claims=tables.claims, legend=legend)
    story.specimen = specimen if specimen != SpecimenKind.UNSPECIFIED.value else ""
    story.bare_percent = bool(_BARE_PERCENT.search(plain.text))
    story.two = bool(_TWO.search(plain.text)) or any(
        t.kind == "second" and t.text.startswith(("two", "both", "composite")) for t in tokens
    )
    story.large = bool(_BIG.search(plain.text))
    story.old_lines, story.newest_lines = dated_lines(plain.text, lines)
    lowered = plain.text.lower()
    story.small_disease = any(name in lowered for name in words.small_dx)
    story.undetermined = any(t.kind == "undet" for t in tokens)
    story.scale = scale_of(plain.text, words)
    story.mfi = any(t.kind == "mfi" for t in tokens)
    story.hscore = sum(t.kind == "hscore" for t in tokens) == 1 and not any(t.kind == "pct" for t in tokens)
    for sentence in sentences_of(tokens, lines, plain.text, words):
        if len(story.claims) > words.policy.claim_limit:  # no report says so much; keeps hostile text cheap
            cut = True
            break
        made = len(story.claims)
        read_sentence(sentence, story, plain.text)
        weigh(story.claims[made:], sentence, plain.text, words.doubt)
    unread(story.claims, plain.text, words.doubt)
    _order_versions(plain.text, lines, story)
    malignancy = malignancy_of(story)
    about = describe(plain, original, story, words)
    findings = {a: resolve(story, a, malignancy, plain, original, method) for a in Antigen}
    return replace(about, findings=findings, malignancy=malignancy, cut=cut)


def _order_versions(text: str, lines: list[Line], story: Story) -> None:
    """Where versions are printed latest first, the later version still comes after the earlier one."""
    found = {n: int(m.group(1)) for n, x in enumerate(lines) if (m := _VERSION.match(text, x.start, x.end))}
    numbers = list(found.values())
    if len(numbers) > 1 and numbers == sorted(numbers, reverse=True):
        for claim in story.claims:
            claim.order += found.get(claim.line, 0) * len(text)


def _outside(tokens: list[Token], used: list[tuple[int, int]]) -> list[Token]:
    out, at = [], 0
    spans = sorted(used)
    for token in tokens:
        while at < len(spans) and spans[at][1] <= token.start:
            at += 1
        if at >= len(spans) or token.start < spans[at][0]:
            out.append(token)
    return out
