"""Which scopes are asked for, and what the granted ones allow: a type that was withheld is not seen, never *none*.

Source: SMART App Launch 2.2, scopes (v1 `.read`, v2 `.rs`); the syntax is chosen per site, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ehr.scopes import Right, parse_scopes
from ehr.site import SmartClient

SEARCHED = (
    "Condition",
    "Procedure",
    "Observation",
    "DiagnosticReport",
    "MedicationAdministration",
    "MedicationRequest",
)
READ = ("Patient", "Medication", "Specimen")


class Grant(StrEnum):
    """What the EHR allows of one resource type; `part` where it narrowed the scope (v2 granular scopes)."""

    FULL = "full"
    PART = "part"
    WITHHELD = "withheld"


_GRANTS = {Right.WHOLE: Grant.FULL, Right.PART: Grant.PART}


@dataclass(frozen=True, slots=True)
class Scopes:
    """The scopes wanted and granted at one launch."""

    wanted: tuple[str, ...]
    granted: tuple[str, ...]

    def grant(self, resource_type: str) -> Grant:
        """Whether a type may be read as this app needs it (searched, or read by id for Patient and Medication)."""
        # a search answers with whole resources, so `s` alone is enough for what is searched
        own = " ".join(scope for scope in self.granted if not scope.startswith("system/"))  # nobody's launch
        right = parse_scopes(own).right(resource_type, search=resource_type not in READ)
        return _GRANTS.get(right, Grant.WITHHELD)

    def withheld(self) -> tuple[str, ...]:
        """The types this app asked for and did not get, in the order of asking."""
        return tuple(kind for kind in (*SEARCHED, *READ) if self.grant(kind) is Grant.WITHHELD)

    def missing(self) -> tuple[str, ...]:
        """The wanted scopes that are not in the grant word for word, for IT."""
        return tuple(scope for scope in self.wanted if scope not in self.granted)


def wanted_scopes(client: SmartClient, *, ehr_launch: bool, refresh: bool) -> tuple[str, ...]:
    """The scopes to ask for at one site: no wildcard, no write, `launch` only in an EHR launch."""
    context = "launch" if ehr_launch else "launch/patient"
    search, read = ("read", "read") if client.scopes == "v1" else ("rs", "r")
    prefix = client.scope_prefix
    return (
        "openid",
        "fhirUser",
        context,
        *(("online_access",) if refresh else ()),
        *(f"{prefix}/{kind}.{read}" for kind in READ),
        *(f"{prefix}/{kind}.{search}" for kind in SEARCHED),
    )


def granted_scopes(answer: object, wanted: Iterable[str]) -> tuple[str, ...]:
    """The scopes of a token response; an absent member means as requested (RFC 6749 5.1)."""
    if answer is None:
        return tuple(wanted)
    return tuple(dict.fromkeys(answer.split())) if isinstance(answer, str) else ()
