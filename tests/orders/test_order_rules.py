"""Each order rule in both directions: where it speaks, and where the same order passes in silence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from builders import (
    AS_OF,
    PATIENT,
    RELAPSED,
    administration,
    body,
    bundle,
    condition,
    flow,
    judge,
    knowledge,
    observation,
    order,
    outcome,
    patient,
    prefetch,
    procedure,
    relapsed,
    relapsed_ball,
    report,
    stain,
)
from ordering import checked, drafts, drug, rules, service, standing

from mappings.deciding.order_criteria import CRITERIA
from mappings.deciding.orders import check_orders, looks_at
from mappings.evaluate import evaluate
from mappings.evaluation import Evaluation
from mappings.loading import Limit
from mappings.loading.check_order_rules import CRITERIA as CHECKED_CRITERIA
from mappings.reading.decode import decode_request

LATER, EARLIER = "2025-10-20", "2024-12-01"
BESIDE = {rule.id for rule in knowledge().orders.rules if rule.beside_only}
Given = tuple[Callable[[], Evaluation], tuple[Any, ...], set[str]]


def mcl(*more: Any, **keys: Any) -> Evaluation:
    made = condition("Mantle cell lymphoma", recordedDate=RELAPSED)
    return judge(made, procedure("Brexucabtagene autoleucel infusion"), *more, **keys)


def man() -> Any:
    return patient(gender="male")


def clearance(value: float, when: str = LATER) -> Any:
    quantity = {"value": value, "unit": "mL/min", "system": "http://unitsofmeasure.org", "code": "mL/min"}
    return observation("Creatinine clearance", {"valueQuantity": quantity}, when, id="crcl")


def remission(*more: Any, **keys: Any) -> Evaluation:
    """In remission after CAR T, with what orders ask about read as on the order hooks."""
    given = prefetch(condition(clinical="remission"), procedure(), *more, **keys)
    decoded = decode_request(body(given))
    return evaluate(decoded, knowledge(), patient_id=PATIENT, as_of=AS_OF, safety=True)


def switched() -> Evaluation:
    return relapsed_ball(report("Lineage switch to acute myeloid leukemia.", specimen="Bone marrow biopsy"))


def positive(*more: Any) -> Evaluation:
    return relapsed(stain("Positive"), stain("Positive", "CD20"), *more)


def positive_without_doses() -> Evaluation:
    return relapsed(stain("Positive"), stain("Positive", "CD20"), medicationAdministrations=FAILED)


def _cut(kind: str, *resources: Any) -> Any:
    return bundle(resources, kind, total=900)


ALLO = procedure("Allogeneic stem cell transplant", "2020-01-01", id="allo")
TRANSPLANT = procedure("Stem cell transplant", "2020-01-01", id="sct")
AUTO = procedure("Autologous stem cell transplant", "2020-01-01", id="auto")
PLANNED = order("Allogeneic stem cell transplant", LATER, id="allo-order")
CUT = {**bundle([service("Complete blood count")], "ServiceRequest"), "total": 9}
FAILED = outcome(severity="error")
UNNAMED_DOSE = {
    "resourceType": "MedicationAdministration",
    "id": "unnamed",
    "status": "completed",
    "subject": {"reference": f"Patient/{PATIENT}"},
    "medicationReference": {"reference": "Medication/zz"},
    "effectiveDateTime": LATER,
}
PREGNANT = condition("Pregnancy", "active", id="preg", onsetDateTime="2026-03-01")

TABLE: dict[str, Given] = {
    # CD19
    "cd19 negative, brand": (lambda: relapsed(stain("Negative")), ("Zynlonta",), {"cd19-negative"}),
    "cd19 negative, generic": (
        lambda: relapsed(stain("Negative")),
        ("loncastuximab tesirine",),
        {"cd19-negative"},
    ),
    "cd19 negative, tafasitamab": (
        lambda: relapsed(stain("Negative")),
        ("tafasitamab-cxix",),
        {"cd19-negative"},
    ),
    "cd19 negative, CAR T order": (
        lambda: relapsed(stain("Negative")),
        (service("Breyanzi infusion"),),
        {"cd19-negative"},
    ),
    "cd19 negative, study drug": (
        lambda: relapsed(stain("Negative")),
        ("Anti-CD19 antibody ZZ-101",),
        {"cd19-negative"},
    ),
    "cd19 negative, B-ALL": (lambda: relapsed_ball(flow("Negative")), ("Blincyto",), {"cd19-negative"}),
    "cd19 negative, CAR T of no target": (
        lambda: relapsed(stain("Negative")),
        (service("CAR-T cell infusion"),),
        {"cd19-negative-target-not-stated"},
    ),
    "cd19 positive, CAR T of no target": (
        lambda: relapsed(stain("Positive")),
        (service("CAR-T cell infusion"),),
        set(),
    ),
    "cd19 positive": (lambda: relapsed(stain("Positive")), ("Zynlonta", "tafasitamab"), set()),
    "cd19 low": (lambda: relapsed(stain("Weakly positive")), ("Zynlonta",), {"cd19-low"}),
    "cd19 stale, before CAR T": (
        lambda: relapsed(stain("Positive", when=EARLIER)),
        ("Zynlonta",),
        {"cd19-stale"},
    ),
    "cd19 stale, before blinatumomab": (
        lambda: relapsed(stain("Positive"), administration("Blinatumomab", LATER)),
        ("Zynlonta",),
        {"cd19-stale"},
    ),
    "cd19 not stale, after blinatumomab": (
        lambda: relapsed(
            stain("Positive", when="2025-12-01"), administration("Blinatumomab", LATER, id="blina")
        ),
        ("Zynlonta",),
        set(),
    ),
    "cd19 only ordered does not void": (
        lambda: relapsed(stain("Positive"), order("Blinatumomab", LATER)),
        ("Zynlonta",),
        set(),
    ),
    "cd19 over age": (
        lambda: relapsed(
            stain("Positive", when="2025-05-01"),
            report("Complete remission.", "2025-07-01", "PET/CT", specimen=None, id="pet-cr"),
        ),
        ("Zynlonta",),
        {"cd19-stale"},
    ),
    "cd19 discordant": (
        lambda: relapsed(stain("Positive"), flow("Negative")),
        ("Zynlonta",),
        {"cd19-discordant"},
    ),
    "cd19 unknown": (relapsed, ("Zynlonta",), {"cd19-unknown"}),
    "cd19 unknown, no relapse": (
        lambda: judge(condition(clinical="remission"), procedure()),
        ("Zynlonta",),
        {"cd19-unknown"},
    ),
    "cd19, CAR T target unknown": (
        lambda: judge(condition(), procedure("CAR-T cell infusion"), stain("Positive")),
        ("Zynlonta",),
        {"cd19-unknown"},
    ),
    "cd19 negative, CAR T target unknown": (
        lambda: judge(condition(), procedure("CAR-T cell infusion"), stain("Negative")),
        ("Zynlonta",),
        {"cd19-negative"},
    ),
    # CD20
    "cd20 negative": (
        lambda: relapsed(stain("Negative", "CD20")),
        ("Columvi",),
        {"cd20-negative"},
    ),
    "cd20 low": (lambda: relapsed(stain("Weakly positive", "CD20")), ("Epkinly",), {"cd20-low"}),
    "cd20 stale": (
        lambda: relapsed(stain("Positive", "CD20"), administration("Glofitamab", LATER)),
        ("mosunetuzumab",),
        {"cd20-stale"},
    ),
    "cd20 discordant": (
        lambda: relapsed(stain("Positive", "CD20"), flow("Negative", "CD20")),
        ("epcoritamab",),
        {"cd20-discordant"},
    ),
    "cd20 unknown": (relapsed, ("glofitamab",), {"cd20-unknown"}),
    "cd20 positive": (positive, ("glofitamab", "rituximab", "odronextamab"), set()),
    "rituximab, cd20 negative": (
        lambda: relapsed(stain("Negative", "CD20")),
        ("Rituxan",),
        {"rituximab-cd20-negative"},
    ),
    "obinutuzumab, cd20 negative": (
        lambda: relapsed(stain("Negative", "CD20")),
        ("Gazyva",),
        {"cd20-antibody-negative"},
    ),
    "obinutuzumab, cd20 positive": (positive, ("obinutuzumab",), set()),
    "rituximab, cd20 unknown": (relapsed, ("rituximab",), {"cd20-antibody-unknown"}),
    "rituximab, cd20 low": (
        lambda: relapsed(stain("Weakly positive", "CD20")),
        ("rituximab",),
        {"cd20-antibody-low"},
    ),
    "obinutuzumab, cd20 low": (
        lambda: relapsed(stain("Weakly positive", "CD20")),
        ("obinutuzumab",),
        {"cd20-antibody-low"},
    ),
    "rituximab in remission, cd20 unknown": (remission, ("rituximab", "obinutuzumab"), set()),
    "rituximab in remission, cd20 negative": (
        lambda: remission(stain("Negative", "CD20")),
        ("rituximab",),
        {"rituximab-cd20-negative"},
    ),
    # dual CAR: the trial decides
    "dual CAR, both negative": (
        lambda: relapsed(stain("Negative"), stain("Negative", "CD20")),
        (service("CD19/CD20 CAR T infusion"),),
        {"cd19-negative", "cd20-negative"},
    ),
    "dual CAR, one present": (
        lambda: relapsed(stain("Negative"), stain("Positive", "CD20")),
        (service("CD19/CD20 CAR T infusion"),),
        set(),
    ),
    "dual CAR, one negative and one unknown": (
        lambda: relapsed(stain("Negative")),
        (service("CD19/CD20 CAR T infusion"),),
        {"cd19-negative-one-of-several", "cd20-unknown"},
    ),
    "dual CAR, the other target low": (
        lambda: relapsed(stain("Weakly positive"), stain("Negative", "CD20")),
        (service("CD19/CD20 CAR T infusion"),),
        {"cd19-low", "cd20-negative-one-of-several"},
    ),
    "dual CAR, CD22 negative": (
        lambda: relapsed_ball(flow("Negative", "CD22")),
        (service("CD19/CD22 CAR T infusion"),),
        {"cd19-unknown", "cd22-negative-one-of-several"},
    ),
    "dual CAR, CD19 present and CD22 negative": (
        lambda: relapsed_ball(flow("Positive"), flow("Negative", "CD22")),
        (service("CD19/CD22 CAR T infusion"),),
        set(),
    ),
    "dual CAR after CAR T of unknown target": (
        lambda: judge(condition(), procedure("CAR-T cell infusion"), stain("Positive")),
        (service("CD19/CD20 CAR T infusion"),),
        {"cd19-unknown", "cd20-unknown"},
    ),
    # CAR T without a stated target
    "CAR T of no target, cd19 unknown": (
        relapsed,
        (service("CAR-T cell infusion"),),
        {"cd19-open-target-not-stated"},
    ),
    "CAR T of no target, cd19 stale": (
        lambda: relapsed(stain("Positive", when=EARLIER)),
        (service("CAR-T cell infusion"),),
        {"cd19-open-target-not-stated"},
    ),
    "CAR T of no target, cd19 low": (
        lambda: relapsed(stain("Weakly positive")),
        (service("CAR-T cell infusion"),),
        {"cd19-low-target-not-stated"},
    ),
    # CD22
    "cd22 negative": (
        lambda: relapsed_ball(flow("Negative", "CD22")),
        ("Besponsa",),
        {"cd22-negative"},
    ),
    "cd22 low": (
        lambda: relapsed_ball(flow("Dim", "CD22")),
        ("inotuzumab",),
        {"cd22-low"},
    ),
    "cd22 stale": (
        lambda: relapsed_ball(flow("Positive", "CD22"), administration("Inotuzumab ozogamicin", LATER)),
        ("inotuzumab ozogamicin",),
        {"cd22-stale"},
    ),
    "cd22 discordant": (
        lambda: relapsed_ball(flow("Positive", "CD22"), stain("Negative", "CD22")),
        ("inotuzumab",),
        {"cd22-discordant"},
    ),
    "cd22 unknown": (relapsed_ball, ("inotuzumab",), {"cd22-unknown"}),
    "cd22 positive": (lambda: relapsed_ball(flow("Positive", "CD22")), ("inotuzumab",), set()),
    "inotuzumab, transplant planned": (
        lambda: relapsed_ball(flow("Positive", "CD22"), PLANNED),
        ("inotuzumab",),
        {"inotuzumab-transplant-planned"},
    ),
    "inotuzumab, transplant among the drafts": (
        lambda: relapsed_ball(flow("Positive", "CD22")),
        ("inotuzumab", service("Referral for allogeneic transplant")),
        {"inotuzumab-transplant-planned"},
    ),
    "inotuzumab, autologous only": (
        lambda: relapsed_ball(flow("Positive", "CD22")),
        ("inotuzumab", service("Autologous stem cell transplant")),
        set(),
    ),
    # doses and results after the result were not seen
    **{
        f"{antigen} positive, {key} {how}": (
            lambda antigen=antigen, keys={key: given}: relapsed(stain("Positive", antigen), **keys),
            (ordered,),
            {f"{antigen.lower()}-later-not-seen"},
        )
        for antigen, ordered in (("CD19", "Blincyto"), ("CD20", "Columvi"), ("CD22", "Besponsa"))
        for key in ("medicationAdministrations", "reports")
        for how, given in (("with an error", FAILED), ("absent", ...), ("null", None))
    },
    "cd19 positive, administrations cut short": (
        lambda: relapsed(stain("Positive"), medicationAdministrations=_cut("MedicationAdministration")),
        ("Zynlonta",),
        {"cd19-later-not-seen"},
    ),
    "cd19 positive, results cut short": (
        lambda: relapsed(observations=_cut("Observation", stain("Positive"))),
        ("Zynlonta",),
        {"cd19-later-not-seen"},
    ),
    "cd19 positive, procedures cut short": (
        lambda: judge(condition(), stain("Positive"), procedures=_cut("Procedure", procedure())),
        ("Zynlonta",),
        {"cd19-later-not-seen"},
    ),
    "cd19 low, administrations with an error": (
        lambda: relapsed(stain("Weakly positive"), medicationAdministrations=FAILED),
        ("Zynlonta",),
        {"cd19-low", "cd19-later-not-seen"},
    ),
    "cd19 negative, administrations with an error": (
        lambda: relapsed(stain("Negative"), medicationAdministrations=FAILED),
        ("Zynlonta",),
        {"cd19-negative"},
    ),
    "cd19 positive, a dose of an unknown drug": (
        lambda: relapsed(stain("Positive"), UNNAMED_DOSE),
        ("Zynlonta",),
        {"cd19-later-not-seen"},
    ),
    "dual CAR, administrations with an error": (
        lambda: relapsed(stain("Positive"), medicationAdministrations=FAILED),
        (service("CD19/CD22 CAR T infusion"),),
        {"cd19-later-not-seen"},
    ),
    "CAR T of no target, administrations with an error": (
        lambda: relapsed(stain("Positive"), medicationAdministrations=FAILED),
        (service("CAR-T cell infusion"),),
        {"cd19-later-not-seen-target-not-stated"},
    ),
    "rituximab, administrations with an error": (
        lambda: positive_without_doses(),
        ("rituximab",),
        {"cd20-antibody-later-not-seen"},
    ),
    # lineage
    "lineage switch": (switched, ("Blincyto",), {"lineage-switch", "cd19-unknown"}),
    # PD-1
    "pd-1 after allo": (
        lambda: positive(ALLO),
        ("Keytruda",),
        {"pd1-after-allo"},
    ),
    "pd-1 after a transplant of no type": (
        lambda: positive(TRANSPLANT),
        ("nivolumab",),
        {"pd1-after-transplant-of-unstated-type"},
    ),
    "pd-1 after an autologous transplant": (lambda: positive(AUTO), ("nivolumab",), set()),
    "pd-1 before allo": (lambda: positive(PLANNED), ("pembrolizumab",), {"pd1-before-allo"}),
    "pd-1, procedures not seen": (
        lambda: judge(
            condition(),
            administration("Axicabtagene ciloleucel", "2025-01-10"),
            stain("Positive"),
            procedures=...,
        ),
        ("pembrolizumab",),
        {"pd1-transplant-not-seen"},
    ),
    "inotuzumab beside something else, orders not given": (
        lambda: judge(condition("B-ALL"), procedure(), flow("Negative", "CD22"), serviceRequests=...),
        ("inotuzumab",),
        {"cd22-negative", "transplant-plans-not-given"},
    ),
    "inotuzumab alone, orders not given": (
        lambda: judge(condition("B-ALL"), procedure(), flow("Positive", "CD22"), serviceRequests=...),
        ("inotuzumab",),
        set(),
    ),
    "pd-1, orders not read in full": (
        lambda: judge(condition(), procedure(), stain("Positive"), serviceRequests=CUT),
        ("pembrolizumab",),
        {"transplant-plans-not-read"},
    ),
    "pd-1, orders read in full and no plan": (
        lambda: judge(condition(), procedure(), ALLO, serviceRequests=bundle([], "ServiceRequest")),
        ("pembrolizumab",),
        {"pd1-after-allo"},
    ),
    "inotuzumab, orders not read in full": (
        lambda: judge(condition("B-ALL"), procedure(), flow("Positive", "CD22"), serviceRequests=CUT),
        ("inotuzumab",),
        {"transplant-plans-not-read"},
    ),
    "pd-1, nothing against it": (positive, ("pembrolizumab",), set()),
    "pd-1, transplant only as a problem, problems not read": (
        lambda: judge(procedure(), stain("Positive"), conditions=FAILED),
        ("pembrolizumab",),
        {"pd1-transplant-not-seen"},
    ),
    # bendamustine
    "bendamustine, orders not read in full": (
        lambda: judge(condition(), procedure(), stain("Positive"), serviceRequests=CUT),
        ("bendamustine",),
        {"collection-plans-not-read"},
    ),
    "bendamustine, orders answered with an error": (
        lambda: judge(condition(), procedure(), stain("Positive"), serviceRequests=FAILED),
        ("bendamustine",),
        {"collection-plans-not-read"},
    ),
    "bendamustine, orders of medicines answered with an error": (
        lambda: judge(condition(), procedure(), stain("Positive"), medicationRequests=FAILED),
        ("bendamustine",),
        {"collection-plans-not-read"},
    ),
    "bendamustine alone, orders not given": (
        lambda: judge(condition(), procedure(), stain("Positive"), serviceRequests=...),
        ("bendamustine",),
        set(),
    ),
    "bendamustine beside something else, orders not given": (
        lambda: judge(condition(), procedure(), stain("Positive"), serviceRequests=...),
        ("bendamustine", "ibrutinib", "Revlimid"),
        {"lenalidomide-pregnancy-open", "lenalidomide-clearance-not-seen", "collection-plans-not-given"},
    ),
    "bendamustine, collection among the drafts": (
        positive,
        ("Treanda", service("Leukapheresis for CAR-T")),
        {"bendamustine-before-collection"},
    ),
    "bendamustine, CAR T among the drafts": (
        positive,
        ("bendamustine", service("CAR-T cell infusion")),
        {"bendamustine-before-collection"},
    ),
    "bendamustine, platelets by apheresis": (
        positive,
        ("bendamustine", service("Platelets, apheresis")),
        set(),
    ),
    "bendamustine alone": (positive, ("bendamustine",), set()),
    # lenalidomide
    "lenalidomide, pregnant": (
        lambda: positive(PREGNANT),
        ("Revlimid",),
        {"lenalidomide-pregnant", "lenalidomide-clearance-not-seen"},
    ),
    "lenalidomide, pregnancy open": (
        positive,
        ("lenalidomide",),
        {"lenalidomide-pregnancy-open", "lenalidomide-clearance-not-seen"},
    ),
    "lenalidomide, a man with a clearance": (
        lambda: positive(man(), clearance(42)),
        ("lenalidomide",),
        {"lenalidomide-clearance-shown"},
    ),
    "lenalidomide in remission, pregnant": (
        lambda: remission(PREGNANT),
        ("Revlimid",),
        {"lenalidomide-pregnant", "lenalidomide-clearance-not-seen"},
    ),
    # label
    "ibrutinib in MCL": (lambda: mcl(), ("Imbruvica",), {"ibrutinib-label-withdrawn"}),
    "acalabrutinib in MCL": (lambda: mcl(), ("acalabrutinib",), set()),
    "ibrutinib in DLBCL": (positive, ("ibrutinib",), set()),
    # repeats
    "whether given before, administrations with an error": (
        lambda: positive_without_doses(),
        ("Polivy",),
        {"earlier-doses-not-seen"},
    ),
    "whether given before, a course is on record all the same": (
        lambda: relapsed(
            stain("Positive"),
            procedure("Polatuzumab vedotin infusion", "2024-03-01", id="pola"),
            medicationAdministrations=FAILED,
        ),
        ("Polivy",),
        {"given-before-relapse"},
    ),
    "whether given before, steroid": (lambda: positive_without_doses(), ("dexamethasone",), set()),
    "repeat of a failed drug": (
        lambda: positive(administration("Polatuzumab vedotin", "2024-03-01", id="pola")),
        ("Polivy",),
        {"given-before-relapse"},
    ),
    "repeat of the CAR T product": (positive, (service("Yescarta infusion"),), {"given-before-relapse"}),
    "repeat of a drug that failed since": (
        lambda: positive(
            administration("Polatuzumab vedotin", LATER, id="pola"),
            report("Progressive disease with new lesions.", "2025-12-20", "PET/CT", specimen=None, id="pd"),
        ),
        ("Polivy",),
        {"given-before-relapse"},
    ),
    "drug begun since, progression on the day of its dose": (
        lambda: positive(
            administration("Polatuzumab vedotin", LATER, id="pola"),
            report("Progressive disease with new lesions.", LATER, "PET/CT", specimen=None, id="pd"),
        ),
        ("Polivy",),
        set(),
    ),
    "next cycle of a drug begun since": (
        lambda: positive(administration("Polatuzumab vedotin", LATER, id="pola")),
        ("Polivy",),
        set(),
    ),
    "steroid given before": (
        lambda: positive(administration("Dexamethasone", "2024-03-01", id="dex")),
        ("dexamethasone",),
        set(),
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_rules_speak_where_they_should_and_only_there(case: str) -> None:
    made, orders, expected = TABLE[case]
    assert rules(made(), *orders) == expected


def test_every_rule_has_a_row_where_it_speaks_and_one_where_its_order_passes() -> None:
    """A rule nobody tries in both directions could be deaf or always on."""
    loud: set[str] = set()
    silent: set[str] = set()
    for _, orders, expected in TABLE.values():
        loud |= expected
        ordered = [concept for draft in drafts(*orders) for concept in draft.concepts]
        for rule in knowledge().orders.rules:
            if rule.id not in expected and any(looks_at(rule.order, concept) for concept in ordered):
                silent.add(rule.id)
    all_rules = {rule.id for rule in knowledge().orders.rules}
    needs_a_site_limit = {"lenalidomide-clearance-low", "lenalidomide-clearance-not-judged"}
    assert loud == all_rules - needs_a_site_limit
    assert silent == all_rules


@pytest.mark.parametrize("gone", [rule.id for rule in knowledge().orders.rules])
def test_without_its_rule_nothing_of_it_is_said(gone: str) -> None:
    """Every sentence comes from the knowledge: take the rule out and the finding is gone."""
    left = tuple(rule for rule in knowledge().orders.rules if rule.id != gone)
    poorer = replace(knowledge(), orders=replace(knowledge().orders, rules=left))
    for made, orders, expected in TABLE.values():
        if gone in expected:
            found = check_orders(made(), drafts(*orders), poorer)
            rest = expected - {gone}
            assert {one.rule for one in found} == (rest if rest - BESIDE else set())
            return


def test_a_site_limit_turns_a_shown_value_into_a_verdict() -> None:
    """No limit ships (rules 8); one that a site sets decides, with both numbers quoted."""
    limits = (Limit("creatinine-clearance", 60.0, None, "mL/min", "local policy"),)
    policy = replace(knowledge().policy, limits=limits)
    with_limit = replace(knowledge(), policy=policy)
    low = checked(positive(man(), clearance(42)), "lenalidomide", using=with_limit)
    assert [(one.rule, one.level) for one in low] == [("lenalidomide-clearance-low", "warning")]
    fills = dict(low[0].fills)
    assert "42" in fills["value"]
    assert "20 Oct 2025" in fills["value"]
    assert fills["limit"] == "60 mL/min"
    assert checked(positive(man(), clearance(61)), "lenalidomide", using=with_limit) == ()
    other_unit = replace(
        knowledge(),
        policy=replace(policy, limits=(Limit("creatinine-clearance", 1000.0, None, "mL/s", "local policy"),)),
    )
    shown = checked(positive(man(), clearance(42)), "lenalidomide", using=other_unit)
    assert [one.rule for one in shown] == ["lenalidomide-clearance-not-judged"]
    assert dict(shown[0].fills)["why"] == "the units differ"


@pytest.mark.parametrize(
    "made",
    [
        lambda: judge(condition()),
        lambda: judge(),
        lambda: judge(procedure()),
        lambda: judge(condition("Hypertension", "active")),
        lambda: judge(condition(), procedure("Idecabtagene vicleucel infusion")),
        lambda: judge(patient(deceasedBoolean=True), condition(), procedure(), stain("Negative")),
    ],
    ids=["no CAR T", "empty", "no malignancy", "hypertension", "BCMA CAR T", "deceased"],
)
def test_silent_for_everyone_else(made: Callable[[], Evaluation]) -> None:
    assert rules(made(), "Zynlonta", "glofitamab", "inotuzumab", "pembrolizumab", "lenalidomide") == set()


def test_unseen_procedures_are_said_not_passed_over() -> None:
    """H-08: whether there was CAR T is not known; silence would read as clearance."""
    made = judge(condition(), procedures=...)
    found = checked(made, "Zynlonta", "glofitamab", "rituximab", "lenalidomide", "metformin")
    assert [one.rule for one in found] == ["not-checked"]
    assert found[0].names == ("loncastuximab", "glofitamab")
    assert checked(made, "rituximab", "metformin") == ()


@pytest.mark.parametrize("name", ["metformin", "Ondansetron 8 mg"])
def test_silent_on_orders_it_knows_nothing_about(name: str) -> None:
    assert rules(relapsed(stain("Negative")), name) == set()


def test_several_orders_at_once_are_each_checked_and_grouped_by_answer() -> None:
    made = relapsed(stain("Negative"), stain("Positive", "CD20"))
    found = checked(made, "Zynlonta", "tafasitamab", "glofitamab", "pembrolizumab", "metformin")
    assert [one.rule for one in found] == ["cd19-negative"]
    assert found[0].names == ("loncastuximab", "tafasitamab")
    assert len(found[0].orders) == 2


def test_warnings_come_first_then_what_was_chosen() -> None:
    made = relapsed(stain("Negative"))
    found = checked(
        made,
        drug("glofitamab", id="a"),
        drug("inotuzumab", id="b"),
        drug("Zynlonta", id="c"),
        selections=["MedicationRequest/b"],
    )
    assert [one.rule for one in found if one.head] == ["cd19-negative", "cd22-unknown", "cd20-unknown"]
    assert [one.selected for one in found if one.head] == [False, True, False]


def test_one_drug_of_a_pair_is_checked_by_itself() -> None:
    found = rules(relapsed(stain("Negative"), stain("Positive", "CD20")), "Tafasitamab + lenalidomide")
    assert found == {"cd19-negative", "lenalidomide-pregnancy-open", "lenalidomide-clearance-not-seen"}


def test_an_open_order_for_a_collection_counts_only_since_the_infusion() -> None:
    """The order of the infusion that was given is no plan for another."""
    made = relapsed(stain("Positive"))

    def apheresis(when: str) -> Any:
        return standing(service("Leukapheresis", status="active", authoredOn=when))

    assert rules(made, "bendamustine", open_orders=apheresis("2025-10-01")) == {
        "bendamustine-before-collection"
    }
    assert rules(made, "bendamustine", open_orders=apheresis("2024-11-01")) == set()


def test_an_open_product_order_is_a_plan() -> None:
    made = relapsed(stain("Positive"))
    ordered = standing(order("Breyanzi", "2025-11-01"))
    assert rules(made, "bendamustine", open_orders=ordered) == {"bendamustine-before-collection"}


def test_a_result_and_its_date_are_quoted() -> None:
    found = checked(relapsed(stain("Negative")), "Zynlonta")[0]
    fills = dict(found.fills)
    assert fills["date"] == "20 Sep 2025"
    assert fills["because"] == "negative, tissue, IHC, 20 Sep 2025"
    assert [source.reference for source in found.sources] == ["Observation/cd19-ihc"]


def test_a_stale_result_is_quoted_with_the_reason() -> None:
    found = checked(relapsed(stain("Positive", when=EARLIER)), "Zynlonta")[0]
    because = dict(found.fills)["because"]
    assert because == "positive, tissue, IHC, 01 Dec 2024, which was collected 40 days before the infusion"


def test_ibrutinib_by_region() -> None:
    """The label is withdrawn in the US; of the EU nothing was read, so nothing is said."""
    us, eu = replace(mcl(), regions=("US",)), replace(mcl(), regions=("EU",))
    assert rules(us, "ibrutinib") == {"ibrutinib-label-withdrawn"}
    assert rules(eu, "ibrutinib") == set()


def test_a_repeat_of_unknown_order_says_so() -> None:
    """Rules 11.11: an undated relapse leaves the order open; it is told, never guessed."""
    made = judge(condition(), procedure(), administration("Polatuzumab vedotin", "2024-03-01", id="pola"))
    found = {one.rule: one for one in checked(made, "Polivy")}
    assert "not known" in dict(found["given-before-relapse"].fills)["relapse"]


def test_a_pregnancy_test_is_quoted_without_a_verdict() -> None:
    test = observation("Pregnancy test", "Negative", LATER, id="hcg")
    found = {one.rule: one for one in checked(positive(test), "lenalidomide")}
    assert "20 Oct 2025" in dict(found["lenalidomide-pregnancy-open"].fills)["value"]


def test_a_man_is_not_asked_about_pregnancy_but_an_unknown_sex_is() -> None:
    assert "lenalidomide-pregnancy-open" not in rules(positive(man()), "lenalidomide")
    made = judge(condition(), procedure(), stain("Positive"), patient=...)
    assert "lenalidomide-pregnancy-open" in rules(made, "lenalidomide")


def test_related_value_is_named_for_what_it_is() -> None:
    """Creatinine is no clearance: it is shown under its own name (H-25)."""
    quantity = {"value": 2.1, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"}
    creatinine = observation("Creatinine", {"valueQuantity": quantity}, LATER, id="crea")
    found = {one.rule: one for one in checked(positive(man(), creatinine), "lenalidomide")}
    assert dict(found["lenalidomide-clearance-shown"].fills)["value"].startswith("creatinine 2.1")


def test_check_of_the_knowledge_knows_the_same_criteria_as_the_code() -> None:
    assert set(CHECKED_CRITERIA) == set(CRITERIA)
