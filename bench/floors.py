"""What is measured beside the product: the least work any service with this input must do, on the same server.

`floor_own` decodes the product's own typed shapes and answers; `floor_orjson` parses everything and looks at
every coding; `floor_typed` decodes codes alone. None of them decides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import orjson

from mappings.reading.wire import HookRequest

_EMPTY = b'{"cards":[]}'
_HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(_EMPTY)))]


def _served(work: Callable[[bytes], object]) -> Callable[..., Iterable[bytes]]:
    def app(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        work(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        start_response("200 OK", _HEADERS)
        return [_EMPTY]

    return app


_own = msgspec.json.Decoder(HookRequest)
_CODES = frozenset({"Q2041", "C83.38", "8116-6"})


def _scan(body: bytes) -> int:
    found = 0
    for value in orjson.loads(body)["prefetch"].values():
        for entry in value.get("entry", ()):
            resource = entry["resource"]
            concept = resource.get("code") or resource.get("medicationCodeableConcept") or {}
            for coding in concept.get("coding", ()):
                found += coding.get("code") in _CODES
    return found


class _Coding(msgspec.Struct, gc=False):
    system: str | None = None
    code: str | None = None


class _Concept(msgspec.Struct, gc=False):
    coding: list[_Coding] = []


class _Resource(msgspec.Struct, gc=False):
    code: _Concept | None = None
    medicationCodeableConcept: _Concept | None = None  # noqa: N815


class _Entry(msgspec.Struct, gc=False):
    resource: _Resource | None = None


class _Bundle(msgspec.Struct, gc=False):
    entry: list[_Entry] = []


class _Request(msgspec.Struct, gc=False):
    prefetch: dict[str, _Bundle] = {}


_typed = msgspec.json.Decoder(_Request)


def _scan_typed(body: bytes) -> int:
    found = 0
    for bundle in _typed.decode(body).prefetch.values():
        for entry in bundle.entry:
            resource = entry.resource
            concept = (resource.code or resource.medicationCodeableConcept) if resource is not None else None
            for coding in concept.coding if concept is not None else ():
                found += coding.code in _CODES
    return found


floor_own = _served(_own.decode)
floor_orjson = _served(_scan)
floor_typed = _served(_scan_typed)
