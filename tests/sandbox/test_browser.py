"""The box in a real browser: list, chart, card, app in its frame, accept, order, dismiss; and axe on every page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from boxed import ALMA, FakeService, ask, ward
from chromium import needs_chromium, opened_chromium
from playwright.sync_api import Browser, Page, expect

from sandbox_ehr.serve import Box

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with opened_chromium() as opened:
        yield opened


def page_of(browser: Browser, box: Box, width: int, scheme: str = "light") -> Page:
    """A page that may reach loopback only and remembers every complaint of the browser."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.complaints = complaints  # type: ignore[attr-defined]
    page.set_default_timeout(10_000)
    return page


def empty_drafts(box: Box) -> None:
    """Takes the drafts of earlier tests away."""
    for draft in ward(box).records.orders(ALMA, "draft"):
        ward(box).records.remove(draft["resourceType"], draft["id"])


def test_the_whole_way_from_the_list_to_a_dismissed_warning(
    browser: Browser, box: Box, fake: FakeService
) -> None:
    """List, chart, card, app in the frame, accept, draft appears, order, warning, dismiss with a reason."""
    empty_drafts(box)
    page = page_of(browser, box, 1440)
    page.goto(box.root)
    page.get_by_role("link", name="ZZTEST, Alma").click()
    card = page.get_by_role("article", name="CD19-negative relapse, day 136")
    expect(card.get_by_role("listitem")).to_have_count(2)
    expect(card).to_contain_text("First <b>line</b>.")
    expect(page.get_by_text("A smart link to an address that is not registered was removed.")).to_be_visible()

    card.get_by_role("link", name="Open the app").click()
    frame = page.frame_locator("iframe")
    expect(frame.locator("#seen")).to_have_text(f"launched for {box.root}/fhir")
    page.get_by_role("link", name="Close the frame").click()

    page.get_by_role("button", name="Accept: Draft a repeat biopsy").click()
    drafts = page.locator("section", has=page.get_by_role("heading", name="Draft orders"))
    expect(drafts).to_contain_text("Repeat biopsy with CD19, CD20 and CD22")
    expect(page.get_by_text("Accepted: Draft a repeat biopsy")).to_be_visible()
    assert [(one["outcome"], one["acceptedSuggestions"][0]["id"][:4]) for one in fake.feedback] == [
        ("accepted", "2222")
    ]

    page.get_by_label("Drug or procedure").select_option(label="loncastuximab tesirine")
    page.get_by_role("button", name="Select (order-select)").click()
    warning = page.get_by_role("article", name="Loncastuximab needs CD19: reported negative.")
    expect(warning).to_contain_text("Warning")
    warning.locator("summary").click()
    warning.get_by_label("Reason").select_option(label="Will review")
    warning.get_by_label("Comment (optional)").fill("asked pathology")
    warning.get_by_role("button", name="Dismiss with this reason").click()
    expect(page.get_by_text("Dismissed: Will review")).to_be_visible()
    assert fake.feedback[1]["overrideReason"]["userComment"] == "asked pathology"
    assert page.complaints == []  # type: ignore[attr-defined]
    empty_drafts(box)
    page.context.close()


def test_what_just_happened_can_be_copied(browser: Browser, box: Box, fake: FakeService) -> None:
    """The copy button puts the JSON on the clipboard and says so."""
    page = page_of(browser, box, 1440)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=box.root)
    page.goto(f"{box.root}/chart/{ALMA}/open")
    page.get_by_role("link", name="request of call").first.click()
    page.locator("button[data-copy=request]").click()
    expect(page.locator("button[data-copy=request]")).to_have_text("Copied")
    assert '"hook": "patient-view"' in page.evaluate("navigator.clipboard.readText()")
    page.context.close()


def test_what_just_happened_shows_what_the_app_in_the_frame_asked(
    browser: Browser, box: Box, fake: FakeService
) -> None:
    """The list looks again by itself when the frame has loaded, and when it is asked to."""
    page = page_of(browser, box, 1440)
    page.goto(f"{box.root}/chart/{ALMA}/open")
    quiet = "GET Specimen?patient=zztest-alma"
    page.goto(f"{box.root}/chart/{ALMA}/app")
    expect(page.frame_locator("iframe").locator("#seen")).to_be_visible()
    calls = page.locator("#calls")
    expect(calls).not_to_contain_text(quiet)
    assert ask(box, f"Specimen?patient={ALMA}").status_code == 200
    # the page the app shows once its queries are done
    page.locator("iframe").evaluate("frame => { frame.src = frame.src }")
    expect(calls).to_contain_text(quiet)
    assert ask(box, f"Condition?patient={ALMA}").status_code == 200
    page.get_by_role("link", name="Look again").click()
    expect(calls).to_contain_text("GET Condition?patient=zztest-alma")
    expect(page.get_by_role("link", name="Look again")).to_be_focused()
    assert page.url.endswith(f"/chart/{ALMA}/app")
    assert page.complaints == []  # type: ignore[attr-defined]
    page.context.close()


@pytest.mark.parametrize(
    ("width", "scheme"), [(1440, "light"), (1440, "dark"), (360, "light"), (768, "dark")]
)
def test_pages_are_accessible_and_never_scroll_sideways(
    browser: Browser, box: Box, fake: FakeService, width: int, scheme: str, tmp_path: Path
) -> None:
    """axe-core finds nothing with all details open; 360 px is 1440 at 400 %. Pictures are kept beside the test."""
    page = page_of(browser, box, width, scheme)
    names = {
        "list": "/",
        "chart": f"/chart/{ALMA}/open",
        "results": f"/chart/{ALMA}/results",
        "orders": f"/chart/{ALMA}/orders",
        "app": f"/chart/{ALMA}/app",
        "calls": f"/chart/{ALMA}/calls",
        "addresses": "/addresses",
        "happened": "/happened/{number}",
        "missing": "/chart/nobody",
    }
    found: dict[str, Any] = {}
    for name, path in names.items():
        exchanges = ward(box).happened.exchanges(ALMA)
        page.goto(box.root + path.format(number=exchanges[0].number if exchanges else 0))
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        page.screenshot(path=tmp_path / f"{name}-{width}-{scheme}.png", full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        rows = [(one["id"], one["nodes"][0]["html"][:100]) for one in Axe().run(page).response["violations"]]
        if name == "app":
            rows = [row for row in rows if "seen" not in row[1] and "html" not in row[0]]
        if rows or wide:
            found[name] = (wide, rows)
    assert found == {}
    page.context.close()


def test_the_choice_of_a_patient_works_by_keyboard(browser: Browser, box: Box, fake: FakeService) -> None:
    """Standalone launch: the page is accessible, and Enter sends the choice back to the app."""
    page = page_of(browser, box, 360)
    query = (
        "response_type=code&client_id=postcart-public&scope=launch/patient%20patient/Condition.rs"
        f"&state={'s' * 24}&code_challenge={'c' * 43}&code_challenge_method=S256"
        f"&aud={box.root}/fhir&redirect_uri={fake.base}/callback"
    )
    page.goto(f"{box.root}/oauth/authorize?{query}")
    expect(page.get_by_role("heading", name="Choose a patient")).to_be_visible()
    assert Axe().run(page).response["violations"] == []
    page.get_by_label("ZZTEST, Bruno").check()
    page.get_by_role("button", name="Allow").press("Enter")
    page.wait_for_url(f"{fake.base}/callback?*")
    assert "code=" in page.url
    page.context.close()
