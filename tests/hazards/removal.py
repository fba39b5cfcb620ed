"""Taking one control out, to show that its test would notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

from builders import knowledge

from mappings.loading import Knowledge

_NUMBER = count(1)


def altered(**changes: Any) -> Knowledge:
    """The knowledge with some parts changed, under a digest of its own so that nothing memoised is used."""
    return replace(knowledge(), digest=f"altered-{next(_NUMBER)}", **changes)


def same_knowledge_afresh() -> Knowledge:
    """The same knowledge with nothing memoised."""
    return altered()


def without_concepts(drop: Callable[[Any], bool]) -> Knowledge:
    """The knowledge as if some concepts had never been listed: no codes, no names."""
    known = knowledge()
    gone = {concept.id for concept in known.concepts.values() if drop(concept)}
    assert gone

    def keep(table: Any) -> dict[Any, Any]:
        return {
            key: left for key, row in table.items() if (left := tuple(c for c in row if c.id not in gone))
        }

    return altered(
        by_code=keep(known.by_code),
        stops=keep(known.stops),
        whole_texts=keep(known.whole_texts),
        synonyms=tuple(row for row in known.synonyms if row[1].id not in gone),
    )


def with_attributes(concept_id: str, **attributes: Any) -> Knowledge:
    """The knowledge with a concept that says something else of itself."""
    known = knowledge()
    old = known.concepts[concept_id]
    new = replace(old, attributes={**old.attributes, **attributes})

    def swap(table: Any) -> dict[Any, Any]:
        return {key: tuple(new if c.id == concept_id else c for c in row) for key, row in table.items()}

    return altered(
        concepts={**known.concepts, concept_id: new},
        by_code=swap(known.by_code),
        stops=swap(known.stops),
        whole_texts=swap(known.whole_texts),
        synonyms=tuple((text, new if c.id == concept_id else c) for text, c in known.synonyms),
    )


def anything(*_: Any, **__: Any) -> Any:
    """Stands in for a control that always lets pass."""
    return None
