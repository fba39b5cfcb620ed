"""What the page tests share: cases by category, views with statements, the stage that pages are shown on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mappings.dates import parse_date
from mappings.facts import Antigen, AntigenState, Method, SpecimenKind
from mappings.stated import StatedAntigen, Statement, evaluate_with
from smart_app.page import PageView, Stated

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 22, 9, 14, tzinfo=UTC)
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'"
)

CASES = {
    "cd19-positive": "dlbcl-axi-hcpcs-positive",
    "cd19-low-or-partial": "h-score-40",
    "cd19-negative": "answer-loinc-answer-negative",
    "cd19-unknown": "cd19-number-of-molecules",
    "lineage-switch": "lineage-switch-aml",
    "no-relapse": "complete-no-relapse-young",
    "no-cd19-car-t": "bcma-ide-ndc",
    "no-lymphoid-malignancy": "empty-complete-chart",
    "deceased": "deceased-boolean",
    "insufficient-data": "next-page-missing",
}
BRANCHES = {
    "cns": "cns-relapse-csf-flow",
    "t-cell-malignancy": "tcell-lymphoma-after-car",
    "partial-response": "partial-response",
}
OTHERS = (
    "discordant-ihc-flow",
    "deauville-5-suspected",
    "mrd-return-ball",
    "hostile-text",
    "generic-cpt-target-unknown",
)


def case(name: str) -> Path:
    """The request of a vignette."""
    return ROOT / "tests" / "vignettes" / name / "request.json"


def records_of(value: Any, found: dict[str, bytes] | None = None) -> dict[str, bytes]:
    """Every resource inside a body as raw JSON by `Type/id`."""
    found = {} if found is None else found
    if isinstance(value, dict):
        if isinstance(value.get("resourceType"), str) and isinstance(value.get("id"), str):
            found[f"{value['resourceType']}/{value['id']}"] = json.dumps(value).encode()
        for part in value.values():
            records_of(part, found)
    elif isinstance(value, list):
        for part in value:
            records_of(part, found)
    return found


Viewer = Callable[..., PageView]


def stated_view(
    view: PageView, *statements: Statement, where: str = "Outside report", **more: Any
) -> PageView:
    """The view with statements laid over its chart."""
    evaluation = view.evaluation
    made = evaluate_with(evaluation.facts, statements, view.knowledge, NOW, evaluation.regions)
    said = tuple(Stated(one, NOW, where) for one in statements)
    return replace(view, evaluation=made, chart=evaluation, statements=said, **more)


def antigen(name: Antigen, state: AntigenState, day: str) -> StatedAntigen:
    """A stated result on tissue by IHC."""
    collected = parse_date(day)
    assert collected is not None
    return StatedAntigen(name, state, SpecimenKind.TISSUE, Method.IHC, collected)


@dataclass
class Stage:
    """Serves pages by name."""

    url: str
    pages: dict[str, str] = field(default_factory=dict)

    def show(self, html: str, name: str = "p") -> str:
        """Puts a page on stage and gives its address."""
        self.pages[name] = html
        return f"{self.url}/w/{name}"
