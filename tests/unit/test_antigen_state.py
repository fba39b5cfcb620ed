"""Which results describe this relapse and what they say together (CD-1, CD-6, 11.2, 11.3, 11.6, 11.10)."""

from __future__ import annotations

from typing import Any

import pytest
from builders import (
    Resource,
    administration,
    category,
    codes_of,
    condition,
    flow,
    judge,
    observation,
    order,
    outcome,
    percent,
    pet,
    procedure,
    relapsed,
    relapsed_ball,
    report,
    specimen,
    stain,
    state,
)

from mappings.evaluation import AntigenView, Evaluation
from mappings.facts import Antigen

QUIET = (condition(clinical="active"), procedure())


def cd19(made: Evaluation) -> AntigenView:
    return made.assessment.antigen(Antigen.CD19)


BEFORE_AFTER = [
    ("2025-01-09", "unknown", "before-infusion"), ("2025-01-10", "unknown", "before-infusion"),
    ("2025-01-11", "negative", ""),
    ("2025-01-10T23:30:00Z", "unknown", "before-infusion"), ("2025-01-11T00:30:00Z", "negative", ""),
    ("2024-12", "unknown", "before-infusion"),
    ("2025-01", "unknown", "order-unknown"), ("2025", "unknown", "order-unknown"), ("2025-02", "negative", ""),
    (None, "unknown", "order-unknown"), ("spring", "unknown", "order-unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("when", "wanted", "code"), BEFORE_AFTER)
def test_a_result_counts_only_when_known_to_be_after_the_infusion(
    when: str | None, wanted: str, code: str
) -> None:
    made = relapsed(stain("Negative", when=when))
    assert state(made) == wanted
    assert code in codes_of(made, "set-aside") or not code


def test_days_before_the_infusion_are_said() -> None:
    made = relapsed(stain("Negative", when="2025-01-01"))
    assert any("9 days before the infusion" in row.reason for row in made.assessment.set_aside)


def test_issued_is_only_an_upper_bound() -> None:
    late = stain("Negative", when=None, issued="2025-09-20T10:00:00Z")
    assert state(relapsed(late)) == "unknown"
    early = stain("Negative", when=None, issued="2025-01-05T10:00:00Z")
    assert "before-infusion" in codes_of(relapsed(early))


@pytest.mark.parametrize(("taken", "wanted"), [("2025-09-01", "negative"), ("2024-12-01", "unknown")])
def test_collection_goes_before_effective(taken: str, wanted: str) -> None:
    result = stain("Negative", when="2025-09-20" if wanted == "unknown" else "2024-12-20")
    result["specimen"] = {"reference": "Specimen/spec"}
    assert state(relapsed(specimen("Lymph node, core biopsy", taken), result)) == wanted


@pytest.mark.parametrize(("second", "wanted"), [("2025-07-31", "negative"), ("2025-08-01", "unknown")])
def test_a_result_of_an_earlier_episode_is_out_of_date_after_60_days(second: str, wanted: str) -> None:
    first = stain("Negative", when="2025-06-01")
    made = judge(
        *QUIET,
        first,
        pet("Complete metabolic response.", "2025-06-20", id="cr"),
        pet("Progressive disease, new lesions.", second),
    )
    assert state(made) == wanted
    assert ("out-of-date" in codes_of(made, "set-aside")) is (wanted == "unknown")


@pytest.mark.parametrize(("second", "wanted"), [("2025-06-29", "negative"), ("2025-06-30", "unknown")])
def test_in_b_all_it_is_after_28_days(second: str, wanted: str) -> None:
    chart = (
        condition("B-cell acute lymphoblastic leukemia", "active"),
        procedure("Tisagenlecleucel infusion"),
    )
    clear = report(
        "Bone marrow: complete remission, no blasts.", "2025-06-15", specimen="Bone marrow aspirate", id="cr"
    )
    again = report(
        "Relapsed B lymphoblastic leukemia, 60 % blasts.", second, specimen="Bone marrow aspirate", id="again"
    )
    assert state(judge(*chart, flow("Negative", when="2025-06-01"), clear, again)) == wanted


@pytest.mark.parametrize("when", ["2025-09-20", "2025-09-06", "2025-09-05", "2025-12-20", "2025-09"])
def test_a_result_of_the_same_episode_counts_whatever_its_age(when: str) -> None:
    assert (
        state(
            judge(
                *QUIET, pet("Progressive disease, new lesions.", "2025-09-20"), stain("Negative", when=when)
            )
        )
        == "negative"
    )


VOIDING = ["Blinatumomab", "Tafasitamab", "Loncastuximab tesirine"]


@pytest.mark.parametrize("drug", VOIDING)
@pytest.mark.parametrize(
    ("given", "wanted"),
    [("2025-10-01", "unknown"), ("2025-09-20", "unknown"), ("2025-09-19", "negative"),
    ("2025-03-01", "negative"), ("2025", "unknown"),
     ("2025-09", "unknown"), (None, "unknown")],
)  # fmt: skip
def test_a_cd19_drug_voids_what_was_collected_before_its_last_dose(
    drug: str, given: str | None, wanted: str
) -> None:
    made = relapsed(stain("Negative"), administration(drug, given))
    assert state(made) == wanted


@pytest.mark.parametrize("drug", VOIDING)
def test_the_voided_state_is_named(drug: str) -> None:
    view = cd19(relapsed(stain("Positive"), administration(drug, "2025-10-01")))
    assert view.voided
    assert "positive" in view.before
    assert drug.split()[0].lower() in view.before.lower()


@pytest.mark.parametrize("status", ["not-done", "entered-in-error"])
def test_a_dose_that_was_not_given_voids_nothing(status: str) -> None:
    assert (
        state(relapsed(stain("Negative"), administration("Blinatumomab", "2025-10-01", status))) == "negative"
    )


@pytest.mark.parametrize("status", ["in-progress", "stopped", "on-hold", "unknown"])
def test_a_dose_that_may_have_been_given_voids(status: str) -> None:
    assert (
        state(relapsed(stain("Negative"), administration("Blinatumomab", "2025-10-01", status))) == "unknown"
    )


def test_an_order_voids_nothing() -> None:
    assert state(relapsed(stain("Negative"), order("Loncastuximab tesirine", "2025-10-01"))) == "negative"


def test_during_treatment_counts_and_is_marked() -> None:
    period = {"effectivePeriod": {"start": "2025-09-01", "end": "2025-10-15"}}
    view = cd19(relapsed(flow("Negative"), administration("Blinatumomab", None, **period)))
    assert (view.state.value, view.on_treatment) in (("negative", True), ("unknown", False))


def test_a_newer_result_after_the_drug_counts() -> None:
    made = relapsed(
        stain("Positive"),
        administration("Tafasitamab", "2025-10-01"),
        stain("Negative", when="2025-11-20", id="new"),
    )
    assert state(made) == "negative"


@pytest.mark.parametrize(
    ("drug", "antigen", "wanted"),
    [("Glofitamab", "CD20", "unknown"), ("Epcoritamab", "CD20", "unknown"), ("Mosunetuzumab", "CD20", "unknown"),
     ("Odronextamab", "CD20", "unknown"), ("Rituximab", "CD20", "positive"), ("Obinutuzumab", "CD20", "positive"),
     ("Inotuzumab ozogamicin", "CD22", "unknown"), ("Glofitamab", "CD19", "positive"),
     ("Inotuzumab ozogamicin", "CD19", "positive"),
     ("Blinatumomab", "CD20", "positive"), ("Polatuzumab vedotin", "CD19", "positive")],
)  # fmt: skip
def test_each_drug_voids_its_own_target(drug: str, antigen: str, wanted: str) -> None:
    made = relapsed(stain("Positive", antigen), administration(drug, "2025-10-01"))
    assert state(made, antigen) == wanted


def test_cd20_after_rituximab_is_marked() -> None:
    made = relapsed(stain("Negative", "CD20"), administration("Rituximab", "2025-08-01"))
    assert "rituximab" in made.assessment.antigen(Antigen.CD20).because.lower()


@pytest.mark.parametrize(("car", "antigen", "wanted"),
[("CD22 CAR-T infusion", "CD22", "unknown"), ("CD20 CAR T infusion", "CD20", "unknown"),
                                                        ("CD22 CAR-T infusion", "CD19", "positive")])  # fmt: skip
def test_a_later_car_voids_its_own_target(car: str, antigen: str, wanted: str) -> None:
    assert (
        state(relapsed(stain("Positive", antigen), procedure(car, "2025-10-01", id="c2")), antigen) == wanted
    )


STATES = ("Positive", "Negative", "Dim")
DISAGREE = [(a, b) for a in STATES for b in STATES if a != b]


@pytest.mark.parametrize(("one", "other"), DISAGREE)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"method": "Immunohistochemistry"}, {"method": "Flow cytometry"}),
        ({"specimen": "Lymph node, core biopsy"}, {"specimen": "Bone marrow aspirate"}),
        ({"when": "2025-09-20", "method": "Immunohistochemistry"},
        {"when": "2025-10-01", "method": "Flow cytometry"}),
        ({}, {}),
    ],
    ids=["method", "site", "method and date", "alike in all"],
)  # fmt: skip
def test_valid_results_that_disagree_are_discordant(
    one: str, other: str, first: dict[str, Any], second: dict[str, Any]
) -> None:
    results = (stain(one, id="a", **first), stain(other, id="b", **second))
    for pair in (results, results[::-1]):
        made = relapsed(*pair)
        view = cd19(made)
        assert (view.state.value, view.discordant, len(view.results)) == ("unknown", True, 2)
        assert category(made) == "cd19-unknown"
        assert "discordant" in codes_of(made, "conflict")


@pytest.mark.parametrize(("one", "other"), DISAGREE)
def test_later_of_one_method_and_site_describes_the_present(one: str, other: str) -> None:
    made = relapsed(stain(one, when="2025-09-20", id="a"), stain(other, when="2025-10-20", id="b"))
    assert state(made) == state(relapsed(stain(other)))
    assert "changed" in codes_of(made, "set-aside")


@pytest.mark.parametrize(("gap", "wanted"), [("2025-11-19", "unknown"), ("2025-11-20", "negative")])
def test_another_method_replaces_only_beyond_the_age_limit(gap: str, wanted: str) -> None:
    """60 days in lymphoma (local policy)."""
    assert state(relapsed(stain("Positive", when="2025-09-20"), flow("Negative", when=gap))) == wanted


@pytest.mark.parametrize(("gap", "wanted"), [("2025-10-18", "unknown"), ("2025-10-19", "negative")])
def test_in_b_all_the_limit_is_28_days(gap: str, wanted: str) -> None:
    assert state(relapsed_ball(stain("Positive", when="2025-09-20"), flow("Negative", when=gap))) == wanted


def test_results_that_agree_are_one_state_with_both_shown() -> None:
    view = cd19(relapsed(stain("Negative"), flow("Negative")))
    assert (view.state.value, view.discordant, len(view.results)) == ("negative", False, 2)


def test_unknown_beside_a_state_does_not_make_it_discordant() -> None:
    assert state(relapsed(stain("Negative"), flow("Equivocal"))) == "negative"


@pytest.mark.parametrize("newer", ["amended", "corrected", "appended"])
def test_amended_replaces_the_earlier_version_of_a_specimen(newer: str) -> None:
    made = relapsed(stain("Positive", id="a"), stain("Negative", id="b", status=newer))
    assert state(made) == "negative"
    assert "replaced" in codes_of(made, "set-aside")


def test_final_replaces_preliminary_of_a_specimen() -> None:
    made = relapsed(stain("Positive", id="a", status="preliminary"), stain("Negative", id="b"))
    assert (state(made), cd19(made).preliminary) == ("negative", False)


def test_the_last_of_several_amendments_counts() -> None:
    first = stain("Positive", id="a", status="amended", issued="2025-09-25T00:00:00Z")
    second = stain("Negative", id="b", status="corrected", issued="2025-10-02T00:00:00Z")
    for pair in ((first, second), (second, first)):
        assert state(relapsed(*pair)) == "negative"


def test_an_amendment_of_one_specimen_settles_nothing_of_another() -> None:
    made = relapsed(stain("Positive", id="a"), flow("Negative", id="b", status="amended", when="2025-10-02"))
    assert state(made) == "unknown"


def test_an_integrated_interpretation_settles_its_own_specimen() -> None:
    taken = specimen("Lymph node, core biopsy", "2025-09-20")

    def on_it(resource: Resource) -> Resource:
        held = {"reference": "Specimen/spec"}
        return {**resource, "specimen": [held] if resource["resourceType"] == "DiagnosticReport" else held}

    whole = report(
        "Integrated interpretation of immunohistochemistry and flow: lymphoma cells are CD19 negative."
    )
    made = relapsed(taken, on_it(stain("Positive")), on_it(flow("Negative")), on_it(whole))
    assert state(made) == "negative"


def test_a_band_is_said_only_where_every_result_rests_on_one() -> None:
    assert cd19(relapsed(flow(percent(2)))).band
    assert not cd19(relapsed(flow(percent(2)), stain("Negative"))).band


CNS = (condition("Diffuse large B-cell lymphoma", "relapse"), procedure())


def test_an_isolated_cns_relapse_takes_csf_or_cns_tissue_only() -> None:
    lesion = report("Isolated CNS relapse of lymphoma.", name="MRI brain", specimen=None, id="mri")
    marrow = observation("CD19", "Negative", specimen="Bone marrow", method="Flow cytometry", id="m")
    fluid = observation(
        "CD19 on lymphoma cells", "Positive", specimen="Cerebrospinal fluid", method="Flow cytometry", id="c"
    )
    alone = judge(*CNS, lesion, marrow)
    assert (state(alone), alone.assessment.branch and alone.assessment.branch.value) == ("unknown", "cns")
    assert state(judge(*CNS, lesion, marrow, fluid)) == "positive"


def test_no_result_is_unknown_and_says_so() -> None:
    view = cd19(relapsed())
    assert (view.state.value, view.results, view.discordant) == ("unknown", (), False)
    assert view.because


@pytest.mark.parametrize("newer", ["amended", "corrected"])
def test_an_amendment_replaces_nothing_of_another_site_of_the_same_day(newer: str) -> None:
    """Two biopsies of one day, both by IHC: an amended marrow says nothing of the node (11.6: same specimen)."""
    node = stain("Positive", id="node")
    marrow = stain("Negative", id="marrow", specimen="Bone marrow trephine", status=newer)
    made = relapsed(node, marrow)
    assert (state(made), cd19(made).discordant) == ("unknown", True)


def test_a_final_result_replaces_nothing_of_another_site_of_the_same_day() -> None:
    node = stain("Positive", id="node", status="preliminary")
    marrow = stain("Negative", id="marrow", specimen="Bone marrow trephine")
    assert state(relapsed(node, marrow)) == "unknown"


def test_a_report_that_is_final_replaces_no_other_report_of_the_same_day() -> None:
    one = report(
        "Lymph node, left: lymphoma cells are CD19 positive.",
        id="a",
        status="preliminary",
        specimen="Lymph node, left neck",
    )
    other = report("Pleural fluid: lymphoma cells are CD19 negative.", id="b", specimen="Pleural effusion")
    assert state(relapsed(one, other)) == "unknown"


NODE, OTHER_NODE = "Lymph node, left axilla", "Lymph node, right groin"


@pytest.mark.parametrize(
    ("first", "second", "settled"),
    [
        ({}, {}, True),
        ({}, {"when": "2025-09-21"}, False),
        ({"specimen": NODE}, {"specimen": OTHER_NODE}, False),
        ({"specimen": NODE}, {"specimen": "Bone marrow trephine"}, False),
        ({"accession": "Specimen/a"}, {"accession": "Specimen/a"}, True),
        ({"accession": "Specimen/a"}, {"accession": "Specimen/b"}, False),
        ({"accession": "Specimen/a"}, {"accession": "Specimen/a", "when": "2025-09-22"}, True),
        ({"accession": "Specimen/a"}, {}, True),
        ({"when": None}, {"when": None}, False),
    ],
    ids=str,
)
def test_an_amended_result_settles_its_own_specimen_only(
    first: Resource, second: Resource, settled: bool
) -> None:
    """IHC positive, amended flow negative: one answer on one specimen, discordant on two (11.2)."""

    def made_on(resource: Resource, accession: str | None = None) -> Resource:
        if accession:
            resource["specimen"] = {"reference": accession, "display": "Lymph node, core biopsy"}
        return resource

    def split(given: Resource) -> tuple[str | None, Resource]:
        rest = dict(given)
        return rest.pop("accession", None), {"specimen": "Lymph node, core biopsy", **rest}

    own, more = split(first)
    other, others = split(second)
    made = relapsed(
        made_on(stain("Positive", **more), own),
        made_on(flow("Negative", **{"status": "amended", **others}), other),
    )
    assert state(made) == ("negative" if settled else "unknown")


def test_a_replaced_version_is_named_and_a_kept_one_is_not() -> None:
    made = relapsed(stain("Positive", id="a"), stain("Negative", id="b", status="amended"))
    replaced = [
        row.source.reference for row in made.assessment.set_aside if row.source and row.code == "replaced"
    ]
    assert replaced == ["Observation/a"]


NOT_READ = outcome("suppressed")


@pytest.mark.parametrize("unread", ["procedures", "medicationAdministrations"])
def test_no_result_stands_while_it_is_open_when_car_t_was_given(unread: str) -> None:
    """CD-1, 11.11: with the infusion unread a result may be from before it; it is asked for and not stated."""
    made = judge(condition(), stain("Positive"), **{unread: NOT_READ})
    assert category(made) == "insufficient-data"
    assert state(made) == "unknown"
    assert "order-unknown" in codes_of(made, "set-aside")
    assert "CD19" in {row.code for row in made.assessment.missing}
    assert state(judge(condition(), stain("Positive"))) == "positive"


def test_a_result_after_every_car_t_of_unknown_target_stands() -> None:
    some = procedure("CAR-T infusion")
    assert state(judge(condition(), some, stain("Negative"))) == "negative"
    assert state(judge(condition(), some, stain("Negative", when="2025-01-09"))) == "unknown"
    assert state(judge(condition(), procedure("CAR-T infusion", when=None), stain("Negative"))) == "unknown"
