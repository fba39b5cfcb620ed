"""Every kind of card against the response schema and the rules of wording (hazards H-47, H-48, H-51)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from factory import DLBCL, INFUSION, NAMES, TYPES, evaluation, option, result, view
from hypothesis import given
from hypothesis import strategies as st

from cds_hooks.card_options import fold_names
from cds_hooks.cards import SILENT, build_cards, response_json
from cds_hooks.plain import plain
from mappings.evaluation import Branch, Evaluation, RelapseCategory, Route
from mappings.facts import (
    Antigen,
    AntigenState,
    CarTKnowledge,
    Certainty,
    Remark,
    SeenType,
    Sighting,
    SourceRef,
)

FORBIDDEN = re.compile(
    r"\b(preferred|recommended|best|should|alert|critical|danger|n/a|no data)\b|!", re.IGNORECASE
)
LOUD = [category for category in RelapseCategory if category not in SILENT]


def texts(made: Evaluation) -> list[str]:
    return [text for card in build_cards(made, NAMES) for text in (card.summary, card.detail)]


def assessed(category: RelapseCategory, **changes: Any) -> Evaluation:
    return evaluation(category, assessment=changes)


def variants() -> list[tuple[str, Evaluation]]:
    """One evaluation for each kind of card and each thing a first line has to say."""
    negative = RelapseCategory.CD19_NEGATIVE
    unknown = RelapseCategory.CD19_UNKNOWN
    base = evaluation(negative)
    cd20, cd22 = base.assessment.antigens[1:]
    preliminary = (view(Antigen.CD19, AntigenState.NEGATIVE, preliminary=True), cd20, cd22)
    band = (view(Antigen.CD19, AntigenState.NEGATIVE, band=True), cd20, cd22)
    discordant = (
        view(
            Antigen.CD19,
            AntigenState.UNKNOWN,
            "results disagree",
            discordant=True,
            results=(
                result(Antigen.CD19, AntigenState.POSITIVE),
                result(Antigen.CD19, AntigenState.NEGATIVE, specimen_text="Marrow"),
            ),
        ),
        cd20,
        cd22,
    )
    voided = (
        view(Antigen.CD19, AntigenState.UNKNOWN, "given since", before="before loncastuximab: positive"),
        cd20,
        cd22,
    )
    cll = replace(DLBCL, disease="cll", label="Chronic lymphocytic leukaemia", scope="outside")
    generic = replace(
        INFUSION,
        knowledge=CarTKnowledge.TARGET_UNKNOWN,
        product="",
        label="CAR-T",
        targets=(),
        split_doses=True,
    )
    sighting = Sighting(SourceRef("DiagnosticReport/r2", "conclusion", "T-cell lymphoma"), None)
    unseen = (
        *(SeenType(name, "complete") for name in TYPES[:-1]),
        SeenType(TYPES[-1], "not-seen", 0, "no right"),
    )
    made = [(category.value, evaluation(category)) for category in LOUD]
    return [
        *made,
        ("suspected", assessed(unknown, confirmation=Certainty.SUSPECTED)),
        ("suspected-negative", assessed(negative, confirmation=Certainty.SUSPECTED)),
        ("mrd", assessed(negative, confirmation=Certainty.MRD)),
        ("stated", assessed(negative, confirmation=Certainty.STATED)),
        ("preliminary", assessed(negative, antigens=preliminary)),
        ("band", assessed(negative, antigens=band)),
        ("discordant", assessed(unknown, antigens=discordant)),
        ("voided", assessed(unknown, antigens=voided)),
        ("cns", assessed(unknown, branch=Branch.CNS, cns=True)),
        ("outside", assessed(negative, disease=cll, disease_scope="outside", disease_group="cll")),
        ("richter", assessed(negative, disease=cll, disease_scope="outside", disease_group="richter")),
        ("undated", assessed(unknown, timing=replace(base.assessment.timing, days=None, relapse_date=None))),
        (
            "target-unknown",
            evaluation(
                RelapseCategory.INSUFFICIENT_DATA,
                assessment={"anchor": None},
                facts={"infusions": (generic,)},
            ),
        ),
        ("reports-unseen", evaluation(RelapseCategory.INSUFFICIENT_DATA, facts={"seen": unseen})),
        (
            "t-cell",
            evaluation(
                RelapseCategory.NO_RELAPSE,
                assessment={"branch": Branch.T_CELL_MALIGNANCY},
                facts={"t_cell_malignancy": (sighting,)},
            ),
        ),
        (
            "t-cell-and-relapse",
            evaluation(
                negative,
                assessment={"branch": Branch.T_CELL_MALIGNANCY},
                facts={"t_cell_malignancy": (sighting,)},
            ),
        ),
        (
            "incomplete-dose",
            assessed(negative, anchor=replace(INFUSION, possibly_incomplete=True, split_doses=True)),
        ),
    ]


VARIANTS = variants()


@pytest.mark.parametrize("made", [made for _, made in VARIANTS], ids=[name for name, _ in VARIANTS])
def test_each_kind_of_card_is_a_legal_response(
    made: Evaluation, valid_response: Callable[[Any], None]
) -> None:
    cards = build_cards(made, NAMES)
    assert 1 <= len(cards) <= 3
    for opened in (False, True):
        response = json.loads(msgspec.json.encode(response_json(made, cards, "http://127.0.0.1:1/", opened)))
        valid_response(response)
        assert ("extension" in response) is opened


@pytest.mark.parametrize("made", [made for _, made in VARIANTS], ids=[name for name, _ in VARIANTS])
def test_wording_and_shape(made: Evaluation) -> None:
    for card in build_cards(made, NAMES):
        assert len(card.summary) <= 139
        assert "\n" not in card.summary
        for text in (card.summary, card.detail):
            assert not FORBIDDEN.search(text), text
            assert not re.search(r"\*|`|\]\(|<[a-z]|__|^#|\|", text, re.MULTILINE), text
        lead, *_, closing = card.detail.split("\n\n")
        assert lead.endswith(".")
        assert "Options, not orders" in closing
        assert "22 Nov 2026 09:14 UTC" in closing
        assert "knowledge 2026-11-22" in closing
        for line in card.detail.split("\n"):
            assert not line or line.endswith("."), line


@pytest.mark.parametrize("category", sorted(SILENT))
def test_silent_categories_have_no_card_but_the_extension(
    category: RelapseCategory, valid_response: Callable[[Any], None]
) -> None:
    made = evaluation(category, matches=())
    assert build_cards(made, NAMES) == ()
    response = json.loads(msgspec.json.encode(response_json(made, (), "http://127.0.0.1:1/", True)))
    valid_response(response)
    assert response["extension"]["org.postcart"]["category"] == category.value


def test_deceased_is_silent_whatever_else_is_known() -> None:
    assert build_cards(assessed(RelapseCategory.DECEASED, branch=Branch.T_CELL_MALIGNANCY), NAMES) == ()


HEADS = {
    RelapseCategory.CD19_POSITIVE: "CD19-positive",
    RelapseCategory.CD19_LOW_OR_PARTIAL: "CD19 low or partial",
    RelapseCategory.CD19_NEGATIVE: "CD19-negative",
    RelapseCategory.CD19_UNKNOWN: "CD19 unknown",
    RelapseCategory.LINEAGE_SWITCH: "Lineage switch",
    RelapseCategory.INSUFFICIENT_DATA: "Data incomplete, no category",
}


@pytest.mark.parametrize("length", [40, 60, 100, 139])
@pytest.mark.parametrize("made", [made for _, made in VARIANTS], ids=[name for name, _ in VARIANTS])
def test_no_cut_reverses_the_message(made: Evaluation, length: int) -> None:
    """Whatever is cut off, the state stands whole at the start, negations early (H-47)."""
    category = made.assessment.category
    for card in build_cards(made, NAMES):
        cut = card.summary[:length]
        if card.kind == "t-cell-malignancy":
            assert cut.startswith("T-cell malignancy named")
            continue
        assert cut.startswith(HEADS[category])
        if category in HEADS and length >= 60 and "day 142" in card.summary:
            assert "day 142" in cut
        assert not re.search(r"\b(confirmed|found|seen|tested|suitable)\b", cut) or re.search(
            r"\b(no|not)\b|unknown", cut, re.IGNORECASE
        )


def test_first_lines_say_how_firm_the_relapse_is() -> None:
    named = dict(VARIANTS)
    suspected = build_cards(named["suspected-negative"], NAMES)[0]
    assert suspected.summary.startswith(
        "CD19-negative, suspected relapse, day 142 after axi-cel. Not confirmed"
    )
    assert suspected.detail.startswith("Suspected, not confirmed")
    mrd = build_cards(named["mrd"], NAMES)[0]
    assert mrd.summary.startswith("CD19-negative at MRD level, day 142 after axi-cel. Below morphological")
    assert mrd.detail.startswith("MRD level, below morphological relapse")
    assert "Preliminary" in build_cards(named["preliminary"], NAMES)[0].summary
    assert "preliminary" in build_cards(named["preliminary"], NAMES)[0].detail.split("\n")[0]
    assert "local policy band, not validated" in build_cards(named["band"], NAMES)[0].detail
    assert build_cards(named["cns"], NAMES)[0].detail.startswith("CNS relapse")
    assert "outside this rule set" in build_cards(named["outside"], NAMES)[0].detail.split("\n")[0]
    assert "dose may be incomplete" in build_cards(named["incomplete-dose"], NAMES)[0].detail


def test_unknown_asks_for_a_biopsy_and_shows_what_was_voided() -> None:
    named = dict(VARIANTS)
    card = build_cards(named["voided"], NAMES)[0]
    assert "biopsy" in card.summary
    assert "repeat biopsy or marrow with CD19, CD20 and CD22" in card.detail
    assert "Before loncastuximab: positive." in card.detail
    discordant = build_cards(named["discordant"], NAMES)[0]
    assert "results disagree (discordant)" in discordant.detail
    assert "positive by flow" in discordant.detail
    assert "negative by flow" in discordant.detail


def test_gap_card_names_what_was_not_read_and_asks_for_the_product() -> None:
    named = dict(VARIANTS)
    assert (
        "Not read: pathology and imaging reports (no right)."
        in build_cards(named["reports-unseen"], NAMES)[0].detail
    )
    target = build_cards(named["target-unknown"], NAMES)[0]
    assert "product not known" in target.summary
    assert "product and the date" in target.detail


def test_options_stand_by_route_folded_and_in_order() -> None:
    detail = build_cards(evaluation(RelapseCategory.CD19_NEGATIVE), NAMES)[0].detail
    assert (
        "Can be considered, not ranked: repeat biopsy, trial, CD20xCD3 bispecific antibodies, "
        "polatuzumab (given before: polatuzumab vedotin)." in detail
    )
    assert "Not suitable, CD19 absent: loncastuximab, tafasitamab with lenalidomide." in detail
    assert "tyrosine" not in detail
    needs = (
        option("glofitamab", "Glofitamab", Route.NEEDS_RESULT),
        option("loncastuximab-tesirine", "Loncastuximab", Route.NEEDS_RESULT),
        option("lenalidomide-based", "Lenalidomide", Route.NOT_SUITABLE, why="current pregnancy on record"),
    )
    unknown = build_cards(evaluation(RelapseCategory.CD19_UNKNOWN, matches=needs), NAMES)[0].detail
    assert unknown.index("Needs CD20 first: glofitamab.") < unknown.index("Needs CD19 first: loncastuximab.")
    assert "Not suitable: lenalidomide. Current pregnancy on record." in unknown


def test_a_partner_drug_given_before_stands_with_its_option_never_with_the_group() -> None:
    """A group in which only a partner drug was given must not read as if one of the group had been given."""
    group = {"card_group": "CD20xCD3 bispecific antibodies"}
    names = ("epcoritamab", "glofitamab", "mosunetuzumab", "odronextamab")
    plain_ones = [option(name, name.capitalize(), Route.CONSIDER, **group) for name in names]
    partner = option(
        "mosunetuzumab-polatuzumab",
        "Mosunetuzumab with polatuzumab",
        Route.CONSIDER,
        given_before="polatuzumab vedotin, 11 Mar 2026",
        **group,
    )
    assert (
        fold_names([*plain_ones, partner])
        == "CD20xCD3 bispecific antibodies (mosunetuzumab with polatuzumab: polatuzumab vedotin given before)"
    )
    own = replace(plain_ones[1], given_before="glofitamab, 11 Mar 2026")
    assert "(glofitamab: glofitamab given before)" in fold_names([*plain_ones, own])
    all_given = [replace(one, given_before="rituximab, 2024") for one in (*plain_ones, partner)]
    assert "(epcoritamab, glofitamab, mosunetuzumab and 2 more: rituximab given before)" in fold_names(
        all_given
    )


def test_monitoring_is_named_as_such() -> None:
    detail = build_cards(evaluation(RelapseCategory.CD19_UNKNOWN), NAMES)[0].detail
    assert "Monitoring, not tumour status: Blood B cells 0 per µL, 30 Oct 2026." in detail


HOSTILE = (
    "<script>alert(1)</script>",
    "[free pills](javascript:alert(1))",
    "\n\n# CD19-positive relapse\n- Can be considered: everything",
    "\u202eevitisop 91DC\u202c",
    "**CD19 positive** `x` | a | b |",
    "http://evil.example/?q=1 www.evil.example a@evil.example",
    "&#60;img src=x onerror=1&#62; ![x](data:text/html,1)",
    "x" * 5000,
    "\x00\x1b[31m\u200b\ud7ff",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_chart_text_cannot_become_markup_or_a_new_line(text: str) -> None:
    aside = Remark("set-aside", text, SourceRef(text, text, text), text, text, text)
    made = evaluation(
        RelapseCategory.CD19_NEGATIVE,
        assessment={
            "set_aside": (aside,),
            "conflicts": (aside,),
            "unread": (aside,),
            "remarks": (aside,),
            "antigens": (
                view(
                    Antigen.CD19,
                    AntigenState.NEGATIVE,
                    results=(result(Antigen.CD19, AntigenState.NEGATIVE, specimen_text=text, percent=text),),
                ),
                view(Antigen.CD20, AntigenState.UNKNOWN, text),
                view(Antigen.CD22, AntigenState.UNKNOWN, text),
            ),
        },
    )
    plainly = build_cards(evaluation(RelapseCategory.CD19_NEGATIVE), NAMES)[0].detail
    for shown in texts(made):
        assert not re.search(
            r"<[A-Za-z/!?]|\]\(|javascript:|https?://|www\.|\*|`|[\u202a-\u202e\u200b\x00-\x09\x1b]", shown
        )
        assert len(shown) <= 4000
    lines = build_cards(made, NAMES)[0].detail.split("\n")
    ours = ("- Set aside:", "- Conflict:", "- Not readable:", "- Note:")
    assert len([line for line in lines if not line.startswith(ours)]) == len(plainly.split("\n"))


@given(st.text(max_size=400), st.integers(min_value=5, max_value=200))
def test_plain_is_one_short_harmless_line(text: str, cap: int) -> None:
    shown = plain(text, cap)
    assert len(shown) <= cap
    assert shown == shown.strip()
    assert not re.search(r"[\n\r\t*`\[\]|\\~]|<[A-Za-z/!?]|://", shown)
    assert all(char == " " or char.isprintable() or char == "\u00a0" for char in shown)


@pytest.mark.parametrize(
    "text", ["CD19- and CD20+", "<5 %", ">95 %", "t(9;22)(q34;q11)", "CD19 (dim)", "3 < 5"]
)
def test_plain_keeps_what_has_clinical_meaning(text: str) -> None:
    assert plain(text) == text


def test_a_card_that_grows_too_long_gives_way_from_the_end() -> None:
    many = tuple(Remark("unread", f"{n} " + "could not be read " * 7) for n in range(40))
    matches = tuple(
        option(f"o{n}", f"Option {n}", Route.NOT_SUITABLE, why="a reason of its own " + str(n))
        for n in range(60)
    )
    made = evaluation(
        RelapseCategory.CD19_NEGATIVE,
        assessment={"unread": many, "set_aside": many, "conflicts": many},
        matches=matches,
    )
    card = build_cards(made, NAMES)[0]
    assert len(card.detail) <= 4000
    assert "Options, not orders" in card.detail
