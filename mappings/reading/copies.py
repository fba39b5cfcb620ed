"""One of several copies of a resource: the newest, or none where their order is not told (H-12)."""

from __future__ import annotations

from typing import Any

import msgspec

from mappings.facts import Remark, SourceRef
from mappings.reading import wire
from mappings.reading.chart import Chart, Hit
from mappings.reading.recognise import label_of
from mappings.reading.wire import Resource

_WITHDRAWN = frozenset({"entered-in-error", "cancelled"})


def drop_repeats(chart: Chart) -> None:
    """Keeps one of several copies of a resource: the newest version, a withdrawn one where no order is told.

    Two copies that differ and tell no order contradict each other: a result then counts in neither form.
    """
    best: dict[str, Hit] = {}
    loose: list[Hit] = []
    torn: set[str] = set()
    for hit in chart.hits:
        old = best.get(hit.reference) if hit.resource.id else None
        if not hit.resource.id:
            loose.append(hit)
        elif old is None:
            best[hit.reference] = hit
        elif _version(hit.resource) != _version(old.resource):
            best[hit.reference] = max(old, hit, key=lambda one: _version(one.resource))
        elif hit.status in _WITHDRAWN or old.status in _WITHDRAWN:
            best[hit.reference] = hit if hit.status in _WITHDRAWN else old
        elif not same_content(hit.resource, old.resource):
            torn.add(hit.reference)
    for reference in sorted(torn):
        reason = "is given twice with different content and no order of versions"
        chart.remarks.append(
            Remark("conflict", reason, SourceRef(reference), about="antigen", code="two-versions")
        )
        if reference.startswith(("Observation/", "DiagnosticReport/")):
            del best[reference]
    chart.hits = sorted(best.values(), key=lambda hit: hit.reference) + sorted(loose, key=_loose_order)


def same_content(one: Resource, other: Resource) -> bool:
    """Whether two copies say the same, whatever order their members stand in and however they are spaced or padded."""
    return one == other or _plain(one) == _plain(other)


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, msgspec.Raw):
        return _plain(msgspec.json.decode(value)) if bytes(value).strip() else None
    return value.strip() if isinstance(value, str) else value


def _loose_order(hit: Hit) -> tuple[str, str, str]:
    return hit.reference, label_of(hit.resource.code), hit.resource.effectiveDateTime or ""


class _Meta(wire.Struct, gc=False):
    versionId: str | None = None  # noqa: N815
    lastUpdated: str | None = None  # noqa: N815


def _version(resource: Resource) -> tuple[str, int]:
    meta = wire.peek(resource.meta, _Meta) if resource.meta else None
    if meta is None:
        return "", 0
    return meta.lastUpdated or "", int(meta.versionId) if meta.versionId and meta.versionId.isdecimal() else 0
