"""Hazards of what the data mean; each test also takes the control out (H-17 to H-33)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest
from builders import (
    AS_OF,
    CPT,
    LOINC,
    Resource,
    administration,
    category,
    codes_of,
    concept,
    condition,
    flow,
    interpreted,
    judge,
    knowledge,
    observation,
    order,
    patient,
    percent,
    pet,
    procedure,
    relapsed,
    relapsed_ball,
    report,
    stain,
    state,
)
from removal import altered, anything, same_knowledge_afresh, with_attributes, without_concepts

from mappings.deciding import category as questions
from mappings.deciding.disease_choice import DiseaseChoice
from mappings.evaluation import CriterionResult, Outcome
from mappings.facts import Antigen, AntigenState, CarTInfusion, EventKind
from mappings.reading import antigens, reports, texts
from mappings.reading.report import AntigenFinding, ReportReading, read_report

QUIET = (condition(clinical="active"), procedure())
SUBSET = concept("CD19", (LOINC, "8117-4"))


def subset(word: str) -> Resource:
    return observation(SUBSET, word, specimen="Bone marrow aspirate", id="subset")


@pytest.mark.parametrize("tumour", ["Positive", "Negative", "Dim", None])
@pytest.mark.parametrize("count", [0, 15])
def test_h17_a_blood_count_never_sets_or_changes_a_state(count: float, tumour: str | None) -> None:
    counted = observation(
        concept(None, (LOINC, "8117-4")), percent(count), specimen="Peripheral blood", id="subset"
    )
    results = [stain(tumour)] if tumour else []
    with_count, without = relapsed(counted, *results), relapsed(*results)
    assert state(with_count) == state(without)
    assert len(with_count.facts.monitoring) == 1


def test_h17_the_deny_list_is_what_stops_it() -> None:
    assert state(relapsed(subset("Negative"))) == "unknown"
    denied = without_concepts(lambda c: c.attributes.get("use_class") == "lymphocyte_subset")
    assert state(relapsed(subset("Negative"), using=denied)) == "negative"


def test_h17_so_is_the_specimen(monkeypatch: pytest.MonkeyPatch) -> None:
    in_blood = observation("CD19", "Negative", specimen="Peripheral blood")
    assert state(relapsed(in_blood)) == "unknown"
    monkeypatch.setattr(antigens.Reader, "_is_monitoring", lambda *_: False)
    monkeypatch.setattr(antigens.Reader, "_not_tumour", lambda *_: "")
    assert state(relapsed(in_blood)) == "negative"


DAYS = [
    ("2025-01-09", "unknown"),
    ("2025-01-10", "unknown"),
    ("2025-01-11", "negative"),
    ("2025-01", "unknown"),
    ("2025", "unknown"),
]


@pytest.mark.parametrize(("when", "wanted"), DAYS)
def test_h18_a_result_of_before_the_infusion_is_no_evidence(
    when: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = relapsed(stain("Negative", when=when))
    assert state(made) == wanted
    assert wanted == "negative" or codes_of(made, "set-aside") & {"before-infusion", "order-unknown"}
    monkeypatch.setattr("mappings.deciding.antigen_state._refuse", anything)
    assert state(relapsed(stain("Negative", when=when))) == "negative"


@pytest.mark.parametrize("drug", ["Blinatumomab", "Tafasitamab", "Loncastuximab tesirine"])
@pytest.mark.parametrize("given", ["2025-09-20", "2025-09-21", "2025-09", None])
def test_h18_a_later_cd19_drug_voids_a_result(
    drug: str, given: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    chart = (stain("Positive"), administration(drug, given))
    assert state(relapsed(*chart)) == "unknown"
    monkeypatch.setattr("mappings.deciding.antigen_state.against_therapy", lambda *_: "after")
    assert state(relapsed(*chart)) == "positive"


def test_h19_a_specimen_that_is_not_named_is_no_tumour(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = observation("CD19", "Negative")
    made = relapsed(bare)
    assert state(made) == "unknown"
    assert "not-tumour" in codes_of(made, "set-aside")
    monkeypatch.setattr(antigens.Reader, "_not_tumour", lambda *_: "")
    assert state(relapsed(bare)) == "negative"


NORMAL = ["Normal B cells are CD19 positive.", "Background B lymphocytes: CD19 positive.",
"Haematogones, CD19 positive.",
          "Residual polyclonal B cells express CD19."]  # fmt: skip


@pytest.mark.parametrize("text", NORMAL)
def test_h19_normal_cells_are_no_tumour(text: str) -> None:
    assert state(relapsed_ball(report(text, specimen="Bone marrow aspirate"))) == "unknown"


def test_h19_a_text_of_blood_needs_malignant_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    text = report("CD19 negative.", name="Flow cytometry", specimen="Peripheral blood")
    assert state(relapsed(text)) == "unknown"
    monkeypatch.setattr(reports.TextReader, "_not_tumour", lambda *_: "")
    assert state(relapsed(text)) == "negative"


DIM = [
    "Dim",
    "Weakly positive",
    "Partially positive",
    "Heterogeneous",
    "dim/partial",
    "Subset positive",
    "Variable",
]


@pytest.mark.parametrize("word", DIM)
def test_h20_dim_is_neither_positive_nor_negative(word: str) -> None:
    assert state(relapsed(flow(word))) in ("low-or-partial", "unknown")


def test_h20_the_weak_code_is_what_its_map_says() -> None:
    assert state(relapsed(flow(interpreted("WR")))) == "low-or-partial"
    careless = {
        key: "positive" if value == "low-or-partial" else value
        for key, value in knowledge().result_codes.items()
    }
    assert state(relapsed(flow(interpreted("WR")), using=altered(result_codes=careless))) == "positive"


def test_h20_the_bands_hold_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    made = relapsed(flow(percent(35)))
    assert (state(made), made.assessment.antigens[0].band) == ("low-or-partial", True)
    monkeypatch.setattr("mappings.reading.values._band", lambda *_: AntigenState.POSITIVE)
    assert state(relapsed(flow(percent(35)))) == "positive"


@pytest.mark.parametrize(
    "pair",
    [(stain("Positive"), flow("Negative")),
    (stain("Positive", id="a"), stain("Negative", id="b", specimen="Bone marrow trephine")),
     (stain("Positive"), flow("Dim", when="2025-10-10")),
     (flow("Negative"), report("Lymphoma cells are CD19 positive."))],
    ids=["method", "site", "date", "text"],
)  # fmt: skip
def test_h21_results_that_disagree_are_discordant(
    pair: tuple[Resource, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = relapsed(*pair)
    assert (state(made), made.assessment.antigens[0].discordant) == ("unknown", True)
    assert "discordant" in codes_of(made, "conflict")
    monkeypatch.setattr("mappings.deciding.antigen_state._present", lambda definite, *_: definite[-1:])
    assert state(relapsed(*pair)) != "unknown"


def test_h22_two_clones_that_disagree_are_discordant_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    dim = observation(
        "CD19 on blasts, clone J3-119", "Dim", specimen="Bone marrow", method="Flow cytometry", id="j3"
    )
    none = observation(
        "CD19 on blasts, clone FMC63", "Negative", specimen="Bone marrow", method="Flow cytometry", id="fmc"
    )
    made = relapsed_ball(dim, none)
    assert state(made) == "unknown"
    assert {result.clone for result in made.facts.antigens} == {"J3-119", "FMC63"}
    monkeypatch.setattr(antigens, "clone_of", lambda _: "")
    assert {result.clone for result in relapsed_ball(dim, none).facts.antigens} == {""}


TRAPS = [
    ("No loss of CD19 expression; lymphoma cells remain CD19 positive.", "positive"),
    ("Lymphoma cells are not CD19 positive.", ("negative", "unknown")),
    ("CD19 cannot be assessed on the lymphoma cells.", "unknown"),
    ("Previous biopsy 2023: lymphoma cells CD19 positive.", "unknown"),
    ("Lymphoma cells: possibly CD19 negative.", "unknown"),
    ("Planned: CD19 stain on lymphoma cells.", "unknown"),
    ("Patient had CD19 negative disease in the donor. Lymphoma seen, CD20 positive.", "unknown"),
    ("Lymphoma cells positive for CD20, CD22; negative for CD3, CD5.", "unknown"),
    ("CD19-directed CAR T cells given. Lymphoma cells CD20 positive.", "unknown"),
    ("Loss of CD19 expression in lymphoma cells.", "negative"),
    ("No CD19 expression on lymphoma cells.", "negative"),
]


@pytest.mark.parametrize(("text", "wanted"), TRAPS)
def test_h23_negation_hedge_history_and_plans_are_heard(text: str, wanted: str | tuple[str, ...]) -> None:
    assert state(relapsed(report(text))) in ((wanted,) if isinstance(wanted, str) else wanted)


def naive(text: str, **_: Any) -> ReportReading:
    """A reader that only looks for the name and the word after it."""
    findings: dict[Antigen, AntigenFinding | None] = {}
    for antigen in Antigen:
        near = re.search(rf"{antigen.value}\W+(negative)?", text)
        if near is not None:
            found = AntigenState.NEGATIVE if near[1] else AntigenState.POSITIVE
            findings[antigen] = AntigenFinding(found, words=(text,))
    return ReportReading(findings, malignancy="present")


def test_h23_a_reader_deaf_to_them_fails_these_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "read_report", naive)
    afresh = same_knowledge_afresh()
    wrong = [
        text
        for text, wanted in TRAPS
        if state(relapsed(report(text), using=afresh))
        not in ((wanted,) if isinstance(wanted, str) else wanted)
    ]
    assert len(wrong) >= 5


@pytest.mark.parametrize("one", ["CD19", "CD20", "CD22"])
@pytest.mark.parametrize("word", ["positive", "negative", "dim", "not assessed", "possibly negative"])
def test_h23_exchanging_the_antigen_exchanges_the_answer(one: str, word: str) -> None:
    text = "Bone marrow with 60 % blasts. Blasts are {} {}."
    states = {
        name: state(relapsed_ball(report(text.format(name, word), specimen="Bone marrow")), name)
        for name in ("CD19", "CD20", "CD22")
    }
    assert len(set(states.values())) == 1
    assert all(
        state(relapsed_ball(report(text.format(one, word), specimen="Bone marrow")), other) == "unknown"
        for other in {"CD19", "CD20", "CD22"} - {one}
    )


MINUS = [
    "-",
    "\u2212",
    "\u2013",
    "\u2010",
    "\u2011",
    "(-)",
    " (-)",
    "(\u2212)",
    " neg",
    " neg.",
    "neg",
    " negative",
    ": negative",
    " = negative",
    " -ve",
    "\u00ad negative",
]
PLUS = [
    "+",
    " +",
    "(+)",
    " (+)",
    "++",
    "+++",
    " pos",
    " pos.",
    "pos",
    " positive",
    ": positive",
    " +ve",
    "\uff0b",
    ":\tpositive",
    "\n positive",
]
WEAK = [
    "dim",
    " dim",
    "(dim)",
    "+/-",
    "±",
    "dim+",
    " weak",
    "lo",
    " dim/neg",
    "neg/dim",
    " partial+",
    " (partial)",
    "+ (subset)",
    " weak/partial",
]


@pytest.mark.parametrize("sign", MINUS)
def test_h24_a_minus_stays_with_its_name(sign: str) -> None:
    assert state(relapsed_ball(report(f"Blasts: CD10+, CD19{sign}, CD22+.", specimen="Bone marrow"))) in (
        "negative",
        "unknown",
    )


@pytest.mark.parametrize("sign", PLUS)
def test_h24_a_plus_stays_with_its_name(sign: str) -> None:
    assert state(relapsed_ball(report(f"Blasts: CD10+, CD19{sign}, CD22+.", specimen="Bone marrow"))) in (
        "positive",
        "unknown",
    )


@pytest.mark.parametrize("sign", WEAK)
def test_h24_weak_signs_are_never_firm(sign: str) -> None:
    assert state(relapsed_ball(report(f"Blasts: CD10+, CD19{sign}, CD22+.", specimen="Bone marrow"))) in (
        "low-or-partial",
        "unknown",
    )


def test_h24_most_signs_are_read_and_a_bullet_is_no_minus() -> None:
    def read(sign: str) -> str:
        return state(relapsed_ball(report(f"Blasts: CD10+, CD19{sign}, CD22+.", specimen="Bone marrow")))

    assert sum(read(sign) == "negative" for sign in MINUS) >= len(MINUS) - 3
    assert sum(read(sign) == "positive" for sign in PLUS) >= len(PLUS) - 3
    bullets = "Blasts express:\n- CD19\n- CD22\n- CD10"
    assert state(relapsed_ball(report(bullets, specimen="Bone marrow"))) in ("positive", "unknown")


def test_h24_a_reader_that_loses_the_sign_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def signless(text: str, *rest: Any, **more: Any) -> ReportReading:
        return read_report(re.sub(r"CD19\W*\w*", "CD19+", text), *rest, **more)

    monkeypatch.setattr(texts, "read_report", signless)
    signs = report("Blasts: CD10+, CD19-, CD22+.", specimen="Bone marrow")
    assert state(relapsed_ball(signs, using=same_knowledge_afresh())) == "positive"


NO_SHARE = [
    ("", 90),
    ("", 0.9),
    ("MFI", 90),
    ("mg/dL", 3),
    ("molecules/cell", 90),
    ("/uL", 3),
    ("10*3/uL", 90),
]


@pytest.mark.parametrize(("unit", "number"), NO_SHARE)
def test_h25_a_number_without_its_unit_is_no_share(
    unit: str, number: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = flow(percent(number, None, unit, None))
    assert state(relapsed(result)) == "unknown"
    monkeypatch.setattr("mappings.reading.values.is_share", lambda _: True)
    monkeypatch.setattr("mappings.reading.values._is_fraction", lambda _: False)
    monkeypatch.setattr(antigens.Reader, "_is_monitoring", lambda *_: False)
    assert state(relapsed(result)) != "unknown"


@pytest.mark.parametrize(
    ("value", "number"),
    [({"value": 50, "unit": "10*9/L", "code": "10*9/L"}, 50.0),
    ({"value": 50000, "unit": "/uL", "code": "/uL"}, 50.0),
     ({"value": 50}, None), ({"value": 50, "unit": "%"}, None), ({"value": 50, "unit": "furlong"}, None)],
    ids=str,
)  # fmt: skip
def test_h25_a_safety_value_has_a_number_only_in_a_unit_that_fits(
    value: dict[str, Any], number: float | None
) -> None:
    platelets = observation("Platelets", {"valueQuantity": value}, specimen="Blood", id="plt")
    found = [fact for fact in relapsed(stain("Negative"), platelets).facts.safety if fact.fact == "platelets"]
    assert [fact.number for fact in found] in ([number], [] if number is None else [number])
    assert not found or "50" in found[0].value


COPIES = (
    procedure(id="a"),
    administration("Yescarta", "2025-01-10T15:00:00Z", id="b"),
    procedure(concept(None, (CPT, "38228")), id="c"),
)


def test_h26_one_infusion_written_three_ways_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(judge(condition(), *COPIES).facts.infusions) == 1
    monkeypatch.setattr("mappings.reading.car_t._same", lambda *_: False)
    assert len(judge(condition(), *COPIES).facts.infusions) > 1


def test_h26_a_true_second_one_stays_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = (condition(), procedure(), procedure(when="2025-11-01", id="second"), stain("Negative"))
    assert (len(judge(*twice).facts.infusions), state(judge(*twice))) == (2, "unknown")
    monkeypatch.setattr("mappings.reading.car_t._same", lambda *_: True)
    assert len(judge(*twice).facts.infusions) == 1


STEPS = [
    procedure(concept("Collection of T lymphocytes", (CPT, "38225"))),
    procedure("Leukapheresis for tisagenlecleucel"),
    procedure("Planned axicabtagene ciloleucel infusion"), procedure(status="not-done"),
    procedure(status="entered-in-error"),
    procedure(status="preparation"), administration("Axicabtagene ciloleucel", "2025-01-10", "not-done"),
    order("Axicabtagene ciloleucel"),
]  # fmt: skip


@pytest.mark.parametrize("step", STEPS, ids=range(len(STEPS)))
def test_h27_what_was_not_given_is_no_infusion(step: Resource, monkeypatch: pytest.MonkeyPatch) -> None:
    assert category(judge(condition(), step)) == "no-cd19-car-t"
    monkeypatch.setattr("mappings.reading.car_t._NOTHING_HAPPENED", frozenset())
    monkeypatch.setattr("mappings.reading.car_t._ORDERS", ())
    monkeypatch.setattr(
        "mappings.reading.car_t._GIVEN", ("Procedure", "MedicationAdministration", "MedicationRequest")
    )
    monkeypatch.setattr("mappings.reading.car_t.NOT_INFUSION", "no such list")
    careless = without_concepts(lambda c: c.kind == "car-t-not-infusion")
    if "38225" not in str(step):  # this code names no product: nothing stands in its place
        assert category(judge(condition(), step, using=careless)) != "no-cd19-car-t"


@pytest.mark.parametrize("product", ["idecabtagene-vicleucel", "ciltacabtagene-autoleucel"])
def test_h28_a_bcma_product_is_no_cd19_car(product: str) -> None:
    given = procedure(knowledge().concepts[product].label)
    assert category(judge(condition(), given, stain("Negative"))) == "no-cd19-car-t"
    confused = with_attributes(product, targets=["CD19"])
    assert category(judge(condition(), given, stain("Negative"), using=confused)) == "cd19-negative"


def test_h28_an_unknown_target_is_never_promoted(monkeypatch: pytest.MonkeyPatch) -> None:
    chart = (condition(), procedure("CAR-T infusion"), stain("Negative"))
    assert category(judge(*chart)) == "insufficient-data"
    monkeypatch.setattr(CarTInfusion, "cd19_directed", property(lambda _: True))
    assert category(judge(*chart)) == "cd19-negative"


OUTSIDE = ["Chronic lymphocytic leukemia", "Burkitt lymphoma", "Marginal zone lymphoma"]


@pytest.mark.parametrize("disease", OUTSIDE)
def test_h29_outside_the_rule_set_only_the_essentials_are_named(
    disease: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chart = (condition(disease), procedure(), stain("Positive"))
    made = judge(*chart)
    assert category(made) == "cd19-positive"
    assert {match.kind for match in made.matches} <= {"testing", "clinical-trial", "supportive"}
    assert all(not match.evidence for match in made.matches)
    lbcl = DiseaseChoice(made.assessment.disease, "lbcl", "in", False)
    monkeypatch.setattr("mappings.evaluate.choose_disease", lambda *_: lbcl)
    assert len(judge(*chart).matches) > len(made.matches)


@pytest.mark.parametrize("disease", ["Multiple myeloma", "Acute myeloid leukemia", "Carcinoma of breast"])
def test_h29_other_diseases_get_no_b_cell_options(disease: str) -> None:
    made = judge(condition(disease), procedure(), stain("Positive"))
    offered = {match.option for match in made.matches if match.route.value in ("consider", "specialist")}
    assert not offered & {"glofitamab", "blinatumomab", "loncastuximab-tesirine", "tafasitamab-lenalidomide"}


NO_RELAPSE = [
    pet("Partial response."), pet("Deauville 4, decreased in size."), pet("Stable disease."),
    pet("No evidence of relapse."),
    pet("Pseudoprogression cannot be told from inflammation."), pet("Mother relapsed from lymphoma."),
    pet("Rule out relapse."),
]  # fmt: skip


@pytest.mark.parametrize("evidence", NO_RELAPSE, ids=[str(one["conclusion"]) for one in NO_RELAPSE])
def test_h30_what_is_no_relapse_is_not_called_one(evidence: Resource) -> None:
    assert category(judge(*QUIET, evidence)) == "no-relapse"


def test_h30_a_partial_response_that_counted_as_disease_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mappings.deciding.course.ACTIVE", frozenset(EventKind))
    assert category(judge(*QUIET, pet("Partial response."))) != "no-relapse"


def test_h30_suspected_is_said_and_biopsy_is_asked_for() -> None:
    made = judge(*QUIET, pet("Deauville 5."))
    assert (category(made), made.assessment.confirmation.value) == ("cd19-unknown", "suspected")
    assert any(row.code == "tissue" for row in made.assessment.missing)


SWITCHED = "Lineage switch: acute myeloid leukemia, blasts MPO positive, CD19 negative."
B_ANTIGEN = {
    "blinatumomab",
    "inotuzumab",
    "obe-cel",
    "cd22-car-t-ball",
    "cd19-car-reinfusion-all",
    "cd19-cd22-dual-car-t",
}


def test_h31_after_a_lineage_switch_no_b_antigen_option_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    chart = (
        report(SWITCHED, specimen="Bone marrow aspirate"),
        stain("Positive", "CD22", specimen="Bone marrow"),
    )
    made = relapsed_ball(*chart)
    assert category(made) == "lineage-switch"
    assert (
        not {
            match.option
            for match in made.matches
            if match.route.value in ("consider", "specialist", "needs-result")
        }
        & B_ANTIGEN
    )
    monkeypatch.setattr(
        questions, "has_lineage_switch", lambda *_: CriterionResult("lineage-switch", Outcome.FAILS, "", "")
    )
    assert category(relapsed_ball(*chart)) != "lineage-switch"


def test_h31_a_new_t_cell_malignancy_leaves_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    chart = (report("Peripheral T-cell lymphoma, CD3 positive, CAR transgene detected."),)
    made = judge(*QUIET, *chart)
    assert made.assessment.branch is not None
    assert made.assessment.branch.value == "t-cell-malignancy"
    assert not {match.option for match in made.matches} & {
        "glofitamab",
        "tafasitamab-lenalidomide",
        "loncastuximab-tesirine",
    }
    monkeypatch.setattr(questions, "branch_of", anything)
    assert judge(*QUIET, *chart).assessment.branch is None


PARTIAL = [
    ("2025", "2025-06-01"),
    ("2025-01", "2025-01-20"),
    ("2025-01-10", "2025"),
    ("2025-01-10", "2025-01"),
    (None, "2025-06-01"),
    ("2025-01-10", None),
]


@pytest.mark.parametrize(("infused", "taken"), PARTIAL)
def test_h32_an_order_that_cannot_be_known_counts_neither_way(
    infused: str | None, taken: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    chart = (condition(), procedure(when=infused), stain("Negative", when=taken))
    made = judge(*chart)
    assert state(made) == "unknown"
    assert "order-unknown" in codes_of(made, "set-aside")
    monkeypatch.setattr("mappings.deciding.antigen_state._refuse", anything)
    assert state(judge(*chart)) == "negative"


@pytest.mark.parametrize("swapped", ["10/01/2025", "01/10/2025", "10.01.2025", "2025-13-01"])
def test_h32_day_and_month_are_never_guessed(swapped: str) -> None:
    assert state(judge(condition(), procedure(when=swapped), stain("Negative"))) == "unknown"


@pytest.mark.parametrize("when", ["2026-06-02", "2027-01", "2099"])
def test_h32_the_future_is_a_conflict_and_no_fact(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = relapsed(stain("Negative", when=when))
    assert state(made) == "unknown"
    assert "future" in codes_of(made, "conflict")
    monkeypatch.setattr("mappings.reading.facts_of._without_future", lambda facts, _: facts)
    assert state(relapsed(stain("Negative", when=when))) == "negative"


@pytest.mark.parametrize(
    "written", ["2025-09-20T23:30:00-08:00", "2025-09-20T00:10:00+13:00", "2025-09-20", "2025-09-20T12:00:00"]
)
def test_h32_the_day_count_is_that_of_the_site(written: str) -> None:
    assert relapsed(stain("Negative", when=written)).assessment.timing.days == 253


def test_h33_the_time_of_judgement_needs_a_zone_and_is_told() -> None:
    with pytest.raises(ValueError, match="zone"):
        relapsed(as_of=datetime(2026, 6, 1, 12, 0))
    assert relapsed(as_of=AS_OF).as_of == "2026-06-01T12:00:00Z"


@pytest.mark.parametrize("year", [2024, 2025])
def test_h33_a_clock_a_year_behind_loses_facts_aloud(year: int) -> None:
    made = relapsed(stain("Negative"), as_of=AS_OF.replace(year=year, month=2))
    assert "future" in codes_of(made, "conflict")
    assert state(made) == "unknown"


def test_h33_age_goes_with_the_time_of_judgement() -> None:
    young = patient(birthDate="2000-06-02")
    assert relapsed(patient=young).assessment.age_years == 25
    assert relapsed(patient=young, as_of=AS_OF.replace(day=2)).assessment.age_years == 26
