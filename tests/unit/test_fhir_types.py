"""The names of resource types are those of the FHIR library that is pinned."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

from fhir.resources import R4B
from fhir.resources.R4B.resource import Resource

from mappings.reading.fhir_types import FHIR_TYPES


def test_the_types_are_those_of_the_models() -> None:
    found = {
        name
        for module in pkgutil.iter_modules(R4B.__path__)
        for name, kind in vars(importlib.import_module(f"{R4B.__name__}.{module.name}")).items()
        if inspect.isclass(kind) and issubclass(kind, Resource)
    }
    assert found - {"Resource", "DomainResource"} == FHIR_TYPES
