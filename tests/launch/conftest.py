"""Fixtures of the launch tests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from launching import Served, serve_on

from ehr.site import Site


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Serves postcart with the given sites; more than one may run in a test."""
    with ExitStack() as stack:

        def start(*sites: Site, host: str = "127.0.0.1", name: str = "a", **changes: Any) -> Served:
            return serve_on(stack, tmp_path / name, sites, host, changes)

        yield start


@pytest.fixture(autouse=True)
def _no_access_log() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
