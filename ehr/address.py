"""Web addresses as parsed values: the only way this product compares where something goes to or comes from.

Prefix comparison of texts sent tokens of others to `https://good.example.evil.org`; parsers that disagree about a
host do the same. So an address that any usual parser might read in another way is refused here, and what is left is
compared by scheme, host, port and whole path segments (T-05, T-07, T-08; RFC 3986, RFC 5891).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import unquote_to_bytes

import idna

MAX_LENGTH = 4096

_SHAPE = re.compile(r"([A-Za-z]+)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?", re.DOTALL)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_PATH = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)*")
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", re.DOTALL)
_PORTS = {"https": 443, "http": 80}
_DECODING_ROUNDS = 3


class AddressFault(ValueError):
    """Why a text is no acceptable address; `code` is a closed label, the text never repeats the address."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Address:
    """An http(s) address in one spelling: lower-case ASCII host, explicit port, path as segments.

    A trailing slash adds no segment. `text` is what to request: normalised origin, path and query as given.
    """

    scheme: str
    host: str
    port: int
    path: tuple[str, ...]
    text: str = field(compare=False)
    query: str = ""

    @property
    def origin(self) -> str:
        """Scheme, host and, if it is not the usual one, port, as a browser writes an origin (RFC 6454)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")

    @property
    def loopback(self) -> bool:
        """Whether the host is this machine itself by name or number."""
        return _is_loopback(self.host)


def parse_address(text: str, *, allow_http: bool = False, allow_query: bool = False) -> Address:
    """The one reading of an absolute http(s) address; raises `AddressFault` where readers could differ.

    http is taken only with `allow_http` and a loopback host (test sites).
    """
    if not isinstance(text, str) or not text:
        raise AddressFault("empty", "an address is needed")
    if len(text) > MAX_LENGTH:
        raise AddressFault("too-long", f"an address has at most {MAX_LENGTH} characters")
    if any(char <= " " or char == "\\" or "\x7f" <= char <= "\xa0" for char in text):
        raise AddressFault("characters", "an address has no blanks, control characters or backslashes")
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise AddressFault("scheme", "an address begins with https://")
    scheme, authority, path_text, query, fragment = shape.groups()
    scheme = scheme.lower()
    if scheme not in _PORTS:
        raise AddressFault("scheme", "an address begins with https://")
    if fragment is not None:
        raise AddressFault("fragment", "an address here has no # part")
    if query is not None and not (allow_query and query.isascii()):
        raise AddressFault("query", "an address here has no ? part")
    host, port = _read_authority(authority, _PORTS[scheme])
    if scheme == "http" and not (allow_http and _is_loopback(host)):
        raise AddressFault("http", "http is allowed for test sites on loopback only; use https")
    bare = Address(scheme, host, port, _read_path(path_text), "", query or "")
    tail = path_text or ("/" if query is not None else "")
    full = bare.origin + tail + ("" if query is None else f"?{query}")
    return Address(scheme, host, port, bare.path, full, bare.query)


def same_origin(a: Address, b: Address) -> bool:
    """Whether scheme, host and port are equal (RFC 6454)."""
    return (a.scheme, a.host, a.port) == (b.scheme, b.host, b.port)


def within(base: Address, other: Address) -> bool:
    """Whether `other` lies at or below `base`: same origin, and its path begins with all segments of the base."""
    return same_origin(base, other) and other.path[: len(base.path)] == base.path


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or bool(re.fullmatch(r"127(?:\.[0-9]{1,3}){3}", host))


def _read_authority(authority: str, usual_port: int) -> tuple[str, int]:
    if "@" in authority:
        raise AddressFault("user-info", "an address has no user or password before the host")
    if authority.startswith("["):
        inner, bracket, rest = authority[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise AddressFault("host", "the IPv6 address is not well formed")
        return _read_ipv6(inner), _read_port(rest[1:] if rest else None, usual_port)
    host, colon, port = authority.partition(":")
    return _read_host(host), _read_port(port if colon else None, usual_port)


def _read_port(text: str | None, usual: int) -> int:
    if text is None:
        return usual
    if not re.fullmatch(r"[1-9][0-9]{0,4}", text) or int(text) > 65535:
        raise AddressFault("port", "a port is a number from 1 to 65535")
    return int(text)


def _read_ipv6(text: str) -> str:
    try:
        address = IPv6Address(text)
    except AddressValueError as fault:
        raise AddressFault("host", "the IPv6 address is not well formed") from fault
    # An IPv4 address in IPv6 clothes reaches a host that the plain spelling names: one host, one spelling.
    holds_ipv4 = int(address) >> 32 in (0, 0xFFFF) and address != IPv6Address("::1")
    if "%" in text or holds_ipv4 or address.sixtofour or address.teredo:
        raise AddressFault("host", "the IPv6 address has a zone or hides an IPv4 address")
    return address.compressed


def _read_host(text: str) -> str:
    host = text.removesuffix(".")
    if not host:
        raise AddressFault("host", "an address needs a host")
    if not host.isascii():
        host = _to_ascii(host)
    host = host.lower()
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise AddressFault("host", "the host is not a well-formed name")
    if _ENDS_IN_NUMBER.fullmatch(host):
        return _read_ipv4(host)
    return host


def _read_ipv4(host: str) -> str:
    """Dotted decimal only: decimal, octal, hexadecimal and short forms are read in different ways."""
    try:
        address = IPv4Address(host)
    except AddressValueError as fault:
        raise AddressFault("host", "a numeric host is four decimal numbers with dots") from fault
    if address.is_unspecified:
        raise AddressFault("host", "0.0.0.0 is not a host to call")
    return str(address)


def _to_ascii(host: str) -> str:
    # IDNA 2008 without the mapping of look-alikes (full-width letters and dots become ASCII under UTS 46).
    try:
        return idna.encode(host.lower(), strict=True, std3_rules=True).decode()
    except idna.IDNAError as fault:
        raise AddressFault("host", "the host is not a well-formed international name") from fault


def _read_path(text: str) -> tuple[str, ...]:
    if not _PATH.fullmatch(text) or text.startswith("//"):
        raise AddressFault("path", "the path has characters that must be percent-encoded, or begins with //")
    segments = tuple(text.split("/")[1:])
    if any(_is_devious(segment) for segment in segments):
        raise AddressFault("path", "the path has dot segments or encoded slashes")
    return segments[:-1] if segments and not segments[-1] else segments


def _is_devious(segment: str) -> bool:
    """Whether some server may read the segment as `.`, `..`, as several segments or as a control character."""
    raw = segment.encode()
    for _ in range(_DECODING_ROUNDS):
        if raw.split(b";")[0] in (b".", b"..") or re.search(rb"[/\\\x00-\x1f\x7f]", raw):
            return True
        decoded = unquote_to_bytes(raw)
        if decoded == raw:
            return False
        raw = decoded
    return True
