"""The marks of the course picture: what each entry of the table looks like in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from mappings.evaluation import TimelineEntry
from mappings.facts import Antigen
from mappings.stated import STATED, is_stated
from smart_app.page import words

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
_UNTIL = re.compile(r"until (\d{2}) ([A-Z][a-z]{2}) (\d{4})\Z")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


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


def marks_of(entries: Iterable[TimelineEntry]) -> tuple[Mark, ...]:
    """The marks of some entries; one without a full date has none and is told in words below the picture."""
    made = (
        _mark(entry, entry.when.first) for entry in entries if entry.when is not None and entry.when.exact
    )
    return tuple(dict.fromkeys(mark for mark in made if mark is not None))


def missing_antigen(antigen: Antigen, at: date) -> Mark:
    """The mark of an antigen without a result that counts for the relapse."""
    return Mark(at, None, antigen.value, "unknown", "unknown", strong=True)


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
        return Mark(at, None, "monitoring", "", shown, number=number) if found else None
    label = "CR" if _COMPLETE.search(entry.detail) else _SHORT.get(entry.label, entry.label)
    solid = entry.lane == "relapse" and entry.label != "relapse suspected"
    glyph = "relapse" if solid else "response"
    if entry.set_aside:
        return Mark(at, None, "response", f"{glyph}-aside", f"{label}, set aside", aside=True, stated=stated)
    return Mark(at, None, "response", glyph, label, strong=solid, stated=stated)


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
    found = _UNTIL.search(entry.detail)
    if found is None:
        return None
    return date(int(found.group(3)), _MONTHS.index(found.group(2)) + 1, int(found.group(1)))


def unit_of(entries: Iterable[TimelineEntry]) -> str:
    """The unit that all counts share, as charted; empty where they differ."""
    units = {
        _NUMBER.sub("", entry.detail, count=1).strip() for entry in entries if _NUMBER.match(entry.detail)
    }
    return words.short(units.pop(), 16) if len(units) == 1 else ""
