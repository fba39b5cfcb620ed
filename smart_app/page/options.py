"""Options by route in the fixed order of display, each with reason, targets, status, checks and studies.

Nothing here sorts by benefit: the order is the core's (testing, trial, then A to Z; rules 9.1, H-41). Filters hide
rows on screen and count them; print, text and JSON take no filter (H-39).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from mappings.deciding.options_plan import NOT_SEEN
from mappings.evaluation import Check, OptionMatch, RelapseCategory, Route
from mappings.facts import Antigen
from mappings.stated import STATED
from smart_app.page import words
from smart_app.page.evidence import Study, lead_of, studies_of
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
_LABELLED = frozenset({"approved", "accelerated-approval", "conditional"})
_NO_PRODUCT = {
    "testing": "Not a product",
    "clinical-trial": "Not a product",
    "supportive": "Not a product",
    "transplant": "Procedure",
    "radiotherapy": "Procedure",
    "chemoimmunotherapy": "Depends on regimen",
}
_AGES = ((18, "child"), (65, "adult"))


@dataclass(frozen=True, slots=True)
class TargetRow:
    """An antigen an option is directed at, with this patient's state in shape and words."""

    text: str
    glyph: str
    state: str


@dataclass(frozen=True, slots=True)
class StatusLine:
    """Approval in one region as last seen."""

    region: str
    state: str
    text: str
    as_of: str
    check_label: bool


@dataclass(frozen=True, slots=True)
class CheckLine:
    """A fact to look at before use: label, why it is asked, and what is on record; never pass or fail."""

    fact: str
    label: str
    why: str
    common: bool
    kind: str
    glyph: str
    value: str
    detail: str


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
    status = tuple(_status(row) for row in match.status)
    studies = studies_of(match.evidence, match.option, view.knowledge)
    lead, lead_note = lead_of(studies)
    checks = tuple(_check(view, check) for check in match.checks)
    data = _data(option.targets, match.status, option.diseases)
    return OptionRow(
        id=match.option,
        label=match.label,
        kind=words.KIND_WORDS.get(match.kind, match.kind),
        reason=words.ended(words.short(match.why, 400)),
        rule=match.rule,
        given=words.short(match.given_before, 160),
        notes=tuple(words.ended(words.short(note, 300)) for note in match.notes),
        targets=targets,
        status=tuple(line for line in status if line.state),
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


def _status(row: Mapping[str, Any]) -> StatusLine:
    state = str(row.get("state") or "")
    return StatusLine(
        region=str(row.get("region") or ""),
        state=words.STATUS_WORDS.get(state, ""),
        text=str(row.get("indication") or ""),
        as_of=words.iso_words(str(row.get("as_of") or "")),
        check_label=not row.get("seen", True),
    )


def _data(targets: Any, status: Any, diseases: tuple[str, ...]) -> dict[str, str]:
    """What filters look at: targets needed, status by region, diseases; nothing of the patient."""
    needed = [t.antigen.lower() for t in targets if t.must_be in _NEEDED and t.antigen in Antigen.__members__]
    found = {"target": " ".join(needed) or "free", "disease": " ".join(diseases)}
    for row in status:
        found[str(row.get("region", "")).lower()] = _status_group(str(row.get("state") or ""))
    return found


def _status_group(state: str) -> str:
    if state in _LABELLED:
        return "label"
    return {"off-label": "off", "investigational": "trial"}.get(state, "other")


def fits(data: Mapping[str, str], filters: Filters) -> bool:
    """Whether an option stays on screen under these filters."""
    if filters.target and filters.target not in data["target"].split():
        return False
    if filters.disease and data["disease"] and filters.disease not in data["disease"].split():
        return False
    regions = [filters.region.lower()] if filters.region else [key for key in ("us", "eu") if key in data]
    groups = [data.get(region, "other") for region in regions] or ["other"]
    return not filters.status or filters.status in groups


def _check(view: PageView, check: Check) -> CheckLine:
    known = view.knowledge.checks.get(check.fact)
    label = words.upper_first(known.label if known is not None else check.fact.replace("-", " "))
    source = known.source if known is not None else "safety"
    if check.values or check.value not in ("", NOT_SEEN):
        unknown = source == "antigen" and "unknown" in check.value and "positive" not in check.value
        kind, glyph = ("missing", "missing") if unknown else ("value", "value")
        value = words.upper_first(words.short(f"{_measured(view, check)}{check.value}", 200))
        return CheckLine(check.fact, label, check.why, not check.seen, kind, glyph, value, "")
    if source in ("condition", "therapy"):
        types = ("Condition",) if source == "condition" else ("MedicationAdministration", "Procedure")
        if _read_in_full(view, types):
            day = words.iso_words(view.evaluation.as_of)
            where = "problem list" if source == "condition" else "administrations and procedures"
            return CheckLine(
                check.fact,
                label,
                check.why,
                not check.seen,
                "none",
                "none",
                "None found",
                f"{where}, read {day}",
            )
        return CheckLine(
            check.fact,
            label,
            check.why,
            not check.seen,
            "missing",
            "missing",
            "Not seen in full",
            "not everything was read",
        )
    if source == "ask":
        return CheckLine(
            check.fact,
            label,
            check.why,
            not check.seen,
            "ask",
            "none",
            "To ask",
            "not kept in charts as a value",
        )
    return CheckLine(
        check.fact,
        label,
        check.why,
        not check.seen,
        "missing",
        "missing",
        "Not found",
        "no value in what was read",
    )


def _measured(view: PageView, check: Check) -> str:
    """What was measured, where it is not what the check is called: a creatinine is no creatinine clearance."""
    kinds = {value.fact for value in check.values}
    if len(kinds) != 1 or check.fact in kinds:
        return ""
    concept = view.knowledge.concepts.get(kinds.pop())
    said = concept is None or concept.label.lower() in check.value.lower()
    return "" if said or concept is None else f"{concept.label} "


def _read_in_full(view: PageView, types: tuple[str, ...]) -> bool:
    """Whether a `none found` may be said of these types: all complete, and no entry of theirs unreadable (H-08, H-11)."""
    evaluation = view.evaluation
    seen = {row.type: row.state for row in evaluation.facts.seen}
    unread = {
        r.source.reference.partition("/")[0] for r in evaluation.assessment.unread if r.source is not None
    }
    return all(seen.get(kind) == "complete" and kind not in unread for kind in types)


def age_filter(age: int | None) -> str:
    """The age group of a trial search; empty where the age is not known."""
    if age is None:
        return ""
    return next((name for below, name in _AGES if age < below), "older")


def trial_link(view: PageView, match: OptionMatch | None = None) -> str:
    """A ClinicalTrials.gov search by disease, target and age group: nothing of the patient, no chart text (H-42)."""
    assessment = view.evaluation.assessment
    disease = words.GROUP_WORDS.get(assessment.disease_group, "B-cell malignancy")
    if match is not None and match.kind not in ("testing", "clinical-trial", "supportive"):
        term = match.label.split(" (")[0]
    else:
        term = "CD19 OR CD20 OR CD22"
    ages = age_filter(assessment.age_years)
    filters = f"ages:{ages},status:rec" if ages else "status:rec"
    query = urlencode({"cond": disease, "term": term, "aggFilters": filters})
    return f"https://clinicaltrials.gov/search?{query}"
