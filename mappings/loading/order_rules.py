"""Order rules as frozen types: which orders each one looks at, when it holds, and the sentence it says.

Conditions are a small closed vocabulary of criteria in `mappings.deciding.order_criteria`; a rule names one of them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders a rule looks at: by class or id of what is ordered, or by the target of its CAR."""

    classes: tuple[str, ...] = ()
    concepts: tuple[str, ...] = ()
    car_targets: tuple[str, ...] = ()
    any_treatment: bool = False
    without_classes: tuple[str, ...] = ()
    without_concepts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderCondition:
    """One criterion with its arguments; what an argument means is the criterion's own matter."""

    criterion: str
    antigen: str = ""
    states: tuple[str, ...] = ()
    fact: str = ""
    types: tuple[str, ...] = ()
    option: str = ""
    diseases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderRule:
    """One rule on orders. `scope` is `car-t` (after CAR T) or `relapse`; `head` opens the card, `sentence` explains.

    `basis` is the id of a decision rule; `said_unchecked`: a chart too incomplete to check it is said, not passed over;
    `beside_only`: said on a card that is due anyway, never a reason for one (H-43).
    """

    id: str
    kind: str
    level: str
    scope: str
    text: str
    order: OrderFilter
    condition: OrderCondition
    head: str
    sentence: str
    basis: str
    citation_ids: tuple[str, ...]
    asks_testing: bool = False
    said_unchecked: bool = False
    beside_only: bool = False


@dataclass(frozen=True, slots=True)
class Unchecked:
    """What is said of an order that could not be checked."""

    head: str
    sentence: str
    basis: str


@dataclass(frozen=True, slots=True)
class OrderWords:
    """Words in the name of an order that tell a test, a biopsy, or a collection of something else than T cells."""

    testing: tuple[str, ...] = ()
    biopsy: tuple[str, ...] = ()
    not_collection: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderKnowledge:
    """All order rules in the order in which they are asked, and the words by which orders are told apart.

    `unchecked` speaks where the chart does not tell whether there was CAR T, `unread` of orders that could not be read.
    """

    words: OrderWords
    unchecked: Unchecked
    unread: Unchecked
    rules: tuple[OrderRule, ...]
