"""The pages in a browser: nothing for axe to find, no sideways scroll, no script needed, one side of paper."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from staging import BRANCHES, CASES, OTHERS, ROOT, Stage, Viewer, antigen, stated_view

from mappings.facts import Antigen, AntigenState
from smart_app.page import (
    Fault,
    QueryRow,
    QueryState,
    Site,
    identity_of,
    render_ended,
    render_fault,
    render_launch_choice,
    render_loading,
    render_page,
    render_progress,
    render_read_fault,
)

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
QUERIES = (
    QueryRow("Patient", QueryState.DONE, records=1),
    QueryRow("Pathology and imaging reports", QueryState.RUNNING, page=3, pages=5),
    QueryRow("Laboratory results", QueryState.FAILED, page=4, reason="the EHR did not answer in time"),
    QueryRow("Documents", QueryState.WAITING),
)
SITES = (Site("https://ehr.example.org/fhir", "Example Hospital", "test"),)


def states(view_of: Viewer) -> dict[str, str]:
    """Every page that is not the answer."""
    who = identity_of(view_of(CASES["cd19-negative"]).evaluation)
    shared: dict[str, Any] = {"base": "/w/p", "queries": QUERIES, "csrf": "t", "who": who}
    faults = {
        f"fault-{kind.value}": render_fault(kind=kind, request_id="7f3c-21aa", code=kind.value, at="09:14")
        for kind in Fault
    }
    return {
        "loading": render_loading(**shared),
        "read-fault": render_read_fault(
            **shared, request_id="7f3c", code="ehr-timeout", at="22 Nov 2026 09:14"
        ),
        "ended": render_ended(at="22 Nov 2026 09:31", minutes=15, whatif=True),
        "launch": render_launch_choice(sites=SITES, presets=SITES, message="This address is not registered."),
        "frame-storage": render_fault(
            kind=Fault.FRAME_STORAGE, request_id="1", code="frame-storage", own_window="/launch"
        ),
        **faults,
    }


_OPEN = """few => document.querySelectorAll('details').forEach(one => {
  const chosen = ['o-epcoritamab', 'o-second-cd19-car-t-infusion'].includes(one.id);
  if (!one.matches('.opt')) one.open = true;
  else if (chosen) one.open = true;
  else if (few && one.previousElementSibling) one.remove() })"""
_LINES = """() => [...document.querySelectorAll('.ag-state')].map(
  one => Math.round(one.getBoundingClientRect().height / parseFloat(getComputedStyle(one).lineHeight)))"""
_LIGHT_WIDE, _DARK_SMALL = (1440, "light"), (360, "dark")
_TWO = (_LIGHT_WIDE, _DARK_SMALL)
_ALL = (_LIGHT_WIDE, _DARK_SMALL, (1440, "dark"), (360, "light"))


def opened(browser: Browser, url: str, few: bool = False, **more: Any) -> tuple[Page, list[str]]:
    """A page with its details open and what the browser complained of; `few` drops options like the two opened."""
    page = browser.new_page(**more)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(url)
    page.evaluate(_OPEN, few)
    return page, said


def findings(page: Page) -> list[str]:
    """What axe finds, in words."""
    found = Axe().run(page, options={"runOnly": TAGS}).response["violations"]
    return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"][:3]]


def sideways(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


def check(browser: Browser, url: str, ways: tuple[tuple[int, Any], ...] = _TWO, few: bool = True) -> None:
    """Nothing for axe, nothing wider than the window, nothing the policy refused."""
    for width, scheme in ways:
        page, said = opened(browser, url, few, viewport={"width": width, "height": 900}, color_scheme=scheme)
        assert findings(page) == [], (width, scheme)
        assert sideways(page) <= 0, (width, scheme)
        assert said == [], (width, scheme)
        page.close()


def test_the_state_of_an_antigen_stands_on_one_line_at_any_width(
    view_of: Viewer, stage: Stage, browser: Browser
) -> None:
    """In an EHR's frame the page is as wide as the EHR leaves it; a state must not break inside its word."""
    page, _ = opened(browser, stage.show(render_page(view_of(CASES["cd19-negative"]))), few=True)
    for width in range(360, 1500, 60):
        page.set_viewport_size({"width": width, "height": 900})
        lines = page.evaluate(_LINES)
        assert lines == [1, 1, 1], width
        assert sideways(page) <= 0, width


@pytest.mark.parametrize("name", [*CASES.values(), *BRANCHES.values(), *OTHERS])
def test_axe_finds_nothing_on_any_answer(name: str, view_of: Viewer, stage: Stage, browser: Browser) -> None:
    """WCAG 2.2 AA on all ten categories and every branch; the CSP is not broken.

    One case stands in all four ways (1440 and 360 px, light and dark) with every option in place, the others in turn:
    layout and colours are one style sheet, parts are one set of templates.
    """
    whole = name == CASES["cd19-negative"]
    turn = sorted([*CASES.values(), *BRANCHES.values(), *OTHERS]).index(name) % 2
    check(browser, stage.show(render_page(view_of(name))), _ALL if whole else (_TWO[turn],), few=not whole)


def test_axe_finds_nothing_on_any_state(view_of: Viewer, stage: Stage, browser: Browser) -> None:
    """WCAG 2.2 AA on loading, faults, ended, frame storage, another patient, launch."""
    stage.pages["p/progress"] = render_progress(base="/w/p", queries=QUERIES)
    for html in states(view_of).values():
        check(browser, stage.show(html))


def test_axe_finds_nothing_with_what_if_and_faults_in_the_form(
    view_of: Viewer, stage: Stage, browser: Browser
) -> None:
    view = stated_view(
        view_of(CASES["cd19-negative"]),
        antigen(Antigen.CD22, AntigenState.POSITIVE, "2025-06-01"),
        form_faults={
            "collected": "This day lies after the time the chart was read.",
            "product": "Choose one.",
        },
        highlighted=("Observation/none",),
        message="Thank you: the reason was sent.",
    )
    check(browser, stage.show(render_page(view)))


def test_the_whole_page_works_without_script(view_of: Viewer, stage: Stage, browser: Browser) -> None:
    """Details, forms and links work; what needs script is not shown."""
    url = stage.show(render_page(view_of(CASES["cd19-negative"])))
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(url)
    assert page.locator("h1").inner_text().strip() == "CD19-negative relapse"
    page.locator("#o-clinical-trial summary").click()
    assert page.locator("#o-clinical-trial .opt-body").is_visible()
    assert page.locator(".filters-go").is_visible()
    assert not page.locator("[data-print]").is_visible()
    assert page.locator("[data-copy]").is_hidden()
    page.locator(".filters input[name=target][value=cd20]").check(force=True)
    page.locator(".filters-go").click()
    assert "target=cd20" in page.url
    context.close()


def test_loading_reads_itself_again_without_script_and_polls_with_it(stage: Stage, browser: Browser) -> None:
    stage.pages["p/progress"] = '<div id="progress">all read</div>'
    url = stage.show(render_loading(base="/w/p", queries=QUERIES))
    page = browser.new_page()
    page.goto(url)
    page.get_by_text("all read").wait_for(timeout=8000)
    page.close()
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in stage.pages["p"]


def test_live_filters_hide_rows_and_count_them(view_of: Viewer, stage: Stage, browser: Browser) -> None:
    """H-39: the count of hidden rows is on screen; the print sheet holds every option whatever the filter."""
    html = render_page(view_of(CASES["cd19-negative"]))
    page = browser.new_page()
    page.goto(stage.show(html))
    total = page.locator(".opt").count()
    page.locator(".filters input[name=target][value=cd20]").check(force=True)
    shown = page.locator(".opt:visible").count()
    assert 0 < shown < total
    assert page.locator("[data-shown]").inner_text() == str(shown)
    assert page.locator("[data-hidden]").inner_text() == str(total - shown)
    page.emulate_media(media="print")
    assert page.locator(".sheet").is_visible()
    said = page.locator(".sheet").inner_text()
    names = page.locator(".opt-name").evaluate_all("all => all.map(one => one.textContent)")
    assert [name for name in names if name not in said] == []
    page.close()


def pages_of(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


@pytest.mark.parametrize("paper", ["A4", "Letter"])
@pytest.mark.parametrize(
    "name", [CASES["cd19-negative"], CASES["cd19-unknown"], CASES["no-relapse"], "discordant-ihc-flow"]
)
def test_print_is_one_side_with_identity_on_it(
    name: str, paper: str, view_of: Viewer, stage: Stage, browser: Browser
) -> None:
    """H-06, H-03, H-53: name, birth date, record number, time and knowledge on one side of A4 and of Letter."""
    view = view_of(name)
    page = browser.new_page()
    page.goto(stage.show(render_page(view)))
    assert pages_of(page.pdf(format=paper)) == 1
    page.emulate_media(media="print")
    text = page.locator(".s-frame thead").first.inner_text().replace("\u00a0", " ")
    who = identity_of(view.evaluation)
    for part in (
        who.name,
        who.born.replace("\u00a0", " "),
        who.record,
        "22 Nov 2026, 09:14 UTC",
        view.knowledge.version,
    ):
        assert part in text
    assert "Valid for the chart as read 22" in page.locator(".s-foot").inner_text()
    page.close()


def test_a_full_list_with_statements_still_prints_on_one_side(
    view_of: Viewer, stage: Stage, browser: Browser
) -> None:
    """Twenty-seven options, gaps, set-aside results and two statements on one side of A4."""
    view = view_of(ROOT / "samples" / "cd19-negative-dlbcl.json")
    when = "2025-11-12"
    shown = stated_view(
        view,
        antigen(Antigen.CD19, AntigenState.POSITIVE, when),
        antigen(Antigen.CD22, AntigenState.POSITIVE, when),
    )
    suspected = view_of(ROOT / "samples" / "cd19-unknown-suspected-dlbcl.json")
    page = browser.new_page()
    for one in (view, shown, suspected):
        page.goto(stage.show(render_page(one)))
        assert pages_of(page.pdf(format="A4")) == 1
    page.emulate_media(media="print")
    smallest = page.evaluate(
        "Math.min(...[...document.querySelectorAll('.sheet p, .sheet td, .sheet th')]"
        ".map(one => parseFloat(getComputedStyle(one).fontSize)))"
    )
    assert smallest >= 7 * 96 / 72 - 0.05
    page.close()


def test_what_stands_longer_than_a_page_repeats_whose_it_is(
    view_of: Viewer, stage: Stage, browser: Browser
) -> None:
    """H-06: the identity is a table head, which a browser prints on each page, with page n of m in the margin."""
    html = render_page(view_of(CASES["cd19-negative"]))
    assert re.search(
        r'<table class="s-frame" role="presentation"><thead><tr><td>\s*<div class="s-head"', html
    )
    css = Path("smart_app/static/app.css").read_text("utf-8")
    assert 'content: "page " counter(page) " of " counter(pages)' in css


def test_the_banner_stays_on_screen(view_of: Viewer, stage: Stage, browser: Browser) -> None:
    """H-03: name and record number stay in sight at 360 px, wherever the page is scrolled."""
    view = view_of(CASES["cd19-negative"])
    page = browser.new_page(viewport={"width": 360, "height": 700})
    page.goto(stage.show(render_page(view)))
    page.evaluate("window.scrollTo(0, 3000)")
    box = page.locator(".pt-name").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 60
    page.close()


def test_keyboard_reaches_options_and_the_skip_link_comes_first(
    view_of: Viewer, stage: Stage, browser: Browser
) -> None:
    page = browser.new_page()
    page.goto(stage.show(render_page(view_of(CASES["cd19-negative"]))))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("#o-clinical-trial summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("#o-clinical-trial").get_attribute("open") is not None
    page.close()
