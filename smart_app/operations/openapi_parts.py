"""What each route of the service takes and gives: the words and answers of the OpenAPI document.

What a hook call and feedback must hold is not repeated here: the document refers to the schemas used at run time.
"""

from __future__ import annotations

from typing import Any, Final


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties}


def _many(of: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": of, **more}


_TEXT = {"type": "string", "minLength": 1}
_ADDRESS = {"type": "string", "pattern": "^https?://"}
_CODING = _object(["code", "system", "display"], code=_TEXT, system=_TEXT, display=_TEXT)

SCHEMAS: Final[dict[str, Any]] = {
    "discovery": _object(
        ["services"],
        services=_many(
            _object(
                ["hook", "id", "description"],
                hook=_TEXT,
                id=_TEXT,
                title=_TEXT,
                description=_TEXT,
                prefetch={"type": "object", "additionalProperties": _TEXT},
                usageRequirements=_TEXT,
            )
        ),
    ),
    "cards": _object(
        ["cards"],
        cards=_many(
            _object(
                ["uuid", "summary", "indicator", "source"],
                uuid={"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
                summary={"type": "string", "minLength": 1, "maxLength": 139},
                detail=_TEXT,
                indicator={"enum": ["info", "warning", "critical"]},
                source=_object(["label"], label=_TEXT, url=_ADDRESS),
                overrideReasons=_many(_CODING),
                suggestions=_many(_object(["label"], label=_TEXT, uuid=_TEXT)),
                selectionBehavior={"enum": ["at-most-one", "any"]},
                links=_many(
                    _object(
                        ["label", "url", "type"],
                        label=_TEXT,
                        url=_ADDRESS,
                        type={"enum": ["absolute", "smart"]},
                    )
                ),
                extension={"type": "object"},
            )
        ),
        extension={"type": "object"},
    ),
    "outcome": _object(
        ["resourceType", "issue"],
        resourceType={"const": "OperationOutcome"},
        issue=_many(
            _object(
                ["severity", "code"],
                severity={"enum": ["fatal", "error", "warning", "information"]},
                code=_TEXT,
                details={"type": "object"},
                expression=_many(_TEXT),
            ),
            minItems=1,
        ),
    ),
    "readiness": _object(
        ["ready", "knowledge", "selftest", "failed"],
        ready={"type": "boolean"},
        knowledge=_object(["version", "digest", "overlay"], version=_TEXT, digest=_TEXT),
        selftest={"enum": ["passed", "failed"]},
        failed=_many(_TEXT),
        parts={"type": "object", "additionalProperties": _object(["state"], state=_TEXT)},
    ),
    "health": _object(["status"], status={"const": "up"}),
    "keySet": _object(["keys"], keys=_many(_object(["kty", "kid"], kty={"enum": ["EC", "RSA"]}, kid=_TEXT))),
}


def _answer(words: str, kind: str = "", schema: str = "") -> dict[str, Any]:
    if not kind:
        return {"description": words}
    content = (
        {"schema": {"$ref": f"#/components/schemas/{schema}"}} if schema else {"schema": {"type": "string"}}
    )
    return {"description": words, "content": {kind: content}}


RESPONSES: Final[dict[str, dict[str, Any]]] = {
    "discovery": _answer("The services offered", "application/json", "discovery"),
    "cards": _answer("Cards; none where there is nothing to say", "application/json", "cards"),
    "stored": {
        "description": "All rows are on disk",
        "content": {"application/json": {"schema": {"type": "object", "maxProperties": 0}}},
    },
    "health": _answer("The process answers", "application/json", "health"),
    "readiness": _answer("Whether calls are answered, and each part", "application/json", "readiness"),
    "keys": _answer("Public keys of this service", "application/jwk-set+json", "keySet"),
    "document": {
        "description": "This document",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
    "json": {"description": "A JSON object", "content": {"application/json": {"schema": {"type": "object"}}}},
    "text": _answer("Plain text", "text/plain"),
    "page": _answer("A page", "text/html"),
    "resource": {
        "description": "One FHIR resource as the EHR gave it, as a page or as it is",
        "content": {
            "text/html": {"schema": {"type": "string"}},
            "application/fhir+json": {"schema": {"type": "object"}},
        },
    },
    "file": _answer("A file of the page (style, script, picture)"),
    "redirect": _answer("Another address"),
    "refusal": _answer(
        "Why there is no answer; names the field, never repeats what was sent",
        "application/fhir+json",
        "outcome",
    ),
}


def _body(schema: str) -> dict[str, Any]:
    return {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }


def _of(summary: str, tag: str, answers: dict[int, str], **more: Any) -> dict[str, Any]:
    return {"summary": summary, "tags": [tag], "answers": answers, **more}


_CALLER: dict[str, Any] = {"security": [{"caller": []}, {}]}
_QUERY = {
    name: {"name": name, "in": "query", "schema": {"type": "string", "maxLength": 4000}}
    for name in ("iss", "launch", "state", "code", "error", "error_description")
}


def _page(summary: str, *queries: str, answer: str = "page", **more: Any) -> dict[str, Any]:
    """A route of the SMART app: a page, or another address; what goes wrong is a page too."""
    operation = _of(summary, "smart", {200: answer, 303: "redirect"}, fault="page", **more)
    return {**operation, "parameters": [_QUERY[name] for name in queries]} if queries else operation


def _form(*required: str, **fields: dict[str, Any]) -> dict[str, Any]:
    """The body of a form of the page; `csrf` is the page's own token."""
    names = {"csrf": _TEXT, **fields}
    schema = {"type": "object", "required": ["csrf", *required], "properties": names}
    return {
        "requestBody": {
            "required": True,
            "content": {"application/x-www-form-urlencoded": {"schema": schema}},
        }
    }


UNDESCRIBED: Final[dict[str, Any]] = _of("(not described)", "other", {})

OPERATIONS: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("GET", "/"): _of("Intended use, limits and sources", "about", {200: "text"}),
    ("GET", "/health"): _of("Is the process up", "state", {200: "health"}),
    ("GET", "/ready"): _of("May calls be sent here", "state", {200: "readiness", 503: "readiness"}),
    ("GET", "/metrics"): _of(
        "Figures for Prometheus; administrators' addresses only", "state", {200: "text"}
    ),
    ("GET", "/diagnostics"): _page("The last launches; administrators' addresses only"),
    ("GET", "/openapi.json"): _of("This description", "about", {200: "document"}),
    ("GET", "/cds-services"): _of("Discovery", "cds-hooks", {200: "discovery"}, **_CALLER),
    ("POST", "/cds-services/{service_id}"): _of(
        "A hook call", "cds-hooks", {200: "cards"}, requestBody=_body("request"), **_CALLER
    ),
    ("POST", "/cds-services/{service_id}/feedback"): _of(
        "What became of cards", "cds-hooks", {200: "stored"}, requestBody=_body("feedback"), **_CALLER
    ),
    ("GET", "/.well-known/jwks.json"): _of("Own public keys", "smart", {200: "keys"}, fault="page"),
    ("GET", "/launch"): _page("SMART launch from an EHR", "iss", "launch"),
    ("GET", "/launch.html"): _page("The page an EHR or a tester starts from", "iss", "launch"),
    ("GET", "/callback"): _page(
        "Return from the authorization server", "state", "code", "error", "error_description"
    ),
    ("GET", "/static/{name}"): _page("A file of the page", answer="file"),
    ("GET", "/launch-assets/{name}"): _page("A file of the launch pages", answer="file"),
    ("GET", "/w/{workspace}"): _page("The answer for the patient of one launch; with its cookie only"),
    ("GET", "/w/{workspace}/progress"): _page("How far reading the chart is"),
    ("GET", "/w/{workspace}/idle"): _page("Where a page goes that stood too long"),
    ("GET", "/w/{workspace}/raw/{kind}/{name}"): _page(
        "One resource behind the answer",
        answer="resource",
        parameters=[{"name": "format", "in": "query", "schema": {"enum": ["json"]}}],
    ),
    ("GET", "/w/{workspace}/text"): _page("The answer as plain text", answer="text"),
    ("GET", "/w/{workspace}/evaluation.json"): _page("The answer as JSON", answer="json"),
    ("POST", "/w/{workspace}/what-if"): _page(
        "States something that the chart does not hold, for this workspace", **_form(action=_TEXT)
    ),
    ("POST", "/w/{workspace}/feedback"): _page("Says what was wrong", **_form("reason", reason=_TEXT)),
    ("POST", "/w/{workspace}/retry"): _page("Reads again what could not be read", **_form()),
    ("POST", "/w/{workspace}/stop"): _page("Goes on without what could not be read", **_form()),
    ("POST", "/w/{workspace}/close"): _page("Ends the workspace and forgets its tokens", **_form()),
    ("GET", "/w/{workspace}/{rest}"): _page("Nothing is there"),
    ("POST", "/w/{workspace}/{rest}"): _page("Nothing is there", **_form()),
}
