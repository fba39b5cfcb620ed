"""A confirmation is said to be whose it is, on every face; a statement keeps the words it was made in (H-46)."""

from __future__ import annotations

import html
from dataclasses import replace

import pytest
from staging import Viewer, stated_view

from cds_hooks.standing import confirmation_line, confirmation_mark, confirmed_by_user
from mappings.dates import ClinicalDate, parse_date
from mappings.evaluation import RelapseCategory
from mappings.facts import Antigen, AntigenState, Certainty, Method, SpecimenKind
from mappings.stated import STATED, StatedAntigen, StatedConfirmation, Statement
from smart_app.page import PageView, json_document, plain_text, render_page
from smart_app.page.options import build_options
from smart_app.page.takeaway import build_sheet

PET_ONLY = "deauville-5-suspected"
UNDATED = "recurrence-undated"
DATED = "second-infusion-voids"
BLOOD_WORDS = "blood with lymphoma cells or blasts"


def day(text: str) -> ClinicalDate:
    found = parse_date(text)
    assert found is not None
    return found


def on_blood(view: PageView, days: str = "2026-01-15") -> StatedAntigen:
    return StatedAntigen(
        Antigen.CD19, AntigenState.NEGATIVE, SpecimenKind.BLOOD, Method.UNSPECIFIED, day(days)
    )


def sheet_of(view: PageView) -> str:
    page = html.unescape(render_page(view)).replace("\u00a0", " ")
    return page[page.index('class="sheet"') :]


def head_of_page(view: PageView) -> str:
    page = html.unescape(render_page(view)).replace("\u00a0", " ")
    return page[page.index('id="answer"') : page.index('id="course"')]


def test_a_stated_result_alone_does_not_confirm_a_suspicion(view_of: Viewer) -> None:
    view = view_of(PET_ONLY)
    shown = stated_view(view, on_blood(view))
    assessment = shown.evaluation.assessment
    assert assessment.category is RelapseCategory.CD19_NEGATIVE
    assert assessment.confirmation is Certainty.SUSPECTED
    assert assessment.timing.relapse_date == view.evaluation.assessment.timing.relapse_date
    for face in (head_of_page(shown), sheet_of(shown), plain_text(shown)):
        assert "Suspected, not confirmed" in face
        assert "onfirmed by" not in face


@pytest.mark.parametrize("name", [UNDATED, DATED])
def test_a_stated_result_alone_confirms_no_relapse_that_the_chart_states(name: str, view_of: Viewer) -> None:
    view = view_of(name)
    assert view.evaluation.assessment.confirmation is Certainty.STATED
    assert stated_view(view, on_blood(view)).evaluation.assessment.confirmation is Certainty.STATED


@pytest.mark.parametrize("name", [PET_ONLY, UNDATED, DATED])
def test_a_stated_confirmation_says_so_on_every_face(name: str, view_of: Viewer) -> None:
    view = view_of(name)
    when = view.evaluation.assessment.timing.relapse_date or day("2026-01-15")
    shown = stated_view(view, StatedConfirmation(SpecimenKind.TISSUE, when))
    evaluation = shown.evaluation
    assert evaluation.assessment.confirmation is Certainty.CONFIRMED
    assert confirmed_by_user(evaluation.assessment)
    line = confirmation_line(evaluation)
    assert f"confirmed by malignant cells in a specimen: {STATED}, not in the chart" in line.replace("C", "c")
    for face in (head_of_page(shown), sheet_of(shown), plain_text(shown)):
        assert line in face
        assert "confirmed by malignant cells in a specimen." not in face.lower()
    assert f"Confirmed by a specimen, {STATED}" in head_of_page(shown)
    assert json_document(shown)["confirmation_stated_by_user"] is True
    assert json_document(view)["confirmation_stated_by_user"] is False


def test_a_date_that_only_the_user_gave_is_not_on_record(view_of: Viewer) -> None:
    """An undated relapse of the chart, dated and confirmed by a statement: nothing of it is `on record`."""
    view = view_of(UNDATED)
    confirmed = stated_view(view, StatedConfirmation(SpecimenKind.TISSUE, day("2026-01-15"))).evaluation
    assert "on record" not in confirmation_line(confirmed)
    dated = stated_view(view, on_blood(view)).evaluation
    assert dated.assessment.timing.relapse_date == day("2026-01-15")
    assert f"15 Jan 2026 (date {STATED})" in confirmation_line(dated)


def test_a_confirmation_in_the_chart_stays_unmarked_beside_statements(view_of: Viewer) -> None:
    for name in ("answer-loinc-answer-negative", "dlbcl-axi-hcpcs-positive"):
        view = view_of(name)
        when = view.evaluation.assessment.timing.relapse_date
        assert when is not None
        said = StatedConfirmation(SpecimenKind.TISSUE, when)
        for statements in ((on_blood(view, when.text[:10]),), (said,)):
            shown = stated_view(view, *statements)
            assert not confirmed_by_user(shown.evaluation.assessment)
            assert confirmation_line(shown.evaluation) == confirmation_line(view.evaluation)
            assert confirmation_mark(shown.evaluation) == "Confirmed by a specimen"


@pytest.mark.parametrize("kind", ["antigen", "confirmation"])
def test_stated_blood_keeps_its_qualifier_everywhere(kind: str, view_of: Viewer) -> None:
    """CD-2: blood counts only where lymphoma cells or blasts were in it, so no face may say blood alone."""
    view = view_of(PET_ONLY)
    when = view.evaluation.assessment.timing.relapse_date
    assert when is not None
    said: Statement = StatedConfirmation(SpecimenKind.BLOOD, when)
    if kind == "antigen":
        said = replace(on_blood(view), collected=when)
    shown = stated_view(view, said)
    page = html.unescape(render_page(shown))
    strip = page[page.index('class="stated-lines"') : page.index('id="answer"')]
    for face in (strip, sheet_of(shown), plain_text(shown)):
        assert BLOOD_WORDS in face
    assert BLOOD_WORDS in json_document(shown)["stated_by_user"][0]["statement"]
    assert ", blood," not in plain_text(shown) + page


def test_the_reasons_on_paper_are_never_cut_inside_a_part(view_of: Viewer) -> None:
    """What does not fit is counted and stands in the page; half a result reads like another result."""
    view = view_of("answer-loinc-answer-negative")
    assessment = view.evaluation.assessment
    many = "; ".join(f"CD22 positive on specimen number {number} of this relapse" for number in range(20))
    trail = tuple(
        replace(step, because=many) if step.criterion == "relapse-after-car-t" else step
        for step in assessment.trail
    )
    long = replace(view, evaluation=replace(view.evaluation, assessment=replace(assessment, trail=trail)))
    why = build_sheet(long, build_options(long)).why
    assert "…" not in why
    kept = why.count("of this relapse")
    assert 2 < kept < 20
    assert f"{20 - kept} more in the page." in why
