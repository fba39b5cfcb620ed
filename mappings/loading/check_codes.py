"""Do codes mean one thing each: value sets against concepts, deny list and quarantine (rules 11.18)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from mappings.loading.check_shape import Contents
from mappings.loading.codes import CPT
from mappings.loading.errors import Fault

# What each concept map may answer; the readers know no other words.
MAP_TARGETS = {
    "result-state": {"positive", "negative", "low-or-partial", "unknown", "no-polarity", "discard"},
    "disease-trend": {"improved", "stable", "worsened", "undetermined"},
    "deauville": {"1", "2", "3", "4", "5", "X"},
    "clinical-status": {"active", "relapse", "remission", "inactive", "resolved", "unknown"},
}
# A disease status code names a disease and its state: it stands in two value sets, in no others.
_MAY_SHARE = ("diagnosis", "relapse-finding", "refractory-finding", "remission-finding")
_ONE_NAME_EACH = ("car-t-product", "diagnosis", "transplant", "safety")


def code_faults(contents: Contents) -> Iterator[Fault]:
    """Faults of concepts, value sets, concept maps, deny list and quarantine."""
    concepts = {row["id"]: row for row in contents["concepts.json"]}
    yield from _concept_faults(contents, concepts)
    yield from _member_faults(contents, concepts)
    yield from _stop_faults(contents, concepts)
    yield from _phrase_faults(contents, concepts)
    yield from _map_faults(contents)


def members(value_set: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """System and row of every listed code."""
    for include in value_set["compose"]["include"]:
        for row in include.get("concept", ()):
            yield include["system"], row


def _concept_faults(contents: Contents, concepts: dict[str, Any]) -> Iterator[Fault]:
    ids = [row["id"] for row in contents["concepts.json"]]
    for one in sorted({i for i in ids if ids.count(i) > 1}):
        yield Fault("concepts.json", one, "id stands twice", "One row per meaning.")
    sets = [row["value_set"] for row in concepts.values()]
    for row in concepts.values():
        path = f"value_sets/{row['value_set']}.json"
        if path not in contents.files:
            yield Fault(path, "", f"value set of {row['id']} is missing", "Add it.")
        elif sets.count(row["value_set"]) > 1:
            yield Fault("concepts.json", row["id"], "shares its value set", "One value set per meaning.")
    for path, body in contents.under("value_sets").items():
        if body["id"] not in sets:
            yield Fault(path, "id", "belongs to no concept", "Add a row to concepts.json.")
        if path != f"value_sets/{body['id']}.json" or not body["url"].endswith(f"/ValueSet/{body['id']}"):
            yield Fault(path, "url", "file, id and url differ", "Name all three alike.")


def _member_faults(contents: Contents, concepts: dict[str, Any]) -> Iterator[Fault]:
    uris = {row["uri"] for row in contents["systems.json"]}
    local = contents["manifest.json"]["concept_system"]
    held = {(row["system"], row["code"]) for row in contents["quarantine.json"]}
    by_set = {row["value_set"]: row for row in concepts.values()}
    seen: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for path, body in contents.under("value_sets").items():
        owner = by_set.get(body["id"])
        if owner is None:
            continue
        for system, row in members(body):
            field = f"{system}|{row['code']}"
            if system not in uris:
                yield Fault(path, field, "is no canonical system", "Use the uri of systems.json.")
            if system == CPT and ("display" in row or "designation" in row):
                yield Fault(path, field, "carries a CPT descriptor", "Ship the code alone.")
            if (system, row["code"]) in held:
                yield Fault(path, field, "is in quarantine", "A code not confirmed yields no fact.")
            if system == local:
                if row["code"] != owner["id"]:
                    yield Fault(path, field, "is not the concept of this value set", "Use the concept's id.")
            else:
                seen[(system, row["code"])].append((path, owner["kind"]))
    for (system, code), places in seen.items():
        kinds = [kind for _, kind in places]
        if len(places) > 1 and not (len(set(kinds)) == len(kinds) and set(kinds) <= set(_MAY_SHARE)):
            where = ", ".join(path for path, _ in places[1:])
            yield Fault(places[0][0], f"{system}|{code}", f"also stands in {where}", "One code, one meaning.")


def _stop_faults(contents: Contents, concepts: dict[str, Any]) -> Iterator[Fault]:
    uris = {row["uri"] for row in contents["systems.json"]}
    stops = {(row["system"], row["code"]) for row in contents["deny_list.json"]}
    stops |= {(row["system"], row["code"]) for row in contents["quarantine.json"] if row["stops"]}
    for row in concepts.values():
        if row["attributes"].get("use_class") != "tumour_antigen":
            continue
        path = f"value_sets/{row['value_set']}.json"
        for system, member in members(contents.files.get(path, {"compose": {"include": []}})):
            if (system, member["code"]) in stops:
                said = "is on the deny list, yet stands as a tumour antigen"
                yield Fault(path, f"{system}|{member['code']}", said, "Take it out of this value set.")
    for row in contents["deny_list.json"]:
        field = f"{row['system']}|{row['code']}"
        body = contents.files.get(f"value_sets/{row['concept']}.json")
        if row["concept"] not in concepts or body is None:
            yield Fault("deny_list.json", field, f"names no concept: {row['concept']}", "Name one.")
        elif (row["system"], row["code"]) not in {(s, m["code"]) for s, m in members(body)}:
            yield Fault("deny_list.json", field, f"is not in {row['concept']}", "Put it back there.")
    for number, row in enumerate(contents["quarantine.json"]):
        if unknown := [one for one in row["concepts"] if one not in concepts]:
            yield Fault(
                "quarantine.json", f"[{number}].concepts", f"names no concept: {unknown[0]}", "Name one."
            )
        if row["system"] not in uris:
            yield Fault(
                "quarantine.json", f"[{number}].system", "is no canonical system", "Use systems.json."
            )
        if row["stops"] and not row["code"]:
            yield Fault("quarantine.json", f"[{number}].stops", "has no code to stop", "Set it to false.")


def _phrase_faults(contents: Contents, concepts: dict[str, Any]) -> Iterator[Fault]:
    """A phrase that names two products, diseases, transplants or values would be read at random."""
    by_set = {row["value_set"]: row for row in concepts.values()}
    owners: dict[tuple[str, str], str] = {}
    for path, body in contents.under("value_sets").items():
        owner = by_set.get(body["id"])
        for _, row in members(body):
            for designation in row.get("designation", ()):
                text = designation["value"]
                if text != text.strip() or not text:
                    yield Fault(path, text, "has blanks at its ends", "Trim it.")
                if owner is None or owner["kind"] not in _ONE_NAME_EACH:
                    continue
                other = owners.setdefault((owner["kind"], text.lower()), owner["id"])
                if other != owner["id"]:
                    yield Fault(path, text, f"also names {other}", "One phrase, one meaning.")


def _map_faults(contents: Contents) -> Iterator[Fault]:
    uris = {row["uri"] for row in contents["systems.json"]}
    maps = {body["id"]: (path, body) for path, body in contents.under("concept_maps").items()}
    for name, allowed in MAP_TARGETS.items():
        if name not in maps:
            yield Fault(f"concept_maps/{name}.json", "", "concept map is missing", "Restore it.")
            continue
        path, body = maps[name]
        for group in body["group"]:
            if group["source"] not in uris:
                yield Fault(path, group["source"], "is no canonical system", "Use the uri of systems.json.")
            for row in group["element"]:
                if row["target"][0]["code"] not in allowed:
                    said = f"maps to {row['target'][0]['code']!r}"
                    yield Fault(path, f"{group['source']}|{row['code']}", said, f"One of {sorted(allowed)}.")
