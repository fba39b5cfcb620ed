"""One lane of the course picture: its marks first, then the labels that touch nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from smart_app.page import words
from smart_app.page.course_marks import Mark
from smart_app.page.plate import ANTIGENS, CHAR, Plate, Scale, Shape, line

_CLOSE = 40
"""Lanes lower than this have no room for a label under a mark beside one above the next lane's."""
_NAMES = {
    "therapy": "Therapy",
    "transplant": "Transplant",
    "response": "Response",
    "biopsy": "Specimen",
    "CD19": "Tumour CD19",
    "CD20": "CD20",
    "CD22": "CD22",
}
_LEVELS = 5
"""Rows of labels that bars may have under their line."""
_ROW = 13
_APART = 7
_BRIEFER = (18, 11)
_ASIDE = ", set aside"


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is known once a lane is drawn: labels under its line, pixels they need more, marks left without a name."""

    under: list[tuple[float, float]]
    extra: int
    unnamed: tuple[Mark, ...]


def draw_lane(
    out: list[Shape],
    marks: list[Mark],
    lane: str,
    top: int,
    room: int,
    scale: Scale,
    plate: Plate,
    overhead: list[tuple[float, float]],
) -> Drawn:
    """Draws a lane with its name; marks of one kind at one place are drawn once.

    `overhead` is what the lane above has written under its line, which labels keep off where lanes stand close.
    """
    antigen = lane in ANTIGENS
    y = top + (room * 0.62 if not plate.names_inside else room - 12)
    out.append(line("t-lane", plate.left, y, plate.width - 2, y))
    if not plate.names_inside:
        out.append(Shape("text", "t-label", plate.left - 10, y + 4, text=_NAMES[lane], anchor="end"))
    elif not antigen or lane == "CD19":
        name = "Antigens on the tumour: CD19, CD20, CD22" if antigen else _NAMES[lane]
        out.append(Shape("text", "t-label t-halo", plate.left + 6, top + 14, text=name))
    close = plate.lane < _CLOSE
    taken: dict[str, list[tuple[float, float]]] = {
        "on": [],
        "above": list(overhead) if close else [],
        "below": [],
    }
    placed: list[tuple[Mark, float, float]] = []
    for mark in sorted(_together(marks) if antigen else _merged(marks), key=lambda m: (not m.strong, m.at)):
        at = scale.x(mark.at)
        if at is not None:
            placed.append((mark, at, _draw_mark(out, mark, at, y, scale, antigen, taken)))
    unnamed = [
        mark
        for mark, at, half in placed
        if mark.label
        and not (antigen and mark.aside)
        and not _label(out, mark, at, y, half, scale, plate, taken)
        and not antigen
    ]
    levels = [n for n in range(_LEVELS) if taken.get(_level(n))]
    deepest = levels[-1] if levels else 0
    return Drawn(taken.get(_level(deepest), []), _extra(deepest, bool(levels), plate), tuple(unnamed))


def _level(number: int) -> str:
    """The name of a row of labels under the line, counted from the line."""
    return "below" if number == 0 else f"below {number}"


def _extra(deepest: int, used: bool, plate: Plate) -> int:
    """Pixels that the rows of labels under the line ask for beyond the lane's own height."""
    rows = deepest + (1 if used and plate.names_inside else 0)
    return rows * _ROW + (_APART if deepest and plate.lane < _CLOSE else 0)


def _merged(marks: list[Mark]) -> list[Mark]:
    """Marks of one shape and day become one that bears all their names; bars stay apart, each has its own."""
    days: dict[tuple[date, str], list[Mark]] = {}
    kept = []
    for mark in marks:
        if mark.glyph == "":
            kept.append(mark)
        else:
            days.setdefault((mark.at, mark.glyph), []).append(mark)
    for group in days.values():
        names = dict.fromkeys(mark.label.removesuffix(_ASIDE) for mark in group)
        label = ", ".join(names) + (_ASIDE if group[0].aside else "")
        first = max(group, key=lambda mark: mark.strong)
        kept.append(replace(first, label=label, stated=any(mark.stated for mark in group)))
    return kept


def _together(marks: list[Mark]) -> list[Mark]:
    """Results of one day that disagree become one mark of their own, so that neither covers the other."""
    days: dict[date, list[Mark]] = {}
    for mark in marks:
        if not mark.aside:
            days.setdefault(mark.at, []).append(mark)
    kept = list({(mark.at, mark.glyph): mark for mark in marks if mark.aside}.values())
    for group in days.values():
        states = list(dict.fromkeys(mark.label for mark in group))
        if len(states) < 2:
            kept.append(group[0])
        else:
            kept.append(replace(group[0], glyph="discordant", label=" and ".join(states)))
    return kept


def _draw_mark(
    out: list[Shape],
    mark: Mark,
    at: float,
    y: float,
    scale: Scale,
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
    scale: Scale,
    plate: Plate,
    taken: dict[str, list[tuple[float, float]]],
) -> bool:
    """A label beside, above or below its mark, wherever it touches nothing; False where there is no such place."""
    antigen = mark.lane in ANTIGENS
    text = f"{mark.label} (stated)" if mark.stated and "stated" not in mark.label else mark.label
    if antigen and plate.names_inside:
        text = f"{mark.lane} {text}"
    cls = (
        "t-text t-halo" + (" t-strong" if mark.strong else "") + (" t-accent" if mark.glyph == "cart" else "")
    )
    narrow = at < scale.post_left - 1 and not plate.names_inside
    low, high = plate.left + 2.0, scale.pre_right - 2.0 if narrow else plate.width - 2.0
    # a specimen is known by its first words; the table has them all
    for shown in (text, *(words.short(text, cap) for cap in _BRIEFER if mark.glyph == "biopsy")):
        width = len(shown) * CHAR
        for row, x, base, anchor in _spots(mark, at, y, half, antigen):
            if mark.glyph == "":
                x = max(low, min(x, high - width))
            left = x if anchor == "start" else x - width if anchor == "end" else x - width / 2
            right = left + width
            cramped = row == "below" and plate.lane < _CLOSE and mark.glyph != ""
            if cramped or left < low or right > high:
                continue
            if any(left < b and right > a for a, b in taken.get(row, ())):
                continue
            taken.setdefault(row, []).append((left - 4, right + 4))
            out.append(Shape("text", cls, x, base, text=shown, anchor=anchor))
            return True
    return False


def _spots(
    mark: Mark, at: float, y: float, half: float, antigen: bool
) -> tuple[tuple[str, float, float, str], ...]:
    """Where a label may stand, in the order tried: row, place, base line, anchor."""
    beside = (("on", at + half + 4, y + 4.5, "start"), ("on", at - half - 4, y + 4.5, "end"))
    if antigen or mark.glyph in ("biopsy", "transplant"):
        return beside
    if mark.glyph == "":
        rows = tuple((_level(n), at, y + 18 + n * _ROW, "start") for n in range(_LEVELS))
        return (("above", at, y - 9, "start"), *rows)
    above: tuple[tuple[str, float, float, str], ...] = (
        ("above", at, y - half - 4, "middle"),
        ("above", at + half, y - half - 4, "end"),
        ("above", at - half, y - half - 4, "start"),
    )
    below = tuple(("below", x, y + half + 13, anchor) for _, x, _, anchor in above)
    return (*beside, *above, *below) if mark.strong else (*above, *below)
