"""What the page reads of a chart, under the rights that were granted: a type that was withheld is not even asked for.

Source: smart_fhir access rules; rules 11.5 (only a type seen in full may be answered with *no*).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from cds_hooks.needs import NEEDS, queries, words_of
from ehr.queries import Fetched, Query, ReadState
from ehr.references import key_at_site, of_another_patient
from ehr.site import Site
from smart_app.launch.scopes import Grant, Scopes

MOST_REFERENCES = 60
WITHHELD = "the EHR did not grant the right to read it"
NARROWED = "the EHR grants a part of it only"
_EXTRA_WORDS = {"Medication": "medication products", "Specimen": "specimens"}


def words_for(query: Query) -> str:
    """How a query is called to a clinician."""
    return _EXTRA_WORDS.get(query.type) or words_of(query.type)


def chart_queries(patient: str) -> tuple[Query, ...]:
    """The first round: the patient record and one search per type, the same queries as the hook service names.

    Open orders are not among them: the app neither checks orders nor suggests any.
    """
    return queries(patient, *(need.type for need in NEEDS if not need.on_orders))


def allowed(wanted: Iterable[Query], scopes: Scopes) -> tuple[tuple[Query, ...], dict[str, Fetched]]:
    """The queries to ask, and what stands for those whose type was withheld."""
    asked, withheld = [], {}
    for query in wanted:
        if scopes.grant(query.type) is Grant.WITHHELD:
            withheld[query.key] = Fetched(query, ReadState.FAILED, (), WITHHELD, "no-right")
        else:
            asked.append(query)
    return tuple(asked), withheld


def narrowed(fetched: Mapping[str, Fetched], scopes: Scopes) -> dict[str, Fetched]:
    """What came, with each type marked incomplete that the EHR granted in part only."""
    return {
        key: replace(one, state=ReadState.INCOMPLETE, reason=NARROWED, code="no-right")
        if one.state is ReadState.COMPLETE and scopes.grant(one.query.type) is Grant.PART
        else one
        for key, one in fetched.items()
    }


def referred_queries(fetched: Mapping[str, Fetched], site: Site, patient: str) -> tuple[Query, ...]:
    """The second round: Medication and Specimen records of this site that the first round points at and did not bring.

    What another patient's record points at is not asked for (H-01, T-11).
    """
    pointed: dict[str, str] = {}
    brought: set[str] = set()
    for one in fetched.values():
        for _, head in resources_of(one):
            brought.add(f"{head.resourceType}/{head.id}")
            owner = head.subject.get("reference") if isinstance(head.subject, dict) else None
            if isinstance(owner, str) and of_another_patient(owner, patient):
                continue
            for kind, value in (("Medication", head.medicationReference), ("Specimen", head.specimen)):
                for item in value if isinstance(value, list) else (value,):
                    reference = item.get("reference") if isinstance(item, dict) else None
                    path = key_at_site(reference, kind, site) if isinstance(reference, str) else ""
                    if path:
                        pointed[path] = kind
    wanted = [path for path in pointed if path not in brought][:MOST_REFERENCES]
    return tuple(Query(f"referred-{path}", pointed[path], path) for path in wanted)


def records_of(fetched: Mapping[str, Fetched]) -> dict[str, bytes]:
    """The records of a chart by `Type/id`, as the EHR wrote them."""
    records: dict[str, bytes] = {}
    for one in fetched.values():
        for raw, head in resources_of(one):
            if isinstance(head.resourceType, str) and isinstance(head.id, str):
                records[f"{head.resourceType}/{head.id}"] = raw
    return records


class Head(msgspec.Struct):
    """The members of a resource that finding and following need; whatever their types are."""

    resourceType: Any = None  # noqa: N815
    id: Any = None
    medicationReference: Any = None  # noqa: N815
    specimen: Any = None
    subject: Any = None


class _Entry(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw(b"null")


class _Bundle(msgspec.Struct):
    resourceType: Any = None  # noqa: N815
    entry: list[msgspec.Raw] | None = None


_head = msgspec.json.Decoder(Head).decode
_entry = msgspec.json.Decoder(_Entry).decode
_bundle = msgspec.json.Decoder(_Bundle).decode
_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)


def resources_of(fetched: Fetched) -> Iterator[tuple[bytes, Head]]:
    """Each resource in the pages of an answer with its head; what cannot be read is passed over here.

    Reading for the evaluation is done elsewhere and passes nothing over.
    """
    for page in fetched.pages:
        try:
            bundle = _bundle(page)
            raws = (
                [page]
                if bundle.resourceType != "Bundle"
                else [_entry(raw).resource for raw in bundle.entry or ()]
            )
        except _FAULTS:
            continue
        for raw in raws:
            try:
                yield bytes(raw), _head(raw)
            except _FAULTS:
                continue
