"""Relapses whose CD19 state cannot be known from the chart, each for a reason of its own, and one that hides in text."""

from __future__ import annotations

from datetime import date, timedelta

from sandbox_ehr.patients.chart import Chart, ChartMaker, Shape, Story
from sandbox_ehr.patients.codes import (
    AXI_HCPCS,
    AXI_PCS,
    AXI_RX,
    CAR_T_CPT,
    DEAUVILLE,
    DLBCL,
    LISO_RX,
    NEGATIVE,
    PATHOLOGY,
    POSITIVE,
    RITUXIMAB,
    deauville,
    words,
)
from sandbox_ehr.patients.lymphoma import depletion, r_chop, remission
from sandbox_ehr.patients.routine import add_b_cells, add_routine, add_support

_UNKNOWN = {"CD19": "unknown", "CD20": "unknown", "CD22": "unknown"}


def _dev(today: date) -> Chart:
    story = Story(
        key="dev",
        given="Dev",
        gender="male",
        birth=date(1968, 6, 18),
        record="SYN-NOTISSUE-04",
        line="CD19 unknown, PET only, no tissue",
        story="Diffuse large B-cell lymphoma, liso-cel three months ago. PET suspects relapse; nobody has taken "
        "tissue, so neither the relapse nor its antigens are settled.",
        category="cd19-unknown",
        antigens=_UNKNOWN,
    )
    maker = ChartMaker(story, today)
    maker.problem(DLBCL, "active", maker.when(600))
    r_chop(maker, 590)
    depletion(maker, 104)
    maker.given(LISO_RX, 104)
    remission(maker, 74)
    maker.report(
        "PET-CT", "FDG-PET/CT: new FDG-avid mediastinal nodes, Deauville 5, suspicious for relapse.", 8
    )
    maker.result(DEAUVILLE, deauville(5), 8, category="exam")
    add_b_cells(maker, {70: 0, 30: 0})
    add_routine(maker, first=330, last=2, every=14, weight=79)
    add_support(maker, "Aciclovir 400 mg oral tablet")
    return maker.chart()


def _farid(today: date) -> Chart:
    story = Story(
        key="farid",
        given="Farid",
        gender="male",
        birth=date(1961, 12, 5),
        record="SYN-DISCORD-06",
        line="IHC and flow disagree",
        story="The same relapse biopsy: IHC reports CD19 negative, flow reports CD19 positive. Both are valid, "
        "neither wins, so CD19 is unknown until pathology settles it.",
        category="cd19-unknown",
        antigens={"CD19": "unknown", "CD20": "positive", "CD22": "unknown"},
        shape=Shape.EPIC,
    )
    maker = ChartMaker(story, today)
    maker.problem(DLBCL, "relapse", maker.when(760), recorded=15)
    r_chop(maker, 750)
    depletion(maker, 166)
    maker.procedure(AXI_PCS, 166)
    remission(maker, 136, 76)
    maker.report("PET-CT", "FDG-PET/CT: new splenic and nodal lesions, Deauville 5. Relapse of lymphoma.", 20)
    node = maker.specimen("Lymph node, core biopsy", 15)
    maker.result(
        maker.local_lab("CD19 by IHC", "1230200052"),
        NEGATIVE,
        15,
        specimen=node,
        method="Immunohistochemistry",
    )
    maker.result(
        maker.local_lab("CD20 by IHC", "1230200065"),
        POSITIVE,
        15,
        specimen=node,
        method="Immunohistochemistry",
    )
    maker.result(words("CD19 on lymphoma cells"), POSITIVE, 15, specimen=node, method="Flow cytometry")
    maker.report(
        "Surgical pathology",
        "Node, core biopsy: diffuse large B-cell lymphoma, relapse. See separate marker results.",
        15,
        specimen=node,
        code=PATHOLOGY,
    )
    add_b_cells(maker, {120: 0, 60: 2})
    add_routine(maker, first=360, last=5, every=14, weight=84)
    return maker.chart()


def _nils(today: date) -> Chart:
    story = Story(
        key="nils",
        given="Nils",
        gender="male",
        birth=date(1952, 4, 11),
        record="SYN-NARRATIVE-14",
        line="Result only in a narrative report",
        story="No coded antigen result anywhere. The relapse pathology is an attached plain text, and its "
        "immunohistochemistry paragraph reports CD19 negative.",
        category="cd19-negative",
        antigens={"CD19": "negative", "CD20": "positive", "CD22": "unknown"},
        shape=Shape.EPIC,
    )
    maker = ChartMaker(story, today)
    maker.problem(DLBCL, "relapse", maker.when(900), recorded=21)
    r_chop(maker, 890)
    maker.procedure(AXI_PCS, 210)
    remission(maker, 180, 120)
    maker.report(
        "Surgical pathology",
        "FINAL DIAGNOSIS\nLymph node, right axilla, core biopsy:\n- Diffuse large B-cell lymphoma, recurrent\n"
        "IMMUNOHISTOCHEMISTRY\nLymphoma cells: CD20 positive, CD19 negative, CD3 negative\n",
        21,
        form=True,
    )
    add_b_cells(maker, {180: 0, 90: 5})
    add_routine(maker, first=320, last=6, every=14, weight=76)
    return maker.chart()


def _olga(today: date) -> Chart:
    year = str((today - timedelta(days=45)).year)
    story = Story(
        key="olga",
        given="Olga",
        gender="female",
        birth=date(1949, 7, 7),
        record="SYN-YEARONLY-15",
        line="Dates by year only",
        story="An outside hospital sent infusion and biopsy with the year only. Whether the CD19 result was taken "
        "before or after the infusion cannot be known, so it does not count.",
        category="cd19-unknown",
        antigens=_UNKNOWN,
    )
    maker = ChartMaker(story, today)
    maker.problem(DLBCL, "relapse", str(int(year) - 2))
    maker.add(
        "p",
        {"resourceType": "Procedure", "status": "completed", "code": AXI_HCPCS, "performedDateTime": year},
    )
    maker.result(
        words("CD19 by IHC"),
        POSITIVE,
        year,
        specimen="Lymph node, core biopsy",
        method="Immunohistochemistry",
    )
    maker.report("PET-CT", "FDG-PET/CT: new FDG-avid nodes, Deauville 5. Progression of lymphoma.", 6)
    add_routine(maker, first=120, last=4, every=14, weight=60)
    return maker.chart()


def _pavel(today: date) -> Chart:
    story = Story(
        key="pavel",
        given="Pavel",
        gender="male",
        birth=date(1964, 10, 28),
        record="SYN-BEFORE-16",
        line="Only a result from before the infusion",
        story="Biopsy-proven relapse after axi-cel, but nobody stained it for CD19. The CD19-positive result in the "
        "chart is from the biopsy before the infusion and says nothing of today.",
        category="cd19-unknown",
        antigens=_UNKNOWN,
        shape=Shape.ORACLE,
    )
    maker = ChartMaker(story, today)
    maker.problem(DLBCL, "relapse", maker.when(500), recorded=10)
    r_chop(maker, 490)
    maker.report(
        "Surgical pathology",
        "Diffuse large B-cell lymphoma, refractory. Lymphoma cells CD19 positive, CD20 positive.",
        260,
        specimen=maker.specimen("Lymph node, core biopsy", 260),
        code=PATHOLOGY,
    )
    maker.given(AXI_RX, 190)
    remission(maker, 160)
    maker.report(
        "Surgical pathology",
        "Lymph node: diffuse large B-cell lymphoma, relapse. Immunohistochemistry to follow.",
        10,
        specimen=maker.specimen("Lymph node, core biopsy", 10),
        code=PATHOLOGY,
    )
    add_b_cells(maker, {150: 0, 30: 0})
    add_routine(maker, first=300, last=3, every=14, weight=91)
    return maker.chart()


def _rosa(today: date) -> Chart:
    story = Story(
        key="rosa",
        given="Rosa",
        gender="female",
        birth=date(1971, 3, 19),
        record="SYN-NOTARGET-18",
        line="CAR T given, product not recorded",
        story="A billing code says that CAR T cells were given, not which. Lymphoma is back. Without the product "
        "the target is unknown, and no category can be named.",
        category="insufficient-data",
    )
    maker = ChartMaker(story, today)
    maker.problem(DLBCL, "relapse", maker.when(610), recorded=18)
    for ago in (600, 579):
        maker.given(RITUXIMAB, ago)
    maker.procedure(CAR_T_CPT, 140)
    maker.report("PET-CT", "FDG-PET/CT: new FDG-avid nodes, Deauville 5, relapse of lymphoma.", 18)
    add_routine(maker, first=200, last=5, every=14, weight=69)
    return maker.chart()


CHARTS = (_dev, _farid, _nils, _olga, _pavel, _rosa)
