"""Sentences of a report -> claims: an antigen, a state, on which cells, of which time, and how firmly said."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mappings.reading.report.layout import Line
from mappings.reading.report.model import Claim
from mappings.reading.report.pairs import COMPARING, POPULATIONS, Pair, Value, pairs_of
from mappings.reading.report.quantity import Step, band, quantity
from mappings.reading.report.tokens import Token
from mappings.reading.report.tokens import number as to_number
from mappings.reading.report.words import Words

_PASSIVE = frozenset(("panel", "plan", "gene", "therapy", "count", "control", "legend"))
_YEAR = re.compile(r"(?:19|20)\d\d$")


_CARRIED = {"pos": "pos", "neg": "neg", "low": "low", "failed": "unk", "pending": "unk", "op_pos": "pos", "op_neg": "neg", "op_low": "low", "v": ""}
CHOICE = frozenset(("pos", "neg", "low", "failed", "pending", "hedge", "v", "mask"))


@dataclass(slots=True)
class Sentence:
    """The tokens of one sentence with the section and the line it stands on."""

    tokens: list[Token]
    section: str
    line: int
    first: bool
    indent: bool
    groups: list[int] = field(default_factory=list)
    group_kinds: dict[int, set[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Story:
    """What runs through the whole text while its sentences are read one by one."""

    words: Words
    claims: list[Claim] = field(default_factory=list)
    mentions: dict[str, list[tuple[str, int, int]]] = field(default_factory=dict)
    present: list[tuple[int, int, bool]] = field(default_factory=list)
    absent: list[tuple[int, int]] = field(default_factory=list)
    carried_pop: str = ""
    carried_past: bool = False
    carried_value: str = ""
    method: str = ""
    bare_percent: bool = False
    last: list[Claim] = field(default_factory=list)
    two: bool = False
    specimen: str = ""
    mrd: str = ""
    mrd_spans: list[tuple[int, int]] = field(default_factory=list)
    past_spans: list[tuple[int, int]] = field(default_factory=list)
    large: bool = False
    legend: dict[str, str] = field(default_factory=dict)
    scale: tuple[Step, ...] = ()
    hscore: bool = False
    mfi: bool = False
    denominator: float = 0.0
    mrd_text: bool = False

    def past_at(self, position: int) -> bool:
        """Whether a place in the text speaks of the past or of another specimen."""
        return any(a <= position < b for a, b in self.past_spans)

    def mention(self, antigen: str, why: str, start: int, end: int) -> None:
        """Notes an antigen that was named without a usable result."""
        self.mentions.setdefault(antigen, []).append((why, start, end))


def sentences_of(tokens: list[Token], lines: list[Line], text: str, words: Words) -> list[Sentence]:
    """Tokens cut at hard line ends and full stops."""
    out: list[Sentence] = []
    at, first = 0, True
    current: list[Token] = []

    def close(line: int) -> None:
        nonlocal current, first
        if current:
            place = lines[line]
            out.append(Sentence(current, place.section, line, first, text[place.start : place.start + 1] in (" ", "\t")))
            first = False
        current = []

    for index, token in enumerate(tokens):
        while at + 1 < len(lines) and token.start >= lines[at + 1].start:
            close(at)
            at, first = at + 1, True
        if token.kind == "nl":
            close(at)
        elif token.text == "?" and index and tokens[index - 1].kind not in ("m", "w") and text[token.end : token.end + 1] == " " and text[token.end + 1 : token.end + 2].isupper():
            current.append(token)
            close(at)
        elif token.text == "." and _stops(tokens, index, text, words):
            close(at)
        else:
            current.append(token)
    if lines:
        close(at)
    return out


def _stops(tokens: list[Token], index: int, text: str, words: Words) -> bool:
    end = tokens[index].end
    following = text[end : end + 2]
    if following[:1] and not following[0].isspace():
        return False
    before = tokens[index - 1] if index else None
    if before is not None and before.kind == "m" and index + 1 < len(tokens) and tokens[index + 1].kind in CHOICE:
        return False
    return not (before is not None and before.end == tokens[index].start and before.text in words.abbreviations and (following.strip()[:1].islower() or following.strip()[:1].isdigit()))


def _group(sentence: Sentence) -> None:
    number, stack = 0, 0
    top = 0
    for token in sentence.tokens:
        if token.text == "(":
            top += 1
            number = top
        elif token.text == ")":
            top += 1
            number = top
        elif token.text in (",", ";") or token.kind in ("but",):
            top += 1
            number = top
        sentence.groups.append(number)
        sentence.group_kinds.setdefault(number, set()).add(token.kind)
    del stack


def read_sentence(sentence: Sentence, story: Story) -> None:
    """Adds the claims of one sentence to the story."""
    if sentence.section == "gene" and any(t.kind in ("flowm", "ihcm") for t in sentence.tokens):
        sentence.section = ""
    tokens = sentence.tokens
    _maybe(tokens, story.words)
    _name_cells(tokens, story.large)
    _references(tokens)
    if story.legend:
        _legend(tokens, story.legend)
    _choices(tokens)
    _answered(tokens, story.words)
    _group(sentence)
    dropped = _drop_names(tokens, sentence, story)
    _verbs(tokens, dropped)
    _malignancy(sentence, story)
    pairs = pairs_of(tokens, dropped)
    times = _times(sentence, story)
    _denominator(tokens, story)
    if "past" in times.values() and "now" not in times.values():
        story.past_spans.append((tokens[0].start, tokens[-1].end))
    _method(tokens, story, sentence)
    made: list[Claim] = []
    others = any(p.values or p.token.sign for p in pairs)
    for pair in pairs:
        if pair.token.val:
            claim = _claim(pair, sentence, story, times, others)
            made.append(claim)
            story.claims.append(claim)
    if sentence.first and any(t.kind in (*POPULATIONS, "cells") for t in tokens):
        lead = _lead(sentence)
        if not pairs or lead == "mal" and tokens[0].kind != "m" and not any(p.values or p.token.sign or p.percent for p in pairs):
            story.carried_pop = lead
    _carry_time(sentence, story, bool(made))
    _carry_value(sentence, story, bool(pairs))
    if made:
        story.last = made
    elif not any(p.values for p in pairs):
        _afterthought(sentence, story)


def _name_cells(tokens: list[Token], large: bool) -> None:
    """A bare "B cells" takes its meaning from the words before it: clonal, large, kappa; else it stays open."""
    for index, token in enumerate(tokens):
        if token.kind not in ("cells", "small"):
            continue
        if token.kind == "small":
            if index + 1 < len(tokens) and tokens[index + 1].kind == "beside":
                large = True
            token.kind = "norm" if large else "mal"
            around = {t.kind for t in tokens[max(0, index - 3) : index]}
            behind = {t.text for t in tokens[index + 1 : index + 7]}
            if behind & {"polytypic", "polyclonal", "reactive", "edge", "rim"} or {t.text for t in tokens[max(0, index - 2) : index]} & {"few", "rare", "scattered", "residual", "occasional"}:
                token.kind = "norm"
            if "mal" not in around:
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


def _references(tokens: list[Token]) -> None:
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
        compared = any(t.kind == "compare" or t.kind in ("low", "pos", "neg") and t.text.rsplit(" ", 1)[-1] in COMPARING for t in near)
        beside = any(t.kind == "num" for t in tokens[index + 1 : index + 2] + near[-1:])
        if compared or (measured and beside):
            token.kind = "ref"


def _legend(tokens: list[Token], legend: dict[str, str]) -> None:
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
            if not deep and following.text in legend and following.kind in ("w", "and", "num", "v", "prep", "negator"):
                following.kind, following.val = "v", legend[following.text]
                break


def _choices(tokens: list[Token]) -> None:
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
        options = [t for i, t in enumerate(part) if t.kind in CHOICE and (part[i + 1 : i + 2] and part[i + 1].text == "/" or i and part[i - 1].text == "/" or "circle" in kinds)]
        if len({t.kind for t in options}) >= 2 and (sum(t.text == "/" for t in part) >= len(options) - 1):
            marked = [t for i, t in enumerate(part) if t in options and i and part[i - 1].kind == "circle" or t in options and "*" in [p.text for p in part[max(0, i - 1) : i]]]
            for token in options:
                if token not in marked:
                    token.kind = "w"
            if not marked:
                options[0].kind = "mask"
        start = stop


def _answered(tokens: list[Token], words: Words) -> None:
    """A question answered on the same line: "Does the tumour express CD19? No"."""
    if tokens[0].text not in words.question_openers:
        return
    at = next((i for i, t in enumerate(tokens) if t.text == "?" or t.sign == "unk" and t.kind == "m"), -1)
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
        span = range(begin + 1, place) if trailing else range(place + 1, places[number + 1] if number + 1 < len(places) else len(tokens))
        for at in span:
            if tokens[at].kind == "m":
                if not tokens[place].val:
                    tokens[at].sign = ""
                continue
            if not tokens[place].val and tokens[at].kind in CHOICE:
                tokens[at].kind = "w"
    if not any(tokens[p].val for p in places):
        tokens[first].kind = "mask"


def _maybe(tokens: list[Token], words: Words) -> None:
    """Old names such as B1 count only beside a result and away from block numbers (narrative rule 11)."""
    seen = False
    for index, token in enumerate(tokens):
        seen = any(t.text in words.not_before for t in tokens[max(0, index - 3) : index])
        if token.sub != "maybe" or token.kind != "m":
            continue
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        stated = bool(token.sign) or following is not None and (following.kind in CHOICE or following.kind in ("m", "and") or following.text in ("(", ","))
        if seen or not stated:
            token.kind, token.val = "w", ""


def _verbs(tokens: list[Token], dropped: set[int]) -> None:
    """Verbs that state a result only by their object, and "with" before a marker."""
    for index, token in enumerate(tokens):
        if token.kind == "verbpos" or token.text in ("stain", "stains"):
            following = [t.kind for t in tokens[index + 1 : index + 5]]
            preceding = [t.kind for t in tokens[max(0, index - 2) : index]]
            token.kind = "pos" if {"mal", "dx"} & {*following, *preceding} and "norm" not in following else token.kind.replace("verbpos", "w")
        elif token.text in ("with", "mit", "avec", "con") and token.kind == "w":
            after = index + 1
            while after < len(tokens) and tokens[after].kind in ("pos", "low") and after <= index + 2:
                after += 1
            if after < len(tokens) and tokens[after].kind == "m" and after not in dropped:
                named = {t.kind for t in tokens[:index]}
                token.kind = "wpos" if named & {"mal", "norm", "cells", "dx"} and not named & {"pending", "therapy"} else "w"
        elif token.text == "large" and any(t.kind == "m" and t.text in ("kappa", "lambda", "κ", "λ") for t in tokens[index + 1 : index + 4]):
            token.kind = "mal"
        elif token.kind == "w" and token.text in ("t", "nk") and index + 1 < len(tokens) and tokens[index + 1].kind == "pct":
            token.kind = "norm"


def _lead(sentence: Sentence) -> str:
    for token in sentence.tokens:
        if token.kind in ("mal", "norm") and "control" not in token.text:
            return token.kind
        if token.kind == "cells":
            return "norm"
        if token.kind == "absent":
            return ""
    return ""


def _drop_names(tokens: list[Token], sentence: Sentence, story: Story) -> set[int]:
    """Markers that are only part of a therapy's, gene's or antibody's name (narrative rules 4 and 11)."""
    dropped: set[int] = set()
    for index, token in enumerate(tokens):
        if token.kind != "m":
            continue
        why = _name_only(tokens, index, token)
        if why == "clone":
            dropped.add(index)
            continue
        if why or sentence.section in ("gene", "therapy") and not token.sign:
            dropped.add(index)
            if token.val:
                story.mention(token.val, why or sentence.section, token.start, token.end)
    return dropped


def _name_only(tokens: list[Token], index: int, token: Token) -> str:
    at, chain = index + 1, True
    before = tokens[index - 1] if index else None
    if token.sub == "name" and (before is not None and (before.kind == "clonew" or before.text in ("(", "-", "/") and index > 1 and tokens[index - 2].kind == "m" and tokens[index - 2].val == token.val)):
        return "clone"
    if before is not None and token.val and not token.sign:
        opened = [i for i in range(max(0, index - 5), index) if tokens[i].text == "("]
        if opened and opened[-1] and tokens[opened[-1] - 1].kind != "m" and any(t.kind == "m" and t.val == token.val for t in tokens[max(0, opened[-1] - 3) : opened[-1]]) and index + 1 < len(tokens) and tokens[index + 1].text == ")":
            return "clone"
        if before.text == "/" and index > 1 and tokens[index - 2].kind == "m" and tokens[index - 2].val == token.val:
            return "clone"
    if token.sub == "anti!":
        return "therapy"
    if token.sign:
        return ""
    while at < len(tokens) and at < index + 9:
        following = tokens[at]
        if following.kind == "therapy":
            return "therapy"
        if following.kind == "gene" and at <= index + 2:
            return "gene"
        if following.text in ("-", "/", "x", "×", "–", "specific", "cell") or (following.kind == "m" and not following.sign and chain):
            at += 1
            continue
        if following.kind == "and" and at + 1 < len(tokens) and tokens[at + 1].kind == "m":
            at += 1
            continue
        break
    following = tokens[index + 1] if index + 1 < len(tokens) else None
    valued = following is not None and following.kind in ("pos", "neg", "low", "failed", "pending", "v", "pct")
    if token.sub in ("anti", "α") and not valued and (following is None or following.text not in ("(", ":")):
        return "therapy"
    back = index - 1
    while back >= 0 and tokens[back].text in ("(", "anti", "-", "against", "/", "anti-"):
        back -= 1
    if back >= 0 and tokens[back].kind == "therapy" and not valued and tokens[back].text.startswith(("car", "target", "bispecific", "directed")):
        return "therapy"
    if back >= 1 and tokens[back].kind in ("w", "prep") and tokens[back - 1].kind == "gene":
        return "gene"
    return ""


def _malignancy(sentence: Sentence, story: Story) -> None:
    """Notes where malignant cells are said to be, or not to be, in this specimen (narrative rule 2)."""
    if sentence.section in ("history", "plan", "therapy", "panel", "legend"):
        return
    tokens = sentence.tokens
    if _elsewhere(sentence, story):
        return
    kinds = [t.kind for t in tokens]
    if "mrdw" in kinds:
        story.mrd_text = True
        _mrd(tokens, kinds, story)
    elif story.mrd_text and sentence.section == "conclusion" and "m" not in kinds and kinds and set(kinds[:4]) & {"neg", "nonefound"}:
        story.absent.append((tokens[0].start, tokens[-1].end))
    past, hedged = False, False
    for index, token in enumerate(tokens):
        kind = token.kind
        if kind == "absent" and any(t.kind == "m" and t.val for t in tokens[:index]):
            if not any(t.text == ";" for t in tokens[:index]):
                token.kind = "failed"
                continue
        if kind == "absent" or (kind == "nonefound" and set(kinds[:index]) & {"mal", "dx"} and not set(kinds[:index]) & {"norm"}):
            story.absent.append((token.start, token.end))
            if token.text.startswith(("mrd", "no mrd", "undetectable mrd", "emr")):
                story.mrd = "negative"
                story.mrd_spans.append((token.start, token.end))
        elif kind == "history":
            past = True
        elif kind == "current":
            past = False
        elif kind in ("mal", "mrdpos") or kind == "dx":
            if kind == "mrdpos" and not past:
                story.mrd = "positive"
                story.mrd_spans.append((token.start, token.end))
            group = sentence.group_kinds[sentence.groups[index]]
            hedged = bool(group & {"hedge", "pending"}) and kind != "mrdpos"
            negated = any(k in ("negator", "op_neg", "absent") for k in kinds[max(0, index - 3) : index])
            after = [t.kind for t in tokens[index + 1 : index + 6] if t.kind != "w" or t.text in (",", ";")]
            if kind == "mal" and after[:1] in (["neg"], ["nonefound"]) and (after[:1] == ["nonefound"] or "m" not in kinds):
                story.absent.append((token.start, token.end))
                continue
            if kind == "mal" and kinds[max(0, index - 2) : index] in (["negator"], ["w", "negator"], ["dots", "negator"]) and any(t.kind == "m" and t.val for t in tokens[:index]):
                token.kind = "failed"
                continue
            near = [t.kind if t.text != ";" else ";" for t in tokens[max(0, index - 4) : index] if t.kind != "w" or t.text == ";"]
            near = near[near.index(";") + 1 :] if ";" in near else near
            if any(t.text in (",", ")", "(", ":") for t in tokens[max(0, index - 2) : index]):
                near = []
            if near[-1:] == ["negator"] or (near[-1:] in (["m"], ["neg"], ["pos"]) and "negator" in near):
                story.absent.append((token.start, token.end))
            elif not (past or hedged or negated):
                story.present.append((token.start, token.end, kind != "dx"))


def _carry_time(sentence: Sentence, story: Story, made: bool) -> None:
    """A heading line that names an outside, older or other person's result rules the lines under it."""
    tokens = sentence.tokens
    kinds = {t.kind for t in tokens}
    if kinds & {"current", "agree"} or (sentence.section and sentence.section != "history" and sentence.first):
        story.carried_past = False
    elif not made and "history" in kinds and tokens[-1].text == ":":
        story.carried_past = True
    elif not made and sentence.first and tokens[0].kind == "history" and tokens[0].text.startswith("donor"):
        story.carried_past = True
    elif story.carried_past and kinds & {"dx"} and sentence.first and not made:
        story.carried_past = False


def _carry_value(sentence: Sentence, story: Story, marked: bool) -> None:
    """A line such as "Not expressed:" speaks for the lists of markers under it."""
    if marked:
        return
    story.carried_value = ""
    tokens = sentence.tokens
    if tokens[-1].text == ":" and len(tokens) <= 6:
        states = {t.val or _CARRIED[t.kind] for t in tokens if t.kind in _CARRIED}
        if states and not any(t.kind in ("norm", "history", "negator") for t in tokens):
            story.carried_value = "unk" if "unk" in states else "low" if "low" in states else states.pop() if len(states) == 1 else ""


def _year_of_past(tokens: list[Token], year: Token) -> bool:
    at = next(i for i, t in enumerate(tokens) if t is year)
    before = tokens[at - 1] if at else None
    after = tokens[at + 1] if at + 1 < len(tokens) else None
    if after is not None and after.text in ("biopsy", "node", "sample", "marrow", "specimen", "tumour", "tumor", "case"):
        return True
    return before is not None and (before.kind in ("prep", "dx", "and") or before.text in ("(", "since", "in", "from", "dated", ","))


def _elsewhere(sentence: Sentence, story: Story) -> bool:
    """Whether a line opens with another specimen than the one reported (narrative rule 3)."""
    if not sentence.first or not story.specimen:
        return False
    for token in sentence.tokens[:2]:
        kind = story.words.specimens.get(token.text.split(" ")[0], "")
        if kind in ("csf", "marrow", "blood") and kind != story.specimen:
            return True
        if token.text == "contralateral":
            return True
        if token.kind == "m" or token.text == ":":
            break
    return False


def _mrd(tokens: list[Token], kinds: list[str], story: Story) -> None:
    at = kinds.index("mrdw")
    for index in range(at + 1, min(len(tokens), at + 9)):
        kind, token = kinds[index], tokens[index]
        if kind == "m":
            return
        if kind in ("neg", "nonefound") or (kind == "pct" and token.hi < 0.011 and token.text[0] in "<0"):
            story.absent.append((tokens[at].start, token.end))
            story.mrd = "negative"
            story.mrd_spans.append((tokens[at].start, token.end))
            return
        if kind == "pos" or kind == "pct":
            story.present.append((tokens[at].start, token.end, True))
            story.mrd = "positive"
            story.mrd_spans.append((tokens[at].start, token.end))
            return


def _times(sentence: Sentence, story: Story) -> dict[int, str]:
    """Past or present for every group of the sentence (narrative rule 3)."""
    out: dict[int, str] = {}
    running = "past" if sentence.section == "history" or story.carried_past or _elsewhere(sentence, story) else ""
    seen_marker = comparing = False
    deep = 0
    for token, group in zip(sentence.tokens, sentence.groups, strict=True):
        if token.text == "(":
            deep += 1
        elif token.text == ")":
            deep = max(0, deep - 1)
        if token.text == ";" or token.kind == "but":
            seen_marker = False
        kind = token.kind
        if kind == "m":
            seen_marker = True
        if kind == "since":
            comparing = True
        if kind == "history" or (kind == "num" and not comparing and _YEAR.match(token.text) and _year_of_past(sentence.tokens, token)):
            out[group] = "past"
            if not seen_marker:
                running = "past"
        elif kind in ("current", "agree"):
            comparing = comparing or token.text.startswith("unchanged")
            if out.get(group) != "past" or kind == "current":
                out[group] = "now"
            if not deep:
                running = "now"
        out.setdefault(group, running)
    return out


def _denominator(tokens: list[Token], story: Story) -> None:
    """How many malignant cells were counted, where markers are then given as numbers of cells."""
    first = next((i for i, t in enumerate(tokens) if t.kind == "m"), len(tokens))
    lead = tokens[:first]
    kinds = [t.kind for t in lead]
    if "num" not in kinds:
        return
    if "norm" in kinds and first == len(tokens):
        story.denominator = 0.0
    elif "mal" in kinds and any(t.text in ("events", "cells", "counted", "zellen") or t.text.endswith("cells") for t in lead):
        story.denominator = to_number(next(t for t in lead if t.kind == "num").text)


def _method(tokens: list[Token], story: Story, sentence: Sentence) -> None:
    for token in tokens[:3] if sentence.first else []:
        if token.kind in ("flowm", "ihcm"):
            story.method = token.kind[:-1].replace("flow", "flow")


def _claim(pair: Pair, sentence: Sentence, story: Story, times: dict[int, str], others: bool) -> Claim:
    token = pair.token
    _moves(pair, sentence, times)
    groups = {sentence.groups[pair.index]} | {sentence.groups[v.index] for v in pair.values}
    claim = Claim(token.val, "unk", token.start, token.end, section=sentence.section, line=sentence.line, order=token.start)
    _state(pair, claim, sentence, story, others)
    claim.pop = _population(pair, sentence, story)
    own = [times.get(g, "") for g in range(min(groups), max(groups) + 1)]
    claim.past = "past" in own and not ("now" in own and times.get(sentence.groups[pair.index]) == "now")
    claim.current = "now" in own
    claim.method = _near_method(pair, sentence) or story.method
    kinds = _window(pair, sentence, groups)
    _mode(pair, claim, sentence, kinds, groups)
    everything = {t.kind for t in sentence.tokens}
    claim.corrects = bool(everything & {"correction", "shouldread", "arrow"}) or sentence.section == "correction"
    claim.second = "second" in everything
    return claim


def _moves(pair: Pair, sentence: Sentence, times: dict[int, str]) -> None:
    """Drops values that only say what was: before an arrow or "should read", or in a bracket about the past."""
    tokens = sentence.tokens
    stop = next((i for i in range(pair.index + 1, len(tokens)) if tokens[i].kind == "m"), len(tokens))
    turn = max((i for i in range(pair.index + 1, stop) if tokens[i].kind in ("arrow", "shouldread")), default=-1)
    if turn > 0 and any(v.index > turn for v in pair.values):
        pair.values = [v for v in pair.values if v.index > turn]
        pair.token.sign = ""
    elif any(t.kind == "shouldread" for t in tokens[pair.index :]) and any(t.kind == "m" and t.val == pair.token.val for t in tokens[pair.index + 1 :]):
        pair.values = []
        pair.listed = False
    here = times.get(sentence.groups[pair.index], "")
    if here != "past":
        kept = [v for v in pair.values if times.get(sentence.groups[v.index], "") != "past"]
        if kept and len(kept) < len(pair.values):
            pair.values = kept


def _window(pair: Pair, sentence: Sentence, groups: set[int]) -> set[str]:
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


def _near_method(pair: Pair, sentence: Sentence) -> str:
    best, distance = "", 99
    for index, token in enumerate(sentence.tokens):
        if token.kind in ("flowm", "ihcm") and abs(index - pair.index) < distance:
            best, distance = token.kind[:-1], abs(index - pair.index)
    return best


def _mode(pair: Pair, claim: Claim, sentence: Sentence, kinds: set[str], groups: set[int]) -> None:
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
    if pair.void or kinds & {"nonefound"} or {t.kind for t in sentence.tokens} & {"nonefound"} and claim.pop == "mal":
        claim.value, claim.reason = "unk", "no-malignancy"
    elif pair.token.sign and claim.pop != "mal" and _share_of_all(pair, sentence):
        claim.value, claim.reason = "unk", "count"
    elif pair.token.sign and _selecting(pair, sentence):
        claim.value, claim.reason, claim.mention = "unk", "panel", True
    elif "artefact" in kinds or _failing_control(pair, sentence):
        claim.value, claim.reason, claim.strong = "unk", "artefact", True
    elif "hedge" in kinds:
        claim.value, claim.reason = "unk", "hedged"
    elif "count" in kinds and not any(v.kind == "sign" for v in pair.values):
        claim.value, claim.reason = "unk", "count"
    elif sentence.section == "gene" or "gene" in {t.kind for t in sentence.tokens[max(0, pair.index - 3) : pair.index + 4]} and not pair.token.sign:
        claim.value, claim.reason = "unk", "gene"
    elif any(t.kind == "cond" for t in sentence.tokens[: pair.index]) and not pair.token.sign:
        claim.value, claim.reason = "unk", "pending"
    elif sentence.section in ("plan",) and (pair.listed or all(v.kind == "wpos" for v in pair.values)):
        claim.value, claim.reason = "unk", "pending"
    elif "cyto" in kinds and "surface" not in kinds or pair.token.sub in ("c", "cy", "cyt", "ic"):
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
    before = any(t.kind == "m" and t.val for t in sentence.tokens[:at])
    if pair.index < at or not before:
        claim.value, claim.reason, claim.strong, claim.mention = "unk", "withdrawn", True, False
        return True
    return False


def _share_of_all(pair: Pair, sentence: Sentence) -> bool:
    """A signed marker that names cells which are then counted: "CD19+ cells 0.0 % of lymphocytes"."""
    following = sentence.tokens[pair.index + 1 : pair.index + 5]
    named = following[:1] and (following[0].text in ("cells", "b", "events") or following[0].kind == "cells")
    return bool(named) and any(t.kind in ("pct", "num") for t in following)


def _selecting(pair: Pair, sentence: Sentence) -> bool:
    """A signed marker that only names the cells looked at: "on CD19+ cells", "the CD19+ gate" (narrative rule 13)."""
    tokens = sentence.tokens
    after = [t.text for t in tokens[pair.index + 1 : pair.index + 2]]
    before = tokens[pair.index - 1] if pair.index else None
    if after and after[0] in ("gate", "gates", "gated"):
        return True
    while before is not None and before.kind == "m":
        at = next(i for i, t in enumerate(tokens) if t is before)
        before = tokens[at - 1] if at else None
    return bool(after) and after[0] in ("cells", "events") and before is not None and (before.kind in ("prep", "num") or before.text in ("among", "gated", "on"))


def _population(pair: Pair, sentence: Sentence, story: Story) -> str:
    used = [v for v in pair.values if v.how != "later"] or pair.values
    own = [v.pop for v in used if v.pop in ("mal", "norm")]
    if own and not (own == ["norm"] * len(own) and len(own) < len(used)):
        return "mal" if "mal" in own else "norm"
    tokens = sentence.tokens
    for token in tokens[pair.index + 1 : pair.index + 3]:
        if token.kind in ("mal", "norm") and (pair.token.sign or pair.values):
            before = [t.kind for t in tokens[: pair.index]]
            if not any(k in ("mal", "norm") for k in before) or token.kind == "norm":
                return token.kind
        if token.text in (",", ";", ":", "(") or token.kind in ("m", "compare"):
            break
    before = _population_before(tokens, pair.index)
    if before:
        return before
    for at in range(pair.index + 1, len(tokens)):
        if tokens[at].kind == "mal":
            return "mal"
        if tokens[at].kind == "norm" and not any(t.text in (";", ",", "(") or t.kind in ("but", "m") for t in tokens[pair.index + 1 : at]):
            return "norm"
    if any(t.kind == "dx" for t in tokens):
        return "mal"
    if any(t.kind == "cells" for t in tokens):
        return "norm"
    if sentence.section == "control":
        return "norm"
    return story.carried_pop


def _population_before(tokens: list[Token], index: int) -> str:
    """The cells named before a marker; across a semicolon only those that open their clause."""
    crossed, closed = False, 0
    for at in range(index - 1, -1, -1):
        token = tokens[at]
        if token.text == ")":
            closed += 1
        elif token.text == "(":
            closed -= 1
        elif token.text == ";" or token.kind == "but":
            crossed = True
        elif token.kind == "mal" and closed <= 0:
            return "mal"
        elif token.kind in ("norm", "control") and closed <= 0:
            opens = at == 0 or tokens[at - 1].text in (";", ":") or tokens[at - 1].kind in ("but", "and") or tokens[at - 1].text == "the"
            if not crossed or opens:
                return "norm"
    return ""


def _state(pair: Pair, claim: Claim, sentence: Sentence, story: Story, others: bool) -> None:
    policy = story.words.policy
    values = [v for v in pair.values if v.how != "later"]
    later = [v for v in pair.values if v.how == "later" and v.pop != "norm"]
    if later and values and _later(later, values, claim, sentence):
        return
    if not values and later and (later[0].pop == "mal" or len(later) > 1):
        values = later[:1]
    values = [v for v in values if v.pop != "norm"] or values
    states = {v.state for v in values}
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
        if share is not None and claim.value == "pos" and all(v.how in ("operator", "prefix") for v in values):
            claim.value = band(share.lo, share.hi, policy.percent_positive, policy.percent_low)
            claim.percent = share.text
            return
        if share is not None and claim.value in ("pos", "neg") and all(v.how == "sign" for v in values):
            low, high = (share.lo, share.hi) if claim.value == "pos" else (100 - share.hi, 100 - share.lo)
            claim.value = band(low, high, policy.percent_positive, policy.percent_low)
            return
        narrative = share is not None and any(v.how in ("suffix", "operator", "sign") for v in values)
        if narrative and share is not None and claim.value == "pos" and share.hi < policy.percent_positive and _partial(sentence, share):
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
    if pair.listed and any(t.text.startswith("all ") and t.kind == "noop" for t in ahead) and not any(t.kind == "m" for t in ahead):
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
        named = tokens[at].kind == "hscore" or tokens[at].text == "h" and tokens[at + 1].text in ("=", ":")
        after = [t for t in tokens[at + 1 : at + 4] if t.kind == "num"]
        if named and after and to_number(after[0].text) <= 300:
            policy, value = story.words.policy, to_number(after[0].text)
            claim.value, claim.band = band(value, value, policy.h_score_positive, policy.h_score_low), True
            claim.h_score, claim.end = after[0].text, max(claim.end, after[0].end)
            calls = {v.state for v in pair.values if v.how == "suffix" and v.kind in ("pos", "neg") and v.index > at}
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
    claim.value, claim.band, claim.reason = band(value, value, policy.percent_positive, policy.percent_low), True, ""
    claim.end = max(claim.end, token.end)


def _later(later: list[Value], values: list[Value], claim: Claim, sentence: Sentence) -> bool:
    """A second value after "but" or ";": now against then, method against method, or two populations."""
    first, second = values[0].state, later[0].state
    if (first, second) == ("pos", "low"):
        claim.value = "low"
        return True
    if {first, second} != {"pos", "neg"}:
        return False
    between = {t.kind for t in sentence.tokens[values[0].index : later[0].index + 6]}
    before = {t.kind for t in sentence.tokens[: values[0].index]}
    whole = {t.kind for t in sentence.tokens}
    claim.end = max(claim.end, sentence.tokens[later[0].index].end)
    if "current" in between and "history" in before | between:
        claim.value = second
    elif later[0].pop == "mal":
        claim.value = "low"
    else:
        claim.value, claim.reason = "unk", "discordant" if {"flowm", "ihcm"} <= whole else "contradiction"
        claim.strong = True
    return True


def _partial(sentence: Sentence, share: Token) -> bool:
    tokens = sentence.tokens
    at = next((i for i, t in enumerate(tokens) if t is share), -1)
    if at < 0:
        return False
    return bool(at) and tokens[at - 1].kind == "prep" or any(t.kind == "prep" for t in tokens[at + 1 : at + 2]) or tokens[at - 1].text in ("only", "about", "approximately", "roughly", "ca", "~")


def _unknown(values: list[Value], claim: Claim, sentence: Sentence) -> None:
    definite = [v for v in values if v.state != "unk"]
    unknown = [v for v in values if v.state == "unk"]
    if definite and all(v.kind == "pending" for v in unknown):
        claim.value = _combine(definite)
        return
    claim.strong = any(v.kind == "openw" for v in unknown)
    claim.reason = unknown[0].kind if unknown[0].kind in ("pending", "failed") else "missing"


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


def _afterthought(sentence: Sentence, story: Story) -> None:
    """A sentence without a marker may take back or question what was said just before."""
    kinds = {t.kind for t in sentence.tokens}
    if not story.last or sentence.section in ("history", "plan", "panel") or not kinds & {"artefact", "withdrawn", "openw"}:
        return
    if kinds & {"mal", "dx", "m"}:
        return
    for claim in story.last:
        if claim.value != "unk":
            claim.value, claim.strong = "unk", True
            claim.reason = "artefact" if "artefact" in kinds else "withdrawn"
