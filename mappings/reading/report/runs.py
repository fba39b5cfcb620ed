"""Runs of markers and the gaps between them, and where in a gap one run ends and the next begins."""

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


FLIP = {"pos": "neg", "neg": "pos", "low": "unk", "unk": "unk"}


LOSS = ("lo", "perd", "pert", "pérd", "verl", "absen", "lack", "mangel", "sin")


_JOINS = (",", "/", "&", "(", ")", "+", ":", "|", "=")


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
class Gap:
    tokens: list[tuple[int, Token]]
    split: int = 0


def cut_runs(tokens: list[Token], left_out: set[int]) -> tuple[list[list[Pair]], list[Gap]]:
    runs: list[list[Pair]] = []
    gaps: list[Gap] = [Gap([])]
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
            gaps[-1] = Gap([])
        else:
            pair.linked = False
            runs.append([pair])
            gaps.append(Gap([]))
            gaps[-1], gaps[-2] = Gap([]), gaps[-2]
        if len(gaps) == len(runs):
            gaps.append(Gap([]))
        joined, only_joins = False, True
    return runs, gaps


def is_value(token: Token) -> bool:
    return token.kind in VALUES or token.kind == "v"


def prefix_style(runs: list[list[Pair]], gaps: list[Gap]) -> bool:
    first = any(is_value(t) for _, t in gaps[0].tokens[-3:])
    return first and not any(is_value(t) for _, t in gaps[len(runs)].tokens[:4])


def split_gap(gap: Gap, place: int, count: int, styled_prefix: bool, operated: bool) -> None:
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
            if token.kind in ("op_neg", "op_pos") and rest and rest[0][1].kind in OPERATORS:
                continue  # "CD19 negative with loss of CD22": the first speaks back
            if token.kind == "negator" and any(
                is_value(t) or t.kind in ("pct", "compare") for _, t in rest[:3]
            ):
                continue
            if token.kind == "wpos" and (
                any(t.text in (",", ";") or t.kind == "but" for _, t in rest)
                or (rest and is_value(rest[0][1]) and not _adjacent(rest))
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
        if (any(is_value(t) for _, t in rest) and _adjacent(rest)) or (
            rest and not any(is_value(t) or t.kind == "pct" for _, t in rest)
        ):
            gap.split = at + 1
        return
    if any(t.text == "(" for _, t in tokens[-1:]):
        return
    values = [at for at, (_, t) in enumerate(tokens) if is_value(t)]
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
        if is_value(token):
            seen, after = True, 0
        elif seen:
            after += (
                0
                if token.text in (":", "for", "(", "|")
                or token.kind in ("prep", "intensity_word", "surface", "dots", *POPULATIONS)
                else 1
            )
    return seen and after <= 2
