"""What stands beside the answer: gaps, conflicts, entries set aside, and what was given before."""

from __future__ import annotations

from dataclasses import dataclass

from cds_hooks.needs import words_of
from mappings.evaluation import Evaluation, Route
from smart_app.page import words

_GAPS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Gap:
    """One line of `Before you decide`: shape, strong words, the rest, and the place on the page that tells more."""

    glyph: str
    kind: str
    lead: str
    rest: str = ""
    anchor: str = ""
    link: str = ""


def gaps_of(evaluation: Evaluation) -> list[Gap]:
    """What is missing, unread, in conflict, set aside or given before, in the order in which it matters."""
    assessment = evaluation.assessment
    gaps = []
    for row in evaluation.facts.seen:
        if row.state != "complete":
            how = "not read" if row.state == "not-seen" else "read in part"
            lead = f"{words.upper_first(words_of(row.type))} {how}."
            gaps.append(Gap("missing", "missing", lead, "Not seen does not mean absent."))
    missing = [item for item in assessment.missing if item.code != "unseen"]
    unsettled = {view.antigen.value for view in assessment.antigens if view.results}
    asked = {code: _asking(evaluation, code) for code in ("hbv", "CD19", "CD20", "CD22")}
    partly = any(row.state != "complete" for row in evaluation.facts.seen)
    nowhere = "not found in what was read" if partly else "not found"
    for item in missing[:_GAPS_SHOWN]:
        count = asked.get(item.code, 0)
        rest = f"{words.counted(count, 'option asks', 'options ask')} for it." if count else ""
        found = "not settled" if item.code in unsettled else nowhere
        gaps.append(Gap("missing", "missing", f"{words.upper_first(item.what)}: {found}.", rest))
    if len(missing) > _GAPS_SHOWN:
        more = f"{words.counted(len(missing) - _GAPS_SHOWN, 'more gap')}."
        gaps.append(Gap("missing", "missing", more, "", "missing", "See all"))
    if assessment.conflicts:
        total = words.counted(len(assessment.conflicts), "conflict")
        gaps.append(Gap("discordant", "conflict", f"{total} in the chart.", "", "conflicts", "Show"))
    if assessment.set_aside:
        total = words.counted(len(assessment.set_aside), "entry", "entries")
        gaps.append(Gap("aside", "aside", f"{total} set aside,", "each with its reason.", "aside", "Why"))
    if assessment.unread:
        total = words.counted(len(assessment.unread), "entry", "entries")
        gaps.append(Gap("missing", "missing", f"{total} not readable.", "", "unread", "Show"))
    given = list(dict.fromkeys(m.given_before.split(",")[0] for m in evaluation.matches if m.given_before))
    if given:
        gaps.append(
            Gap(
                "again",
                "again",
                f"Already given: {words.joined([words.short(g, 40) for g in given[:3]])}.",
                "Dates stand beside the options.",
            )
        )
    return gaps


def _asking(evaluation: Evaluation, code: str) -> int:
    """How many listed options ask for a fact that is missing."""
    fact = "hbv-serology" if code == "hbv" else f"{code.lower()}-status"
    offered = (Route.CONSIDER, Route.NEEDS_RESULT, Route.SPECIALIST)
    return sum(
        1
        for match in evaluation.matches
        if match.route in offered and any(check.fact == fact for check in match.checks)
    )
