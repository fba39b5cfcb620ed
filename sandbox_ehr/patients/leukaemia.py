"""B-cell acute lymphoblastic leukaemia: a child, and a switch of lineage."""

from __future__ import annotations

from datetime import date, timedelta

from sandbox_ehr.patients.chart import Chart, ChartMaker, Shape, Story
from sandbox_ehr.patients.codes import B_ALL, DEXAMETHASONE, MARROW, PHENOTYPE, TISA_NDC, TISA_PCS, concept
from sandbox_ehr.patients.lymphoma import depletion
from sandbox_ehr.patients.routine import add_b_cells, add_routine


def _born(today: date, years: int) -> date:
    """A birth date that keeps a child at its age, whatever the day of the demo."""
    return today - timedelta(days=round(years * 365.25) + 100)


def _greta(today: date) -> Chart:
    story = Story(
        key="greta",
        given="Greta",
        gender="female",
        birth=_born(today, 2),
        record="SYN-LINEAGE-07",
        line="Lineage switch, KMT2A",
        story="B-ALL with KMT2A rearrangement, tisa-cel seven weeks ago. The marrow is full of myeloid blasts: not "
        "a CD19-negative relapse but a switch of lineage.",
        category="lineage-switch",
        antigens={"CD19": "negative", "CD20": "unknown", "CD22": "negative"},
        shape=Shape.EPIC,
    )
    maker = ChartMaker(story, today)
    maker.problem(B_ALL, "relapse", maker.when(400), recorded=12)
    maker.given(DEXAMETHASONE, 380)
    depletion(maker, 61)
    maker.given(TISA_NDC, 61)
    maker.report("Bone marrow", "Marrow in complete remission, MRD negative.", 33, code=MARROW)
    maker.report(
        "Bone marrow flow",
        "80 % myeloid blasts, CD33 positive, CD13 positive, MPO positive; CD19 negative, CD22 negative. Lineage "
        "switch to acute myeloid leukemia, KMT2A rearranged.",
        12,
        specimen=maker.specimen("Bone marrow aspirate", 12),
    )
    add_b_cells(maker, {33: 0})
    add_routine(maker, first=180, last=3, every=10, weight=12)
    return maker.chart()


def _hugo(today: date) -> Chart:
    story = Story(
        key="hugo",
        given="Hugo",
        gender="male",
        birth=_born(today, 9),
        record="SYN-CHILD-08",
        line="B-ALL, 9 years, CD19 negative",
        story="A child of nine with B-ALL, tisa-cel eight months ago. The marrow relapse is CD19 negative and CD22 "
        "positive. Figures for adults with lymphoma do not apply to him.",
        category="cd19-negative",
        antigens={"CD19": "negative", "CD20": "unknown", "CD22": "positive"},
        shape=Shape.ORACLE,
    )
    maker = ChartMaker(story, today)
    maker.problem(B_ALL, "relapse", maker.when(1100), recorded=9)
    maker.given(DEXAMETHASONE, 1080)
    depletion(maker, 250)
    maker.procedure(TISA_PCS, 250)
    maker.report("Bone marrow", "Marrow in complete remission, MRD negative.", 220, code=MARROW)
    code = concept(PHENOTYPE, text="Leukemia/lymphoma immunophenotyping")
    maker.result(
        code,
        {"valueString": "Relapsed B-ALL, lymphoblasts 62%: CD10+, CD22+, CD19 negative."},
        9,
        specimen=maker.specimen("Bone marrow aspirate", 9),
    )
    add_b_cells(maker, {220: 0, 160: 0, 100: 0, 40: 0})
    add_routine(maker, first=330, last=3, every=10, weight=29)
    return maker.chart()


CHARTS = (_greta, _hugo)
