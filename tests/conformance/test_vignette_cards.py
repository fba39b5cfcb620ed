"""Cards of real evaluations: every invented patient of the library through the service, words and shape checked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cds_hooks.cards import SILENT
from cds_hooks.listing import RELAPSE
from cds_hooks.outcome import Refusal
from cds_hooks.service import HookCall, HookService
from mappings.evaluation import RelapseCategory
from mappings.loading import load_knowledge
from smart_app.judges import Judges

LIBRARY = Path(__file__).parents[1] / "vignettes"
NAMES = sorted(path.parent.name for path in LIBRARY.glob("*/expected.json"))
FORBIDDEN = re.compile(
    r"\b(preferred|recommended|best|should|alert|critical|danger|n/a|no data)\b|!", re.IGNORECASE
)
QUOTED = re.compile(r"“[^”]*”")


def answered(name: str) -> dict[str, Any] | None:
    """The service's answer, or None where it refuses as the case allows."""
    expected = json.loads((LIBRARY / name / "expected.json").read_text("utf-8"))
    knowledge = load_knowledge()
    service = HookService(
        judge=Judges(knowledge, ("US", "EU")).of,
        public_url=lambda: "http://127.0.0.1:1",
        as_of=datetime.fromisoformat(expected["now"]),
        opened=True,
    )
    try:
        answer = service.answer(HookCall((LIBRARY / name / "request.json").read_bytes(), RELAPSE))
    except Refusal as fault:
        if fault.status not in expected.get("accept_status", []):
            raise
        return None
    found: dict[str, Any] = json.loads(answer.body)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_cards_of_the_library(name: str, valid_response: Callable[[Any], None]) -> None:
    response = answered(name)
    if response is None:
        return
    valid_response(response)
    said = response["extension"]["org.postcart"]
    category = RelapseCategory(said["category"])
    branch = said["branch"]
    assert bool(response["cards"]) == (category not in SILENT or branch == "t-cell-malignancy")
    for card in response["cards"]:
        assert card["extension"]["org.postcart"] == said
        for text in (card["summary"], card["detail"]):
            assert not FORBIDDEN.search(QUOTED.sub("", text)), text
            assert "Zztest" not in text
            assert "SYN-" not in text
            assert not re.search(r"\*|`|\]\(|<[a-z]|\|", text, re.IGNORECASE), text
        assert all(not line or line.endswith(".") for line in card["detail"].split("\n")), card["detail"]
        if category.value.startswith("cd19-") and said["timing"]["days"] is not None:
            assert f"day {said['timing']['days']} " in card["summary"][:60] + " "
        assert "Options, not orders" in card["detail"]
    _nothing_offered_that_is_not(said, response)


def _nothing_offered_that_is_not(said: dict[str, Any], response: dict[str, Any]) -> None:
    """No label stands in two lists, and a CD19-directed name is never in the line of what can be considered."""
    lists = [said[name] for name in ("offers", "specialist", "needs_result", "not_suitable")]
    everything = [label for one in lists for label in one]
    assert len(everything) == len(set(everything))
    if said["category"] in ("cd19-negative", "cd19-unknown"):
        for card in response["cards"]:
            lines = [line for line in card["detail"].split("\n") if line.startswith("- Can be considered")]
            assert not any(re.search(r"loncastuximab|tafasitamab|CD19 CAR", line) for line in lines)
