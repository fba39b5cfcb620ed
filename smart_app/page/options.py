"""Options by route in the fixed order of display, each with reason, targets, status, checks and studies.

Nothing here sorts by benefit: the order is the core's (testing, trial, then A to Z; rules 9.1, H-41). Filters hide
rows on screen and count them; print, text and JSON take no filter (H-39).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mappings.evaluation import OptionMatch, RelapseCategory, Route
from mappings.facts import Antigen
from mappings.stated import STATED
from smart_app.page import words
from smart_app.page.checks import CheckLine, check_line
from smart_app.page.evidence import Study, lead_of, studies_of
from smart_app.page.status import StatusHere, StatusLine, status_groups, status_lines, statuses_here
from smart_app.page.trials import trial_link
from smart_app.page.view import Filters, PageView

ROUTES = (
    (
        Route.CONSIDER,
        "Can be considered",
        "Not a recommendation and not ranked: testing first, then trial, then A to Z.",
    ),
    (Route.NEEDS_RESULT, "Needs a result first", "The missing result stands in each line."),
    (Route.SPECIALIST, "Specialist team or trial only", "Raise with an expert centre or a trial."),
    (Route.NOT_SUITABLE, "Not suitable with what is on record", "The reason stands in each line."),
    (Route.OUT_OF_SCOPE, "Out of scope here", "Named so that nothing is lost; not part of this question."),
)
_EMPTY = {
    Route.CONSIDER: "No option is listed here for this chart.",
    Route.NEEDS_RESULT: "No option waits for a result in this chart.",
    Route.SPECIALIST: "No option is listed here for this chart.",
    Route.NOT_SUITABLE: "No option is ruled out by what is on record.",
}
_NO_PRODUCT = {
    "testing": "Not a product",
    "clinical-trial": "Not a product",
    "supportive": "Not a product",
    "transplant": "Procedure",
    "radiotherapy": "Procedure",
    "chemoimmunotherapy": "Depends on regimen",
}


@dataclass(frozen=True, slots=True)
class TargetRow:
    """An antigen an option is directed at, with this patient's state in shape and words."""

    text: str
    glyph: str
    state: str


@dataclass(frozen=True, slots=True)
class OptionRow:
    """One option as the list shows it."""

    id: str
    label: str
    kind: str
    reason: str
    rule: str
    given: str
    notes: tuple[str, ...]
    targets: tuple[TargetRow, ...]
    status: tuple[StatusLine, ...]
    here: tuple[StatusHere, ...]
    no_product: str
    lead: str
    lead_note: str
    boxed: tuple[tuple[str, bool], ...]
    say: tuple[tuple[str, bool], ...]
    checks: tuple[CheckLine, ...]
    missing: int
    studies: tuple[Study, ...]
    trials: str
    data: Mapping[str, str]
    hidden: bool
    stated: bool


@dataclass(frozen=True, slots=True)
class RouteGroup:
    """One route with its options and, where it is empty, the sentence that says so."""

    id: str
    title: str
    note: str
    rows: tuple[OptionRow, ...]


@dataclass(frozen=True, slots=True)
class Options:
    """The section: routes in fixed order, how many rows a filter hides, and the choices of the filters."""

    groups: tuple[RouteGroup, ...]
    total: int
    shown: int
    diseases: tuple[tuple[str, str], ...]
    disease: str
    silent: str


def build_options(view: PageView) -> Options:
    """Every listed option; empty with a reason where the category names none."""
    matches = view.evaluation.matches
    rows = [(match.route, _row(view, match)) for match in matches]
    groups = []
    for route, title, note in ROUTES:
        inside = tuple(row for at, row in rows if at is route)
        if inside or (route in _EMPTY and matches):
            groups.append(RouteGroup(route.value, title, note if inside else _EMPTY[route], inside))
    shown = sum(1 for _, row in rows if not row.hidden)
    group = view.evaluation.assessment.disease_group
    return Options(
        groups=tuple(groups),
        total=len(rows),
        shown=shown,
        diseases=_diseases(view),
        disease=words.GROUP_WORDS.get(group, ""),
        silent="" if matches else _silent(view),
    )


def _silent(view: PageView) -> str:
    category = view.evaluation.assessment.category
    if category is RelapseCategory.DECEASED:
        return "A death is recorded: no options are listed."
    if category is RelapseCategory.INSUFFICIENT_DATA:
        return (
            "Without a category no options are listed. State what you have seen under What if, or read again."
        )
    return "There is no relapse after CD19 CAR T to list options for in what was read."


def _diseases(view: PageView) -> tuple[tuple[str, str], ...]:
    listed = {match.option for match in view.evaluation.matches}
    found = {disease for o in view.knowledge.options if o.id in listed for disease in o.diseases}
    known = [(key, label) for key, label in words.GROUP_WORDS.items() if key in found]
    return tuple(known) if len(known) > 1 else ()


def _row(view: PageView, match: OptionMatch) -> OptionRow:
    option = view.knowledge.option(match.option)
    targets = tuple(_target(view, t.antigen, t.must_be) for t in option.targets if t.must_be in _NEEDED)
    studies = studies_of(match.evidence, match.option, view.knowledge)
    lead, lead_note = lead_of(studies)
    checks = tuple(check_line(view, check) for check in match.checks)
    assessment = view.evaluation.assessment
    data = _data(option.targets, option.diseases) | status_groups(match, assessment)
    return OptionRow(
        id=match.option,
        label=match.label,
        kind=words.KIND_WORDS.get(match.kind, match.kind),
        reason=words.ended(words.short(match.why, 400)),
        rule=match.rule,
        given=words.short(match.given_before, 160),
        notes=tuple(words.ended(words.short(note, 300)) for note in match.notes),
        targets=targets,
        status=status_lines(match),
        here=statuses_here(match, assessment),
        no_product=_NO_PRODUCT.get(match.kind, "Status not read"),
        lead=lead,
        lead_note=lead_note,
        boxed=tuple((str(row.get("text", "")), bool(row.get("seen", True))) for row in match.boxed),
        say=tuple((str(row.get("text", "")), bool(row.get("seen", True))) for row in match.must_say),
        checks=checks,
        missing=sum(1 for check in checks if check.kind == "missing"),
        studies=studies,
        trials=trial_link(view, match),
        data=data,
        hidden=not fits(data, view.filters),
        stated=STATED in match.why,
    )


_NEEDED = {"present": "needed", "protocol-specific": "per protocol"}


def _target(view: PageView, antigen: str, must_be: str) -> TargetRow:
    text = f"{antigen} {_NEEDED[must_be]}"
    if antigen not in Antigen.__members__:
        return TargetRow(text, "value", "not followed here")
    one = view.evaluation.assessment.antigen(Antigen(antigen))
    glyph = "discordant" if one.discordant else words.GLYPHS[one.state]
    state = "results disagree" if one.discordant else words.STATE_WORDS[one.state].lower()
    return TargetRow(text, glyph, state)


def _data(targets: Any, diseases: tuple[str, ...]) -> dict[str, str]:
    """What filters look at beside the status: targets needed, diseases of the catalogue; nothing of the patient."""
    needed = [t.antigen.lower() for t in targets if t.must_be in _NEEDED and t.antigen in Antigen.__members__]
    return {"target": " ".join(needed) or "free", "disease": " ".join(diseases)}


def fits(data: Mapping[str, str], filters: Filters) -> bool:
    """Whether an option stays on screen under these filters."""
    if filters.target and filters.target not in data["target"].split():
        return False
    if filters.disease and data["disease"] and filters.disease not in data["disease"].split():
        return False
    regions = [filters.region.lower()] if filters.region else [key for key in ("us", "eu") if key in data]
    groups = [group for region in regions for group in data.get(region, "other").split()] or ["other"]
    return not filters.status or filters.status in groups
