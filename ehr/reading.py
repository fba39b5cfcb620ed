"""What was read from a server as one chart: the pages of each query in one Bundle, marked with how the read ended.

The same code serves the hook service, which fills gaps of a prefetch with it, and the app's own reads.
Sources: rules 11.5 (what has been seen), T-11 (wrong type from a lying server), hazards H-08, H-09, H-11.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ehr.queries import Fetched, ReadState
from mappings.facts import Remark
from mappings.reading.decode import Decoded, ReadNote, decode_tolerantly
from mappings.reading.seen import may_be_whole
from mappings.reading.wire import Entry, HookRequest, Link, Raw, Resource, peek_list

_SEEN = {
    ReadState.COMPLETE: "complete",
    ReadState.INCOMPLETE: "incomplete",
    ReadState.FAILED: "not-seen",
}
_OTHER_RECORD = "the EHR answered with another record than was asked for"
_OTHER_TYPES = "the EHR answered with entries of another type"


def charts_from(fetched: Mapping[str, Fetched], *, fhir_base: str = "") -> Decoded:
    """The chart that reads brought, by their keys; `fhir_base` is the server whose absolute references are its own."""
    decoded = Decoded(request=HookRequest(fhirServer=fhir_base) if fhir_base else None)
    for key, one in fetched.items():
        add_read(decoded, key, one)
    return decoded


def add_read(decoded: Decoded, key: str, one: Fetched, *, onto: Resource | None = None) -> None:
    """Puts the pages of one read under its key, after the entries of `onto` if given, and notes how it ended.

    What is of another type than asked for is set aside: it makes the read incomplete, and no other type complete. A
    record of another id than asked for is not taken.
    """
    kind, state, reason = one.query.type, _SEEN[one.state], one.reason
    bodies = [decode_tolerantly(page, key, decoded) for page in one.pages]
    if onto is not None or one.query.search or one.query.url:
        merged = _merged(([onto] if onto is not None else []) + [body for body in bodies if body is not None])
        if _set_others_aside(merged, kind, decoded) and state == "complete":
            state, reason = "incomplete", _OTHER_TYPES
        if one.pages or onto is not None:
            decoded.keys[key] = merged
            state = "incomplete" if state == "not-seen" and onto is not None else state
    elif bodies:
        found = bodies[0]
        if found is not None and f"{found.resourceType}/{found.id}" == one.query.path:
            decoded.keys[key] = found
        else:
            state, reason = "not-seen", _OTHER_RECORD
    decoded.fetched[key] = ReadNote(kind, state, reason)


def _merged(pages: list[Resource]) -> Resource:
    """One searchset of all pages: the first one's `self` link, the largest `total` that any announced."""
    totals = [page.total for page in pages if page.total is not None]
    own = [link for page in pages[:1] for link in peek_list(page.link, Link) if link.relation == "self"]
    return Resource(
        resourceType="Bundle",
        type=next((page.type for page in pages if not may_be_whole(page)), Raw(b'"searchset"')),
        total=max(totals, default=None),
        link=Raw(msgspec.json.encode(own)),
        entry=[entry for page in pages for entry in page.entry or ()],
    )


def _set_others_aside(bundle: Resource, kind: str, decoded: Decoded) -> int:
    """Takes matches of another type out of a searchset; says how many there were."""
    kept: list[Entry] = []
    others = 0
    for entry in bundle.entry or ():
        included = entry.search is not None and entry.search.mode not in (None, "match")
        found = entry.resource.resourceType if entry.resource is not None else None
        if included or found in (None, kind, "OperationOutcome", "Unreadable"):
            kept.append(entry)
        else:
            others += 1
    bundle.entry = kept
    if others:
        words = f"{others} entries that are no {kind} came in answer to a search for it and are not read"
        decoded.remarks.append(Remark("set-aside", words, None, code="wrong-type"))
    return others
