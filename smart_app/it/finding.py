"""One result of the check: what was looked at, how it stands, and what to mend."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """`fault` has to be mended before go-live; `warning` wants a look; `note` is for reading."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the check. `mend` says what to do; a fault and a warning always have it. No token, no patient."""

    area: str
    level: Level
    words: str
    mend: str = ""
    site: str = ""


def good(area: str, words: str, site: str = "") -> Finding:
    """Something that holds."""
    return Finding(area, Level.OK, words, "", site)


def note(area: str, words: str, site: str = "") -> Finding:
    """Something to know."""
    return Finding(area, Level.NOTE, words, "", site)


def warning(area: str, words: str, mend: str, site: str = "") -> Finding:
    """Something to look at."""
    return Finding(area, Level.WARNING, words, mend, site)


def fault(area: str, words: str, mend: str, site: str = "") -> Finding:
    """Something that has to be mended."""
    return Finding(area, Level.FAULT, words, mend, site)
