"""Options for one patient: a row for each rule, with the shipped knowledge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mappings.dates import ClinicalDate, parse_date
from mappings.deciding.options import match_options
from mappings.evaluation import (
    AntigenView,
    Assessment,
    Branch,
    OptionMatch,
    RelapseCategory,
    Route,
    Timing,
)
from mappings.facts import (
    Antigen,
    AntigenResult,
    AntigenState,
    CarTInfusion,
    CarTKnowledge,
    Certainty,
    Diagnosis,
    Facts,
    Method,
    PatientFacts,
    PriorTherapy,
    SafetyFact,
    SourceRef,
    SpecimenKind,
)
from mappings.loading import load_knowledge

KNOWLEDGE = load_knowledge()
BOTH = ("US", "EU")
STATE_OF = {
    RelapseCategory.CD19_POSITIVE: AntigenState.POSITIVE,
    RelapseCategory.CD19_LOW_OR_PARTIAL: AntigenState.LOW_OR_PARTIAL,
    RelapseCategory.CD19_NEGATIVE: AntigenState.NEGATIVE,
}
POS, LOW, NEG, UNK = AntigenState


def on(text: str) -> ClinicalDate:
    """A date that must be readable."""
    day = parse_date(text)
    assert day is not None
    return day


AS_OF = on("2026-02-01T12:00:00Z")
INFUSION = CarTInfusion(
    CarTKnowledge.PRODUCT_KNOWN,
    "axicabtagene-ciloleucel",
    "axi-cel",
    ("CD19",),
    on("2025-01-10"),
    on("2025-01-10"),
    (SourceRef("Procedure/1"),),
)


def view(antigen: Antigen, state: AntigenState, **more: Any) -> AntigenView:
    """A state resting on one flow result of a lymph node of 12 May 2025, or unknown with a reason."""
    if state is UNK:
        return AntigenView(antigen, state, "last one was collected 12 days before the infusion", **more)
    result = AntigenResult(
        antigen, state, Method.FLOW, SpecimenKind.TISSUE, "lymph node", on("2025-05-12"), SourceRef("Observation/1")
    )
    return AntigenView(antigen, state, "", (result,), **more)


def case(
    category: RelapseCategory = RelapseCategory.CD19_POSITIVE,
    group: str = "lbcl",
    cd20: AntigenState = POS,
    cd22: AntigenState = UNK,
    age: int | None = 60,
    **more: Any,
) -> Assessment:
    """An assessment; CD19 follows the category."""
    values: dict[str, Any] = {
        "category": category,
        "branch": None,
        "confirmation": Certainty.CONFIRMED,
        "antigens": (
            view(Antigen.CD19, STATE_OF.get(category, UNK)),
            view(Antigen.CD20, cd20),
            view(Antigen.CD22, cd22),
        ),
        "timing": Timing(120, "91-180", False),
        "disease": Diagnosis(group, group, "in", "relapse", None, None, SourceRef("Condition/1")),
        "disease_group": group,
        "disease_scope": "in",
        "age_years": age,
        "pmbcl": False,
        "cns": False,
        "anchor": INFUSION,
        "trail": (),
        "missing": (),
        "conflicts": (),
        "set_aside": (),
        "unread": (),
        "remarks": (),
    }
    values.update(more)
    return Assessment(**values)


def chart(**more: Any) -> Facts:
    """A chart with the infusion and whatever is added."""
    return Facts(patient=PatientFacts("p"), seen=(), **{"infusions": (INFUSION,), **more})


def match(
    assessment: Assessment, facts: Facts | None = None, regions: tuple[str, ...] = BOTH
) -> dict[str, OptionMatch]:
    """The matches by option id."""
    found = match_options(assessment, facts or chart(), KNOWLEDGE, regions, AS_OF)
    return {option.option: option for option in found}


def fact(name: str, state: str = "present", value: str = "as charted", when: str = "2026-01-10") -> SafetyFact:
    """A safety fact from the chart."""
    return SafetyFact(name, state, value, on(when), SourceRef("Condition/9"))
