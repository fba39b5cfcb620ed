"""The hook service on the web: who may call, discovery, the service call, feedback; nothing here decides."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flask import Blueprint, Response, jsonify, request

from cds_hooks.feedback import read_feedback
from cds_hooks.listing import SERVICE_HOOKS, discovery
from cds_hooks.memory import FeedbackRow, Memory, StoreDown
from cds_hooks.outcome import Refusal
from cds_hooks.service import Answer, HookCall, HookService
from cds_hooks.trust import NotTrusted
from mappings.reading.guard import MAX_BYTES

if TYPE_CHECKING:
    from cds_hooks.trust import Caller, Gate
    from ehr.site import Config

_PIECE = 1 << 20
_SAVE_AGAIN_SECONDS = 5
REQUEST_ID_KEY = "postcart.request_id"
"""Where the edge leaves the id of a request in its environment."""


@dataclass(frozen=True, slots=True)
class Door:
    """Who may come in: callers the `gate` trusts, and with `opened` those on loopback without a token.

    `limit` holds a caller's site to its rate.
    """

    config: Callable[[], Config]
    gate: Gate | None
    opened: bool
    limit: Callable[[Caller], None] = lambda caller: None

    def admit(self, *paths: str) -> Caller | None:
        """The caller of the request at hand; raises `Refusal` 401 for anyone not trusted, 429 beyond its rate.

        `paths` are the addresses a token may be meant for, below the public address.
        """
        header = request.headers.get("Authorization")
        if self.opened and (self.gate is None or header is None):
            return None
        if self.gate is None:
            raise NotTrusted("no_sites")
        base = self.config().public_url.rstrip("/")
        caller = self.gate.admit(header, tuple(base + path for path in paths))
        self.limit(caller)
        return caller

    def body(self) -> bytes:
        """The whole body of the request at hand, held to the configured limit."""
        return read_body(min(MAX_BYTES, self.config().max_body_mb << 20))


@dataclass(frozen=True, slots=True)
class Noted:
    """What the edge may log and count of a request: the site that called, the service, and the answer if there is one."""

    service: str = ""
    caller: Caller | None = None
    answer: Answer | None = None
    feedback: tuple[str, ...] = ()


class NotedResponse(Response):
    """A response that carries what may be counted of it to the edge, never in module state."""

    noted: Noted | None = None


def hook_routes(service: HookService, door: Door, memory: Memory | None) -> Blueprint:
    """The three routes of the service below `/cds-services` (CDS Hooks 2.0.1)."""
    routes = Blueprint("cds_hooks", __name__)

    @routes.get("/cds-services")
    def list_services() -> Response:
        config = door.config()
        caller = door.admit("/cds-services") if config.discovery_authenticated else None
        hooks = tuple(service.hooks())
        if caller is not None and caller.site.hooks:
            hooks = tuple(hook for hook in hooks if hook in caller.site.hooks)
        return jsonify(discovery(hooks, version=config.discovery_version))

    @routes.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        started = time.monotonic()
        _known(service_id)
        here = f"/cds-services/{service_id}"
        caller = door.admit(here, f"{here}/feedback")
        _json_only()
        made = HookCall(door.body(), service_id, caller, started, request.environ.get(REQUEST_ID_KEY, ""))
        answer = service.answer(made)
        response = NotedResponse(answer.body, mimetype="application/json")
        response.noted = Noted(service_id, caller, answer)
        return response

    @routes.post("/cds-services/<service_id>/feedback")
    def feedback(service_id: str) -> Response:
        _known(service_id)
        here = f"/cds-services/{service_id}"
        caller = door.admit(f"{here}/feedback", here)
        _json_only()
        site = caller.site.name if caller is not None else ""
        rows = read_feedback(door.body(), site, service_id, datetime.now(UTC))
        _save(memory, rows)
        response = NotedResponse(b"{}", mimetype="application/json")
        response.noted = Noted(service_id, caller, feedback=tuple(row.outcome for row in rows))
        return response

    return routes


def _known(service_id: str) -> None:
    if service_id not in SERVICE_HOOKS:
        raise Refusal(404, "unknown-service", "there is no service of this id")


def _json_only() -> None:
    if request.mimetype != "application/json":
        raise Refusal(415, "not-json", "the body must be application/json", "Content-Type")


def _save(memory: Memory | None, rows: tuple[FeedbackRow, ...]) -> None:
    """On disk before it is acknowledged; otherwise 503, so that the client sends it again (failure matrix, database)."""
    try:
        if memory is None:
            raise StoreDown
        memory.record_feedback(rows)
    except StoreDown as fault:
        refusal = Refusal(503, "not-saved", "feedback could not be stored; send it again")
        refusal.retry_after = _SAVE_AGAIN_SECONDS
        raise refusal from fault


def read_body(limit: int = MAX_BYTES) -> bytes:
    """The whole request body; 413 beyond the limit, 400 where it ends too early or cannot be read."""
    too_large = Refusal(413, "too-large", f"the body is larger than {limit >> 20} MB")
    length = request.content_length
    if length is not None and length > limit:
        raise too_large
    stream = request.environ["wsgi.input"]
    pieces = []
    size = 0
    try:
        while length is None or size < length:
            piece = stream.read(_PIECE if length is None else min(length - size, limit))
            if not piece:
                break
            size += len(piece)
            if size > limit:
                raise too_large
            pieces.append(piece)
    except (OSError, ValueError) as error:
        raise Refusal(400, "unreadable", "the body could not be read to its end") from error
    if length is not None and size < length:
        raise Refusal(400, "truncated", "the body ended before its stated length")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
