"""How many resources are validated with FHIR models beside how many were matched: exact counts, no times."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from payloads import bodies

from mappings.evaluate import evaluate
from mappings.facts import Remark
from mappings.loading import load_knowledge
from mappings.reading.chart import Chart
from mappings.reading.collect import patient_ids
from mappings.reading.decode import decode_chart
from mappings.reading.validate import Validator


def validated(size: int = 200) -> dict[str, Any]:
    """Counts over one chart of each seed, in a process that has seen none of them."""
    counts = {"charts": 0, "matched": 0, "asked": 0, "validated": 0}
    within = True
    plain = Validator.remarks

    def counting(self: Validator, references: Iterable[str], chart: Chart) -> tuple[Remark, ...]:
        nonlocal within
        asked, done = self.asked, self.validated
        found = plain(self, references, chart)
        matched = len(chart.hits)
        counts["matched"] += matched
        counts["asked"] += self.asked - asked
        counts["validated"] += self.validated - done
        within = within and self.asked - asked <= matched
        return found

    Validator.remarks = counting  # type: ignore[method-assign]
    try:
        knowledge = load_knowledge()
        for body in bodies(size):
            decoded = decode_chart(body)
            moment = datetime(2026, 2, 1, 12, tzinfo=UTC)
            evaluate(decoded, knowledge, patient_id=patient_ids(decoded)[0], as_of=moment)
            counts["charts"] += 1
    finally:
        Validator.remarks = plain  # type: ignore[method-assign]
    return {**counts, "never_more_than_matched": within}
