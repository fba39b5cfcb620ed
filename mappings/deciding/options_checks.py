"""What to check before an option is used: each fact with the patient's values and dates, or that it was not
seen.

Never pass or fail: no limit ships (rules 8, 11.12). Hazard H-38: a check is listed also where its value is
unknown.
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.dates import before
from mappings.deciding.options_plan import NOT_SEEN, CheckSource, Plan
from mappings.deciding.options_words import Quotes, one_line
from mappings.evaluation import Assessment, Check
from mappings.facts import EventKind, Facts, PriorTherapy, SafetyFact, Sighting
from mappings.loading import Knowledge

_MRD = (EventKind.MRD_POSITIVE, EventKind.MRD_NEGATIVE)
_LONGEST_VALUE = 120
_LISTED = 6
_Answer = tuple[str, tuple[SafetyFact, ...]]
_NOTHING: _Answer = (NOT_SEEN, ())


class Checks:
    """Answers the checks of one patient; each fact is worked out once, however many options ask."""

    def __init__(
        self,
        assessment: Assessment,
        facts: Facts,
        knowledge: Knowledge,
        regions: tuple[str, ...],
        quotes: Quotes,
    ) -> None:
        self._assessment = assessment
        self._facts = facts
        self._knowledge = knowledge
        self._regions = regions
        self._quotes = quotes
        self._by_name: dict[str, list[SafetyFact]] = {}
        for fact in facts.safety:
            self._by_name.setdefault(fact.fact, []).append(fact)

    def of(self, plan: Plan) -> list[Check]:
        """Every check of a plan with this patient's values; options pick theirs by number."""
        checks = list(plan.checks)
        for source in plan.sources:
            value, values = self._answer(source)
            if value is not NOT_SEEN:
                for place in source.places:
                    blank = checks[place]
                    checks[place] = Check(blank.fact, blank.why, blank.seen, blank.citation, value, values)
        return checks

    def fact(self, name: str) -> Sequence[SafetyFact]:
        """The facts of one name."""
        return self._by_name.get(name, ())

    def _answer(self, source: CheckSource) -> _Answer:
        if source.of_antigens:
            antigens = source.antigens or tuple(v.antigen.value for v in self._assessment.antigens)
            return "; ".join([self._quotes.of(antigen) for antigen in antigens]), ()
        own = _CHART.get(source.fact)
        if own is not None and (text := own(self)):
            return text, ()
        return self._facts_named(source.names)

    def _facts_named(self, names: tuple[str, ...]) -> _Answer:
        by_name = self._by_name
        found: list[SafetyFact] = []
        for name in names:
            if name in by_name:
                found += by_name[name]
        if not found:
            return _NOTHING
        several = len(found) > 1 and len({fact.fact for fact in found}) > 1
        return "; ".join([self._said(fact, several) for fact in found]), tuple(found)

    def _said(self, fact: SafetyFact, named: bool) -> str:
        value = one_line(fact.value, _LONGEST_VALUE)
        concept = self._knowledge.concepts.get(fact.fact)
        if named and concept is not None and concept.label.lower() not in value.lower():
            value = f"{concept.label} {value}"
        shown = fact.when.display() if fact.when is not None else "date not known"
        return value if shown in value else f"{value}, {shown}"

    def _age(self) -> str:
        age = self._assessment.age_years
        return f"{age} years" if age is not None else ""

    def _country(self) -> str:
        return f"region set: {' and '.join(self._regions)}"

    def _histology(self) -> str:
        disease = self._assessment.disease
        return one_line(disease.label, _LONGEST_VALUE) if disease is not None else ""

    def _mrd(self) -> str:
        events = [event for event in self._facts.events if event.kind in _MRD]
        if not events:
            return ""
        newest = max(events, key=lambda e: (e.when.last.isoformat() if e.when else "", e.source.reference))
        shown = newest.when.display() if newest.when else "date not known"
        return f"{newest.kind.value.replace('-', ' ')}, {shown}".replace("mrd", "MRD")

    def _first_response(self) -> str:
        response = self._assessment.timing.response
        if response is not None:
            shown = response.when.display() if response.when else "date not known"
            return f"{response.kind.value.replace('-', ' ')}, {shown}"
        return "no response recorded" if self._assessment.timing.primary_refractory else ""

    def _lines(self) -> str:
        return _listed([therapy for therapy in self._facts.therapies if therapy.administered])

    def _lines_since(self) -> str:
        anchor = self._assessment.anchor
        day = anchor.last if anchor is not None else None
        if day is None:
            return ""
        return _listed(
            [
                t
                for t in self._facts.therapies
                if t.administered and t.first is not None and before(day, t.first)
            ]
        )

    def _cns(self) -> str:
        quotes = dict.fromkeys(_sighted(sighting) for sighting in self._facts.cns)
        found = self._facts_named(("cns-disease", "cns-involvement"))
        if quotes:
            return "; ".join(quotes)
        if found is not _NOTHING:
            return found[0]
        return "named in the diagnosis" if self._assessment.cns else ""


def _sighted(sighting: Sighting) -> str:
    said = one_line(sighting.source.quote, _LONGEST_VALUE) or sighting.source.reference
    return f"{said}, {sighting.when.display()}" if sighting.when is not None else said


def _listed(therapies: list[PriorTherapy]) -> str:
    """What was read, by name; lines are not counted, since regimens cannot be told from single drugs."""
    names = list(dict.fromkeys(therapy.label for therapy in therapies))
    if not names:
        return ""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"read: {', '.join(names[:_LISTED])}{more} (lines not counted)"


_CHART = {
    "age": Checks._age,
    "country": Checks._country,
    "histology": Checks._histology,
    "mrd-status": Checks._mrd,
    "response-to-first-car-t": Checks._first_response,
    "prior-lines": Checks._lines,
    "lines-since-car-t": Checks._lines_since,
    "cns-disease": Checks._cns,
}
