"""The launch in a real browser: in a cross-site frame with third-party cookies blocked, and outside; with no script."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from chromium import needs_chromium, opened_chromium
from launching import Served, chart_of, site_of
from peer import Peer
from playwright.sync_api import Browser, BrowserContext, Page

from smart_app.launch import browser as browser_rules

Serve = Callable[..., Served]
pytestmark = needs_chromium


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium with third-party cookies blocked."""
    with opened_chromium("--test-third-party-cookie-phaseout") as browser:
        yield browser


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A fresh profile."""
    made = chromium.new_context()
    made.set_default_timeout(20_000)
    yield made
    made.close()


def watched(page: Page) -> list[str]:
    """What the console complains of (a refused script or style would stand here)."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


def framed(ehr: Peer, app: Served, launch: str) -> str:
    """The EHR's page on another site than ours, with us in its frame."""
    return f"{ehr.root.replace('127.0.0.1', 'localhost')}/frame?src={quote(launch, safe='')}"


def app_in_frame(serve: Serve, ehr: Peer) -> Served:
    """postcart that this EHR may frame under its other name."""
    app = serve(site_of(ehr, frame_ancestors=(ehr.root.replace("127.0.0.1", "localhost"),)))
    ehr.register(app.url)
    return app


def test_ehr_launch_opens_the_chart(serve: Serve, context: BrowserContext) -> None:
    """From click to chart, with script; the address is clean and nothing is refused by the policy."""
    with Peer(chart_of("pt1")) as ehr:
        app = serve(site_of(ehr))
        ehr.register(app.url)
        page = context.new_page()
        said = watched(page)
        page.goto(ehr.launch_url("pt1"))
        page.locator("#answer").wait_for()
        assert re.fullmatch(re.escape(app.url) + r"/w/[A-Za-z0-9_-]{43}", page.url)
        assert "ALPHAPERSON" in page.content().upper()
        assert said == []
        assert ehr.findings == []


def test_standalone_launch_from_the_bare_page(serve: Serve, context: BrowserContext) -> None:
    """The list of registered sites leads through the sign-in; form-action lets the redirect pass."""
    with Peer(chart_of("pt1")) as ehr:
        app = serve(site_of(ehr))
        ehr.register(app.url)
        page = context.new_page()
        said = watched(page)
        page.goto(f"{app.url}/launch.html")
        page.get_by_role("button", name="Sign in").first.click()
        page.locator("#answer").wait_for()
        assert said == []
        assert ehr.findings == []


def test_b3_cross_site_frame_with_third_party_cookies_blocked(serve: Serve, context: BrowserContext) -> None:
    """B3: in a frame of another site the launch works, what-if and close included."""
    with Peer(chart_of("pt1")) as ehr:
        app = app_in_frame(serve, ehr)
        page = context.new_page()
        said = watched(page)
        page.goto(framed(ehr, app, ehr.launch_url("pt1")))
        frame = page.frame_locator("iframe")
        frame.locator("#answer").wait_for()
        frame.locator("#wf-cd20").select_option("negative")
        frame.locator("#wf-collected").fill("2025-09-25")
        frame.get_by_role("button", name="Show what changes").click()
        frame.get_by_text("Not in the chart").first.wait_for()
        frame.get_by_role("button", name="Close").click()
        frame.get_by_text("This session has ended").wait_for()
        assert said == []
        assert ehr.findings == []


@pytest.mark.parametrize("kind", [
    {"samesite": "Lax", "partitioned": False},
    {"samesite": "None", "partitioned": False},
], ids=["lax", "none-without-partition"])  # fmt: skip
def test_b3_other_cookies_fail_there_and_the_page_names_the_setting(
    serve: Serve, context: BrowserContext, monkeypatch: pytest.MonkeyPatch, kind: dict[str, Any]
) -> None:
    """B3: the test above can fail: Lax, and None without a partition, are lost; the page says what IT must change."""

    def weaker(response: Any, cookie: str, value: str, age: int) -> None:
        response.set_cookie(cookie, value, max_age=age, path="/", secure=True, httponly=True, **kind)

    monkeypatch.setattr(browser_rules, "_set", weaker)
    with Peer(chart_of("pt1")) as ehr:
        app = app_in_frame(serve, ehr)
        page = context.new_page()
        page.goto(framed(ehr, app, ehr.launch_url("pt1")))
        frame = page.frame_locator("iframe")
        frame.get_by_text("Hospital IT must allow cookies of postcart").wait_for()
        assert "Code cookie-missing" in frame.locator("body").inner_text()


def test_t15_a_page_that_is_not_registered_cannot_frame_us(serve: Serve, context: BrowserContext) -> None:
    """T-15: the browser refuses to show us inside another site's frame."""
    with Peer(chart_of("pt1")) as ehr:
        app = serve(site_of(ehr, frame_ancestors=("https://ehr.example",)))
        ehr.register(app.url)
        page = context.new_page()
        said = watched(page)
        page.goto(framed(ehr, app, ehr.launch_url("pt1")))
        page.wait_for_timeout(1500)
        assert any("frame-ancestors" in line or "Framing" in line for line in said)
        assert (
            "ALPHAPERSON"
            not in "".join(frame.content() for frame in page.frames if frame.url.startswith(app.url)).upper()
        )


def test_without_script_everything_is_reachable(serve: Serve, chromium: Browser) -> None:
    """No JavaScript: the loading page reads itself again, forms work, the post to the sign-in has its button."""
    made = chromium.new_context(java_script_enabled=False)
    with Peer(chart_of("pt1"), delay_s=0.3) as ehr:
        app = serve(site_of(ehr))
        ehr.register(app.url)
        page = made.new_page()
        page.goto(ehr.launch_url("pt1", path="/launch.html"))
        page.locator("#answer").wait_for(timeout=15_000)
        assert ehr.findings == []
    made.close()


def test_long_request_is_posted_by_script_and_by_button(
    serve: Serve, context: BrowserContext, chromium: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`authorize-post`: the form sends itself under the strict policy; without script its button does."""
    monkeypatch.setattr("smart_app.launch.oauth.LONG_URL", 100)
    with Peer(chart_of("pt1"), discovery={"capabilities": ["authorize-post"]}) as ehr:
        app = serve(site_of(ehr))
        ehr.register(app.url)
        page = context.new_page()
        page.goto(ehr.launch_url("pt1"))
        page.locator("#answer").wait_for()
        plain = chromium.new_context(java_script_enabled=False)
        other = plain.new_page()
        other.goto(ehr.launch_url("pt1"))
        other.get_by_role("button", name="Continue").click()
        other.locator("#answer").wait_for()
        plain.close()
        assert [line for line in ehr.seen if line.startswith("POST /authorize")]
        assert ehr.findings == []


def test_the_static_launch_page_sends_on_to_the_letter(
    serve: Serve, context: BrowserContext, tmp_path: Path
) -> None:
    """A copy on disk: with script iss and launch go on unchanged; bare it shows the form and the presets."""
    with Peer(chart_of("pt1")) as ehr:
        app = serve(site_of(ehr))
        ehr.register(app.url)
        copy = tmp_path / "launch.html"
        source = Path(__file__).parents[2] / "launch.html"
        copy.write_text(source.read_text().replace("http://127.0.0.1:8000", app.url))
        page = context.new_page()
        query = ehr.launch_url("pt1").split("?")[1]
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{copy.as_uri()}?{query}")
        page.locator("#answer").wait_for()
        assert f"{app.url}/launch?{query}" in asked
        page.goto(copy.as_uri())
        page.get_by_role("button", name="Epic sandbox").click()
        assert page.locator("#iss").input_value().startswith("https://fhir.epic.com/")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_text("This EHR is not registered with postcart").wait_for()


def test_the_page_clears_itself_when_idle(serve: Serve, context: BrowserContext) -> None:
    """H-03: nobody touches the page: it is replaced by one without a name."""
    from datetime import timedelta

    with Peer(chart_of("pt1")) as ehr:
        app = serve(site_of(ehr, idle_minutes=0.05))
        ehr.register(app.url)
        app.clock.ahead = timedelta()
        page = context.new_page()
        page.goto(ehr.launch_url("pt1"))
        page.locator("#answer").wait_for()
        page.get_by_text("This page is closed").wait_for()
        assert "ALPHAPERSON" not in page.content().upper()


def test_the_shell_is_painted_before_the_chart_is_read(serve: Serve, context: BrowserContext) -> None:
    """A slow EHR holds back the answer, not the first page (`BENCH=paint bench/run` has the figures)."""
    with Peer(chart_of("pt1"), delay_s=0.8) as ehr:
        app = serve(site_of(ehr))
        ehr.register(app.url)
        page = context.new_page()
        page.goto(ehr.launch_url("pt1"), wait_until="commit")
        page.get_by_role("heading", name="Reading the chart").wait_for()
        assert page.locator("#progress li").count() > 5
        assert page.locator("#answer").count() == 0
        page.locator("#answer").wait_for()


def test_five_thousand_results_stay_usable(serve: Serve, context: BrowserContext) -> None:
    """A chart of 5,000 results in pages of 100: progress is seen while it is read, nothing is left out."""
    chart = chart_of("pt1")
    chart += [{**chart[3], "id": f"obs-{n}", "code": {"text": "Haemoglobin"}} for n in range(5000)]
    with Peer(chart) as ehr:
        app = serve(site_of(ehr))
        ehr.register(app.url)
        page = context.new_page()
        began = time.perf_counter()
        page.goto(ehr.launch_url("pt1"))
        page.get_by_text(re.compile(r"page \d+")).first.wait_for()
        page.locator("#answer").wait_for(timeout=60_000)
        print(f"\n5,000 results read and drawn in {time.perf_counter() - began:.1f} s")
        body = page.request.get(f"{page.url}/evaluation.json").json()
        row = next(one for one in body["facts"]["seen"] if one["type"] == "Observation")
        assert row["state"] == "complete"
        assert row["count"] == 5001
