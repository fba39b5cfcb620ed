"""The invented charts: valid R4, obviously invented, the same every time, coded only with codes that are known."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from sandbox_ehr.chart.orderables import ORDERABLES
from sandbox_ehr.patients import Chart, all_charts

TODAY = date(2026, 11, 22)
CHARTS = all_charts(TODAY)
_CODED = (
    "http://loinc.org",
    "http://snomed.info/sct",
    "http://hl7.org/fhir/sid/icd-10-cm",
    "http://www.cms.gov/Medicare/Coding/ICD10",
    "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
    "http://www.ama-assn.org/go/cpt",
    "http://www.nlm.nih.gov/research/umls/rxnorm",
    "http://hl7.org/fhir/sid/ndc",
    "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl",
)
_FROM_SAMPLES = {("http://loinc.org", "11526-1")}  # "Pathology study" of the US Core examples
KNOWLEDGE = Path(__file__).parents[2] / "mappings" / "knowledge"


def codings(value: Any) -> Iterator[tuple[str, str]]:
    """Every (system, code) anywhere in a resource."""
    if isinstance(value, dict):
        if "system" in value and "code" in value:
            yield value["system"], value["code"]
        for one in value.values():
            yield from codings(one)
    elif isinstance(value, list):
        for one in value:
            yield from codings(one)


def known_codes() -> set[tuple[str, str]]:
    """Every code of the shipped value sets and maps."""
    known: set[tuple[str, str]] = set(_FROM_SAMPLES)

    def walk(value: Any, system: str) -> None:
        if isinstance(value, dict):
            here = value.get("system") or value.get("source") or value.get("sourceUri") or system
            here = here if isinstance(here, str) else system
            if isinstance(value.get("code"), str):
                known.add((here, value["code"]))
            for one in value.values():
                walk(one, here)
        elif isinstance(value, list):
            for one in value:
                walk(one, system)

    for file in KNOWLEDGE.rglob("*.json"):
        if file.name != "quarantine.json":
            walk(json.loads(file.read_text("utf-8")), "")
    return known


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.story.key)
def test_every_resource_is_valid_r4(chart: Chart) -> None:
    """A strict server serves nothing that the models reject."""
    for resource in chart.resources:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.story.key)
def test_chart_is_a_real_sized_chart_of_one_invented_person(chart: Chart) -> None:
    """50 to 2,000 records, unique ids, one subject, a name nobody has, no day after today."""
    assert 50 <= len(chart.resources) <= 2000
    assert chart.patient["name"][0]["family"] == "ZZTEST"
    names = [(one["resourceType"], one["id"]) for one in chart.resources]
    assert len(set(names)) == len(names)
    for one in chart.resources[1:]:
        if one["resourceType"] != "Medication":
            assert one["subject"]["reference"] == f"Patient/{chart.story.patient_id}"
        for name in ("effectiveDateTime", "performedDateTime", "issued", "authoredOn"):
            assert one.get(name, "")[:10] <= TODAY.isoformat()


def test_codes_are_only_those_the_knowledge_holds() -> None:
    """No code from memory: every standard code of charts and order list stands in the shipped knowledge."""
    known = known_codes()
    used = {
        pair
        for chart in CHARTS
        for resource in chart.resources
        for pair in codings(resource)
        if pair[0] in _CODED
    }
    used |= {pair for one in ORDERABLES for pair in codings(one.code)}
    assert len(used) > 40
    assert used - known == set()


def test_the_same_day_gives_the_same_charts_and_stories_move_with_the_day() -> None:
    """Deterministic, and a relapse stays some weeks ago whenever the box is started."""
    assert all_charts(TODAY) == CHARTS
    later = {chart.story.key: chart for chart in all_charts(TODAY + timedelta(days=400))}
    moved = {one["id"]: one for one in later["alma"].resources}
    for one in CHARTS[0].resources:
        if "effectiveDateTime" in one:
            before = date.fromisoformat(one["effectiveDateTime"][:10])
            assert date.fromisoformat(moved[one["id"]]["effectiveDateTime"][:10]) - before == timedelta(
                days=400
            )


def answer_of(chart: Chart, today: date, folder: Path) -> dict[str, Any]:
    """What `postcart evaluate` says of a whole chart, as a process of its own."""
    file = folder / f"{chart.story.key}.json"
    entries = [{"resource": one} for one in chart.resources]
    file.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}), "utf-8")
    command = [str(Path(sys.executable).parent / "postcart"), "evaluate", str(file), "--format", "json"]
    command += ["--as-of", f"{today}T12:00:00Z"]
    done = subprocess.run(command, check=True, capture_output=True, timeout=60)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def held(chart: Chart, found: dict[str, Any]) -> None:
    """The answer is the one the story expects."""
    story = chart.story
    assert (found["category"], found["branch"]) == (story.category, story.branch), story.key
    if story.antigens:
        assert found["antigens"] == dict(story.antigens), story.key


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.story.key)
def test_the_patient_holds_to_the_story(chart: Chart, tmp_path: Path) -> None:
    """The product's answer over the whole chart is the one the story expects."""
    held(chart, answer_of(chart, TODAY, tmp_path))


@pytest.mark.parametrize("today", [date(2027, 1, 3), date(2028, 2, 29)], ids=str)
@pytest.mark.parametrize("key", ["alma", "hugo", "olga"])
def test_the_story_holds_on_another_day(key: str, today: date, tmp_path: Path) -> None:
    """A year's first days and a leap day break neither ages nor year-only dates."""
    chart = next(one for one in all_charts(today) if one.story.key == key)
    held(chart, answer_of(chart, today, tmp_path))


def test_bundles_for_other_servers_are_valid_tagged_and_repeatable() -> None:
    """`--bundles seed` puts each resource under its own id; `--bundles remove` deletes the same ones."""
    command = [sys.executable, "-m", "sandbox_ehr", "--today", str(TODAY), "--bundles"]
    lines = {}
    for way in ("seed", "remove"):
        done = subprocess.run([*command, way], check=True, capture_output=True, text=True, timeout=60)
        lines[way] = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines["seed"]) == len(lines["remove"]) == len(CHARTS)
    for put, taken, chart in zip(lines["seed"], lines["remove"], CHARTS, strict=True):
        first = {**put, "entry": put["entry"][:3]}
        get_fhir_model_class("Bundle").model_validate(first)
        urls = {one["request"]["url"] for one in put["entry"]}
        assert {one["request"]["method"] for one in put["entry"]} == {"PUT"}
        assert urls == {f"{one['resourceType']}/{one['id']}" for one in chart.resources}
        assert urls == {one["request"]["url"] for one in taken["entry"]}
        assert taken["entry"][-1]["request"]["url"] == f"Patient/{chart.story.patient_id}"
        assert all(one["resource"]["meta"]["tag"][0]["code"] == "postcart-sandbox" for one in put["entry"])


def test_stories_cover_every_category_and_shape() -> None:
    """All ten categories, three shapes, at least fifteen people."""
    assert len(CHARTS) >= 15
    assert {chart.story.category for chart in CHARTS} == {
        "no-lymphoid-malignancy",
        "no-cd19-car-t",
        "no-relapse",
        "cd19-positive",
        "cd19-low-or-partial",
        "cd19-negative",
        "cd19-unknown",
        "lineage-switch",
        "deceased",
        "insufficient-data",
    }
    assert {chart.story.shape for chart in CHARTS} == {"epic", "oracle", "hapi"}
