"""What surrounds a result: specimen, method, date, accession, and what a panel hands down (CD-2, 11.11, 11.15)."""

from __future__ import annotations

from typing import Any

import pytest
from builders import Resource, observation, relapsed, report, specimen, stain

from mappings.facts import AntigenResult, Method, SpecimenKind
from mappings.reading.vocabulary import Vocabulary, WordList, tokens


def only(*resources: Resource) -> AntigenResult:
    (result,) = relapsed(*resources).facts.antigens
    return result


SITES = [
    ("Lymph node, core biopsy (FFPE)", "tissue"), ("Mediastinal mass", "tissue"), ("Bone marrow aspirate", "marrow"),
    ("Bone marrow biopsy, iliac crest", "marrow"), ("CSF", "csf"), ("Cerebrospinal fluid, lumbar puncture", "csf"),
    ("Pleural fluid (effusion)", "effusion"), ("Ascites", "effusion"), ("Peripheral blood", "blood"),
    ("Blood, EDTA", "blood"),
    ("Knochenmark", "marrow"), ("Lymphknoten", "tissue"), ("Moelle osseuse", "marrow"),
    ("Sangre periférica", "blood"),
    ("Specimen A", "unspecified"), ("", "unspecified"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), SITES)
def test_kinds_of_specimen(text: str, kind: str, knowledge: Any) -> None:
    assert Vocabulary(knowledge.lexicon["chart"]).specimen(text) is SpecimenKind(kind)


@pytest.mark.parametrize(
    ("text", "method"),
    [("Flow cytometry", Method.FLOW), ("Immunohistochemistry", Method.IHC), ("IHC", Method.IHC),
    ("FACS", Method.FLOW),
     ("Flow cytometry and immunohistochemistry", Method.UNSPECIFIED), ("PCR", Method.UNSPECIFIED),
     ("", Method.UNSPECIFIED)],
)  # fmt: skip
def test_kinds_of_method(text: str, method: Method, knowledge: Any) -> None:
    assert Vocabulary(knowledge.lexicon["chart"]).method(text) is method


def test_method_and_specimen_may_stand_in_the_name() -> None:
    result = only(observation("CD19 by IHC", "Negative", bodySite={"text": "Lymph node"}))
    assert (result.method, result.specimen) == (Method.IHC, SpecimenKind.TISSUE)


def test_the_specimen_resource_goes_before_the_name() -> None:
    result = only(
        specimen("Bone marrow", "2025-09-20"),
        {**observation("CD19 by IHC", "Negative"), "specimen": {"reference": "Specimen/spec"}},
    )
    assert result.specimen is SpecimenKind.MARROW


def test_a_contained_specimen_is_found() -> None:
    inside = {
        "resourceType": "Specimen",
        "id": "s",
        "type": {"text": "Bone marrow"},
        "collection": {"collectedDateTime": "2025-09-01"},
    }
    result = only({**observation("CD19", "Negative"), "contained": [inside], "specimen": {"reference": "#s"}})
    assert result.collected is not None
    assert (result.specimen, result.collected.text) == (SpecimenKind.MARROW, "2025-09-01")


@pytest.mark.parametrize(
    "reference", ["Specimen/spec", "https://fhir.example.org/r4/Specimen/spec", "Specimen/spec/_history/1"]
)
def test_a_specimen_is_found_however_it_is_referenced(reference: str) -> None:
    result = only(
        specimen("Bone marrow", "2025-09-01"),
        {**observation("CD19", "Negative"), "specimen": {"reference": reference}},
    )
    assert result.specimen is SpecimenKind.MARROW


def test_a_specimen_that_was_not_given_leaves_its_display() -> None:
    result = only(
        {
            **observation("CD19", "Negative"),
            "specimen": {"reference": "Specimen/lost", "display": "Bone marrow"},
        }
    )
    assert (result.specimen, result.accession) == (SpecimenKind.MARROW, "Specimen/lost")


def test_a_strangers_specimen_is_not_used() -> None:
    theirs = {**specimen("Bone marrow", "2025-09-01"), "subject": {"reference": "Patient/other"}}
    assert not relapsed(
        theirs, {**observation("CD19", "Negative"), "specimen": {"reference": "Specimen/spec"}}
    ).facts.antigens


@pytest.mark.parametrize(
    ("dates", "wanted", "bound"),
    [
        ({"effectiveDateTime": "2025-09-20", "issued": "2025-09-25T00:00:00Z"}, "2025-09-20", False),
        ({"effectivePeriod": {"start": "2025-09-18", "end": "2025-09-20"}}, "2025-09-18", False),
        ({"effectivePeriod": {"end": "2025-09-20"}}, "2025-09-20", False),
        ({"effectiveInstant": "2025-09-20T10:00:00Z"}, "2025-09-20T10:00:00Z", False),
        ({"issued": "2025-09-25T00:00:00Z"}, "2025-09-25T00:00:00Z", True),
    ],
)
def test_dates_of_a_result(dates: dict[str, Any], wanted: str, bound: bool) -> None:
    result = only({**stain("Negative", when=None), **dates})
    assert result.collected is not None
    assert (result.collected.text, result.collected_is_bound) == (wanted, bound)


def test_a_period_is_known_no_better_than_its_ends() -> None:
    result = only(
        {**stain("Negative", when=None), "effectivePeriod": {"start": "2025-09-01", "end": "2025-09-30"}}
    )
    assert result.collected is not None
    assert not result.collected.exact


def test_the_accession_number_goes_before_the_reference() -> None:
    taken = specimen("Lymph node", "2025-09-20", accessionIdentifier={"value": "S25-1234"})
    assert (
        only(taken, {**stain("Negative"), "specimen": {"reference": "Specimen/spec"}}).accession == "S25-1234"
    )


def test_a_report_hands_its_specimen_down_two_levels() -> None:
    top = report(
        None, result=[{"reference": "Observation/panel"}], specimen="Bone marrow aspirate", when="2025-09-20"
    )
    panel = observation("Flow panel", when=None, id="panel", hasMember=[{"reference": "Observation/cd19"}])
    result = only(top, panel, observation("CD19", "Negative", when=None, id="cd19"))
    assert result.collected is not None
    assert (result.specimen, result.collected.text) == (SpecimenKind.MARROW, "2025-09-20")


def test_words_match_whole_and_longest_first() -> None:
    words = WordList(["bone marrow", "marrow", "pb"])
    assert words.first("Left BONE-marrow, pb") == "bone marrow"
    assert words.first("marrows pbx") == ""
    assert tokens("Médula ósea/PB") == ["médula", "ósea", "pb"]
