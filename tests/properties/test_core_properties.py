"""What must hold for every chart: arrangement, copies, strangers and dirt never turn an answer into another one.

Hazards H-01, H-08, H-11, H-20, H-26, H-31, H-32, H-39; invariants 3 and 4.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from builders import (
    AS_OF,
    Resource,
    body,
    bundle,
    category,
    condition,
    flow,
    judge_bytes,
    prefetch,
    procedure,
    relapsed,
    relapsed_ball,
    report,
    stain,
    state,
)
from charts import CHARTS, NAMES, UNRELATED, spoiled
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.evaluation import Evaluation
from mappings.facts import Antigen
from mappings.reading.decode import decode_chart, decode_request
from mappings.reading.guard import BadBody

ANTIGENS = ("CD19", "CD20", "CD22")
OPPOSITE = {("positive", "negative"), ("negative", "positive")}
CD19_CATEGORIES = {"cd19-positive", "cd19-low-or-partial", "cd19-negative", "cd19-unknown"}
OPPOSITE_CATEGORIES = {("cd19-positive", "cd19-negative"), ("cd19-negative", "cd19-positive")}
NEGATIVES = {"no-lymphoid-malignancy", "no-cd19-car-t", "no-relapse"}
NAME = st.sampled_from(NAMES)


def run(resources: Iterable[Any], as_of: datetime = AS_OF, **keys: Any) -> Evaluation:
    good = [one for one in resources if isinstance(one, dict) and isinstance(one.get("resourceType"), str)]
    odd = [one for one in resources if one not in good]
    if odd:
        keys["odd"] = {
            "resourceType": "Bundle",
            "type": "searchset",
            "entry": [{"resource": one} for one in odd],
        }
    return judge_bytes(body(prefetch(*good, **keys)), as_of=as_of)


def answer(made: Evaluation) -> tuple[str, ...]:
    """Category, states, days, confirmation, branch."""
    told = made.assessment
    return (
        told.category.value,
        *(view.state.value for view in told.antigens),
        str(told.timing.days),
        told.confirmation.value,
        str(told.branch),
    )


def entries(made: Evaluation) -> set[str]:
    """References named in what was set aside, unread or in conflict."""
    told = made.assessment
    return {
        row.source.reference
        for row in (*told.set_aside, *told.unread, *told.conflicts, *told.remarks)
        if row.source
    }


@given(NAME, st.randoms(use_true_random=False))
def test_order_of_resources_and_keys_changes_nothing(name: str, chance: Any) -> None:
    shuffled = copy.deepcopy(CHARTS[name])
    chance.shuffle(shuffled)
    given_as = prefetch(*shuffled)
    keys = list(given_as)
    chance.shuffle(keys)
    turned = judge_bytes(body({key: given_as[key] for key in keys}))
    assert msgspec.json.encode(turned) == msgspec.json.encode(run(CHARTS[name]))


@given(NAME, st.data())
def test_copies_of_any_resource_change_nothing(name: str, data: st.DataObject) -> None:
    chart = CHARTS[name]
    copied = data.draw(st.lists(st.sampled_from(chart), min_size=1, max_size=4))
    assert msgspec.json.encode(run([*chart, *copied]).assessment) == msgspec.json.encode(
        run(chart).assessment
    )
    # the same again under another key
    assert answer(run(chart, again=bundle(copied))) == answer(run(chart))


@given(NAME, st.data())
def test_copies_under_another_id_change_no_answer(name: str, data: st.DataObject) -> None:
    """One event filed twice: still one infusion, one state."""
    chart = CHARTS[name]
    original = data.draw(st.sampled_from([one for one in chart if one["resourceType"] != "Patient"]))
    twice = run([*chart, {**original, "id": f"{original['id']}-2"}])
    assert answer(twice) == answer(run(chart))
    assert len(twice.facts.infusions) == len(run(chart).facts.infusions)


@given(NAME, st.lists(st.sampled_from(UNRELATED), max_size=8, unique_by=lambda one: str(one["id"])))
def test_unrelated_resources_change_nothing(name: str, more: list[Resource]) -> None:
    assert answer(run([*CHARTS[name], *more])) == answer(run(CHARTS[name]))


@given(NAME, NAME, st.data())
def test_strangers_resources_change_nothing_and_are_all_named(
    name: str, other: str, data: st.DataObject
) -> None:
    foreign = []
    for number, one in enumerate(CHARTS[other]):
        if one["resourceType"] != "Patient":
            foreign.append({**one, "id": f"f{number}", "subject": {"reference": "Patient/stranger"}})
    mixed = data.draw(st.permutations([*CHARTS[name], *foreign]))
    plain, made = run(CHARTS[name]), run(mixed)
    if category(made) == "insufficient-data" and category(plain) in NEGATIVES:
        # a set that holds strangers alone is no answer about this patient
        assert any("another patient" in row.reason for row in made.facts.seen)
    else:
        assert answer(made) == answer(plain)
    aside = [row for row in made.assessment.set_aside if row.code == "other-patient"]
    assert len(aside) == len(foreign)


@given(NAME, st.data())
def test_dirt_in_one_resource_never_turns_an_answer_round(name: str, data: st.DataObject) -> None:
    """The touched resource may fall away, never speak the opposite; what decides and falls away is named."""
    chart = CHARTS[name]
    at = data.draw(st.integers(1, len(chart) - 1))
    element, bent = data.draw(spoiled(chart[at]))
    plain, made = run(chart), run([*chart[:at], bent, *chart[at + 1 :]])
    for antigen in ANTIGENS:
        pair = (state(plain, antigen), state(made, antigen))
        without = state(run([*chart[:at], *chart[at + 1 :]]), antigen)
        assert pair not in OPPOSITE or made_by_removal(pair[1], without), (element, pair)
    was, now = category(plain), category(made)
    if now != was:
        removed = category(run([*chart[:at], *chart[at + 1 :]]))
        assert (was, now) not in OPPOSITE_CATEGORIES or now == removed, (element, was, now)


def made_by_removal(now: str, without: str) -> bool:
    """Whether the state is what the other resources say by themselves."""
    return now == without


@given(NAME, st.data())
def test_dirt_in_a_resource_that_decides_nothing_changes_nothing(name: str, data: st.DataObject) -> None:
    harmless = data.draw(st.sampled_from(UNRELATED))
    element, bent = data.draw(spoiled(harmless))
    if element in (
        "code",
        "medicationCodeableConcept",
        "resourceType",
        "component",
        "hasMember",
        "conclusion",
        "status",
        "whole",
    ):
        return  # what it says may now be anything; other properties hold that case
    plain, made = run(CHARTS[name]), run([*CHARTS[name], bent])
    if category(made) == "insufficient-data" and category(plain) in NEGATIVES:
        assert any(row.state != "complete" for row in made.facts.seen)  # a negative needs a set read in full
    else:
        assert answer(made)[:4] == answer(plain)[:4]


@given(NAME, st.data())
def test_what_decides_and_cannot_be_read_leaves_an_entry(name: str, data: st.DataObject) -> None:
    chart = CHARTS[name]
    at = data.draw(st.integers(1, len(chart) - 1))
    bent = {
        **chart[at],
        data.draw(st.sampled_from(["status", "subject", "code"])): data.draw(
            st.sampled_from([5, [1], [[]], True])
        ),
    }
    plain, made = run(chart), run([*chart[:at], bent, *chart[at + 1 :]])
    if answer(plain) != answer(made):
        told = made.assessment
        assert any(row.code in ("misfit", "unreadable") for row in told.unread)


@given(
    NAME,
    st.dictionaries(
        st.text(min_size=1, max_size=8).filter(lambda t: "ref" not in t),
        st.integers() | st.text(max_size=5),
        max_size=4,
    ),
)
def test_elements_nobody_knows_change_nothing(name: str, more: dict[str, Any]) -> None:
    padded = [
        {**{f"x-{key}": value for key, value in more.items()}, **one, "zzz": [more]} for one in CHARTS[name]
    ]
    assert answer(run(padded)) == answer(run(CHARTS[name]))


@given(
    NAME,
    st.dictionaries(
        st.text("abcdefgh", min_size=3, max_size=8),
        st.none() | st.just({"resourceType": "Bundle", "entry": []}),
        max_size=3,
    ),
)
def test_keys_nobody_knows_change_nothing(name: str, more: dict[str, Any]) -> None:
    assert answer(run(CHARTS[name], **more)) == answer(run(CHARTS[name]))


@given(NAME, st.integers(-14 * 4, 14 * 4), st.integers(0, 23))
def test_the_time_zone_of_the_judgement_changes_nothing_on_its_day(
    name: str, quarters: int, hour: int
) -> None:
    zone = timezone(timedelta(minutes=15 * quarters))
    made = run(CHARTS[name], datetime(2026, 6, 1, hour, 30, tzinfo=zone))
    assert answer(made) == answer(run(CHARTS[name]))


@given(NAME, st.dates(datetime(2024, 6, 1).date(), datetime(2030, 1, 1).date()), st.integers(1, 2_000))
def test_a_later_judgement_never_turns_a_state_into_its_opposite(name: str, day: Any, later: int) -> None:
    first = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    one, two = run(CHARTS[name], first), run(CHARTS[name], first + timedelta(days=later))
    for antigen in ANTIGENS:
        assert (state(one, antigen), state(two, antigen)) not in OPPOSITE
    newest = max((r.collected.last for r in one.facts.antigens if r.collected), default=None)
    if newest is not None and day > newest and name != "voided" and category(one) in CD19_CATEGORIES:
        assert category(two) in (category(one), "deceased")


@given(NAME)
def test_a_later_day_after_all_evidence_changes_nothing_at_all(name: str) -> None:
    """Age is never measured against the day the card is shown (rules 11.3)."""
    one, two = run(CHARTS[name], AS_OF), run(CHARTS[name], AS_OF + timedelta(days=5_000))
    assert answer(one) == answer(two)


SLOW = {"resourceType": "Observation", "id": "misfit", "status": "final", "code": {"text": "Sodium"},
"issued": "x", "total": "many",
        "subject": {"reference": "Patient/syn-1"}}  # fmt: skip


@given(NAME, st.lists(st.sampled_from(UNRELATED), max_size=3, unique_by=lambda one: str(one["id"])))
def test_both_roads_of_decoding_give_the_same_evaluation(name: str, more: list[Resource]) -> None:
    raw = body(prefetch(*CHARTS[name], *more, zz=bundle([SLOW])))
    fitting = body(prefetch(*CHARTS[name], *more, zz=bundle([{**SLOW, "total": 1}])))
    slow, fast = decode_request(raw), decode_request(fitting)
    assert slow.repaired
    assert not fast.repaired
    one, two = judge_bytes(slow), judge_bytes(fast)
    assert msgspec.json.encode(one.matches) == msgspec.json.encode(two.matches)
    assert msgspec.json.encode(one.timeline) == msgspec.json.encode(two.timeline)
    assert answer(one) == answer(two)
    told = tuple(row for row in one.assessment.unread if row.code != "misfit")
    assert told == two.assessment.unread


DIM = st.sampled_from(
    [
        "dim",
        "weak",
        "partial",
        "heterogeneous",
        "weakly",
        "dim to negative",
        "partially",
        "variable",
        "subset",
    ]
)
FIRM = st.sampled_from(["positive", "negative", "Positive", "NEGATIVE", "positive (95 %)", "negative (2 %)"])


@given(FIRM, DIM, st.booleans(), st.sampled_from(["concept", "string", "conclusion"]))
def test_adding_dim_never_yields_positive_or_negative(firm: str, dim: str, first: bool, form: str) -> None:
    words = f"{dim} {firm}" if first else f"{firm}, {dim}"
    if form == "conclusion":
        made = relapsed_ball(report(f"Blasts: CD19 {words}.", specimen="Bone marrow aspirate"))
    else:
        made = relapsed(flow({"valueString": words} if form == "string" else words))
    assert state(made) in ("low-or-partial", "unknown"), words


@given(
    st.sampled_from(["CD19", "CD20", "CD22"]), st.sampled_from(["positive", "negative", "dim", "equivocal"])
)
def test_exchanging_the_antigen_exchanges_the_answer(antigen: str, word: str) -> None:
    other = {"CD19": "CD20", "CD20": "CD22", "CD22": "CD19"}[antigen]
    for make in (
        lambda name: flow(word, name),
        lambda name: report(f"Blasts are {name} {word}.", specimen="Bone marrow aspirate"),
    ):
        one, two = relapsed_ball(make(antigen)), relapsed_ball(make(other))
        assert state(one, antigen) == state(two, other)
        assert state(one, other) == state(two, antigen) == "unknown"


@given(
    st.lists(st.sampled_from(["Positive", "Negative", "Dim", "Equivocal"]), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
)
def test_more_results_are_never_surer_than_their_parts(words: list[str], chance: Any) -> None:
    """Of results of one day that disagree none wins (rules CD-6)."""
    methods = ["Immunohistochemistry", "Flow cytometry"]
    results = [stain(word, id=f"r{n}", method=chance.choice(methods)) for n, word in enumerate(words)]
    made = relapsed(*results)
    firm = {word for word in words if word != "Equivocal"}
    if len(firm) > 1:
        assert state(made) == "unknown"
    else:
        assert state(made) in (state(relapsed(stain(word))) for word in (firm or {"Equivocal"}))


NEEDS_CD19 = (
    "second-cd19-car-t-infusion",
    "blinatumomab",
    "tafasitamab-lenalidomide",
    "loncastuximab-tesirine",
    "cd19-car-reinfusion-all",
)


@given(NAME)
def test_options_of_a_target_follow_its_state(name: str) -> None:
    made = run(CHARTS[name])
    routes = {match.option: match.route.value for match in made.matches}
    if category(made) == "cd19-negative":
        assert all(
            routes.get(option, "out-of-scope") in ("not-suitable", "out-of-scope") for option in NEEDS_CD19
        )
    if state(made) == "unknown":
        assert all(routes.get(option) != "consider" for option in NEEDS_CD19)
    if category(made) == "lineage-switch":
        assert all(
            routes.get(option) not in ("consider", "specialist")
            for option in (*NEEDS_CD19, "inotuzumab", "glofitamab")
        )


@given(st.sampled_from(["Positive", "Negative", "Dim", None]))
def test_cd19_never_hides_an_option_that_does_not_need_it(word: str | None) -> None:
    """Hazard H-39, boundary 4: antigen-independent and CD20- or CD79b-directed options stand beside the CD19 branch."""
    more = [stain(word)] if word else []
    made = relapsed(*more, stain("Positive", "CD20"))
    routes = {match.option: match.route.value for match in made.matches}
    for option in (
        "clinical-trial",
        "supportive-palliative-care",
        "radiotherapy",
        "glofitamab",
        "epcoritamab",
        "polatuzumab-br",
    ):
        assert routes[option] in ("consider", "specialist", "needs-result"), option


@pytest.mark.parametrize("name", NAMES)
def test_the_charts_give_ten_different_kinds_of_answer(name: str) -> None:
    assert answer(run(CHARTS[name]))


def test_the_charts_cover_the_categories() -> None:
    assert {category(run(CHARTS[name])) for name in NAMES} >= {
        "cd19-positive", "cd19-negative", "cd19-low-or-partial", "cd19-unknown", "lineage-switch", "no-relapse",
        "insufficient-data", "no-cd19-car-t", "no-lymphoid-malignancy", "deceased",
    }  # fmt: skip


@settings(max_examples=40)
@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_no_bytes_make_reading_raise_anything_else(raw: bytes) -> None:
    for decode in (decode_request, decode_chart):
        with suppress(BadBody):
            assert judge_bytes(decode(raw)).assessment.trail


TREE = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.floats(allow_nan=False,
    allow_infinity=False) | st.text(max_size=6)
    | st.sampled_from(["CD19", "negative", "2025-09-20", "final", "Patient/syn-1", "Bone marrow"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["resourceType", "id", "status", "code", "coding", "text", "system", "subject",
        "reference", "entry", "resource",
                         "valueString", "component", "hasMember", "specimen", "collection", "performedPeriod",
                         "start", "end", "value"]),
        inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@given(
    st.lists(TREE, max_size=5),
    st.sampled_from(
        ["Observation", "Condition", "Procedure", "DiagnosticReport", "Specimen", "Patient", "Bundle"]
    ),
)
def test_senseless_resources_never_raise_and_never_turn_a_state_round(trees: list[Any], kind: str) -> None:
    odd = [{**tree, "resourceType": kind} if isinstance(tree, dict) else tree for tree in trees]
    made = run(
        CHARTS["negative"], more={"resourceType": "Bundle", "entry": [{"resource": one} for one in odd]}
    )
    assert state(made) in ("negative", "unknown")
    assert state(made, Antigen.CD20.value) in ("positive", "unknown")


def test_the_relapse_and_the_infusion_alone_carry_the_category() -> None:
    assert category(run([*CHARTS["negative"][:1], condition(), procedure()])) == "cd19-unknown"
