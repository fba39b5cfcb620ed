"""Charts with a unique mark in every name, id and text, and the search for any of them where none may be."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

VIGNETTES = Path(__file__).parents[1] / "vignettes"
MARK = re.compile(r"q[xz]7m[0-9a-z]+", re.IGNORECASE)
_CODED = "resourceType system code status type use url unit mode relation intent priority contentType"
_STRUCTURE = frozenset(_CODED.split())
_ID_MARK = "qx7m"
_TEXT_MARK = "qz7m"


def cases() -> list[Path]:
    """The request of every vignette."""
    return sorted(VIGNETTES.glob("*/request.json"))


class Marker:
    """Marks one request; ids keep pointing to each other, so that the chart stays one patient's."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._count = 0

    def marked(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """A copy with a mark in each id, reference, name and text; codes, systems and dates stay."""
        made: dict[str, Any] = copy.deepcopy(dict(request))
        context = made.get("context")
        if isinstance(context, dict):
            for key in ("patientId", "encounterId"):
                if isinstance(context.get(key), str):
                    context[key] += self._id()
            if isinstance(context.get("userId"), str):
                context["userId"] += self._id()
        made["prefetch"] = self._walk(made.get("prefetch"), "")
        made["fhirServer"] = f"https://{_ID_MARK}{self._number}.example/fhir"
        return made

    def _id(self) -> str:
        return f"{_ID_MARK}{self._number}"

    def _walk(self, value: Any, name: str) -> Any:
        if isinstance(value, dict):
            return {key: self._walk(part, key) for key, part in value.items()}
        if isinstance(value, list):
            return [self._walk(part, name) for part in value]
        if not isinstance(value, str) or name in _STRUCTURE or not value:
            return value
        if name in ("id", "reference", "fullUrl"):
            return value + self._id()
        if re.match(r"\d{4}(-\d\d)?(-\d\d)?(T|$)", value) or name in ("data", "start", "end"):
            return value
        self._count += 1
        return f"{value} {_TEXT_MARK}{self._number}x{self._count}"


def marked_requests() -> Iterator[tuple[str, bytes]]:
    """Every vignette marked, by name."""
    for number, path in enumerate(cases()):
        request = json.loads(path.read_bytes())
        yield path.parent.name, json.dumps(Marker(number).marked(request)).encode()


def marks_in(text: str) -> set[str]:
    """The marks a text holds."""
    return set(MARK.findall(text))
