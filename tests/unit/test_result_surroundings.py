"""What stands around a result: its specimen's state and findings, its name, and where it was taken (CD-2, 11.6, 11.9)."""

from __future__ import annotations

from typing import Any

import pytest
from builders import (
    Resource,
    administration,
    category,
    codes_of,
    condition,
    judge,
    observation,
    pet,
    procedure,
    relapsed,
    report,
    specimen,
    stain,
    state,
)

from cds_hooks.card_lines import closing_line, result_lines

DAY = "2025-09-01"


def bare(
    value: str = "Negative", where: str | None = "Bone marrow", name: str = "CD19", **more: Any
) -> Resource:
    return observation(name, value, when=DAY, specimen=where, id="bare", **more)


def marrow_report(text: str, when: str = DAY, where: str = "Bone marrow") -> Resource:
    return report(text, when=when, name="Bone marrow biopsy", specimen=where)


NORMAL = "Bone marrow: normal trilineage haematopoiesis, no lymphoma."


@pytest.mark.parametrize("value", ["Negative", "Positive"])
def test_a_bare_result_on_a_specimen_free_of_malignancy_is_set_aside(value: str) -> None:
    made = relapsed(bare(value), marrow_report(NORMAL))
    assert state(made) == "unknown"
    assert "clear-specimen" in codes_of(made, "set-aside")
    assert made.assessment.confirmation.value == "stated"


@pytest.mark.parametrize(
    "other",
    [
        marrow_report(NORMAL, when="2025-09-20"),
        marrow_report("No lymphoma.", where="Lymph node"),
        marrow_report("Bone marrow: involved by diffuse large B-cell lymphoma."),
    ],
)
def test_a_report_of_another_specimen_or_of_disease_leaves_the_result_alone(other: Resource) -> None:
    assert state(relapsed(bare(), other)) == "negative"


def test_cells_seen_in_the_same_specimen_go_before_a_report_that_found_none() -> None:
    flow = report("Lymphoma cells: CD20 positive.", when=DAY, name="Flow", specimen="Bone marrow", id="flow")
    assert state(relapsed(bare(), marrow_report(NORMAL), flow)) == "negative"


@pytest.mark.parametrize("where", ["Lung, adenocarcinoma biopsy", "Skin, melanoma", "Breast cancer, core"])
def test_a_specimen_of_another_cancer_says_nothing_of_this_one(where: str) -> None:
    made = relapsed(bare(where=where))
    assert state(made) == "unknown"
    assert "other-cancer" in codes_of(made, "set-aside")


@pytest.mark.parametrize("where", ["Lung biopsy", "Breast mass, core biopsy", "Kidney biopsy", "Tonsil"])
def test_an_organ_that_lymphoma_may_involve_counts(where: str) -> None:
    assert state(relapsed(bare(where=where))) == "negative"


@pytest.mark.parametrize("status", ["entered-in-error", "unsatisfactory"])
def test_a_specimen_that_was_withdrawn_or_unfit_proves_nothing(status: str) -> None:
    taken = specimen("Lymph node", DAY, id="s1", status=status)
    pointed = bare(where=None) | {"specimen": {"reference": "Specimen/s1"}}
    told = report("Lymphoma cells: CD19 negative.", when=DAY, specimen=None) | {
        "specimen": [{"reference": "Specimen/s1"}]
    }
    for result in (pointed, told):
        made = relapsed(result, taken)
        assert state(made) == "unknown"
        assert codes_of(made, "set-aside") & {"void-specimen", "not-tumour"}
        good = specimen("Lymph node", DAY, id="s1", status="available")
        assert state(relapsed(result, good)) == "negative"


PLAIN = [
    "CD19 Ag [Presence] in Tissue by Immune stain", "CD19 - lymphoma population", "CD19 (B4)", "CD19-PE-Cy7",
    "CD19 APC", "CD19 FITC", "CD19 BV421", "HC CD19", "LAB CD19 SURFACE MARKER", "CD19 Marqueur",
    "CD19 Marcador", "CD19 post CAR-T biopsy",
]  # fmt: skip
TELLING = [
    "CD19 escape", "CD19 loss", "CD19 mRNA", "CD19 target", "CD19 CAR", "Anti-CD19 CAR T", "CD19- blasts",
    "CD19 - blasts", "CD19 - B cells", "CD19 post CAR-T cells",
]  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("value", ["Negative", "Positive"])
def test_names_that_say_only_where_and_how_are_read(name: str, value: str) -> None:
    assert state(relapsed(bare(value, "Lymph node", name))) == value.lower()


@pytest.mark.parametrize("name", TELLING)
@pytest.mark.parametrize("value", ["Negative", "Positive"])
def test_names_that_say_more_than_the_antigen_set_no_state(name: str, value: str) -> None:
    assert state(relapsed(bare(value, "Lymph node", name))) == "unknown"


def test_a_new_t_cell_lymphoma_is_its_own_branch_and_no_relapse() -> None:
    made = judge(
        condition(clinical="remission"),
        procedure(),
        report("New T-cell lymphoma after CAR T.", specimen=None),
    )
    assert category(made) == "no-relapse"
    assert made.assessment.branch is not None
    assert made.assessment.branch.value == "t-cell-malignancy"


@pytest.mark.parametrize(
    "text",
    [
        "New T-cell lymphoma after CAR T is excluded. Relapsed DLBCL.",
        "No new T-cell lymphoma after CAR T.",
        "Rule out new T-cell lymphoma after CAR T.",
        "History of new T-cell lymphoma after CAR T.",
        "Differential includes T-cell lymphoma.",
    ],
)
def test_a_denied_t_cell_lymphoma_gives_no_branch(text: str) -> None:
    made = judge(condition(clinical="remission"), procedure(), report(text, specimen=None))
    assert made.assessment.branch is None


def test_a_new_t_cell_malignancy_is_told_beside_a_b_cell_disease_denied_or_back() -> None:
    denied = report("New T-cell malignancy following axi-cel. No relapse of DLBCL.", specimen=None)
    beside = report("Secondary T-cell malignancy after CAR T; also B-cell lymphoma relapse.", specimen=None)
    for text, wanted in ((denied, "no-relapse"), (beside, "cd19-unknown")):
        made = judge(condition(clinical="remission"), procedure(), text)
        assert category(made) == wanted
        assert made.assessment.branch is not None
        assert made.assessment.branch.value == "t-cell-malignancy"


@pytest.mark.parametrize(
    ("text", "confirmation"),
    [
        ("Deauville 4, increased uptake and size.", "suspected"),
        ("Deauville 4 with increase in size of the node.", "suspected"),
        ("Deauville 4, uptake increased relative to liver.", "none"),
        ("Deauville 4, increased uptake relative to liver.", "none"),
        ("Deauville 4, no increase in size.", "none"),
        ("Deauville 4, decreased uptake.", "none"),
        ("Deauville 4. Increased size of the node.", "suspected"),
        ("Deauville 4. No increase in size of the node.", "none"),
        ("Deauville 4. No increase in size of the left node, the right one is larger.", "suspected"),
        ("Deauville 4, mildly increased uptake.", "none"),
        ("Deauville 4, stable; previously increased uptake.", "none"),
    ],
)
def test_deauville_4_with_growth_is_suspected_progression(text: str, confirmation: str) -> None:
    made = judge(condition(clinical="active"), procedure(), pet(text))
    assert made.assessment.confirmation.value == confirmation


def test_each_result_is_named_with_its_own_place_and_date() -> None:
    node = observation("CD19 by flow", "Negative", when=DAY, specimen="Lymph node", id="node")
    marrow = observation("CD19 by IHC", "Negative", when="2025-10-10", specimen="Bone marrow", id="marrow")
    lines = result_lines(relapsed(node, marrow).assessment)
    assert lines[:2] == [
        "Reported on Bone marrow, collected 10 Oct 2025: CD19 negative (IHC; newest).",
        "Reported on Lymph node, collected 01 Sep 2025: CD19 negative (flow).",
    ]


def test_places_of_one_day_have_no_newest_and_many_are_counted() -> None:
    sites = ["Left axillary node", "Right axillary node", "Left inguinal node", "Spleen", "Liver"]
    found = [
        observation("CD19 by IHC", "Positive", when=DAY, specimen=site, id=f"s{number}")
        for number, site in enumerate(sites)
    ]
    lines = result_lines(relapsed(*found).assessment)
    assert sum(line.startswith("Reported on") for line in lines) == 3
    assert "CD19: the same in 2 more specimens." in lines
    assert not any("newest" in line for line in lines)


def test_the_moment_of_judgement_is_no_entrys_date() -> None:
    ongoing = administration(
        "Tafasitamab", None, status="in-progress", effectivePeriod={"start": "2025-10-01"}
    )
    made = relapsed(stain(when=DAY), ongoing)
    assert made.facts.newest is not None
    assert made.facts.newest.text == made.as_of
    assert "Newest entry used 01 Oct 2025." in closing_line(made)


def test_a_response_told_only_in_a_note_does_not_silence_a_shown_relapse() -> None:
    note = report("Patient is in complete remission.", when="2025-12-01", name="Clinic note", specimen=None)
    made = relapsed(stain("Negative", when=DAY), note)
    assert category(made) == "cd19-negative"
    assert "response-in-note" in codes_of(made, "conflict")


def test_a_day_of_collection_before_the_infusion_holds_for_every_text_of_its_report() -> None:
    made = relapsed(
        report(
            "Lymph node: diffuse large B-cell lymphoma, lymphoma cells CD19 positive.",
            when=DAY,
            specimen="Lymph node",
            note=[{"text": "Date of collection: 2024-11-03"}],
        )
    )
    assert state(made) == "unknown"
    assert made.assessment.confirmation.value != "confirmed"
