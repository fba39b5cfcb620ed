"""Orders against every invented patient of the library: card and evaluation never disagree (invariant 2)."""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import cache
from pathlib import Path

import pytest
from builders import judge_bytes, knowledge
from ordering import drug, names, service

from cds_hooks.cards import MAX_CARDS
from cds_hooks.order_cards import order_cards
from cds_hooks.suggestions import suggestions_for
from mappings.deciding.orders import check_orders
from mappings.evaluation import Evaluation, Outcome, RelapseCategory
from mappings.facts import Antigen, AntigenState
from mappings.orders import DraftOrder
from mappings.reading.orders import read_drafts

LIBRARY = Path(__file__).parents[1] / "vignettes"
CASES = sorted(path.parent.name for path in LIBRARY.glob("*/expected.json"))
SINGLE = {"CD19": "loncastuximab tesirine", "CD20": "glofitamab", "CD22": "inotuzumab ozogamicin"}
OTHERS = ("Keytruda", "bendamustine", "lenalidomide", "ibrutinib", "rituximab", "polatuzumab vedotin")
FORBIDDEN = re.compile(r"\b(preferred|recommended|best|should|alert|critical|danger|n/a|no data)\b|!", re.I)
SILENT = {
    RelapseCategory.DECEASED,
    RelapseCategory.NO_LYMPHOID_MALIGNANCY,
    RelapseCategory.NO_CD19_CAR_T,
}


@cache
def judged(case: str) -> tuple[Evaluation, str]:
    expected = json.loads((LIBRARY / case / "expected.json").read_bytes())
    raw = (LIBRARY / case / "request.json").read_bytes()
    patient = json.loads(raw)["context"]["patientId"]
    return judge_bytes(raw, patient, datetime.fromisoformat(expected["now"])), patient


def all_orders(patient: str) -> tuple[DraftOrder, ...]:
    owner = {"reference": f"Patient/{patient}"}
    made = [drug(name, subject=owner) for name in (*SINGLE.values(), *OTHERS)]
    made += [service(name, subject=owner) for name in ("Breyanzi infusion", "Leukapheresis for CAR-T")]
    context = {
        "patientId": patient,
        "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": one} for one in made]},
    }
    return read_drafts(context, knowledge())


@pytest.mark.parametrize("case", CASES)
def test_orders_agree_with_the_evaluation(case: str) -> None:
    """Absent is warned of, present, valid and read in full is passed, whatever else is asked of, said or left open."""
    made, patient = judged(case)
    drafts = all_orders(patient)
    findings = check_orders(made, drafts, knowledge())
    cards = order_cards(made, findings, names(), drafts)
    assert len(cards) <= MAX_CARDS
    for card in cards:
        assert len(card.summary) <= 139
        for text in (card.summary, card.detail):
            assert not FORBIDDEN.search(re.sub(r"“[^”]*”", "", text)), text
    if made.assessment.category in SILENT:
        assert findings == ()
        return
    answers = {step.criterion: step.outcome for step in made.assessment.trail}
    known = answers["cd19-car-t"] is Outcome.HOLDS and answers["lymphoid-malignancy"] is not Outcome.FAILS
    if not known:
        return
    by_rule = {one.rule: one for one in findings}
    for antigen, name in SINGLE.items():
        state = made.assessment.antigen(Antigen(antigen)).state
        low = antigen.lower()
        about = {one for one in by_rule if one.startswith(f"{low}-") and "antibody" not in one}
        later = set() if _all_seen(made) else {f"{low}-later-not-seen"}
        if state is AntigenState.POSITIVE:
            assert about == later, name
        elif state is AntigenState.NEGATIVE:
            assert f"{low}-negative" in about, name
            assert by_rule[f"{low}-negative"].level == "warning"
        elif state is AntigenState.LOW_OR_PARTIAL:
            assert about == {f"{low}-low", *later}, name
        else:
            assert len(about) == 1, name
            assert by_rule[about.pop()].level == "info"


def _all_seen(made: Evaluation) -> bool:
    """Whether all that may void or contradict a result was read in full (rules 11.5, 11.10)."""
    seen = {row.type: row.state for row in made.facts.seen}
    kinds = ("MedicationAdministration", "Procedure", "Observation", "DiagnosticReport")
    unnamed = [row for row in made.facts.remarks if row.code == "no-drug"]
    return all(seen[kind] == "complete" for kind in kinds) and not unnamed


@pytest.mark.parametrize("case", CASES)
def test_suggestions_are_legal_for_every_chart(case: str) -> None:
    """At most one, for this patient, and only where something is open."""
    made, patient = judged(case)
    found = suggestions_for(made, patient)
    assert len(found) <= 1
    for one in found:
        assert one["actions"][0]["resource"]["subject"] == {"reference": f"Patient/{patient}"}
        views = made.assessment.antigens
        open_ = [view for view in views if view.state is AntigenState.UNKNOWN]
        assert open_ or made.assessment.confirmation.value == "suspected"
