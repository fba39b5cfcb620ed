"""The course as a picture: marks laid out in lanes, as shapes a template writes down (no script, no style).

Days before the infusion are drawn by month in a narrower ground, days after it to scale; a chart without a dated
infusion is drawn by month alone. A mark whose label would touch another is named below the picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from smart_app.page import words
from smart_app.page.course import CourseView
from smart_app.page.course_marks import Mark
from smart_app.page.lanes import draw_lane
from smart_app.page.plate import ANTIGENS, CHAR, Picture, Plate, Scale, Shape, line

_STEPS = (1, 2, 7, 15, 30, 60, 90, 180, 365, 730, 1825)
_MONTH_STEPS = (1, 3, 6, 12, 24, 60, 120)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TOP = 40


def draw(course: CourseView, plate: Plate) -> Picture | None:
    """The picture in one size; None where nothing has a day that can be drawn."""
    if not course.marks:
        return None
    scale = Scale(course, plate)
    lanes = _lanes(course, plate)
    extra = draw_lane([], _in_lane(course, "therapy"), "therapy", _TOP, plate.lane, scale, plate, []).extra
    bottom = _TOP + extra + sum(height for _, height in lanes)
    monitoring = [mark for mark in course.marks if mark.lane == "monitoring"]
    ground = 44 if plate.name == "print" else 56
    height = bottom + (ground + 26 if monitoring else 18)
    picture = Picture(plate.name, plate.width, height)
    out = picture.shapes
    _grounds(out, scale, plate, course, bottom)
    line_to = bottom + 18 + ground if monitoring else bottom
    if course.zero is not None:
        out.append(line("t-zero", scale.post_left, 28, scale.post_left, line_to))
    if course.relapse is not None and (at := scale.x(course.relapse)) is not None:
        out.append(line("t-relapse", at, 28, at, bottom))
        # the label keeps off the axis title on its left
        label = f"Relapse, day {course.relapse_day}" if course.relapse_day else "Relapse"
        half = len(label) * CHAR / 2
        spot = min(
            max(at, scale.post_left + (150 if not plate.names_inside else 120) + half), plate.width - half
        )
        if plate.names_inside:
            label = label.replace("Relapse, d", "D")
            spot = min(max(at + 30, scale.post_left + 154), plate.width - 30.0)
        y = 12 if plate.names_inside else 20
        out.append(Shape("text", "t-strong t-axis", spot, y, text=label, anchor="middle"))
    top = _TOP
    overhead: list[tuple[float, float]] = []
    for lane, room in lanes:
        drawn = draw_lane(out, _in_lane(course, lane), lane, top, room, scale, plate, overhead)
        overhead = drawn.under
        picture.unnamed += [f"{mark.label} ({_day(mark.at)})" for mark in drawn.unnamed]
        top += room + (drawn.extra if lane == "therapy" else 0)
    if monitoring:
        _monitoring(out, monitoring, bottom + 18, ground, scale, plate, course)
    return picture


def _in_lane(course: CourseView, lane: str) -> list[Mark]:
    return [mark for mark in course.marks if mark.lane == lane]


def _day(day: date) -> str:
    return words.iso_words(day.isoformat())


def _lanes(course: CourseView, plate: Plate) -> list[tuple[str, int]]:
    """The lanes with their heights: those that hold a mark, and all three antigens wherever there is a relapse."""
    present = {mark.lane for mark in course.marks}
    heights = {"therapy": plate.lane, "transplant": plate.antigen, "response": plate.lane}
    heights["biopsy"] = plate.lane if plate.names_inside else plate.antigen
    heights |= dict.fromkeys(ANTIGENS, plate.antigen)
    if plate.names_inside:
        heights["CD19"] += 20
    always = set(ANTIGENS) if course.relapse is not None or present & set(ANTIGENS) else set()
    return [(lane, height) for lane, height in heights.items() if lane in present | always]


def _grounds(out: list[Shape], scale: Scale, plate: Plate, course: CourseView, bottom: int) -> None:
    title_y, num_y = (12, 27) if plate.names_inside else (20, 41)
    if scale.has_pre:
        out.append(Shape("rect", "t-pre", scale.start, 28, plate.pre, bottom - 28))
        out.append(
            Shape(
                "text",
                "t-axis",
                scale.start + 6,
                title_y,
                text="Before CAR T, by month" if plate.pre > 140 else "Before CAR T",
            )
        )
        _months(
            out,
            scale,
            scale.pre_first,
            course.zero or scale.first,
            scale.start,
            scale.pre_right,
            bottom,
            num_y,
        )
        x = scale.pre_right + 4
        out.append(Shape("path", "t-break", d=f"M{x:.1f} 26 v{bottom - 26} M{x + 5:.1f} 26 v{bottom - 26}"))
    if course.zero is None:
        _months(out, scale, scale.first, scale.last, scale.post_left, scale.right, bottom, num_y)
        return
    out.append(Shape("text", "t-axis t-strong", scale.post_left, title_y, text="Days since infusion"))
    span = (scale.last - scale.first).days
    most = 5 if plate.names_inside else 8
    step = next((s for s in _STEPS if span / s <= most), _STEPS[-1])
    for day in range(0, span + 1, step):
        at = scale.x(scale.first + timedelta(days=day))
        if at is None:
            continue
        out.append(line("t-grid", at, 28, at, bottom))
        first = day == 0
        shift = 4.0 if first else 0.0
        out.append(
            Shape("text", "t-num", at + shift, num_y, text=str(day), anchor="start" if first else "middle")
        )


def _months(
    out: list[Shape], scale: Scale, first: date, last: date, left: float, right: float, bottom: int, y: int
) -> None:
    span = (last.year - first.year) * 12 + last.month - first.month
    step = next((s for s in _MONTH_STEPS if span / s <= max(2, (right - left) // 75)), _MONTH_STEPS[-1])
    year, month = first.year, first.month
    taken = -1.0
    while date(year, month, 1) <= last:
        at = scale.x(date(year, month, 1))
        due = (month - 1) % step == 0 if step < 12 else month == 1 and (year - first.year) % (step // 12) == 0
        if at is not None and due and at >= max(left, taken) and at < right - 20:
            out.append(line("t-grid", at, 28, at, bottom))
            text = f"{_MONTHS[month - 1]} {year}" if month == 1 or taken < 0 else _MONTHS[month - 1]
            if at + 4 + len(text) * CHAR <= right + 4:
                out.append(Shape("text", "t-num", at + 4, y, text=text))
            taken = at + 10 + len(text) * CHAR
        month += 1
        if month > 12:
            year, month = year + 1, 1


def _monitoring(
    out: list[Shape],
    marks: Iterable[Mark],
    top: int,
    room: int,
    scale: Scale,
    plate: Plate,
    course: CourseView,
) -> None:
    """B-cell counts in a lane of their own ground, below and apart: monitoring, not tumour status (rules 4)."""
    out.append(Shape("rect", "t-mon", plate.left, top, plate.width - 2 - plate.left, room))
    if plate.names_inside:
        out.append(
            Shape(
                "text",
                "t-label t-halo",
                plate.left + 12,
                top - 7,
                text="Blood B cells: monitoring, not tumour status",
            )
        )
    else:
        out.append(Shape("text", "t-label", plate.left - 10, top + 18, text="Blood B cells", anchor="end"))
        out.append(Shape("text", "t-text t-soft", plate.left + 8, top + 16, text="CAR T monitoring,"))
        if course.monitoring_unit:
            unit = f"in {course.monitoring_unit}"
            out.append(Shape("text", "t-text t-soft", plate.left - 10, top + 34, text=unit, anchor="end"))
        out.append(Shape("text", "t-text t-soft", plate.left + 8, top + 32, text="not tumour status"))
    dated = sorted((m for m in marks if m.number is not None), key=lambda m: m.at)
    highest = max((m.number or 0.0 for m in dated), default=0.0) or 1.0
    points: list[tuple[float, float, Mark]] = []
    for mark in dated:
        at = scale.x(mark.at)
        if at is not None and at >= scale.post_left and (not points or at - points[-1][0] > 3):
            points.append((at, top + room - 10 - (mark.number or 0.0) / highest * (room - 30), mark))
    if len(points) > 1 and course.monitoring_unit:
        path = " L".join(f"{x:.1f} {y:.1f}" for x, y, _ in points)
        out.append(Shape("path", "t-bline", d=f"M{path}"))
    taken = -100.0
    for x, y, mark in points:
        out.append(Shape("circle", "t-bdot", x, y, 3))
        width = len(mark.label) * CHAR / 2
        if x - width > taken and x + width < plate.width:
            out.append(Shape("text", "t-num t-soft", x, y - 7, text=mark.label, anchor="middle"))
            taken = x + width + 4
    if scale.today_in and course.today is not None and (at := scale.x(course.today)) is not None:
        out.append(line("t-today", at, 28, at, top + room))
