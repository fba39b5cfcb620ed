"""What the user states beside the chart: the form, its reading, and what it changes (H-46)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mappings.dates import ClinicalDate, Precision, parse_date
from mappings.evaluation import Evaluation, Route
from mappings.facts import Antigen, AntigenState, Method, SpecimenKind
from mappings.stated import (
    StatedAntigen,
    StatedConfirmation,
    StatedCorrection,
    StatedInfusion,
    Statement,
    statement_words,
)
from smart_app.page import words
from smart_app.page.answer import head_of
from smart_app.page.view import PageView

if TYPE_CHECKING:
    from mappings.loading import Knowledge

OTHER_PRODUCT = "other-cd19"
LONGEST_WHERE = 80
_STATES = (
    (AntigenState.POSITIVE.value, "Positive"),
    (AntigenState.LOW_OR_PARTIAL.value, "Low or partial"),
    (AntigenState.NEGATIVE.value, "Negative"),
)
_SPECIMENS = (
    (SpecimenKind.TISSUE.value, "Tissue biopsy"),
    (SpecimenKind.MARROW.value, "Marrow"),
    (SpecimenKind.EFFUSION.value, "Effusion"),
    (SpecimenKind.CSF.value, "CSF"),
    (SpecimenKind.BLOOD.value, "Blood with lymphoma cells or blasts"),
)
_METHODS = (
    (Method.UNSPECIFIED.value, "Not stated"),
    (Method.IHC.value, "IHC"),
    (Method.FLOW.value, "Flow cytometry"),
)
_ROUTE_WORDS = {
    Route.CONSIDER: "can be considered",
    Route.NEEDS_RESULT: "needs a result first",
    Route.SPECIALIST: "specialist or trial only",
    Route.NOT_SUITABLE: "not suitable",
    Route.OUT_OF_SCOPE: "out of scope",
}
_RECORDS_OFFERED = 40


class StatementFault(ValueError):
    """A form that cannot be taken: one sentence for each field that is wrong."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {said}" for name, said in faults.items()))
        self.faults = dict(faults)


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a list in the form."""

    value: str
    text: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class StripLine:
    """One statement as the strip shows it on every region, in print and in JSON."""

    text: str
    at: str
    where: str


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The section: lists of the form, what stands now, and what it changed against the chart."""

    antigens: tuple[tuple[str, str, str, tuple[Choice, ...]], ...]
    specimens: tuple[Choice, ...]
    methods: tuple[Choice, ...]
    products: tuple[Choice, ...]
    records: tuple[Choice, ...]
    values: Mapping[str, str]
    faults: Mapping[str, str]
    lines: tuple[StripLine, ...]
    change: str
    moves: tuple[tuple[str, str], ...]


def build_whatif(view: PageView) -> WhatIf:
    """The form with what the chart says, and the effect of what was stated."""
    chart = view.chart or view.evaluation
    form = view.form
    antigens = tuple(
        (
            one.antigen.value,
            one.antigen.value.lower(),
            "discordant" if one.discordant else words.STATE_WORDS[one.state].lower(),
            _choices(_STATES, form.get(one.antigen.value.lower(), "")),
        )
        for one in chart.assessment.antigens
    )
    return WhatIf(
        antigens=antigens,
        specimens=_choices(_SPECIMENS, form.get("specimen", "")),
        methods=_choices(_METHODS, form.get("method", "")),
        products=_choices(_products(view.knowledge), form.get("product", "")),
        records=_choices(_records(chart), form.get("disregard", "")),
        values={
            name: form.get(name, "")
            for name in ("collected", "infused", "confirmed_on", "where", "confirmed")
        },
        faults=view.form_faults,
        lines=strip_lines(view),
        change=_change(view),
        moves=_moves(view),
    )


def strip_lines(view: PageView) -> tuple[StripLine, ...]:
    """Each statement with its time and where the user read it."""
    return tuple(
        StripLine(
            words.upper_first(words.short(statement_words(one.statement), 200)),
            words.moment_words(one.at),
            words.short(one.where, LONGEST_WHERE),
        )
        for one in view.statements
    )


def _choices(rows: tuple[tuple[str, str], ...], chosen: str) -> tuple[Choice, ...]:
    return tuple(Choice(value, text, value == chosen) for value, text in rows)


def _products(knowledge: Knowledge) -> tuple[tuple[str, str], ...]:
    rows = [
        (c.id, f"{c.label} ({', '.join(c.names('targets'))})")
        for c in knowledge.of_kind("car-t-product")
        if c.flag("car")
    ]
    return (*rows, (OTHER_PRODUCT, "Another CD19 CAR T, product not known"))


def _records(chart: Evaluation) -> tuple[tuple[str, str], ...]:
    """Records that hold or decide, which a user may want left out of account."""
    references = [r.source.reference for view in chart.assessment.antigens for r in view.results]
    references += [source.reference for step in chart.assessment.trail for source in step.sources]
    kept = [one for one in dict.fromkeys(references) if not one.startswith(("Patient/", "stated/"))]
    return tuple((one, words.short(one, 70)) for one in kept[:_RECORDS_OFFERED])


def _change(view: PageView) -> str:
    if view.chart is None or not view.statements:
        return ""
    now, before = head_of(view.evaluation)[0], head_of(view.chart)[0]
    if now == before:
        return f"Category stays: {now}."
    return f"Category with what you stated: {now}. The chart alone says: {before}. Both stay on show."


def _moves(view: PageView) -> tuple[tuple[str, str], ...]:
    """Which options changed their route, by kind of move, in the order of display."""
    if view.chart is None or not view.statements:
        return ()
    before = {match.option: match.route for match in view.chart.matches}
    now = {match.option: match for match in view.evaluation.matches}
    moves: dict[str, list[str]] = {}
    for match in view.evaluation.matches:
        was = before.get(match.option)
        if was is None:
            moves.setdefault(f"New under {_ROUTE_WORDS[match.route]}", []).append(match.label)
        elif was is not match.route:
            key = f"From {_ROUTE_WORDS[was]} to {_ROUTE_WORDS[match.route]}"
            moves.setdefault(key, []).append(match.label)
    gone = [match.label for match in view.chart.matches if match.option not in now]
    if gone:
        moves["No longer listed"] = gone
    return tuple((key, "; ".join(labels)) for key, labels in moves.items())


def read_statements(
    form: Mapping[str, str], evaluation: Evaluation, knowledge: Knowledge
) -> tuple[Statement, ...]:
    """The statements of a form against the chart's evaluation; `StatementFault` names each field that is wrong.

    Fields: `cd19` `cd20` `cd22` with `specimen` `method` `collected`; `product` with `infused`; `confirmed` with
    `confirmed_on`; `disregard`; `where` (at most 80 characters, kept beside the statement).
    """
    faults: dict[str, str] = {}
    found: list[Statement] = []
    if len(form.get("where", "")) > LONGEST_WHERE:
        faults["where"] = f"Keep it to {LONGEST_WHERE} characters."
    _read_correction(form, evaluation, found, faults)
    _read_infusion(form, evaluation, knowledge, found, faults)
    _read_antigens(form, evaluation, found, faults)
    if form.get("confirmed"):
        day = _day(form, "confirmed_on", evaluation, faults)
        specimen = _specimen(form, faults)
        if day is not None and specimen is not None:
            found.append(StatedConfirmation(specimen, day))
    if not found and not faults:
        faults["cd19"] = "Nothing was stated: choose a result, an infusion, a confirmation or a correction."
    if faults:
        raise StatementFault(faults)
    return tuple(found)


def _read_antigens(
    form: Mapping[str, str], evaluation: Evaluation, found: list[Statement], faults: dict[str, str]
) -> None:
    states = {value for value, _ in _STATES}
    named = [antigen for antigen in Antigen if form.get(antigen.value.lower())]
    if not named:
        return
    day = _day(form, "collected", evaluation, faults)
    specimen = _specimen(form, faults)
    method = form.get("method") or Method.UNSPECIFIED.value
    if method not in {value for value, _ in _METHODS}:
        faults["method"] = "Choose one of the methods listed."
    for antigen in named:
        state = form[antigen.value.lower()]
        if state not in states:
            faults[antigen.value.lower()] = "Choose positive, low or partial, or negative."
        elif day is not None and specimen is not None and "method" not in faults:
            found.append(StatedAntigen(antigen, AntigenState(state), specimen, Method(method), day))


def _specimen(form: Mapping[str, str], faults: dict[str, str]) -> SpecimenKind | None:
    value = form.get("specimen") or SpecimenKind.TISSUE.value
    if value not in {known for known, _ in _SPECIMENS}:
        faults["specimen"] = "Choose one of the specimens listed."
        return None
    return SpecimenKind(value)


def _day(
    form: Mapping[str, str], name: str, evaluation: Evaluation, faults: dict[str, str]
) -> ClinicalDate | None:
    """A whole day that is not after the moment of judgement and not before birth."""
    text = form.get(name, "").strip()
    when = parse_date(text) if text else None
    if when is None or when.precision is not Precision.DAY:
        faults[name] = "Give the day as year-month-day, such as 2026-11-18."
        return None
    now, born = parse_date(evaluation.as_of), evaluation.facts.patient.birth_date
    if now is not None and when.first > now.last:
        faults[name] = "This day lies after the time the chart was read."
        return None
    if born is not None and when.last < born.first:
        faults[name] = "This day lies before the patient was born."
        return None
    return when


def _read_infusion(
    form: Mapping[str, str],
    evaluation: Evaluation,
    knowledge: Knowledge,
    found: list[Statement],
    faults: dict[str, str],
) -> None:
    product = form.get("product", "")
    if not product:
        return
    if product not in {value for value, _ in _products(knowledge)}:
        faults["product"] = "Choose one of the products listed."
        return
    day = _day(form, "infused", evaluation, faults)
    if day is None:
        return
    if product == OTHER_PRODUCT:
        found.append(StatedInfusion("", "CD19 CAR T, product not known", ("CD19",), day))
        return
    concept = knowledge.concepts[product]
    found.append(
        StatedInfusion(product, concept.text("short") or concept.label, concept.names("targets"), day)
    )


def _read_correction(
    form: Mapping[str, str], evaluation: Evaluation, found: list[Statement], faults: dict[str, str]
) -> None:
    reference = form.get("disregard", "")
    if not reference:
        return
    if reference not in {value for value, _ in _records(evaluation)}:
        faults["disregard"] = "Choose one of the records listed."
        return
    found.append(StatedCorrection(reference))
