"""Where a report says that malignant cells are, or are not, in this specimen (narrative rule 2)."""

from __future__ import annotations

from mappings.reading.report.story import Sentence, Story
from mappings.reading.report.tokens import Token

_LINEAGE_THINGS = frozenset(
    ("markers", "marker", "antigens", "antigen", "differentiation", "expression", "lineage", "switch")
)

_OPEN = frozenset(
    (
        "negator",
        "neg",
        "absent",
        "nonefound",
        "hedge",
        "pending",
        "history",
        "norm",
        "cond",
        "undet",
        "op_neg",
        "m",
    )
)


def note_malignancy(sentence: Sentence, story: Story, text: str) -> None:
    """Notes where malignant cells are said to be, or not to be, in this specimen (narrative rule 2)."""
    if sentence.section in ("history", "plan", "therapy", "panel", "sought", "legend"):
        return
    tokens = sentence.tokens
    if elsewhere(sentence, story):
        _note_elsewhere(tokens, story)
        return
    kinds = [t.kind for t in tokens]
    if "mrdw" in kinds:
        story.mrd_text = True
        _mrd(tokens, kinds, story)
    elif (
        story.mrd_text
        and sentence.section == "conclusion"
        and "m" not in kinds
        and kinds
        and set(kinds[:4]) & {"neg", "nonefound"}
    ):
        story.absent.append((tokens[0].start, tokens[-1].end))
    past, hedged = False, False
    for index, token in enumerate(tokens):
        kind = token.kind
        named = kind == "absent" and any(t.kind == "m" and t.val for t in tokens[:index])
        if named and not any(t.text == ";" for t in tokens[:index]):
            token.kind = "failed"
            continue
        if token.text == "evidence" and _denied(tokens, index):
            story.absent.append((token.start, token.end))
            story.final_absent = story.final_absent or sentence.section == "conclusion"
        if kind == "absent" or (
            kind == "nonefound" and set(kinds[:index]) & {"mal", "dx"} and not set(kinds[:index]) & {"norm"}
        ):
            story.absent.append((token.start, token.end))
            story.final_absent = story.final_absent or sentence.section == "conclusion"
            if token.text.startswith(("mrd", "no mrd", "undetectable mrd", "emr")):
                story.mrd = "negative"
                story.mrd_spans.append((token.start, token.end))
        elif kind in ("mal", "dx") and _no_cells(tokens, index, text, story):
            continue
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
            after = [
                t.kind for t in tokens[index + 1 : index + 6] if t.kind != "w" or t.text in (",", ";", "(")
            ]
            if (
                kind == "mal"
                and after[:1] in (["neg"], ["nonefound"])
                and (after[:1] == ["nonefound"] or "m" not in kinds)
            ):
                story.absent.append((token.start, token.end))
                continue
            if (
                kind == "mal"
                and kinds[max(0, index - 2) : index] in (["negator"], ["w", "negator"], ["dots", "negator"])
                and any(t.kind == "m" and t.val for t in tokens[:index])
            ):
                token.kind = "failed"
                continue
            near = [
                t.kind if t.text != ";" else ";"
                for t in tokens[max(0, index - 4) : index]
                if t.kind != "w" or t.text == ";"
            ]
            near = near[near.index(";") + 1 :] if ";" in near else near
            if any(t.text in (",", ")", "(", ":") for t in tokens[max(0, index - 2) : index]):
                near = []
            if near[-1:] == ["negator"] or (near[-1:] in (["m"], ["neg"], ["pos"]) and "negator" in near):
                story.absent.append((token.start, token.end))
            elif not (past or hedged or negated):
                story.present.append((token.start, token.end, kind != "dx"))
                denied = any(_denied(tokens, i) for i, t in enumerate(tokens) if t.text == "evidence")
                story.final_present = story.final_present or (sentence.section == "conclusion" and not denied)


def _denied_behind(token: Token, text: str, story: Story) -> bool:
    """ "Relapse refuted by biopsy", "Relapse - No", "Blasts: not increased": no statement that cells are there."""
    return story.words.doubt.denied.match(text[token.end : token.end + 60].lower()) is not None


def _of_markers(tokens: list[Token], index: int) -> bool:
    """ "No myeloid markers" denies markers of another lineage, not the disease."""
    return tokens[index].text.startswith("myeloid") and any(
        t.text in _LINEAGE_THINGS for t in tokens[index + 1 : index + 3]
    )


def _note_elsewhere(tokens: list[Token], story: Story) -> None:
    """Disease plainly stated of another specimen than the resource names counts where nothing else is said."""
    kinds = [t.kind for t in tokens]
    story.other_absent = story.other_absent or "absent" in kinds
    if _OPEN.isdisjoint(kinds):
        story.other_present += [(t.start, t.end, False) for t in tokens if t.kind in ("dx", "mal")]


def _no_cells(tokens: list[Token], index: int, text: str, story: Story) -> bool:
    """Whether a word of disease is taken back where it stands, so that it says nothing of cells."""
    if tokens[index].kind == "mal" and _of_markers(tokens, index):
        return True
    words = story.words.doubt.course_words
    if tokens[index].text in words:  # "relapse" alone is a course, told by who knows whom: no cells were seen
        named = [t for t in tokens if t.kind in ("mal", "dx", "m") and t.text not in words]
        if not named:
            return True
    marked = any(t.kind == "m" for t in tokens)
    if not marked and _only_bounded(tokens, index):
        return True
    return not marked and (_set_normal(tokens, index) or _denied_behind(tokens[index], text, story))


def _only_bounded(tokens: list[Token], index: int) -> bool:
    """ "Blasts <5 %": an upper bound does not say that any were there."""
    near = tokens[max(0, index - 1) : index] + tokens[index + 1 : index + 3]
    return any(t.kind == "pct" and t.text.startswith("<") for t in near)


def _set_normal(tokens: list[Token], index: int) -> bool:
    """ "Lymphoblasts 4 % (normal precursors)": the bracket says that they are no disease."""
    opened = next((i for i in range(index + 1, min(index + 4, len(tokens))) if tokens[i].text == "("), -1)
    return opened > 0 and any(t.kind == "norm" for t in tokens[opened + 1 : opened + 2])


def elsewhere(sentence: Sentence, story: Story) -> bool:
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


def _denied(tokens: list[Token], index: int) -> bool:
    """ "No ... evidence of ... lymphoma": a denial some words before, a disease some words after."""
    before = any(t.kind == "negator" or t.text == "without" for t in tokens[max(0, index - 7) : index])
    return before and any(t.kind in ("mal", "dx") for t in tokens[index + 1 : index + 6])
