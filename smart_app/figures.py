"""Study figures, boxed warnings and citations as lines of words; digits as in the source, never computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mappings.evaluation import OptionMatch

if TYPE_CHECKING:
    from mappings.loading import Evidence, Knowledge, Outcome

_LEADING = 2
_POPULATION = {
    "all": "After CAR T: everybody",
    "subgroup": "After CAR T: subgroup",
    "mixed": "Partly after CAR T",
    "none": "Not a post-CAR-T population",
}


def leading_figures(match: OptionMatch, knowledge: Knowledge) -> list[str]:
    """The first study of an option with its first figures, and how many more the JSON form holds."""
    known = [knowledge.evidence[key] for key in match.evidence if key in knowledge.evidence]
    if not known:
        return []
    first = known[0]
    figures = "; ".join(_figure(outcome) for outcome in first.outcomes[:_LEADING]) or "no figure read"
    size = f"n = {first.n}" if first.n is not None else "n not seen"
    more = len(known) - 1
    rest = f" {more} more {'study' if more == 1 else 'studies'} in the JSON form." if more else ""
    population = _POPULATION.get(first.post_car_t, first.post_car_t)
    return [f"{population}: {figures}. {size}, {first.design} [{first.citation_id}].{rest}"]


def figure_lines(match: OptionMatch, knowledge: Knowledge) -> list[str]:
    """One line for each study of an option: population, figures with n and interval, design, source."""
    return [_study(knowledge.evidence[key]) for key in match.evidence if key in knowledge.evidence]


def _study(evidence: Evidence) -> str:
    population = _POPULATION.get(evidence.post_car_t, evidence.post_car_t)
    size = f"n = {evidence.n}" if evidence.n is not None else "n not seen"
    figures = "; ".join(_figure(outcome) for outcome in evidence.outcomes) or "no figure read"
    return (
        f"{population}. {evidence.population}: {figures}. {size}, {evidence.design} [{evidence.citation_id}]"
    )


def _figure(outcome: Outcome) -> str:
    if outcome.value is None:
        return f"{outcome.measure} {outcome.note or 'not seen'}"
    value = f"{_number(outcome.value)}{'%' if outcome.unit == '%' else ' ' + outcome.unit}"
    at = f" at {outcome.at}" if outcome.at else ""
    group = f" ({outcome.group})" if outcome.group else ""
    share = ""
    if outcome.numerator is not None and outcome.denominator is not None:
        share = f", {outcome.numerator} of {outcome.denominator}"
    return f"{outcome.measure}{group} {value}{at}{share} ({_interval(outcome)})"


def _interval(outcome: Outcome) -> str:
    if outcome.ci_low is None and outcome.ci_high is None:
        return "interval not seen"
    low = _number(outcome.ci_low) if outcome.ci_low is not None else "not reached"
    high = _number(outcome.ci_high) if outcome.ci_high is not None else "not reached"
    level = f"{outcome.ci_level}% CI" if outcome.ci_level is not None else "CI of unknown level"
    return f"{level} {low}–{high}"


def _number(value: float) -> str:
    return str(int(value)) if isinstance(value, int) else repr(value)


def boxed_lines(boxed: Iterable[Mapping[str, Any]]) -> list[str]:
    """Boxed warnings of an option, each marked as what it is."""
    rows = []
    for row in boxed:
        seen = "" if row.get("seen", True) else " (check the label)"
        rows.append(f"BOXED WARNING: {row.get('text', '')}{seen}")
    return rows


def citation_line(citation: Mapping[str, Any]) -> str:
    """A citation in one line: title, container, year, address."""
    issued = citation.get("issued") or {}
    parts = issued.get("date-parts") or [[]]
    year = str(parts[0][0]) if parts and parts[0] else ""
    fields = [
        citation.get("title"),
        citation.get("container-title"),
        year,
        citation.get("DOI"),
        citation.get("URL"),
    ]
    return ". ".join(str(one).rstrip(".") for one in fields if one)
