"""Options for this patient: each with its route, the one line of reason, and what to check first. Never a
ranking.

Sources: knowledge README ("Reading options"), rules CD-7 to CD-10, 6, 7, 9, 11.7, 11.10, 11.12, 11.16, 11.17,
11.21, 11.22. The route starts from the catalogue's table for the category; a patient's result may only narrow
it.

A target that must be present and has no valid result makes `consider` and `specialist` alike `needs-result`:
CD-9 asks for the same logic as CD-7, and the catalogue does so for CD19. Reported negative makes `not-
suitable`; low or partial makes `consider` `specialist`. Where the trial decides (`protocol-specific`) the
route stays, unless both targets of a dual product are reported absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mappings.dates import ClinicalDate
from mappings.deciding.options_checks import Checks
from mappings.deciding.options_plan import AgeGroup, PlannedOption, Scope, Situation, is_essential, plan_for
from mappings.deciding.options_verdict import Verdict, judge
from mappings.deciding.options_words import Quotes, one_line
from mappings.evaluation import Assessment, Branch, Check, OptionMatch, RelapseCategory, Route
from mappings.facts import CarTInfusion, CarTKnowledge, Certainty, Facts, PriorTherapy
from mappings.loading import Knowledge

_RELAPSE = frozenset(
    {
        RelapseCategory.CD19_POSITIVE,
        RelapseCategory.CD19_LOW_OR_PARTIAL,
        RelapseCategory.CD19_NEGATIVE,
        RelapseCategory.CD19_UNKNOWN,
        RelapseCategory.LINEAGE_SWITCH,
    }
)
_ANSWERED = frozenset({RelapseCategory.NO_RELAPSE, RelapseCategory.INSUFFICIENT_DATA})
_ROUTES = {route: rank for rank, route in enumerate(Route)}
_ADULT_FROM = 18  # as in the label "adults" of rules 11.12
_CNS_NOTE = "Isolated CNS relapse: refer to local neuro-oncology practice first."
_OUTSIDE_NOTE = "The disease lies outside the rule set: no figures are shown."
_HISTOLOGY_NOTE = "Histology is needed before other options can be named."
_T_CELL_NOTE = "New T-cell malignancy after CAR T: a separate question, specialist team first."


def match_options(
    assessment: Assessment, facts: Facts, knowledge: Knowledge, regions: tuple[str, ...], as_of: ClinicalDate
) -> tuple[OptionMatch, ...]:
    """Every option that the catalogue holds for this situation, by route and then in the fixed order (rules
    9.1).

    Empty where there is no relapse to treat: no CD19 CAR T, no relapse, deceased, or data that do not answer
    that.
    """
    situation = situation_of(assessment, facts, regions or _all_regions(knowledge))
    if situation is None:
        return ()
    quotes = Quotes(assessment)
    checks = Checks(assessment, facts, knowledge, situation.regions, quotes)
    common = _common_notes(assessment, situation, checks)
    plan = plan_for(knowledge, situation)
    answered = checks.of(plan)
    given = _given(facts)
    matches = [
        _match(planned, judge(planned, assessment, situation, quotes, checks), answered, given, common)
        for planned in plan.options
    ]
    matches.sort(key=lambda match: _ROUTES[match.route])
    return tuple(matches)


def situation_of(assessment: Assessment, facts: Facts, regions: tuple[str, ...]) -> Situation | None:
    """Which table and how much of the catalogue applies; None where no option is named at all."""
    category = _table(assessment, facts)
    if category is None:
        return None
    scope, age = _scope(assessment), age_group(assessment)
    return Situation(category, assessment.disease_group, scope, age, regions, assessment.pmbcl)


def _table(assessment: Assessment, facts: Facts) -> RelapseCategory | None:
    category = assessment.category
    if category is RelapseCategory.DECEASED or assessment.branch is Branch.PARTIAL_RESPONSE:
        return None
    if category in _RELAPSE:
        return category
    if assessment.branch is Branch.T_CELL_MALIGNANCY and category in _ANSWERED:
        return RelapseCategory.CD19_UNKNOWN
    # rules 11.7: infusion known, target not recorded, and a relapse to treat
    target_open = assessment.anchor is None and any(
        infusion.knowledge is CarTKnowledge.TARGET_UNKNOWN for infusion in facts.infusions
    )
    relapse = assessment.confirmation is not Certainty.NONE
    if category is RelapseCategory.INSUFFICIENT_DATA and target_open and relapse:
        return RelapseCategory.CD19_UNKNOWN
    return None


def _scope(assessment: Assessment) -> Scope:
    if assessment.branch is Branch.T_CELL_MALIGNANCY or assessment.disease is None:
        return Scope.ESSENTIAL
    if assessment.disease_group == "richter" and "hodgkin" not in _entity(assessment):
        return Scope.ANALOGY
    return Scope.FULL if assessment.disease_scope == "in" else Scope.ESSENTIAL


def _entity(assessment: Assessment) -> str:
    disease = assessment.disease
    return f"{disease.label} {disease.source.quote}".lower().replace("non-hodgkin", "") if disease else ""


def age_group(assessment: Assessment) -> AgeGroup:
    """Adult, child or unknown, by the age on the day of the evaluation (rules 6)."""
    age = assessment.age_years
    if age is None:
        return AgeGroup.UNKNOWN
    return AgeGroup.ADULT if age >= _ADULT_FROM else AgeGroup.CHILD


def _all_regions(knowledge: Knowledge) -> tuple[str, ...]:
    """Without a site both regions are shown (rules 11.22)."""
    return tuple(sorted({row.region for option in knowledge.options for row in option.status}, reverse=True))


def _common_notes(assessment: Assessment, situation: Situation, checks: Checks) -> dict[str, tuple[str, ...]]:
    """Notes that go with every option, with every CAR T option, and with the three that are always right."""
    every: list[str] = []
    if assessment.branch is Branch.T_CELL_MALIGNANCY:
        every.append(_T_CELL_NOTE)
    elif assessment.branch is Branch.CNS:
        every.append(_CNS_NOTE)
    essential: list[str] = []
    if situation.scope is not Scope.FULL and assessment.branch is not Branch.T_CELL_MALIGNANCY:
        known = assessment.disease is not None and assessment.disease_scope != "unspecified"
        essential.append(_OUTSIDE_NOTE if known else _HISTOLOGY_NOTE)
    car_t = [
        f"{one_line(fact.value, 100)}: recent bendamustine hurts later CAR T (rules 6)."
        for fact in checks.fact("prior-bendamustine")
    ]
    return {"every": tuple(every), "essential": tuple(essential), "car-t": tuple(car_t)}


def _match(
    planned: PlannedOption,
    verdict: Verdict,
    answered: Sequence[Check],
    given: Sequence[_Given],
    common: dict[str, tuple[str, ...]],
) -> OptionMatch:
    option = planned.option
    notes = common["every"] + verdict.notes + planned.notes + common.get(option.kind, ())
    if is_essential(option):
        notes += common["essential"]
    return OptionMatch(
        option=option.id,
        label=option.label,
        short_name=option.short_name,
        card_group=option.card_group,
        kind=option.kind,
        route=verdict.route,
        why=verdict.why,
        rule=verdict.rule,
        checks=planned.pick(answered),
        notes=notes,
        evidence=planned.evidence,
        status=planned.status,
        boxed=planned.boxed,
        must_say=planned.must_say,
        given_before=_given_before(planned, given),
        no_evidence=not planned.evidence,
    )


@dataclass(frozen=True, slots=True)
class _Given:
    """A treatment the patient has had, by therapy id or by the targets of its CAR."""

    therapy: str
    targets: tuple[str, ...]
    text: str


def _given(facts: Facts) -> list[_Given]:
    rows = [_Given(t.therapy, (), f"{t.label}, {_span(t)}") for t in facts.therapies if t.administered]
    for infusion in (*facts.infusions, *facts.other_cellular):
        targets = tuple(sorted(infusion.targets))
        rows.append(_Given(infusion.product, targets, f"{infusion.label}, {_infused(infusion)}"))
    return rows


def _given_before(planned: PlannedOption, given: Sequence[_Given]) -> str:
    """What of this option the patient has had, with dates; a fact to weigh, it changes no route."""
    contained, car_targets = planned.contained, planned.car_targets
    if not contained:
        return ""
    parts = [row.text for row in given if row.therapy in contained or row.targets in car_targets]
    return "; ".join(dict.fromkeys(parts)) if parts else ""


def _span(therapy: PriorTherapy) -> str:
    first, last = therapy.first, therapy.last
    if first is None:
        return "date not known"
    if last is None or last.display() == first.display():
        return first.display()
    return f"{first.display()} to {last.display()}"


def _infused(infusion: CarTInfusion) -> str:
    return infusion.first.display() if infusion.first is not None else "date not known"
