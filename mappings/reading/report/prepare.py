"""Settles what single tokens mean in their sentence: cells, references, printed choices, old names, answers."""

from __future__ import annotations

from mappings.reading.report.story import CHOICE
from mappings.reading.report.tokens import Token
from mappings.reading.report.values import COMPARING
from mappings.reading.report.words import Words


def name_cells(tokens: list[Token], large: bool, small_disease: bool) -> None:
    """A bare "B cells" takes its meaning from the words before it: clonal, large, kappa; else it stays open."""
    for index, token in enumerate(tokens):
        if token.kind not in ("cells", "small"):
            continue
        if token.kind == "small":
            if index + 1 < len(tokens) and tokens[index + 1].kind == "beside":
                large = True
            token.kind = "mal" if small_disease and not large else "norm"
            around = {t.kind for t in tokens[max(0, index - 3) : index]}
            behind = {t.text for t in tokens[index + 1 : index + 7]}
            if behind & {"polytypic", "polyclonal", "reactive", "edge", "rim"} or {
                t.text for t in tokens[max(0, index - 2) : index]
            } & {"few", "rare", "scattered", "residual", "occasional"}:
                token.kind = "norm"
            elif "mal" in around:
                token.kind = "mal"
            continue
        for before in reversed(tokens[max(0, index - 4) : index]):
            if before.kind in ("mal", "norm"):
                token.kind = before.kind
                break
            if before.text in ("large", "kappa", "lambda", "κ", "λ", "grosse", "große", "grandes"):
                token.kind = "mal"
                break
            if before.text in (",", ";", ":") or before.kind in ("m", "prep", "but"):
                break


def mark_references(tokens: list[Token]) -> None:
    """Normal cells that only serve as a yardstick are not the cells looked at."""
    for index, token in enumerate(tokens):
        if token.kind == "mal" and any(t.kind == "beside" for t in tokens[max(0, index - 2) : index]):
            token.kind = "w"
    measured = any(t.kind in ("mfi", "isotype") or t.text in ("median", "mean", "ratio") for t in tokens)
    for index, token in enumerate(tokens):
        if token.kind not in ("norm", "cells"):
            continue
        near = tokens[max(0, index - 4) : index]
        cut = max((i for i, t in enumerate(near) if t.kind == "m" or t.text in (",", ";")), default=-1)
        near = near[cut + 1 :]
        compared = any(
            t.kind == "compare"
            or (t.kind in ("low", "pos", "neg") and t.text.rsplit(" ", 1)[-1] in COMPARING)
            for t in near
        )
        beside = any(t.kind == "num" for t in tokens[index + 1 : index + 2] + near[-1:])
        if compared or (measured and beside):
            token.kind = "ref"


def apply_legend(tokens: list[Token], legend: dict[str, str]) -> None:
    """A lone sign of the printed key in the row of a marker takes the meaning that the key gives."""
    for index, token in enumerate(tokens):
        if token.kind != "m" or token.sign:
            continue
        deep = 0
        for following in tokens[index + 1 : index + 9]:
            deep += following.text == "("
            deep -= following.text == ")"
            if following.kind == "m" or following.text in (",", ";"):
                break
            if (
                not deep
                and following.text in legend
                and following.kind in ("w", "and", "num", "v", "prep", "negator")
            ):
                following.kind, following.val = "v", legend[following.text]
                break


def keep_choices(tokens: list[Token]) -> None:
    """Of printed choices only the marked one counts; none marked is a missing result (narrative rule 12)."""
    kinds = {t.kind for t in tokens}
    if "box" in kinds:
        _boxes(tokens)
    start = 0
    while start < len(tokens):
        if tokens[start].kind != "m":
            start += 1
            continue
        stop = next((i for i in range(start + 1, len(tokens)) if tokens[i].kind == "m"), len(tokens))
        part = tokens[start + 1 : stop]
        options = [
            t
            for i, t in enumerate(part)
            if t.kind in CHOICE
            and (
                (part[i + 1 : i + 2] and part[i + 1].text == "/")
                or (i and part[i - 1].text == "/")
                or "circle" in kinds
            )
        ]
        graded = {t.kind for t in options} in ({"low", "neg"}, {"low", "pos"}) and "circle" not in kinds
        if (
            not graded
            and len({t.kind for t in options}) >= 2
            and (sum(t.text == "/" for t in part) >= len(options) - 1)
        ):
            marked = [
                t
                for i, t in enumerate(part)
                if (t in options and i and part[i - 1].kind == "circle")
                or (t in options and "*" in [p.text for p in part[max(0, i - 1) : i]])
            ]
            for token in options:
                if token not in marked:
                    token.kind = "w"
            if not marked:
                options[0].kind = "mask"
        start = stop


def take_answers(tokens: list[Token], words: Words) -> None:
    """A question answered on the same line: "Does the tumour express CD19? No"."""
    if tokens[0].text not in words.question_openers:
        return
    at = next((i for i, t in enumerate(tokens) if t.text == "?" or (t.sign == "unk" and t.kind == "m")), -1)
    reply = tokens[at + 1] if 0 <= at < len(tokens) - 1 else None
    if reply is None or reply.text not in words.yes | words.no:
        return
    lacking = any(t.kind in ("op_neg", "neg") for t in tokens[: at + 1])
    for token in tokens[: at + 1]:
        if token.kind in ("op_neg", "neg", "op_pos", "pos", "wpos", "hedge", "negator", "verbpos"):
            token.kind = "w"
        token.sign = "" if token.sign == "unk" else token.sign
    reply.kind = "pos" if (reply.text in words.yes) != lacking else "neg"


def _boxes(tokens: list[Token]) -> None:
    places = [i for i, t in enumerate(tokens) if t.kind == "box"]
    first = places[0]
    lead = next((i for i in range(first, -1, -1) if tokens[i].kind == "m"), -1)
    trailing = lead >= 0 and any(t.kind in CHOICE for t in tokens[lead:first])
    for number, place in enumerate(places):
        begin = places[number - 1] if number else max(lead, 0)
        span = (
            range(begin + 1, place)
            if trailing
            else range(place + 1, places[number + 1] if number + 1 < len(places) else len(tokens))
        )
        for at in span:
            if tokens[at].kind == "m":
                if not tokens[place].val:
                    # a box before a bare marker is the choice of that marker; left empty it has no result
                    alone = not trailing and lead < first and not any(tokens[i].kind in CHOICE for i in span)
                    tokens[at].sign = "unk" if alone and lead < 0 else ""
                continue
            if not tokens[place].val and tokens[at].kind in CHOICE:
                tokens[at].kind = "w"
    if not any(tokens[p].val for p in places):
        tokens[first].kind = "mask"


def settle_old_names(tokens: list[Token], words: Words) -> None:
    """Old names such as B1 count only beside a result and away from block numbers (narrative rule 11)."""
    seen = False
    for index, token in enumerate(tokens):
        seen = any(t.text in words.not_before for t in tokens[max(0, index - 3) : index])
        if token.sub != "maybe" or token.kind != "m":
            continue
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        stated = bool(token.sign) or (
            following is not None
            and (following.kind in CHOICE or following.kind in ("m", "and") or following.text in ("(", ","))
        )
        if seen or not stated:
            token.kind, token.val = "w", ""


def settle_verbs(tokens: list[Token], dropped: set[int]) -> None:
    """Verbs that state a result only by their object, and "with" before a marker."""
    for index, token in enumerate(tokens):
        if token.kind == "low" and token.text.startswith("variab"):
            ahead = tokens[index + 1 : index + 4]
            if any(t.kind == "pos" and t.text in ("moderate to bright", "moderate to strong") for t in ahead):
                token.kind = "w"
        if token.kind == "verbpos" or token.text in ("stain", "stains"):
            following = [t.kind for t in tokens[index + 1 : index + 5]]
            preceding = [t.kind for t in tokens[max(0, index - 2) : index]]
            token.kind = (
                "pos"
                if {"mal", "dx"} & {*following, *preceding} and "norm" not in following
                else token.kind.replace("verbpos", "w")
            )
        elif token.text in ("with", "mit", "avec", "con") and token.kind == "w":
            after = index + 1
            while after < len(tokens) and tokens[after].kind in ("pos", "low") and after <= index + 2:
                after += 1
            if after < len(tokens) and tokens[after].kind == "m" and after not in dropped:
                named = {t.kind for t in tokens[:index]}
                token.kind = (
                    "wpos"
                    if named & {"mal", "norm", "cells", "dx"} and not named & {"pending", "therapy"}
                    else "w"
                )
        elif token.text == "large" and any(
            t.kind == "m" and t.text in ("kappa", "lambda", "κ", "λ") for t in tokens[index + 1 : index + 4]
        ):
            token.kind = "mal"
        elif (
            token.kind == "w"
            and token.text in ("t", "nk")
            and index + 1 < len(tokens)
            and tokens[index + 1].kind == "pct"
        ):
            token.kind = "norm"
