"""Every test of the store runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from postgresql import Server, why_not
from records import PATIENT

from smart_app.store import Store, memory, open_store

KEY = bytes(range(32))
DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One PostgreSQL for all tests; each test has a database of its own."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    # the user of the server must be able to enter every folder above its own
    with TemporaryDirectory(prefix="postcart-pg-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        one = Server(Path(name))
        one.start()
        try:
            yield one
        finally:
            one.stop("immediate")


_numbers = iter(range(1_000_000))


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/postcart.db"
        return
    server: Server = request.getfixturevalue("server")
    name = f"t{next(_numbers)}"
    server.sql(f"CREATE DATABASE {name}")
    yield server.url(name)
    server.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def opened(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Store]]:
    """Opens the database of this test, as often as wanted, each time as another process would.

    Its calls may take as long as a busy machine needs; the tests of outages keep the real times.
    """
    monkeypatch.setattr(memory, "HOT", PATIENT)
    with ExitStack() as stack:

        def one_more(**more: object) -> Store:
            store = open_store(url, key=KEY, folder=tmp_path, **more)  # type: ignore[arg-type]
            stack.callback(store.close)
            return store

        yield one_more


@pytest.fixture
def store(opened: Callable[[], Store]) -> Store:
    """One open store."""
    return opened()


@pytest.fixture
def threads_of() -> Callable[[int, Callable[[], object]], list[object]]:
    """Runs one piece of work in many threads that start together, and gives all results."""

    def run(many: int, work: Callable[[], object]) -> list[object]:
        barrier = threading.Barrier(many)

        def one(_: int) -> object:
            barrier.wait()
            return work()

        with ThreadPoolExecutor(many) as pool:
            return list(pool.map(one, range(many)))

    return run
