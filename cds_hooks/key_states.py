"""In which state a prefetch key came: the table of CDS Hooks 2.0.1 prefetch, told apart before anything is read.

Sources: CDS Hooks 2.0.1 "Prefetch", rules 11.5, hazards H-01, H-08, H-09.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from cds_hooks.needs import Need
from ehr.paging import next_of
from mappings.reading.chart import reference_key
from mappings.reading.decode import Decoded
from mappings.reading.owner import PatientLink
from mappings.reading.seen import key_states, missing_entries, patient_names
from mappings.reading.wire import Resource, peek_list

Row = tuple[str, str, str]


class KeyState(StrEnum):
    """How one key was given. `withheld`: the EHR itself says that it left something out; `elsewhere`: absent here,
    and another key holds a complete set of the type."""

    ABSENT = "absent"
    NULL = "null"
    COMPLETE = "complete"
    OUTCOME = "outcome"
    CUT = "cut"
    WITHHELD = "withheld"
    WRONG_TYPE = "wrong-type"
    OTHER_PATIENT = "other-patient"
    ELSEWHERE = "elsewhere"

    @property
    def wants_read(self) -> bool:
        """Whether the FHIR server should be asked; an OperationOutcome means that it was, and would say the same."""
        return self in (
            KeyState.ABSENT,
            KeyState.NULL,
            KeyState.CUT,
            KeyState.WRONG_TYPE,
            KeyState.OTHER_PATIENT,
        )


def states_of(decoded: Decoded, needs: Sequence[Need], patient_id: str) -> dict[str, KeyState]:
    """The state of each key of the needs."""
    own = _own_references(decoded, patient_id)
    names = patient_names(decoded, patient_id)
    rows = {
        key: tuple(key_states(key, value, names)) if value is not None else ()
        for key, value in decoded.keys.items()
    }
    states = {}
    for need in needs:
        state = _own_state(decoded, need, rows.get(need.key, ()), own)
        missing = state in (KeyState.ABSENT, KeyState.NULL, KeyState.WRONG_TYPE)
        states[need.key] = KeyState.ELSEWHERE if missing and _elsewhere(decoded, need, rows, own) else state
    return states


def _own_references(decoded: Decoded, patient_id: str) -> frozenset[str]:
    """`Patient/id` of this patient and of older records that this one replaces (rules 11.14)."""
    own = f"Patient/{patient_id}"
    links = [
        link
        for value in decoded.keys.values()
        if value is not None and value.resourceType == "Patient" and value.id == patient_id
        for link in peek_list(value.link, PatientLink)
    ]
    older = (link.other.reference for link in links if link.type == "replaces" and link.other is not None)
    return frozenset({own, *(reference_key(reference) for reference in older)})


def _own_state(decoded: Decoded, need: Need, rows: Iterable[Row], own: frozenset[str]) -> KeyState:
    value = decoded.keys.get(need.key)
    if value is None:
        return KeyState.NULL if need.key in decoded.keys else KeyState.ABSENT
    if value.resourceType == "OperationOutcome":
        return KeyState.OUTCOME
    if need.type == "Patient":
        return _patient_state(value, own)
    if value.resourceType != "Bundle":
        return KeyState.WRONG_TYPE
    state = next((state for kind, state, _ in rows if kind == need.type), None)
    if state is None:
        return KeyState.WRONG_TYPE
    if _only_strangers(value, need.type, own):
        return KeyState.OTHER_PATIENT
    if state == "complete":
        return KeyState.COMPLETE
    return KeyState.CUT if next_of(value.link) or missing_entries(value) else KeyState.WITHHELD


def _patient_state(value: Resource, own: frozenset[str]) -> KeyState:
    patients = [one for one in _resources(value) if one.resourceType == "Patient"]
    if not patients:
        return KeyState.WRONG_TYPE
    return KeyState.COMPLETE if any(_is_patient(one, own) for one in patients) else KeyState.OTHER_PATIENT


def _is_patient(one: Resource, own: frozenset[str]) -> bool:
    return one.resourceType == "Patient" and f"Patient/{one.id}" in own


def _resources(value: Resource) -> list[Resource]:
    if value.resourceType != "Bundle":
        return [value]
    return [entry.resource for entry in value.entry or () if entry.resource is not None]


def _elsewhere(decoded: Decoded, need: Need, rows: Mapping[str, Iterable[Row]], own: frozenset[str]) -> bool:
    """Whether another key holds a complete set of the type (rules 11.5: whatever the key is called)."""
    for key, value in decoded.keys.items():
        if key == need.key or value is None:
            continue
        if need.type == "Patient":
            if any(_is_patient(one, own) for one in _resources(value)):
                return True
        elif any(kind == need.type and state == "complete" for kind, state, _ in rows[key]):
            return not _only_strangers(value, need.type, own)
    return False


def _only_strangers(bundle: Resource, kind: str, own: frozenset[str]) -> bool:
    """Whether there are entries of the type and all say that they are of another patient (H-01)."""
    strangers = False
    for resource in _resources(bundle):
        if resource.resourceType != kind:
            continue
        owner = resource.subject or resource.patient
        if owner is None or not owner.reference or reference_key(owner.reference) in own:
            return False
        strangers = True
    return strangers
