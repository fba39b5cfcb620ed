"""Weighs the claims of a report against each other: one state per antigen, or unknown (narrative rules 1-3, 9-10)."""

from __future__ import annotations

from mappings.facts import Antigen, AntigenState, Method
from mappings.reading.report.model import AntigenFinding, Claim
from mappings.reading.report.normal import Plain
from mappings.reading.report.story import Story

_STATES = {
    "pos": AntigenState.POSITIVE,
    "low": AntigenState.LOW_OR_PARTIAL,
    "neg": AntigenState.NEGATIVE,
    "unk": AntigenState.UNKNOWN,
}
_SILENT = frozenset(("sought", "legend", "gene", "therapy", "count", "control"))
_METHODS = {"flow": Method.FLOW, "ihc": Method.IHC}


def malignancy_of(story: Story) -> str:
    """Whether the report says that malignant cells are in this specimen: present, absent or not-stated."""
    if story.undetermined and not any(c.section in ("conclusion", "correction") for c in story.claims):
        return "absent"
    if story.final_absent and not story.final_present:
        return "absent"
    cells = [p for p in story.present if p[2]]
    if story.absent:
        return (
            "present"
            if len(cells) > 0
            and any(c.pop == "mal" and c.value != "unk" and not c.past for c in story.claims)
            else "absent"
        )
    if story.other_absent and not story.present and not story.other_present:
        return "absent"
    return "present" if story.present or story.other_present else "not-stated"


def resolve(
    story: Story, antigen: Antigen, malignancy: str, plain: Plain, original: str, stated: Method
) -> AntigenFinding | None:
    """The finding of one antigen, or None when the text does not name it."""
    claims = [c for c in story.claims if c.antigen == antigen.value]
    mentions = story.mentions.get(antigen.value, [])
    if not claims and not mentions:
        return None
    voided = [c for c in claims if c.strong and c.reason == "withdrawn" and (c.past or c.pop == "norm")]
    usable = voided + [
        c
        for c in claims
        if not c.past
        and c.pop != "norm"
        and not c.mention
        and c.section not in _SILENT
        and (c.section != "panel" or c.worded)
    ]
    if malignancy == "absent":
        return _unknown(claims, "no-malignancy", plain, original)
    definite = [c for c in usable if c.value != "unk"]
    unknown = [c for c in usable if c.value == "unk"]
    if not definite:
        return _unknown(claims, _reason(claims, mentions, unknown), plain, original)
    chosen, reason = _settle(definite, unknown, story)
    if not chosen:
        return _unknown(usable, reason, plain, original)
    values = {c.value for c in chosen}
    value = values.pop() if len(values) == 1 else "low"
    return _finding(value, chosen, plain, original, stated)


def _reason(claims: list[Claim], mentions: list[tuple[str, int, int]], unknown: list[Claim]) -> str:
    for claim in unknown:
        if claim.reason:
            return claim.reason
    if any(c.past for c in claims):
        return "history"
    if any(c.pop == "norm" for c in claims):
        return "normal-cells"
    if mentions:
        return mentions[0][0]
    return claims[0].reason if claims else "named"


def _settle(definite: list[Claim], unknown: list[Claim], story: Story) -> tuple[list[Claim], str]:
    strong = [
        c
        for c in unknown
        if c.strong or (c.corrects and c.reason == "failed" and c.order > definite[-1].order)
    ]
    corrected = [c for c in definite if c.corrects]
    if strong:
        later = [
            c
            for c in definite
            if c.order > strong[-1].order
            and c.section != "original"
            and (c.corrects or strong[-1].reason == "withdrawn" or c.line != strong[-1].line)
        ]
        if not later:
            return [], strong[-1].reason
        definite = later
    elif corrected and len({c.value for c in definite}) > 1:
        last = corrected[-1]
        definite = [c for c in corrected if c.line == last.line and c.value == last.value] or [last]
    values = {c.value for c in definite}
    if len(values) > 1 and story.two and not strong:
        return definite, ""
    if len(values) == 1:
        hedged = [c for c in unknown if c.reason == "hedged" and c.order > definite[-1].order]
        return (
            ([], "hedged")
            if hedged and hedged[-1].section in ("conclusion", "correction")
            else (definite, "")
        )
    concluded = [c for c in definite if c.section in ("conclusion", "correction")]
    if concluded and len({c.value for c in concluded}) == 1 and values == {"pos", "low"}:
        return concluded, ""
    if values == {"pos", "low"}:
        return [c for c in definite if c.value == "low"], ""
    methods = {c.method for c in definite if c.method}
    if len(methods) > 1:
        return [], "discordant"
    if concluded and len({c.value for c in concluded}) == 1:
        return concluded, ""
    if any(c.second for c in definite) or story.two:
        return definite, ""
    now = [c for c in definite if c.current]
    if now and len({c.value for c in now}) == 1:
        return now, ""
    return [], "discordant"


def _unknown(claims: list[Claim], reason: str, plain: Plain, original: str) -> AntigenFinding:
    spans = tuple(_span(c, plain) for c in claims[:4])
    return AntigenFinding(
        AntigenState.UNKNOWN, tuple(original[a:b] for a, b in spans), spans, reason=reason or "named"
    )


def _span(claim: Claim, plain: Plain) -> tuple[int, int]:
    return plain.back(claim.start), plain.back(max(claim.end - 1, claim.start)) + 1


def _finding(value: str, claims: list[Claim], plain: Plain, original: str, stated: Method) -> AntigenFinding:
    spans = tuple(dict.fromkeys(_span(c, plain) for c in claims))
    first = claims[0]
    return AntigenFinding(
        _STATES[value],
        tuple(original[a:b] for a, b in spans),
        spans,
        method=_METHODS.get(first.method, stated),
        percent=next((c.percent for c in claims if c.percent), ""),
        h_score=next((c.h_score for c in claims if c.h_score), ""),
        intensity=next((c.intensity for c in claims if c.intensity), ""),
        clone=next((c.clone for c in claims if c.clone), ""),
        band=all(c.band for c in claims),
    )
