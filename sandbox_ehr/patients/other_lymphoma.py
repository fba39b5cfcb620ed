"""Mantle cell lymphoma, follicular lymphoma that transformed, and a relapse in the central nervous system."""

from __future__ import annotations

from datetime import date

from sandbox_ehr.patients.chart import Chart, ChartMaker, Shape, Story
from sandbox_ehr.patients.codes import (
    AXI_HCPCS,
    BENDAMUSTINE,
    BREXU_RX,
    DLBCL,
    FOLLICULAR,
    IBRUTINIB,
    MANTLE,
    PATHOLOGY,
    RITUXIMAB,
)
from sandbox_ehr.patients.lymphoma import depletion, r_chop, remission
from sandbox_ehr.patients.routine import add_b_cells, add_routine


def _ines(today: date) -> Chart:
    story = Story(
        key="ines",
        given="Ines",
        gender="female",
        birth=date(1955, 5, 9),
        record="SYN-MCL-09",
        line="Mantle cell lymphoma after brexu-cel",
        story="Mantle cell lymphoma, ibrutinib, then brexu-cel. Relapse in a node that still carries CD19 and "
        "CD20. The infusion names its drug by reference only: whoever does not read the Medication does not see "
        "the CAR T.",
        category="cd19-positive",
        antigens={"CD19": "positive", "CD20": "positive", "CD22": "unknown"},
        shape=Shape.ORACLE,
    )
    maker = ChartMaker(story, today)
    maker.problem(MANTLE, "relapse", maker.when(1500), recorded=14)
    for ago in (1490, 1462):
        maker.given(BENDAMUSTINE, ago)
        maker.given(RITUXIMAB, ago)
    maker.ordered(IBRUTINIB, 700, status="stopped")
    depletion(maker, 240)
    maker.given(BREXU_RX, 240, apart=True)
    remission(maker, 210, 150)
    node = maker.specimen("Lymph node, cervical, excision", 14)
    maker.report(
        "Surgical pathology",
        "Cervical node: mantle cell lymphoma, relapse. Cyclin D1 positive, CD5 positive, CD19 positive, CD20 "
        "positive.",
        14,
        specimen=node,
        code=PATHOLOGY,
    )
    add_b_cells(maker, {200: 0, 100: 1, 20: 12})
    add_routine(maker, first=420, last=6, every=14, weight=66)
    return maker.chart()


def _jonas(today: date) -> Chart:
    story = Story(
        key="jonas",
        given="Jonas",
        gender="male",
        birth=date(1966, 9, 2),
        record="SYN-TFL-10",
        line="Follicular lymphoma, transformed at relapse",
        story="The problem list still says follicular lymphoma. The relapse biopsy after axi-cel shows diffuse "
        "large B-cell lymphoma, CD19 negative and CD20 positive: tissue decides the disease.",
        category="cd19-negative",
        antigens={"CD19": "negative", "CD20": "positive", "CD22": "unknown"},
    )
    maker = ChartMaker(story, today)
    maker.problem(FOLLICULAR, "relapse", maker.when(2200), recorded=19)
    for ago in (2190, 2162):
        maker.given(BENDAMUSTINE, ago)
        maker.given(RITUXIMAB, ago)
    maker.procedure(AXI_HCPCS, 290)
    remission(maker, 260, 200)
    node = maker.specimen("Lymph node, inguinal, core biopsy", 19)
    maker.report(
        "Surgical pathology",
        "Inguinal node: diffuse large B-cell lymphoma, transformed from follicular lymphoma. CD20 positive, CD19 "
        "negative.",
        19,
        specimen=node,
        code=PATHOLOGY,
    )
    add_b_cells(maker, {260: 0, 150: 0, 30: 0})
    add_routine(maker, first=330, last=6, every=14, weight=88)
    return maker.chart()


def _kaja(today: date) -> Chart:
    story = Story(
        key="kaja",
        given="Kaja",
        gender="female",
        birth=date(1974, 2, 26),
        record="SYN-CNS-11",
        line="Isolated CNS relapse",
        story="Diffuse large B-cell lymphoma after axi-cel. Lymphoma cells in the cerebrospinal fluid, nothing "
        "elsewhere. The CSF carries CD19, but the CNS is a branch of its own and comes first.",
        category="cd19-positive",
        antigens={"CD19": "positive", "CD20": "positive", "CD22": "unknown"},
        branch="cns",
    )
    maker = ChartMaker(story, today)
    maker.problem(DLBCL, "relapse", maker.when(640), recorded=9)
    r_chop(maker, 630)
    maker.procedure(AXI_HCPCS, 131)
    remission(maker, 101)
    maker.report("MRI brain", "New leptomeningeal enhancement. PET without systemic disease.", 12)
    maker.report(
        "CSF flow cytometry",
        "Cerebrospinal fluid: clonal lymphoma cells, CD19 positive, CD20 positive. Isolated CNS relapse.",
        9,
        specimen=maker.specimen("Cerebrospinal fluid", 9),
    )
    add_b_cells(maker, {100: 0, 40: 0})
    add_routine(maker, first=300, last=4, every=14, weight=61)
    return maker.chart()


CHARTS = (_ines, _jonas, _kaja)
