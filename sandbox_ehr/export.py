"""The invented charts for other FHIR servers: one transaction Bundle a patient, safe to send twice, easy to remove."""

from __future__ import annotations

from typing import Any

from sandbox_ehr.patients import Chart

TAG = {
    "system": "https://postcart.org/fhir/CodeSystem/tags",
    "code": "postcart-sandbox",
    "display": "Invented patient of the postcart sandbox",
}


def seed_bundle(chart: Chart) -> dict[str, Any]:
    """A transaction that puts every resource of a chart under its own id, tagged (FHIR R4, transaction, update)."""
    return _transaction(
        {
            "fullUrl": f"https://postcart.org/fhir/{one['resourceType']}/{one['id']}",
            "resource": {**one, "meta": {"tag": [TAG]}},
            "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"},
        }
        for one in chart.resources
    )


def removal_bundle(chart: Chart) -> dict[str, Any]:
    """A transaction that deletes what `seed_bundle` put, what points at others first."""
    return _transaction(
        {"request": {"method": "DELETE", "url": f"{one['resourceType']}/{one['id']}"}}
        for one in sorted(chart.resources, key=_depth, reverse=True)
    )


def _transaction(entries: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


def _depth(one: dict[str, Any]) -> int:
    """How far a resource stands from what others point at: patients and drugs go last."""
    return {"Patient": 0, "Medication": 1, "Specimen": 2}.get(one["resourceType"], 3)
