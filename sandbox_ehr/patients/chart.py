"""What a chart is made of: a story with its expected answer, and resources in one vendor's shape."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from sandbox_ehr.patients.codes import (
    CLINICAL,
    EPIC_LABS,
    OBSERVATION_CATEGORY,
    ORACLE_CODE_SET,
    VERIFICATION,
    concept,
)

Resource = dict[str, Any]


class Shape(StrEnum):
    """Whose habits a chart follows: how codes, dates, references and empty answers look."""

    EPIC = "epic"
    ORACLE = "oracle"
    HAPI = "hapi"


@dataclass(frozen=True, slots=True)
class Story:
    """One invented person, what happened, and what a careful reader would conclude.

    `line` stands in the patient list, `story` at the head of the chart, `category` and `antigens` are the
    expected answer in the words of the card extension.
    """

    key: str
    given: str
    gender: str
    birth: date
    record: str
    line: str
    story: str
    category: str
    shape: Shape = Shape.HAPI
    antigens: Mapping[str, str] = field(default_factory=dict)
    branch: str | None = None

    @property
    def patient_id(self) -> str:
        """The logical id of the Patient resource."""
        return f"zztest-{self.key}"


@dataclass(frozen=True, slots=True)
class Chart:
    """A story and every resource of its chart, the Patient first."""

    story: Story
    resources: tuple[Resource, ...]

    @property
    def patient(self) -> Resource:
        """The Patient resource."""
        return self.resources[0]


class ChartMaker:
    """Collects the resources of one chart; days are counted backwards from `today`."""

    def __init__(self, story: Story, today: date) -> None:
        self.story = story
        self.today = today
        self._resources: list[Resource] = []
        self._patient()

    def chart(self) -> Chart:
        """The finished chart."""
        return Chart(self.story, tuple(self._resources))

    def add(self, kind: str, resource: Resource) -> str:
        """Adds a resource with the next id and, where it has none, this patient as subject; gives its reference."""
        number = sum(1 for one in self._resources if one["resourceType"] == resource["resourceType"]) + 1
        name = resource["resourceType"]
        whole: Resource = {"resourceType": name, "id": f"{self.story.key}-{kind}{number}"}
        whole.update({key: value for key, value in resource.items() if key != "resourceType"})
        if name not in ("Medication",):
            whole.setdefault("subject", self.subject())
        self._resources.append(whole)
        return f"{name}/{whole['id']}"

    def subject(self) -> Resource:
        """The reference to the patient; Epic's carries the name beside it."""
        reference: Resource = {"reference": f"Patient/{self.story.patient_id}"}
        if self.story.shape is Shape.EPIC:
            reference["display"] = f"ZZTEST, {self.story.given}"
        return reference

    def when(self, ago: int, hour: int = 9) -> str:
        """A day as this vendor writes it: a bare date, or a moment in UTC."""
        day = self.today - timedelta(days=ago)
        return f"{day.isoformat()}T{hour:02d}:00:00Z" if self.story.shape is Shape.ORACLE else day.isoformat()

    def moment(self, ago: int, hour: int = 12) -> str:
        """A moment in UTC, as `issued` needs it."""
        return f"{(self.today - timedelta(days=ago)).isoformat()}T{hour:02d}:00:00Z"

    def _patient(self) -> None:
        story = self.story
        self._resources.append(
            {
                "resourceType": "Patient",
                "id": story.patient_id,
                "identifier": [
                    {
                        "use": "usual",
                        "type": {"text": "MRN"},
                        "system": "urn:oid:2.16.840.1.113883.19.5.99999",
                        "value": story.record,
                    }
                ],
                "active": True,
                "name": [{"use": "official", "family": "ZZTEST", "given": [story.given]}],
                "gender": story.gender,
                "birthDate": story.birth.isoformat(),
            }
        )

    def problem(self, code: Resource, status: str, onset: str = "", recorded: int | None = None) -> str:
        """A problem-list entry with its clinical status."""
        entry: Resource = {
            "resourceType": "Condition",
            "clinicalStatus": concept((CLINICAL, status, status.capitalize())),
            "verificationStatus": concept((VERIFICATION, "confirmed", "Confirmed")),
            "category": [
                concept(("http://terminology.hl7.org/CodeSystem/condition-category", "problem-list-item", ""))
            ],
            "code": code,
        }
        if onset:
            entry["onsetDateTime"] = onset
        if recorded is not None:
            entry["recordedDate"] = self.when(recorded)
        return self.add("c", entry)

    def procedure(self, code: Resource, ago: int, status: str = "completed") -> str:
        """A procedure done (or not) some days ago; Oracle and Synthea write a period."""
        entry: Resource = {"resourceType": "Procedure", "status": status, "code": code}
        if self.story.shape is Shape.ORACLE:
            entry["performedPeriod"] = {"start": self.when(ago, 10), "end": self.when(ago, 11)}
        else:
            entry["performedDateTime"] = self.when(ago)
        return self.add("p", entry)

    def given(self, drug: Resource, ago: int, status: str = "completed", *, apart: bool = False) -> str:
        """One administration of a drug. Oracle holds the drug as a contained Medication; with `apart` it is a
        resource of its own that has to be read."""
        entry: Resource = {"resourceType": "MedicationAdministration", "status": status}
        if apart:
            entry["medicationReference"] = {"reference": self._medication(drug)}
        elif self.story.shape is Shape.ORACLE:
            entry["contained"] = [{"resourceType": "Medication", "id": "drug", "code": drug}]
            entry["medicationReference"] = {"reference": "#drug"}
        else:
            entry["medicationCodeableConcept"] = drug
        entry["effectiveDateTime"] = self.when(ago, 10)
        return self.add("a", entry)

    def _medication(self, drug: Resource) -> str:
        for one in self._resources:
            if one["resourceType"] == "Medication" and one["code"] == drug:
                return f"Medication/{one['id']}"
        return self.add("m", {"resourceType": "Medication", "code": drug})

    def ordered(self, drug: Resource, ago: int, status: str = "active") -> str:
        """A medication order."""
        entry = {
            "resourceType": "MedicationRequest",
            "status": status,
            "intent": "order",
            "medicationCodeableConcept": drug,
            "authoredOn": self.when(ago),
        }
        return self.add("r", entry)

    def specimen(self, kind: str, ago: int) -> str:
        """A specimen with the day it was taken."""
        entry = {
            "resourceType": "Specimen",
            "type": {"text": kind},
            "collection": {"collectedDateTime": self.when(ago)},
        }
        return self.add("s", entry)

    def _taken(self, specimen: str) -> Resource:
        """A specimen as a result refers to it: words only, or a reference that Epic and Oracle name as well."""
        if not specimen.startswith("Specimen/"):
            return {"display": specimen}
        if self.story.shape is Shape.HAPI:
            return {"reference": specimen}
        found = next(one for one in self._resources if one["id"] == specimen.removeprefix("Specimen/"))
        return {"reference": specimen, "display": found["type"]["text"]}

    def result(
        self,
        code: Resource,
        value: Mapping[str, Any],
        ago: int | str,
        *,
        category: str = "laboratory",
        specimen: str = "",
        method: str = "",
        status: str = "final",
    ) -> str:
        """One observation; `specimen` is a reference or the words of one, a text for `ago` is taken as written."""
        entry: Resource = {
            "resourceType": "Observation",
            "status": status,
            "category": [concept((OBSERVATION_CATEGORY, category, category.capitalize()))],
            "code": code,
            "effectiveDateTime": ago if isinstance(ago, str) else self.when(ago),
            **value,
        }
        if specimen:
            entry["specimen"] = self._taken(specimen)
        if method:
            entry["method"] = {"text": method}
        return self.add("o", entry)

    def report(
        self,
        title: str,
        text: str,
        ago: int,
        *,
        code: Resource | None = None,
        specimen: str = "",
        issued: int | None = None,
        form: bool = False,
        status: str = "final",
    ) -> str:
        """A report with its words as conclusion or, with `form`, as an attached plain text only."""
        entry: Resource = {
            "resourceType": "DiagnosticReport",
            "status": status,
            "code": code or {"text": title},
            "effectiveDateTime": self.when(ago),
            "issued": self.moment(ago if issued is None else issued),
        }
        if specimen:
            entry["specimen"] = [self._taken(specimen)]
        if form:
            data = base64.b64encode(text.encode()).decode()
            entry["presentedForm"] = [
                {"contentType": "text/plain; charset=utf-8", "data": data, "title": title}
            ]
        else:
            entry["conclusion"] = text
        return self.add("d", entry)

    def local_lab(self, text: str, number: str) -> Resource:
        """A laboratory code as the vendor writes it: local number first or alone, always with its text."""
        if self.story.shape is Shape.EPIC:
            return {**concept((EPIC_LABS, number, text.upper())), "text": text}
        if self.story.shape is Shape.ORACLE:
            coded = concept((ORACLE_CODE_SET, number, text))
            coded["coding"][0]["userSelected"] = True
            return {**coded, "text": text}
        return {"text": text}
