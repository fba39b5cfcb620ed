"""Prior CAR T: products by each code and name, what is no infusion, one infusion told from two (hazards H-26 to H-28)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from builders import (
    CPT,
    HCPCS,
    ICD10CM,
    ICD10PCS,
    INFUSED,
    NDC,
    RXNORM,
    Resource,
    administration,
    category,
    codes_of,
    concept,
    condition,
    judge,
    observation,
    order,
    procedure,
    relapsed,
    stain,
    state,
)

from mappings.evaluation import Evaluation
from mappings.facts import CarTInfusion, CarTKnowledge
from mappings.loading import Knowledge, load_knowledge, packaged_folder

KNOWLEDGE = load_knowledge()
ALIASES = {
    ICD10PCS: (
        "http://terminology.hl7.org/CodeSystem/icd10PCS",
        "http://hl7.org/fhir/sid/icd-10-pcs",
        "http://www.icd10data.com/icd10pcs",
        "http://www.cms.gov/Medicare/Coding/ICD10/",
        " http://www.cms.gov/Medicare/Coding/ICD10",
    ),
    HCPCS: (CPT, HCPCS.upper(), f"{HCPCS} "),
    RXNORM: (f"{RXNORM}/",),
    NDC: (),
}


def infusions(*resources: Resource, **more: Any) -> tuple[CarTInfusion, ...]:
    return judge(condition(), *resources, **more).facts.infusions


def others(*resources: Resource) -> tuple[CarTInfusion, ...]:
    return judge(condition(), *resources).facts.other_cellular


def _coded_products() -> list[tuple[str, str, str]]:
    """(product, system, code) of every verified code of a CAR T product in the value sets."""
    folder = packaged_folder() / "value_sets"
    rows = []
    for product in KNOWLEDGE.of_kind("car-t-product"):
        loaded = json.loads((folder / f"{product.value_set}.json").read_text("utf-8"))
        for include in loaded["compose"]["include"]:
            if include["system"] in ALIASES:
                rows.extend((product.id, include["system"], code["code"]) for code in include["concept"])
    return rows


CODED = _coded_products()


def test_codes_of_every_marketed_cd19_product_are_tested() -> None:
    assert {product for product, _, _ in CODED} >= {
        "axicabtagene-ciloleucel", "tisagenlecleucel", "brexucabtagene-autoleucel", "lisocabtagene-maraleucel",
        "obecabtagene-autoleucel",
    }  # fmt: skip


@pytest.mark.parametrize(("product", "system", "code"), CODED)
def test_a_product_is_known_by_each_code_alone(product: str, system: str, code: str) -> None:
    known = KNOWLEDGE.concepts[product]
    for uri in (system, *ALIASES[system]):
        for spelled in (code, f" {code} ", code.lower()):
            made = judge(condition(), procedure(concept(None, (uri, spelled)), id="x"))
            found = made.facts.infusions if known.attributes["car"] else made.facts.other_cellular
            assert [one.product for one in found] == [product], (uri, spelled)
            assert found[0].targets == tuple(sorted(known.attributes["targets"]))
            assert found[0].cd19_directed is ("CD19" in known.attributes["targets"])


@pytest.mark.parametrize(
    ("product", "code"), [(product, code) for product, system, code in CODED if system == NDC]
)
def test_an_ndc_is_known_in_each_of_its_shapes(product: str, code: str) -> None:
    labeler, item, package = code.split("-")
    eleven = labeler.zfill(5) + item.zfill(4) + package.zfill(2)
    for shape in (code, f"{labeler}-{item}", eleven, f"{eleven[:5]}-{eleven[5:9]}-{eleven[9:]}"):
        made = judge(condition(), administration(concept(None, (NDC, shape)), INFUSED))
        found = (*made.facts.infusions, *made.facts.other_cellular)
        assert [one.product for one in found] == [product], shape


NAMES = [
    ("axicabtagene-ciloleucel", ("axicabtagene ciloleucel", "Yescarta", "axi-cel", "KTE-C19")),
    ("tisagenlecleucel", ("tisagenlecleucel", "Kymriah", "tisa-cel", "CTL019")),
    ("brexucabtagene-autoleucel", ("brexucabtagene autoleucel", "Tecartus", "brexu-cel", "KTE-X19")),
    ("lisocabtagene-maraleucel", ("lisocabtagene maraleucel", "Breyanzi", "liso-cel", "JCAR017")),
    ("obecabtagene-autoleucel", ("obecabtagene autoleucel", "Aucatzyl", "obe-cel", "AUTO1")),
    ("idecabtagene-vicleucel", ("idecabtagene vicleucel", "Abecma", "ide-cel", "bb2121")),
    ("ciltacabtagene-autoleucel", ("ciltacabtagene autoleucel", "Carvykti", "cilta-cel", "LCAR-B38M")),
]


@pytest.mark.parametrize(("product", "name"), [(product, name) for product, names in NAMES for name in names])
@pytest.mark.parametrize("frame", ["{}", "Infusion of {}", "{} (CAR-T) administration, day 0"])
def test_a_product_is_known_by_each_name(product: str, name: str, frame: str) -> None:
    for spelled in (name, name.upper(), name.lower()):
        found = infusions(procedure(frame.format(spelled)))
        assert [one.product for one in found] == [product], spelled
        assert found[0].knowledge is CarTKnowledge.PRODUCT_KNOWN


@pytest.mark.parametrize("make", [procedure, administration])
def test_the_text_counts_behind_a_placeholder_code(make: Any) -> None:
    code = concept("Lisocabtagene maraleucel", ("urn:oid:1.2.3", "99"), (HCPCS, "J3590"))
    assert [one.product for one in infusions(make(code, INFUSED))] == ["lisocabtagene-maraleucel"]


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("Anti-CD19 CAR T cells infused", ("CD19",)),
        ("CD19-directed chimeric antigen receptor T cells, infusion", ("CD19",)),
        ("CD22 CAR-T infusion", ("CD22",)),
        ("CD20 CAR T cells, infusion", ("CD20",)),
        ("CD19/CD22 CAR-T infusion", ("CD19", "CD22")),
        ("CD19/CD20 CAR-T cells", ("CD19", "CD20")),
        ("BCMA CAR-T infusion", ("BCMA",)),
    ],
)
def test_a_target_that_is_named_counts_without_product(text: str, targets: tuple[str, ...]) -> None:
    found = infusions(procedure(text))
    assert [(one.knowledge, one.targets) for one in found] == [(CarTKnowledge.TARGET_KNOWN, targets)]


GENERIC: list[tuple[str, Resource]] = [
    ("CPT 38228", procedure(concept(None, (CPT, "38228")))),
    ("CPT 0540T", procedure(concept(None, (CPT, "0540T")))),
    ("PCS XW033C3", procedure(concept(None, (ICD10PCS, "XW033C3")))),
    ("PCS XW043C3", procedure(concept(None, (ICD10PCS, "XW043C3")))),
    ("Z92.850", condition(concept(None, (ICD10CM, "Z92.850")), "active", id="z", onsetDateTime=INFUSED)),
    ("text", procedure("CAR-T infusion")),
]


@pytest.mark.parametrize("name", [name for name, _ in GENERIC])
def test_generic_codes_never_name_a_target(name: str) -> None:
    document = dict(GENERIC)[name]
    made = judge(condition(), document, stain("Negative"))
    assert [one.targets for one in made.facts.infusions] == [()]
    assert category(made) == "insufficient-data"
    assert all(
        match.route.value != "consider"
        for match in made.matches
        if match.option == "second-cd19-car-t-infusion"
    )


NOT_INFUSIONS: list[tuple[str, Resource]] = [
    *((code, procedure(concept(None, (CPT, code)))) for code in ("0537T", "0538T", "0539T", "38225", "38226",
    "38227", "38242")),
    ("apheresis by text", procedure("Leukapheresis for axicabtagene ciloleucel")),
    ("cell collection", procedure("CAR-T cell collection")),
    ("planned by text", procedure("Planned axicabtagene ciloleucel infusion")),
    ("referral", procedure("Referral for CAR-T therapy, Yescarta")),
    ("consult", procedure("CAR-T consultation (axi-cel candidate)")),
    ("medication order", order("Axicabtagene ciloleucel")),
    ("service order", {"resourceType": "ServiceRequest", "id": "sr", "status": "active", "intent": "order",
                       "subject": {"reference": "Patient/syn-1"},
                       "code": {"text": "Axicabtagene ciloleucel infusion"}}),
    ("persistence test", observation("Anti-CD19 CAR T cells by flow", "Positive", id="pers")),
    ("transgene", observation("CAR transgene copies, axi-cel", {"valueString": "positive"}, id="pers")),
]  # fmt: skip


@pytest.mark.parametrize("name", [name for name, _ in NOT_INFUSIONS])
def test_what_is_no_infusion_never_becomes_one(name: str) -> None:
    made = judge(condition(), dict(NOT_INFUSIONS)[name])
    assert not made.facts.infusions
    assert category(made) == "no-cd19-car-t"


NOTHING = ("not-done", "entered-in-error", "preparation", "cancelled", " entered-in-error", "Not-Done")
EXPOSURE = ("stopped", "in-progress", "on-hold", "unknown")


@pytest.mark.parametrize("make", [procedure, administration])
@pytest.mark.parametrize("status", NOTHING)
def test_statuses_that_say_nothing_was_given(make: Any, status: str) -> None:
    made = judge(condition(), make("Axicabtagene ciloleucel", INFUSED, status))
    assert category(made) == "no-cd19-car-t"
    assert "not-done" in codes_of(made, "set-aside")


@pytest.mark.parametrize("make", [procedure, administration])
@pytest.mark.parametrize("status", [*EXPOSURE, "completed", "COMPLETED "])
def test_statuses_that_count_as_infusion_or_possible_exposure(make: Any, status: str) -> None:
    made = judge(condition(), make("Axicabtagene ciloleucel", INFUSED, status), stain("Negative"))
    assert category(made) == "cd19-negative"
    assert made.facts.infusions[0].possibly_incomplete is (status in EXPOSURE)
    assert ("incomplete" in codes_of(made)) is (status in EXPOSURE)


def test_a_completed_document_beside_a_running_one_is_a_whole_dose() -> None:
    found = infusions(procedure(), administration("Axi-cel", INFUSED, "in-progress"))
    assert [one.possibly_incomplete for one in found] == [False]


FOUR = (
    procedure(concept(None, (ICD10PCS, "XW033H7")), "2025-01-10", id="pcs"),
    procedure(concept(None, (HCPCS, "Q2041")), "2025-01-11T02:00:00Z", id="hcpcs"),
    procedure(concept(None, (CPT, "38228")), "2025-01-10", id="cpt"),
    administration("Axicabtagene ciloleucel (YESCARTA)", "2025-01-10T14:05:00-05:00", id="mar"),
    condition(concept(None, (ICD10CM, "Z92.850")), "active", id="history"),
)


def test_one_infusion_written_five_ways_is_one() -> None:
    found = infusions(*FOUR)
    assert [(one.product, one.cd19_directed, len(one.sources)) for one in found] == [
        ("axicabtagene-ciloleucel", True, 5)
    ]
    assert found[0].first is not None
    assert found[0].first.first.isoformat() == "2025-01-10"


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [
        ("2025-01-10", "2025-01-10", 1), ("2025-01-10", "2025-01-24", 1), ("2025-01-10", "2025-01-25", 2),
        ("2025-01-10", "2025-09-01", 2), ("2025-01", "2025-01-20", 1), ("2025", "2025-08-01", 1),
        ("2024", "2025-08-01", 2),
        (None, "2025-01-10", 1), ("2025-01-10", None, 1),
    ],
)  # fmt: skip
def test_dates_tell_one_infusion_from_two(first: str | None, second: str | None, count: int) -> None:
    assert len(infusions(procedure(when=first, id="a"), procedure(when=second, id="b"))) == count


def test_two_products_on_one_day_are_two() -> None:
    assert len(infusions(procedure("Axi-cel infusion", id="a"), procedure("Liso-cel infusion", id="b"))) == 2


def test_a_second_infusion_is_the_anchor_and_voids_what_came_before() -> None:
    again = procedure("Axicabtagene ciloleucel infusion", "2025-10-01", id="second")
    made = relapsed(again, stain("Negative", when="2025-09-20"))
    assert len(made.facts.infusions) == 2
    assert made.assessment.anchor is not None
    assert made.assessment.anchor.sources[0].reference == "Procedure/second"
    assert state(made) == "unknown"


@pytest.mark.parametrize(
    "product", ["Abecma infusion", "CD22 CAR-T infusion", "CD7 CAR-T infusion", "CD20 CAR T infusion"]
)
def test_a_car_against_another_target_neither_anchors_nor_voids_cd19(product: str) -> None:
    made = relapsed(procedure(product, "2025-12-01", id="other"), stain("Negative"))
    assert made.assessment.anchor is not None
    assert made.assessment.anchor.sources[0].reference == "Procedure/car"
    assert category(made) == "cd19-negative"


def test_a_later_car_of_unknown_target_voids_cd19() -> None:
    assert (
        state(relapsed(procedure("CAR-T infusion", "2025-12-01", id="other"), stain("Negative"))) == "unknown"
    )


@pytest.mark.parametrize(
    "product", ["Abecma", "CD22 CAR-T infusion", "CD7 CAR-T infusion", "lifileucel infusion"]
)
def test_another_target_alone_is_no_cd19_car_t(product: str) -> None:
    assert category(judge(condition(), procedure(product))) == "no-cd19-car-t"


def test_split_doses_count_from_the_first_bag_and_order_from_the_last() -> None:
    bags = (
        procedure("Obecabtagene autoleucel", "2025-01-10", id="a"),
        procedure("Obecabtagene autoleucel", "2025-01-20", id="b"),
    )
    made = judge(
        condition("B-cell acute lymphoblastic leukemia"), *bags, stain("Negative", when="2025-03-10")
    )
    (one,) = made.facts.infusions
    assert one.split_doses
    assert (one.first and one.first.text, one.last and one.last.text) == ("2025-01-10", "2025-01-20")
    assert made.assessment.timing.days == 59
    between = judge(
        condition("B-cell acute lymphoblastic leukemia"), *bags, stain("Negative", when="2025-01-15")
    )
    assert state(between) == "unknown"


def test_a_refuted_history_entry_is_none() -> None:
    made = judge(condition(), condition(concept(None, (ICD10CM, "Z92.850")), "active", "refuted", id="z"))
    assert category(made) == "no-cd19-car-t"


def _without(kind: str) -> Knowledge:
    from dataclasses import replace

    drop = {c.id for c in KNOWLEDGE.of_kind(kind)}
    return replace(
        KNOWLEDGE,
        digest=f"without-{kind}",
        by_code={k: tuple(c for c in v if c.id not in drop) for k, v in KNOWLEDGE.by_code.items()},
        stops={k: tuple(c for c in v if c.id not in drop) for k, v in KNOWLEDGE.stops.items()},
        synonyms=tuple(row for row in KNOWLEDGE.synonyms if row[1].id not in drop),
    )


def test_without_the_list_of_what_is_no_infusion_a_collection_would_count() -> None:
    collected = procedure("Leukapheresis for axicabtagene ciloleucel")
    with_list: Evaluation = judge(condition(), collected)
    without = judge(condition(), collected, using=_without("car-t-not-infusion"))
    assert (category(with_list), category(without)) == ("no-cd19-car-t", "cd19-unknown")


NOT_GIVEN = [
    "Axi-cel infusion cancelled", "Patient declined Yescarta", "Yescarta refused", "Yescarta REMS education",
    "Insurance authorization for Breyanzi", "Consent for tisagenlecleucel", "Evaluation for tisagenlecleucel",
    "Fludarabine/cyclophosphamide conditioning for axi-cel", "Lymphodepletion before Yescarta",
    "Bridging therapy before Kymriah", "Axi-cel not given",
]  # fmt: skip
GIVEN_BEFORE = [
    "Bone marrow biopsy after axi-cel", "Tocilizumab for CRS after Yescarta", "CRS after axi-cel, management",
    "PET/CT 3 months after Yescarta", "Neurology consult, ICANS post Yescarta",
    "Long-term follow-up after axi-cel infusion",
    "Post CAR T follow up visit", "CAR-T day +30 assessment",
]  # fmt: skip


@pytest.mark.parametrize("name", [*NOT_GIVEN, *GIVEN_BEFORE])
def test_a_product_named_in_another_role_is_no_infusion(name: str) -> None:
    made = relapsed(procedure(name, "2025-12-01", id="later"), stain("Negative"))
    assert made.assessment.anchor is not None
    assert "Procedure/later" not in {source.reference for source in made.assessment.anchor.sources} or (
        made.assessment.anchor.last is not None and made.assessment.anchor.last.text == INFUSED
    )
    assert (category(made), len(made.facts.infusions)) == ("cd19-negative", 1)


@pytest.mark.parametrize("name", NOT_GIVEN)
def test_what_was_not_given_is_no_cd19_car_t(name: str) -> None:
    assert category(judge(condition(), procedure(name))) in ("no-cd19-car-t", "insufficient-data")


@pytest.mark.parametrize("name", GIVEN_BEFORE)
def test_what_followed_an_infusion_gives_it_no_date(name: str) -> None:
    assert all(one.first is None for one in infusions(procedure(name, "2025-12-01")))


@pytest.mark.parametrize(
    "name",
    [
        "Infusion of axi-cel",
        "Axi-cel",
        "Axicabtagene ciloleucel, IV infusion, day 0",
        "CAR-T infusion: Yescarta (after bridging)",
    ],
)
def test_an_infusion_stays_one(name: str) -> None:
    assert [one.product for one in infusions(procedure(name))] == ["axicabtagene-ciloleucel"]


def test_an_infusion_in_the_future_is_no_fact_and_no_denial() -> None:
    """A completed infusion dated after the time of judgement is a contradiction: neither yes nor no (H-32)."""
    made = judge(condition(), procedure(when="2026-06-05"))
    assert category(made) == "insufficient-data"
    assert "future" in codes_of(made, "conflict")


@pytest.mark.parametrize(
    ("text", "code"),
    [("Abecma", "Q2041"), ("Idecabtagene vicleucel infusion", "Q2042"), ("CD22 CAR-T infusion", "Q2041")],
)
def test_code_and_text_that_name_different_targets_name_none(text: str, code: str) -> None:
    made = judge(condition(), procedure(concept(text, (HCPCS, code))), stain("Negative"))
    assert category(made) != "cd19-negative"


def test_code_and_text_of_two_cd19_products_stay_cd19() -> None:
    found = infusions(procedure(concept("Kymriah", (HCPCS, "Q2041"))))
    assert [one.targets for one in found] == [("CD19",)]


def test_a_single_dose_of_a_split_product_is_not_split() -> None:
    (one,) = infusions(procedure("Obecabtagene autoleucel"))
    assert not one.split_doses
    assert one.first == one.last


def test_a_cell_product_that_is_no_car_never_merges_with_one() -> None:
    made = judge(
        condition(), procedure("Lifileucel infusion", id="til"), procedure("CAR-T infusion", id="car")
    )
    assert [(len(made.facts.infusions), len(made.facts.other_cellular))] == [(1, 1)]


def test_two_targets_on_one_day_are_two_infusions() -> None:
    found = infusions(
        procedure("CD22 CAR-T infusion", id="a"), procedure("Anti-CD19 CAR T cells infused", id="b")
    )
    assert sorted(one.targets for one in found) == [("CD19",), ("CD22",)]


@pytest.mark.parametrize(
    ("documents", "first"),
    [
        ((procedure(when="2025-01"),), "2025-01"),
        ((procedure(when="2025-01", id="a"), procedure(when="2025-01-10", id="b")), "2025-01-10"),
        ((procedure(when="2025", id="a"), procedure(when="2025-01", id="b")), None),
    ],
)
def test_the_most_exact_document_dates_the_infusion(
    documents: tuple[Resource, ...], first: str | None
) -> None:
    (one,) = infusions(*documents)
    assert one.first is not None
    assert first is None or one.first.text == first
    assert one.label == "axi-cel"


@pytest.mark.parametrize(
    ("period", "first", "last_day"),
    [
        ({"start": "2025-01-10", "end": "2025-01-10"}, "2025-01-10", "2025-01-10"),
        ({"start": "2025-01-10", "end": "2025-01-12"}, "2025-01-10", "2025-01-12"),
        ({"start": "2025-01-10", "end": "2025-01-13"}, "2025-01-10", "2025-01-10"),
        ({"start": "2025-01-10"}, "2025-01-10", "2025-01-10"),
    ],
)
def test_a_short_period_tells_the_last_bag_and_a_long_one_does_not(
    period: dict[str, str], first: str, last_day: str
) -> None:
    (one,) = infusions({**procedure(when=None), "performedPeriod": period})
    assert one.first is not None
    assert one.last is not None
    assert (one.first.first.isoformat(), one.last.last.isoformat()) == (first, last_day)


def test_history_alone_is_an_infusion_of_its_date() -> None:
    (one,) = infusions(
        condition("History of CAR-T cell therapy (Yescarta)", "active", id="h", onsetDateTime="2024-03-03")
    )
    assert one.history_only
    assert one.first is not None
    assert (one.product, one.first.text, one.possibly_incomplete) == (
        "axicabtagene-ciloleucel",
        "2024-03-03",
        False,
    )


@pytest.mark.parametrize(
    "name",
    [
        "DLBCL, planned for axi-cel",
        "DLBCL, CAR-T candidate (Yescarta)",
        "History of leukapheresis for CAR-T",
        "Yescarta",
    ],
)
def test_a_problem_that_only_mentions_a_product_is_no_infusion(name: str) -> None:
    assert not infusions(condition(name, "active", id="mention"))


@pytest.mark.parametrize(
    ("name", "targets"),
    [
        ("Status post CD19 CAR T 2023", ("CD19",)),
        ("History of CAR-T cell therapy (Kymriah)", ("CD19",)),
        ("ICANS after Yescarta", ("CD19",)),
        ("B-cell aplasia after tisagenlecleucel", ("CD19",)),
        ("Hypogammaglobulinemia following CAR T", ()),
        ("Cytokine release syndrome due to CAR-T", ()),
    ],
)
def test_problems_that_show_car_t_was_given_are_never_a_no(name: str, targets: tuple[str, ...]) -> None:
    made = judge(condition(), condition(name, "active", id="x"))
    assert category(made) != "no-cd19-car-t"
    assert all(one.targets == targets for one in made.facts.infusions)
    assert all(one.first is None or one.first.text in name for one in made.facts.infusions)


@pytest.mark.parametrize(
    "name",
    ["No history of CAR-T", "No prior CAR-T", "DLBCL, awaiting CAR-T", "Encounter for CAR-T evaluation"],
)
def test_problems_that_deny_or_plan_car_t_are_no_infusion(name: str) -> None:
    assert not infusions(condition(name, "active", id="x"))
