"""What the page says: every category, nothing of what was not read as a no, fixed order, marks, safe text."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from staging import BRANCHES, CASES, ROOT, Viewer, antigen, case, stated_view

from mappings.evaluation import RelapseCategory
from mappings.facts import Antigen, AntigenState
from mappings.loading import Knowledge
from smart_app.page import (
    ContextNote,
    Fault,
    Filters,
    deciding_references,
    json_document,
    plain_text,
    read_filters,
    render_ended,
    render_fault,
    render_page,
    static_file,
)
from smart_app.page.answer import head_of
from smart_app.page.evidence import number, studies_of
from smart_app.page.options import build_options
from smart_app.page.takeaway import LIMITS
from smart_app.page.words import clean, day_words, raw_path, short

NEGATIVE = CASES["cd19-negative"]


class Reader(HTMLParser):
    """Elements with their attributes, and the text outside style and script."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def said(html: str) -> str:
    return " ".join(Reader(html).text.replace("\u00a0", " ").split())


def test_the_cases_cover_all_ten_categories_and_every_branch(view_of: Viewer) -> None:
    assert {view_of(name).evaluation.assessment.category for name in CASES.values()} == set(RelapseCategory)
    for branch, name in BRANCHES.items():
        found = view_of(name).evaluation.assessment.branch
        assert found is not None
        assert found.value == branch


@pytest.mark.parametrize(
    ("branch", "told"),
    [
        ("t-cell-malignancy", "New T-cell malignancy after CAR T on record"),
        ("cns", "Relapse in the central nervous system"),
        ("partial-response", "this is no relapse"),
    ],
)
def test_a_branch_stands_under_the_head_on_page_and_paper(branch: str, told: str, view_of: Viewer) -> None:
    """Rules 7: what leaves the CD19 tree is said beside the category, not inside a paragraph."""
    html = render_page(view_of(BRANCHES[branch]))
    assert re.search(rf'<p class="branch">[^<]*{told}', html)
    assert re.search(rf'<p class="s-branch">[^<]*{told}', html)
    assert told in plain_text(view_of(BRANCHES[branch]))


@pytest.mark.parametrize("name", [*CASES.values(), *BRANCHES.values()])
def test_every_category_has_its_head_its_regions_in_order_and_whose_it_is(name: str, view_of: Viewer) -> None:
    view = view_of(name)
    html = render_page(view)
    assert head_of(view.evaluation)[0] in said(html)
    places = [
        html.index(f'id="{region}"')
        for region in ("answer", "course", "why", "options", "whatif", "take", "about")
    ]
    assert places == sorted(places)
    assert html.index('class="pt-name"') < places[0]
    assert view.evaluation.facts.patient.identifiers[0] in said(html)


@pytest.mark.parametrize("name", [*CASES.values(), *BRANCHES.values()])
def test_no_word_of_ranking_alarm_or_emptiness(name: str, view_of: Viewer) -> None:
    """H-41 and the wording rules: never preferred, recommended, best, alert, critical, N/A, no data."""
    text = said(render_page(view_of(name))).lower()
    text = text.replace("not a recommendation and not ranked", "").replace("recommended phase", "")
    own = text.replace("no preferred option", "").replace("no “preferred”", "")
    for word in ("preferred", "best option", "alert", "danger", "n/a", "no data", "!"):
        assert word not in own, word


def cut(body: dict[str, Any], key: str) -> dict[str, Any]:
    made = copy.deepcopy(body)
    made["prefetch"][key] = None
    return made


@pytest.mark.parametrize("key", ["conditions", "procedures", "observations", "edication", "report"])
@pytest.mark.parametrize("name", [NEGATIVE, CASES["no-relapse"], CASES["cd19-positive"]])
def test_a_type_that_was_not_read_never_yields_a_no(name: str, key: str, view_of: Viewer) -> None:
    """H-08: with any type withheld the page says what was not read, and no head or step denies."""
    body = json.loads(case(name).read_bytes())
    keys = [one for one in body["prefetch"] if key.lower() in one.lower()]
    for one in keys or [key]:
        body = cut(body, one)
    view = view_of(body)
    html = render_page(view)
    text = said(html)
    assert "Not everything was read." in text
    assert "not seen does not mean absent" in text.lower()
    unread = {row.type for row in view.evaluation.facts.seen if row.state != "complete"}
    assert unread
    title = head_of(view.evaluation)[0]
    if unread & {"Condition", "Procedure", "MedicationAdministration"}:
        assert title not in ("No CD19 CAR T on record", "No lymphoid malignancy on record")
    if unread & {"Observation", "DiagnosticReport"}:
        assert title != "No relapse on record"
        assert "No: no switch of lineage" not in text
    if "Condition" in unread:
        assert "problem list, read" not in text


def turned(value: Any, by: int) -> Any:
    """The same body with the entries of every Bundle in another order."""
    if isinstance(value, dict):
        return {key: turned(part, by) for key, part in value.items()}
    if (
        isinstance(value, list)
        and value
        and all(isinstance(one, dict) and "resource" in one for one in value)
    ):
        parts = [turned(one, by) for one in value]
        return [*parts[by:], *parts[:by]][:: -1 if by % 2 else 1]
    return value


def order_of(html: str) -> list[str]:
    return re.findall(r'<details class="opt" id="o-([^"]+)"', html)


def test_the_order_of_options_is_the_same_under_any_data(view_of: Viewer, knowledge: Knowledge) -> None:
    """H-41: testing, trial, then A to Z inside each route, however entries lie and whatever filters say."""
    kinds = {
        o.id: (
            ["testing", "clinical-trial"].index(o.kind) if o.kind in ("testing", "clinical-trial") else 2,
            o.label.casefold(),
        )
        for o in knowledge.options
    }
    for name in CASES.values():
        view = view_of(name)
        for group in build_options(view).groups:
            listed = [row.id for row in group.rows]
            assert listed == sorted(listed, key=lambda one: kinds[one])
    body = json.loads(case(NEGATIVE).read_bytes())
    first = order_of(render_page(view_of(body)))
    assert len(first) > 15
    for by in (1, 2, 3):
        assert order_of(render_page(view_of(turned(body, by)))) == first
    assert order_of(render_page(view_of(body, filters=Filters(target="cd20", status="trial")))) == first


def test_filters_hide_rows_on_screen_count_them_and_never_reach_what_leaves(view_of: Viewer) -> None:
    """H-39: query parameters work without script; print, text and JSON hold every option."""
    view = view_of(NEGATIVE)
    filtered = replace(
        view, filters=read_filters({"target": "cd20", "region": "us", "status": "trial"}, view.evaluation)
    )
    html = render_page(filtered)
    options = build_options(filtered)
    hidden = sum(
        1 for one in Reader(html).all("details") if "opt" in one.get("class", "").split() and "hidden" in one
    )
    assert 0 < hidden < options.total
    assert f"{options.shown} of {options.total} options shown, {hidden} hidden by filters" in said(html)
    sheet = html[html.index('class="sheet"') :]
    assert [m.label for m in view.evaluation.matches if m.label not in Reader(sheet).text] == []
    assert plain_text(filtered) == plain_text(view)
    assert json_document(filtered) == json_document(view)


def test_unknown_filters_are_left_out(view_of: Viewer) -> None:
    evaluation = view_of(NEGATIVE).evaluation
    query = {"target": "cd99", "region": "XX", "status": "best", "disease": "<script>"}
    assert read_filters(query, evaluation) == Filters()
    assert read_filters({"target": "cd20", "region": "eu", "disease": "fl"}, evaluation).active


OWN_TAGS = frozenset(
    tag.lower()
    for file in (ROOT / "smart_app" / "templates").glob("*.html")
    for tag in re.findall(r"<([a-zA-Z][a-zA-Z0-9]*)", file.read_text("utf-8"))
)
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "{{ 7*7 }}{% raw %}",
    "**bold** [link](javascript:alert(1))",
    "CD19 \u202eevitagen\u202c \u2066x\u2069\u200b\x07\x1b[31m",
    '"><svg onload=alert(1)>',
    "</textarea></style></title><h1>forged</h1>",
    "N" * 10_000,
)


def poisoned(
    value: Any,
    poison: str,
    skip: frozenset[str] = frozenset({"resourceType", "id", "reference", "system", "code"}),
) -> Any:
    if isinstance(value, dict):
        return {
            key: part if key in skip and isinstance(part, str) else poisoned(part, poison)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [poisoned(part, poison) for part in value]
    if isinstance(value, str) and not re.match(r"\d{4}(-\d\d)?|[a-z-]+$|http|urn:", value):
        return f"{value} {poison}"
    return value


@pytest.mark.parametrize("poison", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("name", [NEGATIVE, "narrative-only-report", CASES["no-cd19-car-t"]])
def test_hostile_text_in_every_string_stays_text(name: str, poison: str, view_of: Viewer) -> None:
    """H-48, T-16: no element, attribute, heading, direction or control character comes out of chart text."""
    body = json.loads(case(name).read_bytes())
    body["prefetch"] = poisoned(body["prefetch"], poison)
    html = render_page(
        view_of(body, user=poison, site=poison, environment=poison, message=poison, highlighted=(poison,))
    )
    read = Reader(html)
    assert {tag for tag, _ in read.tags} <= OWN_TAGS
    assert len(read.all("h1")) == 1
    assert not [a for _, attributes in read.tags for a in attributes if a.startswith("on") or a == "style"]
    for script in read.all("script"):
        assert script["src"].startswith("/static/")
    for link in read.all("a"):
        assert not link.get("href", "").lower().startswith(("javascript:", "data:"))
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x00-\x08\x0b-\x1f\x7f]", html)
    if "{{" in poison:
        assert "{{ 7*7 }}{% raw %}" in said(html)
    assert len(html) < 700_000
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08]", plain_text(view_of(body)))


def test_text_is_cleaned_and_cut_but_keeps_what_is_clinical() -> None:
    assert clean("CD19\u202e- <5 %\x07\nt(9;22)") == "CD19- <5 % t(9;22)"
    assert clean("a\nb", lines=True) == "a\nb"
    assert len(clean("x" * 10_000, 100)) == 100
    assert short("a \n  b", 3) == "a b"
    assert short("abcdef", 4) == "abc…"
    assert day_words(-130) == "\u2212130"


def test_templates_use_no_safe_filter_no_inline_script_no_style() -> None:
    """T-16: the `safe` filter and autoescape switches are forbidden, so are inline script, style and foreign assets."""
    folder = ROOT / "smart_app" / "templates"
    files = sorted(folder.rglob("*.html"))
    assert len(files) > 12
    for file in files:
        text = file.read_text("utf-8")
        assert not re.search(r"\|\s*safe\b|autoescape|Markup", text), file.name
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", text), file.name
        assert not re.search(r"(?:src|href)=\"https?://", text), file.name
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "smart_app" / "page").glob("*.py"))
    assert "Markup(" not in sources
    assert "autoescape=True" in sources


def test_links_carry_nothing_of_the_patient(view_of: Viewer) -> None:
    """H-42, invariant 9: outside links hold disease, target and age group; no link holds name, number or birth date."""
    view = view_of("ids-of-88-characters")
    for name in (NEGATIVE, "ids-of-88-characters", CASES["lineage-switch"]):
        view = view_of(name)
        patient = view.evaluation.facts.patient
        assert patient.birth_date is not None
        own = [patient.name, *patient.name.split(", "), *patient.identifiers, patient.birth_date.text]
        for link in Reader(render_page(view)).all("a"):
            href = link.get("href", "")
            assert not [part for part in own if part and part.lower() in href.lower()], href
            if href.startswith("http"):
                assert patient.id not in href
                assert "noreferrer" in link.get("rel", "")
            if href.startswith("https://clinicaltrials.gov/search"):
                query = parse_qs(urlsplit(href).query)
                assert set(query) == {"cond", "term", "aggFilters"}
                assert query["cond"][0] in (
                    "large B-cell lymphoma",
                    "B-cell acute lymphoblastic leukemia",
                    "B-cell malignancy",
                )


def test_raw_links_are_made_for_records_only() -> None:
    assert raw_path("/w/a", "Observation/x-1") == "/w/a/raw/Observation/x-1"
    for odd in (
        "stated/1",
        "Observation/../../x",
        "Observation/x?y",
        "javascript:alert(1)",
        "urn:uuid:1",
        "Observation/" + "x" * 65,
    ):
        assert raw_path("/w/a", odd) == ""


def test_text_for_the_note_begins_with_whose_it_is(view_of: Viewer) -> None:
    """H-06: name, birth date, record number and time stand first, the limits last; JSON carries them too."""
    view = view_of(NEGATIVE)
    lines = plain_text(view).splitlines()
    patient = view.evaluation.facts.patient
    assert patient.birth_date is not None
    assert lines[0].startswith(patient.name)
    assert f"born {patient.birth_date.display()}" in lines[0]
    assert patient.identifiers[0] in lines[0]
    assert "22 Nov 2026, 09:14 UTC" in lines[1]
    assert view.knowledge.version in lines[1]
    assert lines[-1] == LIMITS
    document = json_document(view)
    assert document["limits"] == LIMITS
    assert document["read_at"].startswith("2026-11-22T09:14")
    assert document["knowledge"]["version"] == view.knowledge.version
    json.dumps(document)


def test_what_is_stated_is_marked_everywhere(view_of: Viewer) -> None:
    """H-46: words and frame on every region, print, text and JSON; without a statement none of them."""
    view = view_of(NEGATIVE)
    shown = stated_view(
        view, antigen(Antigen.CD22, AntigenState.POSITIVE, "2026-01-05"), where="Scan of 05 Jan"
    )
    html = render_page(shown)
    assert 'class="page is-whatif"' in html
    regions = [html.index(f'id="{one}"') for one in ("answer", "course", "why", "options", "whatif")]
    for start, end in pairwise(regions):
        assert "With what you stated, not the chart alone" in html[start:end], html[start : start + 30]
    for part in (html[html.index('class="sheet"') :], plain_text(shown)):
        assert "Scan of 05 Jan" in part
        assert "not in the chart" in part.lower()
    assert (
        plain_text(shown)
        .splitlines()[3]
        .startswith("WHAT IF, STATED BY THE USER, NOT IN THE CHART: CD22 positive")
    )
    first = next(iter(json_document(shown).items()))
    assert first[0] == "stated_by_user"
    assert first[1][0]["in_chart"] is False
    assert first[1][0]["stated_at"].startswith("2026-11-22")
    plain = render_page(view)
    assert "With what you stated" not in plain
    assert "is-whatif" not in plain
    assert json_document(view)["stated_by_user"] == []
    assert "Nothing here was stated by the user." in plain


def test_the_form_shows_each_fault_beside_its_field(view_of: Viewer) -> None:
    faults = {"collected": "Give the day as year-month-day.", "product": "Choose one of the products listed."}
    html = render_page(view_of(NEGATIVE, form_faults=faults, form={"cd22": "positive", "where": "a <b>"}))
    read = Reader(html)
    for name, text in faults.items():
        assert text in read.text
        field = next(a for _, a in read.tags if a.get("name") == name)
        assert field["aria-invalid"] == "true"
        assert field["aria-describedby"] == f"f-{name}"
    assert "a &lt;b&gt;" in html


def test_every_form_carries_the_token_and_stays_in_its_workspace(view_of: Viewer) -> None:
    """T-17: POST forms hold the CSRF token; their addresses lie under the workspace."""
    html = render_page(view_of(NEGATIVE))
    posts = [form for form in re.findall(r"<form.*?</form>", html, re.S) if 'method="post"' in form]
    assert len(posts) >= 3
    for form in posts:
        assert 'name="csrf" value="token-1"' in form
        assert 'action="/w/abc/' in form


def test_reports_that_decided_are_shown_with_the_deciding_words_marked(view_of: Viewer) -> None:
    view = view_of("narrative-only-report")
    html = render_page(view)
    marked = re.findall(r"<mark>(.*?)</mark>", html)
    assert marked
    for one in view.evaluation.assessment.antigens:
        for result in one.results:
            assert result.source.reference in deciding_references(view.evaluation)
    bare = render_page(replace(view, records={}))
    assert "in part; the marked words decided" in bare


def test_what_opened_the_page_is_marked(view_of: Viewer) -> None:
    view = view_of(NEGATIVE)
    reference = view.evaluation.assessment.antigen(Antigen.CD19).results[0].source.reference
    text = said(render_page(replace(view, highlighted=(reference,))))
    assert "Opened from a result in the EHR." in text
    assert "opened this page" in text
    assert "opened this page" not in said(render_page(view))


def test_a_context_of_another_patient_is_told_and_left_aside(view_of: Viewer) -> None:
    """H-05."""
    view = view_of(NEGATIVE)
    assert "belongs to another patient" in said(
        render_page(replace(view, app_context=ContextNote.OTHER_PATIENT))
    )
    assert "more than ten minutes ago" in said(render_page(replace(view, app_context=ContextNote.EXPIRED)))
    assert "belongs to another patient" not in said(render_page(replace(view, app_context=ContextNote.OK)))


def test_figures_are_printed_with_their_interval_or_that_none_was_seen(
    view_of: Viewer, knowledge: Knowledge
) -> None:
    """Rules 9.7: n, design, population, interval and citation beside each figure; nothing computed or rounded."""
    assert number(42.0) == "42.0"
    assert number(42) == "42"
    assert number(7.7) == "7.7"
    for option in knowledge.options:
        for study in studies_of(option.evidence_ids, option.id, knowledge):
            assert study.n
            assert study.design
            assert study.cite
            for figure in (*study.figures, *study.others):
                assert figure.interval or figure.value == "not seen"
    glofitamab = studies_of(knowledge.option("glofitamab").evidence_ids, "glofitamab", knowledge)
    assert any("90% CI 8.8–not reached" in f.interval for s in glofitamab for f in s.others)


def test_a_chart_of_five_thousand_results_stays_a_page(view_of: Viewer) -> None:
    """Only what decides and what belongs to the course is listed; the rest is counted."""
    body = json.loads(case(NEGATIVE).read_bytes())
    key = next(k for k, v in body["prefetch"].items() if "bserv" in k and isinstance(v, dict))
    patient = body["context"]["patientId"]
    entries = body["prefetch"][key].setdefault("entry", [])
    for one in range(5_000):
        code = ("718-7", "Hemoglobin") if one % 10 else ("8124-0", "CD19 cells [#/volume] in Blood")
        entries.append(
            {
                "resource": {
                    "resourceType": "Observation",
                    "id": f"many-{one}",
                    "status": "final",
                    "code": {"coding": [{"system": "http://loinc.org", "code": code[0], "display": code[1]}]},
                    "subject": {"reference": f"Patient/{patient}"},
                    "effectiveDateTime": f"2026-{one % 9 + 1:02d}-{one % 27 + 1:02d}",
                    "valueQuantity": {"value": one % 17, "unit": "/uL"},
                }
            }
        )
    body["prefetch"][key].pop("total", None)
    html = render_page(view_of(body))
    assert len(html) < 420_000
    assert len(re.findall('<tr class="ev-', html)) <= 61


def test_faults_and_endings_hold_no_patient_and_one_line_for_it(view_of: Viewer) -> None:
    """H-54, invariant 9: request id and code are printed, nothing clinical is."""
    for kind in Fault:
        text = said(render_fault(kind=kind, request_id="7f3c-21aa", code="code-1", at="09:14"))
        assert "request 7f3c-21aa, 09:14, code code-1. No patient data in this line." in text
        assert "CD19" not in text.replace("relapse after CD19 CAR T", "")
    assert "Nothing of the patient is kept in this window." in said(render_ended(minutes=15))
    assert "were not saved" in said(render_ended(closed=True, whatif=True))


def test_static_files_are_a_closed_list_with_their_licences() -> None:
    for name in ("app.css", "app.js", "launch.js", "htmx.min.js", "source-sans-3-latin-wght-normal.woff2"):
        found = static_file(name)
        assert found is not None
        assert len(found[0]) > 200
    for name in ("../settings.py", "app.css/..", "nope.js", ""):
        assert static_file(name) is None
    assert (
        "SIL OPEN FONT LICENSE"
        in (ROOT / "smart_app/static/source-sans-3.LICENSE.txt").read_text("utf-8").upper()
    )
    assert "BSD" in (ROOT / "smart_app/static/htmx.LICENSE.txt").read_text("utf-8")


def test_css_asks_nothing_of_other_hosts() -> None:
    css = Path(ROOT / "smart_app/static/app.css").read_text("utf-8")
    assert not re.search(r"url\(\s*[\"']?(?:https?:)?//", css)
    assert "@import" not in css
