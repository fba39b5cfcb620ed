"""Findings and values that an order asks about: current, excluded, judged by the site's own limit, or only shown.

Sources: rules 8 (no limit ships), 11.12; hazards H-25 (units) and H-40 (limits of a site). Which of several related
values speaks first is a matter of their dates, never of their kind.
"""

from __future__ import annotations

from functools import cmp_to_key

from mappings.dates import before
from mappings.deciding.order_case import Case, Found, shown
from mappings.facts import SafetyFact
from mappings.loading import Concept, Limit, OrderCondition


def finding_present(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether a finding is current (rules 11.12)."""
    row = _present(case, condition.fact)
    if row is None:
        return None
    return Found((("value", row.value), ("date", shown(row.when))), (row.source,))


def finding_open(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether a finding that a man cannot have is neither on record nor excluded for good; a past test is quoted."""
    patient = case.evaluation.facts.patient
    read = case.evaluation.safety_read
    if not read or patient.sex == "male" or _present(case, condition.fact) is not None:
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


def value_below_limit(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether a value of just this name and unit lies below the limit that the site has set (rules 8)."""
    limit, row = _limit(case, condition.fact), _own_value(case, condition.fact)
    if limit is None or row is None or not _judges(limit, row) or not limit.breached_by(row.number):
        return None
    return _found(case, condition.fact, limit)


def value_not_judged(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether the site has set a limit that says nothing of the newest value: other unit, other value, no number."""
    limit, rows = _limit(case, condition.fact), _facts_of(case, condition.fact)
    if limit is None or not rows:
        return None
    own = _own_value(case, condition.fact)
    if own is not None and _judges(limit, own) and limit.breached_by(own.number):
        return None
    if own is None or any(not _is_older(row, own) for row in rows if row is not own):
        why = "another value than the one limited is newer, or its date is not known"
    elif own.number is None:
        why = "the value is no plain number"
    elif not _judges(limit, own):
        why = "the units differ"
    else:
        return None
    return _found(case, condition.fact, limit, ("why", why))


def value_shown(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """The values with their dates where no limit is set, newest first; related values under their own names."""
    if _limit(case, condition.fact) is not None or not _facts_of(case, condition.fact):
        return None
    return _found(case, condition.fact, None)


def value_not_seen(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether neither the value nor a related one was seen, though it was looked for."""
    if not case.evaluation.safety_read or _facts_of(case, condition.fact):
        return None
    return Found()


def _facts_of(case: Case, fact: str) -> list[SafetyFact]:
    """What the chart holds of a check, newest first; where dates do not tell, as the check lists its concepts."""
    check = case.knowledge.checks[fact]
    names = (fact, *(name for name in check.concepts if name != fact))
    rows = case.evaluation.facts.safety
    return sorted((row for name in names for row in rows if row.fact == name), key=cmp_to_key(_newer_first))


def _newer_first(one: SafetyFact, other: SafetyFact) -> int:
    days = [row.when.last.toordinal() if row.when is not None else 0 for row in (one, other)]
    return days[1] - days[0]


def _is_older(row: SafetyFact, other: SafetyFact) -> bool:
    """Whether every reading of both dates makes a value the older one, or of one day (rules 11.11)."""
    if row.when is None or other.when is None:
        return False
    return before(row.when, other.when) is True or row.when.last <= other.when.first


def _present(case: Case, fact: str) -> SafetyFact | None:
    rows = case.evaluation.facts.safety
    return next((row for row in rows if row.fact == fact and row.state == "present"), None)


def _own_value(case: Case, fact: str) -> SafetyFact | None:
    return next((row for row in _facts_of(case, fact) if row.fact == fact), None)


def _limit(case: Case, fact: str) -> Limit | None:
    """The lower limit the site has set for a value; none ships (rules 8)."""
    limits = case.knowledge.policy.limits
    return next((row for row in limits if row.fact == fact and row.min is not None), None)


def _judges(limit: Limit, row: SafetyFact) -> bool:
    return row.number is not None and row.unit == limit.unit


def _found(case: Case, fact: str, limit: Limit | None, *more: tuple[str, str]) -> Found:
    rows = _facts_of(case, fact)
    words = [_value_words(case, row) for row in rows]
    fills = [("value", "; ".join(words)), ("newest", words[0])]
    if limit is not None:
        fills.append(("limit", limit.words()))
    return Found((*fills, *more), tuple(row.source for row in rows))


def _value_words(case: Case, row: SafetyFact) -> str:
    concept = case.knowledge.concepts.get(row.fact)
    name = concept.label if concept is not None else row.fact
    return f"{name} {row.value}, {shown(row.when)}"
