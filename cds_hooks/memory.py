"""What the hook service remembers and forgets, as it needs it; a store behind these types keeps it.

Nothing here names a patient: `patient_key` is a keyed hash, tokens never come near (invariants 8 and 9).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


class StoreDown(Exception):
    """The database did not take or give the row.

    `code` is a closed label: `db_down`, `db_slow`, `db_readonly`, `db_full`, `db_corrupt`, `db_newer`, `db_refused`.
    """

    def __init__(self, code: str = "db_down") -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class CardShown:
    """One card that went out (or would have, in silent mode): its id, kind and the digest of the facts behind it."""

    card: str
    kind: str
    facts_digest: str
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One answered call for the audit: what was seen and said, never whose chart it was in the clear."""

    at: datetime
    site: str
    service: str
    hook: str
    hook_instance: str
    tenant: str
    patient_key: str
    user_key: str
    category: str
    knowledge_digest: str
    milliseconds: float
    silent: bool = False
    suppressed: int = 0
    keys: Mapping[str, str] = field(default_factory=dict)
    cards: tuple[CardShown, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedbackRow:
    """One row of feedback as the client sent it (CDS Hooks 2.0.1, feedback)."""

    at: datetime
    site: str
    service: str
    card: str
    outcome: str
    outcome_timestamp: str
    accepted_suggestions: tuple[str, ...] = ()
    reason_code: str = ""
    reason_system: str = ""
    reason_display: str = ""
    comment: str = ""


class Memory(Protocol):
    """The store of the hook service. Every method may raise `StoreDown`; none blocks longer than its budget."""

    def first_use(self, site: str, issuer: str, token_id: str, until: datetime) -> bool:
        """Whether this token id is seen for the first time; decided by one INSERT, across workers (T-04)."""

    def record_call(self, record: CallRecord) -> None:
        """Appends an audit row to the hash chain; with the database down it goes to the bounded spool."""

    def record_feedback(self, rows: Sequence[FeedbackRow]) -> None:
        """Stores all rows in one transaction, durable before it returns; repeats of a row are taken once."""

    def overridden(self, site: str, user_key: str, patient_key: str, facts_digest: str) -> frozenset[str]:
        """Kinds of cards this user overrode with a reason for this patient on the very same facts (H-44)."""

    def state(self) -> str:
        """`ok`, or a closed label of what is wrong, for `/ready`."""
