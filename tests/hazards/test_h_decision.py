"""Hazards of rules, options and attention; each control is also taken out (H-34 to H-45)."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import (
    AS_OF,
    Resource,
    administration,
    body,
    category,
    condition,
    flow,
    judge,
    knowledge,
    observation,
    patient,
    pet,
    prefetch,
    procedure,
    relapsed,
    relapsed_ball,
    report,
    stain,
    state,
)
from removal import altered, anything

from mappings.dates import parse_date
from mappings.deciding import category as questions
from mappings.deciding.gaps import SILENT
from mappings.deciding.options_plan import Scope
from mappings.evaluate import evaluate
from mappings.evaluation import CriterionResult, Evaluation, Outcome
from mappings.loading import check_knowledge, packaged_folder
from mappings.reading.decode import decode_request

CHARTS: dict[str, tuple[Resource, ...]] = {
    "cd19-negative": (condition(), procedure(), stain("Negative"), stain("Positive", "CD20")),
    "cd19-positive": (condition(), procedure(), stain("Positive")),
    "cd19-low-or-partial": (condition(), procedure(), stain("Dim")),
    "cd19-unknown": (condition(), procedure()),
    "lineage-switch": (
        condition("B-cell acute lymphoblastic leukemia"), procedure("Tisagenlecleucel infusion"),
        report("Lineage switch to acute myeloid leukemia.", specimen="Bone marrow aspirate"),
    ),
    "no-relapse": (condition(clinical="remission"), procedure()),
    "no-cd19-car-t": (condition(),),
    "no-lymphoid-malignancy": (condition("Type 2 diabetes", "active"),),
    "deceased": (patient(deceasedBoolean=True), condition(), procedure(), stain("Negative")),
}  # fmt: skip
CRITERIA = {
    "is_deceased": ("deceased", "deceased"),
    "has_lymphoid_malignancy": ("lymphoid-malignancy", "no-lymphoid-malignancy"),
    "has_cd19_car_t": ("cd19-car-t", "no-cd19-car-t"),
    "has_relapse": ("relapse-after-car-t", "no-relapse"),
    "has_lineage_switch": ("lineage-switch", "lineage-switch"),
}


@pytest.mark.parametrize("name", CHARTS)
def test_h34_every_category_has_its_chart(name: str) -> None:
    assert category(judge(*CHARTS[name])) == name


@pytest.mark.parametrize("function", CRITERIA)
@pytest.mark.parametrize("outcome", list(Outcome))
def test_h34_a_criterion_that_answers_blindly_is_noticed(
    function: str, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    criterion, _ = CRITERIA[function]
    monkeypatch.setattr(questions, function, lambda *_: CriterionResult(criterion, outcome, "", ""))
    changed = [name for name, chart in CHARTS.items() if category(judge(*chart)) != name]
    assert changed or (criterion, outcome) in (
        ("deceased", Outcome.UNKNOWN),
        ("lineage-switch", Outcome.UNKNOWN),
    )


POLICY = {
    "share_positive_from": (81.0, flow({"valueQuantity": {"value": 80, "unit": "%"}}), "positive"),
    "share_negative_below": (4.0, flow({"valueQuantity": {"value": 4.5, "unit": "%"}}), "negative"),
    "h_score_positive_from": (151.0, stain({"valueQuantity": {"value": 150, "unit": "H-score"}}), "positive"),
    "h_score_negative_below": (4.0, stain({"valueQuantity": {"value": 4, "unit": "H-score"}}), "negative"),
}


@pytest.mark.parametrize("setting", POLICY)
def test_h34_a_threshold_that_moves_by_one_is_noticed(setting: str) -> None:
    from dataclasses import replace

    moved, result, wanted = POLICY[setting]
    assert state(relapsed(result)) == wanted
    policy = replace(knowledge().policy, **{setting: moved})
    assert state(relapsed(result, using=altered(policy=policy))) == "low-or-partial"


@pytest.mark.parametrize(("setting", "days"), [("max_age_days_lymphoma", 61), ("merge_days", 13)])
def test_h34_a_window_that_moves_by_one_is_noticed(setting: str, days: int) -> None:
    from dataclasses import replace

    other = altered(policy=replace(knowledge().policy, **{setting: days}))
    if setting == "merge_days":
        chart = (condition(), procedure(id="a"), procedure(when="2025-01-24", id="b"))
        assert len(judge(*chart).facts.infusions) != len(judge(*chart, using=other).facts.infusions)
        return
    chart = (
        condition(),
        procedure(),
        stain("Positive", when="2025-09-20"),
        flow("Negative", when="2025-11-20"),
    )
    assert state(judge(*chart)) != state(judge(*chart, using=other))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(packaged_folder(), tmp_path / "knowledge"))


def edit(path: Path, change: Any) -> None:
    loaded = json.loads(path.read_text("utf-8"))
    change(loaded)
    path.write_text(json.dumps(loaded), "utf-8")


def test_h34_a_figure_without_its_citation_stops_the_build(folder: Path) -> None:
    sound = set(check_knowledge(folder))
    edit(folder / "evidence" / "glofitamab.json", lambda rows: rows[0].update(citation_id="nobody-2020"))
    assert any("glofitamab" in fault.file for fault in set(check_knowledge(folder)) - sound)


def test_h35_every_status_row_tells_when_it_was_seen(folder: Path) -> None:
    rows = [row for name in CHARTS for match in judge(*CHARTS[name]).matches for row in match.status]
    assert rows
    assert all(parse_date(str(row["as_of"])) for row in rows)
    sound = set(check_knowledge(folder))
    edit(folder / "options" / "glofitamab.json", lambda option: option["status"][0].pop("as_of"))
    assert any("glofitamab" in fault.file for fault in set(check_knowledge(folder)) - sound)


def regional(regions: tuple[str, ...], *resources: Resource) -> Evaluation:
    decoded = decode_request(body(prefetch(*resources)))
    return evaluate(decoded, knowledge(), patient_id="syn-1", as_of=AS_OF, regions=regions)


@pytest.mark.parametrize(
    ("regions", "shown"),
    [(("US",), {"US"}), (("EU",), {"EU"}), (("US", "EU"), {"US", "EU"}), ((), {"US", "EU"})],
)
def test_h36_only_the_sites_region_is_shown_and_both_where_none_is_named(
    regions: tuple[str, ...], shown: set[str]
) -> None:
    made = regional(regions, *CHARTS["cd19-negative"])
    assert {str(row["region"]) for match in made.matches for row in match.status} == shown


@pytest.mark.parametrize(("region", "barred"), [("US", False), ("EU", True)])
def test_h36_label_age_goes_with_the_region(
    region: str, barred: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Obe-cel at 20: on label in the US, not in the EU (rules 11.12)."""
    chart = (
        patient(birthDate="2005-09-01"),
        condition("B-cell acute lymphoblastic leukemia"),
        procedure("Tisagenlecleucel infusion"),
        flow("Positive"),
    )

    def route() -> str:
        return next(
            match.route.value for match in regional((region,), *chart).matches if match.option == "obe-cel"
        )

    assert (route() == "not-suitable") is barred
    monkeypatch.setattr("mappings.deciding.options_verdict._by_age", anything)
    assert route() != "not-suitable"


def test_h37_a_child_sees_no_adult_figure() -> None:
    child = patient(birthDate="2016-03-03")
    made = relapsed_ball(flow("Negative"), stain("Positive", "CD22", specimen="Bone marrow"), patient=child)
    shown = [knowledge().evidence[row] for match in made.matches for row in match.evidence]
    assert shown
    assert {row.adult_or_child for row in shown} <= {
        "child",
        "both",
        "mixed",
        "child-and-young-adult",
        "children",
    }


@pytest.mark.parametrize(
    "disease",
    [
        "Diffuse large B-cell lymphoma",
        "Mantle cell lymphoma",
        "Follicular lymphoma",
        "B-cell acute lymphoblastic leukemia",
    ],
)
@pytest.mark.parametrize("born", ["1955-01-01", "2016-01-01", None])
def test_h37_figures_fit_disease_and_age_or_there_are_none(
    disease: str, born: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = patient(birthDate=born) if born else {"resourceType": "Patient", "id": "syn-1"}
    chart = (who, condition(disease), procedure(), stain("Positive"))
    made = judge(*chart)
    figures = sum(len(match.evidence) for match in made.matches)
    assert all(match.no_evidence is not bool(match.evidence) for match in made.matches)
    monkeypatch.setattr("mappings.deciding.options_plan._fits", lambda *_: True)
    monkeypatch.setattr("mappings.deciding.options_plan._PLANS_KEPT", 0)
    assert sum(len(match.evidence) for match in judge(*chart, using=altered()).matches) > figures


def test_h38_every_check_of_an_option_is_listed_also_when_nothing_was_seen() -> None:
    made = relapsed(stain("Positive"), stain("Positive", "CD20"))
    for match in made.matches:
        wanted = {row.fact for row in knowledge().option(match.option).check_before}
        assert {check.fact for check in match.checks} == wanted
    assert any(
        check.fact == "hbv-serology" and not check.value for match in made.matches for check in match.checks
    ) or any("not seen" in check.value for match in made.matches for check in match.checks)


PREGNANT = condition("Pregnancy", "active", id="preg", onsetDateTime="2026-03-01")


def test_h38_a_current_pregnancy_rules_out_lenalidomide(monkeypatch: pytest.MonkeyPatch) -> None:
    chart = (stain("Positive"), stain("Positive", "CD20"), PREGNANT)

    def route() -> str:
        return next(
            match.route.value
            for match in relapsed(*chart).matches
            if match.option == "tafasitamab-lenalidomide"
        )

    assert route() == "not-suitable"
    monkeypatch.setattr("mappings.deciding.options_verdict._excluded", anything)
    assert route() != "not-suitable"


def test_h38_boxed_warnings_go_with_their_option() -> None:
    matches = {match.option: match for match in relapsed(stain("Positive", "CD20")).matches}
    assert matches["glofitamab"].boxed
    assert matches["epcoritamab"].boxed


INDEPENDENT = (
    "clinical-trial",
    "supportive-palliative-care",
    "radiotherapy",
    "glofitamab",
    "epcoritamab",
    "polatuzumab-br",
)


@pytest.mark.parametrize("word", ["Positive", "Negative", "Dim", None])
def test_h39_the_cd19_branch_hides_no_other_option(word: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    chart = [stain("Positive", "CD20"), *([stain(word)] if word else [])]

    def named() -> set[str]:
        return {
            match.option
            for match in relapsed(*chart).matches
            if match.route.value in ("consider", "specialist", "needs-result")
        }

    assert named() >= set(INDEPENDENT)
    monkeypatch.setattr("mappings.deciding.options._scope", lambda _: Scope.ESSENTIAL)
    assert not named() >= set(INDEPENDENT)


def test_h40_the_overlay_is_named_in_the_answer() -> None:
    assert judge(using=altered(overlay="site-a 3")).knowledge.overlay == "site-a 3"
    assert judge().knowledge.overlay is None
    assert judge().knowledge.digest == knowledge().digest


ROUTES = ("consider", "needs-result", "specialist", "not-suitable", "out-of-scope")
RANKING = ("preferred", "recommended", "first choice", "best option", "score")


@pytest.mark.parametrize("name", CHARTS)
def test_h41_the_order_is_fixed_and_nothing_ranks(name: str) -> None:
    """By route, then testing, trial, alphabetical (rules 9.1): the patient's data move routes, never places."""
    fixed = {option.id: place for place, option in enumerate(knowledge().options)}
    made = judge(*CHARTS[name])
    places = [(ROUTES.index(match.route.value), fixed[match.option]) for match in made.matches]
    assert places == sorted(places)
    said = " ".join(text for match in made.matches for text in (match.why, *match.notes)).lower()
    assert not [word for word in RANKING if word in said]


ORDINARY = [
    condition("Essential hypertension", "active", id="c1"), condition("Type 2 diabetes mellitus", "active", id="c2"),
    condition("Asthma", "active", id="c3"), condition("Acute bronchitis", "resolved", id="c4"),
    condition("Normal pregnancy", "resolved", id="c5"),
    procedure("Colonoscopy", id="p1"), procedure("Appendectomy", id="p2"), procedure("Leukapheresis", id="p3"),
    observation("Lymphocytes", {"valueQuantity": {"value": 1.2, "unit": "10*9/L"}}, id="o1"),
    observation("CD4 count", {"valueQuantity": {"value": 500, "unit": "/uL"}}, id="o2"),
    administration("Rituximab", "2025-03-03", id="m1"),
    report("No acute findings. Progressive degenerative change.", name="X-ray spine", specimen=None, id="r1"),
    report("Tubular adenoma, negative for dysplasia.", id="r2", specimen="Colon biopsy"),
    pet("No FDG-avid disease.", id="r3"),
]  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_h43_ordinary_charts_stay_silent(seed: int) -> None:
    import random

    chance = random.Random(seed)  # noqa: S311  picks invented charts, guards nothing
    made = judge(*chance.sample(ORDINARY, chance.randint(0, len(ORDINARY))))
    assert made.assessment.category in SILENT
    assert made.assessment.branch is None
    assert not made.matches


def test_h43_a_relapse_question_that_is_asked_blindly_would_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for function, (criterion, _) in list(CRITERIA.items())[1:4]:
        monkeypatch.setattr(
            questions, function, lambda *_, name=criterion: CriterionResult(name, Outcome.HOLDS, "", "")
        )
    assert judge(*ORDINARY).assessment.category not in SILENT


@pytest.mark.parametrize("name", CHARTS)
def test_h45_every_answer_gives_its_reasons(name: str) -> None:
    made = judge(*CHARTS[name])
    assert all(step.because and step.rule for step in made.assessment.trail)
    assert all(view.because for view in made.assessment.antigens)
    assert all(match.why and match.rule for match in made.matches)
    for step in made.assessment.trail:
        if step.outcome is Outcome.HOLDS:
            assert step.sources
    for view in made.assessment.antigens:
        assert all(result.source.reference and result.source.quote for result in view.results)
        if view.state.value != "unknown":
            assert view.results


def test_h45_unknown_says_what_would_settle_it() -> None:
    made = relapsed()
    assert {row.code for row in made.assessment.missing} >= {"CD19", "CD20", "tissue"}
    assert all(row.remedy for row in made.assessment.missing)


def test_h10_answers_age_with_the_clock_only_in_words() -> None:
    one, two = relapsed(stain("Negative")), relapsed(stain("Negative"), as_of=AS_OF + timedelta(days=900))
    assert (state(one), category(one)) == (state(two), category(two))
    assert one.as_of != two.as_of
