"""The route of one option for one patient: the table's route, narrowed by facts that exclude and by the
targets.

Sources: rules 11.12 and 11.21 (pregnancy, label age), CD-7 to CD-9 and 11.10 (targets), 11.17 (combinations,
checkpoint inhibitors), 6 (BCR::ABL1 and KMT2A); knowledge README.
"""

from __future__ import annotations

from dataclasses import dataclass

from mappings.deciding.options_checks import Checks
from mappings.deciding.options_plan import CD19, MARKERS, PlannedOption, Scope, Situation, is_essential
from mappings.deciding.options_words import Quotes, one_line
from mappings.evaluation import Assessment, Branch, RelapseCategory, Route
from mappings.facts import AntigenState, SafetyFact
from mappings.loading import AgeLimit

_CHECKPOINT = "checkpoint-inhibitor"
_OPEN = frozenset({Route.CONSIDER, Route.SPECIALIST, Route.NEEDS_RESULT})


_T_CELL_WHY = {
    "testing": "New T-cell malignancy after CAR T: tissue decides; report it and test for the transgene"
}
_T_CELL_ELSE = "New T-cell malignancy after CAR T: valid in any case"
_TARGET_OPEN = "Needs product and target of the CAR T cells first"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Route, one-line reason, the rule it rests on, and notes that came with it."""

    route: Route
    why: str
    rule: str
    notes: tuple[str, ...] = ()


def judge(
    planned: PlannedOption, assessment: Assessment, situation: Situation, quotes: Quotes, checks: Checks
) -> Verdict:
    """The route of an option: first what rules it out, then what is missing, then what narrows it."""
    if assessment.branch is Branch.T_CELL_MALIGNANCY:
        return Verdict(planned.route, _T_CELL_WHY.get(planned.option.kind, _T_CELL_ELSE), "7.2")
    notes = _notes(planned, quotes, assessment)
    verdict = (
        _closed(planned, situation, quotes)
        or _excluded(planned, checks)
        or (_by_age(planned, assessment, situation) if planned.limits else None)
        or _by_absent_target(planned, quotes)
        or (_by_missing_marker(planned, checks) if planned.markers else None)
        or _by_missing_target(planned, assessment, quotes)
        or _standing(planned, assessment, situation, quotes, checks)
    )
    return Verdict(verdict.route, verdict.why, verdict.rule, notes) if notes else verdict


def _closed(planned: PlannedOption, situation: Situation, quotes: Quotes) -> Verdict | None:
    """What the table itself rules out: target absent, lineage switched, nothing to say."""
    if planned.route in _OPEN:
        return None
    if situation.category is RelapseCategory.LINEAGE_SWITCH:
        return Verdict(planned.route, planned.reason, "CD-10")
    if planned.route is Route.NOT_SUITABLE and CD19 in planned.present:
        return Verdict(planned.route, f"{quotes.of(CD19)}: target reported absent", "CD-8")
    return Verdict(planned.route, planned.reason, "9.5")


def _excluded(planned: PlannedOption, checks: Checks) -> Verdict | None:
    """Facts that exclude (rules 11.12); only one that is present now does."""
    for exclusion in planned.option.excluded_by:
        for fact in checks.fact(exclusion.fact):
            if fact.state == "present":
                why = f"Current {exclusion.fact.replace('-', ' ')} on record: {_dated(fact)}"
                return Verdict(Route.NOT_SUITABLE, why, "11.12")
    return None


def _dated(fact: SafetyFact) -> str:
    shown = fact.when.display() if fact.when is not None else "date not known"
    return f"{one_line(fact.value, 100)}, {shown}"


def _by_age(planned: PlannedOption, assessment: Assessment, situation: Situation) -> Verdict | None:
    """Outside the label age in every region shown (rules 11.12, 11.21); a region without a limit excludes
    nobody.
    """
    age = assessment.age_years
    limits = [limit for limit in planned.limits if limit.agent is None]
    if age is None or not limits:
        return None
    barring = [_barring(limits, region, age) for region in situation.regions]
    if not all(barring):
        return None
    said = ", ".join(
        f"{region} {_limit_words(limit)}"
        for region, limit in zip(situation.regions, barring, strict=True)
        if limit
    )
    return Verdict(Route.NOT_SUITABLE, f"Age {age} years: label age {said}", "11.12")


def _barring(limits: list[AgeLimit], region: str, age: int) -> AgeLimit | None:
    return next((limit for limit in limits if limit.region == region and _bars(limit, age)), None)


def _bars(limit: AgeLimit, age: int) -> bool:
    too_young = (
        limit.min_age is not None and age + 1 <= limit.min_age if _months(limit) else _below(limit, age)
    )
    return too_young or (limit.max_age is not None and age > limit.max_age)


def _months(limit: AgeLimit) -> bool:
    return limit.min_age is not None and limit.min_age != int(limit.min_age)


def _below(limit: AgeLimit, age: int) -> bool:
    return limit.min_age is not None and age < limit.min_age


def _limit_words(limit: AgeLimit) -> str:
    if limit.min_age is not None and limit.max_age is not None:
        return f"{limit.min_age:g} to {limit.max_age:g} years"
    return f"from {limit.min_age:g} years" if limit.min_age is not None else f"up to {limit.max_age:g} years"


def _by_absent_target(planned: PlannedOption, quotes: Quotes) -> Verdict | None:
    for antigen in planned.axis:
        if quotes.state(antigen) is AntigenState.NEGATIVE:
            return Verdict(Route.NOT_SUITABLE, f"{quotes.of(antigen)}: target reported absent", "CD-9")
    dual = planned.by_protocol
    if len(dual) > 1 and all(quotes.state(antigen) is AntigenState.NEGATIVE for antigen in dual):
        said = "; ".join(quotes.of(antigen) for antigen in dual)
        return Verdict(Route.NOT_SUITABLE, f"{said}: both targets reported absent", "11.12")
    return None


def _by_missing_marker(planned: PlannedOption, checks: Checks) -> Verdict | None:
    """A drug for one genetic marker: only where the chart names the marker (rules 6, B-ALL)."""
    for fact in planned.markers:
        label = MARKERS[fact]
        states = {seen.state for seen in checks.fact(fact)}
        if states == {"absent"}:
            said = _dated(checks.fact(fact)[0])
            return Verdict(Route.NOT_SUITABLE, f"{label} reported negative: {said}", "11.12")
        if states != {"present"}:
            return Verdict(Route.NEEDS_RESULT, f"Needs a {label} result: none was read in the chart", "6.4")
    return None


def _by_missing_target(planned: PlannedOption, assessment: Assessment, quotes: Quotes) -> Verdict | None:
    if planned.route is Route.NEEDS_RESULT and CD19 in planned.present:
        if _target_open(assessment) and quotes.state(CD19) is not AntigenState.UNKNOWN:
            return Verdict(Route.NEEDS_RESULT, f"{_TARGET_OPEN}: {quotes.of(CD19)}", "11.7")
        return Verdict(Route.NEEDS_RESULT, f"Needs a CD19 result: {quotes.gap(CD19)}", "CD-7")
    for antigen in planned.axis:
        if quotes.state(antigen) is AntigenState.UNKNOWN:
            return Verdict(Route.NEEDS_RESULT, f"Needs a {antigen} result: {quotes.gap(antigen)}", "CD-9")
    return None


def _standing(
    planned: PlannedOption, assessment: Assessment, situation: Situation, quotes: Quotes, checks: Checks
) -> Verdict:
    """The table's own route where nothing rules it out; dim CD20 or CD22 narrows it (rules 11.10)."""
    route = _checkpoint_route(planned, assessment, situation)
    axis = planned.axis
    for antigen in axis:
        if quotes.state(antigen) is AntigenState.LOW_OR_PARTIAL and route is Route.CONSIDER:
            why = f"{quotes.of(antigen)}: dim or partial target, no accepted cut-off"
            return Verdict(Route.SPECIALIST, why, "11.10")
    if situation.category is RelapseCategory.LINEAGE_SWITCH:
        return Verdict(route, planned.reason, "CD-10")
    if planned.markers:
        said = "; ".join(
            f"{MARKERS[name]} on record: {_dated(checks.fact(name)[0])}" for name in planned.markers
        )
        return Verdict(route, said, "6.4")
    if axis:
        return Verdict(route, f"{quotes.of(axis[0])}. {_without_axis(planned)}", "CD-9")
    return _by_cd19(planned, route, assessment, situation, quotes)


def _without_axis(planned: PlannedOption) -> str:
    return planned.reason.split(" A missing CD19 result")[0]


def _target_open(assessment: Assessment) -> bool:
    """CAR T cells were given, their target is not recorded (rules 11.7)."""
    return assessment.category is RelapseCategory.INSUFFICIENT_DATA


def _by_cd19(
    planned: PlannedOption, route: Route, assessment: Assessment, situation: Situation, quotes: Quotes
) -> Verdict:
    option = planned.option
    if option.kind in ("clinical-trial", "supportive"):
        return Verdict(route, planned.reason, "EN-4")
    if option.kind == "testing":
        missing = quotes.state(CD19) is AntigenState.UNKNOWN and not _outside(planned, situation)
        missing = missing and situation.category is RelapseCategory.CD19_UNKNOWN
        said = f"{planned.reason.rstrip('.')}: {quotes.gap(CD19)}" if missing else planned.reason
        return Verdict(route, said, "EN-4")
    if CD19 in planned.present:
        rule = "CD-4" if situation.category is RelapseCategory.CD19_LOW_OR_PARTIAL else "CD-1"
        return Verdict(route, f"{quotes.of(CD19)}. {planned.reason}", rule)
    if planned.by_protocol:
        said = "; ".join(quotes.of(antigen) for antigen in planned.by_protocol)
        if CD19 in planned.by_protocol and _target_open(assessment):
            return Verdict(route, f"CAR T target not recorded; {said}", "11.7")
        return Verdict(route, f"{planned.reason} {said}", "11.17" if option.kind == _CHECKPOINT else "9.5")
    return Verdict(route, f"{planned.reason.rstrip('.')} ({quotes.of(CD19)})", "9.4")


def _outside(planned: PlannedOption, situation: Situation) -> bool:
    return situation.scope is not Scope.FULL and is_essential(planned.option)


def _checkpoint_route(planned: PlannedOption, assessment: Assessment, situation: Situation) -> Route:
    """Outside PMBCL never freer with CD19 unknown than with CD19 low (rules 11.17), also under an overlay."""
    route = planned.route
    if (
        planned.option.kind != _CHECKPOINT
        or assessment.pmbcl
        or situation.category is not RelapseCategory.CD19_UNKNOWN
    ):
        return route
    row = planned.option.route_to_category.get(RelapseCategory.CD19_LOW_OR_PARTIAL)
    order = list(Route)
    return max(route, Route(row.route), key=order.index) if row is not None else route


def _notes(planned: PlannedOption, quotes: Quotes, assessment: Assessment) -> tuple[str, ...]:
    if not planned.limits and not planned.option.notes_when:
        return ()
    notes: list[str] = []
    for note in planned.option.notes_when:
        antigen, _, state = note.when.partition("-")
        if quotes.state(antigen) == state:
            notes.append(f"{note.when.replace('-', ' ', 1)}: {note.text}.")
    notes += _age_notes(planned, assessment)
    return tuple(notes)


def _age_notes(planned: PlannedOption, assessment: Assessment) -> list[str]:
    """Label ages that concern this patient without ruling the whole option out (rules 11.21)."""
    limits = planned.limits
    if not limits:
        return []
    age = assessment.age_years
    if age is None:
        said = dict.fromkeys(f"{limit.region} {_limit_words(limit)}" for limit in limits)
        return [f"Age not known; label age {', '.join(said)}."]
    barring = [limit for limit in limits if _bars(limit, age)]
    said = dict.fromkeys(
        f"{limit.agent or 'label age'} {limit.region} {_limit_words(limit)}" for limit in barring
    )
    return [f"Patient is {age} years: {', '.join(said)}."] if said else []
