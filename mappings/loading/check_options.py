"""Do options follow the rules: routes against targets, exclusions, links to facts and concepts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from mappings.loading.check_shape import Contents
from mappings.loading.errors import Fault

# From most open to most closed, to compare two routes (rules 11.17).
_OPENNESS = ("consider", "specialist", "needs-result", "not-suitable", "out-of-scope")


def option_faults(contents: Contents) -> Iterator[Fault]:
    """Faults of the option files and of the checks they ask for."""
    concepts = {row["id"]: row for row in contents["concepts.json"]}
    facts = {row["fact"] for row in contents["checks.json"]}
    asked: set[str] = set()
    axis = {row["id"] for row in contents.under("categories").values() if row["cd19_axis"]}
    labels: dict[str, str] = {}
    for path, row in contents.under("options").items():
        asked |= {check["fact"] for check in row["check_before"]}
        if path != f"options/{row['id']}.json":
            yield Fault(path, "id", f"is {row['id']}, not the file's name", "Name the file after it.")
        if labels.setdefault(row["label"], path) != path:
            yield Fault(path, "label", f"is also that of {labels[row['label']]}", "Tell them apart.")
        if set(row["route_to_category"]) != axis:
            yield Fault(path, "route_to_category", "does not name each CD19 category", "Name all of them.")
        yield from _route_faults(path, row)
        yield from _link_faults(path, row, concepts, facts)
        yield from _seen_faults(path, row)
        yield from _status_faults(path, row)
    for number, check in enumerate(contents["checks.json"]):
        if check["fact"] not in asked:
            yield Fault("checks.json", check["fact"], "no option asks for it", "Remove the row.")
        for one in check["concepts"]:
            if one not in concepts:
                yield Fault("checks.json", f"[{number}].concepts", f"names no concept: {one}", "Name one.")


def _route_faults(path: str, row: Any) -> Iterator[Fault]:
    routes = {category: cell["route"] for category, cell in row["route_to_category"].items()}
    needed = [target["antigen"] for target in row["targets"] if target["must_be"] == "present"]
    if "CD19" in needed:
        if routes.get("cd19-negative") != "not-suitable":
            field = "route_to_category.cd19-negative"
            yield Fault(path, field, "needs CD19, yet is not ruled out without it", "Set not-suitable.")
        if routes.get("cd19-unknown") != "needs-result":
            field = "route_to_category.cd19-unknown"
            yield Fault(path, field, "needs CD19, yet does not ask for it", "Set needs-result.")
    if needed and routes.get("lineage-switch") in ("consider", "specialist", "needs-result"):
        field = "route_to_category.lineage-switch"
        yield Fault(path, field, "needs a B-cell antigen (CD-10)", "Set not-suitable or out-of-scope.")
    if row["kind"] == "checkpoint-inhibitor":
        low, unknown = routes.get("cd19-low-or-partial", ""), routes.get("cd19-unknown", "")
        if _OPENNESS.index(unknown) < _OPENNESS.index(low):
            field = "route_to_category.cd19-unknown"
            yield Fault(path, field, "is freer than with CD19 low (rules 11.17)", "Close it as far.")


def _link_faults(path: str, row: Any, concepts: dict[str, Any], facts: set[str]) -> Iterator[Fault]:
    for number, check in enumerate(row["check_before"]):
        if check["fact"] not in facts:
            yield Fault(
                path, f"check_before[{number}].fact", f"{check['fact']} is unknown", "Add it to checks.json."
            )
    agents = [limit["agent"] for limit in row["age_limits"] if limit["agent"]]
    for one in (*row["contains"], *agents, *(cell["fact"] for cell in row["excluded_by"])):
        if one not in concepts:
            yield Fault(path, "contains", f"names no concept: {one}", "Name one of concepts.json.")
    if "lenalidomide" in row["contains"] and not any(c["fact"] == "pregnancy" for c in row["excluded_by"]):
        yield Fault(path, "excluded_by", "holds lenalidomide, not pregnancy (rules 11.12)", "Add it.")
    needs_cd20 = any(t["antigen"] == "CD20" and t["must_be"] == "present" for t in row["targets"])
    noted = any(note["when"] == "CD20-negative" for note in row["notes_when"])
    if "rituximab" in row["contains"] and not needs_cd20 and not noted:
        yield Fault(path, "notes_when", "holds rituximab without its note (rules 11.17)", "Add the note.")
    for number, limit in enumerate(row["age_limits"]):
        low, high = limit["min_age"], limit["max_age"]
        if (low is None and high is None) or (low is not None and high is not None and low > high):
            yield Fault(path, f"age_limits[{number}]", "is no range of ages", "Give min_age or max_age.")


def _seen_faults(path: str, row: Any) -> Iterator[Fault]:
    for name in ("status", "must_say", "check_before"):
        for number, cell in enumerate(row[name]):
            if cell["seen"] and not cell["citation_id"]:
                yield Fault(path, f"{name}[{number}]", "is marked seen without a source", "Cite it.")


def _status_faults(path: str, row: Any) -> Iterator[Fault]:
    """A status is of the diseases its own words name; two of one region have to be told apart (H-39)."""
    regions = [cell["region"] for cell in row["status"]]
    for number, cell in enumerate(row["status"]):
        field = f"status[{number}].diseases"
        diseases = cell.get("diseases", [])
        for disease in diseases:
            if not re.search(rf"\b{disease}\b", cell["indication"], re.IGNORECASE):
                yield Fault(path, field, f"{disease} is not in the words of the indication", "Remove it.")
        if not diseases and regions.count(cell["region"]) > 1:
            yield Fault(path, field, "is missing beside another row of the region", "Name the diseases.")
