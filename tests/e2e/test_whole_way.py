"""One person's whole way through the demo, in a real browser; POSTCART_PICTURES=1 keeps the pictures of the papers."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import needs_chromium
from demos import POSTCART, Running
from playwright.sync_api import FrameLocator, Locator, Page, expect
from watched_page import opened_page, picture

pytestmark = needs_chromium
_FEEDBACK_S = 20


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The demo as the command starts it."""
    running = Running(tmp_path_factory.mktemp("demo"))
    yield running
    running.stop()


def test_list_chart_card_app_what_if_accept_order_warning_dismiss_summary(demo: Running) -> None:
    """From the patient list to the feedback summary, with nothing refused or missing in the browser on the way."""
    with opened_page() as (page, complaints):
        card = _open_the_chart(page, demo)
        _look_into_the_app(page, card)
        _accept(page, "CD22 by immunohistochemistry on the existing tissue block")
        _order_against_the_card(page)
        page.goto(demo.root)
        page.get_by_role("link", name="ZZTEST, Dev").click()
        _accept(page, "Tissue biopsy (or bone marrow) with CD19, CD20 and CD22")
        assert complaints == []
    rows = _feedback(demo)
    accepted = {(one["category"], one["accepted"], one["overridden"]) for one in rows if one["accepted"]}
    assert accepted == {("cd19-negative", 1, 0), ("cd19-unknown", 1, 0)}
    dismissed = [one for one in rows if one["overridden"]]
    assert len(dismissed) == 1
    assert sum(dismissed[0]["reasons"].values()) == 1
    assert dismissed[0]["comments"] == 1


def _open_the_chart(page: Page, demo: Running) -> Locator:
    page.goto(demo.root)
    picture(page, "patient-list")
    page.get_by_role("link", name="ZZTEST, Alma").click()
    card = page.locator("aside article.card")
    expect(card).to_have_count(1)
    expect(card.get_by_role("heading")).to_contain_text("CD19-negative relapse")
    picture(page, "card-panel")
    return card


def _look_into_the_app(page: Page, card: Locator) -> None:
    card.locator("a.button").first.click()
    frame = page.frame_locator("iframe")
    frame.get_by_role("heading", name="CD19-negative relapse").wait_for()
    expect(frame.locator("body")).to_contain_text("ZZTEST")
    page.wait_for_timeout(300)
    picture(page, "app-page")
    _state_something(page, frame)
    page.get_by_role("link", name="Close the frame").click()


def _state_something(page: Page, frame: FrameLocator) -> None:
    """What if: a CD22 result the chart does not hold moves options, marked as stated."""
    frame.locator("#wf-cd22").select_option("positive")
    frame.locator("#wf-specimen").select_option("tissue")
    frame.locator("#wf-collected").fill(time.strftime("%Y-%m-%d"))
    frame.get_by_role("button", name="Show what changes").click()
    expect(frame.locator("#wf-out")).not_to_contain_text("Nothing stated")
    expect(frame.get_by_text("Not in the chart").first).to_be_visible()


def _accept(page: Page, order: str) -> None:
    """Accepts what the card suggests: the stain where tissue of this relapse is there, the biopsy where none is."""
    accept = page.locator("aside article.card").get_by_role("button", name="Accept:").first
    label = accept.inner_text().removeprefix("Accept: ")
    accept.click()
    drafts = page.locator("section", has=page.get_by_role("heading", name="Draft orders"))
    expect(drafts.locator("tbody tr")).to_have_count(1)
    expect(drafts.locator("tbody tr")).to_contain_text(order)
    expect(page.get_by_text(f"Accepted: {label}")).to_be_visible()


def _order_against_the_card(page: Page) -> None:
    page.get_by_label("Drug or procedure").select_option(label="loncastuximab tesirine")
    page.get_by_role("button", name="Sign (order-sign)").click()
    warning = page.locator("aside article.card.is-warning")
    expect(warning).to_have_count(1)
    expect(warning.get_by_role("heading")).to_contain_text("CD19")
    expect(page.get_by_text("Not signed yet")).to_be_visible()
    picture(page, "order-warning")
    warning.locator("summary").click()
    reason = warning.get_by_label("Reason")
    chosen = reason.locator("option").first.inner_text()
    warning.get_by_label("Comment (optional)").fill("asked pathology")
    warning.get_by_role("button", name="Dismiss with this reason").click()
    expect(page.get_by_text(f"Dismissed: {chosen}")).to_be_visible()


def _feedback(demo: Running) -> list[dict[str, Any]]:
    """`postcart feedback summary`, once all three have been written down."""
    arguments = ["feedback", "summary", "--config", demo.addresses["Settings"], "--format", "json"]
    deadline = time.monotonic() + _FEEDBACK_S
    while True:
        done = subprocess.run([POSTCART, *arguments], capture_output=True, text=True, check=True)
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        if sum(one["accepted"] + one["overridden"] for one in rows) >= 3:
            return rows
        assert time.monotonic() < deadline, rows
        time.sleep(0.5)


def test_pictures_of_the_papers_are_there_and_small() -> None:
    """README and papers show what this test saw; each picture stays below 300 kB."""
    folder = Path(__file__).parents[2] / "docs" / "pictures"
    for name in ("patient-list", "card-panel", "app-page", "order-warning"):
        size = (folder / f"{name}.png").stat().st_size
        assert 5_000 < size < 300_000, (name, size)
