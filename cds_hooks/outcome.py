"""Errors as FHIR OperationOutcomes that name the field and never repeat what was sent."""

from __future__ import annotations

from functools import cache

from fhir.resources.R4B.operationoutcome import OperationOutcome

_ISSUE_CODES = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    412: "incomplete",
    413: "too-long",
    415: "not-supported",
    429: "throttled",
    500: "exception",
    503: "transient",
}


class Refusal(Exception):
    """A call that is not answered: HTTP status, stable code, one sentence, and the field if there is one.

    `retry_after` in seconds and `challenge` become headers; `why` is a closed label for the log alone.
    """

    def __init__(self, status: int, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.retry_after = 0
        self.challenge = ""
        self.why = ""


@cache
def outcome_body(status: int, code: str, message: str, place: str = "") -> bytes:
    """The OperationOutcome of a refusal as JSON bytes (FHIR R4 2.36); texts are ours, so they can be kept."""
    issue: dict[str, object] = {
        "severity": "error" if status < 500 else "fatal",
        "code": _ISSUE_CODES.get(status, "processing"),
        "details": {
            "coding": [{"system": "https://postcart.org/fhir/CodeSystem/refusal", "code": code}],
            "text": message,
        },
    }
    if place:
        issue["expression"] = [place]
    outcome = OperationOutcome.model_validate({"resourceType": "OperationOutcome", "issue": [issue]})
    return outcome.model_dump_json().encode()
