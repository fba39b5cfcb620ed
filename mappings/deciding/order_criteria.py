"""When an order rule holds: a small closed vocabulary of criteria, named by `order_rules.json` (invariant 6).

Each takes the case, the condition's arguments and what is ordered, and gives what it found or None. Unknown data make
a criterion of their own where a rule asks about them; they never pass for an answer (invariant 3).
"""

from __future__ import annotations

from collections.abc import Callable

from mappings.dates import parse_date
from mappings.deciding import order_values as values
from mappings.deciding.order_antigens import antigen_state, later_not_seen
from mappings.deciding.order_case import Case, Found, planned_words, shown, span
from mappings.deciding.order_repeats import given_before_relapse, given_not_seen
from mappings.evaluation import RelapseCategory
from mappings.facts import PriorTherapy
from mappings.loading import Concept, OrderCondition

Criterion = Callable[[Case, OrderCondition, Concept], Found | None]


def _lineage_switch(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether the relapse has switched its lineage (rules CD-10, 7)."""
    if case.assessment.category is not RelapseCategory.LINEAGE_SWITCH:
        return None
    return Found((), tuple(seen.source for seen in case.evaluation.facts.lineage_switch))


def _transplant_planned(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether a transplant that is or may be allogeneic is ordered or planned (rules 7)."""
    orders, therapies = case.transplant_orders(), case.ordered_transplants()
    if not orders and not therapies:
        return None
    return Found(
        (("plan", planned_words(orders, therapies)),), tuple(s for t in therapies for s in t.sources)
    )


def _transplants(case: Case, types: tuple[str, ...]) -> list[PriorTherapy]:
    rows = case.evaluation.facts.therapies
    return [t for t in rows if t.administered and "transplant" in t.classes and set(types) & set(t.classes)]


def _transplant_given(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether a transplant of one of the types is on record (rules 7)."""
    given = _transplants(case, condition.types)
    if not given:
        return None
    words = "; ".join(f"{t.label}, {span(t)}" for t in given)
    return Found(
        (("given", words), ("date", shown(given[-1].last))), tuple(s for t in given for s in t.sources)
    )


def _transplant_not_seen(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether an earlier transplant cannot be excluded because its records were not read in full (rules 11.5)."""
    if _transplants(case, ("allo", "unspecified")):
        return None
    missed = case.not_read(condition.types)
    return Found((("missed", " and ".join(missed)),)) if missed else None


def _collection_planned(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether CAR T or a collection of cells for it is on order (rules 6)."""
    orders = case.collections()
    return Found((("plan", planned_words(orders)),)) if orders else None


_PLANS_STAND_IN = {
    "transplant": ("ServiceRequest",),
    "collection": ("ServiceRequest", "MedicationRequest"),  # a CAR T product may be ordered as a medicine
}


def _plans_not_seen(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether plans of these types may stand in orders that were not read or not part of what came (rules 11.5)."""
    if "transplant" in condition.types and (case.transplant_orders() or case.ordered_transplants()):
        return None
    if "collection" in condition.types and case.collections():
        return None
    held = {kind for one in condition.types for kind in _PLANS_STAND_IN.get(one, ())}
    seen = {row.type: row.state for row in case.evaluation.facts.seen}
    asked = [seen[kind] for kind in held if kind in seen]
    if any(state != "complete" for state in asked):
        return Found() if "not-read" in condition.states else None
    return Found() if "ServiceRequest" not in seen and "not-given" in condition.states else None


def _label_withdrawn(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether the label is withdrawn in a region shown, for this disease (status rows of the catalogue)."""
    if case.assessment.disease_group not in condition.diseases:
        return None
    for row in case.knowledge.option(condition.option).status:
        if row.state == "withdrawn" and row.region in case.evaluation.regions:
            fills = (
                ("region", row.region),
                ("date", shown(parse_date(row.as_of))),
                ("indication", row.indication),
            )
            return Found(fills)
    return None


CRITERIA: dict[str, Criterion] = {
    "antigen-state": antigen_state,
    "antigen-later-not-seen": later_not_seen,
    "lineage-switch": _lineage_switch,
    "transplant-planned": _transplant_planned,
    "transplant-given": _transplant_given,
    "transplant-not-seen": _transplant_not_seen,
    "collection-planned": _collection_planned,
    "plans-not-seen": _plans_not_seen,
    "finding-present": values.finding_present,
    "finding-open": values.finding_open,
    "value-below-limit": values.value_below_limit,
    "value-not-judged": values.value_not_judged,
    "value-shown": values.value_shown,
    "value-not-seen": values.value_not_seen,
    "label-withdrawn": _label_withdrawn,
    "given-before-relapse": given_before_relapse,
    "given-not-seen": given_not_seen,
}
"""Every criterion by the name rules use; the check of the knowledge folder knows the same names."""
