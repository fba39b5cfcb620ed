"""The paper for clinicians: its pictures are of this page, and every word it quotes from the screen stands there.

With POSTCART_PICTURES=1 the pictures are drawn anew into docs/pictures, from an invented patient.
"""

from __future__ import annotations

import html
import os
import re
import struct
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from staging import BRANCHES, CASES, NOW, OTHERS, ROOT, Stage, Viewer, antigen, stated_view

from cds_hooks.cards import OVERRIDE_REASONS, build_cards
from cds_hooks.names import card_names
from mappings.facts import Antigen, AntigenState
from sandbox_ehr.patients import all_charts
from smart_app.page import PageView, QueryRow, QueryState, render_ended, render_loading, render_page
from smart_app.page.options import ROUTES
from smart_app.page.render import FEEDBACK_REASONS
from smart_app.page.states import render_read_fault

PAPER = ROOT / "docs" / "clinician.md"
PICTURES = ROOT / "docs" / "pictures"
MOST_BYTES = 250_000
NAMES = (
    "clinician-first-screen.png",
    "clinician-panel.png",
    "clinician-option.png",
    "clinician-what-if.png",
    "clinician-print.png",
)
HEADS = (
    "CD19-positive relapse",
    "Relapse, CD19 low or partial",
    "CD19-negative relapse",
    "Relapse, CD19 unknown",
    "Relapse, CD19 results disagree",
    "Lineage switch",
    "No relapse on record",
    "No CD19 CAR T on record",
    "No lymphoid malignancy on record",
    "Deceased",
    "Not enough data",
)
"""Every head that a page may bear; the paper explains each."""


def alma() -> dict[str, Any]:
    """The chart of an invented patient as a request whose searches are all complete."""
    chart = next(one for one in all_charts(NOW.date()) if one.story.patient_id == "zztest-alma")
    kinds: dict[str, list[dict[str, Any]]] = {
        kind: []
        for kind in ("Condition", "Procedure", "Observation", "DiagnosticReport", "MedicationAdministration")
    }
    for one in chart.resources:
        kinds.setdefault(one["resourceType"], []).append(one)
    bundles = {
        kind.lower(): {
            "resourceType": "Bundle",
            "type": "searchset",
            "link": [{"relation": "self", "url": f"https://ehr.example.org/fhir/{kind}?patient=zztest-alma"}],
            "entry": [{"resource": one} for one in rows],
        }
        for kind, rows in kinds.items()
        if kind != "Patient"
    }
    return {
        "hook": "patient-view",
        "context": {"patientId": "zztest-alma", "userId": "Practitioner/zz-example"},
        "prefetch": {"patient": kinds["Patient"][0], **bundles},
    }


def with_statement(view: PageView) -> PageView:
    """The view with a CD22 result that the user read in a report from outside."""
    return stated_view(view, antigen(Antigen.CD22, AntigenState.POSITIVE, "2026-11-11"))


def words_of(page: str) -> str:
    """A page as its reader sees it, without line breaks and no-break spaces."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split()).replace(" .", ".")


@pytest.fixture(scope="module")
def screen(view_of: Viewer) -> str:
    """All that page, card and the pages around them say, over every category, branch and state."""
    view = view_of(alma())
    names = (*CASES.values(), *BRANCHES.values(), *OTHERS, "procedures-denied-59204")
    views = [view, with_statement(view), *(view_of(name) for name in names)]
    queries = (
        QueryRow("Patient record", QueryState.DONE, records=1),
        QueryRow("Laboratory and pathology results", QueryState.FAILED, reason="no answer"),
    )
    told = [render_page(one) for one in views]
    told.append(render_loading(base="/w/p", queries=queries))
    told.append(render_read_fault(base="/w/p", queries=queries, csrf="t", request_id="1", code="c", at="now"))
    told.append(render_ended(closed=True, whatif=True))
    cards = [str(build_cards(one.evaluation, card_names(one.knowledge))) for one in views]
    cards += [str(OVERRIDE_REASONS)]
    return " ".join(words_of(one) for one in (*told, *cards))


def quoted() -> list[str]:
    """What the paper quotes from the screen: everything between its curly quotation marks."""
    return [" ".join(one.split()) for one in re.findall(r"“([^”]+)”", PAPER.read_text("utf-8"))]


def test_every_quoted_word_stands_on_the_screen(screen: str) -> None:
    """Wording that changes on the screen changes in the paper."""
    assert len(quoted()) > 40
    assert [one for one in quoted() if one not in screen] == []


def test_the_paper_explains_every_head_every_route_and_every_reason() -> None:
    """Nothing a clinician may meet at the head of the page or of the list is left unexplained."""
    said = set(quoted())
    routes = [title for _, title, _ in ROUTES]
    reasons = [text for _, text in FEEDBACK_REASONS]
    assert [one for one in (*HEADS, *routes, *reasons) if one not in said] == []


def test_the_heads_are_all_heads_there_are(screen: str, view_of: Viewer) -> None:
    """The list above is what the pages of all categories bear."""
    names = (*CASES.values(), *OTHERS)
    seen = {
        words_of(re.findall(r'<h1 id="h-answer">(.*?)</h1>', render_page(view_of(name)), re.S)[0])
        for name in names
    }
    assert seen == set(HEADS)


def test_the_pictures_of_the_paper_exist_and_are_small() -> None:
    """Each picture the paper shows is there, is a PNG, has words for those who cannot see it, and stays small."""
    shown = re.findall(r"!\[([^\]]*)\]\(pictures/([^)]+)\)", PAPER.read_text("utf-8"))
    assert sorted(name for _, name in shown) == sorted(NAMES)
    for words, name in shown:
        content = (PICTURES / name).read_bytes()
        assert content[:8] == b"\x89PNG\r\n\x1a\n", name
        assert len(content) < MOST_BYTES, name
        width, height = struct.unpack(">II", content[16:24])
        assert width >= 360, name
        assert height >= 300, name
        assert len(words) > 20


def _show(browser: Browser, url: str, width: int, height: int) -> Page:
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(url)
    page.evaluate("document.fonts.ready")
    return page


def _draw(page: Page, name: str, folder: Path, **more: Any) -> None:
    (folder / name).write_bytes(page.screenshot(**more))
    page.close()


def test_pictures_can_be_drawn(view_of: Viewer, stage: Stage, browser: Browser, tmp_path: Path) -> None:
    """Each picture is drawn from the page as it is; kept only where POSTCART_PICTURES=1 says so."""
    folder = PICTURES if os.environ.get("POSTCART_PICTURES") == "1" else tmp_path
    view = view_of(alma(), environment="test")
    assert view.evaluation.assessment.category == "cd19-negative"
    plain, said = (
        stage.show(render_page(view), "plain"),
        stage.show(render_page(with_statement(view)), "said"),
    )
    _draw(_show(browser, plain, 1440, 700), NAMES[0], folder)
    _draw(_show(browser, plain, 360, 1000), NAMES[1], folder)
    page = _show(browser, plain, 1200, 900)
    page.locator("#o-epcoritamab > summary").click()
    box = page.locator("#o-epcoritamab").bounding_box()
    assert box is not None
    top = box["y"] + page.evaluate("window.scrollY")
    clip = {"x": box["x"], "y": top, "width": box["width"], "height": min(box["height"], 620)}
    _draw(page, NAMES[2], folder, full_page=True, clip=clip)
    _draw(_show(browser, said, 1440, 620), NAMES[3], folder)
    page = _show(browser, said, 794, 1123)
    page.emulate_media(media="print")
    _draw(page, NAMES[4], folder, full_page=True)
    for name in NAMES:
        assert 0 < len((folder / name).read_bytes()) < MOST_BYTES, name
