"""How firmly a value is said: hedged, withdrawn, artefact, count, gate, plan (narrative rules 4, 9, 13)."""

from __future__ import annotations

from mappings.reading.report.model import Claim
from mappings.reading.report.runs import Pair
from mappings.reading.report.story import CHOICE, Sentence, Story


def window(pair: Pair, sentence: Sentence, groups: set[int]) -> set[str]:
    """Kinds of the tokens that speak of this marker: its groups, but not beyond the neighbouring markers."""
    tokens, low, high = sentence.tokens, min(groups), max(groups)
    at, other = pair.index + 1, False
    while at < len(tokens) and sentence.groups[at] <= high:
        if tokens[at].kind == "m":
            if other:
                break
        elif tokens[at].kind != "and" and tokens[at].text not in (",", "/", "&", "|"):
            other = True
        at += 1
    back, other = pair.index - 1, False
    while back >= 0 and sentence.groups[back] >= low:
        if tokens[back].kind == "m":
            if other or tokens[back].sign:
                break
        elif tokens[back].kind in CHOICE or tokens[back].text == "|":
            other = True
        back -= 1
    kinds = {t.kind for t in tokens[back + 1 : at]}
    return kinds | {sentence.tokens[v.index].kind for v in pair.values}


def settle_mode(pair: Pair, claim: Claim, sentence: Sentence, kinds: set[str], groups: set[int]) -> None:
    last = max(groups)
    following = sentence.group_kinds.get(last + 1, set())
    if not following & {"m"}:
        kinds = kinds | (following & {"hedge", "artefact", "withdrawn"})
    for group in range(last + 2, last + 6):
        more = sentence.group_kinds.get(group, set())
        if more & {"m"} or following & {"m"}:
            break
        kinds = kinds | (more & {"artefact"})
    if _taken_back(pair, claim, sentence):
        return
    if claim.value == "unk":
        return
    if (
        pair.void
        or kinds & {"nonefound"}
        or ({t.kind for t in sentence.tokens} & {"nonefound"} and claim.pop == "mal")
    ):
        claim.value, claim.reason = "unk", "no-malignancy"
    elif claim.pop != "mal" and _share_of_all(pair, sentence):
        claim.value, claim.reason = "unk", "count"
    elif pair.token.sign and _selecting(pair, sentence):
        claim.value, claim.reason, claim.mention = "unk", "panel", True
    elif "artefact" in kinds or _failing_control(pair, sentence):
        claim.value, claim.reason, claim.strong = "unk", "artefact", True
    elif sentence.tokens[0].kind == "pending" and [t.text for t in sentence.tokens[1:2]] == [":"]:
        claim.value, claim.reason = "unk", "pending"
    elif "hedge" in kinds or sentence.tokens[-1].text == "?":
        claim.value, claim.reason = "unk", "hedged"
    elif "count" in kinds and not any(v.kind == "sign" for v in pair.values):
        claim.value, claim.reason = "unk", "count"
    elif sentence.section == "gene" or (
        "gene" in {t.kind for t in sentence.tokens[max(0, pair.index - 3) : pair.index + 4]}
        and not pair.token.sign
    ):
        claim.value, claim.reason = "unk", "gene"
    elif any(t.kind == "trial" for t in sentence.tokens):
        claim.value, claim.reason, claim.mention = "unk", "therapy", True
    elif (any(t.kind == "cond" for t in sentence.tokens[: pair.index]) and not pair.token.sign) or (
        sentence.section in ("plan",) and (pair.listed or all(v.kind == "wpos" for v in pair.values))
    ):
        claim.value, claim.reason = "unk", "pending"
    elif ("cyto" in kinds and "surface" not in kinds) or pair.token.sub in ("c", "cy", "cyt", "ic"):
        claim.reason = "cytoplasmic"
        claim.value = "unk"


def _failing_control(pair: Pair, sentence: Sentence) -> bool:
    """Whether the sentence says that the control failed too (narrative rule 9)."""
    tokens = sentence.tokens
    for at in range(pair.index + 1, len(tokens)):
        if tokens[at].kind == "m" and tokens[at].val:
            return False
        if tokens[at].kind == "norm" and "ontrol" in tokens[at].text:
            near = [t.kind for t in tokens[at + 1 : at + 6]]
            if near and "neg" in near and "pos" not in near:
                return True
    return False


def _taken_back(pair: Pair, claim: Claim, sentence: Sentence) -> bool:
    """A result that its own sentence withdraws: what stands before the word, or all after it when nothing does."""
    at = next((i for i, t in enumerate(sentence.tokens) if t.kind == "withdrawn"), -1)
    if at < 0:
        return False
    if any(t.kind == "shouldread" for t in sentence.tokens) and pair.values and not pair.listed:
        return False
    before = any(t.kind == "m" and t.val for t in sentence.tokens[:at])
    if pair.index < at or not before:
        claim.value, claim.reason, claim.strong, claim.mention = "unk", "withdrawn", True, False
        return True
    return False


def _share_of_all(pair: Pair, sentence: Sentence) -> bool:
    """A signed marker that names cells which are then counted: "CD19+ cells 0.0 % of lymphocytes"."""
    last = max([pair.index, *(v.index for v in pair.values)])
    following = sentence.tokens[last + 1 : last + 5]
    named = following[:1] and (following[0].text in ("cells", "b", "events") or following[0].kind == "cells")
    return bool(named) and any(t.kind in ("pct", "num") for t in following)


def _selecting(pair: Pair, sentence: Sentence) -> bool:
    """A signed marker that only names the cells looked at: "on CD19+ cells", "the CD19+ gate" (narrative rule 13)."""
    tokens = sentence.tokens
    after = [t.text for t in tokens[pair.index + 1 : pair.index + 2]]
    if not after or after[0] not in ("gate", "gates", "gated", "cells", "events"):
        return False
    if after[0].startswith("gate"):
        return True
    at = pair.index - 1
    while at >= 0 and tokens[at].kind == "m":
        at -= 1
    before = tokens[at] if at >= 0 else None
    return before is not None and (before.kind in ("prep", "num") or before.text in ("among", "gated", "on"))


def afterthought(sentence: Sentence, story: Story) -> None:
    """A sentence without a marker may take back or question what was said just before."""
    kinds = {t.kind for t in sentence.tokens}
    if (
        not story.last
        or sentence.section in ("history", "plan", "panel")
        or not kinds & {"artefact", "withdrawn", "openw"}
    ):
        return
    if kinds & {"mal", "dx", "m"}:
        return
    for claim in story.last:
        if claim.value != "unk":
            claim.value, claim.strong = "unk", True
            claim.reason = "artefact" if "artefact" in kinds else "withdrawn"
