"""The invented patients on another FHIR server: put there under ids of their own, tagged, and taken away by the tag.

Sources: FHIR R4 http (update, delete, transaction) and resource (`meta.tag`). Sending twice changes nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ehr.address import parse_address
from ehr.queries import Query, ReadState
from ehr.transport import Answer, Deadline, Transport, TransportFault
from smart_app.demo.open_server import OpenServer
from smart_app.launch.queries import resources_of

Resource = dict[str, Any]
PREFIX = "zztest-"
TAG = ("https://postcart.org/fhir/CodeSystem/tags", "postcart-sandbox")
REMOVAL = (
    "DiagnosticReport",
    "Observation",
    "MedicationAdministration",
    "MedicationRequest",
    "Procedure",
    "Condition",
    "Specimen",
    "Medication",
    "Patient",
)
"""What points at others goes before what is pointed at."""
_MOST_ENTRIES = 200
_SECONDS = 120.0
_MOST_BYTES = 16 << 20
_LONGEST_WORDS = 400


class SeedFault(Exception):
    """The server did not take something; the text says what, and the server's own words."""


def invented_bundles(today: str = "") -> list[Resource]:
    """The invented charts as told on a day (default today), one Bundle each; raises `SeedFault` where there are none."""
    told = ["--today", today] if today else []
    done = subprocess.run(  # noqa: S603  our own interpreter and our own module
        [sys.executable, "-m", "sandbox_ehr", "--bundles", "seed", *told],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise SeedFault(
            f"The invented patients cannot be told. {done.stderr.decode('utf-8', 'replace')[-300:]}"
        )
    return [with_own_ids(json.loads(line)) for line in done.stdout.splitlines()]


def with_own_ids(bundle: Resource) -> Resource:
    """The Bundle with the prefix of invented patients before every id, so that it meets nobody else's records."""
    new: dict[str, str] = {}
    for entry in bundle["entry"]:
        one = entry["resource"]
        own = one["id"] if one["id"].startswith(PREFIX) else PREFIX + one["id"]
        new[f"{one['resourceType']}/{one['id']}"] = f"{one['resourceType']}/{own}"
    entries = []
    for entry in bundle["entry"]:
        one = entry["resource"]
        path = new[f"{one['resourceType']}/{one['id']}"]
        entries.append(
            {
                "resource": {**_pointing(one, new), "id": path.partition("/")[2]},
                "request": {"method": "PUT", "url": path},
            }
        )
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _pointing(value: Any, new: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: new.get(part, part) if key == "reference" and isinstance(part, str) else _pointing(part, new)
            for key, part in value.items()
        }
    return [_pointing(part, new) for part in value] if isinstance(value, list) else value


def pieces(bundle: Resource) -> Iterator[Resource]:
    """The Bundle in transactions of a size that servers take; what is pointed at comes first."""
    order = {name: place for place, name in enumerate(reversed(REMOVAL))}

    def place(entry: Resource) -> tuple[int, bool]:
        return order.get(entry["resource"]["resourceType"], len(order)), _points_at_others(entry["resource"])

    entries = sorted(bundle["entry"], key=place)
    for first in range(0, len(entries), _MOST_ENTRIES):
        yield {**bundle, "entry": entries[first : first + _MOST_ENTRIES]}


def _points_at_others(resource: Mapping[str, Any]) -> bool:
    return bool(resource.get("hasMember") or resource.get("derivedFrom"))


@dataclass(frozen=True, slots=True)
class Seeder:
    """Puts and removes the invented patients on one server. Raises `SeedFault`."""

    server: OpenServer
    transport: Transport

    def load(self, bundles: list[Resource]) -> Iterator[str]:
        """Puts all charts there, a line for each; first makes sure that none would replace somebody else's patient."""
        patients = [_patient_of(bundle) for bundle in bundles]
        for patient in patients:
            self._check_free(patient)
        for patient, bundle in zip(patients, bundles, strict=True):
            for piece in pieces(bundle):
                self._send(piece)
            yield f"{patient:<24} {len(bundle['entry']):>5} records"

    def remove(self) -> Iterator[str]:
        """Deletes what carries the tag, a line for each type. A server that ignores the tag in a search loses nothing."""
        for kind in REMOVAL:
            tagged = self._tagged(kind)
            for first in range(0, len(tagged), _MOST_ENTRIES):
                entries = [
                    {"request": {"method": "DELETE", "url": f"{kind}/{name}"}}
                    for name in tagged[first : first + _MOST_ENTRIES]
                ]
                self._send({"resourceType": "Bundle", "type": "transaction", "entry": entries})
            yield f"{kind:<24} {len(tagged):>5} removed"

    def _tagged(self, kind: str) -> list[str]:
        search = (("_tag", "|".join(TAG)), ("_count", str(_MOST_ENTRIES)))
        one = self.server.fetch([Query(kind, kind, kind, search)], _SECONDS)[kind]
        if one.state is not ReadState.COMPLETE:
            raise SeedFault(f"{kind} cannot be searched by tag: {one.reason or one.code}.")
        found: dict[str, bool] = {}
        for raw, head in resources_of(one):
            resource = json.loads(raw)
            if head.resourceType == kind and _is_ours(resource):
                found[str(head.id)] = _points_at_others(resource)
        return sorted(found, key=lambda name: (not found[name], name))

    def _check_free(self, patient: str) -> None:
        answer = self._ask("GET", f"Patient/{patient}")
        if answer.status in (404, 410):
            return
        if answer.status != 200:
            raise SeedFault(f"Patient/{patient} cannot be looked up: {_words(answer)}")
        if not _is_ours(_json(answer)):
            raise SeedFault(f"Patient/{patient} is there and is not ours (no tag); nothing was written.")

    def _send(self, bundle: Resource) -> None:
        answer = self._ask("POST", "", json.dumps(bundle).encode())
        if answer.status not in (200, 201):
            raise SeedFault(f"The server did not take a transaction: {_words(answer)}")
        for entry in _json(answer).get("entry", ()):
            status = str(entry.get("response", {}).get("status", ""))
            if not status.startswith("2"):
                raise SeedFault(f"The server did not take an entry: status {status[:60]}")

    def _ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        text = self.server.base.text.rstrip("/") + (f"/{path}" if path else "")
        address = parse_address(text, allow_http=self.server.site.test)
        headers = {"Accept": "application/fhir+json"}
        if self.server.token is not None:
            headers["Authorization"] = f"Bearer {self.server.token}"
        deadline = Deadline.after(_SECONDS)
        try:
            if method == "GET":
                return self.transport.get(
                    address.text, headers=headers, deadline=deadline, max_bytes=_MOST_BYTES
                )
            headers["Content-Type"] = "application/fhir+json"
            return self.transport.post(
                address.text, headers=headers, body=body, deadline=deadline, max_bytes=_MOST_BYTES
            )
        except TransportFault as fault:
            raise SeedFault(f"The server did not answer ({fault.code}).") from None


def _patient_of(bundle: Resource) -> str:
    return next(
        str(entry["resource"]["id"])
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == "Patient"
    )


def _is_ours(resource: Any) -> bool:
    tags = resource.get("meta", {}).get("tag", []) if isinstance(resource, dict) else []
    return any((tag.get("system"), tag.get("code")) == TAG for tag in tags if isinstance(tag, dict))


def _json(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        raise SeedFault(f"The server's answer (status {answer.status}) is no JSON.") from None


def _words(answer: Answer) -> str:
    try:
        issues = _json(answer).get("issue", [])
    except (SeedFault, AttributeError):
        issues = []
    said = "; ".join(
        str(one.get("diagnostics") or one.get("code")) for one in issues if isinstance(one, dict)
    )
    return f"status {answer.status}{', ' + said[:_LONGEST_WORDS] if said else ''}"
