"""What the user states beside the chart: it changes the answer, it is never taken for the chart (H-46)."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from staging import CASES, NOW, Viewer, antigen, case, stated_view

from mappings.dates import ClinicalDate, parse_date
from mappings.evaluation import Outcome, RelapseCategory, Route
from mappings.facts import Antigen, AntigenState, Certainty, SpecimenKind
from mappings.reading.decode import decode_chart
from mappings.stated import (
    STATED,
    StatedConfirmation,
    StatedCorrection,
    StatedInfusion,
    evaluate_with,
    is_stated,
    whole_facts,
)
from smart_app.page import StatementFault, read_statements
from smart_app.page.whatif import OTHER_PRODUCT

NEGATIVE = CASES["cd19-negative"]


def day(text: str) -> ClinicalDate:
    found = parse_date(text)
    assert found is not None
    return found


def relapse_day(view_of: Viewer, name: str = NEGATIVE) -> str:
    when = view_of(name).evaluation.assessment.antigen(Antigen.CD19).results[0].collected
    assert when is not None
    return when.text[:10]


def test_no_statement_gives_the_chart_evaluation_back(view_of: Viewer) -> None:
    view = view_of(NEGATIVE)
    again = evaluate_with(view.evaluation.facts, (), view.knowledge, NOW, ("US", "EU"))
    assert again.matches == view.evaluation.matches
    assert again.assessment.category is view.evaluation.assessment.category


def test_a_stated_result_decides_and_the_chart_result_stays_in_sight(view_of: Viewer) -> None:
    view = view_of(NEGATIVE)
    shown = stated_view(view, antigen(Antigen.CD19, AntigenState.POSITIVE, relapse_day(view_of)))
    assessment = shown.evaluation.assessment
    assert view.evaluation.assessment.category is RelapseCategory.CD19_NEGATIVE
    assert assessment.category is RelapseCategory.CD19_POSITIVE
    assert all(is_stated(r.source) for r in assessment.antigen(Antigen.CD19).results)
    aside = [r for r in assessment.set_aside if r.code == "stated"]
    assert aside
    assert not is_stated(aside[0].source)
    assert aside[0].source is not None
    assert shown.chart is view.evaluation


def test_the_relapse_keeps_its_date_and_confirmation_when_a_result_gives_way(view_of: Viewer) -> None:
    for name in (NEGATIVE, CASES["cd19-positive"], CASES["cd19-low-or-partial"]):
        chart = view_of(name).evaluation.assessment
        shown = stated_view(
            view_of(name), antigen(Antigen.CD19, AntigenState.NEGATIVE, relapse_day(view_of, name))
        )
        assert shown.evaluation.assessment.timing.days == chart.timing.days
        assert shown.evaluation.assessment.confirmation is chart.confirmation


def test_a_stated_result_from_before_the_infusion_changes_nothing(view_of: Viewer) -> None:
    """A statement is weighed like any result (CD-1): out of date, it does not hide what the chart says."""
    view = view_of(NEGATIVE)
    shown = stated_view(view, antigen(Antigen.CD19, AntigenState.POSITIVE, "2015-01-01"))
    assessment = shown.evaluation.assessment
    assert assessment.category is RelapseCategory.CD19_NEGATIVE
    assert any(is_stated(r.source) for r in assessment.set_aside)
    assert [m.route for m in shown.evaluation.matches] == [m.route for m in view.evaluation.matches]


def test_words_that_rest_on_a_statement_say_so_and_chart_words_do_not(view_of: Viewer) -> None:
    view = view_of(NEGATIVE)
    shown = stated_view(view, antigen(Antigen.CD20, AntigenState.POSITIVE, relapse_day(view_of)))
    assessment = shown.evaluation.assessment
    assert STATED in assessment.antigen(Antigen.CD20).because
    assert STATED not in assessment.antigen(Antigen.CD19).because
    for match in shown.evaluation.matches:
        if "CD20 positive" in match.why:
            assert STATED in match.why
    for step in assessment.trail:
        if step.sources and all(is_stated(source) for source in step.sources):
            assert STATED in step.because
        if not any(is_stated(source) for source in step.sources):
            assert STATED not in step.because


def test_an_infusion_given_elsewhere_opens_the_question(view_of: Viewer) -> None:
    view = view_of(CASES["no-cd19-car-t"])
    assert view.evaluation.assessment.category is RelapseCategory.NO_CD19_CAR_T
    infusion = StatedInfusion("axicabtagene-ciloleucel", "axi-cel", ("CD19",), day("2026-01-05"))
    assessment = stated_view(view, infusion).evaluation.assessment
    assert assessment.category is not RelapseCategory.NO_CD19_CAR_T
    assert assessment.anchor is not None
    assert STATED in assessment.anchor.label
    step = next(one for one in assessment.trail if one.criterion == "cd19-car-t")
    assert step.outcome is Outcome.HOLDS
    assert STATED in step.because


def test_an_infusion_against_another_target_does_not(view_of: Viewer) -> None:
    infusion = StatedInfusion("idecabtagene-vicleucel", "ide-cel", ("BCMA",), day("2026-01-05"))
    shown = stated_view(view_of(CASES["no-cd19-car-t"]), infusion)
    assert shown.evaluation.assessment.category is RelapseCategory.NO_CD19_CAR_T


def test_a_confirmation_makes_a_suspicion_a_relapse(view_of: Viewer) -> None:
    view = view_of("deauville-5-suspected")
    assert view.evaluation.assessment.confirmation is Certainty.SUSPECTED
    when = view.evaluation.assessment.timing.relapse_date
    assert when is not None
    shown = stated_view(view, StatedConfirmation(SpecimenKind.TISSUE, when))
    assert shown.evaluation.assessment.confirmation is Certainty.CONFIRMED


def test_a_correction_leaves_a_record_out_and_says_so(view_of: Viewer) -> None:
    view = view_of(NEGATIVE)
    reference = view.evaluation.assessment.antigen(Antigen.CD19).results[0].source.reference
    shown = stated_view(view, StatedCorrection(reference))
    assessment = shown.evaluation.assessment
    assert all(r.source.reference != reference for one in assessment.antigens for r in one.results)
    assert any(
        r.code == "stated" and r.source and r.source.reference == reference for r in assessment.set_aside
    )


def test_statements_change_no_fact_of_the_chart(view_of: Viewer) -> None:
    view = view_of(NEGATIVE)
    before = view.evaluation.facts
    stated_view(view, antigen(Antigen.CD19, AntigenState.POSITIVE, relapse_day(view_of)))
    assert view.evaluation.facts is before
    assert not any(is_stated(r.source) for r in before.antigens)


def test_no_option_is_lost_whatever_is_stated(view_of: Viewer) -> None:
    """H-39: a stated CD19 state moves options between routes; none of those that need no CD19 disappears."""
    view = view_of(CASES["cd19-unknown"])
    free = {
        option.id
        for option in view.knowledge.options
        if all(t.must_be != "present" for t in option.targets if t.antigen == "CD19")
    }
    listed = {m.option for m in view.evaluation.matches} & free
    relapse = view.evaluation.assessment.timing.relapse_date
    assert relapse is not None
    for state in (AntigenState.POSITIVE, AntigenState.LOW_OR_PARTIAL, AntigenState.NEGATIVE):
        shown = stated_view(view, antigen(Antigen.CD19, state, relapse.text[:10]))
        kept = {m.option for m in shown.evaluation.matches if m.route is not Route.OUT_OF_SCOPE}
        assert listed <= kept


FORM = {
    "cd22": "positive",
    "specimen": "tissue",
    "method": "flow",
    "collected": "2026-01-05",
    "where": "scan",
}


def test_a_whole_form_is_read(view_of: Viewer) -> None:
    view = view_of(NEGATIVE)
    reference = view.evaluation.assessment.antigen(Antigen.CD19).results[0].source.reference
    form = {
        **FORM,
        "product": OTHER_PRODUCT,
        "infused": "2025-01-05",
        "confirmed": "yes",
        "confirmed_on": "2026-01-06",
        "disregard": reference,
    }
    kinds = {type(one).__name__ for one in read_statements(form, view.evaluation, view.knowledge)}
    assert kinds == {"StatedAntigen", "StatedInfusion", "StatedConfirmation", "StatedCorrection"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cd22": "maybe"}, "cd22"),
        ({"collected": ""}, "collected"),
        ({"collected": "2026-01"}, "collected"),
        ({"collected": "5/1/2026"}, "collected"),
        ({"collected": "2027-01-01"}, "collected"),
        ({"collected": "1900-01-01"}, "collected"),
        ({"specimen": "hair"}, "specimen"),
        ({"method": "guess"}, "method"),
        ({"product": "penicillin", "infused": "2026-01-01"}, "product"),
        ({"product": "tisagenlecleucel"}, "infused"),
        ({"product": "tisagenlecleucel", "infused": "2030-01-01"}, "infused"),
        ({"confirmed": "yes"}, "confirmed_on"),
        ({"disregard": "Observation/not-in-this-chart"}, "disregard"),
        ({"where": "x" * 81}, "where"),
    ],
)
def test_a_wrong_field_is_named_with_what_to_do(change: dict[str, str], field: str, view_of: Viewer) -> None:
    view = view_of(NEGATIVE)
    with pytest.raises(StatementFault) as fault:
        read_statements({**FORM, **change}, view.evaluation, view.knowledge)
    assert list(fault.value.faults) == [field]
    assert fault.value.faults[field].endswith(".")


def test_an_empty_form_says_what_is_missing(view_of: Viewer) -> None:
    view = view_of(NEGATIVE)
    with pytest.raises(StatementFault, match="Nothing was stated"):
        read_statements({}, view.evaluation, view.knowledge)


def test_values_are_read_for_options_that_a_statement_brings_up(view_of: Viewer) -> None:
    """H-08: without options a chart's values are not read; with a stated infusion they must not look unseen."""
    view = view_of(CASES["no-cd19-car-t"])
    body = json.loads(case(CASES["no-cd19-car-t"]).read_bytes())
    key = next(k for k, v in body["prefetch"].items() if "bserv" in k and isinstance(v, dict))
    patient = body["context"]["patientId"]
    count = {
        "resourceType": "Observation",
        "id": "plt",
        "status": "final",
        "subject": {"reference": f"Patient/{patient}"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "777-3"}]},
        "effectiveDateTime": "2026-11-01",
        "valueQuantity": {
            "value": 92,
            "unit": "10*9/L",
            "code": "10*9/L",
            "system": "http://unitsofmeasure.org",
        },
    }
    body["prefetch"][key].setdefault("entry", []).append({"resource": count})
    body["prefetch"][key].pop("total", None)
    decoded = decode_chart(json.dumps(body).encode())
    facts = whole_facts(decoded, view.knowledge, patient_id=patient, as_of=NOW)
    assert view_of(body).evaluation.facts.safety == ()
    assert any(fact.fact == "platelets" for fact in facts.safety)


def test_a_specimen_whose_result_gives_way_still_dates_the_relapse(view_of: Viewer) -> None:
    """Rules 11.3: the specimen was tumour of that day, whatever the user says of its CD19."""
    view = view_of("contained-specimen")
    chart = view.evaluation.assessment
    collected = chart.antigen(Antigen.CD19).results[0].collected
    assert collected is not None
    later = (collected.first + timedelta(days=3)).isoformat()
    shown = stated_view(view, antigen(Antigen.CD19, AntigenState.POSITIVE, later))
    assert shown.evaluation.assessment.timing.days == chart.timing.days
    assert shown.evaluation.assessment.confirmation is chart.confirmation
