"""From one `Evaluation` to at most three cards: words and shape, never a clinical decision (invariant 2)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from cds_hooks import card_lines as lines
from cds_hooks.card_options import option_lines
from cds_hooks.extension import NAME, extension
from cds_hooks.names import CardNames
from cds_hooks.plain import plain
from cds_hooks.remark_words import remark_line
from cds_hooks.standing import confirmation_line, later_therapy_line, specimens_unread
from mappings.evaluation import Assessment, Branch, Evaluation, RelapseCategory
from mappings.facts import Antigen, AntigenState, Certainty

MAX_SUMMARY = 139
MAX_DETAIL = 3600
MAX_CARDS = 3
_MORE = "- More stands in the full evaluation."

SILENT = frozenset(
    {
        RelapseCategory.NO_LYMPHOID_MALIGNANCY,
        RelapseCategory.NO_CD19_CAR_T,
        RelapseCategory.NO_RELAPSE,
        RelapseCategory.DECEASED,
    }
)

_HL7_REASONS = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
_OWN_REASONS = "https://postcart.org/fhir/CodeSystem/override-reason"
OVERRIDE_REASONS: tuple[dict[str, str], ...] = (
    {"code": "need-more-info", "system": _HL7_REASONS, "display": "Will review, need more information"},
    {"code": "action-completed", "system": _HL7_REASONS, "display": "Already decided or done"},
    {"code": "patient-contraindication", "system": _HL7_REASONS, "display": "Not suitable for this patient"},
    {"code": "patient-refuses", "system": _HL7_REASONS, "display": "Patient declines"},
    {
        "code": "does-not-align-latest-evidence",
        "system": _HL7_REASONS,
        "display": "Does not fit newer evidence",
    },
    {"code": "chart-misread", "system": _OWN_REASONS, "display": "The chart was read wrongly"},
)
"""HL7 codes where one fits, display texts of our own (CDS Hooks 3.0.0-ballot, non-adherence reasons)."""


@dataclass(frozen=True, slots=True)
class Card:
    """The words of one card; `kind` is a closed label for counting, `suggests`: a test may be offered on it."""

    kind: str
    summary: str
    detail: str
    indicator: str = "info"
    suggests: bool = False


def build_cards(evaluation: Evaluation, names: CardNames, notes: tuple[str, ...] = ()) -> tuple[Card, ...]:
    """The cards this evaluation calls for; empty is the normal case (hazard H-43).

    `notes` are sentences of ours about how the chart was read, said beside what was not seen.
    """
    assessment = evaluation.assessment
    if assessment.category is RelapseCategory.DECEASED:
        return ()
    cards = []
    if assessment.branch is Branch.T_CELL_MALIGNANCY:
        cards.append(_t_cell_card(evaluation, names, notes))
    if assessment.category is RelapseCategory.INSUFFICIENT_DATA:
        cards.append(_gap_card(evaluation, names, notes))
    elif assessment.category not in SILENT:
        cards.append(_relapse_card(evaluation, names, notes))
    return tuple(cards[:MAX_CARDS])


def card_json(evaluation: Evaluation, card: Card, source_url: str, card_id: str) -> dict[str, Any]:
    """One card as CDS Hooks wants it, with the override reasons and the extension."""
    return {
        "uuid": card_id,
        "summary": card.summary,
        "detail": card.detail,
        "indicator": card.indicator,
        "source": {
            "label": f"postcart, knowledge {plain(evaluation.knowledge.version, 24)}",
            "url": source_url,
        },
        "overrideReasons": [dict(reason) for reason in OVERRIDE_REASONS],
        "extension": {NAME: extension(evaluation)},
    }


def response_json(
    evaluation: Evaluation, cards: tuple[Card, ...], source_url: str, opened: bool
) -> dict[str, Any]:
    """A whole hook response; with `opened` the extension also stands at the response's own level."""
    response: dict[str, Any] = {
        "cards": [card_json(evaluation, card, source_url, str(uuid.uuid4())) for card in cards]
    }
    if opened:
        response["extension"] = {NAME: extension(evaluation)}
    return response


def _relapse_card(evaluation: Evaluation, names: CardNames, notes: tuple[str, ...]) -> Card:
    assessment = evaluation.assessment
    lead = [confirmation_line(evaluation), *lines.result_lines(assessment)]
    if assessment.confirmation is Certainty.CONFIRMED:
        lead = [*lead[1:], lead[0]]
    lead.append(later_therapy_line(evaluation))
    if assessment.category is RelapseCategory.LINEAGE_SWITCH:
        lead.insert(
            0, "Lineage switch: confirm the lineage; B-cell antigens no longer lead the choice of therapy."
        )
    branch = lines.branch_line(assessment)
    if branch:
        lead.insert(0, branch)
    infusion = lines.infusion_line(assessment.anchor, names)
    prompt = _testing_line(assessment)
    items = [
        remark_line("Set aside", assessment.set_aside),
        remark_line("Conflict", assessment.conflicts),
        *prompt,
        *lines.missing_lines(assessment, bool(prompt)),
        *lines.unseen_lines(evaluation),
        *notes,
        lines.monitoring_line(evaluation),
        *option_lines(evaluation, names),
        remark_line("Not readable", assessment.unread),
        remark_line("Note", tuple(one for one in assessment.remarks if one.code != "invalid")),
    ]
    switch = assessment.category is RelapseCategory.LINEAGE_SWITCH
    return Card(
        kind=assessment.category.value,
        summary=_fitted(_relapse_head(assessment, names), _relapse_extras(evaluation)),
        detail=card_detail([*lead, infusion], items, lines.closing_line(evaluation)),
        indicator="warning" if switch else "info",
        suggests=True,
    )


def _testing_line(assessment: Assessment) -> list[str]:
    """The biopsy prompt where CD19 is unknown or only imaging speaks for relapse (rules EN-2, CD-7)."""
    if assessment.category is RelapseCategory.CD19_UNKNOWN:
        return ["To settle CD19: repeat biopsy or marrow with CD19, CD20 and CD22."]
    if assessment.confirmation is Certainty.SUSPECTED:
        return ["To confirm: repeat biopsy or marrow with CD19, CD20 and CD22."]
    return []


_HEADS = {
    RelapseCategory.CD19_POSITIVE: "CD19-positive",
    RelapseCategory.CD19_LOW_OR_PARTIAL: "CD19 low or partial",
    RelapseCategory.CD19_NEGATIVE: "CD19-negative",
    RelapseCategory.CD19_UNKNOWN: "CD19 unknown",
    RelapseCategory.LINEAGE_SWITCH: "Lineage switch",
}


def _relapse_head(assessment: Assessment, names: CardNames) -> str:
    """Category and day count, complete within the first 60 characters (hazard H-47)."""
    head = _HEADS[assessment.category]
    adjective = head.startswith("CD19-")
    if assessment.category is RelapseCategory.LINEAGE_SWITCH:
        event = ""
    elif assessment.confirmation is Certainty.SUSPECTED:
        event = ", suspected relapse" if adjective else " at suspected relapse"
    elif assessment.confirmation is Certainty.MRD:
        event = " at MRD level"
    elif assessment.branch is Branch.CNS:
        event = " CNS relapse" if adjective else " at CNS relapse"
    else:
        event = " relapse" if adjective else " at relapse"
    days = assessment.timing.days
    product = names.infusion(assessment.anchor)
    when = f"day {days} after {product}" if days is not None else f"after {product}, day not known"
    return f"{head}{event}, {when}."


def _relapse_extras(evaluation: Evaluation) -> list[str]:
    assessment = evaluation.assessment
    extras = []
    cd19 = assessment.antigen(Antigen.CD19)
    if cd19.preliminary:
        extras.append("Preliminary result.")
    if assessment.confirmation is Certainty.SUSPECTED:
        unread = specimens_unread(evaluation)
        extras.append("Not confirmed in what was read." if unread else "Not confirmed by tissue.")
    elif assessment.confirmation is Certainty.MRD:
        extras.append("Below morphological relapse.")
    if assessment.branch is Branch.CNS and assessment.confirmation in (Certainty.SUSPECTED, Certainty.MRD):
        extras.append("CNS relapse.")
    if assessment.disease is not None and assessment.disease_scope in ("outside", "excluded"):
        extras.append("Disease outside the rule set.")
    if cd19.discordant:
        extras.append("Results disagree.")
    if cd19.band:
        extras.append("Rests on a local policy band.")
    if assessment.category is RelapseCategory.CD19_UNKNOWN:
        extras.append("Repeat biopsy with CD19 would settle it.")
    elif assessment.category is not RelapseCategory.LINEAGE_SWITCH:
        cd20 = assessment.antigen(Antigen.CD20)
        if cd20.state is not AntigenState.UNKNOWN:
            extras.append(f"CD20 {lines.STATE_WORDS[cd20.state]}.")
    extras += [f"Missing: {words}." for words in lines.missing_words(assessment)[:1]]
    return extras


def _t_cell_card(evaluation: Evaluation, names: CardNames, notes: tuple[str, ...]) -> Card:
    facts = evaluation.facts
    sources = [seen.source for seen in facts.t_cell_malignancy]
    quotes = [f"“{plain(source.quote, 90)}”" for source in sources if source.quote][:2]
    anchor = evaluation.assessment.anchor
    found = f"The chart names a T-cell malignancy: {'; '.join(quotes)}." if quotes else ""
    infused = f"CAR T: {names.infusion(anchor)}, infused {lines.shown_date(anchor.first)}." if anchor else ""
    items = [
        "This is not the relapse path: no salvage options follow from it.",
        "To do: confirm by biopsy, test for the CAR transgene, report it, refer to a specialist team.",
        *lines.unseen_lines(evaluation),
        *notes,
    ]
    return Card(
        kind="t-cell-malignancy",
        summary=_fitted(
            f"T-cell malignancy named after {names.infusion(anchor)}.",
            ["Confirm and test for the CAR transgene."],
        ),
        detail=card_detail([found, infused], items, lines.closing_line(evaluation)),
        indicator="warning",
    )


def _gap_card(evaluation: Evaluation, names: CardNames, notes: tuple[str, ...]) -> Card:
    """Says what could not be seen; an empty answer would read as 'no relapse' (rules 11.5, 11.7, 11.8)."""
    assessment = evaluation.assessment
    unseen = lines.unseen_lines(evaluation)
    infusions = evaluation.facts.infusions
    target_open = bool(infusions) and not any(one.cd19_directed for one in infusions)
    if target_open:
        head = "Data incomplete, no category: CAR T on record, product not known."
        lead = (
            "A CAR T infusion is on record without product or target. "
            "Nothing is said about relapse after CD19 CAR T."
        )
        todo = ["To do: enter the CAR T product and the date of infusion in the chart."]
    else:
        head = "Data incomplete, no category given."
        lead = "No relapse category can be given: not seen does not mean absent."
        todo = ["To do: look at the parts named here in the chart, or ask IT to grant them."]
    infusion = assessment.anchor or (infusions[-1] if infusions else None)
    dated = lines.infusion_line(infusion, names)
    items = [
        *unseen,
        *notes,
        *lines.missing_lines(assessment, False),
        *todo,
        remark_line("Set aside", assessment.set_aside),
        remark_line("Conflict", assessment.conflicts),
        lines.monitoring_line(evaluation),
        *option_lines(evaluation, names),
        remark_line("Not readable", assessment.unread),
    ]
    results = [line for line in lines.result_lines(assessment) if any(v.results for v in assessment.antigens)]
    extras = [" ".join(unseen[:1])] if unseen else []
    if infusions and not target_open:
        extras.insert(0, "CD19 CAR T on record.")
    return Card(
        kind=assessment.category.value,
        summary=_fitted(head, extras),
        detail=card_detail([dated, lead, *results], items, lines.closing_line(evaluation)),
    )


def _fitted(head: str, extras: list[str]) -> str:
    """The head and as many whole sentences after it as fit under 140 characters."""
    summary = plain(head, MAX_SUMMARY)
    for extra in extras:
        if len(summary) + 1 + len(extra) <= MAX_SUMMARY:
            summary = f"{summary} {extra}"
    return summary


def card_detail(lead: list[str], items: list[str], closing: str) -> str:
    """Lead, one list, closing line; items give way from the end when the card grows too long to read."""
    start = " ".join(line for line in lead if line)
    kept = [f"- {item}" for item in items if item]
    room = MAX_DETAIL - len(start) - len(closing)
    if sum(len(item) + 1 for item in kept) > room:
        while kept and sum(len(item) + 1 for item in kept) > room - len(_MORE):
            kept.pop()
        kept.append(_MORE)
    return "\n\n".join(part for part in (start, "\n".join(kept), closing) if part)
