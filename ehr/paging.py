"""One page of an answer: whether it is what was asked for, how much it holds, and where the next one lies.

Sources: FHIR R4 search (3.1.1, paging by an opaque `next` link), smart_fhir 6, T-08 and T-10, hazard H-09.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import msgspec
from msgspec import Raw, Struct

from ehr.address import Address, AddressFault, parse_address, within
from mappings.reading.guard import BadBody, check_body
from mappings.reading.wire import NOTHING, peek, peek_links

_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)


class PageFault(Exception):
    """Why an answer or its `next` link is not used: a closed `code` of `ehr.queries.Fetched` and words for people."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Page:
    """What paging needs to know of one body: how many entries it holds and the text of its `next` link, if any."""

    entries: int
    following: str = ""


class _Body(Struct):
    resourceType: Any = None  # noqa: N815
    entry: Raw = NOTHING
    link: Raw = NOTHING


_body = msgspec.json.Decoder(_Body)


def read_page(body: bytes, wanted: str) -> Page:
    """The outline of a body that should be a `wanted` resource (`Bundle` for a search); raises `PageFault`.

    The body is guarded before anything decodes it, so that a deep one ends no worker.
    """
    try:
        check_body(body)
        outline = _body.decode(body)
    except (BadBody, *_FAULTS):
        raise PageFault("bad", "the EHR's answer could not be read") from None
    if outline.resourceType == "OperationOutcome":
        raise PageFault("bad", "the EHR answered with an error")
    if outline.resourceType != wanted:
        raise PageFault("bad", "the EHR answered with something else than was asked for")
    if wanted != "Bundle":
        return Page(1)
    entries = peek(outline.entry, list[Raw]) or []
    return Page(len(entries), next_of(outline.link))


def next_of(link: Raw) -> str:
    """The address of the `next` page as given; a blank where one is or may be announced without it; else empty."""
    links, all_read = peek_links(link)
    following = [one.url or " " for one in links if one.relation == "next"]
    return following[0] if following else "" if all_read else " "


def checked_next(text: str, base: Address, *, allow_http: bool) -> Address:
    """The `next` page as an address at or below the registered base; raises `PageFault` (T-08).

    The link is opaque: nothing of it is read but where it leads. A relative one is taken from the base.
    """
    if not text.strip():
        raise PageFault("origin", "a further page was announced without its address")
    whole = text if "://" in text else urljoin(base.text.rstrip("/") + "/", text)
    try:
        address = parse_address(whole, allow_http=allow_http, allow_query=True)
    except AddressFault:
        raise PageFault("origin", "the address of a further page cannot be used") from None
    if not within(base, address):
        raise PageFault("origin", "a further page lies outside the registered server")
    return address
