"""The second round of reading asks this site's own server, and for its own records only (T-08)."""

from __future__ import annotations

from typing import Any

import msgspec

from ehr.queries import Fetched, Query, ReadState
from ehr.site import Site
from smart_app.launch.queries import referred_queries

HOME = "https://ehr.example.org/r4"
SITE = Site(name="Test hospital", environment="test", fhir_base=HOME)


def asked(reference: Any, subject: Any = None) -> list[str]:
    """The second round's addresses after an administration that points at a medication so."""
    row: dict[str, Any] = {
        "resourceType": "MedicationAdministration",
        "id": "a",
        "medicationReference": {"reference": reference},
    }
    row["subject"] = subject
    query = Query("administrations", "MedicationAdministration", "MedicationAdministration")
    brought = Fetched(query, ReadState.COMPLETE, (msgspec.Raw(msgspec.json.encode(row)),))
    return [one.path for one in referred_queries({query.key: brought}, SITE, "pt1")]


def test_a_medication_of_this_site_is_asked_for_however_it_is_named() -> None:
    for reference in ("Medication/5", f"{HOME}/Medication/5", f"{HOME}/Medication/5/_history/3"):
        assert asked(reference) == ["Medication/5"], reference


def test_t08_a_medication_of_another_server_is_not_read_as_this_sites_own() -> None:
    for reference in (
        "https://pharmacy.example.org/Medication/5", f"{HOME}.example.com/Medication/5", "#5", "Substance/5",
        "Medication/../Patient/1", "urn:uuid:5", 5, None,
    ):  # fmt: skip
        assert asked(reference) == [], reference


def test_h01_what_another_patients_record_points_at_is_not_read() -> None:
    for subject in (
        None,
        7,
        {"reference": "Patient/pt1"},
        {"reference": f"{HOME}/Patient/pt1"},
        {"display": "x"},
    ):
        assert asked("Medication/5", subject) == ["Medication/5"], subject
    for subject in ({"reference": "Patient/pt2"}, {"reference": f"{HOME}/Patient/pt2/_history/1"}):
        assert asked("Medication/5", subject) == [], subject
