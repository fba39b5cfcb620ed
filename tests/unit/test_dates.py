"""Clinical dates: spellings, precision, zones, and a comparison that may answer unknown (rules 11.11, hazard H-32)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.dates import ClinicalDate, Precision, before, days_between, parse_date, shift_first


def parsed(text: str) -> ClinicalDate:
    found = parse_date(text)
    assert found is not None, text
    return found


def moment(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("text", "precision", "first", "last", "instant"),
    [
        ("2025", Precision.YEAR, date(2025, 1, 1), date(2025, 12, 31), None),
        ("2025-02", Precision.MONTH, date(2025, 2, 1), date(2025, 2, 28), None),
        ("2024-02", Precision.MONTH, date(2024, 2, 1), date(2024, 2, 29), None),
        ("2025-12", Precision.MONTH, date(2025, 12, 1), date(2025, 12, 31), None),
        ("2025-03-30", Precision.DAY, date(2025, 3, 30), date(2025, 3, 30), None),
        (" 2025-03-30 ", Precision.DAY, date(2025, 3, 30), date(2025, 3, 30), None),
        ("2024-02-29", Precision.DAY, date(2024, 2, 29), date(2024, 2, 29), None),
        ("2025-03-30T10:15", Precision.MOMENT, date(2025, 3, 30), date(2025, 3, 30), None),
        ("2025-03-30T10:15:20", Precision.MOMENT, date(2025, 3, 30), date(2025, 3, 30), None),
        ("2025-03-30T10:15Z", Precision.MOMENT, date(2025, 3, 30), date(2025, 3, 30), moment(2025, 3, 30, 10, 15)),
        ("2025-03-30T10:15:20Z", Precision.MOMENT, date(2025, 3, 30), date(2025, 3, 30),
        moment(2025, 3, 30, 10, 15, 20)),
        ("2025-03-30T10:15:20.123Z", Precision.MOMENT, date(2025, 3, 30), date(2025, 3, 30),
        moment(2025, 3, 30, 10, 15, 20)),
        ("2025-03-30T10:15:20.123456789Z", Precision.MOMENT, date(2025, 3, 30), date(2025, 3, 30),
        moment(2025, 3, 30, 10, 15, 20)),
        ("2025-03-30T00:30:00+02:00", Precision.MOMENT, date(2025, 3, 30), date(2025, 3, 30),
        moment(2025, 3, 29, 22, 30)),
        ("2025-03-30T23:30:00-08:00", Precision.MOMENT, date(2025, 3, 30), date(2025, 3, 30),
        moment(2025, 3, 31, 7, 30)),
        ("2025-03-30T10:15:20+0530", Precision.MOMENT, date(2025, 3, 30), date(2025, 3, 30),
        moment(2025, 3, 30, 4, 45, 20)),
        ("2025-03-30T10:15:20 +05:30", Precision.MOMENT, date(2025, 3, 30), date(2025, 3, 30),
        moment(2025, 3, 30, 4, 45, 20)),
        ("2025-03-30T10:15:20+14:00", Precision.MOMENT, date(2025, 3, 30), date(2025, 3, 30),
        moment(2025, 3, 29, 20, 15, 20)),
        ("2025-03-30T10:15:20-12:00", Precision.MOMENT, date(2025, 3, 30), date(2025, 3, 30),
        moment(2025, 3, 30, 22, 15, 20)),
        ("2025-03-30T10:15:20+00:00", Precision.MOMENT, date(2025, 3, 30), date(2025, 3, 30),
        moment(2025, 3, 30, 10, 15, 20)),
        ("2025-03-30T00:00:00Z", Precision.MOMENT, date(2025, 3, 30), date(2025, 3, 30), moment(2025, 3, 30)),
        ("2025-06-30T23:59:60Z", Precision.MOMENT, date(2025, 6, 30), date(2025, 6, 30),
        moment(2025, 6, 30, 23, 59, 59)),
        ("1900-01-01", Precision.DAY, date(1900, 1, 1), date(1900, 1, 1), None),
        ("2099-12-31", Precision.DAY, date(2099, 12, 31), date(2099, 12, 31), None),
    ],
)  # fmt: skip
def test_spellings_that_are_dates(
    text: str, precision: Precision, first: date, last: date, instant: datetime | None
) -> None:
    found = parsed(text)
    assert (found.precision, found.first, found.last, found.moment) == (precision, first, last, instant)
    assert found.exact is (first == last)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "unknown", "last spring", "05/11/2025", "11/05/2025", "5 Nov 2025", "2025-13", "2025-00",
        "2025-02-29",
        "2025-02-30", "2025-1-5", "25-01-05", "20250105", "2025-01-05T25:00:00Z", "2025-01-05T10:61:00Z", "2025-W05",
        "2025-01-05T", "2025-01-05 10:00", "2025-01-05T10", "2025-01-05Z", "0000", "2025-01-05T10:00:00Z; DROP",
        "٢٠٢٥-٠١-٠٥x",
    ],
)  # fmt: skip
def test_spellings_that_are_no_dates(text: str) -> None:
    assert parse_date(text) is None


@pytest.mark.parametrize("zone", ["+24:00", "-30:00", "+99:99"])
def test_a_zone_that_does_not_exist_gives_no_moment_far_away(zone: str) -> None:
    found = parse_date(f"2025-03-30T10:00:00{zone}")
    assert found is None or found.moment is None


DISPLAY = [
    ("2025-11-05", "05 Nov 2025"), ("2025-11-05T23:00:00-08:00", "05 Nov 2025"), ("2025-11", "Nov 2025"),
    ("2025", "2025"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "shown"), DISPLAY)
def test_display_never_invents_precision(text: str, shown: str) -> None:
    assert parsed(text).display() == shown


@pytest.mark.parametrize(
    ("one", "other", "answer"),
    [
        # day against day: the same day is not before
        ("2025-01-10", "2025-01-09", False), ("2025-01-10", "2025-01-10", False), ("2025-01-10", "2025-01-11", True),
        # month against day and back
        ("2025-01", "2025-01-01", False), ("2025-01", "2025-01-15", None), ("2025-01", "2025-01-31", None),
        ("2025-01", "2025-02-01", True), ("2025-02", "2025-01-31", False),
        ("2025-01-01", "2025-01", None), ("2025-01-31", "2025-01", False), ("2024-12-31", "2025-01", True),
        ("2025-02-01", "2025-01", False),
        # month against month
        ("2025-01", "2025-01", None), ("2025-01", "2025-02", True), ("2025-02", "2025-01", False),
        # year
        ("2025", "2025", None), ("2024", "2025", True), ("2025", "2024", False), ("2025", "2025-06-01", None),
        ("2025", "2025-01-01", False), ("2025", "2026-01-01", True), ("2025-12-31", "2025", False),
        ("2025-06-01", "2025", None),
        # moments with zones are instants
        ("2025-01-10T10:00:00Z", "2025-01-10T11:00:00Z", True),
        ("2025-01-10T11:00:00Z", "2025-01-10T10:00:00Z", False),
        ("2025-01-10T10:00:00Z", "2025-01-10T10:00:00Z", False),
        ("2025-01-11T00:30:00+02:00", "2025-01-10T23:30:00Z", True),
        ("2025-01-10T23:30:00-08:00", "2025-01-11T06:00:00Z", False),
        # a moment without zone counts by its day
        ("2025-01-10T10:00:00", "2025-01-10T11:00:00Z", False), ("2025-01-10T10:00:00", "2025-01-11T01:00:00Z", True),
        ("2025-01-10T23:00:00Z", "2025-01-10", False), ("2025-01-10", "2025-01-10T00:00:00Z", False),
    ],
)  # fmt: skip
def test_truth_table_of_before(one: str, other: str, answer: bool | None) -> None:
    assert before(parsed(one), parsed(other)) is answer


DAYS = st.dates(date(2020, 1, 1), date(2027, 12, 31))
WRITTEN = st.builds(lambda day, cut: day.isoformat()[:cut], DAYS, st.sampled_from([4, 7, 10]))


@given(WRITTEN, WRITTEN)
def test_before_answers_only_what_every_reading_agrees_on(one: str, other: str) -> None:
    a, b = parsed(one), parsed(other)
    corners = {x < y for x in (a.first, a.last) for y in (b.first, b.last)}
    assert before(a, b) is (corners.pop() if len(corners) == 1 else None)
    assert not (before(a, b) and before(b, a))


@given(DAYS, DAYS, st.integers(0, 23), st.sampled_from(["Z", "+01:00", "-05:00", "+14:00", "-12:00", ""]))
def test_day_count_is_that_of_the_calendar_as_charted(start: date, end: date, hour: int, zone: str) -> None:
    charted = parsed(f"{end.isoformat()}T{hour:02d}:30:00{zone}")
    assert days_between(parsed(start.isoformat()), charted) == (end - start).days


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"]
)
@pytest.mark.parametrize(
    "day", [date(2025, 3, 9), date(2025, 3, 30), date(2025, 4, 6), date(2025, 10, 26), date(2025, 11, 2)]
)
def test_days_on_which_clocks_change_keep_their_calendar_day(zone: str, day: date) -> None:
    for hour in range(24):
        local = datetime(day.year, day.month, day.day, hour, 30, tzinfo=ZoneInfo(zone))
        charted = parsed(local.isoformat())
        assert charted.first == charted.last == day
        assert charted.moment == local.astimezone(UTC)
        assert days_between(parsed((day - timedelta(days=30)).isoformat()), charted) == 30


@pytest.mark.parametrize(
    ("one", "other"), [("2025-01", "2025-02-03"), ("2025", "2026-01-01"), ("2025-01-01", "2025-03")]
)
def test_no_day_count_without_days(one: str, other: str) -> None:
    assert days_between(parsed(one), parsed(other)) is None


def test_shift_moves_the_first_possible_day() -> None:
    assert shift_first(parsed("2025-03"), -14) == date(2025, 2, 15)


def test_offset_of_a_moment_equals_that_of_the_library() -> None:
    for minutes in range(-14 * 60, 14 * 60 + 1, 15):
        local = datetime(2025, 6, 15, 12, 0, tzinfo=timezone(timedelta(minutes=minutes)))
        assert parsed(local.isoformat()).moment == local.astimezone(UTC)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_the_ends_of_the_calendar_are_read_without_raising(text: str) -> None:
    found = parse_date(text)
    assert found is None or found.first.isoformat() == text[:10]
