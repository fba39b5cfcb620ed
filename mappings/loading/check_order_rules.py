"""Do order rules hang together: links to concepts, facts, options and rules, placeholders, no figure in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from mappings.loading.check_shape import Contents
from mappings.loading.errors import Fault

FILE = "order_rules.json"
PLACEHOLDER = re.compile(r"\{([a-z]+)\}")
_COMMON = frozenset({"order"})
# What a criterion needs to be told, and what it can fill in.
CRITERIA: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "antigen-state": (frozenset({"antigen", "states"}), frozenset({"antigen", "because", "date", "others"})),
    "antigen-later-not-seen": (
        frozenset({"antigen", "states", "types"}),
        frozenset({"antigen", "state", "because", "date", "missed"}),
    ),
    "lineage-switch": (frozenset(), frozenset()),
    "transplant-planned": (frozenset(), frozenset({"plan"})),
    "transplant-given": (frozenset({"types"}), frozenset({"given", "date"})),
    "transplant-not-seen": (frozenset({"types"}), frozenset({"missed"})),
    "collection-planned": (frozenset(), frozenset({"plan"})),
    "plans-not-seen": (frozenset({"types", "states"}), frozenset()),
    "finding-present": (frozenset({"fact"}), frozenset({"value", "date"})),
    "finding-open": (frozenset({"fact"}), frozenset({"value", "sex", "age"})),
    "value-below-limit": (frozenset({"fact"}), frozenset({"value", "newest", "limit"})),
    "value-not-judged": (frozenset({"fact"}), frozenset({"value", "newest", "limit", "why"})),
    "value-shown": (frozenset({"fact"}), frozenset({"value", "newest"})),
    "value-not-seen": (frozenset({"fact"}), frozenset()),
    "label-withdrawn": (frozenset({"option", "diseases"}), frozenset({"region", "date", "indication"})),
    "given-before-relapse": (frozenset(), frozenset({"given", "date", "relapse"})),
    "given-not-seen": (frozenset({"types"}), frozenset({"missed"})),
}


def order_rule_faults(contents: Contents) -> Iterator[Fault]:
    """Faults of `order_rules.json` against the rest of the folder."""
    concepts = {row["id"] for row in contents["concepts.json"]}
    classes = {
        one for row in contents["concepts.json"] for one in row.get("attributes", {}).get("classes", ())
    }
    # classes that reading makes: of study drugs that name their target, of transplants and radiotherapy
    classes |= {"cd19-directed", "cd20-directed", "cd22-directed", "transplant", "radiotherapy"}
    known = {
        "concepts": concepts,
        "without_concepts": concepts,
        "classes": classes,
        "without_classes": classes,
    }
    facts = {row["fact"] for row in contents["checks.json"]}
    options = {row["id"] for row in contents.under("options").values()}
    bases = {row["id"] for row in contents["rules.json"]}
    seen: set[str] = set()
    for key, fills in (("unchecked", _COMMON), ("unread", _COMMON | {"why"})):
        said = contents[FILE][key]
        if said["basis"] not in bases:
            yield Fault(FILE, f"{key}.basis", f"is no rule: {said['basis']}", "Name one of rules.json.")
        yield from _text_faults(key, said, fills)
    for rule in contents[FILE]["rules"]:
        name = rule["id"]
        if name in seen:
            yield Fault(FILE, name, "id stands twice", "Rename one.")
        seen.add(name)
        for key, ids in known.items():
            for one in rule["order"].get(key, ()):
                if one not in ids:
                    yield Fault(
                        FILE, f"{name}.order.{key}", f"names nothing known: {one}", "Name a known one."
                    )
        if rule["basis"] not in bases:
            yield Fault(FILE, f"{name}.basis", f"is no rule: {rule['basis']}", "Name one of rules.json.")
        yield from _condition_faults(name, rule["condition"], facts, options)
        yield from _text_faults(name, rule, CRITERIA[rule["condition"]["criterion"]][1] | _COMMON)


def _condition_faults(name: str, condition: Any, facts: set[str], options: set[str]) -> Iterator[Fault]:
    needs, _ = CRITERIA[condition["criterion"]]
    given = set(condition) - {"criterion"}
    if given != needs:
        said = f"takes {', '.join(sorted(needs)) or 'no argument'}"
        yield Fault(FILE, f"{name}.condition", f"{condition['criterion']} {said}", "Correct the arguments.")
    if "fact" in given and condition["fact"] not in facts:
        yield Fault(FILE, f"{name}.condition.fact", "is no fact of checks.json", "Name one.")
    if "option" in given and condition["option"] not in options:
        yield Fault(FILE, f"{name}.condition.option", "names no option", "Name one.")


def _text_faults(name: str, rule: Any, fills: frozenset[str]) -> Iterator[Fault]:
    """Faults of head and sentence: unknown placeholders, stray braces, figures, a head that hides the order."""
    for field in ("head", "sentence"):
        text = rule[field]
        for one in PLACEHOLDER.findall(text):
            if one not in fills:
                yield Fault(
                    FILE, f"{name}.{field}", f"{{{one}}} is not filled by this criterion", "Remove it."
                )
        rest = PLACEHOLDER.sub("", text)
        if "{" in rest or "}" in rest:
            yield Fault(FILE, f"{name}.{field}", "holds a brace that is no placeholder", "Remove it.")
        if re.search(r"\d+(?:\.\d+)?\s?(?:%|mg|mL|months?\b|weeks?\b|days?\b)", rest):
            yield Fault(FILE, f"{name}.{field}", "shows a figure or a dose", "Take it out.")
    if not rule["head"].startswith("{order}: "):
        yield Fault(FILE, f"{name}.head", "does not open with the order", "Begin with {order}.")
