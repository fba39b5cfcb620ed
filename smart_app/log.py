"""Log lines as JSON with a closed list of fields, so that nothing of a patient can slip in (invariant 9, H-66).

Every field has the one shape its values may have. A value of another shape is not written: the line says
`(withheld)` in its place, so that a slip of the program shows without telling anybody's data (T-28).
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TextIO

WITHHELD: Final = "(withheld)"
_LABEL = re.compile(r"[A-Za-z0-9(][A-Za-z0-9._:/()-]{0,79}\Z")
_SITE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u200b-\u206f\ufeff]{1,80}\Z")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\Z")
_REQUEST = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_HASH = re.compile(r"[0-9A-Za-z_-]{8,64}\Z")
_OWN_WORDS = re.compile(r"[^\x00-\x1f\x7f-\x9f]{0,300}\Z")
_MANY = 64


def _text(pattern: re.Pattern[str]) -> Callable[[object], object]:
    def shape(value: object) -> object:
        return value if isinstance(value, str) and (not value or pattern.match(value)) else WITHHELD

    return shape


def _number(value: object) -> object:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else WITHHELD


def _flag(value: object) -> object:
    return value if isinstance(value, bool) else WITHHELD


def _each(one: Callable[[object], object]) -> Callable[[object], object]:
    def shape(value: object) -> object:
        if isinstance(value, str | bytes) or not isinstance(value, Sequence | set | frozenset):
            return WITHHELD
        rows = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [one(part) for part in list(rows)[:_MANY]]

    return shape


_label, _uuid, _hash = _text(_LABEL), _text(_UUID), _text(_HASH)


def _count_or_ids(value: object) -> object:
    return _number(value) if isinstance(value, int) else _each(_uuid)(value)


def _states(value: object) -> object:
    if not isinstance(value, Mapping):
        return WITHHELD
    return {str(_label(key)): _label(state) for key, state in list(value.items())[:_MANY]}


_SHAPES: Final[Mapping[str, Callable[[object], object]]] = {
    "request": _text(_REQUEST),  # X-Request-Id as checked or made by the edge
    "site": _text(_SITE),  # the registered name, never what a caller wrote
    "tenant": _hash,  # keyed hash
    "service": _label,
    "hook": _label,
    "instance": _uuid,  # hookInstance
    "route": _label,  # the route's name, never its path: paths hold workspace ids
    "method": _label,
    "status": _number,
    "ms": _number,
    "category": _label,
    "cards": _count_or_ids,  # how many, or their ids
    "kinds": _each(_label),
    "keys": _states,  # prefetch key or resource type -> state
    "fetched": _states,  # prefetch key -> closed code
    "knowledge": _hash,
    "silent": _flag,
    "suppressed": _number,
    "repaired": _number,
    "code": _label,
    "codes": _each(_label),
    "why": _label,
    "state": _label,
    "part": _label,
    "case": _label,
    "error": _label,  # the type of an exception, never its message
    "seconds": _number,
    "days": _number,
    "count": _number,
    "message": _text(_OWN_WORDS),  # a sentence written in this program or about a file of the operator
}
FIELDS: Final = frozenset(_SHAPES)

_lock = threading.Lock()
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode


def write_log(event: str, *, level: str = "info", stream: TextIO | None = None, **fields: object) -> None:
    """Writes one line to standard error; a field outside the closed list is a fault of the program (`KeyError`).

    Empty texts are left out. Control characters cannot pass: they fit no shape, and the encoder writes ASCII.
    """
    strangers = set(fields) - FIELDS
    if strangers:
        raise KeyError(f"log fields outside the closed list: {sorted(strangers)}")
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    row: dict[str, object] = {"time": moment, "level": level, "event": event}
    for name, value in fields.items():
        if value is not None and value != "":
            row[name] = _SHAPES[name](value)
    line = _encode(row) + "\n"
    out = stream if stream is not None else sys.stderr
    with _lock:
        out.write(line)
        out.flush()
