"""Is every file JSON, of a known kind, and of the shape its schema asks; are FHIR resources real FHIR R4."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema
import referencing
from referencing.jsonschema import DRAFT202012

from mappings.loading.errors import Fault
from mappings.loading.load import Folder

# Which schema a file is held to: its own name, or the name of its folder. Word lists have their own readers.
_BY_FOLDER = {
    "value_sets": "value_set.json",
    "concept_maps": "concept_map.json",
    "categories": "category.json",
    "options": "option.json",
    "evidence": "evidence.json",
}
_FREE = "lexicon"
# Schemas that no file of the folder itself is held to.
_NO_FILE = ("common.json", "overlay.json")


@dataclass(frozen=True, slots=True)
class Contents:
    """Decoded files by relative path, and the category ids the schema names."""

    files: Mapping[str, Any]
    category_ids: tuple[str, ...]

    def __getitem__(self, path: str) -> Any:
        return self.files[path]

    def under(self, folder: str) -> dict[str, Any]:
        """The files of one sub-folder by path."""
        return {path: body for path, body in self.files.items() if path.startswith(folder + "/")}


@dataclass(frozen=True, slots=True)
class _Schemas:
    """The schemas of a folder; equal by bytes, so a judgement is kept by file and schemas."""

    digest: str
    bodies: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)

    def for_file(self, path: str) -> str | None:
        """The name of the schema a file is held to, or none for a stray file."""
        name = _BY_FOLDER.get(path.partition("/")[0], path)
        return name if name in self.bodies and path not in _NO_FILE else None


def shape_faults(folder: Folder, schemas: Path) -> tuple[Contents, list[Fault]]:
    """Decodes all files; faults of JSON, kind, schema and FHIR, in that order."""
    faults: list[Fault] = []
    bodies: dict[str, Any] = {}
    for path, raw in folder.files.items():
        try:
            bodies[path] = json.loads(raw, object_pairs_hook=_no_repeats)
        except ValueError as error:
            faults.append(Fault(path, "", f"is not JSON: {error}", "Restore the file."))
    known = _schemas(schemas, faults)
    judged = [path for path in bodies if path.partition("/")[0] != _FREE]
    for path in judged:
        if known.for_file(path) is None:
            faults.append(Fault(path, "", "is no file of the knowledge folder", "Remove it."))
        else:
            faults += _against(path, folder.files[path], known)
    needed = set(known.bodies) - {*_BY_FOLDER.values(), *_NO_FILE} - set(folder.files)
    faults += [Fault(name, "", "file is missing", "Restore it.") for name in sorted(needed)]
    if not faults:
        faults = [fault for path in judged for fault in _fhir_faults(path, folder.files[path])]
    category = known.bodies.get("category.json", {"properties": {"id": {"enum": ()}}})
    return Contents(bodies, tuple(category["properties"]["id"]["enum"])), faults


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    body = dict(pairs)
    if len(body) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(n for n in names if names.count(n) > 1)!r} stands twice")
    return body


def _schemas(folder: Path, faults: list[Fault]) -> _Schemas:
    found: dict[str, Any] = {}
    total = hashlib.sha256()
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        raw = path.read_bytes()
        total.update(path.name.encode() + b"\0" + raw)
        try:
            found[path.name] = json.loads(raw)
        except ValueError as error:
            faults.append(Fault(f"schemas/{path.name}", "", f"is not JSON: {error}", "Restore the file."))
    if not found:
        faults.append(Fault("schemas", "", "there are no schemas", "Restore the folder."))
    return _Schemas(total.hexdigest(), found)


@lru_cache(maxsize=4)
def _registry(schemas: _Schemas) -> referencing.Registry[Any]:
    empty: referencing.Registry[Any] = referencing.Registry()
    return empty.with_resources(
        (body["$id"], DRAFT202012.create_resource(body)) for body in schemas.bodies.values()
    )


@lru_cache(maxsize=4096)
def _against(path: str, raw: bytes, schemas: _Schemas) -> tuple[Fault, ...]:
    name = schemas.for_file(path) or ""
    validator = jsonschema.Draft202012Validator(schemas.bodies[name], registry=_registry(schemas))
    errors = sorted(validator.iter_errors(json.loads(raw)), key=lambda e: list(map(str, e.absolute_path)))
    return tuple(
        Fault(path, _field_of(error.absolute_path), error.message[:300], f"See schemas/{name}.")
        for error in errors
    )


def _field_of(place: Iterable[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")


@lru_cache(maxsize=4096)
def _fhir_faults(path: str, raw: bytes) -> tuple[Fault, ...]:
    from fhir.resources.R4B.conceptmap import ConceptMap
    from fhir.resources.R4B.valueset import ValueSet
    from pydantic import ValidationError

    models: dict[str, Any] = {"value_sets": ValueSet, "concept_maps": ConceptMap}
    model = models.get(path.partition("/")[0])
    if model is None:
        return ()
    try:
        model.model_validate(json.loads(raw))
    except ValidationError as error:
        first = error.errors()[0]
        return (Fault(path, ".".join(map(str, first["loc"])), first["msg"], "Correct it to FHIR R4."),)
    return ()
