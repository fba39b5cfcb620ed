"""Values an order asks about: chosen by their dates, judged only by a limit that a site's overlay sets (H-25, H-40)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from builders import (
    AS_OF,
    PATIENT,
    body,
    condition,
    judge,
    knowledge,
    observation,
    patient,
    prefetch,
    procedure,
    stain,
)
from ordering import checked, names, rules
from test_order_rules import PREGNANT, remission

from cds_hooks.order_cards import order_cards
from mappings.evaluate import evaluate
from mappings.evaluation import Evaluation
from mappings.loading import Knowledge, KnowledgeError, check_knowledge, load_knowledge
from mappings.orders import OrderFinding
from mappings.reading.decode import decode_request

LIMIT = {
    "fact": "creatinine-clearance",
    "comparator": "<",
    "value": 60,
    "unit": "mL/min",
    "approved_by": "Pharmacy committee",
    "approved_on": "2025-03-01",
}


def overlay(folder: Path, *limits: Any) -> Path:
    (folder / "overlay.json").write_text(json.dumps({"id": "site-a", "limits": list(limits)}))
    return folder


def site(folder: Path, **changes: Any) -> Knowledge:
    return load_knowledge(overlay=overlay(folder, {**LIMIT, **changes}))


def value(name: str, number: float, when: str, unit: str = "mL/min") -> Any:
    quantity = {"value": number, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
    return observation(name, {"valueQuantity": quantity}, when, id=f"{name[:3]}-{when}".lower())


def clearance(number: float, when: str, unit: str = "mL/min") -> Any:
    return value("Creatinine clearance", number, when, unit)


def egfr(number: float, when: str) -> Any:
    return value("Estimated glomerular filtration rate", number, when, "mL/min/{1.73_m2}")


def chart(*more: Any) -> Evaluation:
    return judge(condition(), procedure(), stain("Positive"), patient(gender="male"), *more)


def only(found: tuple[OrderFinding, ...]) -> tuple[str, dict[str, str]]:
    (one,) = found
    return one.rule, dict(one.fills)


def test_a_newer_value_is_never_hidden_by_an_older_one() -> None:
    """H-25: an eGFR of this week stands before a clearance of two years ago, and both are named."""
    made = chart(clearance(95, "2023-01-20"), egfr(18, "2025-12-20"))
    rule, fills = only(checked(made, "lenalidomide"))
    assert rule == "lenalidomide-clearance-shown"
    assert fills["newest"].startswith("estimated glomerular filtration rate 18")
    assert "20 Dec 2025" in fills["newest"]
    assert "creatinine clearance 95" in fills["value"]
    assert "20 Jan 2023" in fills["value"]


def test_the_asked_value_stands_first_where_it_is_the_newer() -> None:
    made = chart(clearance(40, "2025-12-20"), egfr(80, "2023-01-20"))
    _, fills = only(checked(made, "lenalidomide"))
    assert fills["newest"].startswith("creatinine clearance 40")
    assert "80" in fills["value"]


def test_an_overlay_sets_a_limit(tmp_path: Path) -> None:
    """Through a real overlay file: below warns and names both, at or above is silent."""
    using = site(tmp_path)
    (low,) = checked(chart(clearance(42, "2025-10-20")), "lenalidomide", using=using)
    assert (low.rule, low.level) == ("lenalidomide-clearance-low", "warning")
    fills = dict(low.fills)
    assert fills["limit"] == "60 mL/min (set by Pharmacy committee, 2025-03-01)"
    assert "42" in fills["value"]
    assert checked(chart(clearance(60, "2025-10-20")), "lenalidomide", using=using) == ()
    (card,) = order_cards(chart(clearance(42, "2025-10-20")), (low,), names())
    assert card.indicator == "warning"
    assert "60 mL/min (set by Pharmacy committee, 2025-03-01)" in card.detail


def test_the_comparator_decides_on_the_limit_itself(tmp_path: Path) -> None:
    using = site(tmp_path, comparator="<=")
    (low,) = checked(chart(clearance(60, "2025-10-20")), "lenalidomide", using=using)
    assert low.rule == "lenalidomide-clearance-low"


def test_a_limit_does_not_clear_a_newer_value_of_another_kind(tmp_path: Path) -> None:
    """D8: an old clearance above the limit says nothing of the kidney of today."""
    made = chart(clearance(95, "2023-01-20"), egfr(18, "2025-12-20"))
    rule, fills = only(checked(made, "lenalidomide", using=site(tmp_path)))
    assert rule == "lenalidomide-clearance-not-judged"
    assert fills["newest"].startswith("estimated glomerular filtration rate 18")
    assert "newer" in fills["why"]
    older = chart(clearance(95, "2025-12-20"), egfr(18, "2023-01-20"))
    assert checked(older, "lenalidomide", using=site(tmp_path)) == ()


def test_a_limit_of_another_unit_says_so(tmp_path: Path) -> None:
    made = chart(clearance(42, "2025-10-20"))
    rule, fills = only(checked(made, "lenalidomide", using=site(tmp_path, value=1, unit="mL/s")))
    assert (rule, fills["why"]) == ("lenalidomide-clearance-not-judged", "the units differ")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fact": "anc"}, "no rule holds 'anc'"),
        ({"comparator": ">"}, "comparator"),
        ({"value": 0}, "above zero"),
        ({"value": -3}, "above zero"),
        ({"unit": " "}, "unit and approver"),
        ({"approved_by": ""}, "unit and approver"),
        ({"approved_on": "2025"}, "no day"),
        ({"approved_on": "soon"}, "no day"),
        ({"min": 60}, "unknown key 'min'"),
        ({"value": "sixty"}, "Expected `float`"),
    ],
)
def test_a_wrong_limit_is_refused_with_its_place(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    """H-40: a limit nothing reads, without approver and date, or that cannot be compared is no limit in silence."""
    with pytest.raises(KnowledgeError, match=r"overlay\.json") as refused:
        site(tmp_path, **changes)
    assert said in str(refused.value)
    assert any(fault.file == "overlay.json" for fault in check_knowledge(overlay=tmp_path))


@pytest.mark.parametrize("field", LIMIT)
def test_a_limit_needs_every_field(tmp_path: Path, field: str) -> None:
    """H-40: approver and date among them."""
    with pytest.raises(KnowledgeError, match=field):
        load_knowledge(overlay=overlay(tmp_path, {k: v for k, v in LIMIT.items() if k != field}))


def test_a_limit_stands_once_and_counts_in_the_digest(tmp_path: Path) -> None:
    first = site(tmp_path).digest
    second = tmp_path / "other"
    second.mkdir()
    assert load_knowledge(overlay=overlay(second, {**LIMIT, "value": 30})).digest != first
    third = tmp_path / "twice"
    third.mkdir()
    with pytest.raises(KnowledgeError, match="twice"):
        load_knowledge(overlay=overlay(third, LIMIT, LIMIT))


def test_safety_is_read_in_remission_on_the_order_hooks_only() -> None:
    """A pregnancy stands against lenalidomide whatever the disease does (rules 11.12)."""
    made = remission(PREGNANT)
    assert made.safety_read
    found = {one.rule: one.level for one in checked(made, "Revlimid")}
    assert found["lenalidomide-pregnant"] == "warning"
    raw = body(prefetch(condition(clinical="remission"), procedure(), PREGNANT))
    plainly = evaluate(decode_request(raw), knowledge(), patient_id=PATIENT, as_of=AS_OF)
    assert not plainly.safety_read
    assert plainly.assessment.category == made.assessment.category
    # not looked for is not "not seen"
    assert rules(plainly, "Revlimid") == set()
