"""What leaves the page: plain text for the note, the evaluation as JSON, the print sheet; each with whose it is,
the time, the knowledge and the limits (H-06, H-46, H-53)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from cds_hooks import card_lines as lines
from cds_hooks.extension import extension
from cds_hooks.remark_words import remark_sentence
from cds_hooks.standing import confirmed_by_user, later_therapy_line, partly_line
from mappings.evaluation import Evaluation, OptionMatch, Route
from mappings.stated import STATED
from smart_app.page import words
from smart_app.page.answer import branch_words, day_lead, head_of, lede, shows_antigens
from smart_app.page.evidence import lead_study
from smart_app.page.identity import identity_of
from smart_app.page.options import ROUTES, OptionRow, Options
from smart_app.page.view import PageView
from smart_app.page.whatif import strip_lines
from smart_app.page.why import kind_words

_LONGEST_WHY = 330
_LONGEST_PART = 200
LIMITS = (
    "Options, not orders: no ranking, no dose. Studies are separate and must not be compared as one trial. "
    "Reads reported results, never slides or flow files; what was not seen is not absent. Confirm on the reports. "
    "For health professionals; supports and does not replace judgement. Not for emergencies."
)


def stamp(view: PageView) -> str:
    """Where and when the chart was read, and by which knowledge."""
    knowledge = view.evaluation.knowledge
    overlay = f", overlay {words.short(knowledge.overlay, 24)}" if knowledge.overlay else ""
    site = f"{words.short(view.site, 60)}, " if view.site else ""
    read = words.moment_words(view.read_at)
    return f"{site}chart read {read}, knowledge {knowledge.version} ({knowledge.digest}{overlay})"


def plain_text(view: PageView) -> str:
    """The answer as text for a note; it begins with name, birth date, record number and time (H-06)."""
    evaluation = view.evaluation
    who = identity_of(evaluation)
    rows = [
        f"{who.name}, born {who.born}, {who.sex_words}, {who.record_label} {who.record}",
        f"postcart, relapse after CD19 CAR T: {stamp(view)}",
    ]
    if view.environment:
        rows.append(f"Environment: {words.short(view.environment, 40)}")
    rows += [
        f"WHAT IF, {STATED.upper()}, NOT IN THE CHART: {line.text}. Stated {line.at}"
        + (f", read in: {line.where}." if line.where else ".")
        for line in strip_lines(view)
    ]
    partly = partly_line(evaluation)
    rows += [*([partly] if partly else []), "", _head_line(view)]
    branch = words.ended(branch_words(evaluation))
    about = lines.branch_line(evaluation.assessment)
    rows += [one for one in (later_therapy_line(evaluation), branch, about) if one]
    if shows_antigens(evaluation):
        rows += _antigen_lines(evaluation)
    rows += _gap_lines(view)
    rows += _option_lines(evaluation)
    rows += ["", LIMITS]
    return "\n".join(row.replace("\u00a0", " ") for row in rows) + "\n"


def _head_line(view: PageView) -> str:
    day = day_lead(view.evaluation)
    parts = [words.ended(head_of(view.evaluation)[0]), f"{day} {lede(view)}" if day else lede(view)]
    return " ".join(part for part in parts if part)


def _antigen_lines(evaluation: Evaluation) -> list[str]:
    rows = []
    for view in evaluation.assessment.antigens:
        state = "discordant" if view.discordant else words.STATE_WORDS[view.state].lower()
        rows.append(f"{view.antigen.value} {state}: {words.ended(words.short(view.because, 260))}")
    return rows


def _gap_lines(view: PageView) -> list[str]:
    assessment = view.evaluation.assessment
    rows = []
    missing = [words.short(item.what, 100) for item in assessment.missing if item.code != "unseen"]
    if missing:
        rows.append(words.ended(f"Missing: {'; '.join(missing)}"))
    for label, remarks in (("Conflicts", assessment.conflicts), ("Set aside", assessment.set_aside)):
        if remarks:
            said = "; ".join(words.short(remark_sentence(one), 200) for one in remarks[:4])
            more = f"; {len(remarks) - 4} more" if len(remarks) > 4 else ""
            rows.append(words.ended(f"{label}: {said}{more}"))
    monitoring = lines.monitoring_line(view.evaluation)
    return [*rows, monitoring] if monitoring else rows


def _option_lines(evaluation: Evaluation) -> list[str]:
    rows = []
    for route, title, _ in ROUTES:
        inside = [match for match in evaluation.matches if match.route is route]
        if inside:
            order = " (not ranked)" if route is Route.CONSIDER else ""
            rows.append(words.ended(f"{title}{order}: {'; '.join(_name(match) for match in inside)}"))
    return ["", *rows] if rows else []


def _name(match: OptionMatch) -> str:
    given = f" (already given: {words.short(match.given_before, 80)})" if match.given_before else ""
    return f"{match.label}{given}"


def json_document(view: PageView) -> dict[str, Any]:
    """The evaluation as JSON; what the user stated comes first and is marked, filters never apply (H-39, H-46)."""
    whole: dict[str, Any] = msgspec.to_builtins(view.evaluation)
    stated = [
        {
            "statement": line.text,
            "kind": type(one.statement).__name__,
            "value": msgspec.to_builtins(one.statement),
            "stated_at": one.at.isoformat(),
            "where": line.where,
            "in_chart": False,
        }
        for line, one in zip(strip_lines(view), view.statements, strict=True)
    ]
    return {
        "stated_by_user": stated,
        "confirmation_stated_by_user": confirmed_by_user(view.evaluation.assessment),
        "read_at": view.read_at.isoformat(),
        "limits": LIMITS,
        **extension(view.evaluation),
        **{name: part for name, part in whole.items() if name != "knowledge"},
    }


_BRIEF = {
    "absolute-lymphocyte-count": "ALC",
    "alt": "ALT",
    "anc": "ANC",
    "antigen-status": "CD19, CD20, CD22",
    "bcr-abl1-status": "BCR::ABL1",
    "bilirubin": "bilirubin",
    "cd19-status": "CD19",
    "cd20-status": "CD20",
    "cd22-status": "CD22",
    "cns-disease": "CNS",
    "creatinine-clearance": "CrCl",
    "dlco": "DLCO",
    "ecog": "ECOG",
    "ggt": "GGT",
    "hbv-serology": "HBV",
    "hct-ci": "HCT-CI",
    "igg": "IgG",
    "kmt2a-status": "KMT2A",
    "lines-since-car-t": "lines",
    "lvef": "LVEF",
    "mrd-status": "MRD",
    "platelets": "platelets",
    "prior-allo-hct": "earlier HCT",
    "prior-pd1-blockade": "earlier PD-1",
    "prior-rt-field": "RT field",
    "qtc": "QTc",
    "recent-checkpoint-inhibitor": "PD-1",
    "response-status": "response",
    "sodium": "sodium",
    "spo2": "SpO2",
}
"""Brief names of checks for the print sheet; the page prints the whole ones."""


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One option on the print sheet."""

    label: str
    boxed: bool
    given: bool
    target: str
    status: str
    figure: str
    missing: str


@dataclass(frozen=True, slots=True)
class SheetGroup:
    """One route on the print sheet; where every row says the same reason, names alone."""

    title: str
    rows: tuple[SheetRow, ...]
    names: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """One side of paper: reasons, gaps, values and every option, whatever filter is set on screen."""

    why: str
    aside: str
    missing: str
    values: str
    unread: str
    groups: tuple[SheetGroup, ...]
    region: str


def build_sheet(view: PageView, options: Options) -> Sheet:
    """The sheet from the same evaluation as the page."""
    assessment = view.evaluation.assessment
    steps = [
        step
        for step in assessment.trail
        if step.outcome.value == "HOLDS" and step.criterion != "cd19-on-relapse"
    ]
    why = " ".join(_whole_parts(kind_words(step.because)) for step in steps)
    region = view.evaluation.regions[0] if view.evaluation.regions else ""
    groups = [
        _sheet_group(group.id, group.title, group.rows, region) for group in options.groups if group.rows
    ]
    return Sheet(
        why=why,
        aside=_listed(
            [remark_sentence(one) for one in (*assessment.conflicts, *assessment.set_aside)], 4, 150
        ),
        missing=_listed([item.what for item in assessment.missing if item.code != "unseen"], 8, 80),
        values=_values(view),
        unread=partly_line(view.evaluation),
        groups=tuple(groups),
        region=region,
    )


def _whole_parts(text: str) -> str:
    """A reason as far as it fits, never cut inside one of its parts; what is left out is counted."""
    parts = [words.short(part, _LONGEST_PART) for part in text.split("; ")]
    kept = parts[:1]
    while len(kept) < len(parts) and len("; ".join(kept)) + len(parts[len(kept)]) < _LONGEST_WHY:
        kept.append(parts[len(kept)])
    said = words.ended(words.upper_first("; ".join(kept)))
    left = len(parts) - len(kept)
    return f"{said} {left} more in the page." if left else said


def _listed(items: list[str], most: int, cap: int) -> str:
    said = " ".join(words.ended(words.upper_first(words.short(item, cap))) for item in items[:most])
    return f"{said} {len(items) - most} more in the page." if len(items) > most else said


def _values(view: PageView) -> str:
    """The newest value of each fact that an option asks about, with its date; no pass or fail; none without options."""
    if not view.evaluation.matches:
        return ""
    newest: dict[str, str] = {}
    facts = sorted(view.evaluation.facts.safety, key=lambda f: f.when.last.toordinal() if f.when else 0)
    for fact in facts:
        known = view.knowledge.concepts.get(fact.fact)
        label = known.label if known is not None else fact.fact
        value = words.short(fact.value, 40)
        said = value if label.lower() in value.lower() else f"{label} {value}"
        newest[fact.fact] = f"{said}, {fact.when.display()}" if fact.when is not None else said
    return _listed(list(newest.values()), 12, 70)


def _sheet_group(route: str, title: str, rows: tuple[OptionRow, ...], region: str) -> SheetGroup:
    heading = f"{title} ({len(rows)})" + (": not ranked" if route == Route.CONSIDER.value else "")
    if route in (Route.NOT_SUITABLE.value, Route.OUT_OF_SCOPE.value):
        names = "; ".join(row.label + (" (already given)" if row.given else "") for row in rows)
        return SheetGroup(heading, (), names)
    return SheetGroup(heading, tuple(_sheet_row(row, region) for row in rows), "")


def _sheet_figure(row: OptionRow) -> str:
    study = lead_study(row.studies)
    if study is None:
        return row.lead_note
    design = study.design.split(",")[0].split(" (")[0]
    return f"{row.lead}; {study.n.replace(' = ', ' ')}, {design}, {study.cite}"


def _sheet_row(row: OptionRow, region: str) -> SheetRow:
    line = next((one for one in row.here if one.region == region), None)
    missing = [_BRIEF.get(check.fact, check.label) for check in row.checks if check.kind == "missing"]
    more = f" +{len(missing) - 2}" if len(missing) > 2 else ""
    return SheetRow(
        label=row.label,
        boxed=bool(row.boxed),
        given=bool(row.given),
        target=", ".join(target.text.split()[0] for target in row.targets) or "none",
        status=", ".join(part for part in (line.said, line.as_of) if part) if line else row.no_product,
        figure=_sheet_figure(row),
        missing=", ".join(missing[:2]) + more,
    )
