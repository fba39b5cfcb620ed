"""The order of the questions and the first one that decides (rules 11.8), pure and over whole charts."""

from __future__ import annotations

from itertools import product

import pytest
from builders import (
    Resource,
    category,
    condition,
    judge,
    observation,
    outcomes,
    patient,
    pet,
    procedure,
    relapsed,
    report,
    stain,
)

from mappings.deciding.category import categorise, cd19_state
from mappings.evaluation import CriterionResult, Outcome, RelapseCategory
from mappings.facts import AntigenState

QUESTIONS = (
    "deceased",
    "lymphoid-malignancy",
    "cd19-car-t",
    "relapse-after-car-t",
    "lineage-switch",
    "cd19-on-relapse",
)
HOLDS, FAILS, UNKNOWN = Outcome.HOLDS, Outcome.FAILS, Outcome.UNKNOWN


def decided(*answers: Outcome, cd19: AntigenState = AntigenState.UNKNOWN) -> str:
    trail = [
        CriterionResult(name, answer, "", "")
        for name, answer in zip(QUESTIONS, (*answers, UNKNOWN), strict=True)
    ]
    return categorise(trail, cd19).value


def expected(answers: tuple[Outcome, ...], cd19: AntigenState) -> str:
    """Rules 11.8 in plain words."""
    deceased, malignancy, car, relapse, switch = answers
    if deceased is HOLDS:
        return "deceased"
    for answer, name in (
        (malignancy, "no-lymphoid-malignancy"),
        (car, "no-cd19-car-t"),
        (relapse, "no-relapse"),
    ):
        if answer is FAILS:
            return name
        if answer is UNKNOWN:
            return "insufficient-data"
    return "lineage-switch" if switch is HOLDS else f"cd19-{cd19.value}"


@pytest.mark.parametrize(
    "answers", list(product(Outcome, repeat=5)), ids=lambda row: "-".join(one.value[0] for one in row)
)
def test_all_243_trails(answers: tuple[Outcome, ...]) -> None:
    for cd19 in AntigenState:
        assert decided(*answers, cd19=cd19) == expected(answers, cd19)


def test_the_ten_categories_are_all_reached() -> None:
    reached = {
        decided(*answers, cd19=cd19) for answers in product(Outcome, repeat=5) for cd19 in AntigenState
    }
    assert reached == {category.value for category in RelapseCategory}


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (AntigenState.POSITIVE, HOLDS),
        (AntigenState.LOW_OR_PARTIAL, HOLDS),
        (AntigenState.NEGATIVE, FAILS),
        (AntigenState.UNKNOWN, UNKNOWN),
    ],
)
def test_the_cd19_question(state: AntigenState, outcome: Outcome) -> None:
    assert cd19_state(state, "", ()).outcome is outcome


DEAD = patient(deceasedBoolean=True)
LADDER: list[tuple[str, tuple[Resource, ...]]] = [
    ("no-lymphoid-malignancy", ()),
    ("no-lymphoid-malignancy", (procedure(),)),
    ("no-cd19-car-t", (condition(clinical="active"),)),
    ("no-cd19-car-t", (condition(), stain("Negative"))),
    ("no-relapse", (condition(clinical="active"), procedure())),
    ("cd19-unknown", (condition(), procedure())),
    ("cd19-negative", (condition(), procedure(), stain("Negative"))),
    ("deceased", (DEAD,)),
    ("deceased", (DEAD, condition(), procedure(), stain("Negative"))),
]


@pytest.mark.parametrize(("wanted", "chart"), LADDER, ids=range(len(LADDER)))
def test_charts_climb_the_ladder(wanted: str, chart: tuple[Resource, ...]) -> None:
    assert category(judge(*chart)) == wanted


def test_the_trail_is_told_in_the_order_of_the_questions() -> None:
    assert tuple(outcomes(relapsed())) == QUESTIONS


def test_unseen_death_is_unknown_and_stops_nothing() -> None:
    made = judge(condition(), procedure(), stain("Negative"), patient=...)
    assert outcomes(made)["deceased"] == "UNKNOWN"
    assert category(made) == "cd19-negative"


def test_a_missing_cd19_is_never_insufficient_data() -> None:
    for keys in ({}, {"observations": ..., "reports": ...}, {"observations": None}):
        assert category(relapsed(**keys)) == "cd19-unknown"


def test_relapse_with_an_unknown_target_asks_for_the_product() -> None:
    made = judge(condition(), procedure("CAR-T infusion"), stain("Negative"))
    assert category(made) == "insufficient-data"
    assert made.assessment.missing[0].code == "product"
    assert made.assessment.antigens[0].state is AntigenState.NEGATIVE


def test_a_cd19_car_beside_one_of_unknown_target_is_an_anchor() -> None:
    made = judge(
        condition(), procedure(), procedure("CAR-T infusion", "2023-01-01", id="old"), stain("Negative")
    )
    assert category(made) == "cd19-negative"


@pytest.mark.parametrize(
    ("text", "name", "branch"),
    [
        ("Isolated CNS relapse of lymphoma.", "MRI brain", "cns"),
        ("Peripheral T-cell lymphoma, CD3 positive.", "Surgical pathology report", "t-cell-malignancy"),
    ],
)
def test_branches(text: str, name: str, branch: str) -> None:
    where = None if branch == "cns" else "Lymph node"
    made = relapsed(report(text, name=name, specimen=where))
    assert made.assessment.branch is not None
    assert made.assessment.branch.value == branch


def test_findings_of_before_the_infusion_open_no_branch() -> None:
    old = report("Isolated CNS relapse of lymphoma.", "2024-10-10", name="MRI brain", specimen=None)
    assert relapsed(old).assessment.branch is None
    switched = report("Lineage switch to acute myeloid leukemia.", "2024-10-10", specimen="Bone marrow")
    assert outcomes(relapsed(switched))["lineage-switch"] == "FAILS"


def test_cns_disease_beside_disease_elsewhere_is_not_isolated() -> None:
    lesion = report("CNS involvement by lymphoma.", name="MRI brain", specimen=None, id="mri")
    made = relapsed(lesion, stain("Negative"))
    assert made.assessment.branch is None
    assert category(made) == "cd19-negative"


def test_a_partial_response_followed_by_a_complete_one_is_no_branch() -> None:
    chart = (
        condition(clinical="active"),
        procedure(),
        pet("Partial response.", "2025-03-01", id="pr"),
        pet("Complete response.", "2025-06-01", id="cr"),
    )
    assert judge(*chart).assessment.branch is None


def test_malignant_cells_after_car_t_are_a_lymphoid_malignancy_without_a_listed_one() -> None:
    made = judge(procedure(), observation("CD19 on lymphoma cells", "Negative", specimen="Lymph node"))
    assert outcomes(made)["lymphoid-malignancy"] == "HOLDS"
