"""Sentences of a report -> claims: an antigen, a state, on which cells, of which time, and how firmly said."""

from __future__ import annotations

from mappings.reading.report.disease import note_malignancy
from mappings.reading.report.model import Claim
from mappings.reading.report.modes import afterthought, settle_mode, window
from mappings.reading.report.names import drop_names
from mappings.reading.report.pairs import pairs_of
from mappings.reading.report.prepare import (
    apply_legend,
    keep_choices,
    mark_references,
    name_cells,
    settle_old_names,
    settle_verbs,
    take_answers,
)
from mappings.reading.report.runs import POPULATIONS, Pair
from mappings.reading.report.sentences import number_groups
from mappings.reading.report.states import settle_state
from mappings.reading.report.story import Sentence, Story
from mappings.reading.report.times import (
    carry_time,
    carry_value,
    drop_moved,
    leading_cells,
    note_denominator,
    note_method,
    times_of,
)
from mappings.reading.report.tokens import Token


def read_sentence(sentence: Sentence, story: Story, text: str) -> None:
    """Adds the claims of one sentence to the story."""
    if sentence.section == "gene" and any(t.kind in ("flowm", "ihcm") for t in sentence.tokens):
        sentence.section = ""
    tokens = sentence.tokens
    settle_old_names(tokens, story.words)
    name_cells(tokens, story.large, story.small_disease)
    mark_references(tokens)
    if story.legend:
        apply_legend(tokens, story.legend)
    keep_choices(tokens)
    take_answers(tokens, story.words)
    number_groups(sentence)
    dropped = drop_names(tokens, sentence, story)
    settle_verbs(tokens, dropped)
    note_malignancy(sentence, story, text)
    pairs = pairs_of(tokens, dropped)
    times = times_of(sentence, story)
    note_denominator(tokens, story)
    if "past" in times.values() and "now" not in times.values():
        story.past_spans.append((tokens[0].start, tokens[-1].end))
    note_method(tokens, story, sentence)
    _note_lineage(pairs, sentence, story, times)
    made: list[Claim] = []
    others = any(p.values or p.token.sign for p in pairs)
    for pair in pairs:
        if pair.token.val:
            claim = _claim(pair, sentence, story, times, others)
            made.append(claim)
            story.claims.append(claim)
    if sentence.first and any(t.kind in (*POPULATIONS, "cells") for t in tokens):
        lead = leading_cells(sentence)
        if not pairs or (
            lead == "mal"
            and tokens[0].kind != "m"
            and not any(p.values or p.token.sign or p.percent for p in pairs)
        ):
            story.carried_pop = lead
    carry_time(sentence, story, bool(made))
    carry_value(sentence, story, bool(pairs))
    if made:
        story.last = made
    elif not any(p.values for p in pairs):
        afterthought(sentence, story)


def _claim(pair: Pair, sentence: Sentence, story: Story, times: dict[int, str], others: bool) -> Claim:
    token = pair.token
    drop_moved(pair, sentence, times)
    groups = {sentence.groups[pair.index]} | {sentence.groups[v.index] for v in pair.values}
    claim = Claim(
        token.val,
        "unk",
        token.start,
        token.end,
        section=sentence.section,
        line=sentence.line,
        order=token.start,
    )
    settle_state(pair, claim, sentence, story, others)
    claim.pop = _population(pair, sentence, story)
    own = [times.get(g, "") for g in range(min(groups), max(groups) + 1)]
    claim.past = "past" in own and not ("now" in own and times.get(sentence.groups[pair.index]) == "now")
    claim.current = "now" in own
    claim.method = _near_method(pair, sentence) or story.method
    kinds = window(pair, sentence, groups)
    settle_mode(pair, claim, sentence, kinds, groups)
    everything = {t.kind for t in sentence.tokens}
    claim.corrects = (
        bool(everything & {"correction", "shouldread", "arrow"}) or sentence.section == "correction"
    )
    claim.second = "second" in everything
    return claim


def _note_lineage(pairs: list[Pair], sentence: Sentence, story: Story, times: dict[int, str]) -> None:
    """Keeps what malignant cells show of markers that tell lineages apart (rules CD-10)."""
    lists = story.words.doubt.lineage_markers
    kinds = {t.kind for t in sentence.tokens}
    if (
        sentence.section
        or "mal" not in kinds
        or kinds & {"norm", "hedge", "pending"}
        or "past" in times.values()
    ):
        return
    for pair in pairs:
        name = pair.token.text.replace(" ", "").replace("-", "")
        states = {v.state for v in pair.values if v.how != "later"}
        if states and any(name in markers for markers in lists.values()):
            story.shown.setdefault(name, set()).update(states)
            if name in lists["defining"]:
                story.shown_span = (sentence.tokens[0].start, sentence.tokens[-1].end)


def _near_method(pair: Pair, sentence: Sentence) -> str:
    best, distance = "", 99
    for index, token in enumerate(sentence.tokens):
        if token.kind in ("flowm", "ihcm") and abs(index - pair.index) < distance:
            best, distance = token.kind[:-1], abs(index - pair.index)
    return best


def _population(pair: Pair, sentence: Sentence, story: Story) -> str:
    used = [v for v in pair.values if v.how != "later"] or pair.values
    own = [v.pop for v in used if v.pop in ("mal", "norm")]
    if own and not (own == ["norm"] * len(own) and len(own) < len(used)):
        return "mal" if "mal" in own else "norm"
    tokens = sentence.tokens
    for token in tokens[pair.index + 1 : pair.index + 3]:
        if token.kind in ("mal", "norm") and (pair.token.sign or pair.values):
            earlier = [t.kind for t in tokens[: pair.index]]
            if not any(k in ("mal", "norm") for k in earlier) or token.kind == "norm":
                return token.kind
        if token.text in (",", ";", ":", "(") or token.kind in ("m", "compare"):
            break
    before = _population_before(tokens, pair.index)
    if before:
        return before
    if _bare_cells(pair, tokens):
        return "norm"
    for at in range(pair.index + 1, len(tokens)):
        if tokens[at].kind == "mal":
            return "mal"
        if tokens[at].kind == "norm" and not any(
            t.text in (";", ",", "(") or t.kind in ("but", "m") for t in tokens[pair.index + 1 : at]
        ):
            return "norm"
    if any(t.kind == "dx" for t in tokens):
        return "mal"
    if any(t.kind == "cells" for t in tokens):
        return "norm"
    if sentence.section == "control":
        return "norm"
    return story.carried_pop


def _bare_cells(pair: Pair, tokens: list[Token]) -> bool:
    """Whether the marker names plain B cells, and its clause says nothing of a clone: "CD20+ B cells"."""
    if not pair.token.sign or pair.index + 1 >= len(tokens) or tokens[pair.index + 1].kind != "cells":
        return False
    for token in tokens[pair.index + 2 :]:
        if token.kind == "mal":
            return False
        if token.text in (",", ";", "(") or token.kind in ("but", "m"):
            break
    return True


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
            opens = (
                at == 0
                or tokens[at - 1].text in (";", ":")
                or tokens[at - 1].kind in ("but", "and")
                or tokens[at - 1].text == "the"
            )
            if not crossed or opens:
                return "norm"
    return ""
