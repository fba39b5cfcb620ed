"""The state that the words and numbers beside one marker stand for (narrative rules 5 to 8)."""

from __future__ import annotations

import re

from mappings.reading.report.model import Claim
from mappings.reading.report.pairs import INTENSITY
from mappings.reading.report.quantity import band, quantity
from mappings.reading.report.runs import Pair, Value
from mappings.reading.report.story import Sentence, Story
from mappings.reading.report.tokens import Token
from mappings.reading.report.tokens import number as to_number

_PASSIVE = frozenset(("panel", "sought", "plan", "gene", "therapy", "count", "control", "legend"))


def settle_state(pair: Pair, claim: Claim, sentence: Sentence, story: Story, others: bool) -> None:
    policy = story.words.policy
    values = [v for v in pair.values if v.how != "later"]
    later = [v for v in pair.values if v.how == "later" and v.pop != "norm"]
    if later and values and _later(later, values, claim, sentence):
        return
    if not values and later and (later[0].pop == "mal" or len(later) > 1):
        values = later[:1]
    values = [v for v in values if v.pop != "norm"] or values
    values = _on_malignant(values, pair, sentence)
    states = {v.state for v in values}
    claim.intensity = _intensity(values, sentence)
    claim.clone = _clone(pair, sentence, story)
    claim.worded = any(v.kind in ("pos", "neg", "low") for v in values)
    if pair.number is not None and story.denominator and values and pair.percent is None:
        following = sentence.tokens[pair.index + 1 : pair.index + 6]
        if any(t.text in ("events", "cells") for t in following):
            _number(pair, claim, sentence, story)
            return
    if values:
        claim.end = max(claim.end, *(sentence.tokens[v.index].end for v in values))
        claim.start = min(claim.start, *(sentence.tokens[v.index].start for v in values))
    if _scored(pair, claim, sentence, story):
        return
    if pair.percent is not None:
        claim.percent = pair.percent.text
    share = pair.percent if pair.percent is not None else pair.share
    if "unk" in states:
        _unknown(values, claim, sentence)
        return
    if states & {"pos", "neg", "low"}:
        claim.value = _combine(values)
        if (
            share is not None
            and claim.value == "pos"
            and all(v.how in ("operator", "prefix") for v in values)
        ):
            claim.value = band(share.lo, share.hi, policy.percent_positive, policy.percent_low)
            claim.percent = share.text
            return
        if share is not None and claim.value in ("pos", "neg") and all(v.how == "sign" for v in values):
            low, high = (share.lo, share.hi) if claim.value == "pos" else (100 - share.hi, 100 - share.lo)
            claim.value = band(low, high, policy.percent_positive, policy.percent_low)
            return
        if (
            claim.value == "pos"
            and share is not None
            and share.hi < policy.percent_low
            and _bracketed(pair, sentence)
        ):
            claim.value, claim.reason = "unk", "contradiction"
            return
        narrative = share is not None and any(v.how in ("suffix", "operator", "sign") for v in values)
        if (
            narrative
            and share is not None
            and claim.value == "pos"
            and share.hi < policy.percent_positive
            and _partial(sentence, share)
        ):
            claim.value = "low" if share.hi >= policy.percent_low else "neg"
            claim.percent = share.text
        elif narrative and share is not None and claim.value == "neg" and _partial(sentence, share):
            claim.value = band(100 - share.hi, 100 - share.lo, policy.percent_positive, policy.percent_low)
        return
    if share is not None:
        claim.value = band(share.lo, share.hi, policy.percent_positive, policy.percent_low)
        claim.band = True
        claim.end = max(claim.end, share.end)
        return
    if pair.number is not None:
        _number(pair, claim, sentence, story)
        return
    if pair.listed and story.carried_value and not others and sentence.section not in _PASSIVE:
        claim.value = story.carried_value
        claim.reason = "failed" if claim.value == "unk" else ""
        return
    ahead = sentence.tokens[pair.index + 1 : pair.index + 5]
    if (
        pair.listed
        and any(t.text.startswith("all ") and t.kind == "noop" for t in ahead)
        and not any(t.kind == "m" for t in ahead)
    ):
        claim.value, claim.pop = "pos", "mal"
        return
    if pair.listed and sentence.section not in _PASSIVE:
        kinds = {t.kind for t in sentence.tokens}
        if others and kinds & {"mal"} and not kinds & {"panel", "pending", "failed", "therapy"}:
            claim.value = "pos"
            return
    claim.reason, claim.mention = "named", True


def _scored(pair: Pair, claim: Claim, sentence: Sentence, story: Story) -> bool:
    """A printed H-score decides where it stands beside a breakdown by intensity (rules 11.1)."""
    tokens = sentence.tokens
    stop = next((i for i in range(pair.index + 1, len(tokens)) if tokens[i].kind == "m"), len(tokens))
    for at in range(pair.index + 1, stop - 1):
        named = tokens[at].kind == "hscore" or (tokens[at].text == "h" and tokens[at + 1].text in ("=", ":"))
        after = [t for t in tokens[at + 1 : at + 4] if t.kind == "num"]
        if named and after and to_number(after[0].text) <= 300:
            policy, value = story.words.policy, to_number(after[0].text)
            claim.value, claim.band = band(value, value, policy.h_score_positive, policy.h_score_low), True
            claim.h_score, claim.end = after[0].text, max(claim.end, after[0].end)
            calls = {
                v.state
                for v in pair.values
                if v.how == "suffix" and v.kind in ("pos", "neg") and v.index > at
            }
            if len(calls) == 1:
                claim.value, claim.band = calls.pop(), False
            return True
    return False


def _number(pair: Pair, claim: Claim, sentence: Sentence, story: Story) -> None:
    """A bare number counts only where the text gives it a meaning (narrative rules 6 and 7)."""
    policy = story.words.policy
    found = quantity(sentence.tokens, pair.index, policy, story.scale, story.hscore)
    if found is not None:
        claim.value, claim.band, claim.end = found.state, found.band, max(claim.end, found.end)
        claim.h_score = found.text if found.kind == "hscore" else ""
        claim.reason = "number" if found.state == "unk" else ""
        return
    token = pair.number
    claim.reason = "number"
    if token is None or story.mfi or not re.fullmatch(r"\d{1,5}(?:[.,]\d+)?|\d{1,3}[.,]\d{3}", token.text):
        return
    value = to_number(token.text)
    if story.denominator >= value > -1 and story.denominator:
        value = 100 * value / story.denominator
    elif not story.bare_percent or value > 100:
        return
    claim.value, claim.band, claim.reason = (
        band(value, value, policy.percent_positive, policy.percent_low),
        True,
        "",
    )
    claim.end = max(claim.end, token.end)


def _later(later: list[Value], values: list[Value], claim: Claim, sentence: Sentence) -> bool:
    """A second value after "but" or ";": now against then, method against method, or two populations."""
    first, second = values[0].state, later[0].state
    if second == "unk" and later[0].kind in ("failed", "openw", "mask"):
        claim.value, claim.reason, claim.strong = "unk", "failed", True
        return True
    if (first, second) == ("pos", "low"):
        claim.value = "low"
        return True
    if {first, second} != {"pos", "neg"}:
        return False
    if sum(_names_clone(sentence.tokens, i) for i in range(len(sentence.tokens))) > 1:
        claim.value, claim.reason, claim.strong = "unk", "discordant", True
        return True
    between = {t.kind for t in sentence.tokens[values[0].index : later[0].index + 6]}
    before = {t.kind for t in sentence.tokens[: values[0].index]}
    whole = {t.kind for t in sentence.tokens}
    claim.end = max(claim.end, sentence.tokens[later[0].index].end)
    if "current" in between and "history" in before | between:
        claim.value = second
    elif later[0].pop == "mal" and not {"flowm", "ihcm"} <= whole:
        claim.value = "low"
    else:
        claim.value, claim.reason = "unk", "discordant" if {"flowm", "ihcm"} <= whole else "contradiction"
        claim.strong = True
    return True


def _on_malignant(values: list[Value], pair: Pair, sentence: Sentence) -> list[Value]:
    """Of "reactive B cells are CD19 positive, the lymphoma cells negative" the second value."""
    if {v.state for v in values} != {"pos", "neg"} or not any(v.pop == "mal" for v in values):
        return values
    ahead = [t.kind for t in sentence.tokens[: pair.index] if t.kind in ("mal", "norm")]
    return [v for v in values if v.pop == "mal"] if ahead[-1:] == ["norm"] else values


def _names_clone(tokens: list[Token], index: int) -> bool:
    """Whether an antibody clone is named here: "clone LE-CD19", "(clone BT51E)"."""
    opened = index > 0 and tokens[index - 1].text == "("
    return tokens[index].kind == "clonew" or (opened and tokens[index].text == "clone")


def _partial(sentence: Sentence, share: Token) -> bool:
    tokens = sentence.tokens
    at = next((i for i, t in enumerate(tokens) if t is share), -1)
    if at < 0:
        return False
    return (
        (bool(at) and tokens[at - 1].kind == "prep")
        or any(t.kind == "prep" for t in tokens[at + 1 : at + 2])
        or tokens[at - 1].text in ("only", "about", "approximately", "roughly", "ca", "~")
    )


def _bracketed(pair: Pair, sentence: Sentence) -> bool:
    """A share in brackets right after the word that it measures: "positive (<1 %)"."""
    at = pair.percent_index
    return at > 1 and sentence.tokens[at - 1].text == "(" and any(v.index == at - 2 for v in pair.values)


def _unknown(values: list[Value], claim: Claim, sentence: Sentence) -> None:
    definite = [v for v in values if v.state != "unk"]
    unknown = [v for v in values if v.state == "unk"]
    if definite and all(v.kind == "pending" for v in unknown):
        claim.value = _combine(definite)
        return
    claim.strong = any(v.kind == "openw" for v in unknown)
    claim.reason = unknown[0].kind if unknown[0].kind in ("pending", "failed") else "missing"


def _intensity(values: list[Value], sentence: Sentence) -> str:
    """The word of intensity as written, for display."""
    for value in values:
        token = sentence.tokens[value.index]
        if token.kind in ("low", "pos") and token.text.startswith(INTENSITY):
            return token.text
    return ""


def _clone(pair: Pair, sentence: Sentence, story: Story) -> str:
    """The antibody clone named beside the marker (rules 3, assay traps)."""
    following = sentence.tokens[pair.index + 1 : pair.index + 9]
    stop = next((i for i, t in enumerate(following) if t.kind == "m" and t.sub != "name"), len(following))
    texts = [t.text for t in following[:stop] if t.text != "-"]
    first = set(texts)
    for parts in story.words.clones:
        if parts[0] not in first:
            continue
        for at in range(len(texts) - len(parts) + 1):
            if tuple(p for t in texts[at : at + len(parts)] for p in (t,)) == parts:
                return "".join(parts).upper()
    return ""


def _combine(values: list[Value]) -> str:
    states = [v.state for v in values if v.state in ("pos", "neg", "low")]
    kinds = set(states)
    if kinds == {"pos"}:
        return "pos"
    if kinds == {"neg"}:
        return "neg"
    own = [v.state for v in values if v.how not in ("operator",)]
    if own and set(own) == {"neg"}:
        return "neg"
    return "low"
