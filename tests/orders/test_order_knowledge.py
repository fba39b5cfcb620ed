"""The order rules as knowledge: clean as shipped, each kind of damage named with file and field."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import knowledge

from mappings.loading import KnowledgeError, check_knowledge, load_knowledge, packaged_folder

FILE = "order_rules.json"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(packaged_folder(), tmp_path / "knowledge"))


def edit(folder: Path, change: Callable[[Any], None]) -> None:
    path = folder / FILE
    made = json.loads(path.read_bytes())
    change(made)
    path.write_text(json.dumps(made, ensure_ascii=False))


def first(**changes: Any) -> Callable[[Any], None]:
    return lambda made: made["rules"][0].update(changes)


def condition(**changes: Any) -> Callable[[Any], None]:
    return lambda made: made["rules"][0]["condition"].update(changes)


DAMAGE: dict[str, tuple[Callable[[Any], None], str, str]] = {
    "unknown source": (first(citation_ids=["nobody-2020"]), "rules[0].citation_ids", "nobody-2020"),
    "unknown rule": (first(basis="99.9"), "cd19-negative.basis", "99.9"),
    "unknown concept": (first(order={"concepts": ["zz"]}), "cd19-negative.order.concepts", "zz"),
    "unknown class": (first(order={"classes": ["zz"]}), "cd19-negative.order.classes", "zz"),
    "unknown criterion": (condition(criterion="zz"), "rules[0].condition.criterion", "zz"),
    "argument missing": (
        lambda made: made["rules"][0]["condition"].pop("states"),
        "cd19-negative.condition",
        "takes antigen, states",
    ),
    "argument too many": (condition(fact="pregnancy"), "cd19-negative.condition", "takes antigen, states"),
    "unknown placeholder": (first(sentence="{order} and {secret}."), "cd19-negative.sentence", "{secret}"),
    "stray brace": (first(sentence="{order} {antigen.x}."), "cd19-negative.sentence", "brace"),
    "a dose": (first(sentence="{order}: give 10 mg."), "cd19-negative.sentence", "figure"),
    "head hides the order": (first(head="CD19: {order}"), "cd19-negative.head", "open with the order"),
    "level": (first(level="critical"), "rules[0].level", "critical"),
    "field too many": (first(dose="1"), "rules[0]", "dose"),
    "id twice": (lambda made: made["rules"].append(made["rules"][0]), "cd19-negative", "twice"),
    "basis of what is said unchecked": (
        lambda made: made["unchecked"].update(basis="99.9"),
        "unchecked.basis",
        "99.9",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named(copy: Path, name: str) -> None:
    change, field, words = DAMAGE[name]
    edit(copy, change)
    faults = [fault for fault in check_knowledge(copy) if fault.file == FILE]
    assert any(fault.field == field and words in fault.message for fault in faults), faults


def test_links_of_facts_and_options_are_checked(copy: Path) -> None:
    def change(made: Any) -> None:
        for rule in made["rules"]:
            if "fact" in rule["condition"]:
                rule["condition"]["fact"] = "zz"
            if "option" in rule["condition"]:
                rule["condition"]["option"] = "zz"

    edit(copy, change)
    said = {fault.message for fault in check_knowledge(copy)}
    assert {"is no fact of checks.json", "names no option"} <= said


def test_the_file_is_needed_and_counts_in_the_digest(copy: Path) -> None:
    before = load_knowledge(copy).digest
    other = copy.parent / "other"
    shutil.copytree(copy, other)
    edit(other, first(text="Other words."))
    assert load_knowledge(other).digest != before
    gone = copy.parent / "gone"
    shutil.copytree(copy, gone)
    (gone / FILE).unlink()
    assert any(fault.file == FILE and "missing" in fault.message for fault in check_knowledge(gone))
    with pytest.raises(KnowledgeError):
        load_knowledge(gone)


def test_every_rule_cites_a_rule_or_a_source_and_is_never_critical() -> None:
    for rule in knowledge().orders.rules:
        assert rule.basis in knowledge().rules
        assert rule.level in ("info", "warning")
        assert all(one in knowledge().citations for one in rule.citation_ids)
        assert rule.text.endswith(".")


def test_which_drugs_a_rule_looks_at_follows_the_catalogue() -> None:
    """An option that needs an antigen is looked at by the rules of that antigen, whatever drug it is."""
    from mappings.deciding.orders import looks_at

    concepts = knowledge().concepts
    for option in knowledge().options:
        for target in option.targets:
            if target.must_be != "present":
                continue
            rules = [rule for rule in knowledge().orders.rules if rule.condition.antigen == target.antigen]
            held = [concepts[one] for one in option.contains if one in concepts]
            if held:
                assert any(looks_at(rule.order, one) for rule in rules for one in held), option.id
