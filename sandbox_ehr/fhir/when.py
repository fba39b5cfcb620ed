"""FHIR dates as spans of time, so that a year and a second can be compared (FHIR R4, search, date)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

_DATE = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d\d)(-(?P<day>\d\d)(T(?P<clock>\d\d:\d\d(:\d\d(\.\d+)?)?)"
    r"(?P<zone>Z|[+-]\d\d:\d\d)?)?)?)?\Z"
)
_PREFIX = re.compile(r"(eq|ne|lt|gt|le|ge|sa|eb)?(?=\d)(.+)\Z")
Span = tuple[datetime, datetime]
FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)


def span(text: str) -> Span:
    """First moment and end of a FHIR date; without a zone it is UTC. Raises ValueError."""
    match = _DATE.match(text)
    if match is None:
        raise ValueError(text)
    year, month, day = int(match["year"]), int(match["month"] or 1), int(match["day"] or 1)
    if match["clock"]:
        zone = "+00:00" if match["zone"] in (None, "Z") else match["zone"]
        start = datetime.fromisoformat(f"{text[:10]}T{match['clock']}{zone}").astimezone(UTC)
        return start, start + timedelta(seconds=1 if match["clock"].count(":") == 2 else 60)
    start = datetime(year, month, day, tzinfo=UTC)
    if match["day"]:
        return start, start + timedelta(days=1)
    if match["month"]:
        return start, datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return start, datetime(year + 1, 1, 1, tzinfo=UTC)


def value_span(value: Any) -> Span | None:
    """The span of a dateTime or a Period; None where there is none."""
    if isinstance(value, str):
        return span(value)
    if isinstance(value, dict) and (value.get("start") or value.get("end")):
        start = span(value["start"])[0] if value.get("start") else FIRST
        end = span(value["end"])[1] if value.get("end") else LAST
        return start, end
    return None


def read_prefixed(text: str) -> tuple[str, Span]:
    """Prefix and span of a date parameter; raises ValueError."""
    match = _PREFIX.match(text)
    if match is None:
        raise ValueError(text)
    return match[1] or "eq", span(match[2])


def fits(prefix: str, wanted: Span, value: Span) -> bool:
    """Whether a value answers a prefixed date (FHIR R4, search, table of prefixes)."""
    inside = wanted[0] <= value[0] and value[1] <= wanted[1]
    match prefix:
        case "eq":
            return inside
        case "ne":
            return not inside
        case "lt":
            return value[0] < wanted[0]
        case "gt":
            return value[1] > wanted[1]
        case "le":
            return value[0] < wanted[0] or inside
        case "ge":
            return value[1] > wanted[1] or inside
        case "sa":
            return value[0] >= wanted[1]
        case _:
            return value[1] <= wanted[0]
