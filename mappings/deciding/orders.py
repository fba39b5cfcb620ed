"""Order rules against the orders of the moment: what each rule says about what is to be given. Pure.

Sources: `order_rules.json`; rules CD-8 to CD-10, 7, 11.5, 11.7. Silent for a patient without CAR T or without a lymphoid
malignancy, for orders it knows nothing about, and where the target is reported present and valid.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from mappings.deciding.order_case import Case, Found, is_car
from mappings.deciding.order_criteria import CRITERIA
from mappings.evaluation import Evaluation, Outcome, Route
from mappings.loading import Concept, Knowledge, OrderCondition, OrderFilter, OrderRule
from mappings.orders import Conflict, DraftOrder, OrderFinding, OrderRole

_LEVELS = {"warning": 0, "info": 1}
_NOT_CHECKED = "not-checked"
_PROBLEMS = {
    "other-patient": "made out to another patient",
    "no-drug": "with no drug that could be read",
}
_UNREADABLE = "not readable"


def check_orders(
    evaluation: Evaluation,
    drafts: Sequence[DraftOrder],
    knowledge: Knowledge,
    open_orders: Sequence[DraftOrder] = (),
) -> tuple[OrderFinding, ...]:
    """What the order rules find, warnings first, then what was just chosen, then in the order of the rules.

    `open_orders` are those the chart holds already (`read_open_orders`): they can be a plan, never the thing checked.
    """
    treatments = [order for order in drafts if order.role is OrderRole.TREATMENT and not order.problem]
    unread = [order for order in drafts if order.problem]
    if not treatments and not unread:
        return ()
    case = Case(evaluation, knowledge, tuple(drafts), tuple(open_orders))
    answer = case.after_car_t()
    if answer is Outcome.FAILS:
        return ()
    if answer is Outcome.UNKNOWN:
        return _not_checked(case, treatments)
    findings = _findings(case, treatments)
    if findings:
        conflicts = _conflicts(case)
        findings = [replace(one, conflicts=conflicts) for one in findings]
    return (*findings, *_unread(case, unread))


def _findings(case: Case, treatments: Sequence[DraftOrder]) -> list[OrderFinding]:
    """What the rules find, without what belongs only beside something else where there is nothing else (H-43)."""
    made: list[OrderFinding] = []
    beside: list[OrderFinding] = []
    for rule in case.knowledge.orders.rules:
        if applies_to(rule, case):
            (beside if rule.beside_only else made).extend(_apply(rule, case, treatments))
    made = _in_order(made)
    return [*made, *(replace(one, kind=made[0].kind, head="") for one in beside)] if made else []


def applies_to(rule: OrderRule, case: Case) -> bool:
    """Whether a rule speaks of a chart like this one: some only where a relapse is on record, suspected or open."""
    return rule.scope != "relapse" or case.in_relapse_scope


def _in_order(findings: Sequence[OrderFinding]) -> list[OrderFinding]:
    """Warnings first, then what was just chosen, then in the order of the rules."""
    rows = enumerate(findings)
    return [
        one for _, one in sorted(rows, key=lambda row: (_LEVELS[row[1].level], not row[1].selected, row[0]))
    ]


def _conflicts(case: Case) -> tuple[Conflict, ...]:
    """Options that can be considered by their route, but that the same rules would warn of in the same context."""
    warnings = [
        rule for rule in case.knowledge.orders.rules if rule.level == "warning" and applies_to(rule, case)
    ]
    found = []
    for match in case.evaluation.matches:
        if match.route is not Route.CONSIDER:
            continue
        contains = case.knowledge.option(match.option).contains
        held = tuple(case.knowledge.concepts[one] for one in contains if one in case.knowledge.concepts)
        as_if = DraftOrder(match.option, "", match.short_name, OrderRole.TREATMENT, held)
        first = next((one for rule in warnings for one in _apply(rule, case, [as_if])), None)
        if first is not None:
            found.append(Conflict(match.option, first.names[0], first.head, first.fills))
    return tuple(found)


def _apply(rule: OrderRule, case: Case, treatments: Sequence[DraftOrder]) -> Iterable[OrderFinding]:
    """One finding per rule and distinct answer: two drugs with one target and one result stand together."""
    answers: dict[Found, list[tuple[DraftOrder, Concept]]] = {}
    for draft in treatments:
        for concept in draft.concepts:
            if not looks_at(rule.order, concept):
                continue
            found = CRITERIA[rule.condition.criterion](case, rule.condition, concept)
            if found is not None:
                answers.setdefault(found, []).append((draft, concept))
    for found, rows in answers.items():
        # without a relapse there is no tumour to stain
        yield _finding(rule, case.knowledge, rows, found, asks=rule.asks_testing and case.in_relapse_scope)


def looks_at(order: OrderFilter, concept: Concept) -> bool:
    """Whether a rule looks at what is ordered: by its classes, its id, or the target of its CAR."""
    classes = _classes(concept)
    if classes & set(order.without_classes) or concept.id in order.without_concepts:
        return False
    if order.any_treatment or concept.id in order.concepts or classes & set(order.classes):
        return True
    return is_car(concept) and bool(set(concept.names("targets")) & set(order.car_targets))


def _classes(concept: Concept) -> set[str]:
    own = {concept.kind} if concept.kind in ("transplant", "radiotherapy") else set()
    return own | set(concept.names("classes"))


def _finding(
    rule: OrderRule,
    knowledge: Knowledge,
    rows: Sequence[tuple[DraftOrder, Concept]],
    found: Found,
    asks: bool = False,
) -> OrderFinding:
    ordered = {concept.id for _, concept in rows}
    chosen_first = sorted(rows, key=lambda row: not row[0].selected)
    return OrderFinding(
        rule=rule.id,
        kind=rule.kind,
        level=rule.level,
        head=rule.head,
        sentence=rule.sentence,
        names=tuple(dict.fromkeys(name_of(concept, knowledge) for _, concept in chosen_first)),
        orders=tuple(dict.fromkeys(draft for draft, _ in chosen_first)),
        fills=found.fills,
        basis=rule.basis,
        cited=_titles(rule, knowledge),
        concepts=tuple(sorted(ordered)),
        options=tuple(option.id for option in knowledge.options if ordered & set(option.contains)),
        antigen=rule.condition.antigen,
        asks_testing=asks,
        sources=found.sources,
    )


def name_of(concept: Concept, knowledge: Knowledge) -> str:
    """How a treatment is called on a card: the short name of a product or of the option that is this drug alone."""
    if concept.kind in ("car-t-product", "car-t-target-known", "car-t-administration"):
        targets = "/".join(concept.names("targets"))
        return concept.text("short") or f"{targets} CAR T".strip()
    for option in knowledge.options:
        if option.contains == (concept.id,):
            return option.short_name
    return concept.label


def _titles(rule: OrderRule, knowledge: Knowledge) -> tuple[str, ...]:
    return tuple(str(knowledge.citations[one].get("title", one)) for one in rule.citation_ids)


def _not_checked(case: Case, treatments: Sequence[DraftOrder]) -> tuple[OrderFinding, ...]:
    """Says that orders could not be checked where the chart does not tell whether there was CAR T (rules 11.5)."""
    asked = [rule.order for rule in case.knowledge.orders.rules if rule.said_unchecked]
    rows = [
        (draft, concept)
        for draft in treatments
        for concept in draft.concepts
        if any(looks_at(order, concept) for order in asked)
    ]
    if not rows:
        return ()
    said = case.knowledge.orders.unchecked
    rule = OrderRule(
        id=_NOT_CHECKED,
        kind=_NOT_CHECKED,
        level="info",
        scope="car-t",
        text=said.sentence,
        order=OrderFilter(),
        condition=OrderCondition(_NOT_CHECKED),
        head=said.head,
        sentence=said.sentence,
        basis=said.basis,
        citation_ids=(),
    )
    return (_finding(rule, case.knowledge, rows, Found()),)


def _unread(case: Case, orders: Sequence[DraftOrder]) -> tuple[OrderFinding, ...]:
    """Says after CAR T which orders could not be looked at; silence would read as clearance (H-08)."""
    if not orders:
        return ()
    said = case.knowledge.orders.unread
    count = len(orders)
    finding = OrderFinding(
        rule="not-read",
        kind=_NOT_CHECKED,
        level="info",
        head=said.head,
        sentence=said.sentence,
        names=(f"{count} draft {'order' if count == 1 else 'orders'}",),
        orders=tuple(orders),
        fills=(("why", problem_words(orders)),),
        basis=said.basis,
        cited=(),
        concepts=(),
    )
    return (finding,)


def problem_words(orders: Sequence[DraftOrder]) -> str:
    """How many orders could not be looked at, by cause; never a name, which may be another patient's."""
    counts = Counter(_PROBLEMS.get(order.problem, _UNREADABLE) for order in orders if order.problem)
    return "; ".join(f"{count} {words}" for words, count in counts.items())
