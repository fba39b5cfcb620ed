"""Is every file JSON, of a known kind, and of the shape its schema asks; are FHIR resources real FHIR R4."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
    registry: referencing.Registry[Any] = referencing.Registry().with_resources(
        (body["$id"], DRAFT202012.create_resource(body)) for body in known.values()
    )
    for path, body in bodies.items():
        top = path.partition("/")[0]
        if top == _FREE:
            continue
        schema = known.get(_BY_FOLDER.get(top, path))
        if schema is None or path in ("common.json", "overlay.json"):
            faults.append(Fault(path, "", "is no file of the knowledge folder", "Remove it."))
            continue
        faults += _against(path, body, schema, registry)
    needed = {name for name in known if name not in {*_BY_FOLDER.values(), "common.json", "overlay.json"}}
    faults += [
        Fault(name, "", "file is missing", "Restore it.") for name in sorted(needed - set(folder.files))
    ]
    if not faults:
        faults = list(_fhir_faults(bodies))
    ids = tuple(known["category.json"]["properties"]["id"]["enum"]) if "category.json" in known else ()
    return Contents(bodies, ids), faults


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    body = dict(pairs)
    if len(body) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(n for n in names if names.count(n) > 1)!r} stands twice")
    return body


def _schemas(folder: Path, faults: list[Fault]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            found[path.name] = json.loads(path.read_bytes())
        except ValueError as error:
            faults.append(Fault(f"schemas/{path.name}", "", f"is not JSON: {error}", "Restore the file."))
    if not found:
        faults.append(Fault("schemas", "", "there are no schemas", "Restore the folder."))
    return found


def _against(path: str, body: Any, schema: Any, registry: referencing.Registry[Any]) -> Iterator[Fault]:
    validator = jsonschema.Draft202012Validator(schema, registry=registry)
    for error in sorted(validator.iter_errors(body), key=lambda e: list(map(str, e.absolute_path))):
        field = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path).lstrip(".")
        yield Fault(path, field, error.message[:300], f"See schemas/{schema['$id'].rsplit('/', 1)[-1]}.")


def _fhir_faults(bodies: Mapping[str, Any]) -> Iterator[Fault]:
    from fhir.resources.R4B.conceptmap import ConceptMap
    from fhir.resources.R4B.valueset import ValueSet
    from pydantic import ValidationError

    models: dict[str, Any] = {"value_sets": ValueSet, "concept_maps": ConceptMap}
    for path, body in bodies.items():
        model = models.get(path.partition("/")[0])
        if model is None:
            continue
        try:
            model.model_validate(body)
        except ValidationError as error:
            first = error.errors()[0]
            yield Fault(path, ".".join(map(str, first["loc"])), first["msg"], "Correct it to FHIR R4.")
