"""The checks of the knowledge folder: clean as shipped, every kind of damage named with file and field."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mappings.loading import check_knowledge, lint_knowledge, packaged_folder


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(packaged_folder(), tmp_path / "knowledge"))


def edit(folder: Path, file: str, change: Callable[[Any], None]) -> None:
    path = folder / file
    body = json.loads(path.read_bytes())
    change(body)
    path.write_text(json.dumps(body, ensure_ascii=False))


def include(body: Any, system: str, code: str) -> None:
    body["compose"]["include"].append({"system": system, "concept": [{"code": code}]})


def of_system(body: Any, system: str) -> Any:
    return next(row for row in body["compose"]["include"] if row["system"] == system)


def first_outcome(**changes: Any) -> Callable[[Any], None]:
    def change(body: Any) -> None:
        body[0]["outcomes"][0].update(changes)

    return change


def test_the_shipped_folder_is_clean() -> None:
    assert check_knowledge() == ()


LOINC, SNOMED, CPT = "http://loinc.org", "http://snomed.info/sct", "http://www.ama-assn.org/go/cpt"
PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
GLOFIT = "options/glofitamab.json"

MUTATIONS: list[tuple[str, str, Callable[[Any], None], str, str, str]] = [
    (
        "broken citation",
        GLOFIT,
        lambda b: b["status"][0].update(citation_id="nobody-2020"),
        GLOFIT,
        "status[0].citation_id",
        "nobody-2020",
    ),
    (
        "status of a disease that its words do not name",
        GLOFIT,
        lambda b: b["status"][0].update(diseases=["mcl"]),
        GLOFIT,
        "status[0].diseases",
        "mcl",
    ),
    (
        "two statuses of a region that nothing tells apart",
        "options/mosunetuzumab.json",
        lambda b: b["status"][1].pop("diseases"),
        "options/mosunetuzumab.json",
        "status[1].diseases",
        "missing",
    ),
    (
        "citation not used",
        "citations.json",
        lambda b: b.append({**b[0], "id": "spare-2020"}),
        "citations.json",
        "spare-2020",
        "cited nowhere",
    ),
    (
        "denied code as tumour antigen",
        "value_sets/cd19-tumour-antigen.json",
        lambda b: include(b, LOINC, "8116-6"),
        "value_sets/cd19-tumour-antigen.json",
        f"{LOINC}|8116-6",
        "deny list",
    ),
    (
        "recalled subset code as tumour antigen",
        "value_sets/cd19-tumour-antigen.json",
        lambda b: include(b, LOINC, "15195-1"),
        "value_sets/cd19-tumour-antigen.json",
        f"{LOINC}|15195-1",
        "deny list",
    ),
    (
        "recalled code as a fact",
        "value_sets/lisocabtagene-maraleucel.json",
        lambda b: include(b, PCS, "XW033N7"),
        "value_sets/lisocabtagene-maraleucel.json",
        f"{PCS}|XW033N7",
        "quarantine",
    ),
    (
        "one code with two meanings",
        "value_sets/fl.json",
        lambda b: include(b, SNOMED, "443487006"),
        "value_sets/fl.json",
        f"{SNOMED}|443487006",
        "also stands in",
    ),
    (
        "CPT descriptor",
        "value_sets/car-t-administration.json",
        lambda b: of_system(b, CPT)["concept"][0].update(display="x"),
        "value_sets/car-t-administration.json",
        f"{CPT}|0540T",
        "descriptor",
    ),
    (
        "alias as system",
        "value_sets/mcl.json",
        lambda b: b["compose"]["include"][0].update(system="https://loinc.org"),
        "value_sets/mcl.json",
        "",
        "canonical",
    ),
    (
        "unknown word in a concept map",
        "concept_maps/result-state.json",
        lambda b: b["group"][0]["element"][0]["target"][0].update(code="dim"),
        "concept_maps/result-state.json",
        "",
        "dim",
    ),
    (
        "figure without evidence",
        GLOFIT,
        lambda b: b["must_say"][1].update(text="Complete response in 97% of patients."),
        GLOFIT,
        "must_say[1].text",
        "97 %",
    ),
    (
        "months without evidence",
        GLOFIT,
        lambda b: b["route_to_category"]["cd19-negative"].update(reason="Survival of 77 months."),
        GLOFIT,
        "route_to_category.cd19-negative",
        "77 months",
    ),
    (
        "rule figure without source",
        "rules.json",
        lambda b: next(r for r in b if r["id"] == "EN-1").update(text="Seen in 12% of charts."),
        "rules.json",
        "EN-1",
        "12 %",
    ),
    ("unknown key", GLOFIT, lambda b: b.update(dose="2.5 mg"), GLOFIT, "", "dose"),
    ("missing key", GLOFIT, lambda b: b.pop("targets"), GLOFIT, "", "targets"),
    (
        "wrong kind of value",
        "categories/deceased.json",
        lambda b: b.update(card="no"),
        "categories/deceased.json",
        "card",
        "boolean",
    ),
    (
        "interval without its value",
        "evidence/glofitamab.json",
        first_outcome(ci_low=90, ci_high=95, ci_level=95),
        "evidence/glofitamab.json",
        "glofit-np30179-postcart.outcomes[0].ci_low",
        "interval",
    ),
    (
        "percent above 100",
        "evidence/glofitamab.json",
        first_outcome(value=135),
        "evidence/glofitamab.json",
        "glofit-np30179-postcart.outcomes[0].value",
        "100",
    ),
    (
        "percent against counts",
        "evidence/glofitamab.json",
        first_outcome(numerator=20, denominator=52),
        "evidence/glofitamab.json",
        "glofit-np30179-postcart.outcomes[0].value",
        "20 of 52",
    ),
    (
        "evidence that no option lists",
        GLOFIT,
        lambda b: b["evidence_ids"].pop(),
        GLOFIT,
        "evidence_ids",
        "does not list",
    ),
    (
        "CD19 option open when CD19 is lost",
        "options/loncastuximab-tesirine.json",
        lambda b: b["route_to_category"]["cd19-negative"].update(route="consider"),
        "options/loncastuximab-tesirine.json",
        "route_to_category.cd19-negative",
        "needs CD19",
    ),
    (
        "CD19 option open when CD19 is unknown",
        "options/blinatumomab.json",
        lambda b: b["route_to_category"]["cd19-unknown"].update(route="consider"),
        "options/blinatumomab.json",
        "route_to_category.cd19-unknown",
        "ask",
    ),
    (
        "PD-1 freer when unknown",
        "options/pd1-blockade.json",
        lambda b: b["route_to_category"]["cd19-unknown"].update(route="consider"),
        "options/pd1-blockade.json",
        "route_to_category.cd19-unknown",
        "freer",
    ),
    (
        "lenalidomide without pregnancy",
        "options/tafasitamab-r2.json",
        lambda b: b.update(excluded_by=[]),
        "options/tafasitamab-r2.json",
        "excluded_by",
        "pregnancy",
    ),
    (
        "rituximab without its note",
        "options/tafasitamab-r2.json",
        lambda b: b.update(notes_when=[]),
        "options/tafasitamab-r2.json",
        "notes_when",
        "rituximab",
    ),
    (
        "check that nothing answers",
        GLOFIT,
        lambda b: b["check_before"][0].update(fact="shoe-size"),
        GLOFIT,
        "check_before[0].fact",
        "shoe-size",
    ),
    (
        "two categories of one order",
        "categories/deceased.json",
        lambda b: b.update(order=2),
        "categories/deceased.json",
        "order",
        "11.8",
    ),
    (
        "bands that overlap",
        "policy.json",
        lambda b: b["settings"]["share_negative_below"].update(value=90),
        "policy.json",
        "",
        "share_positive_from: bands",
    ),
    (
        "a gap between timing bins",
        "policy.json",
        lambda b: b["timing_bins"][1].update(from_day=40),
        "policy.json",
        "timing_bins[1].from_day",
        "31",
    ),
    (
        "concept without value set",
        "concepts.json",
        lambda b: b.append({**b[0], "id": "new-cel", "value_set": "new-cel"}),
        "value_sets/new-cel.json",
        "",
        "missing",
    ),
    (
        "concept of an unknown kind",
        "concepts.json",
        lambda b: b[0].update(kind="car-t-prodct"),
        "concepts.json",
        "[0].kind",
        "car-t-prodct",
    ),
    (
        "phrase with two meanings",
        "value_sets/fl.json",
        lambda b: b["compose"]["include"][-1]["concept"][0]["designation"].append({"value": "DLBCL"}),
        "value_sets/fl.json",
        "",
        "also names",
    ),
]


@pytest.mark.parametrize(
    ("file", "change", "where", "field", "said"),
    [row[1:] for row in MUTATIONS],
    ids=[row[0].replace(" ", "-") for row in MUTATIONS],
)
def test_damage_is_named(
    copy: Path, file: str, change: Callable[[Any], None], where: str, field: str, said: str
) -> None:
    edit(copy, file, change)
    faults = check_knowledge(copy)
    hits = [fault for fault in faults if fault.file == where and said in fault.message]
    assert hits, faults
    assert any(field in fault.field for fault in hits), hits
    assert all(fault.fix for fault in faults)


def test_a_phrase_clash_is_found_from_either_side(copy: Path) -> None:
    def change(body: Any) -> None:
        body["compose"]["include"][-1]["concept"][0]["designation"].append({"value": "Mantle Cell Lymphoma"})

    edit(copy, "value_sets/dlbcl.json", change)
    assert any("also names dlbcl" in fault.message for fault in check_knowledge(copy))


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("concepts.json", b'[{"id": "dlbcl"', "not JSON"),
        ("options/glofitamab.json", b'{"id": "a", "id": "b"}', "stands twice"),
        ("notes.json", b"{}", "no file of the knowledge folder"),
        ("lexicon/report_words.json", b"{", "not JSON"),
    ],
)
def test_a_torn_or_stray_file_is_named(copy: Path, file: str, content: bytes, said: str) -> None:
    (copy / file).parent.mkdir(exist_ok=True)
    (copy / file).write_bytes(content)
    assert any(fault.file == file and said in fault.message for fault in check_knowledge(copy))


@pytest.mark.parametrize("file", ["policy.json", "categories/no-relapse.json", "value_sets/mcl.json"])
def test_a_missing_file_is_named(copy: Path, file: str) -> None:
    (copy / file).unlink()
    assert any(fault.file == file and "missing" in fault.message for fault in check_knowledge(copy))


def test_a_missing_folder_is_a_fault(tmp_path: Path) -> None:
    (fault,) = check_knowledge(tmp_path / "nowhere")
    assert "no such folder" in fault.message


def test_a_value_set_that_is_no_fhir_is_named(copy: Path) -> None:
    edit(copy, "schemas/value_set.json", lambda body: body.update(additionalProperties=True))
    edit(copy, "value_sets/mcl.json", lambda body: body.update(status="lively", colour="red"))
    assert any(fault.file == "value_sets/mcl.json" for fault in check_knowledge(copy))


def test_an_overlay_is_checked_with_the_folder_it_lies_on(tmp_path: Path) -> None:
    (tmp_path / "overlay.json").write_text('{"id": "site-a", "policy": {"share_negative_below": 90}}')
    (fault,) = check_knowledge(overlay=tmp_path)
    assert (fault.file, "bands" in fault.message) == ("overlay.json", True)
    (tmp_path / "overlay.json").write_text('{"id": "site-a", "policy": {"share_negative_below": 10}}')
    assert check_knowledge(overlay=tmp_path) == ()
    (tmp_path / "overlay.json").write_text('{"id": "site-a", "polcy": {}}')
    (fault,) = check_knowledge(overlay=tmp_path)
    assert "polcy" in fault.message


def test_an_overlay_cannot_move_a_denied_code(tmp_path: Path) -> None:
    (tmp_path / "overlay.json").write_text('{"id": "site-a"}')
    (tmp_path / "value_sets").mkdir()
    body = json.loads((packaged_folder() / "value_sets" / "cd19-tumour-antigen.json").read_bytes())
    include(body, LOINC, "8116-6")
    (tmp_path / "value_sets" / "cd19-tumour-antigen.json").write_text(json.dumps(body))
    assert any("deny list" in fault.message for fault in check_knowledge(overlay=tmp_path))


def test_the_lint_names_the_gaps() -> None:
    lines = "\n".join(lint_knowledge())
    for gap in (
        "XW033N7",
        "no verified SNOMED CT code: axicabtagene-ciloleucel",
        "no verified ICD-10-PCS code: obecabtagene-autoleucel",
        "text only: therapy odronextamab",
        "text only: therapy pirtobrutinib",
        "text only: therapy selinexor",
        "text only: therapy ponatinib",
        "text only: therapy revumenib",
        "text only: safety spo2",
        "text only: safety qtc",
        "text only: safety-condition neuropathy",
        "text only: safety-condition active-infection",
        "text only: lineage-switch lineage-switch",
        "text only: t-cell-malignancy-after-car-t",
    ):
        assert gap in lines, gap
