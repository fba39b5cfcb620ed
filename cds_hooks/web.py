"""The hook service on the web: discovery, the service call, and nothing that decides."""

from __future__ import annotations

from flask import Blueprint, Response, request

from cds_hooks.outcome import Refusal
from cds_hooks.service import SERVICE_ID, Answer, RelapseService, discovery
from mappings.reading.guard import MAX_BYTES

_PIECE = 1 << 20


def hook_routes(service: RelapseService) -> Blueprint:
    """Routes of the service; what may be counted travels on the response, never in module state."""
    routes = Blueprint("cds_hooks", __name__)
    listing = discovery()

    @routes.get("/cds-services")
    def list_services() -> dict[str, object]:
        return listing

    @routes.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        if service_id != SERVICE_ID:
            raise Refusal(404, "unknown-service", "there is no service of this id")
        if request.mimetype != "application/json":
            raise Refusal(415, "not-json", "the body must be application/json", "Content-Type")
        answer = service.answer(read_body())
        response = CountedResponse(answer.body, mimetype="application/json")
        response.answer = answer
        return response

    return routes


class CountedResponse(Response):
    """A response that carries what may be counted of the answer to the edge."""

    answer: Answer | None = None


def read_body() -> bytes:
    """The whole request body; 413 beyond the limit, 400 where it ends too early or cannot be read."""
    length = request.content_length
    if length is not None and length > MAX_BYTES:
        raise Refusal(413, "too-large", f"the body is larger than {MAX_BYTES // (1 << 20)} MB")
    stream = request.environ["wsgi.input"]
    pieces = []
    size = 0
    try:
        while length is None or size < length:
            piece = stream.read(_PIECE if length is None else min(length - size, MAX_BYTES))
            if not piece:
                break
            size += len(piece)
            if size > MAX_BYTES:
                raise Refusal(413, "too-large", f"the body is larger than {MAX_BYTES // (1 << 20)} MB")
            pieces.append(piece)
    except (OSError, ValueError) as error:
        raise Refusal(400, "unreadable", "the body could not be read to its end") from error
    if length is not None and size < length:
        raise Refusal(400, "truncated", "the body ended before its stated length")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
