"""Reads the knowledge folder into one frozen `Knowledge`: decoding only, the checks are elsewhere."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from mappings.loading.catalogue import Evidence, Option
from mappings.loading.codes import NDC, System, Systems, ndc_keys
from mappings.loading.errors import KnowledgeError
from mappings.loading.files import (
    ConceptMapFile,
    DenyRow,
    OverlayFile,
    PolicyFile,
    QuarantineRow,
    ValueSetFile,
)
from mappings.loading.order_rules import OrderKnowledge
from mappings.loading.policy import Limit, Policy, SiteLimit
from mappings.loading.types import Category, Check, CodeKey, Concept, Knowledge, Rule

Decoded = TypeVar("Decoded")
Index = defaultdict[CodeKey, dict[str, Concept]]

_KIND_ORDER = {"testing": 0, "clinical-trial": 1}


@dataclass(frozen=True, slots=True)
class Folder:
    """The bytes of a knowledge folder by relative path, an overlay's files laid over them."""

    files: Mapping[str, bytes]
    overlay: OverlayFile | None = None

    def decode(self, path: str, shape: type[Decoded]) -> Decoded:
        """One file in its shape; a missing, torn or misshapen file names itself in a `KnowledgeError`."""
        raw = self.files.get(path)
        if raw is None:
            raise KnowledgeError("knowledge-missing", "file is missing.", path, "Restore it.")
        try:
            return msgspec.json.decode(raw, type=shape)
        except msgspec.ValidationError as error:
            raise KnowledgeError("knowledge-shape", f"{error}.", path, "Correct the field.") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise KnowledgeError("knowledge-torn", f"is not JSON: {error}.", path, "Restore it.") from error

    def each(self, under: str) -> list[str]:
        """Relative paths of the JSON files of one sub-folder, sorted."""
        return sorted(path for path in self.files if path.startswith(under + "/"))


def packaged_folder() -> Path:
    """The knowledge folder that ships with the package."""
    return Path(str(resources.files("mappings"))) / "knowledge"


def read_folder(folder: Path, overlay: Path | None = None) -> Folder:
    """The files of a folder (schemas left out), with those of an overlay in their place."""
    files = _bytes_of(folder)
    if overlay is None:
        return Folder(files)
    laid = _bytes_of(overlay)
    keys = Folder(laid).decode("overlay.json", dict[str, Any])
    _refuse_unknown(keys, {"id", "policy", "limits"})
    for row in keys.get("limits") or ():
        if isinstance(row, dict):
            _refuse_unknown(row, {one.name for one in fields(SiteLimit)})
    head = Folder(laid).decode("overlay.json", OverlayFile)
    del laid["overlay.json"]
    return Folder({**files, **laid}, head)


def _refuse_unknown(given: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(set(given) - known):
        raise KnowledgeError("knowledge-shape", f"unknown key {unknown[0]!r}.", "overlay.json", "Remove it.")


def _bytes_of(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        raise KnowledgeError("knowledge-missing", "there is no such folder.", str(folder), "Name a folder.")
    try:
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*.json"))
            if path.relative_to(folder).parts[0] != "schemas"
        }
    except OSError as error:
        raise KnowledgeError("knowledge-unreadable", f"{error}.", str(folder), "Check its rights.") from error


def digest_of(folder: Folder) -> str:
    """Twelve hexadecimal digits that change with any byte of any file that was read."""
    total = hashlib.sha256()
    for path in sorted(folder.files):
        total.update(path.encode() + b"\0" + hashlib.sha256(folder.files[path]).digest())
    if folder.overlay is not None:
        total.update(msgspec.json.encode(folder.overlay))
    return total.hexdigest()[:12]


def load_knowledge(folder: Path | None = None, overlay: Path | None = None) -> Knowledge:
    """The knowledge of the packaged or the given folder, with a site's overlay; read once and kept."""
    return _load(folder or packaged_folder(), overlay)


@lru_cache(maxsize=8)
def _load(folder: Path, overlay: Path | None) -> Knowledge:
    return build(read_folder(folder, overlay))


def build(folder: Folder) -> Knowledge:
    """The `Knowledge` of files already read."""
    manifest = folder.decode("manifest.json", dict[str, str])
    systems = Systems.of(folder.decode("systems.json", tuple[System, ...]))
    concepts = _concepts(folder)
    codes = _codes(folder, concepts, systems)
    maps = {path: _concept_map(folder, path, systems) for path in folder.each("concept_maps")}
    status = maps.get("concept_maps/clinical-status.json", {})
    return Knowledge(
        version=manifest.get("version", ""),
        digest=digest_of(folder),
        overlay=folder.overlay.id if folder.overlay else None,
        systems=systems,
        concepts=concepts,
        by_code=codes.by_code,
        stops=codes.stops,
        prefixes=codes.prefixes,
        synonyms=codes.synonyms,
        whole_texts=codes.whole_texts,
        result_codes=maps.get("concept_maps/result-state.json", {}),
        trend_codes=maps.get("concept_maps/disease-trend.json", {}),
        deauville_codes=maps.get("concept_maps/deauville.json", {}),
        clinical_status={code: state for (_, code), state in status.items()},
        categories=_categories(folder),
        options=_options(folder),
        evidence=_evidence(folder),
        citations={row["id"]: row for row in folder.decode("citations.json", tuple[dict[str, Any], ...])},
        policy=_policy(folder),
        checks={row.fact: row for row in folder.decode("checks.json", tuple[Check, ...])},
        rules={row.id: row for row in folder.decode("rules.json", tuple[Rule, ...])},
        lexicon={
            path.removeprefix("lexicon/").removesuffix(".json"): folder.decode(path, object)
            for path in folder.each("lexicon")
        },
        disclosure=folder.decode("disclosure.json", dict[str, Any]),
        orders=folder.decode("order_rules.json", OrderKnowledge),
    )


@dataclass(frozen=True, slots=True)
class _Codes:
    by_code: Mapping[CodeKey, tuple[Concept, ...]]
    stops: Mapping[CodeKey, tuple[Concept, ...]]
    prefixes: tuple[tuple[str, str, Concept], ...]
    synonyms: tuple[tuple[str, Concept], ...]
    whole_texts: Mapping[str, tuple[Concept, ...]]


def _concepts(folder: Folder) -> dict[str, Concept]:
    return {row.id: row for row in folder.decode("concepts.json", tuple[Concept, ...])}


def _codes(folder: Folder, concepts: Mapping[str, Concept], systems: Systems) -> _Codes:
    found: Index = defaultdict(dict)
    phrases: dict[tuple[str, str], Concept] = {}
    whole: defaultdict[str, dict[str, Concept]] = defaultdict(dict)
    prefixes: list[tuple[str, str, Concept]] = []
    local = folder.decode("manifest.json", dict[str, str]).get("concept_system", "")
    for concept in concepts.values():
        value_set = folder.decode(f"value_sets/{concept.value_set}.json", ValueSetFile)
        for include in value_set.compose.include:
            prefixes += [(include.system, row.value.upper(), concept) for row in include.filter]
            for row in include.concept:
                if include.system != local:
                    _index(found, systems, include.system, row.code, concept)
                for phrase in row.designation:
                    text = phrase.value.lower()
                    whole[text][concept.id] = concept
                    if phrase.use is None:
                        phrases[(text, concept.id)] = concept
    order = sorted(phrases, key=lambda key: (-len(key[0]), key))
    return _Codes(
        by_code=_frozen(found),
        stops=_stops(folder, concepts, systems),
        prefixes=tuple(prefixes),
        synonyms=tuple((key[0], phrases[key]) for key in order),
        whole_texts={text: tuple(rows.values()) for text, rows in whole.items()},
    )


def _stops(
    folder: Folder, concepts: Mapping[str, Concept], systems: Systems
) -> dict[CodeKey, tuple[Concept, ...]]:
    found: Index = defaultdict(dict)
    for denied in folder.decode("deny_list.json", tuple[DenyRow, ...]):
        _index(found, systems, denied.system, denied.code, _known(concepts, denied.concept, "deny_list.json"))
    for row in folder.decode("quarantine.json", tuple[QuarantineRow, ...]):
        if row.stops and row.code:
            for concept_id in row.concepts:
                _index(found, systems, row.system, row.code, _known(concepts, concept_id, "quarantine.json"))
    return _frozen(found)


def _known(concepts: Mapping[str, Concept], concept_id: str, file: str) -> Concept:
    if concept_id not in concepts:
        raise KnowledgeError(
            "knowledge-link", f"no concept {concept_id!r}.", file, "Add it to concepts.json."
        )
    return concepts[concept_id]


def _index(found: Index, systems: Systems, system: str, code: str, concept: Concept) -> None:
    canonical = systems.normalise(system)
    keys = ndc_keys(code) if canonical == NDC else (systems.fold(canonical, code),)
    for key in keys:
        found[(canonical, key)][concept.id] = concept


def _frozen(found: Index) -> dict[CodeKey, tuple[Concept, ...]]:
    return {key: tuple(rows.values()) for key, rows in found.items()}


def _concept_map(folder: Folder, path: str, systems: Systems) -> dict[CodeKey, str]:
    shape = folder.decode(path, ConceptMapFile)
    found: dict[CodeKey, str] = {}
    for group in shape.group:
        canonical = systems.normalise(group.source)
        found |= {(canonical, systems.fold(canonical, row.code)): row.target[0].code for row in group.element}
    return found


def _categories(folder: Folder) -> dict[str, Category]:
    rows = [folder.decode(path, Category) for path in folder.each("categories")]
    return {row.id: row for row in sorted(rows, key=lambda row: row.order)}


def _options(folder: Folder) -> tuple[Option, ...]:
    rows = [folder.decode(path, Option) for path in folder.each("options")]
    # The fixed order of display: testing, trial, then alphabetical (rules 9.1).
    return tuple(sorted(rows, key=lambda row: (_KIND_ORDER.get(row.kind, 2), row.label.casefold(), row.id)))


def _evidence(folder: Folder) -> dict[str, Evidence]:
    rows = [row for path in folder.each("evidence") for row in folder.decode(path, tuple[Evidence, ...])]
    return {row.id: row for row in rows}


def _policy(folder: Folder) -> Policy:
    shape = folder.decode("policy.json", PolicyFile)
    values: dict[str, Any] = {name: row.value for name, row in shape.settings.items()}
    if folder.overlay is not None:
        unknown = sorted(set(folder.overlay.policy) - set(values))
        if unknown:
            said = f"unknown setting {unknown[0]!r}."
            raise KnowledgeError("knowledge-setting", said, "overlay.json", "Remove it.")
        values |= folder.overlay.policy
    rest = {"timing_bins": shape.timing_bins, "limits": _limits(folder, shape), "settings": shape.settings}
    where = "overlay.json" if folder.overlay is not None else "policy.json"
    try:
        policy = msgspec.convert({**values, **rest}, type=Policy, from_attributes=True)
    except msgspec.ValidationError as error:
        raise KnowledgeError("knowledge-shape", f"{error}.", where, "Correct the setting.") from error
    for name, said in policy.faults():
        raise KnowledgeError("knowledge-policy", f"{name}: {said}.", where, "Correct the setting.")
    return policy


def _limits(folder: Folder, shape: PolicyFile) -> tuple[Limit, ...]:
    """The shipped limits, none of which has a value, with those of an overlay in their place (rules 8, H-40)."""
    if folder.overlay is None:
        return shape.limits
    rules = folder.decode("order_rules.json", OrderKnowledge).rules
    held = {rule.condition.fact for rule in rules if rule.condition.criterion == "value-below-limit"}
    made: dict[str, Limit] = {}
    for number, row in enumerate(folder.overlay.limits):
        said = "stands twice" if row.fact in made else row.fault(held)
        if said:
            where = f"limits[{number}] ({row.fact}): {said}."
            raise KnowledgeError("knowledge-limit", where, "overlay.json", "Correct the limit.")
        made[row.fact] = row.as_limit()
    kept = tuple(limit for limit in shape.limits if limit.fact not in made)
    return (*kept, *made.values())
