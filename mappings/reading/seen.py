"""What was seen of each resource type: only a type seen in full may be answered with *no*.

Sources: rules 11.5; CDS Hooks 2.0.1 prefetch states; hazards H-08, H-09.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl

from mappings.facts import SeenType
from mappings.reading import wire
from mappings.reading.chart import Chart
from mappings.reading.decode import Decoded
from mappings.reading.fhir_types import FHIR_TYPES
from mappings.reading.wire import Resource

# What a key of plain meaning holds (rules 11.5, contract "Prefetch keys").
KEY_TYPES = {
    "patient": ("Patient",),
    "conditions": ("Condition",),
    "problems": ("Condition",),
    "procedures": ("Procedure",),
    "observations": ("Observation",),
    "medicationAdministrations": ("MedicationAdministration",),
    "medicationRequests": ("MedicationRequest",),
    "medications": ("MedicationAdministration", "MedicationRequest"),
    "medicationStatements": ("MedicationStatement",),
    "serviceRequests": ("ServiceRequest",),
    "reports": ("DiagnosticReport",),
    "diagnosticReports": ("DiagnosticReport",),
    "documents": ("DocumentReference",),
    "familyHistory": ("FamilyMemberHistory",),
}
DECIDING_TYPES = ("Condition", "Procedure", "MedicationAdministration", "Observation", "DiagnosticReport")
_COMPLETE_CODES = frozenset({"4101", "4119"})
# FHIR issue types that, as mere information, take nothing away; of any other something may be missing.
_HARMLESS = frozenset(
    {"informational", "success", "not-found", "not-supported", "duplicate", "extension", "code-invalid"}
    | {"invalid", "invariant", "required", "structure", "value"}
)
# Bundle types that can hold a whole answer; a history holds versions and deletions, other types a part.
_WHOLE = frozenset(
    {"", "searchset", "collection", "document", "message", "batch", "transaction"}
    | {"batch-response", "transaction-response"}
)


class _Issue(wire.Struct, gc=False):
    code: str | None = None
    severity: str | None = None
    details: wire.Concept | None = None


def what_was_seen(decoded: Decoded, chart: Chart) -> dict[str, SeenType]:
    states: dict[str, list[tuple[str, str]]] = {}
    names = patient_names(decoded, chart.patient_id)
    for kind, state, reason in _all_states(decoded, names):
        states.setdefault(kind, []).append((state, reason))
    states["Patient"] = [("complete", "")] if chart.patient is not None else [_no_patient(decoded)]
    seen = {}
    for kind, rows in states.items():
        complete = any(state == "complete" for state, _ in rows)
        partial = any(state in ("complete", "incomplete") for state, _ in rows)
        reason = "" if complete else next((reason for _, reason in rows if reason), "")
        state = "complete" if complete else "incomplete" if partial else "not-seen"
        given = chart.counts.get(kind, 0)
        if given and chart.strangers_by_type.get(kind, 0) == given:
            state, reason = "not-seen", "only entries of another patient were given"
        seen[kind] = SeenType(kind, state, given, reason)
    for kind in DECIDING_TYPES:
        seen.setdefault(kind, SeenType(kind, "not-seen", 0, "not given"))
    return seen


def _all_states(decoded: Decoded, names: frozenset[str]) -> Iterator[tuple[str, str, str]]:
    """What all keys say; where a key was read from a server, how that ended goes before what its content looks like."""
    for key, value in decoded.keys.items():
        note = decoded.fetched.get(key)
        rows = key_states(key, value, names)
        if note is None:
            yield from rows
            continue
        if note.state == "complete" and value is not None and value.resourceType != "Bundle":
            continue  # one record read by its id says nothing of its type as a whole
        told = note.state != "complete"
        yield from (row for row in rows if not (told and row[0] == note.type))
        if told:
            yield note.type, note.state, note.reason
    for key, note in decoded.fetched.items():
        if key not in decoded.keys:
            yield note.type, note.state, note.reason


def _no_patient(decoded: Decoded) -> tuple[str, str]:
    reasons = (note.reason for note in decoded.fetched.values() if note.type == "Patient")
    return "not-seen", next((reason for reason in reasons if reason), "not given")


def key_states(
    key: str, value: Resource | None, names: frozenset[str] = frozenset()
) -> Iterator[tuple[str, str, str]]:
    """What one key says of the types it holds: rows of (type, state, reason); `names` are those of `patient_names`."""
    types = KEY_TYPES.get(key, ())
    if value is None:
        yield from ((kind, "not-seen", "the EHR sent null") for kind in types)
        return
    if value.resourceType == "OperationOutcome":
        yield from ((kind, "not-seen", "the EHR answered with an error") for kind in types)
        return
    if value.resourceType != "Bundle":
        if value.resourceType == "Unreadable":
            yield from ((kind, "incomplete", "could not be read") for kind in types)
        elif not types and value.resourceType:
            yield value.resourceType, "incomplete", "a single resource was given"
        return
    entries = value.entry or []
    held = {
        entry.resource.resourceType: True
        for entry in entries
        if _is_match(entry)
        and entry.resource
        and entry.resource.resourceType not in (None, "", "OperationOutcome")
    }
    for entry in entries if "Bundle" in held else ():
        if entry.resource is not None and entry.resource.resourceType == "Bundle":
            yield from key_states(key, entry.resource, names)
    short = _cut_short(value, entries) or _another_patient(value, names)
    beside = _another_type(value, types)
    for kind in dict.fromkeys((*types, *held, *_self_types(value))):
        by_key = kind in types and (not held or any(other in held for other in types))
        if kind in held or by_key or not held:
            reason = short or (beside if kind in types else "")
            yield kind, "incomplete" if reason else "complete", reason


def _is_match(entry: wire.Entry) -> bool:
    return entry.search is None or entry.search.mode in (None, "match")


def patient_names(decoded: Decoded, patient_id: str) -> frozenset[str]:
    """What this patient is called in the searches a server says it ran: the id, and any name of an answer that holds
    entries of this patient (behind a proxy a server may know them by another).
    """
    own = f"Patient/{patient_id}"
    names = {patient_id}
    for value in decoded.keys.values():
        first = value.entry[0].resource if value is not None and value.entry else None
        owner = first.subject or first.patient if first is not None else None
        if value is not None and owner is not None and (owner.reference or "").endswith(own):
            names.update(name for _, asked in _searches(value) for name in asked)
    return frozenset(names)


def _searches(bundle: Resource) -> Iterator[tuple[str, list[str]]]:
    """Type and patients of the search a server says it ran."""
    for link in wire.peek_links(bundle.link)[0]:
        if link.relation == "self" and link.url:
            path, _, search = link.url.partition("?")
            asked = [value for name, value in parse_qsl(search) if name in ("patient", "subject")]
            yield path.rstrip("/").rsplit("/", 1)[-1], [one.rsplit("/", 1)[-1] for one in asked]


def _another_patient(bundle: Resource, names: frozenset[str]) -> str:
    """Why a searchset is not of this patient, by the search the server says it ran; or empty."""
    told = any(not names.issuperset(asked) for _, asked in _searches(bundle)) if names else False
    return "the EHR says that it looked for another patient" if told else ""


def _another_type(bundle: Resource, types: tuple[str, ...]) -> str:
    """Why a searchset does not answer for the types of its key, by the search the server says it ran; or empty."""
    told = any(kind in FHIR_TYPES and kind not in types for kind, _ in _searches(bundle)) if types else False
    return "the EHR says that it looked for another type" if told else ""


def _self_types(bundle: Resource) -> list[str]:
    types = []
    for link in wire.peek_links(bundle.link)[0]:
        if link.relation == "self" and link.url:
            last = link.url.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
            if last[:1].isupper() and last.isalpha():
                types.append(last)
    return types


def missing_entries(bundle: Resource) -> int:
    """How many entries a searchset announces beyond those it holds; nought where it announces none."""
    given = sum(1 for entry in bundle.entry or () if _counts(entry))
    return max(0, (bundle.total or 0) - given)


def _counts(entry: wire.Entry) -> bool:
    kind = entry.resource.resourceType if entry.resource is not None else None
    return kind is not None and kind != "OperationOutcome" and _is_match(entry)


def _cut_short(bundle: Resource, entries: list[wire.Entry]) -> str:
    """Why a searchset is not the whole answer, or empty (rules 11.5, hazard H-09)."""
    links, all_read = wire.peek_links(bundle.link)
    if any(link.relation == "next" for link in links):
        return "more pages were announced than were given"
    if not all_read:
        return "a link of the answer, which may lead to more pages, could not be read"
    if not may_be_whole(bundle):
        return "the answer is of a kind that does not hold all entries"
    matches = 0
    reasons: set[str] = set()
    for entry in entries:
        resource = entry.resource
        if resource is None or resource.resourceType not in FHIR_TYPES:
            reasons.add("an entry could not be read")
        elif resource.resourceType == "OperationOutcome":
            reasons.add(_withheld(resource))
        elif _is_match(entry):
            matches += 1
    reasons.discard("")
    if reasons:
        return min(reasons)
    if bundle.total is not None and bundle.total < 0:
        return "the number of results announced is below nought"
    if bundle.total is not None and bundle.total > matches:
        return f"{bundle.total} results were announced and {matches} given"
    return ""


def may_be_whole(bundle: Resource) -> bool:
    """Whether a Bundle is of a type that can hold all there is; a type that cannot be read is none."""
    if not bundle.type or bytes(bundle.type).strip() == b"null":
        return True
    kind = wire.peek(bundle.type, str)
    return kind is not None and kind.strip().lower() in _WHOLE


def _withheld(outcome: Resource) -> str:
    issues = wire.peek_list(outcome.issue, _Issue)
    if not issues or len(issues) != len(wire.peek(outcome.issue, list[wire.Raw]) or issues):
        return "the EHR said something of its answer that could not be read"
    for issue in issues:
        codes = {
            (coding.code or "").strip() for coding in (issue.details.coding or () if issue.details else ())
        }
        if codes and codes <= _COMPLETE_CODES:
            continue
        if issue.severity in ("information", "success") and not codes and issue.code in _HARMLESS:
            continue
        return "the EHR withheld part of the answer"
    return ""
