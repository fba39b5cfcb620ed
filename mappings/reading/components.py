"""Observation components, and a value as charted, for quoting."""

from __future__ import annotations

from mappings.reading import wire
from mappings.reading.recognise import texts_of
from mappings.reading.values import Valued


class Component(wire.Struct, gc=False):
    """Observation.component."""

    code: wire.Concept | None = None
    valueQuantity: wire.Raw = wire.NOTHING  # noqa: N815
    valueCodeableConcept: wire.Raw = wire.NOTHING  # noqa: N815
    valueString: wire.Raw = wire.NOTHING  # noqa: N815
    valueInteger: wire.Raw = wire.NOTHING  # noqa: N815
    valueBoolean: wire.Raw = wire.NOTHING  # noqa: N815
    valueRange: wire.Raw = wire.NOTHING  # noqa: N815
    valueRatio: wire.Raw = wire.NOTHING  # noqa: N815
    dataAbsentReason: wire.Raw = wire.NOTHING  # noqa: N815
    interpretation: wire.Raw = wire.NOTHING

    def valued(self) -> Valued:
        """The value elements of the component."""
        return Valued(
            self.valueQuantity,
            self.valueCodeableConcept,
            self.valueString,
            self.valueInteger,
            self.valueBoolean,
            self.valueRange,
            self.valueRatio,
            self.dataAbsentReason,
            self.interpretation,
        )


def values_text(valued: Valued) -> str:
    """The value as charted, for quoting; empty where there is none (a dataAbsentReason is no value)."""
    quantity = wire.peek(valued.quantity, wire.Quantity)
    if quantity is not None and quantity.value is not None:
        return f"{quantity.comparator or ''}{quantity.value} {quantity.unit or quantity.code or ''}".strip()
    concept = wire.peek(valued.concept, wire.Concept)
    if concept is not None:
        texts = texts_of(concept)
        codes = [coding.code for coding in concept.coding or () if coding.code]
        return texts[0] if texts else (codes[0] if codes else "")
    text = wire.peek(valued.string, str)
    if text and text.strip():
        return text.strip()
    number = wire.peek(valued.integer, int)
    if number is not None:
        return str(number)
    flag = wire.peek(valued.boolean, bool)
    if flag is not None:
        return "true" if flag else "false"
    ratio = wire.peek(valued.ratio, wire.Ratio)
    if ratio is not None and ratio.numerator and ratio.denominator:
        return f"{ratio.numerator.value}/{ratio.denominator.value}"
    return ""
