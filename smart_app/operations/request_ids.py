"""The id that ties an answer to its log line: the caller's own where it is harmless, else a new one (T-28)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

HEADER: Final = "X-Request-Id"
ENVIRON_KEY: Final = "postcart.request_id"
_HARMLESS = re.compile(r"[A-Za-z0-9-]{1,64}\Z")


def choose_request_id(given: str | None) -> str:
    """The id a caller gave where it has 1 to 64 letters, digits or dashes; otherwise a new UUID."""
    if given and _HARMLESS.match(given):
        return given
    return str(uuid.uuid4())


def request_id(environ: Mapping[str, Any]) -> str:
    """The id the edge chose for this request; empty outside the edge."""
    chosen: str = environ.get(ENVIRON_KEY, "")
    return chosen
