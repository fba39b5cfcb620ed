"""Short names of products and the antigens each option needs, taken from the knowledge folder once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mappings.facts import CarTInfusion

if TYPE_CHECKING:
    from mappings.loading import Knowledge


@dataclass(frozen=True, slots=True)
class CardNames:
    """Short product names by product id, and the antigens an option needs to be present by option id."""

    products: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def infusion(self, infusion: CarTInfusion | None) -> str:
        """How an infusion is called in a summary line: `axi-cel`, `CD19 CAR T` or `CAR T`."""
        if infusion is None:
            return "CAR T"
        short = self.products.get(infusion.product, "")
        if short:
            return short
        return "CD19 CAR T" if infusion.cd19_directed else "CAR T"


def card_names(knowledge: Knowledge) -> CardNames:
    """Reads the names out of loaded knowledge."""
    products = {c.id: c.text("short") for c in knowledge.of_kind("car-t-product") if c.text("short")}
    needs = {}
    for option in knowledge.options:
        needs[option.id] = tuple(target.antigen for target in option.targets if target.must_be == "present")
    return CardNames(products, needs)
