"""What the FHIR server says of itself at /metadata (FHIR R4, CapabilityStatement)."""

from __future__ import annotations

from typing import Any

from sandbox_ehr.fhir.search import PARAMETERS, Parameter

_KINDS = {"reference": "reference", "token": "token", "date": "date", "collected": "date", "name": "string"}
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_DEFINITION = "http://hl7.org/fhir/StructureDefinition/"


def _parameter(name: str, parameter: Parameter) -> dict[str, str]:
    return {"name": name, "type": _KINDS.get(parameter.kind, "token")}


def capability_statement(base: str, root: str, day: str) -> dict[str, Any]:
    """The CapabilityStatement: types, search parameters and where to get a token."""
    resources = [
        {
            "type": kind,
            "profile": _DEFINITION + kind,
            "interaction": [{"code": "read"}, {"code": "search-type"}],
            "versioning": "no-version",
            "searchParam": [{"name": "_id", "type": "token"}]
            + [_parameter(name, parameter) for name, parameter in known.items()],
        }
        for kind, known in PARAMETERS.items()
    ]
    uris = [
        {"url": "authorize", "valueUri": f"{root}/oauth/authorize"},
        {"url": "token", "valueUri": f"{root}/oauth/token"},
    ]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": day,
        "kind": "instance",
        "software": {"name": "postcart sandbox EHR"},
        "implementation": {"description": "Sandbox EHR with invented patients only", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "security": {
                    "description": "SMART App Launch; every read and search needs a Bearer token.",
                    "extension": [{"url": _OAUTH_URIS, "extension": uris}],
                },
                "resource": resources,
            }
        ],
    }
