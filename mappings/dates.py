"""Clinical dates with the precision they were written in; comparing two of them may answer *unknown*."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from functools import lru_cache

_FHIR = re.compile(
    r"(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s?(Z|[+-]\d{2}:?\d{2})?)?)?)?$"
)
_WIDEST_OFFSET = timedelta(hours=14)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Precision(IntEnum):
    """How much of a date was written: a year, a month, a day or a moment."""

    YEAR = 1
    MONTH = 2
    DAY = 3
    MOMENT = 4


@dataclass(frozen=True, slots=True)
class ClinicalDate:
    """A date as charted: its first and last possible calendar day, and the moment where one was given.

    `first` and `last` are the site's own calendar days as written (no zone shift), so that a day count is the
    count a clinician makes. `moment` is in UTC and present only where a zone was written.
    """

    text: str
    precision: Precision
    first: date
    last: date
    moment: datetime | None = None

    @property
    def exact(self) -> bool:
        """Whether the calendar day is known."""
        return self.first == self.last

    def display(self) -> str:
        """The date as shown to people: `05 Nov 2025`, `Nov 2025` or `2025`."""
        if self.precision == Precision.YEAR:
            return f"{self.first.year:04d}"
        month = _MONTHS[self.first.month - 1]
        if self.precision == Precision.MONTH:
            return f"{month} {self.first.year:04d}"
        return f"{self.first.day:02d} {month} {self.first.year:04d}"


@lru_cache(maxsize=4096)
def parse_date(text: str) -> ClinicalDate | None:
    """Reads a FHIR date or dateTime, also partial and without zone; None when it is neither (FHIR R4 2.24.0.1)."""
    match = _FHIR.match(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, zone = match.groups()
    try:
        if month is None:
            return ClinicalDate(text, Precision.YEAR, date(int(year), 1, 1), date(int(year), 12, 31))
        if day is None:
            last = calendar.monthrange(int(year), int(month))[1]
            first = date(int(year), int(month), 1)
            return ClinicalDate(text, Precision.MONTH, first, first.replace(day=last))
        exact = date(int(year), int(month), int(day))
        if hour is None:
            return ClinicalDate(text, Precision.DAY, exact, exact)
        moment = _moment(exact, int(hour), int(minute), int(second or 0), zone)
    except ValueError:
        return None
    return ClinicalDate(text, Precision.MOMENT, exact, exact, moment)


def _moment(day: date, hour: int, minute: int, second: int, zone: str | None) -> datetime | None:
    """The instant in UTC; none without a zone, or with an offset that no place on earth has (FHIR R4 2.24.0.1)."""
    local = datetime(day.year, day.month, day.day, hour, minute, min(second, 59), tzinfo=UTC)
    if zone is None:
        return None
    if zone == "Z":
        return local
    digits = zone[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:])
    offset = timedelta(hours=hours, minutes=minutes)
    if minutes > 59 or offset > _WIDEST_OFFSET:
        return None
    try:
        return local - offset if zone[0] == "+" else local + offset
    except OverflowError:
        return None


def before(one: ClinicalDate, other: ClinicalDate) -> bool | None:
    """Whether `one` lies before `other`: True or False where every reading agrees, else None (rules 11.11).

    Two moments with zones are compared as instants; anything else by calendar day, where the same day is not
    before.
    """
    if one.moment is not None and other.moment is not None:
        return one.moment < other.moment
    if one.last < other.first:
        return True
    if one.first >= other.last:
        return False
    return None


def days_between(start: ClinicalDate, end: ClinicalDate) -> int | None:
    """Calendar days from `start` to `end` as charted; None where either day is not known."""
    if not (start.exact and end.exact):
        return None
    return (end.first - start.first).days


def shift_first(day: ClinicalDate, days: int) -> date:
    """The first possible day of `day`, moved by `days`."""
    return day.first + timedelta(days=days)
