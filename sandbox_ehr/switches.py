"""The switches that make the EHR awkward, one set for the whole box, so that a tester sees what each does."""

from __future__ import annotations

import threading
from dataclasses import dataclass, fields


@dataclass(slots=True)
class Switches:
    """What this EHR does badly; all off is a careful EHR. The words beside each stand in `LABELS`."""

    withhold_reports: bool = False
    withhold_observations: bool = False
    withhold_administrations: bool = False
    withhold_procedures: bool = False
    v1_only: bool = False
    slow_observations: bool = False
    slow_administrations: bool = False
    slow_procedures: bool = False
    failing_observations: bool = False
    failing_administrations: bool = False
    failing_procedures: bool = False
    small_pages: bool = False
    wrong_patient: bool = False
    no_prefetch: bool = False
    outcome_prefetch: bool = False
    null_prefetch: bool = False
    no_token: bool = False
    short_tokens: bool = False
    rotate_refresh: bool = False
    no_refresh: bool = False


LABELS: dict[str, str] = {
    "withhold_reports": "Withhold DiagnosticReport",
    "withhold_observations": "Withhold Observation",
    "withhold_administrations": "Withhold MedicationAdministration",
    "withhold_procedures": "Withhold Procedure",
    "v1_only": "v1 scopes only",
    "slow_observations": "Slow Observation (6 s)",
    "slow_administrations": "Slow MedicationAdministration (6 s)",
    "slow_procedures": "Slow Procedure (6 s)",
    "failing_observations": "Observation fails (500)",
    "failing_administrations": "MedicationAdministration fails (500)",
    "failing_procedures": "Procedure fails (500)",
    "small_pages": "Small opaque pages (20)",
    "wrong_patient": "Wrong patient in results",
    "no_prefetch": "No prefetch",
    "outcome_prefetch": "OperationOutcome in prefetch (results, reports)",
    "null_prefetch": "null in prefetch (results, reports)",
    "no_token": "No token for the hook service",
    "short_tokens": "Tokens live 5 s",
    "rotate_refresh": "Refresh tokens rotate",
    "no_refresh": "No refresh token",
}
_WORDS = {
    "DiagnosticReport": "reports",
    "Observation": "observations",
    "MedicationAdministration": "administrations",
    "Procedure": "procedures",
}
SLOW_SECONDS = 6.0
SMALL_PAGE = 20


class SwitchPanel:
    """The one set of switches and its lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = Switches()

    @property
    def now(self) -> Switches:
        """The switches as they stand."""
        return self._now

    def set(self, names: set[str]) -> None:
        """Turns exactly these switches on; names that are none are ignored."""
        with self._lock:
            self._now = Switches(**{field.name: field.name in names for field in fields(Switches)})

    def withheld(self) -> frozenset[str]:
        """Resource types that no token may read."""
        return self._types("withhold")

    def failing(self) -> frozenset[str]:
        """Resource types whose searches end with a server error."""
        return self._types("failing")

    def slow(self) -> frozenset[str]:
        """Resource types that answer late."""
        return self._types("slow")

    def _types(self, how: str) -> frozenset[str]:
        return frozenset(kind for kind, word in _WORDS.items() if getattr(self._now, f"{how}_{word}", False))
