"""Demos to be started and surely stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from demos import Running


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts demos; what still runs at the end is stopped."""
    started: list[Running] = []

    def start(*arguments: str) -> Running:
        folder = tmp_path / f"run{len(started)}"
        folder.mkdir()
        started.append(Running(folder, *arguments))
        return started[-1]

    yield start
    for one in started:
        one.stop()
