"""What is checked of a body before anything decodes it: size, UTF-8, nesting, doubled keys.

One decision for hook, shell and screening: parsers disagree on all four, and a deep body can end a worker.
"""

from __future__ import annotations

import re

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 64

_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"{}[]")
_TOO_DEEP = b"{" * (MAX_DEPTH + 1)
_AS_BRACES = bytes.maketrans(b"[]", b"{}")
# possessive, and a string that never closes runs to the end: linear on any input
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_ONCE = (b'"hook"', b'"hookInstance"', b'"userId"', b'"patientId"')
# a hook's own context; MedicationAdministration.context is a Reference and holds none of these
_HOOK_CONTEXT = re.compile(
    rb'"context"\s*+:\s*+\{\s*+"(?:userId|patientId|encounterId|selections|draftOrders)"'
)
_ESCAPED_KEY = re.compile(rb'"([^"\\]*+(?:\\u[0-9a-fA-F]{4}[^"\\]*+)++)"\s*+:')
_ESCAPE = re.compile(rb"\\u([0-9a-fA-F]{4})")
# The envelope stands before and after the prefetched charts: a longer body is looked at near both ends only.
_ENDS = 16 * 1024


class BadBody(ValueError):
    """A body that is refused whole: `code` is stable, `field` says where, the message says how to mend it."""

    def __init__(self, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.field = field


def check_body(body: bytes) -> None:
    """Refuses a body that is too large, not UTF-8, nested too deeply or ambiguous; raises `BadBody`."""
    if len(body) > MAX_BYTES:
        raise BadBody("too-large", f"the body is larger than {MAX_BYTES // (1024 * 1024)} MB")
    if not body.isascii():
        _check_utf8(body)
    if not _shallow(body.translate(_AS_BRACES, _NOT_BRACKETS)) and not _shallow(
        _STRINGS.sub(b"", body).translate(_AS_BRACES, _NOT_BRACKETS)
    ):
        raise BadBody("too-deep", f"the body is not balanced JSON or nested deeper than {MAX_DEPTH} levels")
    ends = body if len(body) <= 2 * _ENDS else body[:_ENDS] + b" " + body[-_ENDS:]
    for token in _ONCE:
        if ends.count(token) > 1 and len(re.findall(re.escape(token) + rb"\s*:", ends)) > 1:
            raise BadBody(
                "duplicate-key", "a key that must be unique is given twice", token.decode().strip('"')
            )
    if len(_HOOK_CONTEXT.findall(ends)) > 1:
        raise BadBody("duplicate-key", "a key that must be unique is given twice", "context")
    if b"\\u" in ends:
        _check_escaped_keys(ends)


def _check_escaped_keys(ends: bytes) -> None:
    """A key spelled with escapes is still the same key: one that must be unique has to be written plainly."""
    for match in _ESCAPED_KEY.finditer(ends):
        plain = _ESCAPE.sub(lambda found: chr(int(found[1], 16)).encode("utf-8", "replace"), match[1])
        if b'"' + plain + b'"' in (*_ONCE, b'"context"'):
            raise BadBody("duplicate-key", "a key is spelled with escapes; write it plainly", plain.decode())


def _check_utf8(body: bytes) -> None:
    try:
        str(body, "utf-8")
    except UnicodeDecodeError as error:
        raise BadBody("not-utf8", "the body is not valid UTF-8") from error


def _shallow(brackets: bytes) -> bool:
    """Whether a skeleton of braces (brackets count as such) closes within `MAX_DEPTH` rounds of removing inner pairs.

    Each round takes one level away. Which bracket closes which is left to the decoder. As many openings in a row as
    can never close in time end it at once, so that a deep body costs no more than a flat one.
    """
    for _ in range(MAX_DEPTH):
        if not brackets:
            return True
        if _TOO_DEEP in brackets:
            return False
        shorter = brackets.replace(b"{}", b"")
        if shorter == brackets:
            return False
        brackets = shorter
    return not brackets
