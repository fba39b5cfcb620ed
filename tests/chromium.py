"""Debian's Chromium under Playwright, kept to this machine: for every test that needs a real browser.

Playwright allows one driver at a time in a process, so a browser is opened for a module at most, never for longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

EXECUTABLE = Path("/usr/bin/chromium")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
needs_chromium = pytest.mark.skipif(not EXECUTABLE.exists(), reason="Chromium is not installed")


@contextmanager
def opened_chromium(*more: str) -> Iterator[Browser]:
    """A browser, closed with its driver; `more` are further arguments."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=EXECUTABLE, args=[*_ARGUMENTS, *more])
        yield browser
        browser.close()
