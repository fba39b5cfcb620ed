"""Feedback on cards, from bytes to rows: what the client says its user did (CDS Hooks 2.0.1, feedback).

The typed shape accepts exactly what `schemas/feedback.schema.json` accepts and is tried first; the schema speaks
only where the shape does not fit, to name the field. Cards we do not know, repeats, and rows of other hook
instances are all taken (checklist row 35).
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal

import jsonschema
import msgspec
from msgspec import Meta, Struct

from cds_hooks.memory import FeedbackRow
from cds_hooks.outcome import Refusal
from mappings.reading.guard import BadBody, check_body

MOST_ROWS = 1000
MOST_BYTES = 8 * 1024 * 1024

_NO_NUL = r"^[^\x00]*\Z"
_Id = Annotated[str, Meta(min_length=1, max_length=200, pattern=_NO_NUL)]
_Words = Annotated[str, Meta(max_length=200, pattern=_NO_NUL)]
_Address = Annotated[str, Meta(max_length=1000, pattern=_NO_NUL)]
_Comment = Annotated[str, Meta(max_length=4000, pattern=_NO_NUL)]
_STAMP = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}):([0-9]{2})(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})\Z"
_Stamp = Annotated[str, Meta(max_length=40, pattern=_STAMP)]
_stamp = re.compile(_STAMP)
_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)


class _Reason(Struct, gc=False):
    code: _Words | None = None
    system: _Address | None = None
    display: _Words | None = None


class _Override(Struct, gc=False):
    reason: _Reason | None = None
    userComment: _Comment | None = None  # noqa: N815  names as on the wire


class _Suggestion(Struct, gc=False):
    id: _Id


class _Row(Struct, gc=False):
    card: _Id
    outcome: Literal["accepted", "overridden"]
    outcomeTimestamp: _Stamp  # noqa: N815
    acceptedSuggestions: Annotated[list[_Suggestion], Meta(max_length=100)] | None = None  # noqa: N815
    overrideReason: _Override | None = None  # noqa: N815


class _Body(Struct, gc=False):
    feedback: Annotated[list[_Row], Meta(max_length=MOST_ROWS)]


_typed = msgspec.json.Decoder(_Body)
_untyped = msgspec.json.Decoder()


@cache
def feedback_validator() -> jsonschema.Draft202012Validator:
    """The compiled schema of a feedback body; it refers to nothing outside itself."""
    text = resources.files("cds_hooks").joinpath("schemas/feedback.schema.json").read_text("utf-8")
    return jsonschema.Draft202012Validator(json.loads(text))


def read_feedback(body: bytes, site: str, service: str, at: datetime) -> tuple[FeedbackRow, ...]:
    """The rows of a feedback body, received `at` from a site for a service; raises `Refusal` naming the field.

    413 for more than 1,000 rows or 8 MB, 400 for all else that does not fit.
    """
    if len(body) > MOST_BYTES:
        raise Refusal(413, "too-large", f"feedback is larger than {MOST_BYTES // (1 << 20)} MB")
    try:
        check_body(body)
    except BadBody as fault:
        # rows may each carry members of their own, as an own hookInstance; only a request holds those once
        if fault.code != "duplicate-key":
            raise Refusal(400, fault.code, str(fault), fault.field) from fault
    try:
        rows = _typed.decode(body).feedback
    except _FAULTS:
        rows = []
        _name_the_fault(body)
        raise Refusal(400, "wrong-value", "has a value that is not allowed here", "feedback") from None
    return tuple(_row(one, number, site, service, at) for number, one in enumerate(rows))


def _row(row: _Row, number: int, site: str, service: str, at: datetime) -> FeedbackRow:
    place = f"feedback.{number}"
    override = row.overrideReason if row.outcome == "overridden" else None
    reason = override.reason if override is not None and override.reason is not None else _Reason()
    if row.outcome == "accepted" and not row.acceptedSuggestions:
        raise Refusal(400, "required", "is required when a card was accepted", f"{place}.acceptedSuggestions")
    accepted = (row.acceptedSuggestions or []) if row.outcome == "accepted" else []
    return FeedbackRow(
        at=at,
        site=site,
        service=service,
        card=row.card,
        outcome=row.outcome,
        outcome_timestamp=_utc(row.outcomeTimestamp, f"{place}.outcomeTimestamp"),
        accepted_suggestions=tuple(one.id for one in accepted),
        reason_code=reason.code or "",
        reason_system=reason.system or "",
        reason_display=reason.display or "",
        comment=(override.userComment or "") if override is not None else "",
    )


def _utc(text: str, place: str) -> str:
    """A moment in one spelling, so that a repeat is known as one; a leap second counts as the one before."""
    match = _stamp.match(text)
    try:
        if match is None:
            raise ValueError
        day, minute, second, fraction, zone = match.groups()
        whole = f"{day}T{minute}:{'59' if second == '60' else second}"
        moment = datetime.fromisoformat(whole + (fraction or "")[:7].rstrip(".") + zone.upper())
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        raise Refusal(400, "wrong-value", "must be a date-time with its zone (RFC 3339)", place) from None


def _name_the_fault(body: bytes) -> None:
    try:
        value = _untyped.decode(body)
    except _FAULTS as error:
        raise Refusal(400, "not-json", "the body is not a JSON object") from error
    rows = value.get("feedback") if isinstance(value, dict) else None
    if isinstance(rows, list) and len(rows) > MOST_ROWS:
        raise Refusal(413, "too-many", f"holds more than {MOST_ROWS} rows", "feedback")
    fault: jsonschema.ValidationError | None = next(feedback_validator().iter_errors(value), None)
    if fault is None:
        return
    place = ".".join(str(part) for part in fault.absolute_path)
    if fault.validator == "required":
        raise Refusal(400, "required", "is required", _joined(place, _missing(fault)))
    if fault.validator == "type":
        wanted = fault.validator_value
        words = " or ".join(wanted) if isinstance(wanted, list) else str(wanted)
        raise Refusal(400, "wrong-type", f"must be of type {words}", place)
    if fault.validator in ("maxLength", "maxItems"):
        raise Refusal(400, "too-long", f"is longer than {fault.validator_value}", place)
    if fault.validator == "not":
        raise Refusal(400, "nul", "holds a NUL character, which cannot be stored", place)
    raise Refusal(400, "wrong-value", "has a value that is not allowed here", place)


def _missing(fault: jsonschema.ValidationError) -> str:
    wanted: Any = fault.validator_value
    present = fault.instance if isinstance(fault.instance, dict) else {}
    return next((str(name) for name in wanted if name not in present), "")


def _joined(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
