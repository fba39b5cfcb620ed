"""No chart makes the service slow out of proportion: twice the input takes little more than twice the time."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cds_hooks.listing import RELAPSE
from cds_hooks.service import HookCall, HookService
from mappings.loading import load_knowledge
from smart_app.judges import Judges
from smart_app.settings import parse_moment

BENCH = Path(__file__).parents[2] / "bench"
PATIENT = {"resourceType": "Patient", "id": "p"}
SUBJECT = {"subject": {"reference": "Patient/p"}}
LYMPHOMA = {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "C83.38"}
AXI_CEL = {"system": "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "code": "Q2041"}


@pytest.fixture(scope="module")
def service() -> HookService:
    knowledge = load_knowledge()
    return HookService(
        judge=Judges(knowledge, ("US", "EU")).of,
        public_url=lambda: "http://127.0.0.1:1",
        as_of=parse_moment("2026-02-01T12:00:00Z"),
        opened=True,
    )


def request(**found: list[dict[str, Any]]) -> bytes:
    """A request with a lymphoma, axi-cel and whatever more is found."""
    condition = {
        "resourceType": "Condition",
        "id": "c",
        **SUBJECT,
        "code": {"coding": [LYMPHOMA]},
        "clinicalStatus": {"coding": [{"code": "relapse"}]},
        "recordedDate": "2025-10-01",
    }
    infusion = {
        "resourceType": "MedicationAdministration",
        "id": "m",
        **SUBJECT,
        "status": "completed",
        "effectiveDateTime": "2025-01-01",
        "medicationCodeableConcept": {"coding": [AXI_CEL]},
    }
    keys = {
        "conditions": [condition],
        "medicationAdministrations": [infusion],
        "procedures": [],
        "observations": [],
    }
    prefetch: dict[str, Any] = {"patient": PATIENT}
    for key, resources in {**keys, "reports": [], **found}.items():
        entries = [{"resource": resource} for resource in resources]
        prefetch[key] = {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(entries),
            "entry": entries,
        }
    return json.dumps(
        {
            "hook": "patient-view",
            "hookInstance": "00000000-0000-4000-8000-000000000000",
            "context": {"userId": "Practitioner/x", "patientId": "p"},
            "prefetch": prefetch,
        }
    ).encode()


def report(text: str) -> list[dict[str, Any]]:
    head = {
        "resourceType": "DiagnosticReport",
        "id": "r",
        "status": "final",
        "effectiveDateTime": "2025-10-01",
    }
    return [{**head, **SUBJECT, "code": {"text": "Surgical pathology report"}, "conclusion": text}]


def results(count: int) -> list[dict[str, Any]]:
    head = {
        "resourceType": "Observation",
        "status": "final",
        **SUBJECT,
        "code": {"text": "CD19 on lymphoma cells"},
    }
    return [
        {**head, "id": f"o{n}", "effectiveDateTime": f"2025-10-{1 + n % 28:02d}", "valueString": "positive"}
        for n in range(count)
    ]


GROWING: dict[str, Callable[[int], bytes]] = {
    "report of one endless sentence": lambda n: request(
        reports=report("lymphoma cells CD19 negative relapse " * n)
    ),
    "report of many sentences": lambda n: request(reports=report("Lymphoma cells are CD19 negative. " * n)),
    "report of nested brackets": lambda n: request(reports=report("CD19 (" * n)),
    "report of markers": lambda n: request(reports=report("CD19+ CD20- CD22+/- " * n)),
    "antigen results": lambda n: request(observations=results(n // 4)),
    "infusions": lambda n: request(
        medicationAdministrations=[
            {
                "resourceType": "MedicationAdministration",
                "id": f"m{number}",
                **SUBJECT,
                "status": "completed",
                "effectiveDateTime": f"20{10 + number % 15}-0{1 + number % 9}-01",
                "medicationCodeableConcept": {"coding": [AXI_CEL]},
            }
            for number in range(n // 4)
        ]
    ),
}


@pytest.mark.parametrize("name", GROWING)
def test_twice_the_input_takes_about_twice_the_time(service: HookService, name: str) -> None:
    """Measured in processor time, the quickest of a few runs, so that a busy machine does not decide (R-10)."""
    make = GROWING[name]
    small, large = (_quickest(service, make(size)) for size in (600, 1200))
    assert large <= 0.05 or large <= 3 * small, f"{small:.3f} s and {large:.3f} s"
    assert large < 2


def _quickest(service: HookService, body: bytes) -> float:
    times = []
    for _ in range(3):
        started = time.process_time()
        service.answer(HookCall(body, RELAPSE))
        times.append(time.process_time() - started)
        if times[-1] > 2:
            break
    return min(times)


def test_unselected_charts_stay_silent(service: HookService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts without CAR T, which are nearly all charts, never give a card (hazard H-43)."""
    monkeypatch.syspath_prepend(str(BENCH))
    payloads = __import__("payloads")
    try:
        bodies = [json.dumps(payloads.hook_request(60, seed, "other")).encode() for seed in range(200)]
    finally:
        sys.modules.pop("payloads", None)
    assert statistics.mean(len(service.answer(HookCall(body, RELAPSE)).kinds) for body in bodies) == 0
