"""Sentences with the heading they stand under, and the listed words found in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mappings.reading.course_text.lexicon import CourseLexicon, Node, Term
from mappings.reading.course_text.words import Words

_STOP = re.compile(r"[.!?][\"')\]]*(?:\s|$)")
_BLANK = re.compile(r"\n[ \t\r]*\n")
_BULLET = re.compile(r"\n[ \t]*(?:[-*>]|\[[ x]?\])")
_INSIDE = re.compile(r"[ \t\r\n'/\-]{0,6}\Z")
_HEADING_WORDS = 6
_EARLIER = frozenset({"before", "history", "history-adjacent", "plan-adjacent", "past-response", "car-t"})
_MAX_SENTENCE = 120


@dataclass(frozen=True, slots=True)
class Hit:
    """A listed word or phrase at the words `first` to `last`."""

    first: int
    last: int
    tags: frozenset[str]
    terms: tuple[Term, ...]


@dataclass(slots=True)
class Sentence:
    """The words `first` to `last`, what was found in them, and the kind of section they stand in."""

    first: int
    last: int
    section: str
    hits: list[Hit]
    line_start: bool

    def tagged(self, *tags: str) -> bool:
        """Whether any of the tags occurs."""
        return any(not hit.tags.isdisjoint(tags) for hit in self.hits)


def sentences(words: Words, lexicon: CourseLexicon) -> Iterator[Sentence]:
    """The text's sentences in order; a heading sets the section of what follows it."""
    section, alone = "", True
    first, total = 0, len(words.text)
    for last in range(total):
        if last + 1 < total and last - first < _MAX_SENTENCE and not _ends(words, first, last, lexicon):
            continue
        content, title = _heading(words, first, last, lexicon)
        if title == "?":
            if section in {"plan", "question", "family", "technique"} or (section == "history" and not alone):
                section = ""
        elif title:
            section, alone = title, content > last
        elif alone is False and section in {"question", "technique"} and _BLANK.search(words.before[first]):
            section = ""
        if content <= last:
            hits = find_hits(words, content, last, lexicon.root)
            line_start = first == 0 or "\n" in words.before[first] or content > first
            yield Sentence(content, last, section, hits, line_start)
        first = last + 1


def _ends(words: Words, first: int, last: int, lexicon: CourseLexicon) -> bool:
    """Whether a sentence ends after the word `last`."""
    gap = words.before[last + 1]
    if gap == " " or not gap.strip(" -/,'"):
        return False
    word = words.text[last]
    stop = _STOP.match(gap.lstrip(" \"')]%+")) is not None and word not in lexicon.abbreviations
    if stop and ("\n" in gap or not _shortened(words, last, lexicon)):
        return True
    if "\n" not in gap:
        return False
    if _BLANK.search(gap) or _BULLET.search(gap):
        return True
    if "," in gap or (word in lexicon.glue and not gap.strip() and not _labelled(words, last + 1)):
        return False
    following = words.places[words.start[last + 1]] if words.places else words.start[last + 1]
    return not _continues(words, last + 1, following)


def _shortened(words: Words, at: int, lexicon: CourseLexicon) -> bool:
    """Whether the point after a single sign does not end the sentence: "V. a. Rezidiv", "2. Rezidiv"."""
    word, following = words.text[at], words.text[at + 1]
    if word.isdigit() and following in lexicon.months:
        return True
    if len(word) > 1:
        return False
    if word.isdigit():
        node = lexicon.root.next.get(word)
        return node is not None and following in node.next
    return len(following) == 1 or (at > 0 and len(words.text[at - 1]) == 1 and "." in words.before[at])


def _continues(words: Words, at: int, place: int) -> bool:
    """Whether a line that begins with word `at` goes on with the sentence: small letter, no label."""
    letter = words.source[place]
    if not letter.islower():
        return False
    return not _labelled(words, at)


def _labelled(words: Words, at: int) -> bool:
    """Whether a line begins with a label or a first table cell."""
    return any(
        ":" in words.after(n) or "\t" in words.after(n) for n in range(at, min(at + 3, len(words.text)))
    )


def _heading(words: Words, first: int, last: int, lexicon: CourseLexicon) -> tuple[int, str]:
    """Where the content begins and the section a heading names; `?` for a label that is no known heading."""
    label: list[str] = []
    aside = False
    for at in range(first, min(last, first + _HEADING_WORDS + 4) + 1):
        aside = aside or (at > first and "(" in words.before[at])
        if not aside:
            label.append(words.text[at])
        gap = words.after(at)
        if ":" in gap or ".." in gap:
            title = _title(label, lexicon)
            if title:
                return at + 1, title
            fresh = "\n" in words.before[first] or (
                label[0] in lexicon.root.next and "patient" in lexicon.root.next[label[0]].tags
            )
            return first, "?" if fresh and len(label) <= _HEADING_WORDS else ""
        if "," in gap or len(label) > _HEADING_WORDS:
            return first, ""
        if aside and ")" in gap:
            aside = False
    if last - first < 4 and ("\n" in words.after(last) or " - " in words.after(last)):
        title = lexicon.headings.get(" ".join(words.text[first : last + 1]), "")
        if title:
            return last + 1, title
    return first, ""


def _title(label: list[str], lexicon: CourseLexicon) -> str:
    while label and label[0].isdigit():
        label = label[1:]
    for size in range(min(len(label), 4), 0, -1):
        for part in (label[:size], label[-size:]):
            title = lexicon.headings.get(" ".join(part))
            if title and (size == len(label) or size > 1 or len(label) <= 3):
                return _dated_title(title, label, lexicon)
    return ""


def _dated_title(title: str, label: list[str], lexicon: CourseLexicon) -> str:
    """A status "prior to CAR T" or "at infusion" is history, whatever heading it resembles."""
    if title not in {"diagnosis", "findings"} or " ".join(label) in lexicon.headings:
        return title
    tags = {tag for word in label if word in lexicon.root.next for tag in lexicon.root.next[word].tags}
    return "history" if tags & _EARLIER else title


def find_hits(words: Words, first: int, last: int, root: Node) -> list[Hit]:
    """The longest listed phrases from left to right, none overlapping."""
    hits: list[Hit] = []
    at = first
    while at <= last:
        hit = _longest(words, at, last, root)
        if hit is None:
            at += 1
        else:
            hits.append(hit)
            at = hit.last + 1
    return hits


def _longest(words: Words, first: int, last: int, root: Node) -> Hit | None:
    node, best, end = root, None, first
    for at in range(first, last + 1):
        if at > first and not _joined(words, at):
            break
        step = node.next.get(words.text[at])
        if step is None:
            break
        node = step
        if node.tags or node.terms:
            best, end = node, at
    return None if best is None else Hit(first, end, frozenset(best.tags), tuple(best.terms))


def _joined(words: Words, at: int) -> bool:
    """Whether the word at `at` may belong to the same phrase as the one before it."""
    gap = words.before[at]
    if gap == " " or _INSIDE.match(gap):
        return "\n\n" not in gap
    return len(words.text[at - 1]) == 1 and gap.strip() == "." and len(gap) <= 2
