"""Sizes of the course picture, its shapes, and where a calendar day stands on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

from smart_app.page.course import CourseView

CHAR = 6.4
"""Width of a letter of the picture in CSS pixels, taken a little wide so that labels never touch."""
ANTIGENS = ("CD19", "CD20", "CD22")


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
SMALL = Plate("small", 328, 4, 92, 58, 30, names_inside=True)
PRINT = Plate("print", 720, 104, 150, 31, 19)


@dataclass(slots=True)
class Picture:
    """A finished picture; `unnamed` lists the marks whose name found no room in it."""

    name: str
    width: int
    height: int
    shapes: list[Shape] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)


class Scale:
    """Where a calendar day stands on the picture."""

    def __init__(self, course: CourseView, plate: Plate) -> None:
        days = [day for mark in course.marks for day in (mark.at, mark.until) if day is not None]
        self.zero = course.zero
        self.right = plate.width - (6 if plate.names_inside else 64)
        self.start = plate.left
        self.has_pre = bool(plate.pre and self.zero and any(day < self.zero for day in days))
        self.post_left = plate.left + (plate.pre + 14 if self.has_pre else 0)
        first = self.zero or min(days).replace(day=1)
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


def line(cls: str, x1: float, y1: float, x2: float, y2: float) -> Shape:
    """A line from one point to another."""
    return Shape("line", cls, x1, y1, x2, y2)
