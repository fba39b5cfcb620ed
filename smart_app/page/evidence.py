"""Studies of one option as the page prints them: digits as in the source, intervals never computed, one small plot.

Plots stay inside an option: lined up across options they would invite a comparison no study made (rules 9.7).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smart_app.page import words

if TYPE_CHECKING:
    from mappings.loading import Evidence, Knowledge, Outcome

_NOT_SEEN = "not seen"
_LEFT, _RIGHT = 4.0, 196.0
_PLOTTED = frozenset({"ORR", "CR", "CR/CRi", "PR", "in-field-response", "local-control"})
_POPULATION = {
    "all": "After CAR T: everybody",
    "subgroup": "After CAR T: subgroup",
    "mixed": "Not a post-CAR-T population: mixed",
    "none": "Not a post-CAR-T population",
}
_MEASURES = {
    "ORR": "Any response (ORR)",
    "CR": "Complete response (CR)",
    "CR/CRi": "Complete response (CR or CRi)",
    "PR": "Partial response (PR)",
    "in-field-response": "Response in the field",
    "local-control": "Local control",
    "mOS": "Median OS",
    "mPFS": "Median PFS",
    "mDOR": "Median duration of response",
    "mEFS": "Median EFS",
    "mOS2": "Median OS after failure",
    "mPFS2": "Median PFS of the next line",
    "OS-rate": "OS",
    "PFS-rate": "PFS",
    "PFS2-rate": "PFS of the next line",
    "EFS-rate": "EFS",
    "LFS-rate": "LFS",
    "DOR-rate": "In response",
    "CR-ongoing-rate": "CR still ongoing",
    "HR-PFS": "Hazard ratio for PFS",
    "HR-OS": "Hazard ratio for OS",
    "HR-PFS2": "Hazard ratio for PFS of the next line",
    "HR-relapse": "Hazard ratio for relapse",
    "NRM": "Non-relapse mortality",
    "GRFS-rate": "GRFS",
    "LRFS-rate": "Local relapse-free survival",
}
_SHORT = {"ORR": "ORR", "CR": "CR", "CR/CRi": "CR or CRi"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a study: what, how much, with which interval, and where its mark stands on the plot."""

    label: str
    value: str
    share: str
    interval: str
    note: str
    plotted: bool
    group: str = ""
    at: float = 0.0
    low: float = 0.0
    high: float = 0.0
    has_interval: bool = False


@dataclass(frozen=True, slots=True)
class Study:
    """One study: whom it is of, how it was done, its figures and its source."""

    id: str
    population: str
    after_car_t: bool
    background: bool
    n: str
    design: str
    people: str
    age: str
    cite: str
    journal: str
    href: str
    figures: tuple[Figure, ...]
    others: tuple[Figure, ...]


def studies_of(evidence_ids: tuple[str, ...], option: str, knowledge: Knowledge) -> tuple[Study, ...]:
    """The studies of an option: after CAR T first, then other populations, then background, as listed in each."""
    rows = [knowledge.evidence[key] for key in evidence_ids if key in knowledge.evidence]
    studies = [_study(row, option, knowledge) for row in rows]
    return tuple(sorted(studies, key=lambda s: (s.background, not s.after_car_t)))


def lead_of(studies: tuple[Study, ...]) -> tuple[str, str]:
    """The closed row's words: the first study after CAR T of this very option, else what there is instead."""
    first = lead_study(studies)
    if first is None:
        own = sum(1 for study in studies if not study.background)
        if own:
            return "", f"No figures after CAR T; {words.counted(own, 'other study', 'other studies')}"
        return "", "Background figures only" if studies else "No figures found"
    figures = _leading(first.figures)[:2] or _leading(first.others)[:1]
    return ", ".join(_lead_figure(figure) for figure in figures), f"{first.n}, {first.design}, {first.cite}"


def lead_study(studies: tuple[Study, ...]) -> Study | None:
    """The first study after CAR T of this very option with a figure of everybody in it."""
    own = (study for study in studies if not study.background and study.after_car_t)
    return next((study for study in own if _leading((*study.figures, *study.others))), None)


def _leading(figures: tuple[Figure, ...]) -> list[Figure]:
    """Figures of everybody in the study, each measure once: a figure of a part of it never leads."""
    found: dict[str, Figure] = {}
    for figure in figures:
        if not figure.group and figure.value != _NOT_SEEN:
            found.setdefault(figure.label, figure)
    return list(found.values())


def _lead_figure(figure: Figure) -> str:
    label = next((s for s in _SHORT.values() if figure.label.endswith(f"({s})")), figure.label)
    interval = f" ({figure.interval})" if figure.has_interval else ""
    return f"{label} {figure.value}{interval}"


def _study(row: Evidence, option: str, knowledge: Knowledge) -> Study:
    citation = knowledge.citations.get(row.citation_id, {})
    figures = [_figure(outcome) for outcome in row.outcomes]
    background = row.option_id.startswith("context-")
    population = _POPULATION.get(row.post_car_t, row.post_car_t)
    if background:
        population = f"Background: {population}"
    elif row.option_id != option:
        population = f"{row.option_label}: {population}"
    return Study(
        id=row.id,
        population=population,
        after_car_t=row.post_car_t in ("all", "subgroup"),
        background=background or row.option_id != option,
        n=f"n = {row.n}" if row.n is not None else "n not seen",
        design=row.design,
        people=row.population,
        age=row.adult_or_child,
        cite=cite_words(citation),
        journal=str(citation.get("container-title") or ""),
        href=_href(citation),
        figures=tuple(figure for figure in figures if figure.plotted),
        others=tuple(figure for figure in figures if not figure.plotted),
    )


def cite_words(citation: Mapping[str, Any]) -> str:
    """First author and year, else journal and year, else the title."""
    parts = (citation.get("issued") or {}).get("date-parts") or [[]]
    year = str(parts[0][0]) if parts and parts[0] else ""
    authors = citation.get("author") or []
    family = authors[0].get("family", "") if authors else ""
    name = family or str(citation.get("container-title") or citation.get("title") or "source")
    return f"{name} {year}".strip()


def _href(citation: Mapping[str, Any]) -> str:
    doi, url = citation.get("DOI"), str(citation.get("URL") or "")
    if doi:
        return f"https://doi.org/{doi}"
    return url if url.startswith("https://") else ""


def _figure(outcome: Outcome) -> Figure:
    label = _MEASURES.get(outcome.measure, words.upper_first(outcome.measure.replace("-", " ")))
    if outcome.at:
        label = f"{label}, {outcome.at}"
    if outcome.group:
        label = f"{label} ({outcome.group})"
    note = outcome.note or ""
    if outcome.value is None:
        return Figure(label, _NOT_SEEN, "", "", note, False)
    unit = "%" if outcome.unit == "%" else "" if outcome.unit == "ratio" else f" {outcome.unit}"
    share = ""
    if outcome.numerator is not None and outcome.denominator is not None:
        share = f"{outcome.numerator} of {outcome.denominator}"
    seen = outcome.ci_low is not None or outcome.ci_high is not None
    plotted = outcome.unit == "%" and outcome.measure in _PLOTTED and 0 <= outcome.value <= 100
    low = outcome.ci_low if outcome.ci_low is not None else outcome.value
    high = outcome.ci_high if outcome.ci_high is not None else outcome.value
    return Figure(
        label=label,
        value=f"{number(outcome.value)}{unit}",
        share=share,
        interval=_interval(outcome),
        note=note,
        plotted=plotted,
        group=outcome.group or "",
        at=_place(outcome.value) if plotted else 0.0,
        low=_place(low) if plotted else 0.0,
        high=_place(high) if plotted else 0.0,
        has_interval=seen,
    )


def number(value: float) -> str:
    """A number with the digits of the source: 42.0 stays 42.0, 42 stays 42."""
    return str(int(value)) if isinstance(value, int) else repr(value)


def _interval(outcome: Outcome) -> str:
    if outcome.ci_low is None and outcome.ci_high is None:
        return "interval not seen"
    low = number(outcome.ci_low) if outcome.ci_low is not None else "not reached"
    high = number(outcome.ci_high) if outcome.ci_high is not None else "not reached"
    level = f"{outcome.ci_level}% CI" if outcome.ci_level is not None else "CI of unknown level"
    return f"{level} {low}\u2013{high}"


def _place(value: float) -> float:
    return round(_LEFT + min(100.0, max(0.0, value)) / 100 * (_RIGHT - _LEFT), 1)
