"""Puts `builders` on the path of every test and sets how Hypothesis runs here and on a build server."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from mappings.loading import Knowledge, load_knowledge

_QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture)
settings.register_profile("local", deadline=None, max_examples=60, suppress_health_check=_QUIET)
settings.register_profile(
    "ci", deadline=None, max_examples=60, derandomize=True, print_blob=True, suppress_health_check=_QUIET
)
settings.register_profile("long", deadline=None, max_examples=2_000, suppress_health_check=_QUIET)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "local"))


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    """The knowledge that ships, read once."""
    return load_knowledge()
