"""Calls and feedback for tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cds_hooks.memory import CallRecord, CardShown, FeedbackRow
from smart_app.store.engine import HOT

PATIENT = replace(HOT, wait_ms=10_000)
"""The hot role for tests of anything but time."""
NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
LATER = NOW + timedelta(days=3650)


def a_call(**changes: Any) -> CallRecord:
    """One answered call with one card."""
    values: dict[str, Any] = {
        "at": NOW,
        "site": "north",
        "service": "post-car-t-relapse",
        "hook": "patient-view",
        "hook_instance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "tenant": "",
        "patient_key": "p" * 64,
        "user_key": "u" * 64,
        "category": "cd19-negative",
        "knowledge_digest": "k" * 64,
        "milliseconds": 3.25,
        "keys": {"patient": "complete", "reports": "cut-short"},
        "cards": (CardShown("card-1", "cd19-negative", "facts-1", ("suggestion-1",)),),
    }
    return CallRecord(**{**values, **changes})


def an_override(**changes: Any) -> FeedbackRow:
    """One row: card-1 overridden with a coded reason."""
    values: dict[str, Any] = {
        "at": NOW,
        "site": "north",
        "service": "post-car-t-relapse",
        "card": "card-1",
        "outcome": "overridden",
        "outcome_timestamp": "2026-03-01T12:00:05Z",
        "reason_code": "action-completed",
        "reason_system": "https://example.org/reasons",
        "reason_display": "Already done",
        "comment": "",
    }
    return FeedbackRow(**{**values, **changes})
