"""Resources that a chart only points to and that decide what it means: the drug given, the specimen of a tumour marker.

They are read one by one, a few at most, and only at or below the registered base (T-08). What stays unread is named
by the core ("names its drug by a reference that was not given").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ehr.address import AddressFault, parse_address, within
from ehr.queries import Fetched, Query
from ehr.reading import add_read
from ehr.site import Site
from mappings.facts import Antigen
from mappings.reading.chart import reference_key
from mappings.reading.decode import Decoded
from mappings.reading.orders import medications_pointed_to
from mappings.reading.recognise import label_of
from mappings.reading.wire import Concept, Raw, Reference, Resource, Struct, peek

MOST_REFERENCES = 10
_KEY = re.compile(r"(Medication|Specimen)/(?!\.+$)[A-Za-z0-9.-]{1,128}")
_MARKERS = re.compile("|".join(antigen.value for antigen in Antigen), re.IGNORECASE)
_DRUGS = ("MedicationAdministration", "MedicationRequest")


def missing_references(decoded: Decoded, site: Site, patient: str = "") -> tuple[Query, ...]:
    """Reads of what is pointed to and not given; never more than ten.

    Drugs of draft orders come first, even where a display names them, since a check may rest on their code alone; then
    drugs that were administered. Records of another patient are not followed (H-01, T-11).
    """
    asked = peek(decoded.request.context, _Context) if decoded.request is not None else None
    if asked is not None and isinstance(asked.patientId, str):
        patient = patient or asked.patientId
    held: set[str] = set()
    pointing: dict[str, list[Resource]] = {kind: [] for kind in (*_DRUGS, "Observation")}
    markers: dict[str | None, bool] = {None: False}
    for resource in _resources(decoded):
        kind = resource.resourceType or ""
        owner = resource.subject or resource.patient
        if owner is not None and of_another_patient(owner.reference, patient):
            continue
        if kind == "Observation":
            if resource.specimen and _is_marker(resource.code, markers):
                pointing[kind].append(resource)
        elif kind in ("Medication", "Specimen"):
            held.add(f"{kind}/{resource.id}")
        elif kind in pointing and resource.medicationReference:
            pointing[kind].append(resource)
    context = decoded.request.context if decoded.request is not None else b""
    drafted = [key_at_site(one.reference, "Medication", site) for one in medications_pointed_to(context)]
    keys = [*drafted, *(_wanted(one, site) for many in pointing.values() for one in many)]
    wanted = list(dict.fromkeys(key for key in keys if key and key not in held))
    return tuple(Query(key, key.partition("/")[0], key) for key in wanted[:MOST_REFERENCES])


def _is_marker(code: Concept | None, known: dict[str | None, bool]) -> bool:
    """Whether a code's own words name a tumour marker; each text is looked at once."""
    if code is None:
        return False
    for text in (code.text, *[coding.display for coding in code.coding or ()]):
        named = known.get(text)
        if named is None:
            named = known[text] = _MARKERS.search(text or "") is not None
        if named:
            return True
    return False


def add_references(decoded: Decoded, fetched: Mapping[str, Fetched]) -> None:
    """Puts what was read under keys of its own; what was not is noted. No type looks complete by one record of it."""
    for key, one in fetched.items():
        add_read(decoded, key, one)


def _wanted(resource: Resource, site: Site) -> str:
    """`Type/id` of what this resource leaves to a reference and needs; empty where it says enough itself."""
    if resource.resourceType in _DRUGS:
        named = bool(label_of(resource.medicationCodeableConcept))
        return "" if named else _own_key(resource.medicationReference, "Medication", site)
    return _own_key(resource.specimen, "Specimen", site)


def of_another_patient(subject: str | None, patient: str) -> bool:
    """Whether a subject names a patient, and not the one asked for; an unnamed or unusual subject is not judged here."""
    key = reference_key(subject)
    return bool(patient) and key.startswith("Patient/") and key != f"Patient/{patient}"


class _Context(Struct):
    patientId: Any = None  # noqa: N815


def _own_key(raw: Raw, kind: str, site: Site) -> str:
    reference = peek(raw, Reference)
    return (
        key_at_site(reference.reference, kind, site)
        if reference is not None and not reference.display
        else ""
    )


def key_at_site(text: str | None, kind: str, site: Site) -> str:
    """`Type/id` of a reference that may be read at this site; empty for another type, a contained one, and any address
    outside the registered base: the same id on another server is another record (T-08).
    """
    if not text or text.startswith("#"):
        return ""
    key = reference_key(text)
    if not _KEY.fullmatch(key) or not key.startswith(f"{kind}/"):
        return ""
    return key if "://" not in text or _within_base(text, site) else ""


def _within_base(text: str, site: Site) -> bool:
    try:
        base = parse_address(site.fhir_base, allow_http=site.test)
        return within(base, parse_address(text, allow_http=site.test))
    except AddressFault:
        return False


def _resources(decoded: Decoded) -> Iterator[Resource]:
    for value in decoded.keys.values():
        if value is not None and value.resourceType == "Bundle":
            yield from (entry.resource for entry in value.entry or () if entry.resource is not None)
        elif value is not None:
            yield value
