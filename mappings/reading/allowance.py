"""How much report text one chart may have read, so that no chart holds a worker (failure matrix: worker, endless loop).

What is beyond it is the oldest and is named. Its type counts as read in part (rules 11.5), unless all of it is surely
from before the infusion; and no antigen result stands that it may take back or contradict (rules 11.2, 11.6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from mappings.dates import ClinicalDate
from mappings.facts import AntigenResult, AntigenState, Remark, SourceRef
from mappings.reading import wire
from mappings.reading.chart import Chart, Hit
from mappings.reading.context import VOID, Surroundings
from mappings.reading.narrative import Passage, passages

_REASON = "more report text was given than is read at once"
_NEWEST = "9999"

Told = tuple[Hit, list[Passage]]


@dataclass(slots=True)
class Allowance:
    """The texts of one chart, and what of them lies beyond what is read."""

    chart: Chart
    surroundings: Surroundings
    lexicon: Mapping[str, Any]
    remarks: list[Remark]
    _left: list[Hit] = field(default_factory=list)

    def texts(self, hits: Iterable[Hit], infused: ClinicalDate | None) -> list[Told]:
        """Each resource with its texts, in the order given; remarks and `chart.seen` tell of what is left out.

        `infused` is the first infusion known: reports surely from before it hold no answer back.
        """
        told = []
        for hit in hits:
            found, said = passages(hit)
            self.remarks.extend(said)
            told.append((hit, found))
        allowed = self.lexicon["report_policy"]["chart_limit"]
        if sum(_size(one) for one in told) <= allowed:
            return told
        left = _beyond(told, allowed)
        self._left = [told[at][0] for at in left]
        self._tell(infused)
        out = frozenset(left)
        return [one for at, one in enumerate(told) if at not in out]

    def without_doubted(self, results: Iterable[AntigenResult], window_days: int) -> list[AntigenResult]:
        """The results, those unknown that a report left out may correct or contradict: of its day or not long after."""
        newest = [self.surroundings.of(hit).date for hit in self._left]
        if not newest:
            return list(results)
        limit = max((date.last for date in newest if date is not None), default=None)
        window = timedelta(days=window_days)
        return [
            replace(result, state=AntigenState.UNKNOWN)
            if result.collected is None or limit is None or result.collected.first - window <= limit
            else result
            for result in results
        ]

    def _tell(self, infused: ClinicalDate | None) -> None:
        count, newest = len(self._left), self._left[0]
        more = {1: "was not read", 2: "and an older one were not read"}
        told = more.get(count, f"and {count - 1} older ones were not read")
        reason = f"{told}: the chart holds more report text than is read at once"
        source = SourceRef(newest.reference)
        self.remarks.append(Remark("unread", reason, source, about="report", code="beyond-allowance"))
        dates = ((hit, self.surroundings.of(hit).date) for hit in self._left)
        held = {
            "DiagnosticReport"
            if hit.resource.resourceType == "DocumentReference"
            else hit.resource.resourceType
            for hit, date in dates
            if infused is None or date is None or date.last >= infused.first
        }
        for kind in held:
            row = self.chart.seen.get(kind or "")
            if row is not None and row.state == "complete":
                self.chart.seen[row.type] = replace(row, state="incomplete", reason=_REASON)


def _beyond(told: list[Told], allowed: int) -> list[int]:
    """Places of what is left out, newest first: all that comes after the allowance is used up."""
    order = sorted(range(len(told)), key=lambda at: _when(told[at][0]), reverse=True)
    used, left = 0, []
    for at in order:
        size = _size(told[at])
        used += size
        if size and used > allowed:
            left.append(at)
    return left


def _size(told: Told) -> int:
    hit, found = told
    return 0 if hit.status in VOID else sum(len(passage.text) for passage in found)


def _when(hit: Hit) -> tuple[str, str, bool]:
    """What a resource is sorted by: its day as charted, when it was issued, whether it amends; without a day it may be
    the newest."""
    resource = hit.resource
    issued = wire.peek(resource.issued, str) or wire.peek(resource.date, str) or ""
    return (
        resource.effectiveDateTime or issued or _NEWEST,
        issued,
        hit.status in ("amended", "corrected", "appended"),
    )
