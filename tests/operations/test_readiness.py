"""What `/ready` says for each state of each part; clock, notices, silent mode, mixed knowledge."""

from __future__ import annotations

import json
from datetime import date
from email.utils import formatdate
from pathlib import Path

import pytest

from ehr.site import Site
from smart_app.operations import readiness as parts
from smart_app.operations.clock import ClockWatch
from smart_app.operations.notices import Notices, NoticesError, notices_for, read_notices
from smart_app.operations.readiness import Part, Probe, Readiness


def shown(probe: Probe) -> tuple[bool, str]:
    part = probe()
    return part.holds, part.state


def test_one_part_that_does_not_hold_makes_the_service_not_ready() -> None:
    ready = Readiness({"selftest": lambda: Part(True, "passed"), "clock": lambda: Part(False, "wrong")})
    body, status = ready.report({"knowledge": {"version": "1"}, "selftest": "passed", "failed": []})
    assert status == 503
    assert body["ready"] is False
    assert body["parts"] == {"selftest": {"state": "passed"}, "clock": {"state": "wrong"}}
    assert (body["knowledge"], body["selftest"], body["failed"]) == ({"version": "1"}, "passed", [])
    assert Readiness({"selftest": parts.selftest_part(())}).report()[1] == 200
    assert Readiness({"selftest": parts.selftest_part(("cd19-negative",))}).report()[1] == 503


@pytest.mark.parametrize(
    ("state", "holds"),
    [
        ("ok", True),
        ("db_down", True),
        ("db_slow", True),
        ("db_readonly", False),
        ("db_corrupt", False),
        ("db_full", False),
        ("db_newer", False),
        ("audit_broken", False),
        ("store_closed", False),
        ("anything else", False),
    ],
)
def test_a_database_that_is_away_stops_no_cards_but_one_that_takes_nothing_stops_the_node(
    state: str, holds: bool
) -> None:
    assert shown(parts.database_part(lambda: state)) == (holds, state)


@pytest.mark.parametrize(
    ("days", "said"),
    [(None, (True, "none")), (15.0, (True, "ok")), (14.0, (True, "warn")), (0.0, (False, "expired"))],
)
def test_h65_keys_warn_two_weeks_before_they_end(days: float | None, said: tuple[bool, str]) -> None:
    assert shown(parts.keys_part(lambda: days)) == said


def registered(*sites: Site, fault: str = "") -> Part:
    return parts.registrations_part(lambda: sites, lambda: fault, lambda: date(2026, 3, 2))()


def test_h59_silent_mode_is_shown_and_its_passed_end_is_a_warning_not_a_switch() -> None:
    over = registered(Site("a", silent=True, silent_until=date(2026, 3, 1)))
    assert (over.holds, over.state) == (True, "silent-over")
    assert over.more["silent"] == [{"site": "a", "until": "2026-03-01", "over": True}]
    still = registered(Site("a", silent=True, silent_until=date(2026, 3, 2)))
    assert (still.holds, still.state) == (True, "ok")


def test_h58_test_sites_are_named_and_a_reload_that_failed_says_why() -> None:
    found = registered(Site("a", environment="test"), Site("b"), fault="[[site]] 2: iss is missing")
    assert (found.holds, found.state) == (True, "registrations_kept")
    assert found.more["test_sites"] == ["a"]
    assert found.more["message"] == "[[site]] 2: iss is missing"


def test_h60_of_two_nodes_with_different_knowledge_only_the_older_steps_back() -> None:
    old, new = ("2026-01-01", "bbbb"), ("2026-02-01", "aaaa")
    assert shown(parts.digest_part(old, lambda: [new, old])) == (False, "older")
    assert shown(parts.digest_part(new, lambda: [new, old])) == (True, "newer")
    assert shown(parts.digest_part(new, lambda: [new])) == (True, "same")
    one, two = ("2026-02-01", "aaaa"), ("2026-02-01", "bbbb")
    assert [parts.digest_part(one, lambda: [two])().holds, parts.digest_part(two, lambda: [one])().holds] == [
        False,
        True,
    ]


def test_draining_is_not_ready() -> None:
    assert shown(parts.draining_part(lambda: True)) == (False, "draining")
    assert shown(parts.draining_part(lambda: False)) == (True, "no")


def test_an_overlay_that_was_not_taken_over_is_told() -> None:
    assert shown(parts.knowledge_part("1", "d", None, lambda: "overlay.json, line 3")) == (
        True,
        "overlay_kept",
    )
    assert shown(parts.knowledge_part("1", "d", None)) == (True, "ok")


class Clocks:
    """A wall clock and a monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.wall = 1_800_000_000.0
        self.ran = 50.0

    def later(self, seconds: float) -> None:
        self.wall += seconds
        self.ran += seconds


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def watch(clocks: Clocks) -> ClockWatch:
    return ClockWatch(lambda: clocks.wall, lambda: clocks.ran)


def heard(watch: ClockWatch, clocks: Clocks, source: str, ahead: float, times: int = 3) -> None:
    for _ in range(times):
        watch.sample(source, clocks.wall - ahead)


@pytest.mark.parametrize(
    ("ahead", "state", "holds"),
    [
        (0, "ok", True),
        (120, "ok", True),
        (121, "warn", True),
        (-121, "warn", True),
        (600, "warn", True),
        (601, "wrong", False),
        (-3600, "wrong", False),
    ],
)
def test_clock_row_more_than_two_minutes_warns_and_more_than_ten_is_not_ready(
    watch: ClockWatch, clocks: Clocks, ahead: float, state: str, holds: bool
) -> None:
    heard(watch, clocks, "a", ahead)
    assert shown(parts.clock_part(watch)) == (holds, state)
    assert watch.state().skew == ahead


def test_too_few_samples_say_nothing(watch: ClockWatch, clocks: Clocks) -> None:
    heard(watch, clocks, "a", 4000, times=2)
    assert shown(parts.clock_part(watch)) == (True, "unknown")


def test_one_clock_that_lies_stops_nothing(watch: ClockWatch, clocks: Clocks) -> None:
    heard(watch, clocks, "liar", 90_000, times=9)
    heard(watch, clocks, "honest", 1)
    assert watch.state().state == "ok"
    heard(watch, clocks, "third", 2)
    assert watch.state().state == "ok"


def test_several_clocks_that_agree_are_believed(watch: ClockWatch, clocks: Clocks) -> None:
    for source in ("a", "b", "c"):
        heard(watch, clocks, source, 3600)
    assert watch.state().state == "wrong"


def test_t33_a_clock_that_was_set_forgets_what_it_heard_before(watch: ClockWatch, clocks: Clocks) -> None:
    heard(watch, clocks, "a", 3600)
    assert watch.state().state == "wrong"
    clocks.wall -= 3600
    assert watch.state().state == "unknown"
    heard(watch, clocks, "a", 0)
    assert watch.state().state == "ok"


def test_old_samples_fade(watch: ClockWatch, clocks: Clocks) -> None:
    heard(watch, clocks, "a", 3600)
    clocks.later(3601)
    assert watch.state().state == "unknown"


def test_dates_of_answers_are_read_and_odd_ones_passed_over(watch: ClockWatch, clocks: Clocks) -> None:
    for header in (None, "", "yesterday", "Thu, 99 Foo 2026", "0"):
        watch.sample_date("a", header)
    assert watch.state().state == "unknown"
    for _ in range(3):
        watch.sample_date("a", formatdate(clocks.wall - 300, usegmt=True))
    assert watch.state().skew == pytest.approx(300, abs=1)


def test_no_flood_of_sources_is_kept(watch: ClockWatch, clocks: Clocks) -> None:
    for number in range(1000):
        watch.sample(f"host {number}", clocks.wall)
    assert len(watch._samples) == 64


def write(path: Path, *rows: object) -> Path:
    path.write_text(json.dumps(list(rows)), encoding="utf-8")
    return path


NOTICE = {
    "id": "n-1",
    "text": "Wrong day counts.",
    "from": "0.1",
    "before": "0.2.1",
    "link": "https://a.example/n",
}


@pytest.mark.parametrize(
    ("version", "affected"),
    [("0.0.9", False), ("0.1.0", True), ("0.2.0", True), ("0.2.1", False), ("1.0", False), ("0.10.0", False)],
)
def test_h69_a_notice_is_told_to_the_versions_it_concerns(
    tmp_path: Path, version: str, affected: bool
) -> None:
    found = notices_for(write(tmp_path / "notices.json", NOTICE), version, "2026-11-22")
    part = parts.notices_part(found)()
    assert part.holds
    assert part.state == ("notice" if affected else "none")
    assert [row["id"] for row in part.more["notices"]] == (["n-1"] if affected else [])


def test_h69_a_notice_may_concern_a_version_of_the_knowledge(tmp_path: Path) -> None:
    path = write(
        tmp_path / "notices.json", {"id": "k", "text": "Label changed.", "knowledge": ["2026-11-22"]}
    )
    assert notices_for(path, "1.0", "2026-11-22").affecting
    assert not notices_for(path, "1.0", "2026-12-01").affecting


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[1]",
        '[{"id": "a"}]',
        '[{"id": "a", "text": "b", "more": 1}]',
        '[{"id": "a", "text": "b\\u001b[2J"}]',
        '[{"id": "a", "text": "b", "link": "javascript:x"}]',
        "[" * 5000,
        "",
    ],
)
def test_h69_a_broken_file_of_notices_is_shown_as_broken(tmp_path: Path, text: str) -> None:
    path = tmp_path / "notices.json"
    path.write_text(text)
    with pytest.raises(NoticesError, match=r"notices\.json"):
        read_notices(path)
    part = parts.notices_part(notices_for(path, "1.0", "k"))()
    assert (part.holds, part.state) == (True, "unreadable")


def test_no_file_of_notices_is_no_fault(tmp_path: Path) -> None:
    assert notices_for(tmp_path / "notices.json", "1.0", "k") == notices_for(None, "1.0", "k") == Notices()
