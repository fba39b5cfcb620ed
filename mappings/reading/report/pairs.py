"""Which value belongs to which marker inside one sentence: runs of markers, and the gaps between them."""

from __future__ import annotations

from mappings.reading.report.runs import (
    FLIP,
    OPERATORS,
    Gap,
    Pair,
    Value,
    cut_runs,
    is_value,
    prefix_style,
    split_gap,
)
from mappings.reading.report.tokens import Token
from mappings.reading.report.values import prefix_of, suffix_of

_HARD = (";", "but")


_NOUNS = frozenset(
    (
        "cells",
        "left",
        "at",
        "to",
        "seen",
        "was",
        "is",
        "can",
        "could",
        "be",
        "found",
        "any",
        "there",
        "whatsoever",
    )
)


_RESPECTIVE = frozenset(
    ("respectively", "respektive", "respectivement", "rispettivamente", "respectivamente", "jeweils")
)


INTENSITY = (
    "bright",
    "strong",
    "moderate",
    "intermediate",
    "high",
    "dim",
    "weak",
    "faint",
    "low",
    "stark",
    "fort",
    "intens",
    "schwach",
    "faible",
    "debol",
    "débil",
    "hell",
    "kräftig",
    "mod",
    "increased",
    "partial",
    "part",
    "reduc",
    "decreas",
    "vermindert",
    "heterogen",
    "variable",
    "subset",
    "focal",
    "patchy",
    "dull",
)


def pairs_of(tokens: list[Token], left_out: set[int]) -> list[Pair]:
    """Every marker of a sentence (other markers too) with its values; `left_out` are tokens not to be read."""
    runs, gaps = cut_runs(tokens, left_out)
    if not runs:
        return []
    styled_prefix = prefix_style(runs, gaps)
    operated = False
    for place, gap in enumerate(gaps):
        split_gap(gap, place, len(runs), styled_prefix, operated)
        ahead = [t for _, t in gap.tokens[gap.split :]]
        operated = any(t.kind in OPERATORS for t in ahead) or (
            operated and not any(t.text == ";" or is_value(t) for _, t in gap.tokens)
        )
    carried: list[Value] = []
    last: list[Value] = []
    for place, run in enumerate(runs):
        before, after = gaps[place], gaps[place + 1]
        carried, fresh, excepting, negator = prefix_of(before, carried, place)
        suffix = suffix_of(after)
        if excepting:
            _except(
                run,
                suffix,
                fresh or carried or last,
                _denies(tokens, run[0].index),
            )
        else:
            _assign(run, fresh, carried, suffix, negator, before, last, after)
            _respectively(run, suffix, after)
        _numbers(run, before, after, place > 0 and runs[place - 1][-1].share is not None)
        last = [v for v in suffix if v.state in FLIP] or last
        if any(t.kind in _HARD or t.text == ";" for _, t in after.tokens[: after.split]):
            carried = []
    pairs = [pair for run in runs for pair in run]
    named = {p.token.val for p in pairs if p.excepted and p.token.val}
    for pair in pairs:
        again = not pair.excepted and pair.token.val in named
        if again and (pair.listed or any(v.how == "bracket" for v in pair.values)):
            pair.values, pair.listed = [], False
    for at, pair in enumerate(pairs):
        if pair.excepted and not pair.values and not pair.token.sign:
            other = next((p for p in pairs[at + 1 :] if not p.excepted and p.values), None)
            if other is not None and other.values[0].state in ("pos", "neg"):
                first = other.values[0]
                pair.values.append(Value(FLIP[first.state], first.index, "except", first.pop, "except"))
    return pairs


def _denies(tokens: list[Token], index: int) -> bool:
    """Whether the clause opens with "no": then an exception says the opposite of the opposite."""
    return any(
        t.kind == "negator"
        and t.text.split()[0]
        in ("no", "none", "kein", "keine", "aucun", "aucune", "nessun", "nessuna", "ningún", "ninguna")
        for t in tokens[:index]
    )


def _call(value: Value, token_text: str) -> bool:
    return value.state in ("neg", "unk") or not token_text.startswith(INTENSITY)


def _except(run: list[Pair], suffix: list[Value], said: list[Value], denied: bool) -> None:
    source = [v for v in suffix if v.how == "suffix"] or said
    for pair in run:
        pair.excepted = True
        own = [v for v in suffix if v.how == "suffix"]
        if pair.token.sign:
            continue
        if source and not any(v.state == "unk" for v in own):
            first = source[0] if not own else own[0]
            pair.values.append(
                Value("unk" if denied else FLIP[first.state], first.index, "except", first.pop, "except")
            )


def _assign(
    run: list[Pair],
    fresh: list[Value],
    carried: list[Value],
    suffix: list[Value],
    negator: int,
    before: Gap,
    last: list[Value],
    after: Gap,
) -> None:
    own = [v for v in suffix if v.how == "suffix"]
    unsigned = [p for p in run if not p.token.sign]
    bracket = bool(before.tokens) and before.tokens[-1][1].text == "("
    negated = negator >= 0 and not fresh and run[0].index - negator <= 5
    for pair in run:
        if pair.token.sign:
            pair.values.append(Value(pair.token.sign, pair.index, "sign", "", "sign"))
            pair.void = negated
    if not unsigned:
        if own and run[-1].token.sign:
            run[-1].values += [v for v in own if v.state in ("low", "unk")]
        return
    tail = run[-1] if not run[-1].token.sign else None
    soft = carried[:1] and carried[0].kind == "wpos" and not fresh
    spread = _spread(run, own, bool(carried or fresh) and not soft)
    for pair in unsigned:
        values = own if pair is tail or (tail is not None and pair in spread) else []
        if negated:
            behind = next((t for _, t in after.tokens), None)
            if (
                pair is run[-1]
                and behind is not None
                and behind.kind in ("w", "panel", "ihcm")
                and behind.text.isalpha()
                and not values
                and behind.text not in _NOUNS
            ):
                pair.values.append(Value("unk", negator, "failed", "", "prefix"))
            elif any(v.kind in ("neg", "pos") for v in values):
                pair.values += [Value(FLIP[v.state], v.index, v.kind, v.pop) for v in values]
            else:
                pair.values.append(Value("neg", negator, "negator", "", "prefix"))
                pair.values += [v for v in values if v.state == "unk"]
        elif (
            carried and carried[0].kind == "neither" and values and all(v.state == "pos" for v in values)
        ) or (
            values
            and len(run) == 1
            and carried
            and carried[0].kind == "op_low"
            and carried[0].index >= before.tokens[0][0]
        ):
            pair.values += carried
        elif values and len(run) == 1 and _contradicts(values, carried, before):
            pair.values.append(Value("unk", values[0].index, "openw", values[0].pop))
        elif values:
            pair.values += values
            near = fresh and fresh[-1].state == "low" and run[0].index - fresh[-1].index == 1
            if near and pair is run[0] and all(v.state == "pos" for v in values):
                pair.values.insert(0, fresh[-1])
            if carried and all(v.state == "pos" for v in values) and carried[0].state == "low":
                pair.values.insert(0, carried[0])
        elif fresh and (pair is run[0] or _reaches(run, pair, fresh, carried)):
            pair.values += fresh
        elif carried:
            pair.values += carried
        elif bracket and last:
            pair.values += [Value(v.state, v.index, v.kind, v.pop, "bracket") for v in last]
        else:
            pair.listed = True
        if pair is tail or pair in spread:
            pair.values += [v for v in suffix if v.how == "later"]


def _contradicts(values: list[Value], carried: list[Value], before: Gap) -> bool:
    """An operator right before the one marker and a word after it that says the opposite."""
    own = [
        v for v in carried if v.kind in ("op_neg", "op_pos") and any(v.index == i for i, _ in before.tokens)
    ]
    return bool(own) and {own[0].state, values[0].state} == {"pos", "neg"}


def _respectively(run: list[Pair], suffix: list[Value], after: Gap) -> None:
    own = [v for v in suffix if v.how == "suffix"]
    if len(run) > 1 and len(own) == len(run) and any(t.text in _RESPECTIVE for _, t in after.tokens):
        for pair, value in zip(run, own, strict=True):
            pair.values, pair.listed = [value], False


def _spread(run: list[Pair], own: list[Value], prefixed: bool) -> list[Pair]:
    """The markers before the last one that share its suffix: whole lists for calls, linked ones for intensities."""
    if not own:
        return []
    out: list[Pair] = []
    first = own[0]
    whole = first.state in ("neg", "unk") or first.kind == "pos"
    for at in range(len(run) - 1, 0, -1):
        if run[at - 1].token.sign:
            break
        if not run[at].linked and (prefixed or not (whole or out)):
            break
        out.append(run[at - 1])
    return out


def _reaches(run: list[Pair], pair: Pair, fresh: list[Value], carried: list[Value]) -> bool:
    """Whether an adjective before a list bears on a later member of it."""
    calls = [v for v in fresh if v.kind in ("neg", "pos", "pending", "failed", "nolow")]
    if calls and not carried:
        return True
    if carried:
        return False
    return pair.linked or any(p.linked for p in run)


def _numbers(run: list[Pair], before: Gap, after: Gap, listed: bool) -> None:
    pair = run[-1]
    share = _share(before)
    if share is None and listed and before.tokens and before.tokens[-1][1].kind == "pct":
        share = before.tokens[-1][1]
    for at, (index, token) in enumerate(after.tokens[: after.split]):
        if token.kind == "pct" and share is not None and at == len(after.tokens) - 1:
            break
        if (
            token.text in (";",)
            or token.kind in ("but", "norm", "count")
            or (token.text == "," and pair.percent)
        ):
            break
        if (
            token.kind == "mal"
            and pair.percent is None
            and not any(t.kind == "prep" for _, t in after.tokens[:at])
        ):
            break
        following = [t for _, t in after.tokens[at + 1 : at + 6]]
        if (
            pair.token.sign
            and not pair.percent
            and (token.text in ("cells", "events") or token.kind in ("cells", "small"))
        ):
            break
        if (
            token.kind == "pct"
            and following
            and (following[0].kind == "whole" or following[0].kind in OPERATORS)
        ):
            continue
        if (
            token.kind == "pct"
            and following[:1]
            and following[0].kind == "prep"
            and any(t.kind in OPERATORS for t in following)
        ):
            continue
        if token.kind == "pct" and pair.percent is None:
            pair.percent, pair.percent_index = token, index
        elif token.kind == "num" and pair.number is None:
            pair.number = token
    for earlier in reversed(run[:-1]):
        if not pair.linked or earlier.token.sign or pair.percent is None:
            break
        earlier.percent, earlier.percent_index = pair.percent, pair.percent_index
        pair = earlier
    if share is not None:
        for each in run:
            each.share = share


def _share(gap: Gap) -> Token | None:
    tokens = gap.tokens
    found: Token | None = None
    for at, (_, token) in enumerate(tokens):
        if token.kind == "pct":
            near = [t.kind for _, t in tokens[at + 1 : at + 5]]
            behind = [t.kind for _, t in tokens[max(0, at - 3) : at]]
            if (at >= gap.split and near[:1] == ["prep"] and "mal" in near) or (
                near[:1] and near[0] in OPERATORS and (behind[-1:] != ["mal"] or "prep" in behind)
            ):
                found = token
    return found
