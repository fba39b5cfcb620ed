"""Prefetch from a service's templates, filled as this EHR would fill them (CDS Hooks 2.0.1, prefetch template)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from sandbox_ehr.fhir.bundles import operation_outcome
from sandbox_ehr.fhir.search import PARAMETERS, SearchFault
from sandbox_ehr.fhir.service import FhirService

_TOKEN = re.compile(r"\{\{(.*?)\}\}")
_AWKWARD = ("Observation", "DiagnosticReport")


@dataclass(slots=True)
class Prefetch:
    """What was filled, and a line for each key that was not."""

    values: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Unfilled(Exception):
    """A template this EHR does not run; the text says why."""


def fill(template: str, context: Mapping[str, Any]) -> str:
    """A template with its tokens replaced; only simple fields of the context are known here."""

    def one(match: re.Match[str]) -> str:
        path = match[1].strip()
        value = context.get(path.removeprefix("context."))
        if not path.startswith("context.") or not isinstance(value, str):
            raise Unfilled(f"the token {path} is not known here")
        return value

    return _TOKEN.sub(one, template)


def build_prefetch(
    service: FhirService, templates: Mapping[str, str], context: Mapping[str, Any], patient: str
) -> Prefetch:
    """Runs every template the EHR is willing to run; what fails is left out, or as the switches say."""
    result = Prefetch()
    now = service.switches.now
    if now.no_prefetch:
        result.notes.append("no prefetch: this EHR sends none")
        return result
    for key, template in templates.items():
        try:
            query = fill(template, context)
            kind = query.partition("?")[0].partition("/")[0]
            if now.null_prefetch and kind in _AWKWARD:
                result.values[key] = None
            elif now.outcome_prefetch and kind in _AWKWARD:
                result.values[key] = operation_outcome("error", "exception", f"{kind} could not be read")
            else:
                result.values[key] = _run(service, query, kind, patient)
        except Unfilled as reason:
            result.notes.append(f"{key}: {reason}")
    return result


def _run(service: FhirService, query: str, kind: str, patient: str) -> Any:
    switches = service.switches
    if kind not in PARAMETERS:
        raise Unfilled(f"{kind[:40]} is not served here")
    if kind in switches.withheld():
        raise Unfilled(f"{kind} is withheld from this service")
    if kind in switches.failing():
        raise Unfilled(f"{kind} could not be read")
    if kind in switches.slow():
        raise Unfilled(f"{kind} did not come in time")
    path, mark, text = query.partition("?")
    if not mark:
        found = service.records.get(*path.split("/")) if path.count("/") == 1 else None
        if found is None:
            raise Unfilled("there is no such record")
        return found
    pairs = parse_qsl(text, keep_blank_values=True)
    try:
        search = service.understand(kind, pairs)
    except SearchFault as fault:
        raise Unfilled(fault.message) from fault
    if search.patients != frozenset((patient,)):
        raise Unfilled("the search is not limited to the patient in context")
    return service.first_page(search, pairs, patient)
