"""Rates, shares and budgets: who is turned away, when, and that everybody else is not."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smart_app.operations.limits import Budget, Held, SiteRates, SiteShares


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def served(rates: SiteRates, site: str, calls: int) -> int:
    return sum(rates.take(site) == 0 for _ in range(calls))


def test_rate_limit_row_a_site_over_its_limit_gets_429_with_the_seconds_to_wait(clock: Clock) -> None:
    rates = SiteRates({"a": 6}, clock)
    for _ in range(6):
        rates.check("a")
    with pytest.raises(Held) as caught:
        rates.check("a")
    assert (caught.value.status, caught.value.code, caught.value.retry_after) == (429, "limited", 10)
    clock.now += 9.9
    assert rates.take("a") > 0
    clock.now += 0.2
    assert rates.take("a") == 0


def test_t35_a_flooding_site_takes_nothing_from_another(clock: Clock) -> None:
    rates = SiteRates({"a": 60, "b": 60}, clock)
    assert served(rates, "a", 10_000) == 60
    assert served(rates, "b", 60) == 60


@given(st.lists(st.floats(min_value=0, max_value=10), min_size=1, max_size=200))
def test_no_pattern_of_calls_gets_more_than_the_rate_and_one_burst(waits: list[float]) -> None:
    clock = Clock()
    rates = SiteRates({"a": 30}, clock)
    good = 0
    for wait in waits:
        clock.now += wait
        good += rates.take("a") == 0
    assert good <= 30 + clock.now * 30 / 60 + 1e-6


def test_a_reload_keeps_the_bucket_of_a_site_that_stays(clock: Clock) -> None:
    rates = SiteRates({"a": 5}, clock)
    assert served(rates, "a", 9) == 5
    rates.know({"a": 5, "b": 5})
    assert served(rates, "a", 9) == 0
    assert served(rates, "b", 9) == 5
    rates.know({"b": 5})
    rates.know({"a": 5, "b": 5})
    assert served(rates, "a", 9) == 5


def test_no_rate_is_no_limit(clock: Clock) -> None:
    assert served(SiteRates({"a": 0}, clock), "a", 500) == 500


def at_once(work: Callable[[], bool], count: int) -> int:
    found: list[bool] = []
    threads = [threading.Thread(target=lambda: found.append(work())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(found)


def test_the_bucket_is_exact_under_threads(clock: Clock) -> None:
    rates = SiteRates({"a": 40}, clock)
    assert at_once(lambda: rates.take("a") == 0, 100) == 40


def test_t35_one_site_cannot_take_every_thread() -> None:
    shares = SiteShares(2)
    with shares.hold("a"), shares.hold("a"):
        with pytest.raises(Held) as caught, shares.hold("a"):
            pass
        assert (caught.value.status, caught.value.retry_after) == (503, 1)
        with shares.hold("b"):
            pass
    with shares.hold("a"):
        pass
    assert shares._running == {}


def test_a_share_is_given_back_after_a_fault() -> None:
    shares = SiteShares(1)
    for _ in range(3):
        with pytest.raises(RuntimeError), shares.hold("a"):
            raise RuntimeError
    with shares.hold("a"):
        pass


def test_t26_the_budget_holds_bytes_and_calls() -> None:
    budget = Budget(most_calls=3, most_bytes=100)
    assert budget.enter(60) == ""
    assert budget.enter(41) == "bytes"
    assert budget.enter(40) == ""
    assert not budget.grow(1)
    budget.leave(40)
    assert budget.grow(40)
    budget.leave(100)
    assert (budget.calls, budget.bytes) == (0, 0)
    assert [budget.enter(0) for _ in range(4)] == ["", "", "", "calls"]


def test_t26_one_body_alone_is_always_taken_however_large() -> None:
    """A limit set below the size of one body must not stop every call for ever."""
    assert Budget(most_calls=1, most_bytes=10).enter(50) == ""
