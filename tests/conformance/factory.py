"""Hand-made evaluations for the faces' tests: each part can be replaced, nothing is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cds_hooks.names import CardNames
from mappings.dates import ClinicalDate, parse_date
from mappings.evaluation import (
    AntigenView,
    Assessment,
    Evaluation,
    KnowledgeStamp,
    Missing,
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
    MonitoringResult,
    PatientFacts,
    SeenType,
    SourceRef,
    SpecimenKind,
)

TYPES = (
    "Patient",
    "Condition",
    "Procedure",
    "Observation",
    "MedicationAdministration",
    "MedicationRequest",
    "DiagnosticReport",
)
NAMES = CardNames(
    products={"axicabtagene-ciloleucel": "axi-cel", "lisocabtagene-maraleucel": "liso-cel"},
    needs={
        "glofitamab": ("CD20",),
        "epcoritamab": ("CD20",),
        "loncastuximab-tesirine": ("CD19",),
        "tafasitamab-lenalidomide": ("CD19",),
        "other-cd19-car-t-product": ("CD19",),
    },
)


def day(text: str) -> ClinicalDate:
    """A date that is known to parse."""
    found = parse_date(text)
    assert found is not None
    return found


def result(antigen: Antigen, state: AntigenState, **changes: Any) -> AntigenResult:
    """One reported result on a relapse biopsy."""
    made = AntigenResult(
        antigen=antigen,
        state=state,
        method=Method.FLOW,
        specimen=SpecimenKind.TISSUE,
        specimen_text="Right inguinal node",
        collected=day("2026-11-11"),
        source=SourceRef("DiagnosticReport/r1", "conclusion", "CD19 negative"),
    )
    return replace(made, **changes)


def view(antigen: Antigen, state: AntigenState, because: str = "reported", **changes: Any) -> AntigenView:
    """The view of one antigen, with one result where the state is known."""
    results = () if state is AntigenState.UNKNOWN else (result(antigen, state),)
    return replace(AntigenView(antigen, state, because, results), **changes)


def option(id_: str, label: str, route: Route, **changes: Any) -> OptionMatch:
    """One option with its route."""
    made = OptionMatch(
        option=id_,
        label=label,
        short_name=label.lower(),
        card_group="",
        kind="other",
        route=route,
        why="because",
        rule="CD-8",
        checks=(),
        notes=(),
        evidence=(),
        status=(),
        boxed=(),
        must_say=(),
    )
    return replace(made, **changes)


def options(cd19: Route) -> tuple[OptionMatch, ...]:
    """A few options, those that need CD19 with the route given."""
    group = {"card_group": "CD20xCD3 bispecific antibodies"}
    return (
        option("rebiopsy-antigen-testing", "Repeat biopsy", Route.CONSIDER, short_name="repeat biopsy"),
        option("clinical-trial", "Clinical trial search", Route.CONSIDER, short_name="trial"),
        option("epcoritamab", "Epcoritamab", Route.CONSIDER, **group),
        option("glofitamab", "Glofitamab", Route.CONSIDER, **group),
        option("mosunetuzumab", "Mosunetuzumab", Route.CONSIDER, **group),
        option("odronextamab", "Odronextamab", Route.CONSIDER, **group),
        option(
            "polatuzumab-br",
            "Polatuzumab vedotin with rituximab",
            Route.CONSIDER,
            short_name="polatuzumab",
            given_before="polatuzumab vedotin, 11 Mar 2026 to 22 Apr 2026",
        ),
        option("cd22-car-t-lbcl", "CD22 CAR T (lymphoma)", Route.SPECIALIST, short_name="CD22 CAR T"),
        option("loncastuximab-tesirine", "Loncastuximab tesirine", cd19, short_name="loncastuximab"),
        option("tafasitamab-lenalidomide", "Tafasitamab with lenalidomide", cd19),
        option("tki", "BCR::ABL1 tyrosine kinase inhibitor", Route.OUT_OF_SCOPE),
    )


_CD19 = {
    RelapseCategory.CD19_POSITIVE: (AntigenState.POSITIVE, Route.CONSIDER),
    RelapseCategory.CD19_LOW_OR_PARTIAL: (AntigenState.LOW_OR_PARTIAL, Route.SPECIALIST),
    RelapseCategory.CD19_NEGATIVE: (AntigenState.NEGATIVE, Route.NOT_SUITABLE),
}

INFUSION = CarTInfusion(
    knowledge=CarTKnowledge.PRODUCT_KNOWN,
    product="axicabtagene-ciloleucel",
    label="axicabtagene ciloleucel",
    targets=("CD19",),
    first=day("2026-06-22"),
    last=day("2026-06-22"),
    sources=(SourceRef("MedicationAdministration/m1"),),
)
DLBCL = Diagnosis(
    disease="dlbcl",
    label="Diffuse large B-cell lymphoma",
    scope="in",
    status="relapse",
    recorded=None,
    onset=None,
    source=SourceRef("Condition/c1"),
)


def evaluation(
    category: RelapseCategory = RelapseCategory.CD19_NEGATIVE,
    *,
    assessment: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
    matches: tuple[OptionMatch, ...] | None = None,
) -> Evaluation:
    """An evaluation of one category with sensible parts; `assessment` and `facts` replace fields."""
    cd19, route = _CD19.get(category, (AntigenState.UNKNOWN, Route.NEEDS_RESULT))
    unknown = AntigenState.UNKNOWN
    cd20 = AntigenState.POSITIVE if category in _CD19 else unknown
    made = Assessment(
        category=category,
        branch=None,
        confirmation=Certainty.CONFIRMED,
        antigens=(
            view(Antigen.CD19, cd19, "no result since the infusion"),
            view(Antigen.CD20, cd20, "no result seen"),
            view(Antigen.CD22, unknown, "no result seen"),
        ),
        timing=Timing(142, "91-180 d", False, day("2026-11-11")),
        disease=DLBCL,
        disease_group="lbcl",
        disease_scope="in",
        age_years=63,
        pmbcl=False,
        cns=False,
        anchor=INFUSION,
        trail=(),
        missing=(Missing("HBV serology", "Order HBsAg, anti-HBc and anti-HBs.", "hbv-serology"),),
        conflicts=(),
        set_aside=(),
        unread=(),
        remarks=(),
    )
    made = replace(made, **(assessment or {}))
    read = Facts(
        patient=PatientFacts("p1", birth_date=day("1963-03-03"), sex="female", name="ZZTEST, Alma"),
        seen=tuple(SeenType(name, "complete", 1) for name in TYPES),
        infusions=(INFUSION,),
        monitoring=(
            MonitoringResult("Blood B cells", "0 per µL", day("2026-10-30"), SourceRef("Observation/o1")),
        ),
        newest=day("2026-11-11"),
    )
    return Evaluation(
        assessment=made,
        matches=options(route) if matches is None else matches,
        timeline=(),
        knowledge=KnowledgeStamp("2026-11-22", "0123456789ab", None),
        facts=replace(read, **(facts or {})),
        as_of="2026-11-22T09:14:00+00:00",
        regions=("US", "EU"),
    )
