"""Text of attachments and comments: plain text, HTML and RTF, in linear time; all else is named as unread.

`presentedForm` is read as text, HTML (tables by row) and RTF (rules 11.15). Nothing here judges content.
"""

from __future__ import annotations

import base64
import binascii
import codecs
from dataclasses import dataclass

from mappings.reading.attachments.html import html_text, html_to_text, looks_like_html
from mappings.reading.attachments.rtf import looks_like_rtf, rtf_text, rtf_to_text

__all__ = ["AttachmentText", "attachment_text", "html_text", "looks_like_html", "looks_like_rtf", "rtf_text"]

TEXT_CAP = 256 * 1024
RAW_CAP = 3 * 1024 * 1024  # multiple of 3: the head of the base64 text stays decodable

_PLAIN = frozenset({"text/plain", "text/x-plain", "plain/text", "text"})
_HTML = frozenset({"text/html", "application/xhtml+xml", "application/xhtml", "html"})
_RTF = frozenset({"text/rtf", "application/rtf", "application/x-rtf", "text/richtext", "rtf"})
# Only these are ever used to decode: other codecs of the runtime compress, escape or take quadratic time.
_CHARSETS = frozenset(
    {"utf-8", "ascii", "iso8859-1", "cp1252", "iso8859-15", "iso8859-2", "cp1250", "mac-roman"}
    | {"utf-16", "utf-16-le", "utf-16-be"}
)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MAGIC = (
    (b"%PDF", "PDF is not read"),
    (b"\x89PNG", "an image is not read"),
    (b"\xff\xd8\xff", "an image is not read"),
    (b"GIF8", "an image is not read"),
    (b"II*\x00", "an image is not read"),
    (b"MM\x00*", "an image is not read"),
    (b"PK\x03\x04", "a packed or office document is not read"),
    (b"\xd0\xcf\x11\xe0", "an office document is not read"),
)


@dataclass(frozen=True, slots=True)
class AttachmentText:
    """What an attachment says, or why it could not be read; `cut`: only its head was read (rules 11.15)."""

    text: str
    readable: bool
    reason: str
    cut: bool


def attachment_text(
    content_type: str, data_base64: str | None, *, charset: str | None = None
) -> AttachmentText:
    """The text of one base64 attachment, at most 256 kB of it; never raises (rules 11.15)."""
    kind, declared = _split_content_type(content_type)
    if kind and kind not in _PLAIN | _HTML | _RTF:
        return _unread(_type_reason(kind))
    if not isinstance(data_base64, str) or not data_base64.strip():
        return _unread("no data in the attachment")
    packed = "".join(data_base64.split())
    cut = len(packed) > RAW_CAP // 3 * 4
    try:
        raw = base64.b64decode(packed[: RAW_CAP // 3 * 4], validate=True)
    except (binascii.Error, ValueError):
        return _unread("broken base64")
    return _decoded(kind, raw, charset or declared, cut)


def _decoded(kind: str, raw: bytes, charset: str, cut: bool) -> AttachmentText:
    for magic, reason in _MAGIC:
        if raw.startswith(magic):
            return _unread(reason)
    text = _decode(raw, charset)
    if text is None:
        return _unread("binary content is not read")
    if looks_like_rtf(text):
        text, more = rtf_to_text(text, TEXT_CAP)
    elif kind in _RTF:
        return _unread("labelled RTF but is not RTF")
    elif kind in _HTML or looks_like_html(text):
        text, more = html_to_text(text, TEXT_CAP)
    else:
        more = False
    size_cut = len(text.encode("utf-8", "replace")) > TEXT_CAP
    if size_cut:
        text = text.encode("utf-8", "replace")[:TEXT_CAP].decode("utf-8", "ignore")
    if not text.strip():
        return AttachmentText("", False, "no text in the attachment", cut or more)
    return AttachmentText(text, True, "", cut or more or size_cut)


def _unread(reason: str) -> AttachmentText:
    return AttachmentText("", False, reason, False)


def _split_content_type(content_type: str) -> tuple[str, str]:
    """Media type and charset parameter, both lower case, of a Content-Type as charted."""
    if not isinstance(content_type, str):
        return "", ""
    kind, _, rest = content_type.lower().partition(";")
    charset = ""
    for part in rest.split(";"):
        name, _, value = part.partition("=")
        if name.strip() == "charset":
            charset = value.strip().strip("\"'")
    return kind.strip(), charset


def _type_reason(kind: str) -> str:
    if kind in {"application/pdf", "application/x-pdf"}:
        return "PDF is not read"
    if kind.startswith("image/"):
        return "an image is not read"
    return f"content type {kind[:60]} is not read"


def _decode(raw: bytes, charset: str) -> str | None:
    """Characters of the bytes: byte order mark, then valid UTF-8, then the declared charset, then cp1252."""
    for mark, name in _BOMS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode(name, "replace")
    declared = _known_charset(charset)
    if declared.startswith("utf-16"):
        return raw.decode("utf-16-le" if declared == "utf-16" else declared, "replace")
    if b"\x00" in raw:
        return _without_mark(raw)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if declared in {"", "utf-8", "ascii", "iso8859-1"}:  # latin-1 as declared is cp1252 in practice
        declared = "cp1252"
    return raw.decode(declared, "replace")


def _known_charset(charset: str) -> str:
    try:
        name = codecs.lookup(charset.strip()).name if charset else ""
    except (LookupError, ValueError):
        return ""
    return name if name in _CHARSETS else ""


def _without_mark(raw: bytes) -> str | None:
    """UTF-16 without a byte order mark: nearly every second byte is nought."""
    head = raw[:4000]
    half = len(head) // 2
    if half and head[1::2].count(0) > 0.7 * half and head[0::2].count(0) == 0:
        return raw.decode("utf-16-le", "replace")
    if half and head[0::2].count(0) > 0.7 * half and head[1::2].count(0) == 0:
        return raw.decode("utf-16-be", "replace")
    return None
