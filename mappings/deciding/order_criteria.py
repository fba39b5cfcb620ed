"""When an order rule holds: a small closed vocabulary of criteria, named by `order_rules.json` (invariant 6).

Each takes the case, the condition's arguments and what is ordered, and gives what it found or None. Unknown data make
a criterion of their own where a rule asks about them; they never pass for an answer (invariant 3).
"""

from __future__ import annotations

from collections.abc import Callable

from mappings.dates import before, parse_date
from mappings.deciding.antigen_words import describe
from mappings.deciding.order_case import Case, Found, is_car, planned_words, shown, span
from mappings.evaluation import AntigenView, RelapseCategory
from mappings.facts import Antigen, AntigenResult, AntigenState, PriorTherapy, Remark, SafetyFact
from mappings.loading import Concept, OrderCondition

Criterion = Callable[[Case, OrderCondition, Concept], Found | None]

_STALE = frozenset({"before-therapy", "before-infusion", "before-relapse", "out-of-date"})
_TARGET_OPEN = "CAR T is on record without product and target, so no result can be put after it"
_TUMOUR_TARGETS = frozenset(Antigen)


def _antigen_state(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether the target is reported negative or low, or not known now and why (rules CD-1, CD-4 to CD-9, 11.7)."""
    antigen = Antigen(condition.antigen)
    view = case.assessment.antigen(antigen)
    said, because = _standing_of(case, view)
    if is_car(ordered) and len(_targets(ordered)) > 1:
        said = _of_several(case, ordered, said)
    if said not in condition.states:
        return None
    newest = _newest(view.results)
    if said == "stale":
        because = _stale_words(case, view) or because
    fills = (
        ("antigen", antigen.value),
        ("because", because),
        ("date", shown(newest.collected if newest else None)),
    )
    return Found(fills, tuple(result.source for result in view.results))


def _standing_of(case: Case, view: AntigenView) -> tuple[str, str]:
    if view.antigen is Antigen.CD19 and case.target_open and view.state is not AntigenState.NEGATIVE:
        shown_here = f"; reported: {view.because}" if view.results else ""
        return "unknown", f"{_TARGET_OPEN}{shown_here}"
    if view.state is not AntigenState.UNKNOWN:
        return view.state.value, view.because
    if view.discordant:
        return "discordant", view.because
    if view.voided or (not view.results and _set_aside(case, view)):
        return "stale", view.because
    return "unknown", view.because


def _targets(ordered: Concept) -> tuple[str, ...]:
    return tuple(target for target in ordered.names("targets") if target in _TUMOUR_TARGETS)


def _of_several(case: Case, ordered: Concept, said: str) -> str:
    """Of a CAR with two targets the trial decides: absent only where all are, open where one is present."""
    states = {case.assessment.antigen(Antigen(target)).state for target in _targets(ordered)}
    if states <= {AntigenState.NEGATIVE}:
        return said
    if states & {AntigenState.POSITIVE, AntigenState.LOW_OR_PARTIAL}:
        return "by-protocol"
    return "unknown" if said == AntigenState.NEGATIVE.value else said


def _set_aside(case: Case, view: AntigenView) -> list[Remark]:
    rows = case.assessment.set_aside
    return [r for r in rows if r.about == view.antigen.value and r.code in _STALE and r.source is not None]


def _stale_words(case: Case, view: AntigenView) -> str:
    """The newest result that no longer counts, with its date and the reason."""
    reasons = {(r.source.reference, r.source.element): r.reason for r in _set_aside(case, view) if r.source}
    aside = [
        result
        for result in case.evaluation.facts.antigens
        if result.antigen is view.antigen and (result.source.reference, result.source.element) in reasons
    ]
    newest = _newest(tuple(aside))
    if newest is None:
        return ""
    reason = reasons[newest.source.reference, newest.source.element]
    return f"{describe(newest)}, which {reason}"


def _newest(results: tuple[AntigenResult, ...]) -> AntigenResult | None:
    return max(
        results,
        key=lambda r: (r.collected.last.isoformat() if r.collected else "", r.source.reference),
        default=None,
    )


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
    seen = {row.type: row.state for row in case.evaluation.facts.seen}
    return Found() if any(seen.get(kind) != "complete" for kind in condition.types) else None


def _collection_planned(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether CAR T or a collection of cells for it is on order (rules 6)."""
    orders = case.collections()
    return Found((("plan", planned_words(orders)),)) if orders else None


def _facts_of(case: Case, fact: str) -> list[SafetyFact]:
    """What the chart holds of a check, in the order in which the check lists its concepts."""
    check = case.knowledge.checks[fact]
    names = (fact, *(name for name in check.concepts if name != fact))
    rows = case.evaluation.facts.safety
    return [row for name in names for row in rows if row.fact == name]


def _present(case: Case, fact: str) -> SafetyFact | None:
    rows = case.evaluation.facts.safety
    return next((row for row in rows if row.fact == fact and row.state == "present"), None)


def _finding_present(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether a finding is current (rules 11.12)."""
    row = _present(case, condition.fact)
    if row is None:
        return None
    return Found((("value", row.value), ("date", shown(row.when))), (row.source,))


def _finding_open(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether a finding that a man cannot have is neither on record nor excluded for good; a past test is quoted."""
    patient = case.evaluation.facts.patient
    if patient.sex == "male" or _present(case, condition.fact) is not None:
        return None
    rows = _facts_of(case, condition.fact)
    value = f"{rows[0].value}, {shown(rows[0].when)}" if rows else "not seen"
    years = case.assessment.age_years
    fills = (
        ("value", value),
        ("sex", patient.sex or "not known"),
        ("age", "not known" if years is None else str(years)),
    )
    return Found(fills, tuple(row.source for row in rows[:1]))


def _limit(case: Case, fact: str) -> tuple[float, str] | None:
    """The lower limit the site has set for a value, with its unit; none ships (rules 8)."""
    for row in case.knowledge.policy.limits:
        if row.fact == fact and row.min is not None:
            return row.min, row.unit
    return None


def _value_words(case: Case, row: SafetyFact) -> str:
    concept = case.knowledge.concepts.get(row.fact)
    name = concept.label if concept is not None else row.fact
    return f"{name} {row.value}, {shown(row.when)}"


def _value_below_limit(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether a value of just this name and unit lies below the limit that the site has set (rules 8)."""
    limit = _limit(case, condition.fact)
    rows = [row for row in case.evaluation.facts.safety if row.fact == condition.fact]
    if limit is None or not rows or rows[0].number is None or rows[0].unit != limit[1]:
        return None
    if rows[0].number >= limit[0]:
        return None
    fills = (("value", _value_words(case, rows[0])), ("limit", f"{limit[0]:g} {limit[1]}"))
    return Found(fills, (rows[0].source,))


def _value_shown(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """The value with its date where no limit can judge it; a related value where the one asked for is missing."""
    rows = _facts_of(case, condition.fact)
    if not rows:
        return None
    limit = _limit(case, condition.fact)
    judged = limit is not None and rows[0].fact == condition.fact and rows[0].number is not None
    if judged and limit is not None and rows[0].unit == limit[1]:
        return None
    return Found((("value", _value_words(case, rows[0])),), (rows[0].source,))


def _value_not_seen(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether neither the value nor a related one was seen."""
    return None if _facts_of(case, condition.fact) else Found()


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


def _given_before_relapse(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether the same treatment began before the relapse that stands now and not again since (rules 11.11)."""
    relapse = case.assessment.timing.relapse_date
    facts = case.evaluation.facts
    rows = [(t.first, f"{t.label}, {span(t)}", t.sources) for t in facts.therapies if _is_same(t, ordered)]
    infusions = [i for i in (*facts.infusions, *facts.other_cellular) if i.product == ordered.id]
    rows += [(i.first, f"{i.label}, {shown(i.first)}", i.sources) for i in infusions]
    if not rows or case.assessment.category not in _RELAPSE:
        return None
    if relapse is not None and any(day is not None and before(relapse, day) is True for day, _, _ in rows):
        return None
    earlier = relapse is not None and any(day is not None and before(day, relapse) for day, _, _ in rows)
    since = f"relapse on record {shown(relapse)}" if earlier else "its order to this relapse is not known"
    words = "; ".join(words for _, words, _ in rows)
    fills = (("given", words), ("date", shown(rows[-1][0])), ("relapse", since))
    return Found(fills, tuple(source for _, _, sources in rows for source in sources))


def _is_same(therapy: PriorTherapy, ordered: Concept) -> bool:
    return therapy.administered and therapy.therapy == ordered.id


_RELAPSE = frozenset(
    {
        RelapseCategory.CD19_POSITIVE,
        RelapseCategory.CD19_LOW_OR_PARTIAL,
        RelapseCategory.CD19_NEGATIVE,
        RelapseCategory.CD19_UNKNOWN,
        RelapseCategory.LINEAGE_SWITCH,
    }
)

CRITERIA: dict[str, Criterion] = {
    "antigen-state": _antigen_state,
    "lineage-switch": _lineage_switch,
    "transplant-planned": _transplant_planned,
    "transplant-given": _transplant_given,
    "transplant-not-seen": _transplant_not_seen,
    "collection-planned": _collection_planned,
    "finding-present": _finding_present,
    "finding-open": _finding_open,
    "value-below-limit": _value_below_limit,
    "value-shown": _value_shown,
    "value-not-seen": _value_not_seen,
    "label-withdrawn": _label_withdrawn,
    "given-before-relapse": _given_before_relapse,
}
"""Every criterion by the name rules use; the check of the knowledge folder knows the same names."""
