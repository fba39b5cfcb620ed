"""Whose a resource is where it says so by a logical identifier (rules 11.14; hazard H-01)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from builders import (
    PATIENT,
    Resource,
    body,
    codes_of,
    condition,
    judge,
    patient,
    prefetch,
    procedure,
    relapsed,
    report,
    stain,
    state,
)

from cds_hooks.envelope import check_envelope
from cds_hooks.outcome import Refusal
from mappings.evaluation import Evaluation
from mappings.reading.decode import decode_request
from mappings.reading.identity import names_person, patient_identifiers
from mappings.reading.wire import Reference

MRN, OTHER_MRN = "urn:oid:2.16.840.1.113883.19.5.1", "urn:oid:2.16.840.1.113883.19.5.2"
ME = patient(identifier=[{"system": MRN, "value": "OWN-1"}, {"system": MRN, "value": "OWN-0", "use": "old"}])
OWN, OTHER = {"system": MRN, "value": "OWN-1"}, {"system": MRN, "value": "OTHER-2"}
MINE = f"Patient/{PATIENT}"


def stated(subject: Any, **more: Any) -> Evaluation:
    return relapsed({**stain("Negative"), "subject": subject, **more}, patient=ME)


@pytest.mark.parametrize(
    ("subject", "read", "remark"),
    [
        ({"identifier": OWN}, True, ""),
        ({"identifier": {"system": f" {MRN.upper()}/ ", "value": " OWN-1 "}}, True, ""),
        ({"identifier": {"system": MRN, "value": "OWN-0"}}, True, ""),
        ({"identifier": OTHER, "display": "Somebody Else"}, False, "other-patient"),
        ({"identifier": {"system": MRN, "value": "own-1"}}, False, "other-patient"),
        ({"identifier": {"system": MRN, "value": 2}}, False, "other-patient"),
        ({"reference": None, "identifier": OTHER}, False, "other-patient"),
        ({"reference": MINE, "identifier": OTHER}, False, "other-patient"),
        ({"reference": MINE, "identifier": OWN}, True, ""),
        ({"reference": MINE, "identifier": {"system": OTHER_MRN, "value": "OTHER-2"}}, True, ""),
        ({"reference": "Patient/other", "identifier": OWN}, False, "other-patient"),
        ({"identifier": {"system": OTHER_MRN, "value": "OTHER-2"}}, True, "no-subject"),
        ({"identifier": {"value": "OTHER-2"}}, True, "no-subject"),
        ({"identifier": {"system": MRN}}, True, "no-subject"),
        ({"identifier": 5}, True, "no-subject"),
        ({"identifier": None, "display": "Somebody"}, True, "no-subject"),
    ],
)
def test_h_01_a_result_that_names_its_patient_by_identifier(
    subject: Resource, read: bool, remark: str
) -> None:
    made = stated(subject)
    assert (state(made) == "negative") is read
    assert {"other-patient", "no-subject"} & set(codes_of(made)) == ({remark} if remark else set())


def test_h_01_both_subject_and_patient_are_asked() -> None:
    assert state(stated({"identifier": OWN}, patient={"identifier": OTHER})) == "unknown"
    assert state(stated({"display": "x"}, patient={"reference": "Patient/other"})) == "unknown"
    assert state(stated({"reference": MINE}, patient={"identifier": OTHER})) == "unknown"


def test_h_01_car_t_of_another_record_number_is_no_infusion() -> None:
    made = judge(condition(), {**procedure(), "subject": {"identifier": OTHER}}, patient=ME)
    assert not made.facts.infusions
    assert "other-patient" in codes_of(made, "set-aside")


def test_h_01_a_result_inside_a_strangers_report_is_a_strangers() -> None:
    inner = {**stain("Negative"), "subject": {"display": "whoever"}}
    for subject in ({"identifier": OTHER}, {"reference": "Patient/other"}):
        made = relapsed(report("x", id="r", contained=[inner], subject=subject), patient=ME)
        assert state(made) == "unknown"


def test_an_older_record_of_the_same_person_has_a_number_of_its_own() -> None:
    link = [{"other": {"reference": "Patient/old"}, "type": "replaces"}]
    merged = {**ME, "link": link}
    subject = {"reference": "Patient/old", "identifier": OTHER}
    assert state(relapsed({**stain("Negative"), "subject": subject}, patient=merged)) == "negative"


def test_without_a_patient_nothing_can_be_compared() -> None:
    request = json.loads(body(prefetch(stain("Negative"))))
    request["prefetch"]["patient"] = None
    assert patient_identifiers(decode_request(json.dumps(request).encode()), PATIENT) == {}


@pytest.mark.parametrize(
    ("owner", "wanted"),
    [
        (None, None),
        ({"display": "x"}, None),
        ({"identifier": OWN}, True),
        ({"identifier": OTHER}, False),
        ({"reference": MINE}, True),
        ({"reference": MINE, "identifier": OTHER}, False),
        ({"reference": "Patient/other", "identifier": OWN}, False),
    ],
)
def test_whom_a_reference_names(owner: Any, wanted: bool | None) -> None:
    known = patient_identifiers(decode_request(body({"patient": ME})), PATIENT)
    made = None if owner is None else msgspec.json.decode(json.dumps(owner), type=Reference)
    assert names_person(made, {MINE}, known) is wanted


@pytest.mark.parametrize(
    ("user", "refused"),
    [
        ("Patient/1", True),
        ("patient/1", True),
        ("RelatedPerson/1", True),
        ("relatedperson/1", True),
        (" Patient/1", True),
        ("https://fhir.example.org/r4/Patient/1", True),
        ("https://fhir.example.org/r4/PATIENT/1/_history/3", True),
        ("https://fhir.example.org/r4/RelatedPerson/1/", True),
        ("Practitioner/1", False),
        ("PractitionerRole/patient", False),
        ("https://fhir.example.org/patient/r4/Practitioner/1", False),
    ],
)
def test_a_lay_user_is_refused_however_written(user: str, refused: bool) -> None:
    request = json.loads(body(prefetch(stain("Negative"))))
    request["hookInstance"] = "a393e955-e742-5b1c-80c3-f508792e6a6f"
    request["context"]["userId"] = user
    sent = json.dumps(request).encode()
    try:
        check_envelope(sent, decode_request(sent), {"patient-view"})
        got = ""
    except Refusal as refusal:
        got = refusal.code
    assert got == ("wrong-user" if refused else "")
