"""Markers that are only part of the name of a therapy, gene or antibody (narrative rules 4 and 11)."""

from __future__ import annotations

from mappings.reading.report.story import Sentence, Story
from mappings.reading.report.tokens import Token


def drop_names(tokens: list[Token], sentence: Sentence, story: Story) -> set[int]:
    """Markers that are only part of a therapy's, gene's or antibody's name (narrative rules 4 and 11)."""
    dropped: set[int] = set()
    for index, token in enumerate(tokens):
        if token.kind != "m":
            continue
        why = _name_only(tokens, index, token)
        if why == "clone":
            dropped.add(index)
            continue
        if why or (sentence.section in ("gene", "therapy") and not token.sign):
            dropped.add(index)
            if token.val:
                story.mention(token.val, why or sentence.section, token.start, token.end)
    return dropped


def _name_only(tokens: list[Token], index: int, token: Token) -> str:
    at, chain = index + 1, True
    before = tokens[index - 1] if index else None
    if token.sub == "name" and (
        before is not None
        and (
            before.kind == "clonew"
            or (
                before.text in ("(", "-", "/")
                and index > 1
                and tokens[index - 2].kind == "m"
                and tokens[index - 2].val == token.val
            )
        )
    ):
        return "clone"
    if before is not None and token.val and not token.sign:
        opened = [i for i in range(max(0, index - 5), index) if tokens[i].text == "("]
        if (
            opened
            and opened[-1]
            and tokens[opened[-1] - 1].kind != "m"
            and any(t.kind == "m" and t.val == token.val for t in tokens[max(0, opened[-1] - 3) : opened[-1]])
            and index + 1 < len(tokens)
            and tokens[index + 1].text == ")"
        ):
            return "clone"
        if (
            before.text == "/"
            and index > 1
            and tokens[index - 2].kind == "m"
            and tokens[index - 2].val == token.val
        ):
            return "clone"
    if token.sub == "anti!":
        return "therapy"
    if token.sign == "neg" and _shared_suffix(tokens, index):
        return "therapy"
    if token.sign:
        return ""
    while at < len(tokens) and at < index + 9:
        following = tokens[at]
        if following.kind == "therapy":
            return "therapy"
        if following.kind == "gene" and at <= index + 2:
            return "gene"
        if following.text in ("-", "/", "x", "×", "–", "specific", "cell") or (
            following.kind == "m" and not following.sign and chain
        ):
            at += 1
            continue
        if following.kind == "and" and at + 1 < len(tokens) and tokens[at + 1].kind == "m":
            at += 1
            continue
        break
    nearest = tokens[index + 1] if index + 1 < len(tokens) else None
    valued = nearest is not None and nearest.kind in (
        "pos",
        "neg",
        "low",
        "failed",
        "pending",
        "v",
        "pct",
    )
    if token.sub in ("anti", "α") and not valued and (nearest is None or nearest.text not in ("(", ":")):
        return "therapy"
    back = index - 1
    while back >= 0 and tokens[back].text in ("(", "anti", "-", "against", "/", "anti-"):
        back -= 1
    if (
        back >= 0
        and tokens[back].kind == "therapy"
        and not valued
        and tokens[back].text.startswith(("car", "target", "bispecific", "directed"))
    ):
        return "therapy"
    if back >= 1 and tokens[back].kind in ("w", "prep") and tokens[back - 1].kind == "gene":
        return "gene"
    return ""


def _shared_suffix(tokens: list[Token], index: int) -> bool:
    """ "CD19-, CD20- and CD22-targeted": the dash belongs to a word that follows the list."""
    for at in range(index + 1, min(len(tokens), index + 12)):
        token = tokens[at]
        if token.kind == "therapy" and token.text.startswith(
            ("target", "direct", "gericht", "dirig", "diret")
        ):
            return True
        if token.kind not in ("m", "and") and token.text not in (",", "/"):
            return False
    return False
