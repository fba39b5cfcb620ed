"""One walk through the demo, as a person would take it: list, chart, card, launch, page; what was seen, line by line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

from smart_app.demo.visitor import Element, Page, VisitFault, Visitor

PATIENT = "zztest-alma"
_LOAD_S = 20.0
_LOOK_S = 0.1


def walk(ehr: str) -> Iterator[str]:
    """Lines on what was seen in the demo at this address; raises `VisitFault` for what is not as it should be."""
    visitor = Visitor()
    try:
        patients = _patients(visitor.visit(f"{ehr}/"))
        yield f"patient list   {len(patients)} invented patients"
        chart = visitor.visit(_needed(patients, PATIENT, "the patient of the walk is not in the list"))
        expected = _expected(chart)
        yield f"chart          {chart.body.all('h1')[0].text}; the story says {expected}"
        card = _card(chart)
        yield f"hook           patient-view, {_answer_of_hook(chart)}"
        yield f"card           {card.all('h3')[0].text}"
        told = _category_of_card(visitor, chart)
        _same(told, expected, "the card's category")
        frame = _frame(visitor.visit(urljoin(chart.url, _button(card))))
        page = visitor.visit(frame)
        if not urlsplit(page.url).path.startswith("/w/"):
            raise VisitFault("the launch did not end in a workspace")
        yield f"launch         {page.hops} redirects, in a workspace of its own"
        category, heading = _evaluated(visitor, page)
        yield f"page           {heading}"
        _same(category, told, "the page's category")
        yield f"category       {category}: story, card and page agree"
    finally:
        visitor.close()


def _patients(page: Page) -> dict[str, str]:
    found = {}
    for link in page.body.all("a", href="/open"):
        path = link.attributes["href"]
        found[path.split("/")[2]] = urljoin(page.url, path)
    if not found:
        raise VisitFault("the patient list is empty")
    return found


def _needed(patients: dict[str, str], patient: str, why: str) -> str:
    try:
        return patients[patient]
    except KeyError:
        raise VisitFault(why) from None


def _expected(chart: Page) -> str:
    for line in chart.body.all("p"):
        if line.text.startswith("Expected answer: "):
            return line.text.removeprefix("Expected answer: ").split(",")[0].rstrip(".").split(". ")[0]
    raise VisitFault("the chart does not tell its story")


def _card(chart: Page) -> Element:
    problems = [one.text for one in chart.body.all("p") if one.attributes.get("class") == "problem"]
    if problems:
        raise VisitFault(f"the EHR complains: {problems[0]}")
    cards = chart.body.all("article", **{"class": "card"})
    if not cards:
        raise VisitFault("no card came")
    return cards[0]


def _answer_of_hook(chart: Page) -> str:
    for row in chart.body.all("tr"):
        cells = [cell.text for cell in row.all("td")]
        if cells and cells[0] == "patient-view":
            return f"{', '.join(cells[2].split(', ')[:2])}, {cells[3]}"
    raise VisitFault("the chart shows no call of patient-view")


def _category_of_card(visitor: Visitor, chart: Page) -> str:
    for link in chart.body.all("a", href="#extension"):
        call = visitor.visit(urljoin(chart.url, link.attributes["href"].partition("#")[0]))
        for shown in call.body.all("pre", id="extension"):
            for line in shown.text.split('"category": "')[1:]:
                return line.partition('"')[0]
    raise VisitFault("the answer to the hook carries no category")


def _button(card: Element) -> str:
    for link in card.all("a", **{"class": "button"}):
        return link.attributes["href"]
    raise VisitFault("the card has no link to the app")


def _frame(page: Page) -> str:
    for frame in page.body.all("iframe"):
        return frame.attributes["src"]
    raise VisitFault("the chart shows no frame for the app")


def _evaluated(visitor: Visitor, page: Page) -> tuple[str, str]:
    """Category and heading of the page once the chart has been read."""
    address = page.url.partition("?")[0]
    deadline = time.monotonic() + _LOAD_S
    while not page.body.all("section", id="answer"):
        if time.monotonic() > deadline:
            raise VisitFault(f"the app did not show the chart within {_LOAD_S:.0f} seconds")
        time.sleep(_LOOK_S)
        page = visitor.visit(address)
    found = visitor.visit(f"{address}/evaluation.json").as_json()
    category = found.get("category") if isinstance(found, dict) else None
    if not isinstance(category, str):
        raise VisitFault("the app's own record names no category")
    headings = [one.text for one in page.body.all("h1")] or [one.text for one in page.body.all("h2")]
    return category, headings[0]


def _same(found: str, expected: str, what: str) -> None:
    if found != expected:
        raise VisitFault(f"{what} is {found}, not {expected}")
