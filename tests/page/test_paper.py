"""The print sheet as a browser lays it out: boxes stay in their rows, and unread types cost no second side."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Browser
from staging import ROOT, Stage, Viewer, antigen, stated_view

from mappings.facts import Antigen, AntigenState
from smart_app.page import render_page

FULL = ROOT / "samples" / "cd19-negative-dlbcl.json"
OUTSIDE = """[...document.querySelectorAll('.s-b')].filter(box => {
  const row = box.closest('tr').getBoundingClientRect(), own = box.getBoundingClientRect();
  return own.top < row.top - 0.1 || own.bottom > row.bottom + 0.1;
}).length"""


def test_the_box_of_a_boxed_warning_stays_in_its_row(view_of: Viewer, stage: Stage, browser: Browser) -> None:
    page = browser.new_page()
    page.emulate_media(media="print")
    page.goto(stage.show(render_page(view_of(FULL))))
    assert page.locator(".s-b").count() > 8
    assert page.evaluate(OUTSIDE) == 0
    page.close()


def test_a_chart_read_in_part_with_statements_prints_on_one_side(
    view_of: Viewer, stage: Stage, browser: Browser
) -> None:
    """H-54: the line of what was not read is the first after whose it is, and the sheet stays one side."""
    body = json.loads(FULL.read_bytes())
    for key in ("reports", "observations", "medicationAdministrations"):
        link = {"relation": "next", "url": "https://fhir.example.org/fhir?page=2"}
        body["prefetch"][key]["link"] = [link]
    view = view_of(body)
    statements = [antigen(one, AntigenState.POSITIVE, "2025-11-12") for one in (Antigen.CD19, Antigen.CD22)]
    page = browser.new_page()
    assert len(view.evaluation.matches) > 20
    for one in (view, stated_view(view, *statements)):
        page.goto(stage.show(render_page(one)))
        for paper in ("A4",) if one.statements else ("A4", "Letter"):
            assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format=paper))) == 1
        page.emulate_media(media="print")
        first = page.locator(".s-frame > tbody > tr > td > *").first.inner_text()
        assert first.strip().startswith("Not everything was read: ")
        page.emulate_media(media="null")
    page.close()
