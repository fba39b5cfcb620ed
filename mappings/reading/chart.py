"""One patient's chart: the resources worth reading, how references resolve, and what was seen of each type.

Sources: rules 11.5 (what has been seen), 11.14 (about whom); FHIR R4 references.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mappings.facts import Remark, SeenType
from mappings.reading import wire
from mappings.reading.wire import Resource

if TYPE_CHECKING:
    from mappings.loading import Concept

Index = dict[str, tuple[Resource, str | None]]

_REFERENCE = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/([^/|?#]+)(?:/_history/[^/]+)?$")


@dataclass(frozen=True, slots=True)
class Hit:
    """A resource of this patient worth reading, with the concepts its code names."""

    resource: Resource
    concepts: tuple[Concept, ...]
    reference: str
    status: str

    def of(self, *kinds: str) -> tuple[Concept, ...]:
        """The concepts of the given kinds."""
        return tuple(concept for concept in self.concepts if concept.kind in kinds)


@dataclass(slots=True)
class Chart:
    """What reading starts from. `labs` are plain laboratory values, which no other reader looks at; `server` is the
    chart's own FHIR server as `server_of` writes it, empty where not told; `seen` says what may be answered with *no*.
    """

    patient_id: str
    patient: Resource | None = None
    hits: list[Hit] = field(default_factory=list)
    lab_values: list[tuple[Resource, tuple[Concept, ...]]] = field(default_factory=list)
    seen: dict[str, SeenType] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    make_index: Callable[[], Index] = dict
    server: str = ""
    _index: Index | None = None
    counts: dict[str, int] = field(default_factory=dict)
    foreign_patient: bool = False
    strangers: int = 0
    strangers_by_type: dict[str, int] = field(default_factory=dict)

    def find(self, reference: str | None) -> Resource | None:
        """This patient's resource that a relative, absolute or `urn:uuid:` reference names; None where it is not given.

        The same id on another server is another record: an absolute reference finds only what came from its address,
        or, where a record came without address or the reference names the chart's own server, what bears its id.
        """
        if self._index is None:
            self._index = self.make_index()
        resource, url = self._index.get(reference_key(reference), (None, None))
        if resource is None or not reference or "://" not in reference:
            return resource
        asked = server_of(reference)
        came_from = server_of(url) if url and "://" in url else self.server
        return resource if asked == self.server or not came_from or asked == came_from else None

    @property
    def labs(self) -> list[Hit]:
        """Plain laboratory values as hits, in a fixed order; made only where options ask for them."""
        hits = [make_hit(resource, concepts) for resource, concepts in self.lab_values]
        return sorted(hits, key=lambda hit: (hit.reference, hit.resource.effectiveDateTime or ""))

    def of_type(self, *types: str) -> Iterator[Hit]:
        """The hits of the given resource types."""
        return (hit for hit in self.hits if hit.resource.resourceType in types)

    def state(self, kind: str) -> str:
        """`complete`, `incomplete` or `not-seen` for a resource type."""
        row = self.seen.get(kind)
        return row.state if row else "not-seen"


def make_hit(resource: Resource, concepts: tuple[Concept, ...]) -> Hit:
    """A resource with its concepts, reference and trimmed status."""
    reference = f"{resource.resourceType}/{resource.id or '?'}"
    return Hit(resource, concepts, reference, (resource.status or "").strip().lower())


def reference_key(reference: str | None) -> str:
    """`Type/id` of a relative or absolute reference, the text itself for `urn:uuid:` and `#id`."""
    if not reference:
        return ""
    reference = reference.strip()
    match = _REFERENCE.search(reference)
    return f"{match[1]}/{match[2]}" if match else reference


def server_of(url: str) -> str:
    """The server part of an absolute reference, without scheme and in small letters."""
    return url.strip().split("/_history/", 1)[0].split("://", 1)[-1].rsplit("/", 2)[0].lower()


def resolve(reference: str | None, holder: Resource, chart: Chart) -> Resource | None:
    """The resource a reference points to: contained, relative, absolute or `urn:uuid:`; None where it is not given."""
    if not reference:
        return None
    if reference.startswith("#"):
        for inner in wire.peek_list(holder.contained, Resource):
            if inner.id in (reference, reference[1:]):
                return inner
        return None
    return chart.find(reference)
