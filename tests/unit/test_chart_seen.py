"""What was seen of each resource type, and whose resources they are (rules 11.5, 11.14; hazards H-01, H-08, H-09)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from builders import (
    PATIENT,
    Resource,
    body,
    bundle,
    category,
    codes_of,
    condition,
    judge,
    judge_bytes,
    observation,
    outcome,
    patient,
    prefetch,
    procedure,
    relapsed,
    report,
    stain,
    state,
)

from mappings.reading.chart import reference_key

QUIET = (condition(clinical="active"), procedure())


def seen(kind: str, **keys: Any) -> str:
    made = judge(*QUIET, **keys)
    return next((row.state for row in made.facts.seen if row.type == kind), "no row")


OBS = observation("Sodium", {"valueString": "140"}, id="s")
TABLE: list[tuple[str, str, Any, str]] = [
    ("key absent", "observations", ..., "not-seen"),
    ("null", "observations", None, "not-seen"),
    ("outcome in place of the set", "observations", outcome(), "not-seen"),
    ("complete with entries", "observations", bundle([OBS], "Observation"), "complete"),
    ("empty with self link", "observations", bundle([], "Observation"), "complete"),
    ("empty without self link, plain key", "observations", bundle([]), "complete"),
    ("empty, no entry element", "observations", {"resourceType": "Bundle", "type": "searchset", "total": 0},
    "complete"),
    ("4101 nothing found", "observations", bundle([outcome("4101")], "Observation"), "complete"),
    ("4119 may not hold all", "observations", bundle([OBS, outcome("4119")], "Observation"), "complete"),
    ("4101 and 4119", "observations", bundle([outcome("4101"), outcome("4119")], "Observation"), "complete"),
    ("59204 withheld", "observations", bundle([OBS, outcome("59204")], "Observation"), "incomplete"),
    ("59205 withheld", "observations", bundle([OBS, outcome("59205")], "Observation"), "incomplete"),
    ("4119 beside 59204", "observations", bundle([OBS, outcome("4119", "59204")], "Observation"), "incomplete"),
    ("unknown warning", "observations", bundle([OBS, outcome()], "Observation"), "incomplete"),
    ("error", "observations", bundle([OBS, outcome(severity="error")], "Observation"), "incomplete"),
    ("information on processing", "observations", bundle([OBS, outcome(severity="information")], "Observation"),
    "incomplete"),
    ("next page not given", "observations", bundle([OBS], link=[{"relation": "next", "url": "https://x/y"}]),
    "incomplete"),
    ("total larger", "observations", bundle([OBS], "Observation", total=2), "incomplete"),
    ("total smaller", "observations", bundle([OBS], "Observation", total=0), "complete"),
    ("total absent", "observations", bundle([OBS], "Observation", total=None), "complete"),
    ("wrong type under the key", "observations", bundle([procedure(id="p2")]), "not-seen"),
    ("wrong key, entries of the type", "anything", bundle([OBS]), "complete"),
    ("wrong key, empty with self link", "anything", bundle([], "Observation"), "complete"),
    ("wrong key, empty, no self link", "anything", bundle([]), "not-seen"),
    ("a single resource", "anything", OBS, "incomplete"),
    ("null as an entry", "observations", {**bundle([OBS]), "total": None, "entry": [{"resource": OBS}, None]},
    "incomplete"),
    ("an empty resource", "observations", {**bundle([OBS]), "total": None, "entry": [{"resource": OBS},
    {"resource": {}}]}, "incomplete"),
    ("a history", "observations", bundle([OBS], "Observation", type="history"), "incomplete"),
    ("a type that is no text", "observations", bundle([OBS], "Observation", type=5), "incomplete"),
    ("a collection", "observations", bundle([OBS], "Observation", type="collection"), "complete"),
    ("total a text, larger", "observations", bundle([OBS], total="3"), "incomplete"),
    ("total a text that fits", "observations", bundle([OBS], total="1"), "complete"),
    ("total with a point, larger", "observations", bundle([OBS], total=3.0), "incomplete"),
    ("total below nought", "observations", bundle([OBS], total=-1), "incomplete"),
    ("total unreadable", "observations", bundle([OBS], total="many"), "incomplete"),
    ("next beside junk", "observations", bundle([OBS], link=[5, {"relation": "next", "url": "https://x/y"}]),
    "incomplete"),
    ("a link that is junk", "observations", bundle([OBS], link=[5]), "incomplete"),
    ("next in an object", "observations", bundle([OBS], link={"relation": "next", "url": "https://x/y"}),
    "incomplete"),
    ("next with a number", "observations", bundle([OBS], link=[{"relation": "next", "url": 5}]), "incomplete"),
    ("Next in capitals", "observations", bundle([OBS], link=[{"relation": "Next", "url": "https://x/y"}]),
    "incomplete"),
    ("outcome without issues", "observations", bundle([OBS, {"resourceType": "OperationOutcome"}]), "incomplete"),
    ("outcome with a broken issue", "observations",
    bundle([OBS, {"resourceType": "OperationOutcome", "issue": [{"severity": "information", "code": 5}]}]),
    "incomplete"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "wanted"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_state_of_observations(key: str, value: Any, wanted: str) -> None:
    keys = {"observations": ..., key: value}
    assert seen("Observation", **keys) == wanted


WITHHELD = ("incomplete", "suppressed", "security", "forbidden", "login", "expired", "unknown", "transient", "timeout",
    "throttled", "too-costly", "lock-error", "exception", "processing", "no-such-code")  # fmt: skip


@pytest.mark.parametrize("severity", ["information", "warning", "error"])
@pytest.mark.parametrize("code", WITHHELD)
def test_h_08_an_outcome_is_judged_by_its_issue_type_and_not_by_its_severity(
    severity: str, code: str
) -> None:
    issue = {"severity": severity, "code": code}
    told = {"resourceType": "OperationOutcome", "issue": [issue]}
    assert seen("Observation", observations=bundle([OBS, told], "Observation")) == "incomplete"


@pytest.mark.parametrize("code", ["informational", "success", "not-found", "not-supported"])
def test_mere_information_leaves_a_set_complete(code: str) -> None:
    told = {"resourceType": "OperationOutcome", "issue": [{"severity": "information", "code": code}]}
    assert seen("Observation", observations=bundle([OBS, told], "Observation")) == "complete"


@pytest.mark.parametrize("kind", ["MedicationAdministration", "MedicationRequest"])
def test_the_key_medications_stands_for_both_kinds(kind: str) -> None:
    empty = bundle([outcome("4101")], "MedicationAdministration")
    assert seen(kind, medicationAdministrations=..., medicationRequests=..., medications=empty) == "complete"


def test_a_self_link_with_a_base_path_names_its_type() -> None:
    linked = bundle(
        [],
        link=[{"relation": "self", "url": f"https://h/api/FHIR/R4/Observation?patient={PATIENT}&_count=5"}],
    )
    assert seen("Observation", observations=..., q1=linked) == "complete"


def test_one_complete_set_makes_a_type_seen_whatever_another_key_says() -> None:
    assert (
        seen("Observation", observations=bundle([OBS], "Observation"), o2=bundle([stain()], total=9))
        == "complete"
    )


def test_included_resources_are_no_searchset_of_their_type() -> None:
    included = {"resource": OBS, "search": {"mode": "include"}}
    reports = bundle([report("Nothing.", id="r")], "DiagnosticReport")
    reports["entry"].append(included)
    assert seen("Observation", observations=..., reports=reports) == "not-seen"


@pytest.mark.parametrize(
    "key", ["conditions", "procedures", "observations", "reports", "medicationAdministrations"]
)
@pytest.mark.parametrize(
    "value", [..., None, outcome(), bundle([outcome("59204")])], ids=["absent", "null", "outcome", "withheld"]
)
def test_no_negative_answer_rests_on_what_was_not_seen(key: str, value: Any) -> None:
    """The three negative categories need complete sets of what they deny (hazard H-08)."""
    charts: tuple[tuple[Resource, ...], ...] = ((), (condition(clinical="active"),), QUIET)
    denied = {
        "no-lymphoid-malignancy": {"conditions"},
        "no-cd19-car-t": {"conditions", "procedures", "medicationAdministrations"},
        "no-relapse": {"conditions", "observations", "reports"},
    }
    for chart in charts:
        found = category(judge(*chart, **{key: value}))
        assert key not in denied.get(found, set()), found


def test_a_relapse_on_record_with_nothing_else_seen_is_cd19_unknown() -> None:
    assert category(relapsed(observations=..., reports=...)) == "cd19-unknown"


def test_missing_results_without_a_relapse_are_insufficient_data() -> None:
    made = judge(*QUIET, observations=..., reports=...)
    assert category(made) == "insufficient-data"
    assert {"Observation", "DiagnosticReport"} <= {row.what.split(":")[0] for row in made.assessment.missing}


OTHER = {"reference": "Patient/somebody-else"}


@pytest.mark.parametrize(
    "reference",
    ["Patient/somebody-else", "https://other.example.org/r4/Patient/somebody-else", "Patient/syn-10", "Patient/SYN-1",
     "Patient/somebody-else/_history/2", "RelatedPerson/syn-1", "Group/syn-1",
     "urn:uuid:9f0f7a9e-0000-4000-8000-000000000000"],
)  # fmt: skip
def test_a_strangers_resource_is_set_aside_and_named(reference: str) -> None:
    made = relapsed({**stain("Negative"), "subject": {"reference": reference}})
    assert state(made) == "unknown"
    assert any(
        row.code == "other-patient" and "cd19-ihc" in (row.source.reference if row.source else "")
        for row in made.assessment.set_aside
    )


@pytest.mark.parametrize(
    ("reference", "mine"),
    [
        (f"Patient/{PATIENT}", True),
        (f"Patient/{PATIENT}/_history/7", True),
        (f" Patient/{PATIENT} ", True),
        (f"https://fhir.example.org/r4/Patient/{PATIENT}", True),
        (f"https://fhir.example.org/r4/Patient/{PATIENT}/_history/2", True),
        (f"https://other.example.org/r4/Patient/{PATIENT}", False),
        (f"https://fhir.example.org.evil.example/r4/Patient/{PATIENT}", False),
        (f"https://fhir.example.org/r4-other/Patient/{PATIENT}", False),
    ],
)
def test_the_patients_own_resource_is_known_by_server_and_id(reference: str, mine: bool) -> None:
    result = {**stain("Negative"), "subject": {"reference": reference}}
    request = json.loads(body(prefetch(condition(), procedure(), result)))
    request["fhirServer"] = "https://fhir.example.org/r4"
    assert (state(judge_bytes(json.dumps(request).encode())) == "negative") is mine


def test_the_patient_property_counts_like_subject() -> None:
    mine = {**stain("Negative")}
    del mine["subject"]
    assert state(relapsed({**mine, "patient": {"reference": f"Patient/{PATIENT}"}})) == "negative"
    assert state(relapsed({**mine, "patient": OTHER})) == "unknown"


def test_one_owner_that_is_a_stranger_is_enough() -> None:
    assert state(relapsed({**stain("Negative"), "patient": OTHER})) == "unknown"


def test_a_resource_that_names_nobody_is_read_and_remarked() -> None:
    loose = {**stain("Negative")}
    del loose["subject"]
    made = relapsed(loose)
    assert state(made) == "negative"
    assert "no-subject" in codes_of(made)


def test_another_patient_in_place_of_the_one_asked_for_leaves_nothing() -> None:
    made = judge(condition(), procedure(), stain(), patient=patient("somebody-else"))
    assert category(made) == "insufficient-data"
    assert not made.facts.infusions
    assert not made.facts.antigens


@pytest.mark.parametrize(
    ("link", "read"), [("replaces", True), ("seealso", False), ("refer", False), ("replaced-by", False)]
)
def test_records_linked_to_this_one(link: str, read: bool) -> None:
    linked = patient(link=[{"other": {"reference": "Patient/old"}, "type": link}])
    made = relapsed({**stain("Negative"), "subject": {"reference": "Patient/old"}}, patient=linked)
    assert (state(made) == "negative") is read
    assert ("replaces" if read else "linked-record") in codes_of(made)


def test_copies_of_one_resource_count_once_and_the_newest_version_counts() -> None:
    old = stain("Positive", meta={"versionId": "1", "lastUpdated": "2025-09-21T00:00:00Z"})
    new = stain("Negative", meta={"versionId": "2", "lastUpdated": "2025-10-01T00:00:00Z"})
    for order in ((old, new), (new, old)):
        made = relapsed(*order)
        assert (state(made), len(made.facts.antigens)) == ("negative", 1)


@pytest.mark.parametrize(
    ("written", "key"),
    [("Patient/1", "Patient/1"), ("https://h/r4/Patient/1", "Patient/1"), ("Patient/1/_history/3", "Patient/1"),
     ("urn:uuid:abc", "urn:uuid:abc"), ("#c1", "#c1"), (None, ""), ("", ""), (" Patient/1 ", "Patient/1"),
     ("Patient", "Patient")],
)  # fmt: skip
def test_reference_keys(written: str | None, key: str) -> None:
    assert reference_key(written) == key


NEXT = [{"relation": "next", "url": "https://fhir.example.org/r4/page2"}]
MIXED: list[tuple[str, dict[str, Any], str, str]] = [
    ("Bundle in a Bundle", {"q": bundle([bundle([OBS], "Observation")])}, "Observation", "complete"),
    ("cut Bundle in a Bundle", {"q": bundle([bundle([OBS], link=NEXT)])}, "Observation", "incomplete"),
    ("two types under one key", {"q": bundle([OBS, report("Nothing.", id="r")])}, "DiagnosticReport", "complete"),
    ("alternate link", {"q": bundle([], link=[{"relation": "alternate", "url": "https://x/Observation"}])},
    "Observation", "not-seen"),
    ("self link to an operation", {"q": bundle([], link=[{"relation": "self", "url": "https://x/$everything"}])},
    "Observation", "not-seen"),
    ("one resource under its key", {"observations": OBS}, "Observation", "not complete"),
    ("good beside unreadable",
    {"observations": {**bundle([OBS]), "total": None, "entry": [{"resource": OBS}, 5]}}, "Observation", "incomplete"),
    ("good beside empty entry",
    {"observations": {**bundle([OBS]), "total": None, "entry": [{"resource": OBS}, {}]}}, "Observation",
    "incomplete"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "kind", "wanted"), [row[1:] for row in MIXED], ids=[row[0] for row in MIXED]
)
def test_state_of_mixed_answers(keys: dict[str, Any], kind: str, wanted: str) -> None:
    removed = {"observations": ..., "reports": ...}
    found = seen(kind, **{**removed, **keys})
    assert found == wanted or (wanted == "not complete" and found != "complete")


def test_medications_with_entries_of_one_kind_stand_for_both() -> None:
    given = {
        "resourceType": "MedicationAdministration",
        "id": "m",
        "status": "completed",
        "subject": {"reference": f"Patient/{PATIENT}"},
        "medicationCodeableConcept": {"text": "Ondansetron"},
    }
    keys = {"medicationAdministrations": ..., "medicationRequests": ..., "medications": bundle([given])}
    assert seen("MedicationAdministration", **keys) == seen("MedicationRequest", **keys) == "complete"


@pytest.mark.parametrize(
    ("search", "answer"),
    [
        (f"Procedure?patient={PATIENT}", "no-cd19-car-t"),
        (f"Procedure?patient=Patient/{PATIENT}&_count=100", "no-cd19-car-t"),
        (f"Procedure?subject=https://ehr.example.org/r4/Patient/{PATIENT}", "no-cd19-car-t"),
        ("Procedure?patient=other", "insufficient-data"),
        ("Procedure?subject=Patient/other", "insufficient-data"),
        (f"Encounter?patient={PATIENT}", "insufficient-data"),
    ],
)
def test_h01_an_empty_answer_to_another_question_is_no_no(search: str, answer: str) -> None:
    """The search a server says it ran goes before the name of the key."""
    own = {"relation": "self", "url": f"https://fhir.example.org/r4/{search}"}
    empty = {"resourceType": "Bundle", "type": "searchset", "total": 0, "link": [own]}
    assert category(judge(condition(clinical="active"), procedures=empty)) == answer


def test_a_name_behind_a_proxy_is_known_by_the_entries_that_came_with_it() -> None:
    """A server that knows the patient by another name answers for this patient where its entries are theirs."""

    def own(kind: str) -> dict[str, Any]:
        return {"link": [{"relation": "self", "url": f"https://inside.example.org/{kind}?patient=x"}]}

    active = bundle([condition(clinical="active")], **own("Condition"))
    empty = bundle([], **own("Procedure"))
    assert category(judge(conditions=active, procedures=empty)) == "no-cd19-car-t"
    other = bundle([], link=[{"relation": "self", "url": "https://inside.example.org/Procedure?patient=y"}])
    assert category(judge(conditions=active, procedures=other)) == "insufficient-data"
