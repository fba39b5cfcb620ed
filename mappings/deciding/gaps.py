"""What is missing for this patient, and what would settle each gap."""

from __future__ import annotations

from mappings.evaluation import (
    Assessment,
    Branch,
    Missing,
    OptionMatch,
    Outcome,
    RelapseCategory,
    Route,
)
from mappings.facts import Antigen, AntigenState, Certainty, Facts

SILENT = frozenset(
    {
        RelapseCategory.DECEASED,
        RelapseCategory.NO_LYMPHOID_MALIGNANCY,
        RelapseCategory.NO_CD19_CAR_T,
        RelapseCategory.NO_RELAPSE,
    }
)

# anti-HBs is not HBsAg (terminology), and a DNA count is no serology
_HBV_SEROLOGY = frozenset({"hbsag", "anti-hbc"})


def missing_items(
    assessment: Assessment, facts: Facts, matches: tuple[OptionMatch, ...]
) -> tuple[Missing, ...]:
    """Gaps in the order in which they matter: product, tissue, antigens, dates, serology, types not read."""
    if assessment.category in SILENT and assessment.branch is not Branch.T_CELL_MALIGNANCY:
        return _unseen(facts)
    items: list[Missing] = []
    answers = {step.criterion: step for step in assessment.trail}
    if assessment.anchor is None and answers["cd19-car-t"].rule == "11.7":
        items.append(
            Missing(
                "CAR T product, target and date",
                "ask the treating centre or the cell therapy record",
                "product",
            )
        )
    if assessment.confirmation in (Certainty.STATED, Certainty.SUSPECTED):
        items.append(
            Missing(
                "tissue that confirms the relapse",
                "repeat biopsy or marrow with CD19, CD20 and CD22",
                "tissue",
            )
        )
    relapse = answers["relapse-after-car-t"]
    told = relapse.outcome is Outcome.HOLDS or relapse.rule == "11.11"
    for view in assessment.antigens if told else ():
        if view.state is AntigenState.UNKNOWN and _asked(view.antigen, assessment):
            remedy = (
                "a stain or flow panel on tissue of this relapse, collected after the last therapy against it"
            )
            items.append(Missing(f"{view.antigen.value} on this relapse", remedy, view.antigen.value))
    if answers["relapse-after-car-t"].outcome is Outcome.HOLDS and assessment.timing.relapse_date is None:
        items.append(
            Missing("date of the relapse", "the date of the report or biopsy that showed it", "relapse-date")
        )
    if assessment.anchor is not None and assessment.anchor.first is None:
        items.append(Missing("date of the CAR T infusion", "the cell therapy record", "infusion-date"))
    if facts.patient.source is None:
        items.append(
            Missing("age, sex and death (the Patient resource)", "the patient's own record", "patient")
        )
    if any(
        check.fact == "hbv-serology" and not _HBV_SEROLOGY & {value.fact for value in check.values}
        for match in matches
        if match.route in (Route.CONSIDER, Route.NEEDS_RESULT)
        for check in match.checks
    ):
        items.append(Missing("HBV serology", "HBsAg and anti-HBc before a CD20-directed drug", "hbv"))
    return tuple(items) + _unseen(facts)


def _asked(antigen: Antigen, assessment: Assessment) -> bool:
    """CD22 is asked for in B-ALL and wherever a re-biopsy is advised; CD19 and CD20 always (EN-4)."""
    return antigen is not Antigen.CD20 or assessment.disease_group != "b-all"


def _unseen(facts: Facts) -> tuple[Missing, ...]:
    rows = []
    for row in facts.seen:
        if row.state == "complete" or row.type not in _NEEDED:
            continue
        what = f"{row.type}: {'only part was read' if row.state == 'incomplete' else 'not read'}"
        rows.append(Missing(what, row.reason or "not given", "unseen"))
    return tuple(rows)


_NEEDED = frozenset(
    {"Patient", "Condition", "Procedure", "MedicationAdministration", "Observation", "DiagnosticReport"}
)
