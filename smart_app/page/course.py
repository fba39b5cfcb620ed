"""The course as a table and as marks for the picture: the same events, so that neither says more than the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from mappings.dates import ClinicalDate, days_between, parse_date
from mappings.evaluation import Evaluation, TimelineEntry
from mappings.stated import STATED, is_stated
from smart_app.page import words
from smart_app.page.answer import head_of, in_relapse, today_day
from smart_app.page.course_marks import Mark, marks_of, missing_antigen, unit_of
from smart_app.page.view import PageView

ROWS_SHOWN = 60
_MONITORING_LISTED = 6
_NAMED = 6


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: day, date, what happened, in which lane, whether it was set aside, and its marks.

    `undrawn` counts what stands in the line and cannot be drawn, for want of a full date or of a number.
    """

    day: str
    date: str
    event: str
    detail: str
    lane: str
    aside: str = ""
    zero: bool = False
    stated: bool = False
    trigger: bool = False
    marks: tuple[Mark, ...] = ()
    undrawn: int = 0


@dataclass(frozen=True, slots=True)
class CourseView:
    """The course section: table rows with their marks, how many are left out, and what the picture does not show.

    The picture is drawn from the marks of the rows and from nothing else; `undrawn` names what has none.
    """

    sentence: str
    rows: tuple[Row, ...]
    left_out: int
    undrawn: str
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
    undrawn = _undrawn(rows)
    anchor, timing = assessment.anchor, assessment.timing
    zero = (
        anchor.first.first if anchor is not None and anchor.first is not None and anchor.first.exact else None
    )
    relapse = timing.relapse_date if in_relapse(evaluation) else None
    monitoring = [entry for entry in entries if entry.lane == "monitoring"]
    return CourseView(
        sentence=_sentence(view, bool(undrawn)),
        rows=tuple(rows),
        left_out=left_out,
        undrawn=undrawn,
        marks=tuple(mark for row in rows for mark in row.marks),
        zero=zero,
        today=_today(evaluation),
        relapse=relapse.first if relapse is not None and relapse.exact else None,
        relapse_day=words.day_words(timing.days),
        monitoring_unit=unit_of(monitoring),
    )


def _today(evaluation: Evaluation) -> date | None:
    now = parse_date(evaluation.as_of)
    return now.first if now is not None else None


def _rows(view: PageView, entries: Iterable[TimelineEntry]) -> list[Row]:
    """Antigens of one specimen in one row with the specimen, monitoring in one row, everything else as it is."""
    grouped: dict[tuple[str, str, bool], list[TimelineEntry]] = {}
    specimens: dict[str, TimelineEntry] = {}
    monitoring: list[TimelineEntry] = []
    tested = {_day_text(e.when) for e in entries if e.lane == "antigen"}
    for entry in entries:
        day = _day_text(entry.when)
        if entry.lane == "monitoring":
            monitoring.append(entry)
        elif entry.lane == "biopsy" and day in tested:
            specimens.setdefault(day, entry)
        else:
            kind = entry.detail if entry.lane == "antigen" else entry.lane + entry.label
            grouped.setdefault((day, kind, entry.set_aside), []).append(entry)
    dated: list[tuple[date, Row]] = []
    for (day, _, _), group in grouped.items():
        specimen = specimens.pop(day, None) if group[0].lane == "antigen" else None
        dated.append((_starts(group[0]), _row(view, group, specimen)))
    if monitoring:
        dated.append((_starts(_newest(monitoring)), _monitoring_row(view, monitoring)))
    dated += _without_result(view)
    # by the calendar: without an infusion that is dated no row has a day number
    return [row for _, row in sorted(dated, key=lambda one: one[0])]


def _starts(entry: TimelineEntry) -> date:
    return entry.when.first if entry.when is not None else date.max


def _without_result(view: PageView) -> Iterable[tuple[date, Row]]:
    """The antigens that no result of this relapse tells of, at the day of the relapse or of the latest result."""
    assessment = view.evaluation.assessment
    relapse = assessment.timing.relapse_date
    if relapse is None or not relapse.exact or not in_relapse(view.evaluation):
        return
    missing = [one.antigen for one in assessment.antigens if not one.results]
    results = [r.collected for one in assessment.antigens for r in one.results]
    when = max((relapse, *(one for one in results if one and one.exact)), key=lambda one: one.first)
    if missing:
        start = assessment.anchor.first if assessment.anchor is not None else None
        yield (
            when.first,
            Row(
                day=words.day_words(days_between(start, when) if start is not None else None),
                date=words.date_words(when),
                event=f"{words.joined([one.value for one in missing])} unknown",
                detail="no result that counts for this relapse",
                lane="antigen",
                marks=tuple(missing_antigen(one, when.first) for one in missing),
            ),
        )


def _undrawn(rows: Iterable[Row]) -> str:
    """What stands in the table and not in the picture, counted and named; empty where all is drawn."""
    found = [row for row in rows if row.undrawn and row.lane != "monitoring"]
    counts = sum(row.undrawn for row in rows if row.lane == "monitoring")
    parts = []
    if found:
        named = [f"{words.short(row.event, 60)} ({row.date})" for row in found[:_NAMED]]
        if len(found) > _NAMED:
            named.append(f"{len(found) - _NAMED} more")
        entries = words.counted(len(found), "entry", "entries")
        parts.append(f"{entries} without a full date: {words.joined(named)}.")
    if counts:
        parts.append(
            f"{words.counted(counts, 'blood count')} from before the infusion or without date or number."
        )
    return f"Not drawn, in the table only: {' '.join(parts)}" if parts else ""


def _newest(entries: list[TimelineEntry]) -> TimelineEntry:
    return max(entries, key=lambda e: e.when.last if e.when is not None else date.min)


def _day_text(when: ClinicalDate | None) -> str:
    return when.text[:10] if when is not None else ""


def _row(view: PageView, group: list[TimelineEntry], specimen: TimelineEntry | None) -> Row:
    entry = group[0]
    label = ", ".join(dict.fromkeys(one.label for one in group))
    parts = dict.fromkeys(part for one in group for part in one.detail.split("; ") if part)
    marks = marks_of((*group, specimen) if specimen is not None else group)
    references = {one.source.reference for one in group if one.source is not None}
    zero = entry.lane == "car-t" and entry.day == 0
    return Row(
        day=words.day_words(entry.day),
        date=words.date_words(entry.when) if entry.when is not None else "undated",
        event=words.upper_first(words.short(label, 90)) + (" infused" if entry.lane == "car-t" else ""),
        detail=words.short("; ".join(parts).replace("ihc", "IHC"), 160),
        lane=entry.lane,
        aside="set aside, reason below" if entry.set_aside else "",
        zero=zero,
        stated=any(is_stated(one.source) for one in group),
        trigger=bool(references & set(view.highlighted)),
        marks=marks,
        undrawn=0 if marks else 1,
    )


def _monitoring_row(view: PageView, entries: list[TimelineEntry]) -> Row:
    anchor = view.evaluation.assessment.anchor
    zero = anchor.first if anchor is not None else None
    # the ground before the infusion is by month and too narrow for counts
    late = [e for e in entries if not (zero and zero.exact and e.when and e.when.first < zero.first)]
    marks = [marks_of((entry,)) for entry in late]
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
        marks=tuple(mark for found in marks for mark in found),
        undrawn=len(entries) - sum(1 for found in marks if found),
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


def _sentence(view: PageView, short_of: bool) -> str:
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
    same = (
        "The table lists these and what cannot be drawn." if short_of else "The table lists the same events."
    )
    return f"Course: {'; '.join(parts)}. {same}{stated}"
