"""Invented hook requests for load tests: shapes as large EHR vendors send them, seeded, about 1.7 kB per resource.

The codes are for load tests; they are no clinical value set. Charts come in kinds: `negative`, `positive` and
`unknown` call for a card, `silent` holds CAR T in remission, `other` never had CAR T.
"""

from __future__ import annotations

import json
import random
import string
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

KINDS = ("negative", "other", "positive", "silent", "unknown", "other")
SEEDS = 20

_ICD = "http://hl7.org/fhir/sid/icd-10-cm"
_SNOMED = "http://snomed.info/sct"
_LOINC = "http://loinc.org"
_RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
_HCPCS = "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
_CPT = "http://www.ama-assn.org/go/cpt"
_UCUM = "http://unitsofmeasure.org"
_VENDOR = "urn:oid:1.2.840.114350.1.13.99.2.7."
_TERMS = "http://terminology.hl7.org/CodeSystem/"
_BASE = "https://ehr.example.org/api/FHIR/R4/"
_START = datetime(2021, 3, 1, 7, 0, tzinfo=UTC)

_PROBLEMS = (
    ("I10", "59621000", "Essential (primary) hypertension"),
    ("E11.9", "44054006", "Type 2 diabetes mellitus without complications"),
    ("D69.6", "302215000", "Thrombocytopenia, unspecified"),
    ("K21.9", "235595009", "Gastro-esophageal reflux disease without esophagitis"),
    ("N18.30", "433144002", "Chronic kidney disease, stage 3 unspecified"),
    ("G47.33", "78275009", "Obstructive sleep apnea (adult) (pediatric)"),
)
_ACTS = (
    ("36430", "116859006", "Transfusion of blood"),
    ("71046", "399208008", "Chest radiograph, two views"),
    ("93306", "40701008", "Echocardiography, complete"),
    ("96413", "367336001", "Infusion of chemotherapy"),
)
_DRUGS = (
    ("161", "acetaminophen"),
    ("313521", "ondansetron injection"),
    ("11124", "vancomycin"),
    ("25037", "cefepime"),
    ("114477", "levetiracetam"),
)
_LABS = (
    ("6690-2", "Leukocytes [#/volume] in Blood by Automated count", "10*9/L", 0.2, 14.0, "WBC"),
    ("718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL", 6.5, 16.0, "HGB"),
    ("777-3", "Platelets [#/volume] in Blood by Automated count", "10*9/L", 5.0, 450.0, "PLT"),
    ("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "mg/dL", 0.4, 2.5, "CREAT"),
    ("1988-5", "C reactive protein [Mass/volume] in Serum or Plasma", "mg/L", 0.1, 180.0, "CRP"),
    ("2276-4", "Ferritin [Mass/volume] in Serum or Plasma", "ng/mL", 20.0, 9000.0, "FERR"),
    ("2465-3", "IgG [Mass/volume] in Serum or Plasma", "mg/dL", 100.0, 1600.0, "IGG"),
    ("8116-6", "CD19 cells [#/volume] in Blood", "/uL", 0.0, 300.0, "CD19ABS"),
)
_REPORT = {
    "negative": "Lymph node, core biopsy: diffuse large B-cell lymphoma. The lymphoma cells are negative for CD19 "
    "and positive for CD20.",
    "positive": "Lymph node, core biopsy: diffuse large B-cell lymphoma. The lymphoma cells are positive for CD19 "
    "and CD20.",
}


@dataclass(slots=True)
class _Chart:
    """Makes the resources of one patient from one seed."""

    seed: int
    random: random.Random = field(init=False)
    patient: str = field(init=False)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311  load data, not a secret
        self.patient = self.name()

    def name(self) -> str:
        return "e" + "".join(self.random.choices(string.ascii_letters + string.digits, k=23))

    def when(self, low: float = 0.0, high: float = 1.0) -> datetime:
        seconds = 1700 * 86400 * (low + (high - low) * self.random.random())
        return _START + timedelta(seconds=int(seconds))

    def concept(self, text: str, *codings: tuple[str, str]) -> dict[str, Any]:
        local = {
            "system": _VENDOR + "696580",
            "code": str(self.random.randrange(1000, 999999)),
            "display": text.upper(),
        }
        return {
            "coding": [*({"system": s, "code": c, "display": text} for s, c in codings), local],
            "text": text,
        }

    def head(self, kind: str) -> dict[str, Any]:
        number = str(self.random.randrange(10**7, 10**8))
        return {
            "resourceType": kind,
            "id": self.name(),
            "meta": {
                "versionId": "1",
                "lastUpdated": self.when().isoformat(),
                "source": f"urn:uuid:{self.name()}",
            },
            "identifier": [{"use": "usual", "system": _VENDOR + "798268", "value": number}],
            "subject": {"reference": f"Patient/{self.patient}", "display": "Zztest, Synthetic"},
            "encounter": {
                "reference": f"Encounter/{self.name()}",
                "identifier": {"use": "usual", "system": _VENDOR + "698084.8", "value": number},
                "display": "Hospital Encounter",
            },
        }

    def condition(
        self, text: str, *codings: tuple[str, str], status: str = "active", at: datetime
    ) -> dict[str, Any]:
        return {
            **self.head("Condition"),
            "clinicalStatus": {"coding": [{"system": _TERMS + "condition-clinical", "code": status}]},
            "verificationStatus": {
                "coding": [{"system": _TERMS + "condition-ver-status", "code": "confirmed"}]
            },
            "category": [
                {"coding": [{"system": _TERMS + "condition-category", "code": "problem-list-item"}]}
            ],
            "code": self.concept(text, *codings),
            "onsetDateTime": at.date().isoformat(),
            "recordedDate": at.date().isoformat(),
        }

    def procedure(self, text: str, *codings: tuple[str, str], at: datetime) -> dict[str, Any]:
        return {
            **self.head("Procedure"),
            "status": "completed",
            "code": self.concept(text, *codings),
            "performedPeriod": {"start": at.isoformat(), "end": (at + timedelta(minutes=45)).isoformat()},
            "performer": [
                {"actor": {"reference": f"Practitioner/{self.name()}", "display": "Physician, MD"}}
            ],
            "location": {"reference": f"Location/{self.name()}", "display": "Outpatient infusion"},
            "note": [{"text": "Procedure note held in the source system."}],
        }

    def administration(self, text: str, *codings: tuple[str, str], at: datetime) -> dict[str, Any]:
        return {
            **self.head("MedicationAdministration"),
            "status": "completed",
            "medicationCodeableConcept": self.concept(text, *codings),
            "effectiveDateTime": at.isoformat(),
            "request": {"reference": f"MedicationRequest/{self.name()}", "display": text},
            "dosage": {
                "route": self.concept("Intravenous", (_SNOMED, "47625008")),
                "dose": {
                    "value": self.random.choice((4, 10, 100, 500)),
                    "unit": "mg",
                    "system": _UCUM,
                    "code": "mg",
                },
            },
        }

    def observation(self) -> dict[str, Any]:
        code, text, unit, low, high, short = self.random.choice(_LABS)
        at = self.when()
        quantity = {"unit": unit, "system": _UCUM, "code": unit}
        return {
            **self.head("Observation"),
            "basedOn": [{"reference": f"ServiceRequest/{self.name()}", "display": "Laboratory panel"}],
            "status": "final",
            "category": [
                {
                    "coding": [{"system": _TERMS + "observation-category", "code": "laboratory"}],
                    "text": "Laboratory",
                },
                {"coding": [{"system": _VENDOR + "30000", "code": "Lab", "display": "Lab"}], "text": "Lab"},
            ],
            "code": {**self.concept(text, (_LOINC, code)), "text": short},
            "effectiveDateTime": at.isoformat(),
            "issued": (at + timedelta(hours=3)).isoformat(),
            "valueQuantity": {"value": round(low + (high - low) * self.random.random(), 2), **quantity},
            "interpretation": [
                {"coding": [{"system": _TERMS + "v3-ObservationInterpretation", "code": "N"}]}
            ],
            "referenceRange": [{"low": {"value": low, **quantity}, "high": {"value": high, **quantity}}],
        }

    def report(self, text: str, at: datetime) -> dict[str, Any]:
        return {
            **self.head("DiagnosticReport"),
            "status": "final",
            "code": self.concept("Surgical pathology report", (_LOINC, "11526-1")),
            "effectiveDateTime": at.isoformat(),
            "issued": (at + timedelta(days=2)).isoformat(),
            "conclusion": text,
        }

    def person(self) -> dict[str, Any]:
        return {
            "resourceType": "Patient",
            "id": self.patient,
            "active": True,
            "identifier": [
                {"use": "usual", "system": _VENDOR + "737384.14", "value": str(self.random.randrange(10**6))}
            ],
            "name": [{"use": "official", "family": "Zztest", "given": ["Synthetic"]}],
            "gender": self.random.choice(("male", "female")),
            "birthDate": f"{self.random.randrange(1945, 2000)}-0{self.random.randrange(1, 10)}-11",
        }


def _key_resources(chart: _Chart, kind: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in _TYPES}
    if kind == "other":
        return found
    lymphoma = ("Diffuse large B-cell lymphoma, lymph nodes of multiple sites", (_ICD, "C83.38"))
    status = "remission" if kind == "silent" else "relapse"
    onset = chart.when(0.05, 0.2)
    made = chart.condition(*lymphoma, status=status, at=onset)
    if status == "relapse":
        made["recordedDate"] = chart.when(0.85, 0.95).date().isoformat()
    found["Condition"].append(made)
    given = chart.administration("axicabtagene ciloleucel", (_HCPCS, "Q2041"), at=chart.when(0.5, 0.6))
    found["MedicationAdministration"].append(given)
    if kind in _REPORT:
        found["DiagnosticReport"].append(chart.report(_REPORT[kind], chart.when(0.86, 0.96)))
    return found


_TYPES = {
    "Condition": "conditions",
    "Procedure": "procedures",
    "Observation": "observations",
    "MedicationAdministration": "medicationAdministrations",
    "MedicationRequest": "medicationRequests",
    "DiagnosticReport": "reports",
}


def hook_request(resources: int, seed: int, kind: str = "negative") -> dict[str, Any]:
    """A whole patient-view request with `resources` resources, the Patient among them."""
    chart = _Chart(seed)
    found = _key_resources(chart, kind)
    left = resources - 1 - sum(map(len, found.values()))
    pick = chart.random
    for _ in range(int(left * 0.12)):
        icd, snomed, text = pick.choice(_PROBLEMS)
        found["Condition"].append(chart.condition(text, (_ICD, icd), (_SNOMED, snomed), at=chart.when()))
    for _ in range(int(left * 0.10)):
        cpt, snomed, text = pick.choice(_ACTS)
        found["Procedure"].append(chart.procedure(text, (_CPT, cpt), (_SNOMED, snomed), at=chart.when()))
    for _ in range(int(left * 0.18)):
        rxnorm, text = pick.choice(_DRUGS)
        found["MedicationAdministration"].append(
            chart.administration(text, (_RXNORM, rxnorm), at=chart.when())
        )
    while sum(map(len, found.values())) < resources - 1:
        found["Observation"].append(chart.observation())
    for one in found.values():
        pick.shuffle(one)
    prefetch = {_TYPES[name]: _bundle(name, one) for name, one in found.items()}
    number = f"{pick.getrandbits(128):032x}"
    instance = "-".join((number[:8], number[8:12], "4" + number[13:16], "a" + number[17:20], number[20:]))
    context = {"userId": "Practitioner/bench", "patientId": chart.patient, "encounterId": chart.name()}
    return {
        "hook": "patient-view",
        "hookInstance": instance,
        "context": context,
        "prefetch": {"patient": chart.person(), **prefetch},
    }


def _bundle(name: str, resources: list[dict[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(resources),
        "link": [{"relation": "self", "url": f"{_BASE}{name}?patient=x"}],
    }
    if resources:
        made["entry"] = [
            {"fullUrl": f"{_BASE}{name}/{one['id']}", "resource": one, "search": {"mode": "match"}}
            for one in resources
        ]
    return made


def bodies(resources: int, seeds: int = SEEDS) -> list[bytes]:
    """The request bodies of one size, kinds and seeds in rotation, in the compact form a sender uses."""
    return [
        json.dumps(hook_request(resources, seed, KINDS[seed % len(KINDS)]), separators=(",", ":")).encode()
        for seed in range(seeds)
    ]
