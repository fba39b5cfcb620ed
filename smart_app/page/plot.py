"""The course as a picture: marks laid out in lanes, as shapes a template writes down (no script, no style).

Days before the infusion are drawn by month in a narrower ground, days after it to scale; a chart without a dated
infusion is drawn by month alone. Labels that would touch another are left to the table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from smart_app.page.course import CourseView, Mark

_CHAR = 6.4
_STEPS = (1, 2, 7, 15, 30, 60, 90, 180, 365, 730, 1825)
_MONTH_STEPS = (1, 3, 6, 12, 24, 60, 120)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NAMES = {
    "therapy": "Therapy",
    "transplant": "Transplant",
    "response": "Response",
    "biopsy": "Specimen",
    "CD19": "Tumour CD19",
    "CD20": "CD20",
    "CD22": "CD22",
}
_ANTIGENS = ("CD19", "CD20", "CD22")
_TOP = 40


@dataclass(frozen=True, slots=True)
class Shape:
    """One SVG element: its kind, its class and its numbers; text goes through the template's escaping."""

    kind: str
    cls: str
    x: float = 0.0
    y: float = 0.0
    w: float = 0.0
    h: float = 0.0
    text: str = ""
    anchor: str = ""
    glyph: str = ""
    d: str = ""


@dataclass(frozen=True, slots=True)
class Plate:
    """A size of the picture in CSS pixels: `left` is the room for lane names, `pre` the width before the infusion."""

    name: str
    width: int
    left: int
    pre: int
    lane: int
    antigen: int
    names_inside: bool = False


WIDE = Plate("wide", 900, 112, 226, 48, 32)
MID = Plate("mid", 690, 106, 150, 48, 32)
SMALL = Plate("small", 328, 4, 0, 58, 30, names_inside=True)
PRINT = Plate("print", 900, 112, 226, 38, 24)


@dataclass(slots=True)
class Picture:
    """A finished picture."""

    name: str
    width: int
    height: int
    shapes: list[Shape] = field(default_factory=list)


class _Scale:
    """Where a calendar day stands on the picture."""

    def __init__(self, course: CourseView, plate: Plate) -> None:
        days = [day for mark in course.marks for day in (mark.at, mark.until) if day is not None]
        self.zero = course.zero
        self.right = plate.width - (6 if plate.names_inside else 64)
        self.start = plate.left
        self.has_pre = bool(plate.pre and self.zero and any(day < self.zero for day in days))
        self.post_left = plate.left + (plate.pre + 14 if self.has_pre else 0)
        first = self.zero or min(days)
        last = max([*days, first + timedelta(days=20)])
        self.today_in = False
        if course.today is not None and last <= course.today:
            span = (last - first).days
            if (course.today - first).days <= span * 1.35:
                last, self.today_in = course.today, True
        self.first, self.last = first, last + timedelta(days=max(2, (last - first).days // 40))
        self.pre_first = min([day for day in days if self.zero and day < self.zero], default=first)
        self.pre_right = plate.left + plate.pre

    def x(self, day: date) -> float | None:
        """The horizontal place of a day; None where this picture does not reach it."""
        if day >= self.first:
            span = (self.last - self.first).days or 1
            return self.post_left + (day - self.first).days / span * (self.right - self.post_left)
        if not self.has_pre or self.zero is None:
            return None
        span = (self.zero - self.pre_first).days or 1
        return self.start + 14 + (day - self.pre_first).days / span * (self.pre_right - self.start - 28)


def draw(course: CourseView, plate: Plate) -> Picture | None:
    """The picture in one size; None where nothing has a day that can be drawn."""
    if not course.marks:
        return None
    scale = _Scale(course, plate)
    lanes = _lanes(course, plate)
    bottom = _TOP + sum(height for _, height in lanes)
    monitoring = [mark for mark in course.marks if mark.lane == "monitoring"]
    room = 44 if plate.name == "print" else 56
    height = bottom + (room + 26 if monitoring else 8)
    picture = Picture(plate.name, plate.width, height)
    out = picture.shapes
    _grounds(out, scale, plate, course, bottom)
    line_to = bottom + 18 + room if monitoring else bottom
    if course.zero is not None:
        out.append(_line("t-zero", scale.post_left, 28, scale.post_left, line_to))
    if course.relapse is not None and (at := scale.x(course.relapse)) is not None:
        out.append(_line("t-relapse", at, 28, at, bottom))
        # the label keeps off the axis title on its left
        label = f"Relapse, day {course.relapse_day}" if course.relapse_day else "Relapse"
        half = len(label) * _CHAR / 2
        spot = min(
            max(at, scale.post_left + (150 if not plate.names_inside else 120) + half), plate.width - half
        )
        if plate.names_inside:
            label, spot = label.replace("Relapse, d", "D"), min(at + 30, plate.width - 30.0)
        if not plate.names_inside or at > 150:
            out.append(
                Shape(
                    "text",
                    "t-strong t-axis",
                    spot,
                    12 if plate.names_inside else 20,
                    text=label,
                    anchor="middle",
                )
            )
    top = _TOP
    for lane, room in lanes:
        _lane(out, [m for m in course.marks if m.lane == lane], lane, top, room, scale, plate)
        top += room
    if monitoring:
        _monitoring(out, monitoring, bottom + 18, room, scale, plate, course)
    return picture


def _lanes(course: CourseView, plate: Plate) -> list[tuple[str, int]]:
    present = {mark.lane for mark in course.marks}
    rows = [("therapy", plate.lane)]
    if "transplant" in present:
        rows.append(("transplant", plate.antigen))
    rows += [("response", plate.lane), ("biopsy", plate.antigen if not plate.names_inside else plate.lane)]
    return rows + [
        (antigen, plate.antigen + (20 if plate.names_inside and antigen == "CD19" else 0))
        for antigen in _ANTIGENS
    ]


def _line(cls: str, x1: float, y1: float, x2: float, y2: float) -> Shape:
    return Shape("line", cls, x1, y1, x2, y2)


def _grounds(out: list[Shape], scale: _Scale, plate: Plate, course: CourseView, bottom: int) -> None:
    title_y = 12 if plate.names_inside else 20
    if scale.has_pre:
        out.append(Shape("rect", "t-pre", scale.start, 28, plate.pre, bottom - 28))
        out.append(
            Shape("text", "t-axis", scale.start + 6, title_y, text="Before CAR T, by month"[: plate.pre // 6])
        )
        _months(out, scale, scale.pre_first, course.zero or scale.first, scale.start, scale.pre_right, bottom)
        x = scale.pre_right + 4
        out.append(Shape("path", "t-break", d=f"M{x:.1f} 26 v{bottom - 26} M{x + 5:.1f} 26 v{bottom - 26}"))
    if course.zero is None:
        _months(out, scale, scale.first, scale.last, scale.post_left, scale.right, bottom)
        return
    out.append(Shape("text", "t-axis t-strong", scale.post_left, title_y, text="Days since infusion"))
    span = (scale.last - scale.first).days
    most = 5 if plate.names_inside else 8
    step = next((s for s in _STEPS if span / s <= most), _STEPS[-1])
    for day in range(0, span + 1, step):
        at = scale.x(scale.first + timedelta(days=day))
        if at is None:
            continue
        out.append(_line("t-grid", at, 28, at, bottom))
        first = day == 0
        y = 27 if plate.names_inside else 41
        shift = 4.0 if first else 0.0
        out.append(
            Shape("text", "t-num", at + shift, y, text=str(day), anchor="start" if first else "middle")
        )


def _months(
    out: list[Shape], scale: _Scale, first: date, last: date, left: float, right: float, bottom: int
) -> None:
    span = (last.year - first.year) * 12 + last.month - first.month
    step = next((s for s in _MONTH_STEPS if span / s <= max(2, (right - left) // 75)), _MONTH_STEPS[-1])
    year, month = first.year, first.month
    taken = -1.0
    while date(year, month, 1) <= last:
        at = scale.x(date(year, month, 1))
        due = (month - 1) % step == 0 if step < 12 else month == 1 and (year - first.year) % (step // 12) == 0
        if at is not None and due and at >= max(left, taken) and at < right - 20:
            out.append(_line("t-grid", at, 28, at, bottom))
            text = f"{_MONTHS[month - 1]} {year}" if month == 1 or taken < 0 else _MONTHS[month - 1]
            if at + 4 + len(text) * _CHAR <= right + 4:
                out.append(Shape("text", "t-num", at + 4, 41, text=text))
            taken = at + 10 + len(text) * _CHAR
        month += 1
        if month > 12:
            year, month = year + 1, 1


def _lane(
    out: list[Shape], marks: list[Mark], lane: str, top: int, room: int, scale: _Scale, plate: Plate
) -> None:
    antigen = lane in _ANTIGENS
    y = top + (room * 0.62 if not plate.names_inside else room - 12)
    out.append(_line("t-lane", plate.left, y, plate.width - 2, y))
    if not plate.names_inside:
        out.append(Shape("text", "t-label", plate.left - 10, y + 4, text=_NAMES[lane], anchor="end"))
    elif not antigen or lane == "CD19":
        name = "Antigens on the tumour: CD19, CD20, CD22" if antigen else _NAMES[lane]
        out.append(Shape("text", "t-label t-halo", scale.post_left + 6, top + 14, text=name))
    taken: dict[str, list[tuple[float, float]]] = {"on": [], "above": [], "below": []}
    drawn: set[tuple[str, int]] = set()
    placed: list[tuple[Mark, float, float]] = []
    for mark in sorted(marks, key=lambda m: (not m.strong, m.at)):
        at = scale.x(mark.at)
        if at is None or (mark.glyph, round(at / 3)) in drawn:
            continue
        drawn.add((mark.glyph, round(at / 3)))
        placed.append((mark, at, _draw_mark(out, mark, at, y, scale, antigen, taken)))
    for mark, at, half in placed:
        if mark.label and not mark.aside:
            _label(out, mark, at, y, half, scale, plate, taken)


def _draw_mark(
    out: list[Shape],
    mark: Mark,
    at: float,
    y: float,
    scale: _Scale,
    antigen: bool,
    taken: dict[str, list[tuple[float, float]]],
) -> float:
    """Draws one mark and gives half of its width, which its label keeps off."""
    size = 17.0 if antigen and not mark.aside else 15.0
    half = size / 2
    if mark.glyph == "":
        end = scale.x(mark.until) if mark.until is not None else None
        width = max(4.0, (end - at) if end is not None else 4.0)
        out.append(Shape("rect", "t-bar", at, y - 5, width, 10))
        taken["on"].append((at - 2, at + width + 2))
        return 0.0
    if antigen and not mark.aside:
        out.append(Shape("circle", "t-clear", at, y, 10))
    cls = "t-faint" if mark.aside else "t-accent" if mark.glyph == "cart" else "t-state"
    cls = "t-stated" if mark.stated else cls
    out.append(Shape("use", cls, at - half, y - half, size, size, glyph=mark.glyph))
    taken["on"].append((at - half - 1, at + half + 1))
    return half


def _label(
    out: list[Shape],
    mark: Mark,
    at: float,
    y: float,
    half: float,
    scale: _Scale,
    plate: Plate,
    taken: dict[str, list[tuple[float, float]]],
) -> None:
    """A label beside, above or below its mark, wherever it touches nothing; else the table alone says it."""
    antigen = mark.lane in _ANTIGENS
    text = f"{mark.label} (stated)" if mark.stated and "stated" not in mark.label else mark.label
    if antigen and plate.names_inside:
        text = f"{mark.lane} {text}"
    width = len(text) * _CHAR
    cls = (
        "t-text t-halo" + (" t-strong" if mark.strong else "") + (" t-accent" if mark.glyph == "cart" else "")
    )
    early = at < scale.post_left - 1
    low, high = plate.left + 2.0, scale.pre_right - 2.0 if early else plate.width - 2.0
    for row, x, line, anchor in _spots(mark, at, y, half, antigen):
        left = x if anchor == "start" else x - width if anchor == "end" else x - width / 2
        right = left + width
        if left < low or right > high or any(left < b and right > a for a, b in taken[row]):
            continue
        taken[row].append((left - 4, right + 4))
        out.append(Shape("text", cls, x, line, text=text, anchor=anchor))
        return


def _spots(
    mark: Mark, at: float, y: float, half: float, antigen: bool
) -> tuple[tuple[str, float, float, str], ...]:
    """Where a label may stand, in the order tried: row, place, base line, anchor."""
    beside = (("on", at + half + 4, y + 4.5, "start"), ("on", at - half - 4, y + 4.5, "end"))
    if antigen or mark.glyph in ("biopsy", "transplant"):
        return beside
    if mark.glyph == "":
        below = (("below", at, y + 18, "start"), ("below", at + 20, y + 18, "end"))
        return (("above", at, y - 9, "start"), ("above", at + 20, y - 9, "end"), *below)
    above = (
        ("above", at, y - half - 4, "middle"),
        ("above", at + half, y - half - 4, "end"),
        ("above", at - half, y - half - 4, "start"),
    )
    below = tuple(("below", x, y + half + 13, anchor) for _, x, _, anchor in above)
    return (*beside, *above, *below) if mark.strong else (*above, *below)


def _monitoring(
    out: list[Shape],
    marks: Iterable[Mark],
    top: int,
    room: int,
    scale: _Scale,
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
        width = len(mark.label) * _CHAR / 2
        if x - width > taken and x + width < plate.width:
            out.append(Shape("text", "t-num t-soft", x, y - 7, text=mark.label, anchor="middle"))
            taken = x + width + 4
    if scale.today_in and course.today is not None and (at := scale.x(course.today)) is not None:
        out.append(_line("t-today", at, 28, at, top + room))
