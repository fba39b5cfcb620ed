"""Which scopes are asked for, and what the granted ones allow: a type that was withheld is not seen, never *none*.

Source: SMART App Launch 2.2, scopes (v1 `.read`, v2 `.rs`); the syntax is chosen per site, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

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
_SCOPE = re.compile(r"(patient|user)/(\*|[A-Z][A-Za-z]+)\.(read|write|\*|c?r?u?d?s?)(\?.+)?")
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}


class Grant(StrEnum):
    """What the EHR allows of one resource type; `part` where it narrowed the scope (v2 granular scopes)."""

    FULL = "full"
    PART = "part"
    WITHHELD = "withheld"


@dataclass(frozen=True, slots=True)
class Scopes:
    """The scopes wanted and granted at one launch."""

    wanted: tuple[str, ...]
    granted: tuple[str, ...]

    def grant(self, resource_type: str) -> Grant:
        """Whether a type may be read as this app needs it (searched, or read by id for Patient and Medication)."""
        needed = {"r"} if resource_type in READ else {"r", "s"}
        full: set[str] = set()
        part: set[str] = set()
        for scope in self.granted:
            match = _SCOPE.fullmatch(scope)
            if match and match[2] in ("*", resource_type):
                letters = set(_V1.get(match[3], match[3]))
                (part if match[4] else full).update(letters)
        # some servers grant `.s` or `.r` alone; a search answers with whole resources, so `s` is what counts
        if needed <= full or (resource_type not in READ and "s" in full):
            return Grant.FULL
        if needed <= full | part or (resource_type not in READ and "s" in part):
            return Grant.PART
        return Grant.WITHHELD

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
