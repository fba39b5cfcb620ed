"""What the user stated leaves an open page when it ends on the server (H-46)."""

from __future__ import annotations

from dataclasses import replace

from playwright.sync_api import Browser
from staging import CASES, Stage, Viewer, antigen, stated_view

from mappings.facts import Antigen, AntigenState
from smart_app.page import render_page


def test_h46_an_open_page_lets_go_of_statements_when_they_end(
    view_of: Viewer, stage: Stage, browser: Browser
) -> None:
    """The page asks for itself again at that moment; a page that answered a form goes to its own address."""
    view = view_of(CASES["cd19-negative"])
    said = stated_view(view, antigen(Antigen.CD22, AntigenState.POSITIVE, "2026-11-11"), stated_left_s=1)
    for name in ("abc", "abc-what-if"):
        url = stage.show(render_page(said), name)
        page = browser.new_page()
        page.goto(url)
        assert page.locator(".whatif-strip").is_visible()
        stage.show(render_page(view), "abc")
        page.locator(".whatif-strip").wait_for(state="detached", timeout=8000)
        assert page.url == f"{stage.url}/w/abc"
        page.close()
    kept = browser.new_page()
    kept.goto(stage.show(render_page(replace(said, stated_left_s=1700)), "abc"))
    stage.show(render_page(view), "abc")
    kept.wait_for_timeout(1800)
    assert kept.locator(".whatif-strip").is_visible()
    kept.close()
