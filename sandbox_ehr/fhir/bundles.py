"""Search answers as Bundles, page by page, in the habits of the chart's vendor."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from sandbox_ehr.fhir.records import Resource
from sandbox_ehr.patients.chart import Shape

_EPIC_ISSUES = "urn:oid:1.2.840.114350.1.13.0.1.7.2.657369"
_MAY_BE_PARTIAL = (
    "This response includes information available to the authorized user at the time of the request. It may not "
    "contain the entire record available in the system."
)
_KEPT_PAGES = 500


def operation_outcome(severity: str, code: str, text: str) -> Resource:
    """An OperationOutcome with one issue."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": severity, "code": code, "diagnostics": text}],
    }


def _epic_outcome(number: str, code: str, text: str) -> Resource:
    coding = {"system": _EPIC_ISSUES, "code": number, "display": text[:60]}
    issue = {"severity": "warning", "code": code, "details": {"coding": [coding], "text": text}}
    return {"resource": {"resourceType": "OperationOutcome", "issue": [issue]}, "search": {"mode": "outcome"}}


@dataclass(frozen=True, slots=True)
class Pages:
    """What is left of one search: the rest of its answers, its type, page size and shape, and who asked."""

    type: str
    rest: tuple[Resource, ...]
    size: int
    total: int
    shape: str
    holder: str


class PageShelf:
    """Keeps the rest of searches under opaque names; the oldest are forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Pages] = OrderedDict()

    def keep(self, pages: Pages) -> str:
        """An opaque name for the rest of a search."""
        name = secrets.token_urlsafe(24)
        with self._lock:
            self._kept[name] = pages
            while len(self._kept) > _KEPT_PAGES:
                self._kept.popitem(last=False)
        return name

    def find(self, name: str, kind: str, holder: str) -> Pages | None:
        """The rest of a search of this type and holder, or None."""
        with self._lock:
            pages = self._kept.get(name)
        return pages if pages and pages.type == kind and pages.holder == holder else None


def searchset(base: str, pages: Pages, shelf: PageShelf, self_url: str) -> Resource:
    """The next page of a search as a Bundle, with an opaque next link where more is left."""
    now, rest = pages.rest[: pages.size], pages.rest[pages.size :]
    links: list[dict[str, str]] = [{"relation": "self", "url": self_url}]
    if rest and pages.size:
        later = Pages(pages.type, rest, pages.size, pages.total, pages.shape, pages.holder)
        links.append({"relation": "next", "url": f"{base}/{pages.type}?_page={shelf.keep(later)}"})
    entries: list[dict[str, Any]] = [
        {
            "fullUrl": f"{base}/{one['resourceType']}/{one['id']}",
            "resource": one,
            "search": {"mode": "match"},
        }
        for one in now
    ]
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset"}
    if pages.shape == Shape.EPIC:
        bundle["total"] = len(now)
        if entries:
            entries.append(_epic_outcome("4119", "suppressed", _MAY_BE_PARTIAL))
        else:
            entries.append(_epic_outcome("4101", "processing", "Resource request returns no results."))
    elif pages.shape == Shape.HAPI:
        bundle["total"] = pages.total
    bundle["link"] = links
    if entries:
        bundle["entry"] = entries
    return bundle
