"""The codes the invented charts are written with; each occurs in the shipped knowledge or in its public samples."""

from __future__ import annotations

from typing import Any

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
CPT = "http://www.ama-assn.org/go/cpt"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
NDC = "http://hl7.org/fhir/sid/ndc"
NCIT = "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl"
UCUM = "http://unitsofmeasure.org"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
OBSERVATION_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
EPIC_LABS = "urn:oid:1.2.840.114350.1.13.0.1.7.2.768282"
ORACLE_CODE_SET = "https://fhir.cerner.com/00000000-5959-4e40-9d00-000000000000/codeSet/72"
IMO = "http://e-imo.com/products/problem-it"


def concept(*codings: tuple[str, str, str], text: str = "") -> dict[str, Any]:
    """A CodeableConcept of (system, code, display) rows; an empty display is left out."""
    rows = []
    for system, code, display in codings:
        row = {"system": system, "code": code}
        if display:
            row["display"] = display
        rows.append(row)
    whole: dict[str, Any] = {"coding": rows} if rows else {}
    if text:
        whole["text"] = text
    return whole


def words(text: str) -> dict[str, Any]:
    """A CodeableConcept with text only, as many charts hold it."""
    return {"text": text}


def quantity(value: float, unit: str, code: str = "", comparator: str = "") -> dict[str, Any]:
    """A `valueQuantity` with a UCUM unit."""
    amount: dict[str, Any] = {"value": value}
    if comparator:
        amount["comparator"] = comparator
    amount.update({"unit": unit, "system": UCUM, "code": code or unit})
    return {"valueQuantity": amount}


POSITIVE = {"valueCodeableConcept": {"text": "Positive"}}
NEGATIVE = {"valueCodeableConcept": {"text": "Negative"}}
NEGATIVE_CODED = {"valueCodeableConcept": concept((SNOMED, "260385009", "Negative (qualifier value)"))}
POSITIVE_CODED = {"valueCodeableConcept": concept((SNOMED, "10828004", "Positive (qualifier value)"))}

DLBCL = concept(
    (SNOMED, "109969005", "Diffuse non-Hodgkin's lymphoma, large cell (disorder)"),
    (ICD10CM, "C83.38", "Diffuse large B-cell lymphoma, lymph nodes of multiple sites"),
    text="Diffuse large B-cell lymphoma (DLBCL) (HCC)",
)
DLBCL_IMO = concept(
    (IMO, "991528", "Diffuse large B-cell lymphoma"),
    (ICD10CM, "C83.38", "Diffuse large B-cell lymphoma, lymph nodes of multiple sites"),
    text="Diffuse large B-cell lymphoma",
)
FOLLICULAR = concept(
    (SNOMED, "308121000", "Follicular non-Hodgkin's lymphoma (disorder)"),
    (ICD10CM, "C82.18", "Follicular lymphoma grade II, lymph nodes of multiple sites"),
    text="Follicular lymphoma, grade 2",
)
MANTLE = concept(
    (SNOMED, "443487006", "Mantle cell lymphoma (disorder)"),
    (ICD10CM, "C83.18", "Mantle cell lymphoma, lymph nodes of multiple sites"),
    text="Mantle cell lymphoma",
)
B_ALL = concept(
    (SNOMED, "277571004", "B-cell acute lymphoblastic leukemia (disorder)"),
    (ICD10CM, "C91.02", "Acute lymphoblastic leukemia, in relapse"),
    text="B-cell acute lymphoblastic leukemia (HCC)",
)
MYELOMA = concept((ICD10CM, "C90.02", "Multiple myeloma in relapse"), text="Multiple myeloma in relapse")
HYPOGAMMA = concept((SNOMED, "119250001", "Hypogammaglobulinemia (finding)"), text="Hypogammaglobulinaemia")

AXI_PCS = concept(
    (
        ICD10PCS,
        "XW033H7",
        "Introduction of Axicabtagene Ciloleucel Immunotherapy into Peripheral Vein, Percutaneous Approach, "
        "New Technology Group 7",
    ),
    text="Infusion of axicabtagene ciloleucel",
)
AXI_HCPCS = concept((HCPCS, "Q2041", ""), text="Axicabtagene ciloleucel infusion")
LISO_HCPCS = concept((HCPCS, "Q2054", ""), text="Lisocabtagene maraleucel infusion")
LISO_RX = concept((RXNORM, "2479140", "lisocabtagene maraleucel"), text="lisocabtagene maraleucel")
AXI_RX = concept((RXNORM, "1987402", "axicabtagene ciloleucel"), text="axicabtagene ciloleucel (Yescarta)")
TISA_PCS = concept(
    (
        ICD10PCS,
        "XW033J7",
        "Introduction of Tisagenlecleucel Immunotherapy into Peripheral Vein, Percutaneous Approach, "
        "New Technology Group 7",
    ),
    text="Infusion of tisagenlecleucel",
)
TISA_NDC = concept(
    (NDC, "0078-0846-19", "tisagenlecleucel suspension"), text="Kymriah suspension for infusion"
)
BREXU_RX = concept((RXNORM, "2387347", "brexucabtagene autoleucel"), text="brexucabtagene autoleucel")
BREXU_HCPCS = concept((HCPCS, "Q2053", ""), text="Brexucabtagene autoleucel infusion")
CILTA_PCS = concept(
    (
        ICD10PCS,
        "XW033A7",
        "Introduction of Ciltacabtagene Autoleucel into Peripheral Vein, Percutaneous Approach, "
        "New Technology Group 7",
    ),
    text="Infusion of ciltacabtagene autoleucel",
)
CAR_T_CPT = concept((CPT, "38228", ""), text="CAR-T cell administration, autologous")
COLLECTION_CPT = concept((CPT, "38225", ""), text="T cell collection for CAR-T")

RITUXIMAB = concept((RXNORM, "121191", "rituximab"), text="rituximab")
CYCLOPHOSPHAMIDE = concept((RXNORM, "3002", "cyclophosphamide"), text="cyclophosphamide")
FLUDARABINE = concept((RXNORM, "24698", "fludarabine"), text="fludarabine")
BENDAMUSTINE = concept((RXNORM, "134547", "bendamustine"), text="bendamustine")
POLATUZUMAB = concept((RXNORM, "2174090", "polatuzumab vedotin"), text="polatuzumab vedotin")
IBRUTINIB = concept((RXNORM, "1442981", "ibrutinib"), text="ibrutinib")
DEXAMETHASONE = concept((RXNORM, "3264", "dexamethasone"), text="dexamethasone")

PHENOTYPE = (LOINC, "101119-6", "Leuk and lymphma immnphntypng Spec")
PATHOLOGY = concept((LOINC, "11526-1", "Pathology study"), text="Surgical pathology report")
MARROW = concept((LOINC, "33721-2", "Mar Path Bx report"), text="Bone marrow pathology report")
DEAUVILLE = concept(
    (SNOMED, "708895006", "Deauville five point scale (assessment scale)"), text="Deauville score"
)
LVEF = concept((LOINC, "10230-1", ""), text="Left ventricular ejection fraction")
HBSAG = concept((LOINC, "5195-3", ""), text="Hepatitis B surface antigen")
ANTI_HBC = concept((LOINC, "16933-4", ""), text="Hepatitis B core antibody")
ECOG = concept((LOINC, "89247-1", "ECOG Performance Status score"), text="ECOG performance status")
CD19_BLOOD = concept((LOINC, "8116-6", "CD19 cells [#/volume] in Blood"), text="CD19 B cells, absolute")
CD19_BLOOD_SHARE = concept((LOINC, "8117-4", "CD19 cells/100 cells in Blood"), text="CD19 B cells, %")

_DEAUVILLE_POINTS = {1: "C99728", 2: "C99747", 3: "C99748", 4: "C99749", 5: "C99750"}


def deauville(point: int) -> dict[str, Any]:
    """The value of a Deauville score with its NCIt interpretation."""
    meaning = concept((NCIT, _DEAUVILLE_POINTS[point], f"London Deauville Criteria Point Scale {point}"))
    return {"valueInteger": point, "interpretation": [meaning]}
