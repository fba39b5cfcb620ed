"""How far a negation, hedge, plan or memory reaches in a sentence."""

from __future__ import annotations

from mappings.reading.course_text.sentences import Hit, Sentence
from mappings.reading.course_text.words import Words

REACH_BEFORE = 9
REACH_AFTER = 6


class Scope:
    """One sentence with its clause breaks, asked what stands before and after a place."""

    __slots__ = ("_breaks", "_commas", "_hits", "sentence", "words")

    def __init__(self, words: Words, sentence: Sentence) -> None:
        self.words = words
        self.sentence = sentence
        self._hits = sentence.hits
        self._breaks = {h.first for h in sentence.hits if "break" in h.tags}
        self._commas: set[int] = set()
        for at in range(sentence.first + 1, sentence.last + 1):
            gap = words.before[at]
            if gap == " ":
                continue
            if (
                ";" in gap
                or ")" in gap
                or "(" in gap
                or " - " in gap
                or "\t" in gap
                or ":" in gap
                or ".." in gap
            ):
                self._breaks.add(at)
            elif "," in gap or ">" in gap or "?" in gap:
                self._commas.add(at)

    def before(self, place: int, *tags: str, reach: int = REACH_BEFORE, label: bool = False) -> Hit | None:
        """The nearest hit with one of the tags whose scope reaches forward to the word `place`.

        A comma ends the scope unless a list goes on; `label` lets a cue directly before a colon through.
        """
        for hit in reversed(self._hits):
            if hit.last >= place:
                continue
            gap = place - hit.last - 1
            if gap > reach:
                return None
            if hit.tags.isdisjoint(tags):
                continue
            ends = not hit.tags.isdisjoint({"negation", "absence"}) and hit.tags.isdisjoint({"plan"})
            if self._open_between(hit.last + 1, place, label, ends):
                return hit
        return None

    def after(self, place: int, *tags: str, reach: int = REACH_AFTER) -> Hit | None:
        """The nearest hit with one of the tags that speaks back to the word `place`."""
        for hit in self._hits:
            if hit.first <= place:
                continue
            if hit.first - place - 1 > reach:
                return None
            if any(at in self._breaks or at in self._commas for at in range(place + 1, hit.first + 1)):
                return None
            if not hit.tags.isdisjoint(tags):
                return hit
        return None

    def near(self, first: int, last: int, before: int, after: int, *tags: str) -> Hit | None:
        """A hit with one of the tags so near to the words `first` to `last`, in the same clause."""
        start, end = self.clause(first, last)
        for hit in self._hits:
            if hit.tags.isdisjoint(tags) or hit.last < start or hit.first > end:
                continue
            ahead = hit.last < first and first - hit.last <= before
            behind = hit.first > last and hit.first - last <= after
            apart = range(hit.last + 1, first + 1) if ahead else range(last + 1, hit.first + 1)
            if (ahead or behind) and self._commas.isdisjoint(apart):
                return hit
        return None

    def clause(self, first: int, last: int) -> tuple[int, int]:
        """The words between the breaks around the words `first` to `last`."""
        start, end = first, last
        while start > self.sentence.first and start not in self._breaks:
            start -= 1
        while end < self.sentence.last and end + 1 not in self._breaks:
            end += 1
        return start, end

    def sentence_tag(self, place: int, tag: str) -> bool:
        """Whether the word at `place` was found with the tag."""
        return any(tag in h.tags and h.first <= place <= h.last for h in self._hits)

    def breaks_between(self, first: int, last: int) -> bool:
        """Whether a clause break stands between two places."""
        return any(at in self._breaks for at in range(first + 1, last + 1))

    def _open_between(self, start: int, place: int, label: bool, ends: bool) -> bool:
        for at in range(start, place + 1):
            if at in self._breaks and not (label and at == start and ":" in self.words.before[at]):
                return False
            if at in self._commas and not self._list_goes_on(at, place):
                return False
        return not (ends and any(self._asserts(h, start) for h in self._hits if h.first < place))

    def _asserts(self, hit: Hit, start: int) -> bool:
        """A verb that asserts ends a denial before it, unless it is itself denied: "has not confirmed"."""
        if "scope-end" not in hit.tags or hit.first < start:
            return False
        joined = any("list" in h.tags and start <= h.first < hit.first for h in self._hits)
        return joined or hit.first - start >= 3

    def _list_goes_on(self, comma: int, place: int) -> bool:
        """Whether the words from `comma` are one more item of a list: "no relapse, progression or ..."."""
        if any("list" in h.tags and h.first == comma for h in self._hits):
            return True
        term = next((h for h in self._hits if h.first <= place <= h.last), None)
        stop = (term.last if term else place) + 1
        if place - comma > 2:
            return False
        if stop > self.sentence.last or stop in self._commas or stop in self._breaks:
            return True
        return any("list" in h.tags and h.first == stop for h in self._hits)
