"""Large B-cell lymphoma that came back with a known CD19 state, and what such charts share."""

from __future__ import annotations

from datetime import date

from sandbox_ehr.patients.chart import Chart, ChartMaker, Shape, Story
from sandbox_ehr.patients.codes import (
    ANTI_HBC,
    AXI_HCPCS,
    AXI_PCS,
    COLLECTION_CPT,
    CYCLOPHOSPHAMIDE,
    DEAUVILLE,
    DLBCL,
    DLBCL_IMO,
    FLUDARABINE,
    HBSAG,
    HYPOGAMMA,
    LISO_HCPCS,
    LVEF,
    NEGATIVE,
    NEGATIVE_CODED,
    PATHOLOGY,
    PHENOTYPE,
    POLATUZUMAB,
    POSITIVE,
    RITUXIMAB,
    concept,
    deauville,
    quantity,
    words,
)
from sandbox_ehr.patients.routine import add_b_cells, add_routine, add_support


def r_chop(maker: ChartMaker, first: int) -> None:
    """Six cycles of first-line treatment, three weeks apart, by its antibody and one partner."""
    for cycle in range(6):
        maker.given(RITUXIMAB, first - 21 * cycle)
        maker.given(CYCLOPHOSPHAMIDE, first - 21 * cycle)


def depletion(maker: ChartMaker, infusion: int) -> None:
    """Lymphodepletion in the week before the infusion."""
    for before in (5, 4, 3):
        maker.given(FLUDARABINE, infusion + before)
        maker.given(CYCLOPHOSPHAMIDE, infusion + before)


def remission(maker: ChartMaker, *days: int) -> None:
    """PET scans that showed a complete response."""
    for ago in days:
        maker.report("PET-CT", "FDG-PET/CT: complete metabolic response, Deauville 2.", ago)


def _alma(today: date) -> Chart:
    story = Story(
        key="alma",
        given="Alma",
        gender="female",
        birth=date(1963, 3, 3),
        record="SYN-CD19NEG-01",
        line="CD19 negative, older positive set aside",
        story="Diffuse large B-cell lymphoma, axi-cel five months ago, complete response, then relapse in the "
        "groin. Flow and IHC of the new node report CD19 negative and CD20 positive. A CD19-positive result that "
        "was issued after the infusion comes from a node taken before it and does not count.",
        category="cd19-negative",
        antigens={"CD19": "negative", "CD20": "positive", "CD22": "unknown"},
        shape=Shape.EPIC,
    )
    maker = ChartMaker(story, today)
    maker.problem(DLBCL, "relapse", maker.when(646), recorded=11)
    maker.problem(HYPOGAMMA, "active", maker.when(95))
    r_chop(maker, 640)
    for ago in (262, 241, 220):
        maker.given(POLATUZUMAB, ago)
    maker.procedure(COLLECTION_CPT, 186)
    depletion(maker, 153)
    maker.procedure(AXI_PCS, 153)
    old = maker.specimen("Lymph node, neck, core biopsy", 283)
    maker.result(maker.local_lab("CD19 by IHC", "1230200052"), POSITIVE, 283, specimen=old)
    maker.report(
        "Surgical pathology",
        "Neck node, core biopsy: diffuse large B-cell lymphoma. CD19 positive, CD20 positive.",
        283,
        specimen=old,
        issued=75,
        code=PATHOLOGY,
    )
    remission(maker, 123, 62)
    maker.report(
        "PET-CT", "FDG-PET/CT: new FDG-avid right inguinal nodes, Deauville 5. Relapse of lymphoma.", 17
    )
    maker.result(DEAUVILLE, deauville(5), 17, category="exam")
    node = maker.specimen("Lymph node, right inguinal, core biopsy", 11)
    maker.procedure(words("Core biopsy, right inguinal node"), 11)
    maker.result(
        maker.local_lab("CD19 by IHC", "1230200052"),
        NEGATIVE,
        11,
        specimen=node,
        method="Immunohistochemistry",
    )
    maker.result(
        maker.local_lab("CD20 by IHC", "1230200065"),
        POSITIVE,
        11,
        specimen=node,
        method="Immunohistochemistry",
    )
    maker.report(
        "Flow cytometry",
        "Flow cytometry, right inguinal node core. Gated lymphoma cells: CD10 positive, CD20 positive, kappa "
        "restricted; CD19 negative. CD22 not tested. IHC: CD20 positive in 80% of cells, CD19 negative, PAX5 "
        "positive, MIB1 high. Diffuse large B-cell lymphoma, NOS, relapse.",
        11,
        specimen=node,
        code=PATHOLOGY,
    )
    maker.result(LVEF, quantity(55, "%"), 6, category="exam")
    add_b_cells(maker, {120: 0, 90: 0, 60: 4, 6: 18})
    add_routine(maker, first=640, last=4, every=21)
    add_support(maker, "Aciclovir 400 mg oral tablet", "Co-trimoxazole 960 mg oral tablet")
    add_support(maker, "Immunoglobulin replacement", ago=95)
    return maker.chart()


def _bruno(today: date) -> Chart:
    story = Story(
        key="bruno",
        given="Bruno",
        gender="male",
        birth=date(1957, 8, 21),
        record="SYN-CD19POS-02",
        line="CD19 positive, late relapse, a long chart",
        story="Diffuse large B-cell lymphoma, liso-cel more than a year ago. Biopsy-proven relapse; the lymphoma "
        "still carries CD19 and CD20. The chart is long: a search for results needs more than one page.",
        category="cd19-positive",
        antigens={"CD19": "positive", "CD20": "positive", "CD22": "positive"},
        shape=Shape.ORACLE,
    )
    maker = ChartMaker(story, today)
    maker.problem(DLBCL_IMO, "relapse", maker.when(1410), recorded=20)
    r_chop(maker, 1400)
    maker.procedure(COLLECTION_CPT, 470)
    depletion(maker, 431)
    maker.procedure(LISO_HCPCS, 431)
    remission(maker, 400, 340, 250, 160)
    maker.report("CT", "New retroperitoneal lymph nodes, progression of lymphoma.", 24)
    node = maker.specimen("Lymph node, retroperitoneal, core biopsy", 20)
    code = concept(
        ("https://fhir.cerner.com/00000000-5959-4e40-9d00-000000000000/codeSet/72", "90031676", ""),
        PHENOTYPE,
        text="Leukemia/lymphoma immunophenotyping",
    )
    text = (
        "Diffuse large B-cell lymphoma cells: CD19 positive, CD20 positive, CD22 positive, lambda restricted."
    )
    maker.result(code, {"valueString": text}, 20, specimen=node)
    maker.result(HBSAG, NEGATIVE, 30)
    maker.result(ANTI_HBC, NEGATIVE, 30)
    maker.result(LVEF, quantity(60, "%"), 15, category="exam")
    add_b_cells(maker, {400: 0, 300: 2, 200: 35, 100: 80, 15: 110})
    add_routine(maker, first=1400, last=3, every=10, weight=82)
    add_support(maker, "Amlodipine 5 mg oral tablet", "Aciclovir 400 mg oral tablet")
    return maker.chart()


def _carla(today: date) -> Chart:
    story = Story(
        key="carla",
        given="Carla",
        gender="female",
        birth=date(1970, 1, 14),
        record="SYN-CD19LOW-03",
        line="CD19 low or partial by flow",
        story="Diffuse large B-cell lymphoma after axi-cel. Flow of the relapse biopsy finds CD19 dim on about a "
        "third of the lymphoma cells: neither positive nor negative.",
        category="cd19-low-or-partial",
        antigens={"CD19": "low-or-partial", "CD20": "positive", "CD22": "unknown"},
    )
    maker = ChartMaker(story, today)
    maker.problem(DLBCL, "relapse", maker.when(700), recorded=13)
    r_chop(maker, 690)
    depletion(maker, 108)
    maker.procedure(AXI_HCPCS, 108)
    remission(maker, 78)
    maker.report("PET-CT", "FDG-PET/CT: new FDG-avid axillary nodes, Deauville 5, relapse.", 18)
    node = maker.specimen("Lymph node, axilla, core biopsy", 13)
    maker.result(
        words("CD19 on lymphoma cells"), quantity(35, "%"), 13, specimen=node, method="Flow cytometry"
    )
    maker.result(
        words("CD20 on lymphoma cells"), quantity(92, "%"), 13, specimen=node, method="Flow cytometry"
    )
    maker.report(
        "Flow cytometry",
        "Flow cytometry, axillary node: lymphoma cells CD20 positive, CD19 dim, partial expression (35% of "
        "lymphoma cells). Diffuse large B-cell lymphoma, relapse.",
        13,
        specimen=node,
    )
    maker.result(HBSAG, NEGATIVE_CODED, 20)
    add_b_cells(maker, {80: 0, 40: 0, 10: 3})
    add_routine(maker, first=380, last=5, every=21, weight=64)
    return maker.chart()


def _edith(today: date) -> Chart:
    story = Story(
        key="edith",
        given="Edith",
        gender="female",
        birth=date(1959, 11, 30),
        record="SYN-BLOOD0-05",
        line="Blood CD19 zero, tumour positive",
        story="B cells in blood are zero since axi-cel, which is expected and says nothing of the lymphoma. The "
        "relapse biopsy reports CD19 positive. Whoever reads the blood count as tumour status gets it wrong.",
        category="cd19-positive",
        antigens={"CD19": "positive", "CD20": "positive", "CD22": "unknown"},
    )
    maker = ChartMaker(story, today)
    maker.problem(DLBCL, "relapse", maker.when(820), recorded=16)
    r_chop(maker, 810)
    maker.given(concept(("http://hl7.org/fhir/sid/ndc", "71287-119-01", ""), text="Yescarta suspension"), 198)
    remission(maker, 168, 108)
    maker.report("PET-CT", "FDG-PET/CT: new bone and nodal lesions, Deauville 5, relapse of lymphoma.", 22)
    node = maker.specimen("Lymph node, core biopsy", 16)
    maker.report(
        "Surgical pathology",
        "Diffuse large B-cell lymphoma, relapse. Immunohistochemistry of lymphoma cells: CD19 positive, CD20 "
        "positive.",
        16,
        specimen=node,
        code=PATHOLOGY,
    )
    add_b_cells(maker, {170: 0, 140: 0, 110: 0, 80: 0, 50: 0, 20: 0, 9: 0}, {170: 0, 110: 0, 50: 0, 9: 0})
    add_routine(maker, first=400, last=5, every=14, weight=58)
    return maker.chart()


CHARTS = (_alma, _bruno, _carla, _edith)
