"""What comes with orders: a resource beside the elements beyond the common shape, and the Medications orders point to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from msgspec import Raw

from mappings.reading import wire
from mappings.reading.chart import reference_key, server_of
from mappings.reading.wire import NOTHING, Resource


class More(wire.Struct, gc=False):
    """Elements of an order that a chart's reading does not need."""

    orderDetail: Raw = NOTHING  # noqa: N815  names as on the wire
    ingredient: Raw = NOTHING


@dataclass(frozen=True, slots=True)
class Given:
    """One resource of a Bundle with the elements beyond the common shape, and the address it came under."""

    resource: Resource
    more: More
    url: str = ""

    @property
    def reference(self) -> str:
        return f"{self.resource.resourceType}/{self.resource.id or '?'}"


class Medications:
    """The Medications that orders may point to; `server` is the chart's own, empty where it is not told (H-01)."""

    def __init__(self, server: str, *groups: Iterable[Given]) -> None:
        self._server = server
        self._groups = [_by_name(group) for group in groups]

    def find(self, reference: str | None) -> Sequence[Given]:
        """Those a reference names, in the first group that holds one; all of them where two bear one name.

        The same id on another server is another record, by the rule of the chart's own references (`Chart.find`).
        """
        key = reference_key(reference)
        asked = server_of(reference) if reference and "://" in reference else self._server
        for named in self._groups:
            rows = named.get(key, ())
            found = [one for one in rows if asked == self._server or self._came_from(one) in ("", asked)]
            if found:
                return found
        return []

    def _came_from(self, one: Given) -> str:
        return server_of(one.url) if "://" in one.url else self._server


def _by_name(given: Iterable[Given]) -> dict[str, list[Given]]:
    found: dict[str, list[Given]] = {}
    for one in given:
        if one.resource.resourceType == "Medication":
            for key in {one.reference, one.url, reference_key(one.url)} - {""}:
                found.setdefault(key, []).append(one)
    return found


def contained_in(holder: Resource, reference: str | None) -> Sequence[Given]:
    """The resource inside an order that a `#id` points to."""
    if not reference or not reference.startswith("#"):
        return []
    found = []
    for raw in wire.peek_list(holder.contained, Raw):
        inner = wire.peek(raw, Resource)
        if inner is not None and inner.id in (reference, reference[1:]):
            found.append(Given(inner, wire.peek(raw, More) or More()))
    return found
