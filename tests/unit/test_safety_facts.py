"""Safety facts: newest value, unit, date and source; findings that exclude (rules 11.12, H-25, H-38)."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.dates import ClinicalDate, parse_date
from mappings.facts import Facts, PatientFacts, Remark, SafetyFact
from mappings.loading import load_knowledge
from mappings.reading import wire
from mappings.reading.chart import Hit
from mappings.reading.facts_of import ChartReader
from mappings.reading.safety_facts import read_safety
from mappings.reading.therapies import read_therapies

READER = ChartReader.of(load_knowledge())
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"


def day(text: str) -> ClinicalDate:
    """A readable date."""
    found = parse_date(text)
    assert found is not None
    return found


AS_OF = day("2026-02-01T12:00:00Z")


def hits_of(*resources: dict[str, Any]) -> list[Hit]:
    """Each resource with the concepts its code names."""
    hits = []
    for n, row in enumerate(resources):
        whole = {"subject": {"reference": "Patient/p"}, "id": f"r{n}"} | row
        resource = msgspec.json.decode(msgspec.json.encode(whole), type=wire.Resource)
        concepts = READER.recogniser.concepts(resource.code or resource.medicationCodeableConcept)
        status = (resource.status or "").strip().lower()
        hits.append(Hit(resource, concepts, f"{resource.resourceType}/{resource.id}", status))
    return hits


def facts_of(*resources: dict[str, Any]) -> Facts:
    """The safety facts of these resources."""
    hits, knowledge, vocabulary = hits_of(*resources), READER.knowledge, READER.vocabulary
    patient = PatientFacts("p")
    therapies, _ = read_therapies(hits, AS_OF, knowledge, vocabulary)
    recognise = READER.recogniser.concepts
    safety, remarks = read_safety(hits, therapies, patient, AS_OF, knowledge, vocabulary, recognise)
    return Facts(patient=patient, seen=(), therapies=therapies, safety=safety, remarks=remarks)


def read(*resources: dict[str, Any]) -> tuple[dict[str, SafetyFact], tuple[Remark, ...]]:
    """The first entry of each fact in a chart of these resources."""
    facts = facts_of(*resources)
    first: dict[str, SafetyFact] = {}
    for fact in facts.safety:
        first.setdefault(fact.fact, fact)
    return first, facts.remarks


def lab(code: str, value: dict[str, Any], when: str = "2026-01-10", **more: Any) -> dict[str, Any]:
    """A laboratory result by LOINC code."""
    return (
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": LOINC, "code": code}]},
            "effectiveDateTime": when,
        }
        | value
        | more
    )


def quantity(value: float | str, unit: str = "", code: str = "", comparator: str = "") -> dict[str, Any]:
    """A valueQuantity with what is given of it."""
    row: dict[str, Any] = {"value": value}
    row |= {"unit": unit} if unit else {}
    row |= {"code": code, "system": UCUM} if code else {}
    row |= {"comparator": comparator} if comparator else {}
    return {"valueQuantity": row}


def problem(text: str, status: str = "active", **more: Any) -> dict[str, Any]:
    """A problem-list entry by text."""
    return {
        "resourceType": "Condition",
        "code": {"text": text},
        "clinicalStatus": {"coding": [{"code": status}]},
    } | more


@pytest.mark.parametrize(
    ("code", "value", "fact", "number", "unit", "shown"),
    [
        ("751-8", quantity(0.4, "K/uL"), "anc", 0.4, "10*9/L", "0.4 K/uL"),
        ("751-8", quantity(400, "/uL"), "anc", 0.4, "10*9/L", "0.4 10*9/L (charted 400 /uL)"),
        (
            "777-3",
            quantity(120, "Thousand per mcL", "10*3/uL"),
            "platelets",
            120,
            "10*9/L",
            "120 Thousand per mcL",
        ),
        ("2160-0", quantity(1.1, "mg/dL"), "creatinine", 1.1, "mg/dL", "1.1 mg/dL"),
        ("14682-9", quantity(88, "umol/L"), "creatinine", 88, "umol/L", "88 umol/L"),
        ("2160-0", quantity(1.1), "creatinine", None, "", "1.1 (unit not given)"),
        ("2160-0", {"valueString": "1,1 mg/dl"}, "creatinine", 1.1, "mg/dL", "1,1 mg/dl"),
        ("2160-0", {"valueString": "1,100 mg/dl"}, "creatinine", None, "", "1,100 mg/dl"),
        ("1742-6", quantity(31, "IU/L"), "alt", 31, "U/L", "31 IU/L"),
        ("1975-2", quantity(0.2, "mg/dL", comparator="<"), "bilirubin", None, "", "<0.2 mg/dL"),
        ("10230-1", quantity(0.55, "", "1"), "lvef", 55, "%", "55 % (charted 0.55 1)"),
        ("11258-1", quantity(2000, "copies/mL"), "hbv-dna", 2000, "copies/mL", "2000 copies/mL"),
        ("89247-1", {"valueInteger": 2}, "ecog", 2, "{score}", "2"),
        ("5195-3", {"valueCodeableConcept": {"text": "Negative"}}, "hbsag", None, "", "Negative"),
        ("5195-3", {"valueString": "non-reactive"}, "hbsag", None, "", "non-reactive"),
    ],
)
def test_values(
    code: str, value: dict[str, Any], fact: str, number: float | None, unit: str, shown: str
) -> None:
    """H-25: value as charted, number in one unit, no number where a doubt is left."""
    found = read(lab(code, value))[0][fact]
    assert found.number == (pytest.approx(number) if number is not None else None)
    assert (found.unit, found.value) == (unit, shown)
    assert found.source.reference == "Observation/r0"
    assert found.when == day("2026-01-10")


@pytest.mark.parametrize(
    ("code", "value", "reason"),
    [
        ("751-8", quantity(65, "%"), "unit-misfit"),
        ("2160-0", quantity(1.1, "U/L"), "unit-misfit"),
        ("10230-1", quantity(550, "%"), "implausible"),
        ("751-8", quantity(-1, "10*9/L"), "implausible"),
    ],
)
def test_values_that_are_not_this_fact(code: str, value: dict[str, Any], reason: str) -> None:
    """H-25: set aside with a reason, never shown as the fact."""
    found, remarks = read(lab(code, value))
    assert not found
    assert reason in {remark.code for remark in remarks}


@pytest.mark.parametrize("status", ["registered", "cancelled", "entered-in-error", "entered-in-error "])
def test_results_that_say_nothing(status: str) -> None:
    """11.6."""
    assert not read(lab("2160-0", quantity(1.1, "mg/dL"), status=status))[0]


def test_newest_value_in_any_order() -> None:
    """The newest dated value stands, the chart's order is no information; nothing from the future."""
    rows = [
        lab("2160-0", quantity(1.0, "mg/dL"), "2026-01-01"),
        lab("2160-0", quantity(2.0, "mg/dL"), "2026-01-20"),
        lab("14682-9", quantity(99, "umol/L"), "2025-12-24"),
        lab("2160-0", quantity(3.0, "mg/dL"), "2026-03-01"),
        {k: v for k, v in lab("2160-0", quantity(4.0, "mg/dL")).items() if k != "effectiveDateTime"},
    ]
    for n, row in enumerate(rows):
        row["id"] = f"x{n}"
    for order in itertools.islice(itertools.permutations(rows), 0, 120, 7):
        found, remarks = read(*order)
        assert found["creatinine"].value == "2.0 mg/dL"
        assert [remark.code for remark in remarks if remark.about == "creatinine"] == ["future"]


def test_component_of_a_panel() -> None:
    """11.15: a panel's parts are results of their own and take its date and status."""
    part = {"code": {"coding": [{"system": LOINC, "code": "777-3"}]}} | quantity(45, "10*9/L")
    panel = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "Complete blood count"},
        "effectiveDateTime": "2026-01-10",
        "component": [part],
    }
    found, _ = read(panel)
    assert found["platelets"].number == 45
    assert found["platelets"].source.element.startswith("component")


def test_result_about_someone_else() -> None:
    """11.14: a donor's result is set aside."""
    row = lab("5195-3", {"valueString": "positive"}, focus=[{"reference": "RelatedPerson/d"}])
    assert not read(row)[0]


@pytest.mark.parametrize(
    ("row", "current"),
    [
        (problem("Pregnancy", onsetDateTime="2025-10-01"), True),
        (problem("Pregnancy"), True),
        (problem("Pregnancy", onsetDateTime="2025-04-12"), False),
        (problem("Pregnancy", onsetDateTime="2025-04-13"), True),
        (problem("Pregnancy", onsetDateTime="2025"), True),
        (problem("Pregnancy", onsetDateTime="2019"), False),
        (problem("Pregnancy", recordedDate="2019-02-01"), False),
        (problem("Pregnancy", "resolved"), False),
        (problem("Pregnancy", "inactive"), False),
        (problem("Pregnancy", abatementDateTime="2026-01-01"), False),
        (problem("Pregnancy", abatementDateTime="2026-06-01"), True),
        (problem("Pregnancy", verificationStatus={"coding": [{"code": "refuted"}]}), False),
        (problem("Pregnancy", verificationStatus={"coding": [{"code": "entered-in-error"}]}), False),
        (problem("Pregnancy", verificationStatus={"coding": [{"code": "provisional"}]}), True),
        (problem("Pregnancy, not otherwise specified"), True),
        (problem("Not pregnant"), False),
        (problem("History of pregnancy"), False),
        (problem("Schwangerschaft"), True),
        (lab("82810-3", {"valueCodeableConcept": {"text": "Pregnant"}}), True),
        (lab("82810-3", {"valueCodeableConcept": {"text": "Not pregnant"}}), False),
        (lab("82810-3", {"valueCodeableConcept": {"text": "Possible pregnancy"}}), False),
        (lab("82810-3", {"valueCodeableConcept": {"text": "Pregnant"}}, "2024-01-10"), False),
        (lab("2106-3", {"valueCodeableConcept": {"text": "Positive"}}), True),
        (lab("2106-3", {"valueCodeableConcept": {"text": "Negative"}}), False),
        (lab("2106-3", {"valueString": "NOT DETECTED"}), False),
    ],
)
def test_current_pregnancy(row: dict[str, Any], current: bool) -> None:
    """11.12: active and, where dated, not older than 42 weeks."""
    found = read(row)[0].get("pregnancy")
    assert (found is not None and found.state == "present") is current


def test_a_negative_test_does_not_end_a_listed_pregnancy() -> None:
    """11.12: the problem list decides; a later test ends only an earlier test or status."""
    test = lab("2106-3", {"valueCodeableConcept": {"text": "Negative"}}, "2026-01-30")
    assert read(problem("Pregnancy", onsetDateTime="2025-12-01"), test)[0]["pregnancy"].state == "present"
    status = lab("82810-3", {"valueCodeableConcept": {"text": "Pregnant"}}, "2025-12-01")
    assert read(status, test)[0]["pregnancy"].state == "absent"
    assert "pregnancy-test" in read(status, test)[0]


@pytest.mark.parametrize(
    ("row", "fact", "state", "words"),
    [
        (problem("Pneumonia"), "active-infection", "present", "Pneumonia"),
        (problem("Deep vein thrombosis", "resolved"), "vte-history", "value", "past"),
        (problem("History of deep vein thrombosis"), "vte-history", "value", "past"),
        (
            problem("Pneumonia", verificationStatus={"coding": [{"code": "provisional"}]}),
            "active-infection",
            "present",
            "unconfirmed",
        ),
        (problem("Gram-negative sepsis"), "active-infection", "present", "Gram-negative sepsis"),
        (problem("Herpes zoster without complications"), "active-infection", "present", "zoster"),
        (problem("Screening for tuberculosis"), "active-infection", "value", "not confirmed"),
    ],
)
def test_findings(row: dict[str, Any], fact: str, state: str, words: str) -> None:
    """Past and unproven findings are shown as such."""
    found = read(row)[0][fact]
    assert found.state == state
    assert words in found.value


@pytest.mark.parametrize(
    "row",
    [
        problem("Pneumonia", "resolved"),
        problem("No active infection"),
        problem("Pneumonia", verificationStatus={"coding": [{"code": "refuted"}]}),
        problem("Family history of tuberculosis"),
        problem("Pneumonia ruled out"),
    ],
)
def test_findings_that_are_none(row: dict[str, Any]) -> None:
    """Resolved, denied, refuted and family findings exclude nothing."""
    assert not read(row)[0]


def test_two_infections_both_stay() -> None:
    """Nothing vanishes behind the newest."""
    rows = [
        problem("Pneumonia", recordedDate="2026-01-02"),
        problem("Herpes zoster", recordedDate="2026-01-09"),
    ]
    facts = facts_of(*rows)
    assert [fact.value for fact in facts.safety if fact.fact == "active-infection"] == [
        "Herpes zoster",
        "Pneumonia",
    ]


@pytest.mark.parametrize(
    ("names", "state"),
    [
        (["BCR::ABL1-positive B-ALL"], "present"),
        (["Philadelphia chromosome-negative precursor B-cell acute lymphoblastic leukemia"], "absent"),
        (["B-cell acute lymphoblastic leukemia"], None),
        (
            [
                "BCR::ABL1-positive B-ALL",
                "Philadelphia chromosome-negative precursor B-cell acute lymphoblastic leukemia",
            ],
            None,
        ),
    ],
)
def test_marker_named_in_the_diagnosis(names: list[str], state: str | None) -> None:
    """Rules 6: only what the chart says; two diagnoses that disagree say nothing."""
    found = read(*(problem(name) for name in names))[0].get("bcr-abl1-status")
    assert (found.state if found else None) == state


def test_earlier_treatments_answer_their_checks() -> None:
    """H-38: PD-1 before transplant, BTK inhibitor, blinatumomab, allogeneic transplant."""

    def drug(name: str) -> dict[str, Any]:
        return {
            "resourceType": "MedicationAdministration",
            "status": "completed",
            "medicationCodeableConcept": {"text": name},
            "effectiveDateTime": "2025-06-01",
        }

    transplant = {
        "resourceType": "Procedure",
        "status": "completed",
        "code": {"text": "Allogeneic stem cell transplant"},
        "performedDateTime": "2023-05-02",
    }
    found, _ = read(
        *(drug(n) for n in ("pembrolizumab", "ibrutinib", "blinatumomab", "bendamustine")), transplant
    )
    for name in (
        "prior-pd1-blockade",
        "recent-checkpoint-inhibitor",
        "prior-btk-inhibitor",
        "prior-bendamustine",
    ):
        assert "01 Jun 2025" in found[name].value
    assert "response not read" in found["prior-blinatumomab-response"].value
    assert "02 May 2023" in found["prior-allo-hct"].value


def test_a_transplant_without_donor_type_is_not_passed_over() -> None:
    """Unknown is never no: it may have been allogeneic."""
    row = {"resourceType": "Condition", "code": {"text": "Stem cell transplant status"}}
    found = read(row)[0]["prior-allo-hct"]
    assert found.state == "value"
    assert "type not stated" in found.value


def test_plans_come_only_from_an_order() -> None:
    """An ordered transplant is a plan; nothing else in a chart is."""
    order = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "code": {"text": "Allogeneic stem cell transplant"},
        "authoredOn": "2026-01-20",
    }
    found, _ = read(order)
    assert "ordered 20 Jan 2026" in found["planned-allo-hct"].value
    assert "prior-allo-hct" not in found


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("FISH: BCR::ABL1 fusion detected", "bcr-abl1-status"),
        ("Cytogenetics. KMT2A rearrangement: positive", "kmt2a-status"),
        ("BCR::ABL1 transcript not detected", None),
        ("No KMT2A rearrangement", None),
        ("KMT2A not tested; CD19 positive", None),
        ("CD19 positive", None),
    ],
)
def test_marker_named_in_a_result(text: str, fact: str | None) -> None:
    """A result may name a marker; one that denies it may only measure residual disease and says nothing."""
    row = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "Genetics"},
        "valueString": text,
    }
    found = read(row)[0]
    assert [name for name in found if name.endswith("-status")] == ([fact] if fact else [])


ROWS = [
    lab("2160-0", quantity(1.0, "mg/dL"), "2026-01-20"),
    lab("2160-0", quantity(2.0, "mg/dL"), "2026-01-20"),
    lab("14682-9", quantity(99, "umol/L"), "2026-01-20T08:00:00Z"),
    lab("777-3", quantity(45, "10*9/L"), "2026-01"),
    lab("777-3", quantity(50, "10*9/L"), "2026-01-05"),
    lab("5195-3", {"valueString": "negative"}),
    problem("Pneumonia", recordedDate="2026-01-02"),
    problem("Herpes zoster"),
    problem("Pregnancy", onsetDateTime="2025-12-01"),
    lab("2106-3", {"valueCodeableConcept": {"text": "Negative"}}, "2026-01-30"),
    {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "medicationCodeableConcept": {"text": "pembrolizumab"},
        "effectiveDateTime": "2025-06-01",
    },
]


@given(st.permutations([row | {"id": f"x{n}"} for n, row in enumerate(ROWS)]), st.integers(0, len(ROWS)))
def test_order_is_no_information(rows: list[dict[str, Any]], cut: int) -> None:
    """The same facts and remarks for any order, also for part of a chart."""
    rows = rows[cut:]
    one, other = facts_of(*rows), facts_of(*sorted(rows, key=lambda row: str(row["id"])))
    assert (one.safety, one.therapies) == (other.safety, other.therapies)
    assert set(one.remarks) == set(other.remarks)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda c: (
            st.lists(c) | st.dictionaries(st.sampled_from(["value", "unit", "text", "coding", "code"]), c)
        ),
        max_leaves=6,
    )
)
def test_any_value_is_survived(value: Any) -> None:
    """Reading never raises on what a sender put into a value."""
    for name in (
        "valueQuantity",
        "valueCodeableConcept",
        "valueString",
        "valueInteger",
        "component",
        "focus",
    ):
        row = lab("2160-0", {name: value})
        try:
            msgspec.json.encode(row)
        except (ValueError, TypeError):
            continue
        facts_of(row)


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        ("MedicationAdministration", "completed", "apixaban"),
        ("MedicationStatement", "active", "apixaban"),
        ("MedicationRequest", "active", "apixaban (ordered)"),
        ("MedicationRequest", "completed", None),
        ("MedicationAdministration", "not-done", None),
        ("MedicationStatement", "not-taken", None),
    ],
)
def test_medicines_that_options_ask_about(kind: str, status: str, words: str | None) -> None:
    """An anticoagulant is named where it is given or on order."""
    row = {
        "resourceType": kind,
        "status": status,
        "medicationCodeableConcept": {"text": "apixaban"},
        "authoredOn" if kind == "MedicationRequest" else "effectiveDateTime": "2026-01-05",
    }
    found = read(row)[0].get("anticoagulant")
    assert (found.value if found else None) == words
