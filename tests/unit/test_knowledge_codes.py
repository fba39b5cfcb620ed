"""A coding is found however a hospital writes it, and never guessed."""

from __future__ import annotations

import pytest

from mappings.loading import Knowledge, load_knowledge
from mappings.loading.codes import ndc_keys

CPT = "http://www.ama-assn.org/go/cpt"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
NDC = "http://hl7.org/fhir/sid/ndc"


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return load_knowledge()


def ids(knowledge: Knowledge, system: str | None, code: str | None) -> list[str]:
    return [concept.id for concept in knowledge.lookup(system, code)]


@pytest.mark.parametrize(
    "system",
    [
        PCS,
        "http://terminology.hl7.org/CodeSystem/icd10PCS",
        "http://hl7.org/fhir/sid/icd-10-pcs",
        "http://www.icd10data.com/icd10pcs",
        "urn:oid:2.16.840.1.113883.6.4",
        " http://www.cms.gov/Medicare/Coding/ICD10/ ",
        "HTTP://WWW.CMS.GOV/medicare/coding/icd10",
        "http: //www.cms.gov/Medicare/Coding/ICD10",
    ],
)
def test_icd_10_pcs_under_each_accepted_name(knowledge: Knowledge, system: str) -> None:
    assert ids(knowledge, system, "XW033H7") == ["axicabtagene-ciloleucel"]
    assert ids(knowledge, system, " xw033h7 ") == ["axicabtagene-ciloleucel"]
    assert knowledge.normalise_system(system) == PCS


@pytest.mark.parametrize(
    "system", [HCPCS, HCPCS.replace("http:", "https:"), "http://www.nlm.nih.gov/research/umls/hcpcs", CPT]
)
def test_hcpcs_also_under_cpt(knowledge: Knowledge, system: str) -> None:
    assert ids(knowledge, system, "Q2041") == ["axicabtagene-ciloleucel"]
    assert ids(knowledge, system, "q2056") == ["ciltacabtagene-autoleucel"]
    assert ids(knowledge, system, "0540t") == ["car-t-administration"]
    assert ids(knowledge, system, "38225") == ["car-t-not-infusion"]
    assert ids(knowledge, system, "38242") == ["car-t-not-infusion"]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("0078-0846-19", ["tisagenlecleucel"]),
        ("00078084619", ["tisagenlecleucel"]),
        ("00078-0846-19", ["tisagenlecleucel"]),
        ("0078084619", ["tisagenlecleucel"]),
        ("0078-0846", ["tisagenlecleucel"]),
        ("71287-119-02", ["axicabtagene-ciloleucel"]),
        ("83205-0001-2", ["afamitresgene-autoleucel"]),
        ("79952-110-01", ["loncastuximab-tesirine"]),
        ("9999-1234-01", []),
        ("0078", []),
        ("tisagenlecleucel", []),
        ("", []),
    ],
)
def test_ndc_in_each_written_form(knowledge: Knowledge, code: str, found: list[str]) -> None:
    assert ids(knowledge, NDC, code) == found


def test_a_bare_ten_digit_ndc_has_three_readings() -> None:
    assert list(ndc_keys("0078084619"))[::2] == ["00078084619", "00780084619", "00780846109"]
    assert list(ndc_keys("12-x-3")) == []


@pytest.mark.parametrize(
    ("system", "code"),
    [
        (None, None),
        ("", "C83.3"),
        (ICD, None),
        (ICD, " "),
        (ICD, "C99.9"),
        ("urn:oid:1.2.840.114350.1.13.0.1.7.2.696580", "90021"),
        ("http://snomed.info/sct", "XW033H7"),
        (PCS, "XW033N7"),
        (PCS, "XW0338A"),
        ("http://loinc.org", "40553-0"),
    ],
)
def test_what_is_not_known_stays_unknown(knowledge: Knowledge, system: str | None, code: str | None) -> None:
    assert knowledge.lookup(system, code) == ()


def test_an_unknown_system_is_kept_as_charted(knowledge: Knowledge) -> None:
    assert knowledge.normalise_system(" urn:oid:1.2.3 ") == "urn:oid:1.2.3"
    assert knowledge.normalise_system(None) == ""


def test_icd_without_its_dot(knowledge: Knowledge) -> None:
    assert ids(knowledge, ICD, "c8338") == ["dlbcl"]
    alias = "http://terminology.hl7.org/CodeSystem/icd10CM"
    assert ids(knowledge, alias, "C83.390") == ["primary-cns-lymphoma"]


def test_history_codes_are_no_disease(knowledge: Knowledge) -> None:
    assert ids(knowledge, ICD, "Z85.72") == ["diagnosis-history"]
    assert ids(knowledge, ICD, "Z85.3") == ["diagnosis-history"]
    assert ids(knowledge, ICD, "Z80.7") == ["family-history"]
    assert knowledge.lookup(ICD, "Z80.7")[0].flag("family")
    assert ids(knowledge, ICD, "Z92.850") == ["car-t-history"]
    assert ids(knowledge, ICD, "Z92.858") == ["cellular-history-other"]


@pytest.mark.parametrize(
    ("phrase", "concept"),
    [
        ("yescarta", "axicabtagene-ciloleucel"),
        ("axicel", "axicabtagene-ciloleucel"),
        ("kte-x19", "brexucabtagene-autoleucel"),
        ("jcar017", "lisocabtagene-maraleucel"),
        ("auto1", "obecabtagene-autoleucel"),
        ("bb2121", "idecabtagene-vicleucel"),
        ("anti-cd19 chimeric antigen receptor", "car-t-cd19"),
        ("tandem cd19/cd20 car t", "car-t-cd19-cd20"),
        ("cd22 car-t", "car-t-cd22"),
        ("evaluation for yescarta", "car-t-not-infusion"),
        ("leukapheresis", "car-t-not-infusion"),
        ("anti-cd19 car t cells: positive", "car-t-persistence"),
        ("odronextamab", "odronextamab"),
        ("pirtobrutinib", "pirtobrutinib"),
        ("diffus-großzelliges b-zell-lymphom", "dlbcl"),
        ("lymphome folliculaire", "fl"),
        ("linfoma mantellare", "mcl"),
        ("linfoma difuso de células b grandes", "dlbcl"),
        ("primary mediastinal large b-cell lymphoma", "pmbcl"),
        ("lineage switch", "lineage-switch"),
        ("spo2", "spo2"),
        ("qtc", "qtc"),
    ],
)
def test_phrases_name_their_concept(knowledge: Knowledge, phrase: str, concept: str) -> None:
    assert [c.id for text, c in knowledge.synonyms if text == phrase] == [concept]
