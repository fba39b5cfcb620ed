"""The values that stand before and behind a run of markers, and the cells each speaks of."""

from __future__ import annotations

from mappings.reading.report.runs import FLIP, LOSS, OPERATORS, POPULATIONS, VALUES, Gap, Value, is_value
from mappings.reading.report.tokens import Token

_NEITHER = frozenset(("none of", "neither", "nor", "weder", "noch", "ni", "né"))


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


_YARDSTICK = frozenset(("ref", "reference", "referenz", "référence", "riferimento", "referencia"))


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


def prefix_of(gap: Gap, carried: list[Value], place: int) -> tuple[list[Value], list[Value], bool, int]:
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
    for at, (index, token) in enumerate(gap.tokens[gap.split :]):
        kind = token.kind
        if kind in ("but",) or token.text == ";":
            if not excepting:
                carried, fresh = [], []
        elif kind == "except":
            # "in contrast to T cells, lymphoma cells express": cells are set apart, not the marker
            excepting = not any(
                t.text == "," or t.kind in (*POPULATIONS, "cells", "ref")
                for _, t in gap.tokens[gap.split + at + 1 :]
            )
        elif kind in OPERATORS:
            state = OPERATORS[kind]
            if negator >= 0 and index - negator <= 3:
                state, negator = FLIP[state], -1
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
        elif is_value(token):
            state = token.val or VALUES[kind]
            if negator >= 0 and index - negator <= 3:
                state, negator = FLIP[state], -1
            fresh.append(Value(state, index, kind, pop, "prefix"))
        elif kind == "negator":
            negator = index
        elif kind in POPULATIONS:
            pop = kind
        if kind in ("compare", "pct", "num") or token.text in (",", ";"):
            negator = -1
    return carried, fresh, excepting, negator


def _denied_before(carried: list[Value], gap: Gap, index: int) -> bool:
    """Whether a denial stands just before this operator: "without surface expression of"."""
    own = bool(carried) and carried[0].state == "neg" and carried[0].index >= gap.tokens[0][0]
    return own and index - carried[0].index <= 3


def suffix_of(gap: Gap) -> list[Value]:
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
                and any(is_value(t) for _, t in tokens[at + 2 : at + 4])
                and not any(t.text == "," for _, t in tokens[at + 1 : at + 4])
            )
        if (
            strange
            and is_value(token)
            and out
            and {out[0].state, token.val or VALUES.get(kind)} == {"pos", "neg"}
        ):
            continue
        if kind == "instead" or (out and token.text in _YARDSTICK):
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
        elif is_value(token) or kind in ("op_neg", "op_low", "op_pos"):
            state = token.val or VALUES.get(kind) or OPERATORS[kind]
            close = [t for _, t in tokens[at + 1 : at + 3]]
            stated = (
                not close
                or close[0].kind in ("intensity_word", "prep", "surface", "op_neg", "op_low")
                or close[0].text in _STATED
            )
            stated = stated or (token.text == "none of" and any(t.kind == "mal" for t in close))
            if kind == "op_pos" or (kind in ("op_neg", "op_low") and not stated):
                continue
            if negator >= 0 and index - negator <= 3:
                state = "unk" if state == "neg" and not token.text.startswith(LOSS) else FLIP[state]
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
            or is_value(token)
        ):
            return ""
    return ""
