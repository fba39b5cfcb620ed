"""The course after CAR T: episodes, which date the relapse has, what gives way to what (rules 11.3, 11.9, 11.11)."""

from __future__ import annotations

import pytest
from builders import (
    Resource,
    category,
    codes_of,
    condition,
    flow,
    judge,
    observation,
    outcomes,
    pet,
    procedure,
    report,
    stain,
    state,
)

from mappings.evaluation import Evaluation

QUIET = (condition(clinical="active"), procedure())
BALL = (condition("B-cell acute lymphoblastic leukemia", "active"), procedure("Tisagenlecleucel infusion"))
PROGRESS, COMPLETE, PARTIAL = (
    "Progressive disease with new lesions.",
    "Complete metabolic response.",
    "Partial response.",
)


def judged(*resources: Resource) -> Evaluation:
    return judge(*QUIET, *resources)


def course(*resources: Resource) -> tuple[str, int | None]:
    made = judged(*resources)
    return category(made), made.assessment.timing.days


@pytest.mark.parametrize(
    ("day", "wanted"),
    [("2025-01-09", ("no-relapse", None)), ("2025-01-10", ("no-relapse", None)), ("2025-01-11", ("cd19-unknown", 1)),
     ("2025-02-09", ("cd19-unknown", 30)), ("2025-07-09", ("cd19-unknown", 180)), ("2025-02", ("cd19-unknown", None)),
     ("2025-01", ("insufficient-data", None)), ("2025", ("insufficient-data", None)),
     ("2024-12", ("no-relapse", None))],
)  # fmt: skip
def test_evidence_counts_when_it_is_known_to_be_after_the_infusion(
    day: str, wanted: tuple[str, int | None]
) -> None:
    assert course(pet(PROGRESS, day)) == wanted


@pytest.mark.parametrize(
    ("days", "bin_id"),
    [
        (1, "0-30"),
        (30, "0-30"),
        (31, "31-90"),
        (90, "31-90"),
        (91, "91-180"),
        (180, "91-180"),
        (181, "over-180"),
    ],
)
def test_display_bins(days: int, bin_id: str) -> None:
    from datetime import date, timedelta

    day = (date(2025, 1, 10) + timedelta(days=days)).isoformat()
    timing = judged(pet(PROGRESS, day)).assessment.timing
    assert (timing.days, timing.bin) == (days, bin_id)


def test_the_earliest_evidence_of_the_episode_dates_the_relapse() -> None:
    found = course(
        pet(PROGRESS, "2025-08-01"),
        stain("Negative", when="2025-08-20"),
        pet(PROGRESS, "2025-09-20", id="later"),
    )
    assert found == ("cd19-negative", 203)


def test_a_response_parts_two_episodes() -> None:
    made = judged(
        pet(PROGRESS, "2025-04-01"),
        pet(COMPLETE, "2025-06-01", id="cr"),
        pet(PROGRESS, "2025-10-01", id="second"),
    )
    assert made.assessment.timing.relapse_date is not None
    assert made.assessment.timing.relapse_date.text == "2025-10-01"


def test_a_response_after_the_last_evidence_ends_the_relapse() -> None:
    assert course(pet(PROGRESS, "2025-04-01"), pet(COMPLETE, "2025-06-01", id="cr"))[0] == "no-relapse"


def test_a_response_on_the_same_day_does_not_hide_disease() -> None:
    lymphoma = report("Diffuse large B-cell lymphoma, CD19 negative.", "2025-06-01")
    assert course(lymphoma, pet(COMPLETE, "2025-06-01"))[0] == "cd19-negative"


def test_a_partial_response_alone_is_no_relapse_and_a_branch() -> None:
    made = judged(pet(PARTIAL, "2025-04-01"))
    assert (category(made), made.assessment.branch and made.assessment.branch.value) == (
        "no-relapse",
        "partial-response",
    )


def test_growth_after_a_partial_response_is_a_new_episode() -> None:
    made = judged(pet(PARTIAL, "2025-04-01"), pet(PROGRESS, "2025-10-01", id="p"))
    assert (category(made), made.assessment.timing.days) == ("cd19-unknown", 264)


def test_words_of_a_second_relapse_start_an_episode() -> None:
    made = judged(
        pet(PROGRESS, "2025-04-01"), pet("Second relapse with new lesions.", "2025-10-01", id="second")
    )
    assert made.assessment.timing.relapse_date is not None
    assert made.assessment.timing.relapse_date.text == "2025-10-01"


def test_tissue_without_malignancy_after_imaging_clears_it_and_shows_the_conflict() -> None:
    made = judged(
        pet("Deauville 5.", "2025-09-01"), report("Lymph node: reactive. No malignancy.", "2025-09-15")
    )
    assert category(made) == "no-relapse"
    assert "tissue-clear" in codes_of(made, "conflict")


def test_tissue_without_malignancy_before_imaging_does_not_clear_it() -> None:
    assert (
        course(
            pet("Deauville 5.", "2025-09-15"), report("Lymph node: reactive. No malignancy.", "2025-09-01")
        )[0]
        == "cd19-unknown"
    )


def test_tissue_without_malignancy_never_clears_tissue_with_it() -> None:
    lymphoma = report("Diffuse large B-cell lymphoma. CD19 negative.", "2025-09-01", id="a")
    assert (
        course(lymphoma, report("Lymph node: reactive. No malignancy.", "2025-09-15", id="b"))[0]
        == "cd19-negative"
    )


def test_a_clear_marrow_does_not_end_disease_elsewhere() -> None:
    node = stain("Negative", when="2025-09-01")
    marrow = report("Bone marrow: no involvement by lymphoma.", "2025-09-10", specimen="Bone marrow biopsy")
    made = judge(condition(clinical="relapse"), procedure(), node, marrow)
    assert category(made) == "cd19-negative"


def test_the_problem_list_says_the_state_now_also_against_a_response() -> None:
    made = judge(condition(clinical="relapse"), procedure(), pet(COMPLETE, "2025-06-01"))
    assert category(made) == "cd19-unknown"
    assert "status-now" in codes_of(made, "conflict")


def test_blasts_after_the_infusion_count_though_the_list_says_remission() -> None:
    made = judge(
        condition("B-cell acute lymphoblastic leukemia", "remission"), procedure("Tisagenlecleucel infusion"),
        report("Bone marrow with 60 % lymphoblasts, CD19 negative.", specimen="Bone marrow aspirate"),
    )  # fmt: skip
    assert (category(made), made.assessment.confirmation.value) == ("cd19-negative", "confirmed")
    assert "remission-listed" in codes_of(made, "conflict")


def test_confirmation_is_that_of_the_strongest_evidence() -> None:
    stated = judge(condition(), procedure(), pet("Deauville 5.", "2025-09-01"))
    assert stated.assessment.confirmation.value == "stated"
    confirmed = judge(
        condition(), procedure(), pet("Deauville 5.", "2025-09-01"), stain("Negative", when="2025-09-10")
    )
    assert confirmed.assessment.confirmation.value == "confirmed"


def test_if_only_the_specimen_dates_the_relapse_its_date_is_the_relapse_date() -> None:
    timing = judge(condition(), procedure(), stain("Negative", when="2025-09-20")).assessment.timing
    assert timing.relapse_date is not None
    assert (timing.relapse_date.text, timing.days) == ("2025-09-20", 253)


def test_a_specimen_before_the_infusion_dates_nothing() -> None:
    timing = judge(condition(), procedure(), stain("Negative", when="2024-12-20")).assessment.timing
    assert (timing.relapse_date, timing.days) == (None, None)


@pytest.mark.parametrize(
    ("text", "wanted"), [(COMPLETE, False), (PARTIAL, False), ("Refractory disease, never responded.", True)]
)
def test_primary_refractory_is_said_only_where_stated_and_not_after_a_response(
    text: str, wanted: bool
) -> None:
    made = judged(pet(text, "2025-03-01"), pet(PROGRESS, "2025-06-01", id="p"))
    assert made.assessment.timing.primary_refractory is wanted


def test_primary_refractory_is_unknown_where_nothing_was_read() -> None:
    assert judged(pet(PROGRESS, "2025-06-01")).assessment.timing.primary_refractory is None


def test_evidence_after_the_time_of_judgement_is_a_conflict_not_a_fact() -> None:
    made = judged(pet(PROGRESS, "2026-07-01"))
    assert category(made) == "no-relapse"
    assert "future" in codes_of(made, "conflict")


@pytest.mark.parametrize("when", [None, "last spring"])
def test_an_infusion_without_a_date_cannot_order_evidence(when: str | None) -> None:
    made = judge(condition(clinical="active"), procedure(when=when), pet(PROGRESS))
    assert outcomes(made)["relapse-after-car-t"] == "UNKNOWN"
    assert category(made) == "insufficient-data"


def test_the_same_with_a_listed_relapse_is_cd19_unknown() -> None:
    made = judge(condition(), procedure(when=None), stain("Negative"))
    assert category(made) == "cd19-unknown"
    assert "order-unknown" in codes_of(made)


def test_clear_marrow_in_b_all_is_a_response_and_parts_episodes() -> None:
    first = flow("Negative", when="2025-04-01", id="a")
    clear = report(
        "Bone marrow: no blasts, complete remission.", "2025-06-01", specimen="Bone marrow aspirate"
    )
    made = judge(
        *BALL,
        report("Relapse with 40 % blasts.", "2025-04-01", specimen="Bone marrow aspirate", id="r1"),
        first,
        clear,
    )
    assert category(made) == "no-relapse"
    again = judge(
        *BALL,
        first,
        clear,
        report("Relapse with 40 % blasts.", "2025-12-01", specimen="Bone marrow aspirate", id="r2"),
    )
    assert category(again) == "cd19-unknown"
    assert state(again) == "unknown"


def test_blood_b_cells_coming_back_are_no_relapse() -> None:
    made = judged(
        observation(
            "CD19 absolute count",
            {"valueQuantity": {"value": 300, "unit": "/uL"}},
            specimen="Peripheral blood",
        )
    )
    assert category(made) == "no-relapse"


def test_a_result_without_a_state_confirms_nothing() -> None:
    made = judge(condition(), procedure(), stain("Equivocal"))
    assert made.assessment.confirmation.value == "stated"
    assert judge(condition(), procedure(), stain("Negative")).assessment.confirmation.value == "confirmed"


def test_a_result_without_a_date_confirms_nothing() -> None:
    assert (
        judge(condition(), procedure(), stain("Negative", when=None)).assessment.confirmation.value
        == "stated"
    )


def test_a_result_of_before_the_infusion_confirms_nothing() -> None:
    made = judge(condition(), procedure(), stain("Negative", when="2024-11-11"))
    assert (made.assessment.confirmation.value, made.assessment.timing.days) == ("stated", None)


def test_a_clear_marrow_is_no_response_of_a_lymphoma() -> None:
    node = stain("Negative", when="2025-09-01")
    marrow = report("Bone marrow: no involvement by lymphoma.", "2025-09-10", specimen="Bone marrow biopsy")
    assert category(judged(pet(PROGRESS, "2025-08-25"), node, marrow)) == "cd19-negative"


def test_clear_fluid_is_no_response_of_a_leukaemia_in_the_marrow() -> None:
    blasts = report(
        "Relapsed B lymphoblastic leukemia, 40 % blasts.",
        "2025-09-01",
        specimen="Bone marrow aspirate",
        id="b",
    )
    fluid = report("CSF: no blasts seen.", "2025-09-10", specimen="Cerebrospinal fluid", id="csf")
    assert category(judge(*BALL, blasts, flow("Negative", when="2025-09-01"), fluid)) == "cd19-negative"
