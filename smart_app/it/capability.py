"""Which of our reads a FHIR server offers, by its own CapabilityStatement (FHIR R4 /metadata). Pure: no network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cds_hooks.needs import ESSENTIAL, NEEDS, words_of
from ehr.address import AddressFault, parse_address
from smart_app.it.finding import Finding, fault, good, note, warning
from smart_app.it.words import one_line

_AREA = "FHIR server"
_BY_REFERENCE = ("Medication", "Specimen")
_FALLBACK = "Have the EHR's team enable it, or send it by prefetch; until then it shows as not seen"


def read_statement(body: bytes) -> Mapping[str, Any] | None:
    """The CapabilityStatement in an answer, or None."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    right = isinstance(found, dict) and found.get("resourceType") == "CapabilityStatement"
    return found if right else None


def offered(statement: Mapping[str, Any], base: str, site: str, *, test: bool) -> Iterator[Finding]:
    """What the statement says of version, address and each read of ours."""
    version = statement.get("fhirVersion")
    if not (isinstance(version, str) and version.startswith("4.0")):
        mend = "Give the address of the R4 server in fhir_base and smart.iss"
        yield fault(_AREA, f"FHIR version {one_line(version, 20) or 'not stated'}, not 4.0 (R4)", mend, site)
    yield from _same_address(statement, base, site, test)
    types = _types(statement)
    if not types:
        yield warning(_AREA, "the CapabilityStatement lists no resource types", "Try with --patient", site)
        return
    lacking: set[str] = set()
    for need in NEEDS:
        words = _lack(types.get(need.type), search="?" in need.query)
        if words:
            lacking.add(need.type)
            yield warning(_AREA, f"{need.type} ({words_of(need.type)}): {words}", _FALLBACK, site)
        else:
            yield good(_AREA, f"{need.query.replace('{{context.patientId}}', '[id]')} is offered", site)
    for group in ESSENTIAL:
        if lacking.issuperset(group):
            mend = "Without it nothing can be said (412), unless it comes by prefetch: " + _FALLBACK
            yield fault(_AREA, f"{' and '.join(group)}: none can be read here", mend, site)
    for name in _BY_REFERENCE:
        words = _lack(types.get(name), search=False)
        if words:
            yield note(_AREA, f"{name} (where the chart points to it): {words}", site)


def _same_address(statement: Mapping[str, Any], base: str, site: str, test: bool) -> Iterator[Finding]:
    """A server that calls itself by another address may be another system: test in place of live (H-58)."""
    implementation = statement.get("implementation")
    told = implementation.get("url") if isinstance(implementation, dict) else None
    if not isinstance(told, str) or not told:
        return
    try:
        if parse_address(told, allow_http=test) == parse_address(base, allow_http=test):
            return
    except AddressFault:
        pass
    yield warning(
        _AREA,
        f"the server calls itself {one_line(told, 200)}, not {base}",
        "Make sure that this is the live system (or the test one) you mean; a proxy may explain it",
        site,
    )


def _types(statement: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for rest in _rows(statement.get("rest")):
        if rest.get("mode", "server") != "server":
            continue
        for resource in _rows(rest.get("resource")):
            if isinstance(resource.get("type"), str):
                found[resource["type"]] = resource
    return found


def _lack(resource: Mapping[str, Any] | None, *, search: bool) -> str:
    """What this type lacks for our read; empty where nothing does."""
    if resource is None:
        return "not offered"
    actions = {row.get("code") for row in _rows(resource.get("interaction"))}
    wanted = "search-type" if search else "read"
    if actions and wanted not in actions:
        return "cannot be searched" if search else "cannot be read by id"
    names = {row.get("name") for row in _rows(resource.get("searchParam"))}
    if search and names and "patient" not in names:
        return "cannot be searched by patient"
    return ""


def _rows(value: object) -> Iterator[Mapping[str, Any]]:
    for row in value if isinstance(value, list) else ():
        if isinstance(row, dict):
            yield row
