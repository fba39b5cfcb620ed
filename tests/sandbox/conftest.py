"""A box of its own per test session, and the hook service it calls."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest
from boxed import TODAY, FakeService, service_app, ward
from werkzeug.serving import make_server

from sandbox_ehr.serve import Box, start


@pytest.fixture(scope="session")
def service() -> Iterator[FakeService]:
    """The hook service for the whole session."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    fake = FakeService()
    server = make_server("127.0.0.1", 0, service_app(fake), threaded=True)
    fake.base = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield fake
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def running(service: FakeService) -> Iterator[Box]:
    """One box for the whole session."""
    with start(app_base=service.base, today=TODAY, client_secret="for-this-test-only") as box:  # noqa: S106
        yield box


@pytest.fixture
def fake(service: FakeService) -> FakeService:
    """The hook service, with nothing remembered and in good order."""
    fresh = FakeService(base=service.base)
    for name in FakeService.__dataclass_fields__:
        setattr(service, name, getattr(fresh, name))
    return service


@pytest.fixture
def box(running: Box, fake: FakeService) -> Iterator[Box]:
    """The box with every switch off."""
    ward(running).switches.set(set())
    yield running
    ward(running).switches.set(set())
