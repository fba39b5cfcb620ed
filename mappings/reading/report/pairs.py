"""Which value belongs to which marker inside one sentence: runs of markers, and the gaps between them."""

from __future__ import annotations

from dataclasses import dataclass, field

from mappings.reading.report.tokens import Token

VALUES = {
    "pos": "pos",
    "neg": "neg",
    "low": "low",
    "pending": "unk",
    "failed": "unk",
    "nolow": "pos",
    "mask": "unk",
    "openw": "unk",
}
OPERATORS = {"op_pos": "pos", "wpos": "pos", "op_neg": "neg", "op_low": "low"}
POPULATIONS = ("mal", "norm", "dx")
_FLIP = {"pos": "neg", "neg": "pos", "low": "unk", "unk": "unk"}
_LOSS = ("lo", "perd", "pert", "pérd", "verl", "absen", "lack", "mangel", "sin")
_NEITHER = frozenset(("none of", "neither", "nor", "weder", "noch", "ni", "né"))
_HARD = (";", "but")
COMPARING = frozenset(("than", "as", "below", "like", "on", "of", "with", "to"))
_STATED = frozenset(("expression", "membrane", "reactivity", "signal", ",", ";", ".", ")", "any", "färbung"))
_PLAIN = frozenset(
    (
        "also",
        "both",
        "antigens",
        "antigen",
        "marker",
        "markers",
        "well",
        "surface",
        "only",
        "clone",
        "additionally",
        "cells",
    )
)
_SHOWN = frozenset(
    (
        "reactivity",
        "staining",
        "expression",
        "signal",
        "labelling",
        "labeling",
        "positivity",
        "immunoreactivity",
    )
)
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
_JOINS = (",", "/", "&", "(", ")", "+", ":", "|", "=")
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


@dataclass(slots=True)
class Value:
    """One value token as it bears on a marker: the state, where it stands, and on which cells."""

    state: str
    index: int
    kind: str
    pop: str = ""
    how: str = "suffix"


@dataclass(slots=True)
class Pair:
    """One marker with everything said of it in its sentence; indexes are token indexes."""

    index: int
    token: Token
    values: list[Value] = field(default_factory=list)
    listed: bool = False
    void: bool = False
    excepted: bool = False
    percent: Token | None = None
    percent_index: int = -1
    number: Token | None = None
    share: Token | None = None
    linked: bool = False


@dataclass(slots=True)
class _Gap:
    tokens: list[tuple[int, Token]]
    split: int = 0


def pairs_of(tokens: list[Token], left_out: set[int]) -> list[Pair]:
    """Every marker of a sentence (other markers too) with its values; `left_out` are tokens not to be read."""
    runs, gaps = _cut(tokens, left_out)
    if not runs:
        return []
    styled_prefix = _prefix_style(runs, gaps)
    operated = False
    for place, gap in enumerate(gaps):
        _split(gap, place, len(runs), styled_prefix, operated)
        ahead = [t for _, t in gap.tokens[gap.split :]]
        operated = any(t.kind in OPERATORS for t in ahead) or (
            operated and not any(t.text == ";" or _is_value(t) for _, t in gap.tokens)
        )
    carried: list[Value] = []
    last: list[Value] = []
    for place, run in enumerate(runs):
        before, after = gaps[place], gaps[place + 1]
        carried, fresh, excepting, negator = _prefix(before, carried, place)
        suffix = _suffix(after)
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
        last = [v for v in suffix if v.state in _FLIP] or last
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
                pair.values.append(Value(_FLIP[first.state], first.index, "except", first.pop, "except"))
    return pairs


def _denies(tokens: list[Token], index: int) -> bool:
    """Whether the clause opens with "no": then an exception says the opposite of the opposite."""
    return any(
        t.kind == "negator"
        and t.text.split()[0]
        in ("no", "none", "kein", "keine", "aucun", "aucune", "nessun", "nessuna", "ningún", "ninguna")
        for t in tokens[:index]
    )


def _cut(tokens: list[Token], left_out: set[int]) -> tuple[list[list[Pair]], list[_Gap]]:
    runs: list[list[Pair]] = []
    gaps: list[_Gap] = [_Gap([])]
    joined, only_joins = False, True
    for index, token in enumerate(tokens):
        if index in left_out:
            continue
        if token.kind != "m":
            gaps[-1].tokens.append((index, token))
            connects = token.kind in ("and", "dots") or token.text in _JOINS[:6]
            only_joins = only_joins and connects
            joined = joined or token.kind == "and" or token.text == "/"
            continue
        pair = Pair(index, token, linked=joined)
        if runs and only_joins and not any(t.text == "(" for _, t in gaps[-1].tokens):
            runs[-1].append(pair)
            gaps[-1] = _Gap([])
        else:
            pair.linked = False
            runs.append([pair])
            gaps.append(_Gap([]))
            gaps[-1], gaps[-2] = _Gap([]), gaps[-2]
        if len(gaps) == len(runs):
            gaps.append(_Gap([]))
        joined, only_joins = False, True
    return runs, gaps


def _is_value(token: Token) -> bool:
    return token.kind in VALUES or token.kind == "v"


def _prefix_style(runs: list[list[Pair]], gaps: list[_Gap]) -> bool:
    first = any(_is_value(t) for _, t in gaps[0].tokens[-3:])
    return first and not any(_is_value(t) for _, t in gaps[len(runs)].tokens[:4])


def _split(gap: _Gap, place: int, count: int, styled_prefix: bool, operated: bool) -> None:
    tokens = gap.tokens
    if place == 0:
        gap.split = 0
        return
    gap.split = len(tokens)
    if place == count:
        return
    for at, (_, token) in enumerate(tokens):
        if token.kind in OPERATORS or token.kind in ("except", "negator"):
            rest = tokens[at + 1 :]
            if token.kind == "negator" and any(
                _is_value(t) or t.kind in ("pct", "compare") for _, t in rest[:3]
            ):
                continue
            if token.kind == "wpos" and (
                any(t.text in (",", ";") or t.kind == "but" for _, t in rest)
                or (rest and _is_value(rest[0][1]) and not _adjacent(rest))
            ):
                continue
            gap.split = at
            return
    separators = [
        at
        for at, (_, t) in enumerate(tokens)
        if t.text in (",", ";", ")", "with", "mit", "avec", "con") or t.kind in ("but", "and")
    ]
    if separators:
        at = separators[-1]
        rest = tokens[at + 1 :]
        if (any(_is_value(t) for _, t in rest) and _adjacent(rest)) or (
            rest and not any(_is_value(t) or t.kind == "pct" for _, t in rest)
        ):
            gap.split = at + 1
        return
    if any(t.text == "(" for _, t in tokens[-1:]):
        return
    values = [at for at, (_, t) in enumerate(tokens) if _is_value(t)]
    if values and (styled_prefix or (operated and _adjacent(tokens))):
        gap.split = values[0]
    elif (
        len(values) > 1
        and values[-1] == len(tokens) - 1
        and tokens[values[-1]][1].kind in ("pos", "neg")
        and place < count
    ):
        gap.split = len(tokens)


def _adjacent(rest: list[tuple[int, Token]]) -> bool:
    seen, after = False, 0
    for _, token in rest:
        if _is_value(token):
            seen, after = True, 0
        elif seen:
            after += (
                0
                if token.text in (":", "for", "(", "|")
                or token.kind in ("prep", "intensity_word", "surface", "dots", *POPULATIONS)
                else 1
            )
    return seen and after <= 2


def _prefix(gap: _Gap, carried: list[Value], place: int) -> tuple[list[Value], list[Value], bool, int]:
    """The values that stand before a run: (carried operator, adjectives just before, exception?, negator index)."""
    fresh: list[Value] = []
    excepting, negator, pop = False, -1, ""
    strange = [
        t
        for _, t in gap.tokens
        if t.kind == "w" and len(t.text) > 3 and t.text.isalpha() and t.text not in _PLAIN
    ]
    if place and len(strange) >= 2 and not any(t.text == "(" for _, t in gap.tokens):
        carried = []
    for _at, (index, token) in enumerate(gap.tokens[gap.split :]):
        kind = token.kind
        if kind in ("but",) or token.text == ";":
            if not excepting:
                carried, fresh = [], []
        elif kind == "except":
            excepting = True
        elif kind in OPERATORS:
            state = OPERATORS[kind]
            if negator >= 0 and index - negator <= 3:
                state, negator = _FLIP[state], -1
            if carried and carried[0].kind == "neither" and kind in ("op_pos", "wpos"):
                continue
            if _denied_before(carried, gap, index) and state == "pos":
                continue
            low = [v for v in fresh if v.state == "low" and index - v.index <= 2 and state == "pos"]
            carried = [
                Value(
                    "low" if low else state,
                    index,
                    "neither" if token.text in _NEITHER else kind,
                    pop,
                    "operator",
                )
            ]
            fresh = []
        elif _is_value(token):
            state = token.val or VALUES[kind]
            if negator >= 0 and index - negator <= 3:
                state, negator = _FLIP[state], -1
            fresh.append(Value(state, index, kind, pop, "prefix"))
        elif kind == "negator":
            negator = index
        elif kind in POPULATIONS:
            pop = kind
        if kind in ("compare", "pct", "num") or token.text in (",", ";"):
            negator = -1
    return carried, fresh, excepting, negator


def _denied_before(carried: list[Value], gap: _Gap, index: int) -> bool:
    """Whether a denial stands just before this operator: "without surface expression of"."""
    own = bool(carried) and carried[0].state == "neg" and carried[0].index >= gap.tokens[0][0]
    return own and index - carried[0].index <= 3


def _suffix(gap: _Gap) -> list[Value]:
    out: list[Value] = []
    pop, negator, hard = "", -1, False
    tokens = gap.tokens[: gap.split]
    strange = loose_clause = False
    for at, (index, token) in enumerate(tokens):
        kind = token.kind
        if token.text == ",":
            ahead = tokens[at + 1][1] if at + 1 < len(tokens) else None
            strange = (
                ahead is not None
                and ahead.kind == "w"
                and len(ahead.text) > 2
                and any(_is_value(t) for _, t in tokens[at + 2 : at + 4])
                and not any(t.text == "," for _, t in tokens[at + 1 : at + 4])
            )
        if (
            strange
            and _is_value(token)
            and out
            and {out[0].state, token.val or VALUES.get(kind)} == {"pos", "neg"}
        ):
            continue
        if kind == "instead":
            break
        if kind == "compare":
            pop = "compare"
        elif kind in POPULATIONS:
            if pop == "compare":
                pop = ""
            elif kind != "dx" or not pop:
                pop = kind
            if hard is None:
                hard = False
        elif token.text == ";" or kind == "but":
            hard = True
            loose_clause = token.text == ";"
            pop = "" if pop == "compare" else pop
        elif kind == "negator":
            negator = index
        elif _is_value(token) or kind in ("op_neg", "op_low", "op_pos"):
            state = token.val or VALUES.get(kind) or OPERATORS[kind]
            close = [t for _, t in tokens[at + 1 : at + 3]]
            stated = (
                not close
                or close[0].kind in ("intensity_word", "prep", "surface")
                or close[0].text in _STATED
            )
            stated = stated or (token.text == "none of" and any(t.kind == "mal" for t in close))
            if kind == "op_pos" or (kind in ("op_neg", "op_low") and not stated):
                continue
            if negator >= 0 and index - negator <= 3:
                state = "unk" if state == "neg" and not token.text.startswith(_LOSS) else _FLIP[state]
                negator = -1
            following = tokens[at + 1 : at + 5]
            comparing = token.text.rsplit(" ", 1)[-1] in COMPARING
            own = "" if comparing else _pop_after(following)
            if hard and loose_clause and not (own or pop) and state in ("pos", "neg"):
                continue
            if comparing:
                out.append(
                    Value(state, index, kind, "" if pop == "compare" else pop, "later" if hard else "suffix")
                )
                pop = "compare"
                continue
            own = own or ("" if pop == "compare" else pop)
            out.append(Value(state, index, kind, own, "later" if hard else "suffix"))
    loose = [i for i, t in tokens if t.kind == "negator"]
    if loose and not out and not any(t.kind in ("pct", "compare", "m") for _, t in tokens):
        ahead = next((t for i, t in tokens if i == loose[0] + 1), None)
        denied = ahead is not None and ahead.text in _SHOWN
        out.append(Value("neg" if denied else "unk", loose[0], "neg" if denied else "failed", "", "suffix"))
    return out


def _pop_after(tokens: list[tuple[int, Token]]) -> str:
    prep = False
    for at, (_, token) in enumerate(tokens):
        if token.kind in POPULATIONS:
            return token.kind if prep or at == 0 else ""
        if token.kind == "prep":
            prep = True
        elif (
            token.kind == "compare"
            or token.text in (",", ";", ":")
            or token.kind in ("but", "m")
            or _is_value(token)
        ):
            return ""
    return ""


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
                Value("unk" if denied else _FLIP[first.state], first.index, "except", first.pop, "except")
            )


def _assign(
    run: list[Pair],
    fresh: list[Value],
    carried: list[Value],
    suffix: list[Value],
    negator: int,
    before: _Gap,
    last: list[Value],
    after: _Gap,
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
                pair.values += [Value(_FLIP[v.state], v.index, v.kind, v.pop) for v in values]
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


def _contradicts(values: list[Value], carried: list[Value], before: _Gap) -> bool:
    """An operator right before the one marker and a word after it that says the opposite."""
    own = [
        v for v in carried if v.kind in ("op_neg", "op_pos") and any(v.index == i for i, _ in before.tokens)
    ]
    return bool(own) and {own[0].state, values[0].state} == {"pos", "neg"}


def _respectively(run: list[Pair], suffix: list[Value], after: _Gap) -> None:
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


def _numbers(run: list[Pair], before: _Gap, after: _Gap, listed: bool) -> None:
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


def _share(gap: _Gap) -> Token | None:
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
