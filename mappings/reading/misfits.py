"""What is of a form FHIR does not allow: what can be saved of it, its remark, and that no negative rests on it.

Sources: rules 11.5 (unreadable is not *no*); hazards H-08, H-11, H-43 (only what decides holds an answer back).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, get_args, get_origin

import msgspec

from mappings.facts import Remark, SeenType, SourceRef
from mappings.reading import wire
from mappings.reading.chart import Chart

MISFIT = "misfit"
LONG_TEXT = "long-text"
"""Code of the remark that only the beginning of a text was read."""
NAMELESS = "nameless"
"""Code of the remark that an entry does not say what it is."""
DECIDING = frozenset(
    {"resourceType", "subject", "patient", "status", "code", "medicationCodeableConcept"}
    | {"clinicalStatus", "verificationStatus", "conclusion", "conclusionCode", "presentedForm"}
)
"""Members that say what a resource is, whose it is, and whether it holds."""
_HOLDING = (MISFIT, LONG_TEXT, NAMELESS)
_NAMED_BY = {
    "Medication": ("MedicationAdministration", "MedicationStatement", "MedicationRequest"),
    "DocumentReference": ("DiagnosticReport",),
}
_REASON = "an entry could not be read in full"


def misfit_remark(reference: str, members: Collection[str]) -> Remark:
    """The one remark on a resource's misfit members; its source names those that decide, and only those."""
    return Remark(
        "unread",
        f"of a form FHIR does not allow, left out in whole or in part: {', '.join(members)}",
        SourceRef(reference, ", ".join(name for name in members if name in DECIDING)),
        code=MISFIT,
    )


def save_concept(value: Any) -> wire.Concept | None:
    """What can be read of a CodeableConcept of a wrong form: its texts, and codings whose parts are texts."""
    if isinstance(value, str):
        return wire.Concept(text=value)
    if not isinstance(value, dict):
        return None
    codings = value.get("coding")
    items = codings if isinstance(codings, list) else []
    kept = [_save_coding(item) for item in items if isinstance(item, dict)]
    return wire.Concept(coding=kept, text=_text(value.get("text")))


def _save_coding(item: Mapping[str, Any]) -> wire.Coding:
    """A coding of which system or code is no text keeps its name alone: one without the other says nothing."""
    system, code, display = (_text(item.get(name)) for name in ("system", "code", "display"))
    if any(item.get(name) is not None and _text(item[name]) is None for name in ("system", "code")):
        return wire.Coding(display=display)
    return wire.Coding(system, code, display)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def read_concept(raw: wire.Raw) -> tuple[wire.Concept | None, bool]:
    """An undecoded CodeableConcept, or what can be saved of it, and whether all of it is of the right form."""
    concept = wire.peek(raw, wire.Concept)
    if concept is not None or not raw:
        return concept, True
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return None, False
    return save_concept(value), value is None


def fits(raw: wire.Raw, kind: Any) -> bool:
    """Whether an undecoded element is of a form, where it is there at all; a single item stands for an array of one."""
    if not raw or bytes(raw).strip() == b"null" or wire.peek(raw, kind) is not None:
        return True
    return get_origin(kind) is list and wire.peek(raw, get_args(kind)[0]) is not None


def hold_back(chart: Chart, remarks: Iterable[Remark]) -> tuple[SeenType, ...]:
    """What was seen, by type; never *complete* where a member that decides could not be read.

    It may have been the disease, the infusion or the relapse (rules 11.5). A laboratory value whose name is recognised
    by the rest of its code decides none of them and holds nothing back (H-43).
    """
    rows = tuple(chart.seen[kind] for kind in sorted(chart.seen))
    misfits = [r.source for r in (*chart.remarks, *remarks) if r.code in _HOLDING and r.source is not None]
    deciding = [source for source in misfits if source.element]
    if not deciding:
        return rows
    plain = {f"{resource.resourceType}/{resource.id}" for resource, _ in chart.lab_values if resource.id}
    held: set[str] = set()
    for source in deciding:
        if source.element == "code" and source.reference in plain:
            continue
        kind = source.reference.split("/")[0]
        held |= {kind, *_NAMED_BY.get(kind, ())}
    return tuple(
        replace(row, state="incomplete", reason=_REASON)
        if row.state == "complete" and row.type in held
        else row
        for row in rows
    )
