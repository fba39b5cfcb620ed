"""Charts in which a careful service has nothing to say: other targets, remission, no CAR T, no lymphoma, deceased."""

from __future__ import annotations

from datetime import date

from sandbox_ehr.patients.chart import Chart, ChartMaker, Shape, Story
from sandbox_ehr.patients.codes import (
    AXI_HCPCS,
    CILTA_PCS,
    DEAUVILLE,
    DEXAMETHASONE,
    DLBCL,
    LISO_HCPCS,
    MYELOMA,
    PATHOLOGY,
    deauville,
    words,
)
from sandbox_ehr.patients.lymphoma import depletion, r_chop, remission
from sandbox_ehr.patients.routine import add_b_cells, add_routine, add_support


def _liam(today: date) -> Chart:
    story = Story(
        key="liam",
        given="Liam",
        gender="male",
        birth=date(1958, 1, 31),
        record="SYN-BCMA-12",
        line="BCMA CAR T, nothing to say",
        story="Multiple myeloma that came back after cilta-cel. That CAR is directed at BCMA, so nothing here is a "
        "relapse after CD19 CAR T, and the panel stays empty.",
        category="no-cd19-car-t",
        shape=Shape.EPIC,
    )
    maker = ChartMaker(story, today)
    maker.problem(MYELOMA, "relapse", maker.when(1800), recorded=30)
    maker.given(DEXAMETHASONE, 1780)
    depletion(maker, 320)
    maker.procedure(CILTA_PCS, 320)
    maker.report("Serum electrophoresis", "M protein reappeared. Relapse of multiple myeloma.", 30)
    add_routine(maker, first=340, last=8, every=14, weight=77)
    return maker.chart()


def _mona(today: date) -> Chart:
    story = Story(
        key="mona",
        given="Mona",
        gender="female",
        birth=date(1976, 6, 6),
        record="SYN-REMISSION-13",
        line="In remission after liso-cel",
        story="Diffuse large B-cell lymphoma in complete response a year after liso-cel. No B cells in blood, as "
        "expected. There is no relapse, so there is no card.",
        category="no-relapse",
        shape=Shape.EPIC,
    )
    maker = ChartMaker(story, today)
    maker.problem(DLBCL, "remission", maker.when(950))
    r_chop(maker, 940)
    maker.procedure(LISO_HCPCS, 370)
    remission(maker, 340, 250, 160)
    maker.result(DEAUVILLE, deauville(2), 20, category="exam")
    maker.report(
        "PET-CT", "FDG-PET/CT: complete metabolic response, Deauville 2. No evidence of relapse.", 20
    )
    add_b_cells(maker, {340: 0, 250: 0, 160: 0, 20: 0})
    add_routine(maker, first=400, last=10, every=14, weight=63)
    return maker.chart()


def _quinn(today: date) -> Chart:
    story = Story(
        key="quinn",
        given="Quinn",
        gender="other",
        birth=date(1969, 9, 15),
        record="SYN-NOCART-17",
        line="Lymphoma relapse, never had CAR T",
        story="Diffuse large B-cell lymphoma, relapse after chemotherapy. CAR T has not been given, so this is not "
        "the service's question.",
        category="no-cd19-car-t",
    )
    maker = ChartMaker(story, today)
    maker.problem(DLBCL, "relapse", maker.when(420), recorded=25)
    r_chop(maker, 410)
    maker.procedure(words("Core biopsy, cervical node"), 25)
    maker.report(
        "Surgical pathology",
        "Diffuse large B-cell lymphoma, relapse. CD19 positive, CD20 positive.",
        25,
        specimen=maker.specimen("Lymph node, core biopsy", 25),
        code=PATHOLOGY,
    )
    add_routine(maker, first=420, last=7, every=21, weight=74)
    return maker.chart()


def _sven(today: date) -> Chart:
    story = Story(
        key="sven",
        given="Sven",
        gender="male",
        birth=date(1947, 2, 2),
        record="SYN-DECEASED-19",
        line="Deceased, no advice",
        story="Relapse after axi-cel, died last month. Advice on options would be out of place; the panel stays "
        "empty.",
        category="deceased",
    )
    maker = ChartMaker(story, today)
    chart = maker.chart()
    chart.patient["deceasedDateTime"] = maker.when(28)
    maker.problem(DLBCL, "relapse", maker.when(800), recorded=60)
    maker.procedure(AXI_HCPCS, 200)
    maker.report("PET-CT", "FDG-PET/CT: new lesions, Deauville 5, relapse of lymphoma.", 60)
    add_routine(maker, first=210, last=30, every=14, weight=70)
    return maker.chart()


def _tilda(today: date) -> Chart:
    story = Story(
        key="tilda",
        given="Tilda",
        gender="female",
        birth=date(1981, 5, 23),
        record="SYN-OTHER-20",
        line="High blood pressure, no lymphoma",
        story="Nothing of blood or lymph. A service that speaks up here is noise.",
        category="no-lymphoid-malignancy",
        shape=Shape.ORACLE,
    )
    maker = ChartMaker(story, today)
    maker.problem(words("Essential hypertension"), "active", maker.when(900))
    add_routine(maker, first=300, last=20, every=40, weight=80)
    add_support(maker, "Amlodipine 5 mg oral tablet", "Ramipril 5 mg oral capsule")
    return maker.chart()


CHARTS = (_liam, _mona, _quinn, _sven, _tilda)
