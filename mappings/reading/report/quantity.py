"""Numbers that stand for a state: H-score, fluorescence with a reference, printed scales (rules 11.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mappings.reading.report.tokens import Token, number
from mappings.reading.report.words import Policy, Words

_NUM = r"\d{1,3}(?:[., ]\d{3})+(?!\d)|\d+(?:[.,]\d+)?"
_STEP = re.compile(
    rf"(?:(?P<cmp>[<>]=?|under|over|below|above|up to|from|unter|über|bis|ab)[ ]?)?(?P<a>{_NUM})"
    rf"(?:[ ]?(?:-|–|to|bis|à)[ ]?(?P<b>{_NUM}))?[ ]?(?:%|\+)?[ ]?(?P<more>and (?:more|over|above)"
    rf"|or more|u\. mehr)?[ ]?[=:]?[ ]?(?P<word>[^\W\d_][^,;.\n()\d<>]{{1,30}})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a printed scale: from, to, and the state it stands for."""

    low: float
    high: float
    state: str


@dataclass(frozen=True, slots=True)
class Numbered:
    """A state that rests on a number, or none with a reason."""

    state: str
    kind: str
    text: str
    end: int
    band: bool = True


def scale_of(text: str, words: Words) -> tuple[Step, ...]:
    """The scale that a report prints for its own numbers (narrative rule 7)."""
    from mappings.reading.report.layout import meaning_value

    for line in text.split("\n"):
        lowered = line.lower()
        if not any(
            h in lowered
            for h in (
                "scale",
                "grade",
                "grading",
                "score",
                "cut",
                "skala",
                "échelle",
                "scala",
                "escala",
                "interpret",
                "key",
                "reference",
            )
        ):
            continue
        steps = []
        for match in _STEP.finditer(lowered):
            state = meaning_value(match.group("word").strip(), words)
            if state in ("pos", "neg", "low"):
                steps.append(_step(match, state))
        if len(steps) >= 2 and len({s.state for s in steps}) >= 2:
            return tuple(steps)
    return ()


def _step(match: re.Match[str], state: str) -> Step:
    first = number(match.group("a").replace(" ", ","))
    compare = (match.group("cmp") or "").strip()
    if match.group("b"):
        return Step(first, number(match.group("b").replace(" ", ",")), state)
    if compare.startswith(("<", "under", "below", "up", "unter", "bis")):
        return Step(float("-inf"), first, state)
    if compare or match.group("more"):
        return Step(first, float("inf"), state)
    return Step(first, first, state)


def on_scale(value: float, scale: tuple[Step, ...]) -> str:
    """The state of a value on a printed scale; empty when no step holds it."""
    for step in scale:
        if step.low <= value <= step.high:
            return step.state
    return ""


def band(low: float, high: float, positive: float, part: float) -> str:
    """The state of a share or range by the two limits (rules 11.1)."""
    if low >= positive:
        return "pos"
    return "neg" if high < part else "low"


def quantity(
    tokens: list[Token], index: int, policy: Policy, scale: tuple[Step, ...], hscore_text: bool
) -> Numbered | None:
    """What the number behind a marker stands for, where the text gives it a meaning."""
    stop = next((i for i in range(index + 1, len(tokens)) if tokens[i].kind == "m"), len(tokens))
    segment = tokens[index + 1 : stop]
    first_marker = next(i for i, t in enumerate(tokens) if t.kind == "m")
    lead = tokens[:first_marker]
    plain = [t for t in segment if t.kind == "num"]
    if not plain:
        return None
    if any(t.kind == "hscore" for t in segment) or any(t.kind == "hscore" for t in lead) or hscore_text:
        value = number(plain[0].text)
        if value <= 300:
            return Numbered(
                band(value, value, policy.h_score_positive, policy.h_score_low),
                "hscore",
                plain[0].text,
                plain[0].end,
            )
    if (
        any(t.text.startswith(("grade", "score", "intensity")) for t in [*segment[:2], *lead]) and scale
    ) or scale:
        state = on_scale(_grouped(segment)[0][0], scale)
        if state:
            return Numbered(state, "scale", plain[0].text, plain[0].end, band=False)
    if any(t.kind in ("mfi", "isotype") or t.text in ("median", "mean", "ratio") for t in [*segment, *lead]):
        return _fluorescence(segment, lead, policy)
    return None


def _grouped(segment: list[Token]) -> list[tuple[float, int, int]]:
    out: list[tuple[float, int, int]] = []
    for at, token in enumerate(segment):
        if token.kind != "num":
            continue
        before = segment[at - 1] if at else None
        if (
            before is not None
            and before.kind == "num"
            and token.start == before.end + 1
            and len(token.text) == 3
            and out
        ):
            out[-1] = (out[-1][0] * 1000 + float(token.text), out[-1][1], token.end)
        else:
            out.append((number(token.text), at, token.end))
    return out


def _label(segment: list[Token], at: int) -> str:
    for token in reversed(segment[max(0, at - 4) : at]):
        if token.kind == "num" or token.text in (",", ";"):
            break
        if token.kind in ("isotype", "norm", "ref"):
            return "isotype" if token.kind == "isotype" else "norm"
    for token in segment[at + 1 : at + 5]:
        if token.kind == "num" or token.text in (",", ";", ")", "("):
            break
        if token.kind in ("isotype", "norm", "ref"):
            return "isotype" if token.kind == "isotype" else "norm"
    before = segment[max(0, at - 2) : at]
    return "compare" if any(t.kind == "compare" for t in before) else ""


def _fluorescence(segment: list[Token], lead: list[Token], policy: Policy) -> Numbered | None:
    found: dict[str, float] = {}
    numbers = _grouped(segment)
    for value, at, _ in numbers:
        found.setdefault(_label(segment, at), value)
    for value, at, _ in _grouped(lead):
        label = _label(lead, at)
        if label == "isotype":
            found.setdefault("cut", value)
    if "" not in found:
        return None
    value, text = found[""], segment[numbers[0][1]].text
    end = numbers[-1][2]
    if "cut" in found:
        return Numbered("pos" if value >= found["cut"] else "neg", "mfi", text, end, band=False)
    if found.get("isotype") and value <= policy.mfi_isotype_ratio * found["isotype"]:
        return Numbered("neg", "mfi", text, end)
    if found.get("norm"):
        ratio = value / found["norm"]
        state = (
            "low" if ratio < policy.mfi_low_ratio else "pos" if ratio >= policy.mfi_positive_ratio else "unk"
        )
        return Numbered(state, "mfi", text, end)
    if found.get("isotype") and value >= policy.mfi_isotype_positive_ratio * found["isotype"]:
        return Numbered("pos", "mfi", text, end)
    return None
