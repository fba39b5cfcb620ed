"""Whom a Reference names: by its reference, by a logical identifier, or not at all (rules 11.14; H-01).

Sources: FHIR R4 Reference.identifier ("at least one of reference, identifier and display"), Patient.identifier.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from mappings.reading import wire
from mappings.reading.chart import reference_key
from mappings.reading.decode import Decoded
from mappings.reading.wire import Raw, Reference, Resource

Identifiers = Mapping[str, frozenset[str]]
"""Values by system, as one person's record states them."""


class _Identifier(wire.Struct, gc=False):
    system: str | None = None
    value: str | int | None = None


def _pairs(raw: Raw) -> list[tuple[str, str]]:
    """(system, value) of each identifier that states both; a value keeps its capitals, since ids may differ in them."""
    made = []
    for one in wire.peek_list(raw, _Identifier):
        system = (one.system or "").strip().rstrip("/").lower()
        value = "" if one.value is None else str(one.value).strip()
        if system and value:
            made.append((system, value))
    return made


def identifiers_of(*stated: Raw) -> dict[str, frozenset[str]]:
    """The identifiers of one person by system, of one or several `identifier` elements."""
    made: dict[str, frozenset[str]] = {}
    for raw in stated:
        for system, value in _pairs(raw):
            made[system] = made.get(system, frozenset()) | {value}
    return made


def same_person(identifier: Raw, known: Identifiers) -> bool | None:
    """Whether an identifier is one of the known; None where they have no system in common."""
    said = None
    for system, value in _pairs(identifier):
        if system in known:
            if value not in known[system]:
                return False
            said = True
    return said


def names_person(owner: Reference | None, mine: Container[str], known: Identifiers) -> bool | None:
    """Whether a Reference names the person of `mine` (`Patient/id`) and `known`; None where it does not tell.

    A reference goes before an identifier; where the two contradict each other it is somebody else's.
    """
    if owner is None:
        return None
    by_identifier = same_person(owner.identifier, known) if owner.identifier else None
    if owner.reference is None:
        return by_identifier
    return reference_key(owner.reference) in mine and by_identifier is not False


def patient_identifiers(decoded: Decoded, patient_id: str) -> dict[str, frozenset[str]]:
    """The identifiers of the Patient with this id, wherever in the input it stands; empty where it was not given."""
    found: list[Resource] = []
    for value in decoded.keys.values():
        if value is not None:
            found += [value, *(entry.resource for entry in value.entry or () if entry.resource is not None)]
    return identifiers_of(
        *(r.identifier for r in found if r.resourceType == "Patient" and r.id == patient_id)
    )
