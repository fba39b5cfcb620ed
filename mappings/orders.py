"""Orders that somebody is about to place, and what the order rules find about them: the types both sides use."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from mappings.dates import ClinicalDate
from mappings.facts import SourceRef

if TYPE_CHECKING:
    from mappings.loading import Concept


class OrderRole(StrEnum):
    """What an order asks for, as far as the order rules need it."""

    TREATMENT = "treatment"
    COLLECTION = "collection"
    TRANSPLANT_PLAN = "transplant-plan"
    TESTING = "testing"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class DraftOrder:
    """One order as it came: `label` is chart text and is made safe by every face that shows it.

    `concepts` holds what it would give; of a collection, plan or test it is empty. `selected` says that it is what
    the user has just chosen (order-select). `problem` is a closed label of why it was not checked: `other-patient`,
    `no-drug` or `unreadable`; empty where it was.
    """

    reference: str
    resource: str
    label: str
    role: OrderRole = OrderRole.OTHER
    concepts: tuple[Concept, ...] = ()
    status: str = ""
    selected: bool = True
    authored: ClinicalDate | None = None
    antigens: tuple[str, ...] = ()
    biopsy: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Conflict:
    """An option of the same evaluation that the same rules would warn of: what of it, and the head that says why."""

    option: str
    treatment: str
    head: str
    fills: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class OrderFinding:
    """What one order rule says about one or more orders, with the patient's own data in `fills`.

    `names` are the treatments in the words of the knowledge, `options` the options that contain them; `basis` is the id
    of the decision rule, `cited` the titles of its sources. Names and values of `fills` may be chart text. `conflicts`
    are options that can be considered but would draw a warning themselves. Without a `head` it stands beside others.
    """

    rule: str
    kind: str
    level: str
    head: str
    sentence: str
    names: tuple[str, ...]
    orders: tuple[DraftOrder, ...]
    fills: tuple[tuple[str, str], ...]
    basis: str
    cited: tuple[str, ...]
    concepts: tuple[str, ...]
    options: tuple[str, ...] = ()
    antigen: str = ""
    asks_testing: bool = False
    sources: tuple[SourceRef, ...] = ()
    conflicts: tuple[Conflict, ...] = ()

    @property
    def selected(self) -> bool:
        """Whether it concerns what the user has just chosen."""
        return any(order.selected for order in self.orders)
