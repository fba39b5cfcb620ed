"""Reads and searches as the FHIR server and the prefetch both do them, switches included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlencode

from sandbox_ehr.fhir.bundles import Pages, PageShelf, searchset
from sandbox_ehr.fhir.records import Records, Resource
from sandbox_ehr.fhir.search import PARAMETERS, Search, read_search, run_search
from sandbox_ehr.switches import SMALL_PAGE, SwitchPanel

Pairs = Sequence[tuple[str, str]]


class FhirService:
    """Answers over the records; `base` is the FHIR base address without a trailing slash."""

    def __init__(self, records: Records, switches: SwitchPanel, base: str) -> None:
        self.records = records
        self.switches = switches
        self.base = base
        self.shelf = PageShelf()

    def understand(self, kind: str, pairs: Pairs) -> Search:
        """A search as understood; raises `SearchFault`."""
        return read_search(kind, pairs, self.base)

    def first_page(
        self, search: Search, pairs: Pairs, holder: str, narrowed: Sequence[Pairs] | None = None
    ) -> Resource:
        """The first page of a search. `narrowed` lists queries of granular scopes of which one has to fit."""
        found = run_search(self.records, search)
        if narrowed is not None:
            found = self._within(search, found, narrowed)
        patient = next(iter(search.patients), "") if search.patients else ""
        if self.switches.now.wrong_patient and search.type == "Observation" and patient:
            found = [*self._strangers(patient), *found]
        size = min(search.count, SMALL_PAGE) if self.switches.now.small_pages else search.count
        pages = Pages(search.type, tuple(found), size, len(found), self.records.shape(patient), holder)
        url = f"{self.base}/{search.type}" + (f"?{urlencode(list(pairs))}" if pairs else "")
        return searchset(self.base, pages, self.shelf, url)

    def later_page(self, kind: str, name: str, holder: str) -> Resource | None:
        """A later page by its opaque name; None where it is unknown or somebody else's."""
        pages = self.shelf.find(name, kind, holder)
        if pages is None:
            return None
        return searchset(self.base, pages, self.shelf, f"{self.base}/{kind}?_page={name}")

    def _within(self, search: Search, found: list[Resource], narrowed: Sequence[Pairs]) -> list[Resource]:
        kept: set[str] = set()
        for query in narrowed:
            known = [(name, text) for name, text in query if name in PARAMETERS[search.type]]
            if len(known) == len(query):
                every = run_search(self.records, replace(self.understand(search.type, known), sort=()))
                kept.update(one["id"] for one in every)
        return [one for one in found if one["id"] in kept]

    def _strangers(self, patient: str) -> list[Resource]:
        """The latest result of another chart, as a faulty index would mix it in."""
        for other in self.records.charts:
            if other != patient:
                return self.records.of_type("Observation", frozenset((other,)))[:1]
        return []
