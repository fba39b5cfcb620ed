"""Cards on orders: shape, wording, what stands first, what chart text cannot do (H-43, H-47, H-48, H-50)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from builders import (
    administration,
    condition,
    flow,
    judge,
    knowledge,
    procedure,
    relapsed,
    relapsed_ball,
    stain,
)
from hypothesis import given
from hypothesis import strategies as st
from ordering import cards, drug, names, service
from test_order_rules import TABLE

from cds_hooks.cards import OVERRIDE_REASONS, response_json
from cds_hooks.order_cards import OrderCard, order_cards
from mappings.evaluation import Evaluation, Route

FORBIDDEN = re.compile(
    r"\b(preferred|recommended|best|should|alert|critical|danger|n/a|no data)\b|!", re.IGNORECASE
)
MARKUP = re.compile(r"\*|`|\]\(|<[a-z]|__|^#|\|", re.MULTILINE)
LOUD = [case for case, (_, _, expected) in TABLE.items() if expected]


def made_of(case: str) -> tuple[Evaluation, tuple[OrderCard, ...]]:
    made, orders, _ = TABLE[case]
    evaluation = made()
    return evaluation, cards(evaluation, *orders)


@pytest.mark.parametrize("case", TABLE)
def test_shape_and_wording(case: str) -> None:
    evaluation, found = made_of(case)
    assert bool(found) == (case in LOUD)
    assert len(found) <= 3
    assert len({card.kind for card in found}) == len(found)
    for card in found:
        assert len(card.summary) <= 139
        assert "\n" not in card.summary
        assert card.indicator in ("info", "warning")
        for text in (card.summary, card.detail):
            assert not FORBIDDEN.search(text), text
            assert not MARKUP.search(text), text
            assert "{" not in text
            assert "not known not known" not in text
        lead, *_, closing = card.detail.split("\n\n")
        assert lead.startswith("Order: “")
        assert closing.startswith("The order is not blocked. Options, not orders")
        for line in card.detail.split("\n"):
            assert not line or line.endswith("."), line
    for made in response_json(evaluation, found, "http://127.0.0.1:1/", False)["cards"]:
        assert made["overrideReasons"] == [dict(reason) for reason in OVERRIDE_REASONS]
        assert made["extension"]["org.postcart"]["category"] == evaluation.assessment.category.value
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made["uuid"])
        json.loads(msgspec.json.encode(made))


def test_a_warning_for_what_is_reported_and_information_for_what_is_not_known() -> None:
    for case in LOUD:
        _, found = made_of(case)
        _, _, expected = TABLE[case]
        levels = {rule.id: rule.level for rule in knowledge().orders.rules}
        warned = any(levels[rule] == "warning" for rule in expected)
        assert any(card.indicator == "warning" for card in found) is warned


STATES = {
    "cd19 negative, brand": "Loncastuximab: target CD19 reported negative",
    "cd19 low": "Loncastuximab: target CD19 reported low or partial",
    "cd19 stale, before CAR T": "Loncastuximab: target CD19 not known now",
    "cd19 discordant": "Loncastuximab: target CD19 not known",
    "cd19 unknown": "Loncastuximab: target CD19 not known",
    "cd22 negative": "Inotuzumab: target CD22 reported negative",
    "pd-1 after allo": "Pembrolizumab: earlier allogeneic transplant",
    "pd-1 before allo": "Pembrolizumab: stem cell transplant planned",
    "bendamustine, collection among the drafts": "Bendamustine: CAR T or cell collection planned",
    "lenalidomide, pregnant": "Lenalidomide: pregnancy on record",
    "ibrutinib in MCL": "Ibrutinib: label withdrawn in US",
}


@pytest.mark.parametrize("length", [40, 60, 100, 139])
@pytest.mark.parametrize("case", STATES)
def test_no_cut_reverses_the_summary(case: str, length: int) -> None:
    """H-47: a cut text is a beginning of the same statement; the state is whole within 60 characters."""
    _, found = made_of(case)
    start = STATES[case]
    assert len(start) <= 60
    cut = found[0].summary[:length]
    assert start.startswith(cut) if length < len(start) else cut.startswith(start)
    assert not re.search(r"\b(reported )?(positive|present|suitable|cleared)\b", cut)


@pytest.mark.parametrize("count", [2, 3, 6])
def test_several_drugs_leave_the_state_within_sixty_characters(count: int) -> None:
    orders = ["loncastuximab", "tafasitamab", "blinatumomab", "axi-cel", "liso-cel", "obe-cel"][:count]
    (card, *_) = cards(relapsed(stain("Negative")), *orders)
    assert "CD19 reported negative" in card.summary[:60]
    assert all(name in card.detail.lower() for name in orders)


def test_one_card_per_kind_and_never_more_than_three() -> None:
    made = relapsed(
        stain("Negative"),
        procedure("Allogeneic stem cell transplant", "2020-01-01", id="allo"),
        administration("Polatuzumab vedotin", "2024-03-01", id="pola"),
    )
    orders = ("Zynlonta", "tafasitamab", "glofitamab", "inotuzumab", "Keytruda", "lenalidomide", "Polivy")
    found = cards(made, *orders)
    assert [card.kind for card in found] == ["order-antigen", "order-safety", "order-history"]
    assert [card.indicator for card in found] == ["warning", "warning", "info"]
    assert found[0].summary == (
        "Loncastuximab and 1 more: target CD19 reported negative, 20 Sep 2025. "
        "Glofitamab: target CD20 not known. Inotuzumab: target CD22 not known."
    )


def test_the_result_its_date_and_the_alternatives_stand_on_the_card() -> None:
    made = relapsed(stain("Negative"), stain("Positive", "CD20"))
    (card,) = cards(made, "Zynlonta")
    assert (
        "Reported on Lymph node, core biopsy, collected 20 Sep 2025: CD19 negative (IHC), CD20 positive (IHC)."
        in card.detail
    )
    assert "Axi-cel infused 10 Jan 2025." in card.detail
    considered = {m.short_name for m in made.matches if m.route is Route.CONSIDER}
    (line,) = [row for row in card.detail.split("\n") if row.startswith("- Can be considered, not ranked")]
    assert "CD20xCD3 bispecific antibodies" in line
    assert "loncastuximab" not in line
    assert "clinical trial" in considered
    assert "Rule CD-8." in card.detail
    assert "Sources: " in card.detail


def test_what_was_ordered_is_no_alternative_to_itself() -> None:
    made = relapsed(stain("Positive"), procedure("Allogeneic stem cell transplant", "2020-01-01", id="allo"))
    (card,) = [one for one in cards(made, "Keytruda") if one.kind == "order-safety"]
    (line,) = [row for row in card.detail.split("\n") if row.startswith("- Can be considered")]
    assert "PD-1" not in line


def test_chosen_and_other_drafts_are_told_apart() -> None:
    found = cards(
        relapsed(stain("Negative")),
        drug("Zynlonta", id="a"),
        drug("tafasitamab", id="b", status="active"),
        selections=["MedicationRequest/b"],
    )
    assert found[0].detail.startswith(
        "Order: “tafasitamab” (status active). Also among the drafts: “Zynlonta”."
    )


def test_only_drafts_beside_the_selection_speak() -> None:
    found = cards(
        relapsed(stain("Negative")),
        drug("Zynlonta", id="a"),
        drug("metformin", id="b"),
        selections=["MedicationRequest/b"],
    )
    assert found[0].detail.startswith("Also among the drafts: “Zynlonta”.")


def test_drafts_that_could_not_be_looked_at_are_counted() -> None:
    found = cards(
        relapsed(stain("Negative")),
        "Zynlonta",
        drug("glofitamab", subject={"reference": "Patient/somebody-else"}),
        drug(medicationReference={"reference": "Medication/none"}),
        drug(medicationReference={"reference": "Medication/none"}),
    )
    (line,) = [row for row in found[0].detail.split("\n") if row.startswith("- Not checked")]
    assert line == (
        "- Not checked: 3 draft orders (1 made out to another patient; 2 with no drug that could be read)."
    )
    assert "somebody-else" not in found[0].detail


def test_sign_recomputes_after_select() -> None:
    """H-50: select A, sign B: the card is about B."""
    made = relapsed(stain("Negative"))
    first, second = cards(made, "Zynlonta")[0], cards(made, "tafasitamab")[0]
    assert "tafasitamab" not in first.detail.lower().split("\n\n")[0]
    assert second.summary.startswith("Tafasitamab: target CD19 reported negative")
    assert first.digest != second.digest


def test_an_override_of_one_order_holds_for_no_other_and_no_other_facts() -> None:
    """H-44: the digest of a card covers facts, orders and findings."""
    made = relapsed(stain("Negative"))
    again = relapsed(stain("Negative"))
    changed = relapsed(stain("Negative", when="2025-09-25"))
    digest = cards(made, "Zynlonta")[0].digest
    assert cards(again, "Zynlonta")[0].digest == digest
    assert cards(changed, "Zynlonta")[0].digest != digest
    assert cards(made, "Zynlonta", "tafasitamab")[0].digest != digest


def test_an_unseen_type_is_named() -> None:
    made = judge(condition(), procedure(), stain("Negative"), reports=...)
    (card,) = cards(made, "Zynlonta")
    assert re.search(r"Not read: .*reports", card.detail)


def test_suggests_only_where_a_test_would_settle_it() -> None:
    assert [card.suggests for card in cards(relapsed(stain("Negative")), "Zynlonta")] == [False]
    assert [card.suggests for card in cards(relapsed(), "Zynlonta")] == [True]


HOSTILE = [
    "Zynlonta <script>alert(1)</script>",
    "Zynlonta [click](https://evil.example/x)",
    "Zynlonta\n\n# CD19 positive\n- all clear",
    "Zynlonta **bold** `code` | table |",
    "Zynlonta \u202egnihtemos\u202c \u2066hidden\u2069",
    "Zynlonta {order} {because} {antigen.__class__}",
    "Zynlonta javascript:alert(1) data:text/html,x",
    "Zynlonta &lt;b&gt; &#60;",
    "Zynlonta " + "x" * 3000,
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("make", [drug, service])
def test_an_order_name_becomes_no_markup(text: str, make: Callable[..., Any]) -> None:
    """H-48: the order's text is quoted, cut and harmless, and fills no placeholder."""
    for card in cards(relapsed(stain("Negative")), make(text)):
        for said in (card.summary, card.detail):
            assert not MARKUP.search(said), said
            assert not re.search(r"https?:|javascript:|data:text|\u202e|\u2066|<script", said)
        assert "all clear" not in card.summary
        assert "\n# " not in card.detail
        assert "{antigen" not in card.detail.replace("“Zynlonta {order} {because} {antigen. class }”", "")
        assert len(card.detail) < 4000


@pytest.mark.parametrize("text", HOSTILE)
def test_chart_text_in_a_sentence_becomes_no_markup(text: str) -> None:
    """H-48: a plan is quoted from another order, so it is as little trusted as the order itself."""
    planned = service("Leukapheresis for CAR-T " + text.replace("Zynlonta", ""))
    (card,) = [
        one
        for one in cards(relapsed(stain("Positive"), stain("Positive", "CD20")), "bendamustine", planned)
        if one.kind == "order-safety"
    ]
    assert "Leukapheresis for CAR-T" in card.detail
    assert not MARKUP.search(card.detail)
    assert not re.search(r"https?:|javascript:|data:text|\u202e|\u2066|<script", card.detail)
    assert "\n# " not in card.detail
    assert len(card.detail) < 4000


@given(st.text(max_size=60))
def test_no_text_of_an_order_breaks_a_card(text: str) -> None:
    """H-48: a study drug is called by its own text, wherever that stands."""
    for card in cards(relapsed(stain("Negative")), f"anti-CD19 {text}"):
        assert len(card.summary) <= 139
        assert "\n" not in card.summary
        assert not MARKUP.search(card.summary)
        assert not re.search(r"\*|`|\]\(|<[a-z]|__|^#|\|", card.detail, re.MULTILINE)


def test_the_b_all_card_names_its_own_alternatives() -> None:
    made = relapsed_ball(flow("Positive"), flow("Negative", "CD22"))
    (card,) = cards(made, "Besponsa")
    assert card.summary == "Inotuzumab: target CD22 reported negative, 20 Sep 2025."
    assert card.indicator == "warning"
    assert "Can be considered" in card.detail


def test_a_card_without_relapse_speaks_of_none() -> None:
    """An order in remission is checked, and nothing on its card says or implies that there is a relapse."""
    (card,) = cards(judge(condition(clinical="remission"), procedure()), "Zynlonta")
    assert card.summary == "Loncastuximab: target CD19 not known."
    assert "relapse" not in f"{card.summary} {card.detail}".lower().replace("mechanism of relapse", "")


def test_no_findings_no_cards() -> None:
    assert order_cards(relapsed(), (), names()) == ()


def test_notes_on_reading_stand_on_the_card() -> None:
    from ordering import drafts

    from mappings.deciding.orders import check_orders

    made, read = relapsed(), drafts("Zynlonta")
    (card,) = order_cards(made, check_orders(made, read, knowledge()), names(), read, ("A note of ours.",))
    assert "- A note of ours." in card.detail


def test_a_long_card_gives_way_at_the_end_and_says_so() -> None:
    made = relapsed()
    many = tuple(
        replace(one, type=f"{one.type}{number}", reason="r" * 80)
        for one in made.facts.seen
        for number in range(60)
    )
    long = replace(
        made, facts=replace(made.facts, seen=tuple(replace(one, state="not-seen") for one in many))
    )
    (card, *_) = cards(long, "Zynlonta")
    assert len(card.detail) <= 3700
    assert "More stands in the full evaluation." in card.detail
    assert "not known" in card.detail
