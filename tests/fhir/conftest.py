"""A lying server, a canary, a link to FHIR servers and a registered test site for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from builders import PATIENT, condition, patient, procedure, stain
from lying import Canary, LyingServer, packed_bomb

from ehr.breaker import Breaker
from ehr.fhir import FhirLink
from ehr.site import Site
from ehr.transport import Transport


@pytest.fixture(scope="session", autouse=True)
def _packed_bomb() -> None:
    """Packs the bomb once, outside what is timed."""
    packed_bomb(512)


@pytest.fixture
def server() -> Iterator[LyingServer]:
    """A server that holds a small chart of the invented patient."""
    made = LyingServer(
        {
            "Patient": [patient(PATIENT)],
            "Condition": [condition()],
            "Procedure": [procedure()],
            "Observation": [stain()],
        }
    )
    yield made
    made.stop()


@pytest.fixture
def canary() -> Iterator[Canary]:
    """A listener that must not be touched."""
    made = Canary()
    yield made
    made.stop()


@pytest.fixture
def link() -> Iterator[FhirLink]:
    """A link whose breaker does not open by itself."""
    made = FhirLink(Transport(), threads=16, breaker=Breaker(failures=1000))
    yield made
    made.close()


@pytest.fixture
def site(server: LyingServer) -> Site:
    """The test site of the lying server."""
    return Site("lying", environment="test", fhir_base=server.base, region="US")
