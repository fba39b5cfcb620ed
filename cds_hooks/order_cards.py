"""What the order rules found, as at most three cards: one per kind of finding, no decision of its own (invariant 2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cds_hooks import card_lines as lines
from cds_hooks.card_options import fold_names
from cds_hooks.cards import MAX_CARDS, MAX_SUMMARY, Card, card_detail
from cds_hooks.facts_digest import facts_digest, findings_digest
from cds_hooks.names import CardNames
from cds_hooks.plain import all_of, plain, sentence, upper_first
from cds_hooks.standing import confirmation_line
from mappings.deciding.orders import problem_words
from mappings.evaluation import Assessment, Evaluation, OptionMatch, RelapseCategory, Route
from mappings.facts import Certainty
from mappings.orders import Conflict, DraftOrder, OrderFinding

_NOT_CHECKED = "not-checked"
KINDS = ("antigen", "safety", "history", _NOT_CHECKED)
_PLACEHOLDER = re.compile(r"\{([a-z]+)\}")
_HEAD_NAMES = 24  # so that name and state stand within the first 60 characters (H-47)
_HEAD_VALUE = 60
_VALUE = 240
_ORDERS_SHOWN = 4
_SOURCES_SHOWN = 3
_TO_SETTLE = "To settle it: a stain or flow panel on tumour tissue taken after CAR T and after the last drug against it."
_CONFLICTS_SHOWN = 4


@dataclass(frozen=True, slots=True)
class OrderCard(Card):
    """A card on orders; `digest` covers all it says: facts, orders, findings, what was not checked (H-44)."""

    digest: str = ""


def order_cards(
    evaluation: Evaluation,
    findings: Sequence[OrderFinding],
    names: CardNames,
    drafts: Sequence[DraftOrder] = (),
    notes: tuple[str, ...] = (),
    digest: str = "",
) -> tuple[OrderCard, ...]:
    """One card per kind of finding, those with a warning first; empty is the normal case (H-43).

    `drafts` lets a card say which of them were not checked; `notes` are sentences of ours on how the chart was read;
    `digest` is that of the facts, where it was made already.
    """
    if not findings:
        return ()
    facts = digest or facts_digest(evaluation)
    if any(one.kind != _NOT_CHECKED for one in findings):  # said there in a line of its own
        findings = [one for one in findings if one.kind != _NOT_CHECKED]
    groups = [[one for one in findings if one.kind == kind] for kind in KINDS]
    groups = sorted((group for group in groups if group), key=lambda group: group[0].level != "warning")
    beside = "\n".join((facts, *_unchecked_rows(drafts), *notes))
    return tuple(
        _card(evaluation, group, names, drafts, notes, findings_digest(beside, group))
        for group in groups[:MAX_CARDS]
    )


def _unchecked_rows(drafts: Sequence[DraftOrder]) -> list[str]:
    """Which drafts could not be looked at and why: an override of a card never hides another such draft (H-44)."""
    return sorted(f"{draft.problem} {draft.reference}" for draft in drafts if draft.problem)


def _card(
    evaluation: Evaluation,
    findings: Sequence[OrderFinding],
    names: CardNames,
    drafts: Sequence[DraftOrder],
    notes: tuple[str, ...],
    digest: str,
) -> OrderCard:
    assessment = evaluation.assessment
    asks = any(one.asks_testing for one in findings)
    lead = [*_orders(findings), *_results(assessment, findings), *_relapse(evaluation)]
    lead.append(lines.infusion_line(assessment.anchor, names))
    items = [
        *(f"{_said(one, one.sentence, _VALUE, 0)} Rule {one.basis}." for one in findings),
        _TO_SETTLE if asks else "",
        _not_checked(drafts, findings),
        *lines.unseen_lines(evaluation),
        *notes,
        _alternatives(evaluation, findings),
        _sources(findings),
    ]
    return OrderCard(
        kind=f"order-{findings[0].kind}",
        summary=_summary(findings),
        detail=card_detail(lead, items, f"The order is not blocked. {lines.closing_line(evaluation)}"),
        indicator="warning" if any(one.level == "warning" for one in findings) else "info",
        suggests=asks,
        digest=digest,
    )


def _summary(findings: Sequence[OrderFinding]) -> str:
    """The first finding, and as many of the others as whole sentences fit under 140 characters."""
    heads = list(
        dict.fromkeys(_said(one, one.head, _HEAD_VALUE, _HEAD_NAMES) for one in findings if one.head)
    )
    summary = plain(heads[0], MAX_SUMMARY)
    for head in heads[1:]:
        if len(summary) + 1 + len(head) <= MAX_SUMMARY:
            summary = f"{summary} {head}"
    return summary


def _said(finding: OrderFinding, text: str, cap: int, cap_names: int) -> str:
    """A sentence of the knowledge with this patient's data in it; every value is made safe on its own (H-48)."""
    return upper_first(_filled(text, (*finding.fills, ("order", _names(finding, cap_names))), cap))


def _filled(text: str, given: Sequence[tuple[str, str]], cap: int) -> str:
    fills = {
        name: value if name == "order" else plain(value.replace("low-or-partial", "low or partial"), cap)
        for name, value in given
    }
    return _PLACEHOLDER.sub(lambda match: fills.get(match[1], "not known"), text)


def _names(finding: OrderFinding, cap: int) -> str:
    shown = [plain(name, 60) for name in finding.names]
    whole = all_of(shown)
    if not cap or len(whole) <= cap:
        return whole
    if len(shown) == 1:
        return plain(whole, cap)
    more = f" and {len(shown) - 1} more"
    return plain(shown[0], cap - len(more)) + more


def _orders(findings: Sequence[OrderFinding]) -> list[str]:
    """The orders spoken of, as charted, what was just chosen first; an order signed before is called so."""
    orders = [
        order for order in dict.fromkeys(o for one in findings for o in one.orders) if not order.problem
    ]
    chosen = [order for order in orders if order.selected]
    others = [order for order in orders if not order.selected]
    said = []
    if chosen:
        said.append(f"Order: {_labels(chosen)}.")
    if others:
        said.append(f"Also among the drafts: {_labels(others)}.")
    return said


def _labels(orders: list[DraftOrder]) -> str:
    words = []
    for order in orders[:_ORDERS_SHOWN]:
        status = "" if order.status in ("draft", "") else f" (status {plain(order.status, 20)})"
        words.append(f"“{plain(order.label, 70)}”{status}")
    more = f" and {len(orders) - _ORDERS_SHOWN} more" if len(orders) > _ORDERS_SHOWN else ""
    return ", ".join(dict.fromkeys(words)) + more


def _results(assessment: Assessment, findings: Sequence[OrderFinding]) -> list[str]:
    """What is reported of the antigens, with method and date, where a finding speaks of one."""
    return lines.result_lines(assessment) if any(one.antigen for one in findings) else []


def _relapse(evaluation: Evaluation) -> list[str]:
    if evaluation.assessment.confirmation is Certainty.NONE:
        return []
    return [confirmation_line(evaluation)]


def _alternatives(evaluation: Evaluation, findings: Sequence[OrderFinding]) -> str:
    """Options of the same evaluation that can be considered, without what was ordered; none is ranked (invariant 10).

    Those that the same rules would warn of are not among them: they are named with the reason.
    """
    if all(one.kind == _NOT_CHECKED for one in findings):
        return ""
    ordered = {option for one in findings for option in one.options}
    left = [m for m in evaluation.matches if m.route is Route.CONSIDER and m.option not in ordered]
    against = {one.option: one for one in findings[0].conflicts}
    free = [match for match in left if match.option not in against]
    barred = [_barred(match, against[match.option]) for match in left if match.option in against]
    if barred:
        more = f"; and {len(barred) - _CONFLICTS_SHOWN} more" if len(barred) > _CONFLICTS_SHOWN else ""
        named = f"Left out, since these rules warn of them too: {'; '.join(barred[:_CONFLICTS_SHOWN])}{more}."
        return f"Can be considered, not ranked: {fold_names(free)}. {named}" if free else named
    if free:
        return f"Can be considered, not ranked: {fold_names(free)}."
    if evaluation.assessment.category is RelapseCategory.INSUFFICIENT_DATA:
        return "No options are named: the chart read so far gives no relapse category."
    return ""


def _barred(match: OptionMatch, conflict: Conflict) -> str:
    """An option by name, with what of it the rules warn of and why."""
    name = plain(match.short_name or match.label, 60)
    why = _filled(conflict.head.removeprefix("{order}: "), conflict.fills, _HEAD_VALUE).rstrip(".")
    part = plain(conflict.treatment, 40)
    return f"{name} ({why})" if part.lower() == name.lower() else f"{name} ({part}: {why})"


def _sources(findings: Sequence[OrderFinding]) -> str:
    titles = list(dict.fromkeys(plain(title, 110).rstrip(" .") for one in findings for title in one.cited))
    return sentence(f"Sources: {'; '.join(titles[:_SOURCES_SHOWN])}", 360) if titles else ""


def _not_checked(drafts: Sequence[DraftOrder], findings: Sequence[OrderFinding]) -> str:
    """Drafts that could not be looked at, beside what was; silence about them would read as clearance."""
    said = problem_words(drafts)
    if not said or all(one.kind == _NOT_CHECKED and not one.concepts for one in findings):
        return ""
    count = sum(bool(draft.problem) for draft in drafts)
    return f"Not checked: {count} draft {'order' if count == 1 else 'orders'} ({said})."
