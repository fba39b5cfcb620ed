"""A page for tests of the whole way, kept to this machine's loopback; pictures for the papers on request."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from chromium import opened_chromium
from playwright.sync_api import Page, Route

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
WIDE = {"width": 1280, "height": 800}


@contextmanager
def opened_page() -> Iterator[tuple[Page, list[str]]]:
    """A page, and what it complains of: errors of the console, errors of scripts, requests for other machines."""
    with opened_chromium() as browser:
        page = browser.new_page(viewport=WIDE)  # type: ignore[arg-type]
        page.set_default_timeout(30_000)
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda fault: complaints.append(str(fault)))

        def stay_here(route: Route) -> None:
            host = urlsplit(route.request.url).hostname or ""
            if host in ("127.0.0.1", "localhost", ""):
                route.continue_()
                return
            complaints.append(f"asked for {host}")
            route.abort()

        page.route("**/*", stay_here)
        yield page, complaints


def picture(page: Page, name: str, *, clip: dict[str, float] | None = None) -> None:
    """Keeps a picture for the papers where POSTCART_PICTURES=1 asks for them."""
    if os.environ.get("POSTCART_PICTURES") == "1":
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / f"{name}.png", clip=clip)  # type: ignore[arg-type]
