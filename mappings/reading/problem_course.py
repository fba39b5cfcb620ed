"""What the names of a problem say of the course: a relapse or remission, and whether their words put it after CAR T.

Sources: rules 11.3 (which relapse), 11.9 (what counts as relapse; visit diagnoses do not).
"""

from __future__ import annotations

from functools import lru_cache

from mappings.facts import Certainty, Diagnosis, DiseaseEvent, EventKind, SourceRef
from mappings.reading import wire
from mappings.reading.course_text import read_course

_STATES = ("relapse", "refractory", "remission")


def stated_kinds(names: str) -> frozenset[str]:
    """Relapse, refractory and remission as the names state them; progression is a relapse."""
    return frozenset(kind for kind, _ in _statements(names))


def relapsed_after_car_t(names: str) -> bool:
    """Whether the names say that the disease is back after CAR T ("DLBCL, relapsed after CAR-T")."""
    return any(after and kind != "remission" for kind, after in _statements(names))


@lru_cache(maxsize=4096)
def _statements(names: str) -> tuple[tuple[str, bool], ...]:
    found = []
    for statement in read_course(names).statements:
        kind = "relapse" if statement.kind == "progression" else statement.kind
        if kind in _STATES and statement.certainty == "stated":
            this = statement.about == "this-disease" and statement.time == "current"
            found.append((kind, statement.after_car_t and this))
    return tuple(found)


class _Categories(wire.Struct, gc=False):
    coding: list[wire.Coding] | None = None


def is_visit_only(resource: wire.Resource) -> bool:
    """Whether a Condition is the diagnosis of a visit and not of the problem list."""
    codes = {
        (coding.code or "").strip().lower()
        for concept in wire.peek_list(resource.category, wire.Concept)
        for coding in concept.coding or ()
    }
    return bool(codes & {"encounter-diagnosis", "visit-diagnosis"}) and "problem-list-item" not in codes


def event_of(diagnosis: Diagnosis) -> DiseaseEvent | None:
    """What a Condition says of the course now: relapse, remission, or nothing (`active` alone says nothing, 11.9)."""
    if diagnosis.status == "relapse":
        return _event(EventKind.RELAPSE, diagnosis, "clinicalStatus", current=True)
    if diagnosis.status in ("remission", "resolved", "inactive") or diagnosis.remission_code:
        return _event(EventKind.REMISSION, diagnosis, "clinicalStatus", current=True)
    if diagnosis.relapse_code and not diagnosis.visit_only:
        kind = EventKind.REFRACTORY if diagnosis.coded_state == "refractory" else EventKind.RELAPSE
        return _event(kind, diagnosis, "code", current=diagnosis.after_car_t)
    return None


def _event(kind: EventKind, diagnosis: Diagnosis, element: str, current: bool) -> DiseaseEvent:
    stated = f"clinical status {diagnosis.status}" if element == "clinicalStatus" else diagnosis.label
    return DiseaseEvent(
        kind=kind,
        certainty=Certainty.STATED,
        when=None,
        source=SourceRef(diagnosis.source.reference, element, diagnosis.label),
        current=current,
        words=stated,
        onset=diagnosis.onset,
        recorded=diagnosis.recorded,
    )
