"""The packaged knowledge loads fast, whole and frozen; a damaged one says which file and what to do."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mappings.loading import Knowledge, KnowledgeError, load_knowledge, packaged_folder

LOCAL = "https://postcart.org/fhir/CodeSystem/concept"


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return load_knowledge()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(packaged_folder(), tmp_path / "knowledge"))


def members(folder: Path) -> Iterator[tuple[str, str, str]]:
    for path in sorted((folder / "value_sets").glob("*.json")):
        body = json.loads(path.read_bytes())
        for include in body["compose"]["include"]:
            for row in include.get("concept", ()):
                yield include["system"], row["code"], body["id"]


def test_is_read_once_and_frozen(knowledge: Knowledge) -> None:
    assert load_knowledge() is knowledge
    assert len(knowledge.digest) == 12
    assert knowledge.version == "2026-11-22"
    assert knowledge.overlay is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        knowledge.version = "x"  # type: ignore[misc]


def test_every_listed_code_is_found_with_its_meaning(knowledge: Knowledge) -> None:
    rows = [row for row in members(packaged_folder()) if row[0] != LOCAL]
    assert len(rows) > 600
    for system, code, concept_id in rows:
        assert concept_id in {c.id for c in knowledge.lookup(system, code)}, (system, code)
        assert concept_id in {c.id for c in knowledge.lookup(f" {system}/ ", f" {code} ")}, (system, code)


def test_every_group_has_codes(knowledge: Knowledge) -> None:
    coded = {concept.kind for rows in knowledge.by_code.values() for concept in rows}
    assert coded >= {
        "car-t-product",
        "car-t-administration",
        "car-t-not-infusion",
        "car-t-history",
        "car-t-toxicity",
        "cellular-history-other",
        "diagnosis",
        "diagnosis-history",
        "cns-involvement",
        "relapse-finding",
        "refractory-finding",
        "remission-finding",
        "therapy",
        "transplant",
        "radiotherapy",
        "antigen-observation",
        "immunophenotype-report",
        "disease-status",
        "deauville",
        "safety",
    }


def test_a_quarantined_code_yields_no_fact(knowledge: Knowledge) -> None:
    rows = json.loads((packaged_folder() / "quarantine.json").read_bytes())
    held = [row for row in rows if row["code"]]
    assert len(held) > 100
    for row in held:
        assert knowledge.lookup(row["system"], row["code"]) == (), row
        assert knowledge.state_of(row["system"], row["code"]) is None, row
        assert bool(knowledge.stopped_by(row["system"], row["code"])) == row["stops"], row


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("8116-6", "cd19-lymphocyte-subset"),
        ("15195-1", "cd19-lymphocyte-subset"),
        ("20593-0", "cd19-ambiguous-specimen"),
        ("51118-8", "cd22-cytoplasmic"),
        ("22049-1", "cancer-identification-battery"),
    ],
)
def test_a_denied_code_stops_whatever_its_status(knowledge: Knowledge, code: str, meaning: str) -> None:
    assert [c.id for c in knowledge.stopped_by("http://loinc.org", code)] == [meaning]
    found = knowledge.lookup("http://loinc.org", code)
    assert not any(concept.text("use_class") == "tumour_antigen" for concept in found)


def test_products_that_are_no_cd19_car_never_count(knowledge: Knowledge) -> None:
    targets = {c.id: c.names("targets") for c in knowledge.of_kind("car-t-product")}
    cd19 = {product for product, names in targets.items() if "CD19" in names}
    assert cd19 == {
        "axicabtagene-ciloleucel",
        "tisagenlecleucel",
        "brexucabtagene-autoleucel",
        "lisocabtagene-maraleucel",
        "obecabtagene-autoleucel",
    }
    assert targets["idecabtagene-vicleucel"] == targets["ciltacabtagene-autoleucel"] == ("BCMA",)
    assert knowledge.concepts["obecabtagene-autoleucel"].flag("split_dose")
    assert not knowledge.concepts["lifileucel"].flag("car")


def test_options_stand_in_the_fixed_order(knowledge: Knowledge) -> None:
    kinds = [option.kind for option in knowledge.options]
    assert kinds[:2] == ["testing", "clinical-trial"]
    labels = [option.label.casefold() for option in knowledge.options[2:]]
    assert labels == sorted(labels)
    assert len(knowledge.options) == 42


def test_excluding_facts_of_options(knowledge: Knowledge) -> None:
    for option in knowledge.options:
        pregnancy = [cell.fact for cell in option.excluded_by]
        assert pregnancy == (["pregnancy"] if "lenalidomide" in option.contains else []), option.id
    ages = {(limit.region, limit.min_age) for limit in knowledge.option("obe-cel").age_limits}
    assert ages == {("US", 18), ("EU", 26)}
    brexu = knowledge.option("other-cd19-car-t-product").age_limits
    assert {limit.agent for limit in brexu} == {"brexucabtagene-autoleucel"}


def test_result_words_and_trends(knowledge: Knowledge) -> None:
    interpretation = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
    codes = ["POS", "NEG", "WR", "IND", "E", "A", "N", "H", "L", "QCF"]
    words = {code: knowledge.state_of(interpretation, code) for code in codes}
    assert words["POS"] == "positive"
    assert words["NEG"] == "negative"
    assert words["WR"] == "low-or-partial"
    assert words["IND"] == words["E"] == "unknown"
    assert {words[code] for code in "ANHL"} == {"no-polarity"}
    assert words["QCF"] == "discard"
    assert knowledge.state_of("http://hl7.org/fhir/v2/0078", "pos") == "positive"
    assert knowledge.state_of("http://snomed.info/sct", "260408008") == "low-or-partial"
    assert knowledge.trend_of("http://snomed.info/sct", "271299001") == "worsened"
    assert knowledge.deauville_of("http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl", "C99750") == "5"
    assert knowledge.clinical_status["recurrence"] == knowledge.clinical_status["relapse"] == "relapse"
    assert knowledge.clinical_status["active"] == "active"


def test_policy_is_the_shipped_default(knowledge: Knowledge) -> None:
    policy = knowledge.policy
    assert (policy.share_positive_from, policy.share_negative_below) == (80, 5)
    assert (policy.h_score_positive_from, policy.h_score_negative_below) == (150, 5)
    assert (policy.window_days, policy.gestation_weeks) == (14, 42)
    assert policy.max_age_days("lbcl") == 60
    assert policy.max_age_days("b-all") == 28
    found = [policy.timing_bin(days) for days in (0, 30, 31, 90, 91, 180, 181, 999)]
    assert [row.label for row in found if row] == [
        *["up to 30 days"] * 2,
        *["31 to 90 days"] * 2,
        *["91 to 180 days"] * 2,
        *["over 180 days"] * 2,
    ]
    assert policy.timing_bin(-1) is None
    assert policy.settings["window_days"].basis == "local policy"
    assert all(limit.min is None and limit.max is None for limit in policy.limits)


def test_ten_categories_in_one_order(knowledge: Knowledge) -> None:
    assert [row.order for row in knowledge.categories.values()] == list(range(1, 11))
    silent = {row.id for row in knowledge.categories.values() if not row.card}
    assert silent == {"deceased", "no-lymphoid-malignancy", "no-cd19-car-t", "no-relapse"}


def test_synonyms_are_lower_case_and_longest_first(knowledge: Knowledge) -> None:
    phrases = [phrase for phrase, _ in knowledge.synonyms]
    assert phrases == sorted(phrases, key=lambda phrase: (-len(phrase), phrase))
    assert all(phrase == phrase.lower().strip() for phrase in phrases)
    # Words too short to be read inside a sentence match whole texts only.
    assert {"all", "fl", "mm", "alt", "cd19"}.isdisjoint(phrases)
    assert [c.id for c in knowledge.whole_texts["cd19"]] == ["cd19-ambiguous-specimen"]


def test_disease_state_comes_with_the_code(knowledge: Knowledge) -> None:
    icd = "http://hl7.org/fhir/sid/icd-10-cm"
    (remission,) = knowledge.lookup(icd, "C83.3A")
    assert (remission.text("disease"), remission.text("state")) == ("dlbcl", "remission")
    (relapse,) = knowledge.lookup(icd, "C91.02")
    assert (relapse.text("disease"), relapse.text("state")) == ("all-unspecified", "relapse")
    (breast,) = knowledge.lookup(icd, "C84.7A")
    assert (breast.id, breast.text("state")) == ("t-cell-lymphoma", "")
    (grade_3b,) = knowledge.lookup(icd, "C82.40")
    assert grade_3b.text("group") == "lbcl"
    first, second = knowledge.lookup("http://snomed.info/sct", "425941003")
    assert (first.kind, second.kind) == ("diagnosis", "remission-finding")


def test_an_overlay_changes_policy_and_is_named(tmp_path: Path, knowledge: Knowledge) -> None:
    body = {"id": "site-a", "policy": {"share_bands_on": False, "window_days": 21}}
    (tmp_path / "overlay.json").write_text(json.dumps(body))
    changed = load_knowledge(overlay=tmp_path)
    assert changed.overlay == "site-a"
    assert (changed.policy.share_bands_on, changed.policy.window_days) == (False, 21)
    assert changed.digest != knowledge.digest
    assert knowledge.policy.share_bands_on


def test_an_overlay_with_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    (tmp_path / "overlay.json").write_text('{"id": "site-a", "policy": {"windw_days": 21}}')
    with pytest.raises(KnowledgeError, match="windw_days"):
        load_knowledge(overlay=tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "code"),
    [
        ("concepts.json", b'[{"id": "x"', "knowledge-torn"),
        ("systems.json", b'[{"id": 3}]', "knowledge-shape"),
        ("options/glofitamab.json", b"\xff\xfe", "knowledge-torn"),
        ("value_sets/dlbcl.json", None, "knowledge-missing"),
        ("policy.json", b'{"settings": {}, "timing_bins": [], "limits": []}', "knowledge-shape"),
    ],
)
def test_a_damaged_file_is_named(copy: Path, file: str, content: bytes | None, code: str) -> None:
    if content is None:
        (copy / file).unlink()
    else:
        (copy / file).write_bytes(content)
    with pytest.raises(KnowledgeError) as caught:
        load_knowledge(copy)
    assert (caught.value.code, caught.value.file) == (code, file)
    assert caught.value.fix


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="no such folder"):
        load_knowledge(tmp_path / "nowhere")


def test_the_digest_follows_any_byte(copy: Path, knowledge: Knowledge) -> None:
    assert load_knowledge(copy).digest == knowledge.digest
    other = copy.parent / "other"
    shutil.copytree(copy, other)
    with (other / "options" / "glofitamab.json").open("ab") as file:
        file.write(b"\n")
    assert load_knowledge(other).digest != knowledge.digest


def test_plain_loading_leaves_the_slow_parts_alone() -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from mappings.loading import load_knowledge; load_knowledge();"
            "print(sorted({'jsonschema', 'fhir', 'pydantic', 'referencing'} & set(sys.modules)))",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert said.stdout.strip() == "[]"
