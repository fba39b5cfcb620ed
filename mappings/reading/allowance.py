"""How much report text one chart may have read, so that no chart holds a worker (failure matrix: worker, endless loop).

What is beyond it is the oldest, is named, and leaves its type read in part: nothing is *none* then (rules 11.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from mappings.facts import Remark
from mappings.reading import wire
from mappings.reading.chart import Chart, Hit
from mappings.reading.context import VOID
from mappings.reading.narrative import Passage, passages, unread

_LISTED = 50
_BEYOND = (
    "was not read: the chart holds more report text than is read at once, and newer reports were read first"
)
_REASON = "more report text was given than is read at once"
_NEWEST = "9999"

Told = tuple[Hit, list[Passage]]


def texts_of_chart(
    hits: Iterable[Hit], chart: Chart, lexicon: Mapping[str, Any], remarks: list[Remark]
) -> list[Told]:
    """Each resource with its texts, in the order given; remarks and `chart.seen` tell of what is left out."""
    told = []
    for hit in hits:
        found, said = passages(hit)
        remarks.extend(said)
        told.append((hit, found))
    allowed = lexicon["report_policy"]["chart_limit"]
    if sum(_size(one) for one in told) <= allowed:
        return told
    left = _beyond(told, allowed)
    remarks.extend(unread(told[at][0], "", _BEYOND) for at in sorted(left)[:_LISTED])
    for kind in {told[at][0].resource.resourceType or "" for at in left}:
        row = chart.seen.get(kind)
        if row is not None and row.state == "complete":
            chart.seen[kind] = replace(row, state="incomplete", reason=_REASON)
    return [one for at, one in enumerate(told) if at not in left]


def _beyond(told: list[Told], allowed: int) -> set[int]:
    """Places of what is left out: from the newest on, all that comes after the allowance is used up."""
    order = sorted(range(len(told)), key=lambda at: _when(told[at][0]), reverse=True)
    used, left = 0, set()
    for at in order:
        size = _size(told[at])
        used += size
        if size and used > allowed:
            left.add(at)
    return left


def _size(told: Told) -> int:
    hit, found = told
    return 0 if hit.status in VOID else sum(len(passage.text) for passage in found)


def _when(hit: Hit) -> str:
    """The day a resource is of, as charted; without one it may be the newest."""
    resource = hit.resource
    given = wire.peek(resource.issued, str) or wire.peek(resource.date, str)
    return resource.effectiveDateTime or given or _NEWEST
