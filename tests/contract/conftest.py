"""A whole service per test: the real app with a registration file, signed callers, a key server and a FHIR server."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

_TESTS = Path(__file__).parents[1]
for _name in (
    "fhir",
    "memory",
    "trust",
    "operations",
):  # the servers and signers of these tests are used here, too
    if str(_TESTS / _name) not in sys.path:
        sys.path.append(str(_TESTS / _name))

from lying import Canary  # noqa: E402
from matrix_stage import Stage  # noqa: E402
from postgresql import Server, why_not  # noqa: E402


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Builds a service; see `Stage` for what may be chosen."""
    with ExitStack() as stack:

        def build(**chosen: Any) -> Stage:
            made = Stage(tmp_path, **chosen)
            stack.callback(made.close)
            return made

        yield build


@pytest.fixture
def canary() -> Iterator[Canary]:
    """A listener that must not be touched."""
    made = Canary()
    yield made
    made.stop()


@pytest.fixture
def postgresql() -> Iterator[Server]:
    """A PostgreSQL that a test may stop."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with TemporaryDirectory(prefix="postcart-pg-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        server = Server(Path(name))
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
