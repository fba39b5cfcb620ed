"""One result of an Observation or component as value, number and unit; polarity where the words say one.

Sources: FHIR R4 Observation.value[x]; rules 11.19 (result words); hazard H-25: a missing unit gives no
number, a unit that measures something else gives no fact, a decimal comma is read only where it cannot part
thousands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mappings.loading import Concept, Knowledge
from mappings.reading import units, wire
from mappings.reading.recognise import label_of
from mappings.reading.vocabulary import WordList

NO_RESULT = "no-result"
_AS_CHARTED = frozenset({"hbv-dna"})
_BY_COUNT = frozenset({"{score}"})
_SPEAKS_UP_TO = 80


@dataclass(frozen=True, slots=True)
class Reading:
    """A value for display, its number in the fact's unit where beyond doubt, and `present`, `absent` or
    nothing.
    """

    value: str
    number: float | None = None
    unit: str = ""
    as_charted: str = ""
    polarity: str = ""


class Polarity:
    """Whether words or a coded answer say yes or no; anything doubtful says nothing."""

    def __init__(self, knowledge: Knowledge) -> None:
        classes = knowledge.lexicon["report_words"]["classes"]
        qualifiers = knowledge.lexicon["chart"]["qualifiers"]
        self._knowledge = knowledge
        pregnant = [phrase for phrase, concept in knowledge.synonyms if concept.id == "pregnancy"]
        self._yes = WordList([*_plain(classes, "pos"), *pregnant])
        self._no = WordList([*_plain(classes, "neg", "negator"), *qualifiers["negated"]])
        self._open = WordList(_plain(classes, "pending", "failed"))
        self._told = WordList(_plain(classes, "pos", "neg"))
        self._doubt = WordList([*_plain(classes, "hedge", "pending", "failed"), *qualifiers["doubt"]])

    def of_text(self, text: str) -> str:
        """`present`, `absent` or empty for a short result text."""
        if len(text) > _SPEAKS_UP_TO or self._doubt.any_in(text):
            return ""
        if self._no.any_in(text):
            return "absent"
        return "present" if self._yes.any_in(text) else ""

    def is_open(self, text: str) -> bool:
        """Whether a short answer of a yes-or-no test says only that there is none, such as "pending"."""
        bare = len(text) <= _SPEAKS_UP_TO and not any(letter.isdigit() for letter in text)
        return bare and self._open.any_in(text) and not self._told.any_in(text)

    def of_concept(self, concept: wire.Concept | None) -> str:
        """The same for a coded answer: codes first, words where no code speaks."""
        states = (
            {self._knowledge.state_of(c.system, c.code) for c in (concept.coding or ()) if c.code}
            if concept
            else set()
        )
        known = states & {"positive", "negative"}
        if len(known) == 1:
            return "present" if "positive" in known else "absent"
        return self.of_text(label_of(concept)) if not known else ""


def _plain(classes: Mapping[str, Mapping[str, Sequence[str]]], *names: str) -> list[str]:
    """The whole words of some classes in every language; entries that take any ending are left out."""
    lists = [words for name in names for words in classes.get(name, {}).values()]
    return [word for words in lists for word in words if not word.endswith("*")]


_last: list[Polarity] = []


def polarity_of(knowledge: Knowledge) -> Polarity:
    """The word lists of a knowledge, made once."""
    if not _last or _last[0]._knowledge is not knowledge:
        _last[:] = [Polarity(knowledge)]
    return _last[0]


def read_measurement(holder: wire.Resource, concept: Concept, polarity: Polarity) -> Reading | str:
    """The result as this fact; a code (`unit-misfit`, `implausible`, `no-result`, empty: no value) where it is none."""
    quantity = wire.peek(holder.valueQuantity, wire.Quantity)
    if quantity is not None:
        return _quantity(quantity, concept)
    coded = wire.peek(holder.valueCodeableConcept, wire.Concept)
    if coded is not None and label_of(coded):
        return _coded(coded, concept, polarity)
    whole = wire.peek(holder.valueInteger, int)
    if whole is not None:
        number = units.finite(whole)
        return _number(number, "", "", str(whole), concept) if number is not None else ""
    yes = wire.peek(holder.valueBoolean, bool)
    if yes is not None:
        return Reading(
            "yes" if yes else "no", as_charted=str(yes).lower(), polarity="present" if yes else "absent"
        )
    text = wire.peek(holder.valueString, str)
    if text is not None and text.strip():
        return _text(text.strip(), concept, polarity)
    answers = wire.peek_list(holder.interpretation, wire.Concept)
    for answer in answers if concept.text("result") == "presence" else ():
        said = polarity.of_concept(answer)
        if said:
            return Reading(label_of(answer), as_charted=label_of(answer), polarity=said)
    return ""


def _quantity(quantity: wire.Quantity, concept: Concept) -> Reading | str:
    value = quantity.value
    if value is None or isinstance(value, bool):
        return ""
    number = units.read_number(value) if isinstance(value, str) else units.finite(value)
    if number is None and not isinstance(value, str):
        return ""
    unit = (quantity.code or "").strip() if _ucum(quantity) else ""
    written = (quantity.unit or quantity.code or "").strip()
    digits = str(value).strip()
    charted = f"{quantity.comparator or ''}{digits}{f' {written}' if written else ''}"
    return _number(number, quantity.comparator or "", unit or written, charted, concept)


def _ucum(quantity: wire.Quantity) -> bool:
    return (quantity.system or "").strip().rstrip("/").lower().endswith("unitsofmeasure.org")


def _text(text: str, concept: Concept, polarity: Polarity) -> Reading | str:
    if concept.text("result") == "presence" and polarity.is_open(text):
        return NO_RESULT
    charted = units.read_value(text)
    if charted is None or not concept.text("unit"):
        return Reading(text[:200], as_charted=text[:200], polarity=polarity.of_text(text))
    return _number(charted.number, charted.comparator, charted.unit, text[:200], concept)


def _coded(coded: wire.Concept, concept: Concept, polarity: Polarity) -> Reading | str:
    label = label_of(coded)
    if concept.text("result") == "presence" and polarity.is_open(label):
        return NO_RESULT
    number = None
    if concept.text("unit") in _BY_COUNT:
        charted = units.read_value(label)
        number = charted.number if charted is not None and not charted.comparator else None
    return Reading(label, number, as_charted=label, polarity=polarity.of_concept(coded))


def _number(
    number: float | None, comparator: str, unit: str, charted: str, concept: Concept
) -> Reading | str:
    """Value and number in the fact's unit (H-25): never a number where unit, comma or comparator leave a
    doubt.
    """
    wanted = concept.text("unit")
    if concept.id in _AS_CHARTED or not wanted:
        return Reading(charted, number if not comparator else None, unit, charted)
    if wanted in _BY_COUNT:
        # a score has no unit; whatever text follows it explains the grade
        return Reading(charted, number if not comparator else None, wanted, charted)
    if not unit:
        return Reading(f"{charted} (unit not given)", None, "", charted)
    mass = concept.attributes.get("molar_mass")
    molar_mass = float(mass) if isinstance(mass, int | float) else None
    by = units.factor(unit, wanted, molar_mass)
    if by is None:
        if units.same_kind(unit, wanted):
            return Reading(charted, number if not comparator else None, units.canonical(unit), charted)
        return "unit-misfit"
    if number is None or comparator:
        return Reading(charted, None, "", charted)
    scaled = units.normalise(number, unit, wanted, molar_mass)
    if scaled is None or not _plausible(scaled.number, concept):
        return "implausible"
    shown = charted if by == 1.0 else f"{scaled.number:g} {wanted} (charted {charted})"
    return Reading(shown, scaled.number, wanted, charted)


def _plausible(number: float, concept: Concept) -> bool:
    """Whether a value is possible at all; percents of themselves, other facts where the knowledge gives a
    range.
    """
    if number < 0 or (concept.text("unit") == "%" and number > 100 and concept.id != "dlco"):
        return False
    bounds = concept.attributes.get("plausible")
    if isinstance(bounds, list | tuple) and len(bounds) == 2:
        return bool(float(bounds[0]) <= number <= float(bounds[1]))
    return True
