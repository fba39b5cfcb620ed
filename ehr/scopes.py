"""What SMART scopes allow to read, in v1 (`patient/Observation.read`) and v2 (`patient/Observation.rs?…`) spelling.

Source: SMART App Launch 2.2, Scopes for requesting FHIR resources. A scope narrowed by a query allows a part only,
and a part must never look like the whole (H-08).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_SCOPE = re.compile(r"(?:patient|user|system)/(\*|[A-Z][A-Za-z]+)\.([a-z]+|\*)(\?\S*)?")
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}
_V2 = re.compile(r"c?r?u?d?s?")


class Right(StrEnum):
    """How much of a type may be read; `unknown` where nothing was said of rights at all."""

    WHOLE = "whole"
    PART = "part"
    NONE = "none"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Scopes:
    """Granted scopes as rows of (type or `*`, letters of `cruds`, narrowed by a query?)."""

    rows: tuple[tuple[str, str, bool], ...]
    stated: bool

    def right(self, resource_type: str, *, search: bool) -> Right:
        """How much of a type may be searched, or read by its id."""
        if not self.stated:
            return Right.UNKNOWN
        letter = "s" if search else "r"
        narrowed = [
            part for kind, letters, part in self.rows if kind in ("*", resource_type) and letter in letters
        ]
        if not narrowed:
            return Right.NONE
        return Right.PART if all(narrowed) else Right.WHOLE


def parse_scopes(text: str | None) -> Scopes:
    """The rights that a scope string grants; what is no resource scope (launch, openid) grants none."""
    rows = []
    for word in (text or "").split():
        found = _SCOPE.fullmatch(word)
        if found is None:
            continue
        kind, verbs, query = found.groups()
        letters = _V1.get(verbs) or (verbs if _V2.fullmatch(verbs) else "")
        rows.append((kind, letters, bool(query)))
    return Scopes(tuple(rows), bool((text or "").strip()))
