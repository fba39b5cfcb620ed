"""The course as a table and as marks for the picture: the same events, so that neither says more than the other."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from mappings.dates import ClinicalDate, parse_date
from mappings.evaluation import Evaluation, TimelineEntry
from mappings.facts import Antigen
from mappings.stated import STATED, is_stated
from smart_app.page import words
from smart_app.page.answer import head_of, in_relapse, today_day
from smart_app.page.view import PageView

ROWS_SHOWN = 60
_MONITORING_LISTED = 6
_ANTIGEN = re.compile(r"(CD19|CD20|CD22) (positive|low or partial|negative|unknown)\Z")
_GLYPH = {"positive": "positive", "low or partial": "low", "negative": "negative", "unknown": "unknown"}
_SHORT = {
    "response": "response",
    "remission": "remission",
    "partial response": "PR",
    "relapse suspected": "suspected",
    "malignant cells": "malignant cells",
}
_COMPLETE = re.compile(
    r"complete (?:metabolic |molecular |haematologic |hematologic )?(?:response|remission)", re.I
)
_NUMBER = re.compile(r"\s*([<>]?=?)\s*(\d+(?:[.,]\d+)?)")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: day, date, what happened, in which lane, and whether it was set aside."""

    day: str
    date: str
    event: str
    detail: str
    lane: str
    aside: str = ""
    zero: bool = False
    stated: bool = False
    trigger: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark of the picture: calendar day (and the last, for a bar), lane, shape and a short label."""

    at: date
    until: date | None
    lane: str
    glyph: str
    label: str
    strong: bool = False
    aside: bool = False
    number: float | None = None
    stated: bool = False


@dataclass(frozen=True, slots=True)
class CourseView:
    """The course section: sentence for the picture, table rows, how many are left out, monitoring in words."""

    sentence: str
    rows: tuple[Row, ...]
    left_out: int
    undated: int
    marks: tuple[Mark, ...]
    zero: date | None
    today: date | None
    relapse: date | None
    relapse_day: str
    monitoring_unit: str


def build_course(view: PageView) -> CourseView:
    """The course of this evaluation; long charts keep what decides and count the rest."""
    evaluation = view.evaluation
    assessment = evaluation.assessment
    entries = evaluation.timeline
    rows = _rows(view, entries)
    rows, left_out = _within(rows)
    anchor, timing = assessment.anchor, assessment.timing
    zero = (
        anchor.first.first if anchor is not None and anchor.first is not None and anchor.first.exact else None
    )
    relapse = timing.relapse_date if in_relapse(evaluation) else None
    monitoring = [entry for entry in entries if entry.lane == "monitoring"]
    return CourseView(
        sentence=_sentence(view),
        rows=tuple(rows),
        left_out=left_out,
        undated=sum(1 for entry in entries if entry.when is None),
        marks=tuple(_marks(evaluation, entries)),
        zero=zero,
        today=_today(evaluation),
        relapse=relapse.first if relapse is not None and relapse.exact else None,
        relapse_day=words.day_words(timing.days),
        monitoring_unit=_unit(monitoring),
    )


def _today(evaluation: Evaluation) -> date | None:
    now = parse_date(evaluation.as_of)
    return now.first if now is not None else None


def _rows(view: PageView, entries: Iterable[TimelineEntry]) -> list[Row]:
    """Antigens of one specimen in one row, monitoring in one row, everything else as it is."""
    rows: list[Row] = []
    grouped: dict[tuple[str, str, bool], list[TimelineEntry]] = {}
    monitoring: list[TimelineEntry] = []
    specimens = {_day_text(e.when) for e in entries if e.lane == "antigen"}
    for entry in entries:
        if entry.lane == "monitoring":
            monitoring.append(entry)
        elif entry.lane == "antigen":
            grouped.setdefault((_day_text(entry.when), entry.detail, entry.set_aside), []).append(entry)
        elif entry.lane == "biopsy" and _day_text(entry.when) in specimens:
            continue
        else:
            grouped.setdefault((_day_text(entry.when), entry.lane + entry.label, entry.set_aside), []).append(
                entry
            )
    starts: dict[int, date] = {}

    def keep(row: Row, entry: TimelineEntry) -> None:
        rows.append(row)
        starts[id(row)] = entry.when.first if entry.when is not None else date.max

    for group in grouped.values():
        label = ", ".join(dict.fromkeys(entry.label for entry in group))
        parts = dict.fromkeys(part for entry in group for part in entry.detail.split("; ") if part)
        keep(_row(view, group, label, "; ".join(parts).replace("ihc", "IHC")), group[0])
    if monitoring:
        keep(_monitoring_row(monitoring), _newest(monitoring))
    # by the calendar: without an infusion that is dated no row has a day number
    return sorted(rows, key=lambda row: starts[id(row)])


def _newest(entries: list[TimelineEntry]) -> TimelineEntry:
    return max(entries, key=lambda e: e.when.last if e.when is not None else date.min)


def _day_text(when: ClinicalDate | None) -> str:
    return when.text[:10] if when is not None else ""


def _row(view: PageView, group: list[TimelineEntry], label: str, detail: str) -> Row:
    entry = group[0]
    references = {one.source.reference for one in group if one.source is not None}
    zero = entry.lane == "car-t" and entry.day == 0
    return Row(
        day=words.day_words(entry.day),
        date=words.date_words(entry.when) if entry.when is not None else "undated",
        event=words.upper_first(words.short(label, 90)) + (" infused" if entry.lane == "car-t" else ""),
        detail=words.short(detail, 160),
        lane=entry.lane,
        aside="set aside, reason below" if entry.set_aside else "",
        zero=zero,
        stated=any(is_stated(one.source) for one in group),
        trigger=bool(references & set(view.highlighted)),
    )


def _monitoring_row(entries: list[TimelineEntry]) -> Row:
    dated = sorted(
        (e for e in entries if e.when is not None), key=lambda e: e.when.last if e.when else date.min
    )
    newest = dated[-1] if dated else entries[-1]
    earlier = [entry for entry in (dated or entries) if entry is not newest]
    listed = [f"{words.short(e.detail, 24)} on {_when_words(e)}" for e in earlier[-_MONITORING_LISTED:]]
    more = len(earlier) - len(listed)
    detail = f"{words.short(newest.label, 60)}. "
    if listed:
        detail += f"Before: {'; '.join(listed)}{f'; {more} more' if more > 0 else ''}. "
    return Row(
        day=words.day_words(newest.day),
        date=words.date_words(newest.when) if newest.when is not None else "undated",
        event=f"Blood B cells {words.short(newest.detail, 30)}",
        detail=f"{detail}CAR T monitoring, not tumour status",
        lane="monitoring",
    )


def _when_words(entry: TimelineEntry) -> str:
    return f"day {words.day_words(entry.day)}" if entry.day is not None else words.date_words(entry.when)


def _within(rows: list[Row]) -> tuple[list[Row], int]:
    """At most a fixed number of rows: therapies and set-aside entries give way first, each is counted."""
    if len(rows) <= ROWS_SHOWN:
        return rows, 0
    rank = {
        "car-t": 0,
        "relapse": 1,
        "antigen": 2,
        "transplant": 2,
        "response": 3,
        "biopsy": 4,
        "monitoring": 0,
    }
    by_weight = sorted(range(len(rows)), key=lambda n: (bool(rows[n].aside), rank.get(rows[n].lane, 5), -n))
    kept = set(by_weight[:ROWS_SHOWN])
    return [row for number, row in enumerate(rows) if number in kept], len(rows) - ROWS_SHOWN


def _sentence(view: PageView) -> str:
    """The picture in one sentence, for those who do not see it."""
    evaluation = view.evaluation
    assessment = evaluation.assessment
    parts = []
    if assessment.anchor is not None:
        parts.append(
            f"{words.short(assessment.anchor.label, 60)} infused {words.date_words(assessment.anchor.first)}"
        )
    timing = assessment.timing
    if timing.response is not None and timing.response.when is not None:
        parts.append(f"a response on {words.date_words(timing.response.when)}")
    if in_relapse(evaluation):
        day = f" on day {words.day_words(timing.days)}" if timing.days is not None else ""
        states = words.joined(
            [f"{v.antigen.value} {words.STATE_WORDS[v.state].lower()}" for v in assessment.antigens]
        )
        parts.append(f"relapse{day}, {states}")
    else:
        parts.append(head_of(evaluation)[0].lower())
    today = today_day(evaluation)
    if today is not None:
        parts.append(f"today is day {today}")
    stated = f" Parts are {STATED}." if view.statements else ""
    return f"Course: {'; '.join(parts)}. The table lists the same events.{stated}"


def _marks(evaluation: Evaluation, entries: Iterable[TimelineEntry]) -> Iterable[Mark]:
    views = evaluation.assessment.antigens
    for entry in entries:
        if entry.when is None or not entry.when.exact:
            continue
        mark = _mark(entry, entry.when.first)
        if mark is not None:
            yield mark
    relapse = evaluation.assessment.timing.relapse_date
    if relapse is None or not relapse.exact or not in_relapse(evaluation):
        return
    tested = [r.collected.first for view in views for r in view.results if r.collected and r.collected.exact]
    for view in views:
        if not view.results:
            at = max([*tested, relapse.first])
            yield Mark(at, None, view.antigen.value, "unknown", "unknown", strong=True)


def _mark(entry: TimelineEntry, at: date) -> Mark | None:
    stated = is_stated(entry.source)
    if entry.lane == "antigen":
        return _antigen_mark(entry, at, stated)
    if entry.lane == "car-t":
        return Mark(
            at, None, "therapy", "cart", words.short(entry.label, 44), strong=entry.day == 0, stated=stated
        )
    if entry.lane in ("therapy", "transplant"):
        glyph = "" if entry.lane == "therapy" else "transplant"
        return Mark(at, _until(entry), entry.lane, glyph, words.short(entry.label, 30), stated=stated)
    if entry.lane == "biopsy":
        site = entry.label.replace(f", {STATED}", "")
        return Mark(at, None, "biopsy", "biopsy", words.short(site, 30), stated=stated)
    if entry.lane == "monitoring":
        found = _NUMBER.match(entry.detail)
        number = float(found.group(2).replace(",", ".")) if found else None
        shown = f"{found.group(1)}{found.group(2)}" if found else ""
        return Mark(at, None, "monitoring", "", shown, number=number)
    label = "CR" if _COMPLETE.search(entry.detail) else _SHORT.get(entry.label, entry.label)
    solid = entry.lane == "relapse" and entry.label != "relapse suspected"
    return Mark(at, None, "response", "relapse" if solid else "response", label, strong=solid, stated=stated)


def _antigen_mark(entry: TimelineEntry, at: date, stated: bool) -> Mark | None:
    found = _ANTIGEN.match(entry.label)
    if found is None:
        return None
    state = found.group(2)
    glyph = _GLYPH[state]
    if entry.set_aside:
        glyph = "positive-aside" if state == "positive" else "aside"
    lane = Antigen(found.group(1)).value
    return Mark(
        at, None, lane, glyph, state, strong=not entry.set_aside, aside=entry.set_aside, stated=stated
    )


def _until(entry: TimelineEntry) -> date | None:
    found = re.search(r"until (\d{2}) ([A-Z][a-z]{2}) (\d{4})\Z", entry.detail)
    if found is None:
        return None
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return date(int(found.group(3)), months.index(found.group(2)) + 1, int(found.group(1)))


def _unit(entries: list[TimelineEntry]) -> str:
    """The unit that all counts share, as charted; empty where they differ."""
    units = {
        _NUMBER.sub("", entry.detail, count=1).strip() for entry in entries if _NUMBER.match(entry.detail)
    }
    return words.short(units.pop(), 16) if len(units) == 1 else ""
