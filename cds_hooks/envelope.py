"""Whether a hook request is one we may answer: its envelope, its hook, whose chart it says it is.

The typed shape below accepts exactly what `schemas/request.schema.json` accepts of the envelope and is tried
first, since it costs microseconds; the schema speaks only where the shape does not fit, to name the field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from functools import cache
from importlib import resources
from typing import Annotated, Any

import jsonschema
import msgspec
from msgspec import Meta, Raw, Struct

from cds_hooks.needs import prefetch_templates
from cds_hooks.outcome import Refusal
from mappings.reading.decode import Decoded
from mappings.reading.wire import HookRequest, Resource

_FhirId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9.-]{1,128}\Z")]
_HEX = "[0-9A-Fa-f]"
_UUID = Annotated[str, Meta(pattern=rf"^{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}\Z")]
_Address = Annotated[str, Meta(pattern=r"^https?://[^\s/?#]+", max_length=2000)]
_Words = Annotated[str, Meta(min_length=1, max_length=200)]
_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)
_LAY_USERS = frozenset({"patient", "relatedperson"})


_Selections = Annotated[list[Annotated[str, Meta(min_length=1, max_length=300)]], Meta(max_length=500)]


class Context(Struct, gc=False, kw_only=True):
    """The context of patient-view: who looks, at whose chart (CDS Hooks library, patient-view 1.0)."""

    userId: _Words  # noqa: N815  names as on the wire
    patientId: _FhirId  # noqa: N815
    encounterId: _FhirId | None = None  # noqa: N815

    @property
    def encounter_id(self) -> str:
        """The encounter the user works in; empty where the client does not say."""
        return self.encounterId or ""


class EncounterContext(Context, gc=False, kw_only=True):
    """The context of encounter-start 1.0, which names its encounter."""

    encounterId: _FhirId  # noqa: N815


class SignContext(Context, gc=False, kw_only=True):
    """The context of order-sign 1.0: the orders about to be signed, as an undecoded Bundle."""

    draftOrders: Raw  # noqa: N815


class SelectContext(SignContext, gc=False, kw_only=True):
    """The context of order-select 1.0: which of the drafts the user has just chosen."""

    selections: _Selections


class _Authorization(Struct, gc=False):
    access_token: Annotated[str, Meta(min_length=1)]
    token_type: Annotated[str, Meta(pattern=r"^Bearer\Z")]
    expires_in: int
    scope: str
    subject: str


_contexts: dict[str, msgspec.json.Decoder[Any]] = {
    "patient-view": msgspec.json.Decoder(Context),
    "encounter-start": msgspec.json.Decoder(EncounterContext),
    "order-select": msgspec.json.Decoder(SelectContext),
    "order-sign": msgspec.json.Decoder(SignContext),
}
HOOKS = frozenset(_contexts)
_authorization = msgspec.json.Decoder(_Authorization)
_untyped = msgspec.json.Decoder()


@cache
def request_validator() -> jsonschema.Draft202012Validator:
    """The compiled schema of the envelope; it refers to nothing outside itself."""
    text = resources.files("cds_hooks").joinpath("schemas/request.schema.json").read_text("utf-8")
    return jsonschema.Draft202012Validator(json.loads(text))


def check_envelope(body: bytes, decoded: Decoded, hooks: Collection[str]) -> Context:
    """The context of a request that may be answered; raises `Refusal` naming the first field at fault.

    `hooks` are those the called service answers.
    """
    request = decoded.request
    if request is None:
        raise Refusal(400, "wrong-type", "must be a CDS Hooks request")
    if request.hook and request.hook not in hooks:
        raise _wrong_hook(hooks)
    context = _plain_context(request, decoded)
    if context is None:
        _name_the_fault(body)
        context = _decode_context(request)
    if isinstance(context, SignContext):
        _check_orders(context.draftOrders)
    if _is_lay(context.userId):
        raise Refusal(403, "wrong-user", "this service speaks to health professionals only", "context.userId")
    return context


def _is_lay(user: str) -> bool:
    """Whether a user reference, relative or absolute, of a version or not, in any case, is of no professional."""
    parts = re.split(r"[?#]|/_history\b", user.strip().lower(), maxsplit=1)[0].split("/")
    named = [part.strip() for part in parts if part.strip()]
    heads = named[-2:] if "://" in user else [*named[:1], *named[-2:-1]]
    return not _LAY_USERS.isdisjoint(heads)


def _wrong_hook(hooks: Collection[str]) -> Refusal:
    return Refusal(400, "wrong-hook", f"this service answers {' and '.join(sorted(hooks))} only", "hook")


def _decode_context(request: HookRequest) -> Context:
    try:
        context: Context = _contexts[request.hook or ""].decode(request.context)
    except (KeyError, *_FAULTS) as error:
        raise Refusal(400, "wrong-value", "has a value that is not allowed here", "context") from error
    return context


def _check_orders(orders: Raw) -> None:
    """Draft orders come as a Bundle; what is inside is read tolerantly later."""
    try:
        kind = msgspec.json.decode(orders, type=_Head).resourceType
    except _FAULTS:
        kind = None
    if kind != "Bundle":
        raise Refusal(400, "wrong-type", "must be a Bundle of orders", "context.draftOrders")


def _plain_context(request: HookRequest, decoded: Decoded) -> Context | None:
    """The context where all fits without a second look: no misfit, heads complete."""
    if decoded.repaired or decoded.remarks or request.hook not in HOOKS:
        return None
    if request.fhirAuthorization and not request.fhirServer:
        return None
    if request.extension and bytes(request.extension)[:1] != b"{":
        return None
    if not all(value is None or _has_head(value) for value in decoded.keys.values()):
        return None
    try:
        msgspec.convert(request.hookInstance, _UUID)
        msgspec.convert(request.fhirServer, _Address | None)
        if request.fhirAuthorization:
            _authorization.decode(request.fhirAuthorization)
        return _decode_context(request)
    except (*_FAULTS, Refusal):
        return None


def _has_head(value: Resource) -> bool:
    kind = value.resourceType or ""
    return kind.isascii() and kind.isalpha() and kind[0].isupper() and (kind != "Patient" or bool(value.id))


def _name_the_fault(body: bytes) -> None:
    fault = next(iter(sorted(request_validator().iter_errors(_skeleton(body)), key=_depth)), None)
    if fault is None:
        return
    place = ".".join(str(part) for part in fault.absolute_path)
    if fault.validator in ("required", "dependentRequired"):
        name = _first_missing(fault)
        place = f"{place}.{name}" if place else name
        raise Refusal(400, "required", "is required", _own_name(place))
    if fault.validator == "oneOf":
        raise Refusal(
            400, "wrong-type", "must be null or a FHIR resource with its resourceType", _own_name(place)
        )
    if fault.validator == "type":
        raise Refusal(400, "wrong-type", f"must be of type {fault.validator_value}", _own_name(place))
    raise Refusal(400, "wrong-value", "has a value that is not allowed here", _own_name(place))


def _depth(fault: jsonschema.ValidationError) -> tuple[int, str]:
    return len(fault.absolute_path), str(list(fault.absolute_path))


def _first_missing(fault: jsonschema.ValidationError) -> str:
    wanted: Any = fault.validator_value
    names = wanted if isinstance(wanted, list) else [name for many in wanted.values() for name in many]
    present = fault.instance if isinstance(fault.instance, dict) else {}
    return next((str(name) for name in names if name not in present), "")


_OWN = frozenset(
    name
    for names in (
        ("hook", "hookInstance", "context", "userId", "patientId", "encounterId", "prefetch", "extension"),
        ("fhirServer", "fhirAuthorization", "access_token", "token_type", "expires_in", "scope", "subject"),
        ("resourceType", "id", "medications", "selections", "draftOrders", *prefetch_templates()),
    )
    for name in names
)


def _own_name(place: str) -> str:
    """The path with every name the sender made up replaced, so that nothing of the request comes back."""
    return ".".join(part if part in _OWN else "(key)" for part in place.split("."))


def _skeleton(body: bytes) -> dict[str, Any]:
    """The envelope as plain JSON values with only the heads of what was prefetched, for the schema."""
    try:
        members = msgspec.json.decode(body, type=dict[str, Raw])
    except _FAULTS as error:
        raise Refusal(400, "not-json", "the body is not a JSON object") from error
    skeleton: dict[str, Any] = {}
    for name, raw in members.items():
        if name == "prefetch":
            skeleton[name] = _heads(raw)
        elif name in _OWN:
            skeleton[name] = _untyped.decode(raw)
    return skeleton


class _Head(Struct, gc=False):
    resourceType: Any = msgspec.UNSET  # noqa: N815
    id: Any = msgspec.UNSET


def _heads(raw: Raw) -> Any:
    if bytes(raw)[:1] != b"{":
        return _untyped.decode(raw)
    heads: dict[str, Any] = {}
    for key, value in msgspec.json.decode(raw, type=dict[str, Raw]).items():
        if bytes(value)[:1] == b"{":
            head = msgspec.json.decode(value, type=_Head)
            heads[key] = {
                name: part
                for name, part in (("resourceType", head.resourceType), ("id", head.id))
                if part is not msgspec.UNSET
            }
        else:
            heads[key] = _untyped.decode(value)
    return heads
