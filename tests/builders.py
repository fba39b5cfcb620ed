"""Small FHIR R4 resources of an invented patient, whole charts of them, and what the core makes of a chart.

Nobody here exists. A builder returns a plain dict that a test may bend further; extra keyword arguments are
laid over the resource as they are.
"""

# ruff: noqa: A002  (`id` is the name of the FHIR element)

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from mappings.evaluate import evaluate
from mappings.evaluation import Evaluation
from mappings.facts import Antigen
from mappings.loading import Knowledge, load_knowledge
from mappings.reading.decode import Decoded, decode_request

PATIENT = "syn-1"
AS_OF = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
INFUSED, RELAPSED = "2025-01-10", "2025-09-20"

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
CPT = "http://www.ama-assn.org/go/cpt"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
NDC = "http://hl7.org/fhir/sid/ndc"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
UCUM = "http://unitsofmeasure.org"
EPIC_CODES = "urn:oid:1.2.840.114350.1.13.0.1.7.2.657369"

TYPES = {
    "conditions": "Condition",
    "procedures": "Procedure",
    "observations": "Observation",
    "medicationAdministrations": "MedicationAdministration",
    "medicationRequests": "MedicationRequest",
    "serviceRequests": "ServiceRequest",
    "reports": "DiagnosticReport",
}
Resource = dict[str, Any]


def concept(text: str | None = None, *codings: tuple[str | None, str]) -> Resource:
    """A CodeableConcept of a text and (system, code) pairs."""
    made: Resource = {"coding": [{"system": system, "code": code} for system, code in codings]}
    if text is not None:
        made["text"] = text
    return made


def _named(code: Resource | str) -> Resource:
    return concept(code) if isinstance(code, str) else code


def _resource(kind: str, id: str, **elements: Any) -> Resource:
    made = {"resourceType": kind, "id": id, "subject": {"reference": f"Patient/{PATIENT}"}, **elements}
    return {name: value for name, value in made.items() if value is not None}


def patient(id: str = PATIENT, **elements: Any) -> Resource:
    """The Patient; born 1960 unless told otherwise."""
    return {"resourceType": "Patient", "id": id, "birthDate": "1960-05-05", "gender": "female", **elements}


def _status_concept(system: str, code: str) -> Resource:
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}


def condition(
    code: Resource | str = "Diffuse large B-cell lymphoma",
    clinical: str | None = "relapse",
    verification: str | None = "confirmed",
    id: str = "disease",
    **elements: Any,
) -> Resource:
    """A problem-list entry, a relapsed DLBCL unless told otherwise."""
    return _resource(
        "Condition",
        id,
        code=_named(code),
        clinicalStatus=_status_concept("condition-clinical", clinical) if clinical else None,
        verificationStatus=_status_concept("condition-ver-status", verification) if verification else None,
        **elements,
    )


def procedure(
    code: Resource | str = "Axicabtagene ciloleucel infusion",
    when: str | None = INFUSED,
    status: str = "completed",
    id: str = "car",
    **elements: Any,
) -> Resource:
    """A Procedure, an axi-cel infusion unless told otherwise."""
    return _resource("Procedure", id, status=status, code=_named(code), performedDateTime=when, **elements)


def administration(
    drug: Resource | str, when: str | None, status: str = "completed", id: str = "drug", **elements: Any
) -> Resource:
    """A MedicationAdministration."""
    return _resource(
        "MedicationAdministration",
        id,
        status=status,
        medicationCodeableConcept=_named(drug),
        effectiveDateTime=when,
        **elements,
    )


def order(drug: Resource | str, when: str = RELAPSED, id: str = "order", **elements: Any) -> Resource:
    """A MedicationRequest."""
    return _resource(
        "MedicationRequest",
        id,
        status="active",
        intent="order",
        medicationCodeableConcept=_named(drug),
        authoredOn=when,
        **elements,
    )


def observation(
    code: Resource | str,
    value: Any = None,
    when: str | None = RELAPSED,
    specimen: str | None = None,
    method: str | None = None,
    status: str = "final",
    id: str = "obs",
    **elements: Any,
) -> Resource:
    """An Observation; a text value becomes a coded text, a dict a value[x] element by its own name."""
    values = {"valueCodeableConcept": {"text": value}} if isinstance(value, str) else (value or {})
    return _resource(
        "Observation",
        id,
        status=status,
        code=_named(code),
        effectiveDateTime=when,
        specimen={"display": specimen} if specimen else None,
        method={"text": method} if method else None,
        **values,
        **elements,
    )


def stain(
    state: Any = "Positive",
    antigen: str = "CD19",
    when: str | None = RELAPSED,
    id: str | None = None,
    **elements: Any,
) -> Resource:
    """An immunostain on a lymph node biopsy."""
    elements = {"specimen": "Lymph node, core biopsy", "method": "Immunohistochemistry", **elements}
    return observation(f"{antigen} by IHC", state, when, id=id or f"{antigen.lower()}-ihc", **elements)


def flow(
    state: Any = "Positive",
    antigen: str = "CD19",
    when: str | None = RELAPSED,
    id: str | None = None,
    **elements: Any,
) -> Resource:
    """A flow result on blasts of the marrow."""
    elements = {"specimen": "Bone marrow aspirate", "method": "Flow cytometry", **elements}
    return observation(f"{antigen} on blasts", state, when, id=id or f"{antigen.lower()}-flow", **elements)


def percent(number: Any, comparator: str | None = None, unit: str = "%", code: str | None = "%") -> Resource:
    """A value element that holds a share of cells."""
    quantity = {"value": number, "comparator": comparator, "unit": unit, "system": UCUM, "code": code}
    return {"valueQuantity": {name: part for name, part in quantity.items() if part is not None}}


def interpreted(code: str) -> Resource:
    """A value-less result that carries only an interpretation flag."""
    return {"interpretation": [concept(None, (INTERPRETATION, code))]}


def report(
    conclusion: str | None,
    when: str | None = RELAPSED,
    name: Resource | str = "Surgical pathology report",
    status: str = "final",
    specimen: str | None = "Lymph node, core biopsy",
    id: str = "report",
    **elements: Any,
) -> Resource:
    """A DiagnosticReport with a conclusion."""
    return _resource(
        "DiagnosticReport",
        id,
        status=status,
        code=_named(name),
        effectiveDateTime=when,
        conclusion=conclusion,
        specimen=[{"display": specimen}] if specimen else None,
        **elements,
    )


def pet(conclusion: str, when: str = RELAPSED, id: str = "pet", **elements: Any) -> Resource:
    """An imaging report."""
    return report(conclusion, when, "PET/CT", specimen=None, id=id, **elements)


def specimen(kind: str, collected: str | None = None, id: str = "spec", **elements: Any) -> Resource:
    """A Specimen with type and collection time."""
    collection = {"collectedDateTime": collected} if collected else None
    return _resource("Specimen", id, type=concept(kind), collection=collection, **elements)


def outcome(*codes: str, severity: str = "warning") -> Resource:
    """An OperationOutcome with an EHR's own codes."""
    issue = {"severity": severity, "code": "processing"}
    if codes:
        issue["details"] = {"coding": [{"system": EPIC_CODES, "code": code} for code in codes]}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def bundle(resources: Iterable[Resource], kind: str | None = None, **elements: Any) -> Resource:
    """A searchset, complete unless `elements` say otherwise; outcomes come as such."""
    entries = []
    for made in resources:
        mode = "outcome" if made.get("resourceType") == "OperationOutcome" else "match"
        entries.append({"resource": made, "search": {"mode": mode}})
    whole: Resource = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": sum(entry["search"]["mode"] == "match" for entry in entries),
        "entry": entries,
    }
    if kind:
        whole["link"] = [{"relation": "self", "url": f"https://fhir.example.org/r4/{kind}?patient={PATIENT}"}]
    return {**whole, **elements}


def prefetch(*resources: Resource, **keys: Any) -> Resource:
    """Prefetch of a whole chart: complete searchsets of every type read; `keys` replace, `...` removes a key."""
    made: Resource = {"patient": next((r for r in resources if r["resourceType"] == "Patient"), patient())}
    known = set(TYPES.values()) | {"Patient"}
    for key, kind in TYPES.items():
        made[key] = bundle([r for r in resources if r["resourceType"] == kind], kind)
    others = [r for r in resources if r["resourceType"] not in known]
    if others:
        made["others"] = bundle(others)
    made.update(keys)
    return {key: value for key, value in made.items() if value is not ...}


def body(given: Mapping[str, Any], patient_id: str = PATIENT) -> bytes:
    """The bytes of a hook request around a prefetch."""
    request = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/syn", "patientId": patient_id},
        "prefetch": given,
    }
    return json.dumps(request, ensure_ascii=False).encode()


@lru_cache(maxsize=1)
def knowledge() -> Knowledge:
    """The knowledge that ships."""
    return load_knowledge()


def judge_bytes(
    raw: bytes | Decoded, patient_id: str = PATIENT, as_of: datetime = AS_OF, using: Knowledge | None = None
) -> Evaluation:
    """What the core makes of a request."""
    decoded = decode_request(raw) if isinstance(raw, bytes) else raw
    return evaluate(decoded, using or knowledge(), patient_id=patient_id, as_of=as_of)


def judge(
    *resources: Resource, as_of: datetime = AS_OF, using: Knowledge | None = None, **keys: Any
) -> Evaluation:
    """What the core makes of a chart of these resources."""
    return judge_bytes(body(prefetch(*resources, **keys)), as_of=as_of, using=using)


def relapsed(*resources: Resource, **more: Any) -> Evaluation:
    """The same, with a relapsed DLBCL and an axi-cel infusion added."""
    return judge(condition(), procedure(), *resources, **more)


def relapsed_ball(*resources: Resource, **more: Any) -> Evaluation:
    """The same, with a relapsed B-ALL and a tisa-cel infusion."""
    disease = condition("B-cell acute lymphoblastic leukemia")
    return judge(disease, procedure("Tisagenlecleucel infusion"), *resources, **more)


def state(made: Evaluation, antigen: str = "CD19") -> str:
    """The state of one antigen as judged."""
    return made.assessment.antigen(Antigen(antigen)).state.value


def category(made: Evaluation) -> str:
    """The category as judged."""
    return made.assessment.category.value


def codes_of(made: Evaluation, *kinds: str) -> set[str]:
    """The codes of the remarks of some kinds; of all kinds where none is named."""
    rows = (
        *made.assessment.set_aside,
        *made.assessment.unread,
        *made.assessment.conflicts,
        *made.assessment.remarks,
    )
    return {row.code for row in rows if not kinds or row.kind in kinds}


def outcomes(made: Evaluation) -> dict[str, str]:
    """Each question of the trail with its outcome."""
    return {step.criterion: step.outcome.value for step in made.assessment.trail}
