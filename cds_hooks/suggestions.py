"""Suggestions on cards: one draft order for a test that would settle what is not known; nothing else is ever proposed.

Sources: CDS Hooks 2.0.1 (suggestion, action); rules EN-2, EN-4, CD-1, CD-7, CD-9; hazard H-49. A suggestion creates one
ServiceRequest with status draft for the context's patient: no dose, no system action. No verified LOINC code orders a
stain of tissue (rules 11.18), so the request is text.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fhir.resources.R4B.servicerequest import ServiceRequest

from cds_hooks.facts_digest import facts_digest
from cds_hooks.plain import all_of
from mappings.dates import before
from mappings.evaluation import AntigenView, Evaluation, RelapseCategory, Route
from mappings.facts import (
    Antigen,
    AntigenState,
    Certainty,
    DiseaseEvent,
    EventKind,
    SourceRef,
    SpecimenKind,
)
from mappings.orders import DraftOrder, OrderRole

SELECTION = "at-most-one"
"""How many suggestions of one card may be taken (CDS Hooks 2.0.1, selectionBehavior)."""

_NAMESPACE = uuid.UUID("1b0e6a52-7c14-5d0a-9a55-7d4f0c3f2a61")
_FHIR_ID = re.compile(r"[A-Za-z0-9.-]{1,64}\Z")
_REFERENCE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}\Z")
_INTENTS = ("order", "proposal")
_OPEN = frozenset({"draft", "active", "on-hold", "unknown", ""})


@dataclass(frozen=True, slots=True)
class _Test:
    """One test to draft: what it is called, on which antigens, and the report that shows the block."""

    kind: str
    label: str
    description: str
    text: str
    antigens: tuple[str, ...]
    shown_by: SourceRef | None = None


def suggestions_for(
    evaluation: Evaluation,
    patient_id: str,
    *,
    intent: str = "order",
    encounter_id: str | None = None,
    existing: Iterable[DraftOrder] = (),
    call: str = "",
    digest: str = "",
) -> list[dict[str, Any]]:
    """The suggestions of a card, empty where nothing is open or a matching order is there already (H-49).

    `existing` are drafts and open orders of the chart. `intent` is `order` or `proposal` (site setting); another value
    is a `ValueError`. A patient id that FHIR does not allow gives none. Every resource has passed the R4B model.
    The uuid rests on the facts alone, or with `call` (the hook instance) on both: then a call repeated keeps it and
    no other call has it.
    `digest` is that of the facts, where it was made already.
    """
    if intent not in _INTENTS:
        raise ValueError("intent must be order or proposal")
    if not _FHIR_ID.match(patient_id):
        return []
    test = _test_for(evaluation)
    if test is None or any(_covers(order, test, evaluation) for order in existing):
        return []
    resource = _service_request(test, evaluation, patient_id, intent, encounter_id)
    basis = f"{digest or facts_digest(evaluation)}|{patient_id}|{test.kind}|{intent}|{call}"
    return [
        {
            "label": test.label,
            "uuid": str(uuid.uuid5(_NAMESPACE, basis)),
            "actions": [{"type": "create", "description": test.description, "resource": resource}],
        }
    ]


def with_suggestions(card: dict[str, Any], suggestions: list[dict[str, Any]]) -> dict[str, Any]:
    """The card with its suggestions; without any it stays as it is (2.0.1: no empty arrays)."""
    if not suggestions:
        return card
    return {**card, "suggestions": suggestions, "selectionBehavior": SELECTION}


def _test_for(evaluation: Evaluation) -> _Test | None:
    """The test that would settle what is open: a stain of the block of this relapse where one is there, else a biopsy."""
    assessment = evaluation.assessment
    offered = any(m.kind == "testing" and m.route is Route.CONSIDER for m in evaluation.matches)
    if not offered or assessment.category is RelapseCategory.LINEAGE_SWITCH:
        return None
    if assessment.confirmation is Certainty.NONE or assessment.branch is not None:
        return None  # no relapse to test, or a branch with a path of its own (rules 7)
    unknown = [view for view in assessment.antigens if _is_open(view, evaluation)]
    suspected = assessment.confirmation is Certainty.SUSPECTED
    if not unknown and not suspected:
        return None
    block = None if suspected else _block(evaluation, unknown)
    return _biopsy() if block is None else _stain(unknown, block)


def _is_open(view: AntigenView, evaluation: Evaluation) -> bool:
    """Whether an antigen is not known and asked for: CD20 is not in B-ALL (gaps)."""
    if view.state is not AntigenState.UNKNOWN:
        return False
    return view.antigen is not Antigen.CD20 or evaluation.assessment.disease_group != "b-all"


def _biopsy() -> _Test:
    names = all_of([antigen.value for antigen in Antigen])
    return _Test(
        kind="biopsy",
        label=f"Draft a tissue biopsy order with {names}",
        description=f"Creates one draft order: tissue biopsy (or marrow) with {names}. Nothing is signed.",
        text=f"Tissue biopsy (or bone marrow) with {names} by flow cytometry or immunohistochemistry",
        antigens=tuple(antigen.value for antigen in Antigen),
    )


def _stain(unknown: list[AntigenView], block: SourceRef) -> _Test:
    antigens = tuple(view.antigen.value for view in unknown)
    names = all_of(list(antigens))
    return _Test(
        kind=f"stain-{'-'.join(antigens).lower()}",
        label=f"Draft {names} staining of the existing block",
        description=f"Creates one draft order: {names} on tissue that is already there. Nothing is signed.",
        text=f"{names} by immunohistochemistry on the existing tissue block of this relapse",
        antigens=antigens,
        shown_by=block,
    )


def _block(evaluation: Evaluation, unknown: list[AntigenView]) -> SourceRef | None:
    """Where tissue of this relapse is shown that no later therapy against the open antigens outdates; else None.

    A result without a state, or results that disagree, are not settled by staining again; what was not tested may be.
    """
    if not unknown or any(view.discordant or not all(r.untested for r in view.results) for view in unknown):
        return None
    open_names = {view.antigen.value for view in unknown}
    given = [t for t in evaluation.facts.therapies if t.administered and open_names & set(t.voids)]
    places = [
        (result.collected, result.source)
        for view in evaluation.assessment.antigens
        for result in view.results
        if result.specimen is SpecimenKind.TISSUE and not result.collected_is_bound
    ]
    places += [(event.when, event.source) for event in _tissue_events(evaluation)]
    for day, source in sorted(
        places, key=lambda row: (row[0].text if row[0] else "", row[1].reference), reverse=True
    ):
        if day is not None and all(t.last is not None and before(t.last, day) is True for t in given):
            return source
    return None


def _tissue_events(evaluation: Evaluation) -> list[DiseaseEvent]:
    """Reports of malignant cells in tissue taken after the infusion and in the present episode (rules 11.3)."""
    anchor, timing = evaluation.assessment.anchor, evaluation.assessment.timing
    if anchor is None or anchor.last is None or timing.relapse_date is None:
        return []
    return [
        event
        for event in evaluation.facts.events
        if event.kind is EventKind.MALIGNANT_CELLS
        and event.certainty is Certainty.CONFIRMED
        and event.site == SpecimenKind.TISSUE.value
        and not event.in_note
        and event.when is not None
        and before(anchor.last, event.when) is True
        and event.when.last >= timing.relapse_date.first
    ]


def _covers(order: DraftOrder, test: _Test, evaluation: Evaluation) -> bool:
    """Whether an order that is there asks for this test already; one from before the infusion does not."""
    if order.resource != "ServiceRequest" or order.problem or order.status not in _OPEN:
        return False
    if order.role in (OrderRole.TREATMENT, OrderRole.COLLECTION):
        return False  # CD19 CAR T names the antigen and tests none
    anchor = evaluation.assessment.anchor
    infused = anchor.last if anchor is not None else None
    if infused is not None and order.authored is not None and before(order.authored, infused) is True:
        return False
    if test.kind == "biopsy" and order.biopsy:
        return True
    return set(test.antigens) <= set(order.antigens)


def _service_request(
    test: _Test, evaluation: Evaluation, patient_id: str, intent: str, encounter_id: str | None
) -> dict[str, Any]:
    resource: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": intent,
        "code": {"text": test.text},
        "subject": {"reference": f"Patient/{patient_id}"},
        "reasonCode": [{"text": _reason(evaluation, test)}],
    }
    if encounter_id is not None and _FHIR_ID.match(encounter_id):
        resource["encounter"] = {"reference": f"Encounter/{encounter_id}"}
    if test.shown_by is not None and _REFERENCE.match(test.shown_by.reference):
        resource["supportingInfo"] = [{"reference": test.shown_by.reference}]
    ServiceRequest.model_validate(resource)
    return resource


def _reason(evaluation: Evaluation, test: _Test) -> str:
    suspected = evaluation.assessment.confirmation is Certainty.SUSPECTED
    relapse = "Suspected relapse" if suspected else "Relapse"
    after = "CD19 CAR T" if evaluation.assessment.anchor is not None else "CAR T"
    open_ = [view.antigen.value for view in evaluation.assessment.antigens if _is_open(view, evaluation)]
    return f"{relapse} after {after}; not known: {', '.join(open_)}" if open_ else f"{relapse} after {after}"
