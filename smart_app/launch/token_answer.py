"""A token response read with care: token type, tokens, and the launch context that comes beside them.

Source: SMART App Launch 2.2, token response and launch context.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from smart_app.launch.fault import LaunchFault
from smart_app.launch.session import Tokens

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")
_REFERENCE = re.compile(r"(?:.*/)?([A-Z][A-Za-z]{1,63}/[A-Za-z0-9\-.]{1,64})(?:/_history/[^/]*)?")
_MOST_CONTEXT = 50
_MOST_APP_CONTEXT = 4096
_LONGEST = 366 * 86400


@dataclass(frozen=True, slots=True)
class Context:
    """The launch context: patient, encounter, banner, highlighted records, and the card's own context."""

    patient: str
    encounter: str
    banner: bool
    highlights: tuple[str, ...]
    app_context: str


def read_tokens(answer: Mapping[str, Any], now: datetime) -> Tokens:
    """The tokens of a response; raises `LaunchFault` (`token-bad`). Tokens are opaque text, whatever they look like."""
    kind, access = answer.get("token_type"), answer.get("access_token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise LaunchFault("token-bad", "token-type")
    if not isinstance(access, str) or not _TOKEN.fullmatch(access):
        raise LaunchFault("token-bad", "access-token")
    refresh = answer.get("refresh_token")
    if not isinstance(refresh, str) or not _TOKEN.fullmatch(refresh):
        refresh = ""
    life = _seconds(answer.get("expires_in"))
    return Tokens(access, refresh, now.timestamp() + life if life else 0.0)


def read_context(answer: Mapping[str, Any]) -> Context:
    """The launch context of a token response; raises `LaunchFault` (`no-patient`). `intent` and style are left out."""
    patient, encounter = answer.get("patient"), answer.get("encounter")
    if not isinstance(patient, str) or not _ID.fullmatch(patient):
        raise LaunchFault("no-patient", "absent" if patient is None else "form")
    app_context = answer.get("appContext")
    return Context(
        patient=patient,
        encounter=encounter if isinstance(encounter, str) and _ID.fullmatch(encounter) else "",
        banner=answer.get("need_patient_banner") is not False,
        highlights=_highlights(answer.get("fhirContext")),
        app_context=app_context
        if isinstance(app_context, str) and len(app_context) <= _MOST_APP_CONTEXT
        else "",
    )


def _highlights(value: object) -> tuple[str, ...]:
    """`Type/id` of the records that the launch points at; they are looked up in the chart read, never fetched."""
    found: list[str] = []
    for item in value[:_MOST_CONTEXT] if isinstance(value, list) else ():
        reference = item.get("reference") if isinstance(item, dict) else item
        match = (
            _REFERENCE.fullmatch(reference) if isinstance(reference, str) and len(reference) < 1024 else None
        )
        if match:
            found.append(match[1])
    return tuple(dict.fromkeys(found))


def _seconds(value: object) -> float:
    if isinstance(value, str) and value.strip().isdigit():
        value = int(value.strip()[:12])
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _LONGEST:
        return 0.0
    return float(value)
