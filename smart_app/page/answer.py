"""The answer at the head of the page: category, day, confirmation, antigens, and the gaps beside it."""

from __future__ import annotations

from dataclasses import dataclass

from cds_hooks import card_lines as lines
from cds_hooks.needs import words_of
from cds_hooks.standing import confirmation_line, confirmation_mark, confirmed_by_user, later_therapy_line
from mappings.dates import days_between, parse_date
from mappings.evaluation import Branch, Evaluation, RelapseCategory
from mappings.facts import CarTInfusion, DiseaseEvent
from mappings.stated import is_stated
from smart_app.page import words
from smart_app.page.chips import Chip, chip_of
from smart_app.page.gaps import Gap, gaps_of
from smart_app.page.view import PageView

_HEADS = {
    RelapseCategory.CD19_POSITIVE: ("CD19-positive relapse", "positive"),
    RelapseCategory.CD19_LOW_OR_PARTIAL: ("Relapse, CD19 low or partial", "low"),
    RelapseCategory.CD19_NEGATIVE: ("CD19-negative relapse", "negative"),
    RelapseCategory.CD19_UNKNOWN: ("Relapse, CD19 unknown", "unknown"),
    RelapseCategory.LINEAGE_SWITCH: ("Lineage switch", "relapse"),
    RelapseCategory.NO_RELAPSE: ("No relapse on record", ""),
    RelapseCategory.NO_CD19_CAR_T: ("No CD19 CAR T on record", ""),
    RelapseCategory.NO_LYMPHOID_MALIGNANCY: ("No lymphoid malignancy on record", ""),
    RelapseCategory.DECEASED: ("Deceased", ""),
    RelapseCategory.INSUFFICIENT_DATA: ("Not enough data", "missing"),
}
_BRANCHES = {
    Branch.T_CELL_MALIGNANCY: "New T-cell malignancy after CAR T on record: a separate question, specialist team first",
    Branch.CNS: "Relapse in the central nervous system: local neuro-oncology practice first",
    Branch.PARTIAL_RESPONSE: "Partial response after CAR T on record: this is no relapse",
}
_ANTIGENS_SHOWN = frozenset(
    {
        RelapseCategory.CD19_POSITIVE,
        RelapseCategory.CD19_LOW_OR_PARTIAL,
        RelapseCategory.CD19_NEGATIVE,
        RelapseCategory.CD19_UNKNOWN,
        RelapseCategory.LINEAGE_SWITCH,
    }
)
_RELAPSES = _ANTIGENS_SHOWN


@dataclass(frozen=True, slots=True)
class SeenRow:
    """What was seen of one resource type, in words."""

    name: str
    state: str
    glyph: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of the page."""

    title: str
    glyph: str
    branch: str
    confirmation: str
    confirmed_by_user: bool
    day: str
    lede: str
    means: str
    notes: tuple[str, ...]
    chips: tuple[Chip, ...]
    gaps: tuple[Gap, ...]
    seen: tuple[SeenRow, ...]
    stated: bool


def build_answer(view: PageView) -> Answer:
    """The head of the page for this evaluation."""
    evaluation = view.evaluation
    assessment = evaluation.assessment
    title, glyph = head_of(evaluation)
    chips = tuple(chip_of(one) for one in assessment.antigens) if shows_antigens(evaluation) else ()
    return Answer(
        title=title,
        glyph=glyph,
        branch=branch_words(evaluation),
        confirmation=confirmation_mark(evaluation) if in_relapse(evaluation) else "",
        confirmed_by_user=confirmed_by_user(assessment),
        day=day_lead(evaluation),
        lede=lede(view),
        means=view.knowledge.categories[assessment.category.value].meaning,
        notes=_notes(view),
        chips=chips,
        gaps=tuple(gaps_of(view.evaluation)),
        seen=seen_rows(evaluation),
        stated=bool(view.statements),
    )


def head_of(evaluation: Evaluation) -> tuple[str, str]:
    """The category as a large label, and the shape that goes with it."""
    assessment = evaluation.assessment
    if assessment.category is RelapseCategory.CD19_UNKNOWN and assessment.antigens[0].discordant:
        return "Relapse, CD19 results disagree", "discordant"
    return _HEADS[assessment.category]


def branch_words(evaluation: Evaluation) -> str:
    """The branch beside the category in words; empty where there is none (rules 7)."""
    branch = evaluation.assessment.branch
    return _BRANCHES[branch] if branch is not None else ""


def shows_antigens(evaluation: Evaluation) -> bool:
    """Whether antigen states belong in the head: with a relapse, or where results count without one."""
    assessment = evaluation.assessment
    if assessment.category is RelapseCategory.DECEASED:
        return False
    return assessment.category in _ANTIGENS_SHOWN or any(view.results for view in assessment.antigens)


def in_relapse(evaluation: Evaluation) -> bool:
    """Whether the category is one of a relapse."""
    return evaluation.assessment.category in _RELAPSES


def today_day(evaluation: Evaluation) -> int | None:
    """Days from the infusion to the moment of judgement."""
    anchor, now = evaluation.assessment.anchor, parse_date(evaluation.as_of)
    return days_between(anchor.first, now) if anchor and anchor.first and now else None


def day_lead(evaluation: Evaluation) -> str:
    """`Day 142`, the day of the relapse after the infusion; today's day where there is no relapse."""
    assessment = evaluation.assessment
    if assessment.anchor is None or assessment.category is RelapseCategory.DECEASED:
        return ""
    if in_relapse(evaluation):
        days = assessment.timing.days
        return f"Day {words.day_words(days)}" if days is not None else "Day not known"
    today = today_day(evaluation)
    return f"Day {today}" if today is not None else "Day not known"


def product_words(view: PageView) -> str:
    """The infused product by its full name; what is stated by the user says so."""
    anchor = view.evaluation.assessment.anchor
    if anchor is None:
        return ""
    concept = view.knowledge.concepts.get(anchor.product)
    if concept is None or any(is_stated(source) for source in anchor.sources):
        return anchor.label or "CD19 CAR T"
    return concept.label


def lede(view: PageView) -> str:
    """One or two sentences after the day: infusion, relapse, disease."""
    evaluation = view.evaluation
    assessment = evaluation.assessment
    parts = []
    if assessment.anchor is not None and assessment.category is not RelapseCategory.DECEASED:
        parts.append(f"after {product_words(view)}, {words.date_words(assessment.anchor.first)}.")
    if in_relapse(evaluation):
        parts.append(confirmation_line(evaluation))
    if assessment.disease is not None:
        parts.append(words.ended(words.upper_first(words.short(assessment.disease.label, 90))))
    return " ".join(parts)


def _notes(view: PageView) -> tuple[str, ...]:
    evaluation = view.evaluation
    assessment = evaluation.assessment
    notes = [one for one in (later_therapy_line(evaluation), lines.branch_line(assessment)) if one]
    response = assessment.timing.response
    if response is not None and response.when is not None:
        notes.append(
            f"Earlier response: {_response_words(evaluation, response)}, {words.date_words(response.when)}."
        )
    elif assessment.timing.primary_refractory:
        notes.append(
            "Refractory disease is stated; no response after the infusion was found in what was read."
        )
    if assessment.anchor is None:
        notes += [_other_infusion(infusion) for infusion in evaluation.facts.infusions[:2]]
    today = today_day(evaluation)
    if in_relapse(evaluation) and today is not None:
        notes.append(f"Chart read on day {today}.")
    return tuple(notes)


def _response_words(evaluation: Evaluation, response: DiseaseEvent) -> str:
    """A response as charted; where the chart has a code and no words, as the course names it."""
    if response.words:
        return words.short(response.words, 80)
    entry = next((one for one in evaluation.timeline if one.source == response.source), None)
    if entry is None:
        return response.kind.value.replace("-", " ")
    return words.short(", ".join(part for part in (entry.label, entry.detail) if part), 80)


def _other_infusion(infusion: CarTInfusion) -> str:
    target = (
        f"its target is {words.joined(list(infusion.targets))}"
        if infusion.targets
        else "its target is not recorded"
    )
    label = words.short(infusion.label, 60) or "product not named"
    return f"A CAR T infusion is on record, {target}: {label}, {words.date_words(infusion.first)}."


def seen_rows(evaluation: Evaluation) -> tuple[SeenRow, ...]:
    """Every resource type that was asked for, with how much of it was read; unread is never none (H-08)."""
    rows = []
    for seen in evaluation.facts.seen:
        name = words.upper_first(words_of(seen.type))
        if seen.state == "complete":
            rows.append(SeenRow(name, f"read in full, {words.counted(seen.count, 'record')}", "value"))
        elif seen.state == "incomplete":
            reason = words.short(seen.reason, 90)
            rows.append(SeenRow(name, f"read in part: {reason or 'cut short'}", "missing"))
        else:
            rows.append(SeenRow(name, f"not read: {words.short(seen.reason, 90) or 'not given'}", "missing"))
    return tuple(rows)
