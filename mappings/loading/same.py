"""Knowledge as a key of what is memoised per knowledge."""

from __future__ import annotations

from mappings.loading.types import Knowledge


class SameKnowledge:
    """Wraps knowledge so that it hashes by its digest and is compared by identity: two loads never share a memo."""

    def __init__(self, value: Knowledge) -> None:
        self.value = value

    def __hash__(self) -> int:
        return hash(self.value.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SameKnowledge) and other.value is self.value
