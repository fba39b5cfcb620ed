"""Shared by the tests of the faces: the response schema, and an app whose evaluation is made by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def response_validator() -> jsonschema.Draft202012Validator:
    schema = json.loads((HERE / "response.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture
def valid_response(response_validator: jsonschema.Draft202012Validator) -> Callable[[Any], None]:
    def check(response: Any) -> None:
        faults = [
            f"{list(fault.absolute_path)}: {fault.message}"
            for fault in response_validator.iter_errors(response)
        ]
        assert not faults, faults

    return check
