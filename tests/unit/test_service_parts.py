"""Parts of the service on their own: self-test, settings, counters, log, collection, edge."""

from __future__ import annotations

import gc
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from mappings.evaluation import Evaluation, RelapseCategory
from mappings.loading import load_knowledge
from mappings.reading.decode import Decoded
from smart_app.collector import Collector
from smart_app.edge import Edge
from smart_app.log import write_log
from smart_app.operations.metrics import Metrics as Counters
from smart_app.selftest import cases, evaluator_of, run_selftest
from smart_app.settings import (
    Settings,
    SettingsError,
    check_settings,
    is_loopback,
    parse_moment,
    settings_from,
)


def test_there_is_one_case_for_each_category_and_all_pass() -> None:
    assert sorted(case.category for case in cases()) == sorted(RelapseCategory)
    assert run_selftest(evaluator_of(load_knowledge(), ("US", "EU"))) == ()


@pytest.mark.parametrize("broken", sorted(RelapseCategory))
def test_a_category_that_is_no_longer_given_fails_the_selftest(broken: RelapseCategory) -> None:
    """A rule path switched off by accident: its case, and no other, is named (hazard H-70)."""
    judge = evaluator_of(load_knowledge(), ("US", "EU"))
    instead = next(category for category in RelapseCategory if category is not broken)

    def evaluate(chart: Decoded, patient: str, as_of: datetime) -> Evaluation:
        made = judge(chart, patient, as_of)
        if made.assessment.category is broken:
            return replace(made, assessment=replace(made.assessment, category=instead))
        return made

    assert run_selftest(evaluate) == (broken.value,)


def test_a_fault_in_evaluation_fails_every_case() -> None:
    def evaluate(chart: Decoded, patient: str, as_of: datetime) -> Evaluation:
        raise LookupError("a rule is gone")

    assert len(run_selftest(evaluate)) == len(cases())


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-02-01T12:00:00Z", "2026-02-01T12:00:00+00:00"),
        ("2026-02-01T12:00:00+02:00", "2026-02-01T12:00:00+02:00"),
        ("2026-02-01T12:00:00", "2026-02-01T12:00:00+00:00"),
        ("2026-02-01", "2026-02-01T23:59:59+00:00"),
    ],
)
def test_moments_are_read_with_a_zone(text: str, moment: str) -> None:
    assert parse_moment(text).isoformat() == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "01.02.2026"])
def test_other_moments_are_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_moment(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "LOCALHOST.", "::1", "[::1]"])
def test_loopback_names(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "localhost.evil.example", "::", "example.org", ""])  # noqa: S104
def test_other_names_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_settings_survive_the_way_to_a_worker() -> None:
    settings = Settings(host="::1", port=9, opened=True, as_of="2026-02-01", regions=("EU",))
    assert settings_from(settings.dumped()) == settings
    assert settings.url == "http://[::1]:9"


def test_open_service_is_refused_off_loopback_and_closed_service_altogether() -> None:
    with pytest.raises(SettingsError, match="refused"):
        check_settings(Settings(host="0.0.0.0", opened=True))  # noqa: S104
    with pytest.raises(SettingsError, match="--open"):
        check_settings(Settings())


def test_counters_cumulate_their_buckets() -> None:
    counters = Counters()
    counters.called(200, 1.5)
    counters.called(200, 30)
    counters.called(412, 90_000)
    counters.add("postcart_cards_total", "kind", "cd19-negative", 2)
    rows = dict(line.rsplit(" ", 1) for line in counters.text().splitlines())
    buckets = 'postcart_call_milliseconds_bucket{le="%s",service="none"}'
    assert rows['postcart_cards_total{kind="cd19-negative"}'] == "2.0"
    assert [rows[buckets % bound] for bound in ("2.0", "50.0", "+Inf")] == ["1.0", "2.0", "3.0"]
    assert rows['postcart_call_milliseconds_count{service="none"}'] == "3.0"
    assert counters.get("postcart_calls_total", "status", "412") == 1


def test_log_lines_hold_closed_fields_only() -> None:
    out = io.StringIO()
    write_log("call", stream=out, status=200, category="no-relapse")
    assert json.loads(out.getvalue())["category"] == "no-relapse"
    with pytest.raises(KeyError):
        write_log("call", stream=out, patient="x")


@pytest.fixture
def own_collection() -> Iterator[None]:
    yield
    gc.callbacks.clear()
    gc.unfreeze()
    gc.enable()


@pytest.mark.usefixtures("own_collection")
def test_full_passes_wait_for_an_idle_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smart_app.collector._FULL_AFTER_CALLS", 3)
    collector = Collector()
    collector.start()
    assert not gc.isenabled()
    for _ in range(3):
        collector.enter()
        collector.leave()
    collector.enter()
    assert not collector.full_pass_if_idle()
    collector.leave()
    assert collector.full_pass_if_idle()
    assert not collector.full_pass_if_idle()
    assert (collector.full_inside, collector.full_between) == (0, 1)
    collector.enter()
    gc.collect()
    collector.leave()
    assert collector.full_inside == 1


def served(environ: dict[str, Any], status: str = "200 OK") -> tuple[list[bytes], list[str], Counters]:
    seen: list[str] = []
    counters = Counters()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response(status, [])
        return [b"an", b"swer"]

    body = Edge(app, counters, None)(environ, lambda line, headers, exc=None: seen.append(line))  # type: ignore[arg-type,return-value]
    return list(body), seen, counters


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        ({"CONTENT_LENGTH": "10"}, b"next call"),
        ({"CONTENT_LENGTH": "0"}, b"0123456789next call"),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, b""),
        ({}, b"0123456789next call"),
    ],
)
def test_the_edge_reads_the_whole_body_and_no_more(headers: dict[str, str], left: bytes) -> None:
    stream = io.BytesIO(b"0123456789next call")
    body, seen, counters = served(
        {"REQUEST_METHOD": "POST", "wsgi.input": stream, **headers}, "404 NOT FOUND"
    )
    assert body == [b"answer"]
    assert seen == ["404 NOT FOUND"]
    assert stream.read() == left
    assert counters.get("postcart_calls_total", "status", "404") == 1


def test_a_broken_connection_while_draining_is_no_fault() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("gone")

    body, _, _ = served({"REQUEST_METHOD": "POST", "wsgi.input": Broken(), "CONTENT_LENGTH": "5"})
    assert body == [b"answer"]
