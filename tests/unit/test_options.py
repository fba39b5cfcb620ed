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
        antigen,
        state,
        Method.FLOW,
        SpecimenKind.TISSUE,
        "lymph node",
        on("2025-05-12"),
        SourceRef("Observation/1"),
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


def fact(
    name: str, state: str = "present", value: str = "as charted", when: str = "2026-01-10"
) -> SafetyFact:
    """A safety fact from the chart."""
    return SafetyFact(name, state, value, on(when), SourceRef("Condition/9"))


CD19_NEEDED = {
    "loncastuximab-tesirine",
    "tafasitamab-lenalidomide",
    "second-cd19-car-t-infusion",
    "cd19-car-nk",
}
BISPECIFICS = {"glofitamab", "epcoritamab", "odronextamab", "mosunetuzumab", "cd20xcd3-bispecific-class"}
ALWAYS = {"rebiopsy-antigen-testing", "clinical-trial", "supportive-palliative-care"}
C = RelapseCategory


@pytest.mark.parametrize(
    ("assessment", "option", "route", "rule", "words"),
    [
        # CD-8: target reported absent, the result is quoted
        (
            case(C.CD19_NEGATIVE),
            "loncastuximab-tesirine",
            Route.NOT_SUITABLE,
            "CD-8",
            "CD19 negative, lymph node, flow",
        ),
        (case(C.CD19_POSITIVE), "loncastuximab-tesirine", Route.CONSIDER, "CD-1", "12 May 2025"),
        (case(C.CD19_LOW_OR_PARTIAL), "loncastuximab-tesirine", Route.SPECIALIST, "CD-4", "low or partial"),
        # CD-7: unknown, with the reason
        (
            case(C.CD19_UNKNOWN),
            "loncastuximab-tesirine",
            Route.NEEDS_RESULT,
            "CD-7",
            "12 days before the infusion",
        ),
        (
            case(C.CD19_UNKNOWN),
            "rebiopsy-antigen-testing",
            Route.CONSIDER,
            "EN-4",
            "12 days before the infusion",
        ),
        (case(C.CD19_UNKNOWN), "polatuzumab-br", Route.CONSIDER, "9.4", "CD79b"),
        # CD-9 and 11.10: CD20 and CD22 by the same logic
        (
            case(cd20=POS),
            "glofitamab",
            Route.CONSIDER,
            "CD-9",
            "CD20 positive, lymph node, flow, 12 May 2025",
        ),
        (case(cd20=UNK), "glofitamab", Route.NEEDS_RESULT, "CD-9", "Needs a CD20 result"),
        (case(cd20=NEG), "glofitamab", Route.NOT_SUITABLE, "CD-9", "target reported absent"),
        (case(cd20=LOW), "glofitamab", Route.SPECIALIST, "11.10", "low or partial"),
        (case(cd20=POS), "cd20-car-t", Route.SPECIALIST, "CD-9", "CD20 positive"),
        (case(cd20=UNK), "cd20-car-t", Route.NEEDS_RESULT, "CD-9", "Needs a CD20 result"),
        (case(cd20=LOW), "cd20-car-t", Route.SPECIALIST, "CD-9", "CD20 low or partial"),
        (case(cd20=NEG), "cd20-car-t", Route.NOT_SUITABLE, "CD-9", "absent"),
        (case(group="b-all", cd22=POS), "inotuzumab", Route.CONSIDER, "CD-9", "CD22 positive"),
        (case(group="b-all", cd22=UNK), "inotuzumab", Route.NEEDS_RESULT, "CD-9", "Needs a CD22 result"),
        (case(group="b-all", cd22=NEG), "inotuzumab", Route.NOT_SUITABLE, "CD-9", "CD22 negative"),
        (case(group="b-all", cd22=NEG), "cd22-car-t-ball", Route.NOT_SUITABLE, "CD-9", "CD22 negative"),
        # the trial decides, unless both targets are gone
        (case(C.CD19_NEGATIVE, cd22=NEG), "cd22-car-t-lbcl", Route.SPECIALIST, "9.5", "trial only"),
        (case(C.CD19_NEGATIVE, cd20=POS), "cd19-cd20-dual-car-t", Route.SPECIALIST, "9.5", "CD20 positive"),
        (
            case(C.CD19_NEGATIVE, cd20=NEG),
            "cd19-cd20-dual-car-t",
            Route.NOT_SUITABLE,
            "11.12",
            "both targets",
        ),
        # 11.17: checkpoint inhibitors
        (case(C.CD19_POSITIVE), "pd1-blockade", Route.CONSIDER, "11.17", "CD19 positive"),
        (case(C.CD19_LOW_OR_PARTIAL), "pd1-blockade", Route.SPECIALIST, "11.17", "CD19 low"),
        (case(C.CD19_UNKNOWN), "pd1-blockade", Route.SPECIALIST, "11.17", "CD19 unknown"),
        (case(C.CD19_UNKNOWN, pmbcl=True), "pd1-blockade", Route.SPECIALIST, "11.17", "CD19 unknown"),
        # 6: drugs for one genetic marker
        (case(group="b-all"), "bcr-abl-tki", Route.NEEDS_RESULT, "6.4", "BCR::ABL1"),
        (case(group="b-all"), "menin-inhibitor", Route.NEEDS_RESULT, "6.4", "KMT2A"),
        # CD-10: lineage switch
        (case(C.LINEAGE_SWITCH, "b-all"), "inotuzumab", Route.NOT_SUITABLE, "CD-10", "lineage"),
        (case(C.LINEAGE_SWITCH, "b-all"), "blinatumomab", Route.OUT_OF_SCOPE, "CD-10", "lineage"),
        (case(C.LINEAGE_SWITCH, "b-all"), "chemoimmunotherapy", Route.CONSIDER, "CD-10", "new lineage"),
        # 11.12: label age
        (case(group="b-all", age=17), "obe-cel", Route.NOT_SUITABLE, "11.12", "Age 17 years"),
        (case(group="b-all", age=18), "obe-cel", Route.SPECIALIST, "CD-1", "CD19 positive"),
        (case(group="b-all", age=9), "other-cd19-car-t-product", Route.SPECIALIST, "CD-1", "CD19 positive"),
        (case(group="b-all", age=0, cd22=POS), "inotuzumab", Route.CONSIDER, "CD-9", "CD22 positive"),
    ],
)
def test_route(assessment: Assessment, option: str, route: Route, rule: str, words: str) -> None:
    """Route, rule and quoted reason of one option."""
    found = match(assessment)[option]
    assert (found.route, found.rule) == (route, rule)
    assert words in found.why
    assert "\n" not in found.why


def test_label_age_counts_only_in_regions_shown() -> None:
    """11.21: not suitable only where every region shown excludes; otherwise a note."""
    young = case(group="b-all", age=20)
    assert match(young, regions=("EU",))["obe-cel"].route is Route.NOT_SUITABLE
    both = match(young)["obe-cel"]
    assert both.route is Route.SPECIALIST
    assert "EU from 26 years" in " ".join(both.notes)
    assert match(young, regions=("US",))["obe-cel"].notes == ()
    child = match(case(group="b-all", age=9))["other-cd19-car-t-product"]
    assert "brexucabtagene-autoleucel US from 18 years" in " ".join(child.notes)
    unknown = match(case(group="b-all", age=None))["obe-cel"]
    assert unknown.route is Route.SPECIALIST
    assert "Age not known" in unknown.notes[0]


@pytest.mark.parametrize("option", ["lenalidomide-based", "tafasitamab-lenalidomide"])
def test_pregnancy_excludes_lenalidomide(option: str) -> None:
    """11.12: only a current pregnancy, and only options that contain lenalidomide."""
    facts = chart(safety=(fact("pregnancy", value="Pregnancy"),))
    found = match(case(), facts)[option]
    assert (found.route, found.rule) == (Route.NOT_SUITABLE, "11.12")
    assert "Pregnancy, 10 Jan 2026" in found.why
    past = chart(safety=(fact("pregnancy", state="absent", value="pregnancy test: negative"),))
    assert match(case(), past)[option].route is Route.CONSIDER
    assert match(case(), facts)["selinexor"].route is Route.CONSIDER


@pytest.mark.parametrize(
    ("name", "option"), [("bcr-abl1-status", "bcr-abl-tki"), ("kmt2a-status", "menin-inhibitor")]
)
def test_marker_opens_or_closes_its_drug(name: str, option: str) -> None:
    """Rules 6: present opens the table's route, absent closes, also after a lineage switch."""
    present, absent = (chart(safety=(fact(name, state=state),)) for state in ("present", "absent"))
    assert match(case(group="b-all"), present)[option].route is Route.CONSIDER
    assert match(case(group="b-all"), absent)[option].route is Route.NOT_SUITABLE
    assert match(case(C.LINEAGE_SWITCH, "b-all"), present)[option].route is Route.SPECIALIST
    assert match(case(C.LINEAGE_SWITCH, "b-all"))[option].route is Route.NEEDS_RESULT


def test_binding_notes() -> None:
    """9.5: firi-cel and background items are never listed; a note on another option goes with it."""
    for category in STATE_OF:
        found = match(case(category))
        assert not {"firi-cel", "sequential-car-t-burkitt-child"} & set(found)
        assert "not salvage" in " ".join(found["pd1-blockade"].notes)


def test_rituximab_note_with_cd20_negative() -> None:
    """11.17."""
    assert "CD20 negative: rituximab is not expected to add." in match(case(cd20=NEG))["polatuzumab-br"].notes
    assert match(case(cd20=UNK))["polatuzumab-br"].notes == ()


def test_availability_by_region() -> None:
    """11.22: rows and notes of the shown regions only."""
    us = match(case(), regions=("US",))["odronextamab"]
    assert us.notes[0].startswith("Not approved in US")
    assert {row["region"] for row in us.status} == {"US"}
    eu = match(case(), regions=("EU",))["odronextamab"]
    assert eu.notes == ()
    assert {row["region"] for row in match(case(), regions=())["glofitamab"].status} == {"US", "EU"}
    assert match(case(group="mcl"))["covalent-btk-inhibitor"].notes[0].startswith("Withdrawn in US")


@pytest.mark.parametrize(
    "changes",
    [
        {"disease_scope": "outside", "disease_group": "mzl"},
        {"disease_scope": "unspecified", "disease_group": "unspecified"},
        {"disease": None, "disease_group": "", "disease_scope": "unspecified"},
        {"branch": Branch.T_CELL_MALIGNANCY},
        {"branch": Branch.T_CELL_MALIGNANCY, "category": C.NO_RELAPSE},
    ],
)
def test_outside_the_rule_set(changes: dict[str, Any]) -> None:
    """11.16 and 7: only re-biopsy, trial and supportive care, without figures."""
    found = match(case(**changes))
    assert set(found) == ALWAYS
    assert all(option.no_evidence and not option.evidence and option.notes for option in found.values())


def test_t_cell_malignancy_asks_for_tissue_and_transgene() -> None:
    """7: tissue, report, transgene test; no word of CD19."""
    for category in (C.NO_RELAPSE, C.CD19_UNKNOWN, C.CD19_NEGATIVE):
        found = match(case(category, branch=Branch.T_CELL_MALIGNANCY))
        assert "transgene" in found["rebiopsy-antigen-testing"].why
        assert {option.rule for option in found.values()} == {"7.2"}
        assert not any("CD19" in option.why for option in found.values())


def test_richter_by_analogy() -> None:
    """11.16: LBCL options as specialist, without figures; nothing becomes freer than in LBCL."""
    plain = match(case(C.CD19_NEGATIVE, cd20=UNK))
    found = match(case(C.CD19_NEGATIVE, cd20=UNK, disease_group="richter", disease_scope="outside"))
    assert set(found) == set(plain)
    for name, option in found.items():
        assert option.no_evidence
        if name not in ALWAYS:
            assert option.route is not Route.CONSIDER
            assert list(Route).index(option.route) >= list(Route).index(plain[name].route)
            assert "By analogy" in " ".join(option.notes)
    hodgkin = Diagnosis(
        "richter", "Richter, Hodgkin type", "outside", "", None, None, SourceRef("Condition/1")
    )
    assert set(match(case(disease=hodgkin, disease_group="richter", disease_scope="outside"))) == ALWAYS


@pytest.mark.parametrize(
    "changes",
    [
        {"category": C.DECEASED},
        {"category": C.NO_RELAPSE},
        {"category": C.NO_RELAPSE, "branch": Branch.PARTIAL_RESPONSE},
        {"category": C.NO_CD19_CAR_T, "branch": Branch.T_CELL_MALIGNANCY},
        {"category": C.NO_LYMPHOID_MALIGNANCY},
        {"category": C.INSUFFICIENT_DATA},
        {"category": C.INSUFFICIENT_DATA, "anchor": None},
    ],
)
def test_no_relapse_no_options(changes: dict[str, Any]) -> None:
    """Categories that name no relapse name no option."""
    assert match(case(**changes)) == {}


def test_infusion_with_unknown_target() -> None:
    """11.7: CD19 options wait for a result, the others may be listed; without a relapse nothing is."""
    unknown = replace(INFUSION, knowledge=CarTKnowledge.TARGET_UNKNOWN, product="", targets=())
    facts = chart(infusions=(unknown,))
    open_target = case(C.INSUFFICIENT_DATA, anchor=None, antigens=case(C.CD19_POSITIVE).antigens)
    found = match(open_target, facts)
    assert {found[name].route for name in CD19_NEEDED} == {Route.NEEDS_RESULT}
    assert {found[name].rule for name in CD19_NEEDED} == {"11.7"}
    assert found["loncastuximab-tesirine"].why.startswith(
        "Needs product and target of the CAR T cells first: CD19"
    )
    assert found["pd1-blockade"].why.startswith("CAR T target not recorded; CD19 positive")
    assert not found["rebiopsy-antigen-testing"].why.endswith("2025")
    assert found["glofitamab"].route is Route.CONSIDER
    assert match(replace(open_target, confirmation=Certainty.NONE), facts) == {}


def test_cns_branch_keeps_options_with_their_check() -> None:
    """7: isolated CNS relapse names local practice first on every option."""
    found = match(case(C.CD19_UNKNOWN, branch=Branch.CNS, cns=True))
    assert all("neuro-oncology" in option.notes[0] for option in found.values())
    check = next(check for check in found["glofitamab"].checks if check.fact == "cns-disease")
    assert check.value != "not seen"


def test_given_before_quotes_dates_and_changes_no_route() -> None:
    """What was given is noted; an order is not."""
    course = PriorTherapy(
        "glofitamab",
        "glofitamab",
        ("cd20xcd3",),
        ("CD20",),
        on("2025-02-04"),
        on("2025-04-01"),
        "completed",
        (SourceRef("MedicationAdministration/1"),),
    )
    found = match(case(), chart(therapies=(course,)))
    assert found["glofitamab"].given_before == "glofitamab, 04 Feb 2025 to 01 Apr 2025"
    assert found["glofitamab"].route is Route.CONSIDER
    assert found["epcoritamab"].given_before == ""
    assert found["other-cd19-car-t-product"].given_before == "axi-cel, 10 Jan 2025"
    ordered = replace(course, administered=False)
    assert match(case(), chart(therapies=(ordered,)))["glofitamab"].given_before == ""


def test_recent_bendamustine_is_named_on_car_t_options() -> None:
    """6, FL: recent bendamustine hurts later CAR T."""
    facts = chart(safety=(fact("prior-bendamustine", value="bendamustine, 03 Nov 2025"),))
    found = match(case(group="fl"), facts)
    assert "bendamustine, 03 Nov 2025" in " ".join(found["second-cd19-car-t-infusion"].notes)
    assert "bendamustine" not in " ".join(found["lenalidomide-based"].notes)


def test_every_check_is_listed_seen_or_not() -> None:
    """H-38: a check without value says so; one with a value shows date and source."""
    facts = chart(safety=(fact("hbsag", "value", "negative"), fact("lvef", "value", "55 %")))
    for option in match(case(), facts).values():
        asked = KNOWLEDGE.option(option.option).check_before
        assert [check.fact for check in option.checks] == [row.fact for row in asked]
        for check in option.checks:
            assert check.value
            if check.fact == "hbv-serology":
                assert "negative, 10 Jan 2026" in check.value
                assert check.values[0].source.reference == "Condition/9"
            if check.fact == "lvef":
                assert check.value == "55 %, 10 Jan 2026"
            if check.fact == "igg":
                assert check.value == "not seen"
    age = next(c for c in match(case())["other-cd19-car-t-product"].checks if c.fact == "age")
    assert age.value == "60 years"


def test_marks_of_a_result_are_quoted() -> None:
    """11.1, 11.6: band, preliminary and on treatment stand beside the quoted result."""
    antigens = (view(Antigen.CD19, POS, band=True, preliminary=True, on_treatment=True), *case().antigens[1:])
    why = match(case(antigens=antigens))["loncastuximab-tesirine"].why
    assert "preliminary" in why
    assert "not validated" in why
    assert "on treatment" in why
    gone = (replace(view(Antigen.CD19, UNK), before="before loncastuximab: positive"), *case().antigens[1:])
    said = match(case(C.CD19_UNKNOWN, antigens=gone))["loncastuximab-tesirine"].why
    assert "before loncastuximab: positive" in said
