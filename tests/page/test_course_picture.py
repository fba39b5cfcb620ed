"""The course: the picture is drawn from the rows of the table, and what it does not show is named beside it (H-08)."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from staging import BRANCHES, CASES, NOW, OTHERS, Viewer

from sandbox_ehr.patients import all_charts
from smart_app.page import PageView, render_page
from smart_app.page.course import build_course
from smart_app.page.course_marks import Mark
from smart_app.page.plate import MID, PRINT, SMALL, WIDE
from smart_app.page.plot import draw

PLATES = (WIDE, MID, SMALL, PRINT)
INVENTED = tuple(chart.story.key for chart in all_charts(NOW.date()))
TYPES = ("Condition", "Procedure", "Observation", "DiagnosticReport", "MedicationAdministration")


def invented(name: str, *withheld: str) -> dict[str, Any]:
    """The chart of an invented patient as a request whose searches are complete, but for types that are withheld."""
    chart = next(one for one in all_charts(NOW.date()) if one.story.key == name)
    kinds: dict[str, list[dict[str, Any]]] = {kind: [] for kind in TYPES}
    for one in chart.resources:
        kinds.setdefault(one["resourceType"], []).append(one)
    link = "https://ehr.example.org/fhir/{}?patient=" + chart.story.patient_id
    bundles = {
        kind.lower(): {
            "resourceType": "Bundle",
            "type": "searchset",
            "link": [{"relation": "self", "url": link.format(kind)}],
            "entry": [{"resource": one} for one in rows],
        }
        for kind, rows in kinds.items()
        if kind not in ("Patient", *withheld)
    }
    return {
        "hook": "patient-view",
        "context": {"patientId": chart.story.patient_id, "userId": "Practitioner/zz-example"},
        "prefetch": {"patient": kinds["Patient"][0], **bundles},
    }


def views(view_of: Viewer) -> list[PageView]:
    """Every invented patient, one of them with reports withheld, and a case of each category and branch."""
    charts = [view_of(invented(name)) for name in INVENTED]
    names = (*CASES.values(), *BRANCHES.values(), *OTHERS)
    return [*charts, view_of(invented("nils", "DiagnosticReport")), *(view_of(name) for name in names)]


def picture_of(page: str, size: str) -> str:
    """The picture of one size as markup."""
    return str(re.findall(rf'<svg class="course-svg course-{size}".*?</svg>', page, re.S)[0])


def rows_of(page: str) -> list[tuple[str, str, str]]:
    """The rows of the table as day, date and the rest, in plain words."""
    body = re.findall(r'<div class="course-table">.*?<tbody>(.*?)</tbody>', page, re.S)[0]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.S) for row in re.findall(r"<tr.*?</tr>", body, re.S)]
    plain = [[" ".join(html.unescape(re.sub(r"<[^>]+>", " ", c)).split()) for c in row] for row in cells]
    return [(day, when, event) for day, when, event in plain]


def caption_of(page: str) -> str:
    """What stands below the picture."""
    found = re.findall(r"<figcaption>(.*?)</figcaption>", page, re.S)[0]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", found)).split())


def test_h08_what_is_not_drawn_is_counted_and_named(view_of: Viewer) -> None:
    """Entries whose day is not known stand in the table alone, and the caption says which (invariant 4)."""
    page = render_page(view_of(invented("olga")))
    told = caption_of(page)
    assert "4 entries without a full date" in told
    for named in (
        "Axi-cel infused (2026)",
        "Malignant cells (2026)",
        "CD19 positive (2026)",
        "Relapse (undated)",
    ):
        assert named in told
    without_a_day = [when for _, when, _ in rows_of(page) if not re.match(r"\d\d ", when)]
    assert without_a_day == ["2026", "2026", "2026", "undated"]


def test_h08_every_row_is_drawn_in_every_size_or_named_below(view_of: Viewer) -> None:
    """Picture and table say the same for any chart: marks stand at days of the table, rows without one are named."""
    for view in views(view_of):
        course = build_course(view)
        days = {row.date.replace("\u00a0", " ") for row in course.rows}
        shown = {mark.at for mark in course.marks if mark.lane != "monitoring"}
        shown |= {course.relapse} if course.relapse is not None else set()
        assert {f"{day:%d %b %Y}" for day in shown} <= days, view.evaluation.assessment.category
        for row in course.rows:
            assert row.marks or f"({row.date})" in course.undrawn or "blood count" in course.undrawn, (
                row.event
            )
        expected = {place_of(mark) for mark in course.marks if mark.lane != "monitoring"}
        for plate in PLATES:
            picture = draw(course, plate)
            shapes = picture.shapes if picture is not None else []
            assert sum(one.kind == "use" or one.cls == "t-bar" for one in shapes) == len(expected), plate.name


def place_of(mark: Mark) -> tuple[Any, ...]:
    """What sets a mark apart: bars each for itself, results of one day and antigen together, else by shape."""
    if not mark.glyph:
        return (mark,)
    together = mark.lane.startswith("CD") and not mark.aside
    return (mark.at, mark.lane, mark.aside, "" if together else mark.glyph)


def test_h08_a_set_aside_event_is_marked_in_picture_and_table(view_of: Viewer) -> None:
    """A progression that cannot be put before or after the infusion is no full diamond (H-17)."""
    page = render_page(view_of(invented("olga")))
    for size in ("wide", "mid", "small", "print"):
        picture = picture_of(page, size)
        assert "#g-relapse-aside" in picture, size
        assert '"#g-relapse"' not in picture, size
        assert "progression, set aside" in picture, size
    (row,) = [event for _, _, event in rows_of(page) if event.startswith("Progression")]
    assert "set aside, reason below" in row


def test_h08_the_relapse_has_one_date_in_head_picture_and_table(view_of: Viewer) -> None:
    """With the reports withheld the problem list dates the relapse, and the table says so."""
    page = render_page(view_of(invented("nils", "DiagnosticReport")))
    assert "Relapse, day 189" in picture_of(page, "wide")
    (row,) = [row for row in rows_of(page) if row[2].startswith("Relapse")]
    assert row[:2] == ("189", "01 Nov 2026")
    assert "date of the problem-list entry" in row[2]
    assert "undated" not in [when for _, when, _ in rows_of(page)]


def test_h08_the_small_picture_reaches_before_the_infusion(view_of: Viewer) -> None:
    """At 360 px the results set aside from before the infusion are drawn as well."""
    page = render_page(view_of(invented("alma")))
    assert picture_of(page, "small").count("#g-positive-aside") == 2
    assert picture_of(page, "small").count("t-bar") == picture_of(page, "wide").count("t-bar") == 5


@pytest.mark.parametrize("size", ["wide", "mid", "small", "print"])
def test_every_therapy_has_its_name_in_the_picture(size: str, view_of: Viewer) -> None:
    """Drugs given on the same days stand below each other, each by name."""
    picture = picture_of(render_page(view_of(invented("alma"))), size)
    for name in ("cyclophosphamide", "rituximab", "polatuzumab vedotin", "fludarabine"):
        assert f">{name}</text>" in picture


def test_a_name_without_room_is_named_below_that_picture(view_of: Viewer) -> None:
    """What a size cannot write is listed below that size alone."""
    seen = 0
    for view in views(view_of):
        page, course = render_page(view), build_course(view)
        for plate in (WIDE, MID, SMALL):
            picture = draw(course, plate)
            for name in picture.unnamed if picture is not None else ():
                seen += 1
                (note,) = re.findall(rf'<p class="key-note course-{plate.name}">(.*?)</p>', page)
                assert html.escape(name, quote=False) in note
    assert seen > 3


def test_an_antigen_without_a_result_is_drawn_from_a_row(view_of: Viewer) -> None:
    """The dashed mark of an antigen nobody tested has its row in the table too."""
    page = render_page(view_of(invented("nils", "DiagnosticReport")))
    assert picture_of(page, "wide").count("#g-unknown") == 3
    assert ("189", "01 Nov 2026") in [
        row[:2] for row in rows_of(page) if row[2].startswith("CD19, CD20 and CD22 unknown")
    ]
