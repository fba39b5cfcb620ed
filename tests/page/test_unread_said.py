"""What was not read is never denied: specimens, later therapies, and the first lines of what leaves (H-54, 11.5)."""

from __future__ import annotations

import copy
import html
import json
from collections.abc import Callable
from typing import Any

import pytest
from staging import Viewer, case

from cds_hooks.cards import build_cards
from cds_hooks.names import card_names
from cds_hooks.standing import confirmation_line, confirmation_mark
from mappings.evaluation import RelapseCategory
from mappings.facts import Certainty
from smart_app.page import PageView, plain_text, render_page
from smart_app.page.answer import build_answer

DENIAL = "on record confirms it"
REPORTS = "pathology and imaging reports not read"
RESULTS = "laboratory and pathology results not read"
SETTLED = {
    RelapseCategory.CD19_POSITIVE: "dlbcl-axi-hcpcs-positive",
    RelapseCategory.CD19_LOW_OR_PARTIAL: "h-score-40",
    RelapseCategory.CD19_NEGATIVE: "answer-loinc-answer-negative",
}


def without(name: str, *words: str) -> dict[str, Any]:
    """The case with every prefetch key of these words null, as where the EHR withholds the type."""
    body: dict[str, Any] = copy.deepcopy(json.loads(case(name).read_bytes()))
    for key in body["prefetch"]:
        if any(word in key.lower() for word in words):
            body["prefetch"][key] = None
    return body


def cut_short(name: str, key: str) -> dict[str, Any]:
    """The case with a searchset of which only a first page came."""
    body: dict[str, Any] = copy.deepcopy(json.loads(case(name).read_bytes()))
    link = {"relation": "next", "url": "https://fhir.example.org/fhir?page=2"}
    body["prefetch"][key]["link"] = [link]
    return body


def sheet_of(view: PageView) -> str:
    page = html.unescape(render_page(view)).replace("\u00a0", " ")
    return page[page.index('class="sheet"') :]


def card_of(view: PageView) -> str:
    cards = build_cards(view.evaluation, card_names(view.knowledge))
    return cards[0].summary + "\n" + cards[0].detail


@pytest.mark.parametrize(
    ("key", "told"), [("report", REPORTS), ("observation", RESULTS)], ids=["reports", "observations"]
)
def test_no_specimen_is_denied_where_its_type_was_not_read(key: str, told: str, view_of: Viewer) -> None:
    view = view_of(without("recurrence-undated", key))
    evaluation = view.evaluation
    assert evaluation.assessment.confirmation is Certainty.STATED
    assert f"no specimen seen: {told}" in confirmation_line(evaluation)
    assert told in confirmation_mark(evaluation)
    faces = (html.unescape(render_page(view)), sheet_of(view), plain_text(view), card_of(view))
    for face in faces:
        assert DENIAL not in face
        assert "no specimen confirms it" not in face
        assert told in face


def test_in_a_chart_that_was_read_in_full_the_denial_stands(view_of: Viewer) -> None:
    view = view_of("recurrence-undated")
    assert DENIAL in confirmation_line(view.evaluation)
    assert confirmation_mark(view.evaluation) == "Stated, no specimen confirms it"


def test_a_document_that_could_not_be_read_may_hold_the_specimen(view_of: Viewer) -> None:
    view = view_of("pdf-only-title-negative")
    assert view.evaluation.assessment.unread
    assert "no specimen in what was read confirms it" in confirmation_line(view.evaluation)


def test_a_suspicion_names_what_was_not_read(view_of: Viewer) -> None:
    view = view_of(without("deauville-5-suspected", "report"))
    assert view.evaluation.assessment.confirmation is Certainty.SUSPECTED
    assert f"No specimen seen: {REPORTS}." in confirmation_line(view.evaluation)
    assert confirmation_mark(view.evaluation) == f"Suspected, not confirmed; {REPORTS}"
    assert "Not confirmed by tissue." not in card_of(view)


def test_what_was_not_read_stands_in_the_first_lines_of_print_and_note(view_of: Viewer) -> None:
    view = view_of(without("recurrence-undated", "report"))
    sheet, note = sheet_of(view), plain_text(view)
    at = sheet.index("Not everything was read: ")
    assert at < sheet.index('class="s-ans"')
    assert REPORTS in sheet[at : at + 200]
    assert [line for line in note.splitlines()[:5] if line.startswith("Not everything was read: ")]
    assert "Not everything was read" not in sheet_of(view_of("recurrence-undated"))
    assert "Not everything was read" not in plain_text(view_of("recurrence-undated"))


@pytest.mark.parametrize(
    ("make", "key", "told"),
    [
        (without, "medications", "Administrations not read"),
        (cut_short, "medications", "Administrations read in part"),
        (cut_short, "procedures", "Procedures read in part"),
    ],
    ids=["administrations", "administrations-in-part", "procedures-in-part"],
)
@pytest.mark.parametrize("category", SETTLED, ids=str)
def test_a_cd19_state_leaves_a_later_therapy_open_where_therapies_were_not_read(
    category: RelapseCategory, make: Callable[..., dict[str, Any]], key: str, told: str, view_of: Viewer
) -> None:
    """CD-1: that a result is later than the last CD19-directed therapy cannot be said of therapies not read."""
    open_line = f"{told}: a later CD19-directed therapy is not ruled out."
    whole = view_of(SETTLED[category])
    assert whole.evaluation.assessment.category is category
    assert "not ruled out" not in plain_text(whole) + card_of(whole) + sheet_of(whole)
    view = view_of(make(SETTLED[category], key))
    for face in (html.unescape(render_page(view)), sheet_of(view), plain_text(view), card_of(view)):
        assert open_line in face


@pytest.mark.parametrize("name", ["mrd-return-ball", "mrd-percent-is-burden"])
def test_a_response_without_words_is_named_as_in_the_course(name: str, view_of: Viewer) -> None:
    view = view_of(name)
    response = view.evaluation.assessment.timing.response
    assert response is not None
    assert response.words == ""
    said = [note for note in build_answer(view).notes if note.startswith("Earlier response: ")]
    assert len(said) == 1
    assert not said[0].startswith("Earlier response: ,")
    label = next(e.label for e in view.evaluation.timeline if e.source == response.source)
    assert said[0].startswith(f"Earlier response: {label}")


def test_a_patient_without_sex_is_said_so_once(view_of: Viewer) -> None:
    body = json.loads(case("dlbcl-axi-hcpcs-positive").read_bytes())
    for sex in (None, "unknown"):
        body["prefetch"]["patient"]["gender"] = sex
        view = view_of(body)
        page = render_page(view)
        assert "<dt>Sex</dt> <dd>not known</dd>" in page
        assert "Sex Sex" not in page + plain_text(view)
        assert ", Sex not known, " in plain_text(view)
        assert "· Sex not known ·" in page
