"""Statements that a second negation, a word of few or an unread language makes unsafe (rules CD-3, 11.20)."""

from __future__ import annotations

from mappings.reading.report.doubt_words import Doubt
from mappings.reading.report.model import Claim
from mappings.reading.report.story import Sentence
from mappings.reading.report.tokens import Token

_STOPS = frozenset((";", ",", ".", "|", "•"))
_TAIL = 4  # words of a following fragment that may still undo what stands before a comma


def weigh(claims: list[Claim], sentence: Sentence, text: str, doubt: Doubt) -> None:
    """Turns claims that their own clause undoes into unknown, and those on a few cells into partial."""
    if any(t.kind == "box" for t in sentence.tokens):
        return
    for claim in claims:
        if claim.value == "pos" and doubt.answers.match(text[claim.end : claim.end + 16].lower()):
            claim.value, claim.reason = "unk", "contradiction"
        elif claim.value in ("pos", "neg", "low"):
            _weigh(claim, sentence, doubt.harmless.sub(" ", _clause(claim, sentence.tokens, text)), doubt)


def _weigh(claim: Claim, sentence: Sentence, clause: str, doubt: Doubt) -> None:
    reason = _reason(claim, sentence, clause, doubt)
    if doubt.infused.search(clause):
        claim.pop = "norm"
    elif reason:
        claim.value, claim.reason, claim.band = "unk", reason, False
    elif (claim.value == "pos" and doubt.few.search(clause) and not doubt.most.search(clause)) or (
        claim.value == "neg" and doubt.part_of.search(clause)
    ):
        claim.value, claim.band = "low", False


def _reason(claim: Claim, sentence: Sentence, clause: str, doubt: Doubt) -> str:
    """Why a clause cannot be taken at its word; empty where it can."""
    kinds = {t.kind for t in sentence.tokens}
    low = claim.value == "low"
    if low and {"surface", "cyto"} <= kinds and doubt.lacking.search(clause):
        return "cytoplasmic"
    if doubt.selecting.search(clause):
        return "panel"
    share = any(t.kind == "whole" and t.start >= claim.end for t in sentence.tokens)
    if claim.band and claim.value in ("neg", "low") and share:
        return "share-of-all-cells"
    if _supposed(sentence, clause, doubt):
        return "hedged"
    return "contradiction" if _undone(claim, clause, doubt) or (low and _muddled(clause, doubt)) else ""


def unread(claims: list[Claim], text: str, doubt: Doubt) -> None:
    """A report in a language that is not read states nothing (rules 11.20)."""
    if claims and doubt.foreign.search(text):
        for claim in claims:
            claim.value, claim.reason, claim.band, claim.strong = "unk", "language", False, True


def _supposed(sentence: Sentence, clause: str, doubt: Doubt) -> bool:
    """Whether the clause speaks of other patients, of a risk or of what would be."""
    if doubt.supposed.search(clause):
        return True
    return sentence.tokens[0].text == "were" and any(t.text == "would" for t in sentence.tokens)


def _muddled(clause: str, doubt: Doubt) -> bool:
    """A partial state that only came of two words at odds: "loss present", "expected positive, observed negative"."""
    if doubt.partial.search(clause):
        return False
    lost = doubt.nouns.search(clause) is not None and doubt.affirming.search(clause) is not None
    undone = doubt.positivity.search(clause) is not None and doubt.undoing.search(clause) is not None
    return lost or undone or doubt.expected.search(clause) is not None


def _undone(claim: Claim, clause: str, doubt: Doubt) -> bool:
    lacking = doubt.lacking.search(clause) is not None
    undone = doubt.undoing.search(clause) is not None
    if claim.value in ("pos", "neg") and doubt.answered.search(clause):
        return True
    if claim.value == "pos":
        return undone and not lacking
    if claim.value == "low":
        return undone and doubt.nouns.search(clause) is not None
    if not lacking:
        return False
    if undone or doubt.nothing.search(clause):
        return True
    return bool(doubt.nouns.search(clause) and doubt.adjectives.search(doubt.nouns.sub(" ", clause)))


def _clause(claim: Claim, tokens: list[Token], text: str) -> str:
    """The words that speak of one claim: its own, and those around up to a stop or the next marker."""
    first = next((i for i, t in enumerate(tokens) if t.end > claim.start), 0)
    last = next((i for i in range(len(tokens) - 1, -1, -1) if tokens[i].start < claim.end), first)
    start, end = _back(tokens, first), _ahead(tokens, last)
    return text[tokens[start].start : tokens[end].end].lower()


def _back(tokens: list[Token], first: int) -> int:
    at = first
    while at > 0:
        before = tokens[at - 1]
        if before.text in _STOPS or before.kind == "but":
            return at
        if before.kind == "m":
            joins = [t for t in tokens[at:first] if t.kind == "and"]
            return (
                next((i + 1 for i in range(at, first) if tokens[i].kind == "and"), first) if joins else first
            )
        at -= 1
    return at


def _ahead(tokens: list[Token], last: int) -> int:
    at = last
    while at + 1 < len(tokens):
        after = tokens[at + 1]
        if after.text in _STOPS or after.kind == "but":
            rest = tokens[at + 2 : at + 3 + _TAIL]
            short = after.text == "," and 0 < len(rest) <= _TAIL
            return len(tokens) - 1 if short and not any(t.kind == "m" for t in rest) else at
        if after.kind == "m":
            return next((i - 1 for i in range(at, last, -1) if tokens[i].kind == "and"), last)
        at += 1
    return at
