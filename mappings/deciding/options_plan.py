"""What of an option's standing does not depend on one patient's data, worked out once per situation.

A situation is a relapse category, a disease group, a scope, an age group and the regions shown. Nothing of a
patient is kept here. Sources: rules 6, 7, 9, 11.16, 11.17, 11.22; knowledge README ("Reading evidence").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from operator import itemgetter
from typing import TYPE_CHECKING

from mappings.evaluation import Check, RelapseCategory, Route

if TYPE_CHECKING:
    from mappings.loading import AgeLimit, CheckBefore, Evidence, Knowledge, Option

NOT_SEEN = "not seen"
CD19 = "CD19"
MARKERS = {"bcr-abl1-status": "BCR::ABL1", "kmt2a-status": "KMT2A"}
_ESSENTIAL = frozenset({"testing", "clinical-trial", "supportive"})
_POST_CAR_T = {"all": 0, "subgroup": 1, "mixed": 2, "none": 3}
_NOT_AVAILABLE = {"not-approved": "Not approved in", "withdrawn": "Withdrawn in"}
_LEUKAEMIA = re.compile(r"\bALL\b|leuk|haematologic", re.IGNORECASE)
_ANALOGY_DISEASE = "lbcl"
_PMBCL = re.compile(r"\bPMBCL\b")
_PLANS_KEPT = 256


class Scope(StrEnum):
    """How much of the catalogue applies: all of it, by analogy from LBCL, or what is right in any case."""

    FULL = "full"
    ANALOGY = "analogy"
    ESSENTIAL = "essential"


class AgeGroup(StrEnum):
    """Whose figures may be shown (H-37)."""

    ADULT = "adult"
    CHILD = "child"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Situation:
    """What selects a plan."""

    category: RelapseCategory
    group: str
    scope: Scope
    age: AgeGroup
    regions: tuple[str, ...]
    pmbcl: bool = False


@dataclass(frozen=True, slots=True)
class PlannedOption:
    """One option in one situation, before the patient's results are looked at."""

    option: Option
    route: Route
    reason: str
    present: tuple[str, ...]
    by_protocol: tuple[str, ...]
    evidence: tuple[str, ...]
    status: tuple[dict[str, object], ...]
    boxed: tuple[dict[str, object], ...]
    must_say: tuple[dict[str, object], ...]
    notes: tuple[str, ...]
    contained: frozenset[str]
    car_targets: frozenset[tuple[str, ...]]
    axis: tuple[str, ...]
    markers: tuple[str, ...]
    limits: tuple[AgeLimit, ...]
    pick: Callable[[Sequence[Check]], tuple[Check, ...]]


@dataclass(frozen=True, slots=True)
class CheckSource:
    """Where the answer to one check fact is found, and which checks of the plan ask for it."""

    fact: str
    names: tuple[str, ...]
    of_antigens: bool
    antigens: tuple[str, ...]
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All options of a situation in the fixed order of display (rules 9.1)."""

    knowledge: Knowledge
    options: tuple[PlannedOption, ...]
    checks: tuple[Check, ...]
    sources: tuple[CheckSource, ...]


_plans: dict[tuple[int, Situation], Plan] = {}


def plan_for(knowledge: Knowledge, situation: Situation) -> Plan:
    """The plan of a situation; kept for the next patient in the same one (bounded, no patient data)."""
    key = (id(knowledge), situation)
    plan = _plans.get(key)
    if plan is None or plan.knowledge is not knowledge:
        if len(_plans) >= _PLANS_KEPT:
            _plans.clear()
        plan = _make(knowledge, situation)
        _plans[key] = plan
    return plan


def is_essential(option: Option) -> bool:
    """Re-biopsy, trial search and supportive care: right in every disease (rules 11.16)."""
    return option.kind in _ESSENTIAL


def _make(knowledge: Knowledge, situation: Situation) -> Plan:
    """The plan itself; each check is held once, options point at theirs by number."""
    options = [o for o in knowledge.options if _applies(o, situation) and not is_barred(o)]
    checks: dict[Check, int] = {}
    for option in options:
        for row in option.check_before:
            checks.setdefault(_unanswered(row), len(checks))
    places: dict[str, list[int]] = {}
    for check, place in checks.items():
        places.setdefault(check.fact, []).append(place)
    return Plan(
        knowledge,
        tuple(_plan_one(option, knowledge, situation, checks) for option in options),
        tuple(checks),
        tuple(_source(fact, tuple(where), knowledge) for fact, where in places.items()),
    )


def _source(fact: str, places: tuple[int, ...], knowledge: Knowledge) -> CheckSource:
    known = knowledge.checks.get(fact)
    names = tuple(dict.fromkeys((fact, *(known.concepts if known is not None else ()))))
    antigens = (known.antigen,) if known is not None and known.antigen else ()
    return CheckSource(fact, names, known is not None and known.source == "antigen", antigens, places)


def _unanswered(row: CheckBefore) -> Check:
    return Check(row.fact, row.why, row.seen, row.citation_id, NOT_SEEN)


def _picker(places: Sequence[int]) -> Callable[[Sequence[Check]], tuple[Check, ...]]:
    if len(places) > 1:
        return itemgetter(*places)
    return lambda checks: tuple(checks[place] for place in places)


def is_barred(option: Option) -> bool:
    """An option never shown as one: a binding note and no category in which it fits (rules 9.5)."""
    return option.not_an_option_note is not None and all(
        row.route == Route.NOT_SUITABLE for row in option.route_to_category.values()
    )


def _applies(option: Option, situation: Situation) -> bool:
    if situation.scope is Scope.ESSENTIAL or is_essential(option):
        return is_essential(option)
    if situation.scope is Scope.ANALOGY:
        return _ANALOGY_DISEASE in option.diseases
    return situation.group in option.diseases


def _plan_one(
    option: Option, knowledge: Knowledge, situation: Situation, checks: dict[Check, int]
) -> PlannedOption:
    row = option.route_to_category.get(situation.category)
    route = Route(row.route) if row else Route.OUT_OF_SCOPE
    notes = [option.not_an_option_note] if option.not_an_option_note else []
    notes += _availability(option, situation.regions)
    if situation.scope is Scope.ANALOGY and not is_essential(option):
        route = Route.SPECIALIST if route is Route.CONSIDER else route
        notes.append("By analogy: evidence is from LBCL, no figures are shown.")
    evidence = _evidence(option, knowledge, situation)
    present = tuple(t.antigen for t in option.targets if t.must_be == "present")
    switched = situation.category is RelapseCategory.LINEAGE_SWITCH
    statements = [(dict(asdict(said)), said.boxed) for said in option.must_say]
    return PlannedOption(
        option=option,
        route=route,
        reason=row.reason if row else "The rule set has nothing to say.",
        present=present,
        by_protocol=tuple(t.antigen for t in option.targets if t.must_be == "protocol-specific"),
        evidence=evidence,
        status=tuple(asdict(s) for s in option.status if s.region in situation.regions),
        boxed=tuple(said for said, boxed in statements if boxed),
        must_say=tuple(said for said, boxed in statements if not boxed),
        notes=tuple(notes),
        contained=frozenset(option.contains),
        car_targets=_car_targets(option, knowledge),
        axis=() if switched else tuple(antigen for antigen in present if antigen != CD19),
        markers=tuple(c.fact for c in option.check_before if c.fact in MARKERS),
        limits=tuple(limit for limit in option.age_limits if limit.region in situation.regions),
        pick=_picker([checks[_unanswered(row)] for row in option.check_before]),
    )


def _car_targets(option: Option, knowledge: Knowledge) -> frozenset[tuple[str, ...]]:
    """Targets of the CAR T kinds an option contains; not CD19 alone, which every patient here has had."""
    found = set()
    for name in option.contains:
        concept = knowledge.concepts.get(name)
        if concept is not None and concept.kind == "car-t-target-known":
            found.add(tuple(sorted(concept.names("targets"))))
    return frozenset(found - {("CD19",), ()})


def _availability(option: Option, regions: tuple[str, ...]) -> list[str]:
    """A sentence for each shown region in which the option is not approved or was withdrawn (rules 11.22)."""
    notes = []
    for region in regions:
        rows = [row for row in option.status if row.region == region]
        if rows and all(row.state in _NOT_AVAILABLE for row in rows):
            said = "; ".join(row.indication for row in rows)
            notes.append(f"{_NOT_AVAILABLE[rows[0].state]} {region}: {said} (as of {rows[0].as_of}).")
    return notes


def _evidence(option: Option, knowledge: Knowledge, situation: Situation) -> tuple[str, ...]:
    """Evidence that fits disease and age, studies after CAR T first; none outside the rule set (rules 11.16,
    H-37).
    """
    if situation.scope is not Scope.FULL or situation.category is RelapseCategory.LINEAGE_SWITCH:
        return ()
    rows = [row for row in knowledge.evidence_for(option) if _fits(row, situation)]
    order = sorted(
        range(len(rows)), key=lambda at: (_POST_CAR_T.get(rows[at].post_car_t, len(_POST_CAR_T)), at)
    )
    return tuple(rows[at].id for at in order)


def _fits(row: Evidence, situation: Situation) -> bool:
    if row.disease not in (situation.group, "mixed"):
        return False
    if row.disease == "mixed" and situation.group == "b-all" and not _LEUKAEMIA.search(row.population):
        return False
    if _PMBCL.search(row.population) and not situation.pmbcl:
        return False
    if situation.age is AgeGroup.CHILD:
        return row.adult_or_child == "child"
    if situation.age is AgeGroup.UNKNOWN:
        return row.adult_or_child == "mixed"
    return row.adult_or_child != "child" or "young adult" in row.population.lower()
