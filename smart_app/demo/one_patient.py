"""One patient's chart read from an open server, with what each search brought or why it did not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cds_hooks.needs import queries
from ehr.queries import Fetched, ReadState
from ehr.reading import charts_from
from ehr.references import add_references, missing_references
from mappings.reading.decode import Decoded
from smart_app.demo.open_server import OpenServer
from smart_app.launch.queries import resources_of

_WORDS = {ReadState.COMPLETE: "complete", ReadState.INCOMPLETE: "cut short", ReadState.FAILED: "not read"}


@dataclass(frozen=True, slots=True)
class ReadPatient:
    """A chart as it could be read, and how each read ended."""

    patient: str
    decoded: Decoded
    reads: tuple[Fetched, ...]

    @property
    def found(self) -> bool:
        """Whether the server knows the patient, or showed anything of the chart."""
        return any(one.pages for one in self.reads) and not any(
            one.query.type == "Patient" and one.code == "not-found" for one in self.reads
        )


def read_patient(server: OpenServer, patient: str, seconds: float) -> ReadPatient:
    """The chart of a patient by the same queries and rules as a hook call; each of two rounds may take that long."""
    fetched = dict(server.fetch(queries(patient), seconds))
    decoded = charts_from(fetched, fhir_base=server.base.text)
    pointed = server.fetch(missing_references(decoded, server.site, patient), seconds)
    add_references(decoded, pointed)
    return ReadPatient(patient, decoded, (*fetched.values(), *pointed.values()))


def read_lines(reads: Iterable[Fetched]) -> Iterator[str]:
    """A line for each read: what was asked, how it ended, how many records, and the reason where it fell short."""
    for one in reads:
        asked = one.query.path + ("?…" if one.query.search else "")
        yield f"  {asked:<36} {ending(one)}"


def ending(one: Fetched) -> str:
    """How one read ended, in words."""
    count = records(one)
    status = f", status {one.status}" if one.status and one.state is not ReadState.COMPLETE else ""
    reason = f": {one.reason}" if one.reason else ""
    number = f", {count:,} record{'' if count == 1 else 's'}" if one.pages else ""
    return f"{_WORDS[one.state]}{number}{status}{reason}"


def read_rows(reads: Iterable[Fetched]) -> list[dict[str, Any]]:
    """The same as JSON."""
    return [
        {
            "asked": one.query.path,
            "type": one.query.type,
            "state": one.state.value,
            "code": one.code,
            "reason": one.reason,
            "records": records(one),
            "status": one.status,
        }
        for one in reads
    ]


def records(one: Fetched) -> int:
    """How many records of its type a read brought."""
    return sum(1 for _, head in resources_of(one) if head.resourceType == one.query.type)
