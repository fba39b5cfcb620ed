"""What an order check may not pass in silence: unseen doses, plans not to be done, drugs of other servers, other drafts.

Each test fails where its mend is taken out (H-01, H-08, H-18, H-43, H-44, H-47, H-49).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from builders import (
    body,
    bundle,
    condition,
    knowledge,
    order,
    outcome,
    prefetch,
    procedure,
    relapsed,
    stain,
)
from ordering import cards, checked, context, drafts, drug, names, rules, service, standing

from cds_hooks.order_cards import order_cards
from cds_hooks.suggestions import suggestions_for
from mappings.deciding.orders import check_orders
from mappings.orders import DraftOrder, OrderRole
from mappings.reading.decode import decode_request
from mappings.reading.orders import medications_pointed_to, read_drafts, read_open_orders

FAILED = outcome(severity="error")
PATIENT = "syn-1"
LATER = "2026-03-01"


# later doses and results


def test_a_result_that_later_doses_may_void_is_told_with_what_was_not_read() -> None:
    """H-18, rules 11.10: in a complete chart the dose after the specimen would have been told."""
    made = relapsed(stain("Positive", when="2026-02-01"), medicationAdministrations=FAILED)
    (card,) = cards(made, "Blincyto")
    assert card.indicator == "info"
    assert card.summary == (
        "Blinatumomab: later doses or results not seen; CD19 reported positive, 01 Feb 2026."
    )
    assert "of the target CD19 is reported: positive, tissue, IHC, 01 Feb 2026." in card.detail
    assert "not read in full: administrations. Rule 11.10." in card.detail
    assert not card.suggests
    assert card.digest


def test_everything_that_was_not_read_is_named() -> None:
    given = relapsed(
        observations=bundle([stain("Positive")], "Observation", total=900),
        medicationAdministrations=None,
        reports=FAILED,
    )
    (found,) = checked(given, "Zynlonta")
    assert dict(found.fills)["missed"] == "administrations, results, reports"
    assert [source.reference for source in found.sources] == ["Observation/cd19-ihc"]


def test_a_dose_of_an_unknown_drug_is_named_as_such() -> None:
    """A drug by a reference that was not read may be one that voids the result."""
    from test_order_rules import UNNAMED_DOSE

    (found,) = checked(relapsed(stain("Positive"), UNNAMED_DOSE), "Zynlonta")
    assert dict(found.fills)["missed"] == "the drug of a dose"
    assert "MedicationAdministration/unnamed" in [source.reference for source in found.sources]
    not_given = {**UNNAMED_DOSE, "status": "not-done"}
    assert rules(relapsed(stain("Positive"), not_given), "Zynlonta") == set()


@pytest.mark.parametrize("length", [30, 40, 60])
@pytest.mark.parametrize("orders", [("Blincyto",), ("Zynlonta", "tafasitamab", "Blincyto")])
def test_no_cut_of_it_reads_as_a_clearance(length: int, orders: tuple[str, ...]) -> None:
    """H-47: what was not seen stands before what is reported."""
    made = relapsed(stain("Positive"), medicationAdministrations=FAILED)
    cut = cards(made, *orders)[0].summary[:length]
    assert "positive" not in cut
    assert length < 60 or "later doses or results not seen" in cut


def test_a_chart_read_in_full_stays_silent() -> None:
    """H-43: the same orders, nothing left out."""
    made = relapsed(*(stain("Positive", antigen) for antigen in ("CD19", "CD20", "CD22")))
    assert rules(made, "Blincyto", "Columvi", "Besponsa", "Polivy", "rituximab", "bendamustine") == set()


def test_orders_for_the_target_get_one_card_on_unseen_doses() -> None:
    """H-43: that it may have been given before is the same gap, and not said twice."""
    made = relapsed(stain("Positive"), medicationAdministrations=FAILED)
    assert [card.kind for card in cards(made, "Zynlonta")] == ["order-antigen"]
    assert [card.kind for card in cards(made, "Polivy")] == ["order-history"]


# orders not to be done

NOT_TO_DO = {"doNotPerform": True, "status": "active", "authoredOn": LATER}


@pytest.mark.parametrize("ordered", ["bendamustine", "inotuzumab", "pembrolizumab"])
@pytest.mark.parametrize(
    "plan",
    [
        service("Leukapheresis for CAR-T", **NOT_TO_DO),
        service("Referral for allogeneic transplant", **NOT_TO_DO),
        {**order("Yescarta", LATER), "doNotPerform": True},
    ],
    ids=["collection", "transplant", "product"],
)
def test_an_order_not_to_do_it_is_no_plan(plan: dict[str, Any], ordered: str) -> None:
    made = relapsed(stain("Positive"), stain("Positive", "CD22"))
    assert standing(plan) == ()
    assert rules(made, ordered, open_orders=standing(plan)) == set()
    to_do = {**plan, "doNotPerform": False}
    assert len(standing(to_do)) == 1


def test_a_biopsy_that_is_not_to_be_done_withholds_no_suggestion() -> None:
    """H-49."""
    made = relapsed()
    biopsy = service("Lymph node biopsy with CD19, CD20 and CD22 IHC", **NOT_TO_DO)
    assert len(suggestions_for(made, PATIENT, existing=standing(biopsy))) == 1
    assert suggestions_for(made, PATIENT, existing=standing({**biopsy, "doNotPerform": False})) == []


# procedures as plans


@pytest.mark.parametrize("status", ["unknown", "on-hold", "in-progress", "completed", "stopped", "draft"])
def test_a_procedure_is_a_plan_only_while_it_is_prepared(status: str) -> None:
    """One on hold or of unknown status may have been done and is told as such, never as planned as well."""
    allo = procedure("Allogeneic stem cell transplant", "2020-02-02", id="allo", status=status)
    assert standing(allo) == ()
    if status != "draft":
        assert "pd1-after-allo" in rules(relapsed(allo), "pembrolizumab", open_orders=standing(allo))


@pytest.mark.parametrize(
    ("when", "expected"),
    [("2026-08-01", {"pd1-before-allo"}), (None, {"pd1-before-allo"}), ("2020-02-02", set())],
)
def test_a_procedure_in_preparation_since_before_the_infusion_is_no_plan(
    when: str | None, expected: set[str]
) -> None:
    allo = procedure("Allogeneic stem cell transplant", when, id="allo", status="preparation")
    made = relapsed(stain("Positive"), allo)
    assert rules(made, "pembrolizumab", open_orders=standing(allo)) == expected
    if when is not None:
        del allo["performedDateTime"]
        allo["performedPeriod"] = {"start": when, "end": when}
        assert rules(made, "pembrolizumab", open_orders=standing(allo)) == expected


# drugs by reference

OWN, ELSE = "https://fhir.example.org/r4", "https://other.example.org/fhir"


def medication(name: str) -> dict[str, Any]:
    return {"resourceType": "Medication", "id": "m1", "code": {"text": name}}


def read_at_site(
    chart: dict[str, Any], reference: dict[str, str], *beside: dict[str, Any]
) -> tuple[DraftOrder, ...]:
    whole = {**json.loads(body(chart)), "fhirServer": OWN}
    decoded = decode_request(json.dumps(whole).encode())
    return read_drafts(context(drug(medicationReference=reference), *beside), knowledge(), decoded)


def held(name: str, url: str = "") -> dict[str, Any]:
    entry = {"resource": medication(name), **({"fullUrl": url} if url else {})}
    return prefetch(condition(), procedure(), drugs={"resourceType": "Bundle", "entry": [entry]})


@pytest.mark.parametrize("name", ["blinatumomab", "ondansetron"])
@pytest.mark.parametrize("url", ["", f"{OWN}/Medication/m1"], ids=["no address", "own address"])
def test_a_drug_of_another_server_is_not_the_one_here_of_the_same_id(name: str, url: str) -> None:
    """H-01, H-08: neither silence nor a card on a drug that nobody named."""
    foreign = {"reference": f"{ELSE}/Medication/m1"}
    (one,) = read_at_site(held(name, url), foreign)
    assert (one.problem, one.concepts) == ("no-drug", ())
    (shown,) = read_at_site(held("blinatumomab", url), {**foreign, "display": "ondansetron 4 mg"})
    assert (shown.problem, shown.concepts) == ("", ())
    (beside,) = read_at_site(prefetch(condition(), procedure()), foreign, medication(name))
    assert beside.problem == "no-drug"


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("Medication/m1", ""),
        ("Medication/m1", f"{OWN}/Medication/m1"),
        (f"{OWN}/Medication/m1", ""),
        (f"{OWN}/Medication/m1/_history/2", f"{OWN}/Medication/m1"),
        (f"{OWN}/Medication/m1", "http://fhir.example.org/r4/Medication/m1"),
        (f"{ELSE}/Medication/m1", f"{ELSE}/Medication/m1"),
        (f"{OWN}/Medication/m1", "https://proxy.example.org/r4/Medication/m1"),
    ],
)
def test_a_drug_of_this_chart_is_found(reference: str, url: str) -> None:
    (one,) = read_at_site(held("blinatumomab", url), {"reference": reference})
    assert [found.id for found in one.concepts] == ["blinatumomab"]


def test_a_draft_means_the_medication_that_came_with_it() -> None:
    """A chart's record under the same temporary id is another one."""
    (one,) = read_at_site(held("ondansetron"), {"reference": "Medication/m1"}, medication("blinatumomab"))
    assert [found.id for found in one.concepts] == ["blinatumomab"]
    pointed = json.dumps(context(drug(medicationReference={"reference": "Medication/m1"}))).encode()
    assert [found.reference for found in medications_pointed_to(pointed)] == ["Medication/m1"]


def test_an_open_order_by_a_reference_elsewhere_is_no_plan_of_the_drug_here() -> None:
    whole = {
        **json.loads(
            body(
                prefetch(
                    condition(),
                    {
                        **order("x", LATER),
                        "medicationCodeableConcept": None,
                        "medicationReference": {"reference": f"{ELSE}/Medication/m1"},
                    },
                    medication("Breyanzi"),
                )
            )
        ),
        "fhirServer": OWN,
    }
    elsewhere = json.dumps(whole).encode()
    assert read_open_orders(decode_request(elsewhere), PATIENT, knowledge()) == ()
    here = elsewhere.replace(f"{ELSE}/Medication/m1".encode(), b"Medication/m1")
    assert len(read_open_orders(decode_request(here), PATIENT, knowledge())) == 1


# usual names of plans


@pytest.mark.parametrize(
    "name",
    [
        "Leukapheresis for CAR T manufacturing",
        "Apheresis, T-cell collection for Yescarta manufacturing",
        "Kymriah collection and manufacturing",
        "Yescarta manufacturing slot",
        "Lymphapheresis",
        "Lymphocytapheresis for Breyanzi",
    ],
)
def test_usual_names_of_a_collection(name: str) -> None:
    made = relapsed(stain("Positive"))
    (one,) = drafts(service(name))
    assert one.role is OrderRole.COLLECTION
    assert rules(made, "bendamustine", service(name)) == {"bendamustine-before-collection"}


@pytest.mark.parametrize(
    "name",
    [
        "CAR-T manufacturing failure",
        "Failed manufacturing of Kymriah",
        "Platelets, apheresis",
        "Kymriah persistence, blood collection",
        "Yescarta registry data collection",
        "Stool collection",
    ],
)
def test_what_is_no_collection(name: str) -> None:
    (one,) = drafts(service(name))
    assert one.role is not OrderRole.COLLECTION


def test_a_product_to_be_infused_stays_a_treatment() -> None:
    (one,) = drafts(service("Kymriah infusion after collection"))
    assert one.role is OrderRole.TREATMENT
    assert [found.id for found in one.concepts] == ["tisagenlecleucel"]


@pytest.mark.parametrize(
    "name",
    ["Allogeneic PBSCT", "allo-PBSCT", "AlloPBSCT", "PBSC transplant", "PBSCT", "Allogeneic PBSC transplant"],
)
def test_usual_names_of_a_transplant(name: str) -> None:
    assert rules(relapsed(stain("Positive")), "pembrolizumab", service(name)) == {"pd1-before-allo"}


@pytest.mark.parametrize("name", ["Autologous PBSCT", "auto-PBSCT", "Autologous PBSC transplant"])
def test_an_autologous_one_is_no_allogeneic_plan(name: str) -> None:
    assert rules(relapsed(stain("Positive")), "pembrolizumab", service(name)) == set()


@pytest.mark.parametrize("name", ["Polivy + BR", "BR + Polivy", "Polatuzumab vedotin with BR, outpatient"])
def test_a_short_regimen_beside_a_drug_is_read_in_a_service(name: str) -> None:
    (one,) = drafts(service(name))
    assert {found.id for found in one.concepts} == {"polatuzumab-vedotin", "bendamustine", "rituximab"}


@pytest.mark.parametrize("name", ["BR", "Bathroom privileges and BR", "Polivy, room BR 2"])
def test_two_letters_alone_are_no_regimen_in_a_service(name: str) -> None:
    (one,) = drafts(service(name))
    assert "bendamustine" not in {found.id for found in one.concepts}


# overrides


UNREADABLE = drug(id="unread", medicationReference={"reference": "Medication/zz"})


def test_an_override_holds_for_no_draft_that_could_not_be_checked() -> None:
    """H-44: the line on what was not checked is part of what the user saw."""
    made = relapsed(stain("Negative"))
    ordered = drug("Blincyto", id="a")
    digest = cards(made, ordered)[0].digest
    beside = cards(made, ordered, UNREADABLE)[0].digest
    another = cards(made, ordered, {**UNREADABLE, "id": "another"})[0].digest
    stranger = cards(made, ordered, drug("x", id="unread", subject={"reference": "Patient/else"}))[0].digest
    assert len({digest, beside, another, stranger}) == 4
    assert cards(made, ordered, UNREADABLE)[0].digest == beside
    assert cards(made, UNREADABLE)[0].digest != cards(made, {**UNREADABLE, "id": "another"})[0].digest


def test_an_override_holds_for_no_other_way_of_reading_the_chart() -> None:
    """H-44: a note on the server is part of what the user saw."""
    made, read = relapsed(stain("Negative")), drafts("Blincyto")
    found = check_orders(made, read, knowledge())
    plain = order_cards(made, found, names(), read)[0].digest
    assert order_cards(made, found, names(), read, ("A note of ours.",))[0].digest != plain


def test_a_transplant_that_is_not_to_be_done_is_no_plan() -> None:
    """FHIR doNotPerform: the order forbids; it tells of no transplant to come."""
    order = service("Allogeneic HSCT", status="active", authoredOn="2026-05-01")
    for forbidden, wanted in ((False, True), (True, False)):
        row = {**order, "doNotPerform": forbidden}
        found = rules(relapsed(stain("Positive"), row), "pembrolizumab", open_orders=standing(row))
        assert bool(found) is wanted, found
