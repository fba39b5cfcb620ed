"""What a card's link hands to the app: opaque, signed, short-lived, of one patient at one site (H-05; appContext).

It carries the card's uuid and the digest of the facts behind it, nothing else: the app reads the chart again. Its form
and its key are its own, so that it can pass for no token and no token for it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import struct
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MINUTES = 10
_PREFIX = "pcx1."
_PURPOSE = b"postcart app-context 1"
_TAG = 16
_SIGNATURE = 32
_BODY = struct.Struct(f">QQ16s16s{_TAG}s{_TAG}s")
_LENGTH = _BODY.size + _SIGNATURE
_MAX_TEXT = 512
_SKEW_S = 60
_SHORTEST_KEY = 32
_DIGEST = re.compile(r"[0-9a-f]{32}\Z")


class ContextFault(ValueError):
    """A context that is not taken; `code` is `malformed`, `altered`, `expired`, `other-site` or `other-patient`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class AppContext:
    """The card a link came from, and the digest of the facts it was made of."""

    card: str
    facts_digest: str


def sign_context(
    key: bytes, site: str, patient_id: str, card: str, now: datetime, *, facts_digest: str
) -> str:
    """The text for `link.appContext`, good for ten minutes (`MINUTES`); the key has at least 32 bytes.

    Raises `ValueError` for a short key, a card that is no uuid, a digest of another form or a time without zone.
    """
    if not _DIGEST.match(facts_digest):
        raise ValueError("facts_digest must be 32 hexadecimal digits")
    own = _own_key(key)
    issued = _seconds(now)
    body = _BODY.pack(
        issued,
        issued + MINUTES * 60,
        uuid.UUID(card).bytes,
        bytes.fromhex(facts_digest),
        _tag(own, "site", site),
        _tag(own, "patient", site, patient_id),
    )
    signed = body + hmac.digest(own, body, "sha256")
    return _PREFIX + base64.urlsafe_b64encode(signed).rstrip(b"=").decode("ascii")


def read_context(key: bytes, text: str, site: str, patient_id: str, now: datetime) -> AppContext:
    """What a link carried; raises `ContextFault` where it is altered, expired, or of another site or patient."""
    own = _own_key(key)
    body, signature = _unpacked(text)
    if not hmac.compare_digest(hmac.digest(own, body, "sha256"), signature):
        raise ContextFault("altered")
    issued, expires, card, digest, site_tag, patient_tag = _BODY.unpack(body)
    moment = _seconds(now)
    if moment >= expires or issued > moment + _SKEW_S:
        raise ContextFault("expired")
    if not hmac.compare_digest(_tag(own, "site", site), site_tag):
        raise ContextFault("other-site")
    if not hmac.compare_digest(_tag(own, "patient", site, patient_id), patient_tag):
        raise ContextFault("other-patient")
    return AppContext(str(uuid.UUID(bytes=card)), digest.hex())


def smart_link(public_url: str, label: str, context: str = "") -> dict[str, Any]:
    """A SMART link to the registered launch address; `appContext` is left out where there is none to give.

    The address is the registered one as it stands: nothing of a patient or a call is ever put into it (invariant 9).
    """
    link: dict[str, Any] = {"label": label, "url": f"{public_url.rstrip('/')}/launch", "type": "smart"}
    if context:
        link["appContext"] = context
    return link


def _own_key(key: bytes) -> bytes:
    if len(key) < _SHORTEST_KEY:
        raise ValueError("the key must have at least 32 bytes")
    return hmac.digest(key, _PURPOSE, "sha256")


def _tag(own: bytes, *parts: str) -> bytes:
    """A keyed hash of names: it binds without telling them."""
    return hmac.digest(own, "\n".join(parts).encode("utf-8"), "sha256")[:_TAG]


def _unpacked(text: str) -> tuple[bytes, bytes]:
    if len(text) > _MAX_TEXT or not text.startswith(_PREFIX):
        raise ContextFault("malformed")
    coded = text[len(_PREFIX) :]
    try:
        raw = base64.b64decode(coded + "=" * (-len(coded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ContextFault("malformed") from error
    if len(raw) != _LENGTH or base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii") != coded:
        raise ContextFault("malformed")
    return raw[: _BODY.size], raw[_BODY.size :]


def _seconds(now: datetime) -> int:
    if now.tzinfo is None:
        raise ValueError("now needs a time zone")
    return int(now.astimezone(UTC).timestamp())
