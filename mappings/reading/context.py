"""What surrounds a result: specimen, method, date, status, whom it is about, and what a panel hands down.

Sources: rules CD-2, 11.6 (status), 11.11 (dates), 11.14 (focus), 11.15 (panels).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mappings.dates import ClinicalDate
from mappings.facts import Method, SpecimenKind
from mappings.reading import when, wire
from mappings.reading.chart import Chart, Hit, reference_key
from mappings.reading.recognise import texts_of
from mappings.reading.vocabulary import Vocabulary
from mappings.reading.wire import Resource

VOID = frozenset({"entered-in-error", "cancelled", "registered"})
AMENDED = frozenset({"amended", "corrected", "appended"})
PRELIMINARY = frozenset({"preliminary", "partial"})
_KNOWN = VOID | AMENDED | PRELIMINARY | {"", "final", "unknown", "current", "superseded"}
VOID_SPECIMENS = ("entered-in-error", "unsatisfactory")


@dataclass(frozen=True, slots=True)
class Context:
    """The surroundings of one result."""

    specimen: SpecimenKind
    specimen_text: str
    method: Method
    date: ClinicalDate | None
    date_is_bound: bool
    status: str
    accession: str
    imaging: bool
    pathology: bool
    names: str
    issued: ClinicalDate | None = None
    cns: bool = False
    specimen_status: str = ""
    date_unreadable: bool = False

    @property
    def preliminary(self) -> bool:
        """Whether the result may still be replaced."""
        return self.status in PRELIMINARY

    @property
    def amended(self) -> bool:
        """Whether the result replaces an earlier version."""
        return self.status in AMENDED


@dataclass(slots=True)
class Surroundings:
    """Contexts of all results of a chart, with what members inherit from their panel or report."""

    chart: Chart
    vocabulary: Vocabulary
    parents: dict[str, Hit] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for hit in self.chart.of_type("Observation", "DiagnosticReport"):
            members = (
                hit.resource.hasMember if hit.resource.resourceType == "Observation" else hit.resource.result
            )
            for member in wire.peek_list(members, wire.Reference):
                named = (member.reference or "").strip()
                if named.startswith("#"):
                    named = f"Observation/{hit.resource.id or '?'}{named}"
                target = self.chart.find(named)
                if target is not None and target.id:
                    name = f"{target.resourceType}/{target.id}"
                    if name != hit.reference:
                        self.parents.setdefault(name, hit)

    def of(self, hit: Hit, depth: int = 0) -> Context:
        """The context of a result, completed from its panel or report where it carries nothing itself (11.15)."""
        own = self._own(hit)
        parent = self.parents.get(hit.reference)
        if parent is None or depth > 3 or parent.reference == hit.reference:
            return own
        above = self.of(parent, depth + 1)
        specimen_known = own.specimen is not SpecimenKind.UNSPECIFIED or bool(own.specimen_text)
        dated = own.date_unreadable or (own.date is not None and not own.date_is_bound)
        unreadable = own.date_unreadable or (not dated and above.date_unreadable)
        return replace(
            own,
            specimen=own.specimen if own.specimen is not SpecimenKind.UNSPECIFIED else above.specimen,
            specimen_text=own.specimen_text if specimen_known else above.specimen_text,
            method=own.method if own.method is not Method.UNSPECIFIED else above.method,
            date=None if unreadable else own.date if dated else above.date or own.date,
            date_unreadable=unreadable,
            date_is_bound=own.date_is_bound if dated or above.date is None else above.date_is_bound,
            status=own.status or above.status,
            accession=own.accession or above.accession,
            imaging=own.imaging or above.imaging,
            pathology=own.pathology or above.pathology,
            cns=own.cns or above.cns,
            specimen_status=own.specimen_status or above.specimen_status,
        )

    def void_parent(self, hit: Hit) -> bool:
        """Whether the panel or report a result belongs to was withdrawn."""
        parent = self.parents.get(hit.reference)
        return parent is not None and parent.status in VOID - {"registered"}

    def _own(self, hit: Hit) -> Context:
        resource, vocabulary = hit.resource, self.vocabulary
        names = " ; ".join(texts_of(resource.code))
        specimen_text, accession, specimen_status = self._specimen(resource)
        method_text = " ; ".join(texts_of(wire.peek(resource.method, wire.Concept)))
        specimen = vocabulary.specimen(specimen_text) if specimen_text else SpecimenKind.UNSPECIFIED
        if specimen is SpecimenKind.UNSPECIFIED:
            sites = " ; ".join(texts_of(wire.peek(resource.bodySite, wire.Concept)))
            specimen = vocabulary.specimen(f"{names} ; {sites}")
        if specimen is not SpecimenKind.UNSPECIFIED and vocabulary.specimen(names) is SpecimenKind.BLOOD:
            specimen = SpecimenKind.BLOOD  # the name contradicts the specimen: read as the one that asks more
        method = vocabulary.method(method_text) if method_text else Method.UNSPECIFIED
        if method is Method.UNSPECIFIED:
            method = vocabulary.method(names)
        found = when.collected(resource, self.chart)
        kinds = " ; ".join(
            text for c in wire.peek_list(resource.category, wire.Concept) for text in texts_of(c)
        )
        return Context(
            specimen=specimen,
            specimen_text=specimen_text,
            method=method,
            date=found.date if found else None,
            date_is_bound=found.bound if found else False,
            status=hit.status,
            accession=accession,
            imaging=vocabulary.names_imaging(f"{names} ; {kinds}"),
            pathology=bool(hit.of("immunophenotype-report"))
            or vocabulary.names_pathology(f"{names} ; {kinds}"),
            names=names,
            issued=when.date_at(resource.issued),
            cns=specimen is SpecimenKind.CSF or vocabulary.cns_sites.any_in(f"{specimen_text} ; {names}"),
            specimen_status=specimen_status,
            date_unreadable=found is None and when.unreadable_collection(resource, self.chart),
        )

    def _specimen(self, resource: Resource) -> tuple[str, str, str]:
        texts: list[str] = []
        accession, status = "", ""
        for reference, specimen in when.specimens_of(resource, self.chart):
            if specimen is not None:
                texts.extend(_specimen_texts(specimen))
                if specimen.status in VOID_SPECIMENS:
                    status = status or specimen.status
                identifier = wire.peek(specimen.accessionIdentifier, Identifier)
                accession = accession or (identifier.value if identifier and identifier.value else "")
            if reference.display:
                texts.append(reference.display)
            accession = accession or reference_key(reference.reference)
        return " ; ".join(dict.fromkeys(texts)), accession, status


def status_unknown(hit: Hit) -> bool:
    """Whether a result, report or document has a status that FHIR does not know: it may be void (rules 11.6)."""
    return hit.status not in _KNOWN


def not_this_tumour(context: Context, vocabulary: Vocabulary) -> tuple[str, str]:
    """Why the specimen of a result says nothing of this tumour, and the code of the remark; empty where it may."""
    if context.specimen_status:
        return f"is of a specimen with status “{context.specimen_status}” and proves nothing", "void-specimen"
    if vocabulary.names_other_cancer(context.specimen_text):
        return "is of a specimen of another cancer", "other-cancer"
    return "", ""


class Identifier(wire.Struct, gc=False):
    """FHIR Identifier, value only."""

    value: str | None = None


def _specimen_texts(specimen: Resource) -> Iterator[str]:
    yield from texts_of(wire.peek(specimen.type, wire.Concept))
    collection = when.collection(specimen)
    if collection is not None:
        yield from texts_of(collection.bodySite)


def about_somebody_else(resource: Resource, vocabulary: Vocabulary) -> str:
    """Why a result is not about this patient's own disease (Observation.focus, rules 11.14), or empty."""
    for focus in wire.peek_list(resource.focus, wire.Reference):
        kind = reference_key(focus.reference).split("/")[0]
        if kind in ("RelatedPerson", "Person", "Group", "Device") or (
            kind == "Patient" and _differs(focus, resource)
        ):
            return "is about somebody else (focus is not the patient)"
        if focus.display and vocabulary.others.any_in(focus.display):
            return "is about somebody else (focus names a donor or relative)"
    return ""


def _differs(focus: wire.Reference, resource: Resource) -> bool:
    subject = reference_key(resource.subject.reference if resource.subject else None)
    return bool(subject) and reference_key(focus.reference) != subject
