"""All resources of the box, by type and id and by patient, with the drafts that orders add."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from sandbox_ehr.patients import Chart

Resource = dict[str, Any]
USER_ID = "zz-example"
USER_NAME = "Dr Example, haematology"
_USER: Resource = {
    "resourceType": "Practitioner",
    "id": USER_ID,
    "name": [{"family": "Example", "prefix": ["Dr"]}],
}


class Records:
    """The charts in memory; safe for several threads, drafts are the only thing that changes."""

    def __init__(self, charts: Iterable[Chart]) -> None:
        self.charts = {chart.story.patient_id: chart for chart in charts}
        self._lock = threading.Lock()
        self._by_type: dict[str, dict[str, Resource]] = {"Practitioner": {USER_ID: _USER}}
        self._owner: dict[tuple[str, str], str] = {}
        self._drafts = 0
        for patient, chart in self.charts.items():
            for resource in chart.resources:
                self._put(resource, patient)

    def _put(self, resource: Resource, patient: str) -> None:
        self._by_type.setdefault(resource["resourceType"], {})[resource["id"]] = resource
        self._owner[resource["resourceType"], resource["id"]] = patient

    def get(self, kind: str, name: str) -> Resource | None:
        """One resource, or None."""
        return self._by_type.get(kind, {}).get(name)

    def owner(self, kind: str, name: str) -> str:
        """The patient in whose chart a resource lies; empty for what belongs to nobody."""
        return self._owner.get((kind, name), "")

    def of_type(self, kind: str, patients: frozenset[str] | None = None) -> list[Resource]:
        """Resources of a type in the order they were written, of some patients or of all."""
        with self._lock:
            every = list(self._by_type.get(kind, {}).values())
        if patients is None:
            return every
        return [one for one in every if self._owner.get((kind, one["id"])) in patients]

    def shape(self, patient: str) -> str:
        """Whose habits the answers about a patient follow."""
        chart = self.charts.get(patient)
        return chart.story.shape if chart else "hapi"

    def add_draft(self, resource: Resource, patient: str) -> Resource:
        """Stores a draft order under a new id and gives it back."""
        with self._lock:
            self._drafts += 1
            stored = {"resourceType": resource["resourceType"], "id": f"draft-{self._drafts}"}
            stored.update({key: value for key, value in resource.items() if key not in stored})
            self._put(stored, patient)
        return stored

    def orders(self, patient: str, status: str) -> list[Resource]:
        """What was ordered in this box for a patient and stands at a status."""
        found = []
        for kind in ("MedicationRequest", "ServiceRequest"):
            for one in self.of_type(kind, frozenset((patient,))):
                if one["id"].startswith("draft-") and one["status"] == status:
                    found.append(one)
        return sorted(found, key=lambda one: int(one["id"].removeprefix("draft-")))

    def sign(self, kind: str, name: str) -> None:
        """Turns a draft into an active order."""
        with self._lock:
            if (one := self.get(kind, name)) is not None and one["status"] == "draft":
                self._by_type[kind][name] = {**one, "status": "active"}

    def remove(self, kind: str, name: str) -> None:
        """Takes a draft away; anything else stays."""
        with self._lock:
            one = self.get(kind, name)
            if one is not None and name.startswith("draft-") and one["status"] == "draft":
                del self._by_type[kind][name]
                del self._owner[kind, name]
