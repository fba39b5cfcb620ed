"""What a chart only points to and that decides: read by reference in one more round, counted, within the base."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import lying
import pytest
from builders import (
    PATIENT,
    administration,
    body,
    bundle,
    category,
    codes_of,
    condition,
    judge_bytes,
    observation,
    prefetch,
    specimen,
    stain,
    state,
)
from lying import TOKEN, Canary, LyingServer

from cds_hooks.gaps import GapReport, fill_gaps
from ehr.fhir import FhirLink
from ehr.references import MOST_REFERENCES
from ehr.site import Site
from ehr.transport import Deadline
from mappings.evaluation import Evaluation
from mappings.reading.decode import decode_request

CONTEXT: Any = SimpleNamespace(patientId=PATIENT)
DRUG = {"resourceType": "Medication", "id": "axi", "code": {"text": "Axicabtagene ciloleucel"}}


def given_as(reference: str, id: str = "bag", **more: Any) -> dict[str, Any]:  # noqa: A002  as in FHIR
    made = administration("", "2025-01-10", id=id, medicationReference={"reference": reference, **more})
    del made["medicationCodeableConcept"]
    return made


def run(
    server: LyingServer, site: Site, link: FhirLink, *chart: dict[str, Any],
    scope: str = "patient/*.rs", seconds: float = 3.0, **keys: Any,
) -> tuple[GapReport, Evaluation]:  # fmt: skip
    whole = json.loads(body(prefetch(*chart, **keys)))
    whole["fhirServer"] = server.base
    whole["fhirAuthorization"] = {
        "access_token": TOKEN, "token_type": "Bearer", "expires_in": 300, "scope": scope, "subject": "x",
    }  # fmt: skip
    decoded = decode_request(json.dumps(whole).encode())
    report = fill_gaps(decoded, CONTEXT, site, link, Deadline.after(seconds))
    return report, judge_bytes(decoded)


@pytest.fixture(autouse=True)
def _with_drug(server: LyingServer) -> None:
    server.store["Medication"] = [DRUG]


@pytest.mark.parametrize("absolute", [False, True])
def test_a_car_t_given_by_reference_is_known_after_reading_it(
    server: LyingServer, site: Site, link: FhirLink, absolute: bool
) -> None:
    reference = f"{server.base}/Medication/axi" if absolute else "Medication/axi"
    report, made = run(server, site, link, condition(), given_as(reference), stain("Negative"))
    assert (report.references, report.requests, len(server.calls)) == (1, 1, 1)
    assert category(made) == "cd19-negative"
    assert "no-drug" not in codes_of(made)


@pytest.mark.parametrize("trick", [lying.status(403), lying.hang, lying.html])
def test_a_drug_that_cannot_be_read_stays_named_as_unread(
    server: LyingServer, site: Site, link: FhirLink, trick: lying.Trick
) -> None:
    server.tricks["Medication"] = trick
    _, made = run(server, site, link, condition(), given_as("Medication/axi"), stain("Negative"), seconds=0.6)
    assert category(made) != "cd19-negative"
    assert "no-drug" in codes_of(made, "unread")


def test_a_server_that_answers_with_another_drug_is_not_believed(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    """T-11: altered ids."""
    server.tricks["Medication"] = lying.body(json.dumps({**DRUG, "id": "other"}).encode())
    _, made = run(server, site, link, condition(), given_as("Medication/axi"), stain("Negative"))
    assert made.facts.infusions == ()


@pytest.mark.parametrize(
    "reference",
    [
        "http://127.0.0.1:{canary}/fhir/Medication/axi",
        "http://127.0.0.1:{port}/other/Medication/axi",
        "http://127.0.0.1:{port}@127.0.0.1:{canary}/fhir/Medication/axi",
        "Medication/..",
        "Medication/axi/../../Patient/x",
        "#axi",
        "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
        "Patient/other",
    ],
)
def test_t08_references_are_followed_only_inside_the_registered_base(
    server: LyingServer, site: Site, link: FhirLink, canary: Canary, reference: str
) -> None:
    port = server.base.split(":")[2].split("/")[0]
    text = reference.format(port=port, canary=canary.port)
    report, _ = run(server, site, link, condition(), given_as(text))
    assert report.references == 0
    assert server.calls == []
    assert canary.heard == []


def test_the_specimen_of_a_marker_is_read_and_no_other(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    server.store["Specimen"] = [
        specimen("Peripheral blood", "2025-09-20", id="sp1"),
        specimen("Node", id="sp2"),
    ]
    marker = observation("CD19", "Negative", id="m")
    plain = observation("Sodium", "140", id="n")
    chart = (condition(), {**marker, "specimen": {"reference": "Specimen/sp1"}})
    other = {**plain, "specimen": {"reference": "Specimen/sp2"}}
    report, made = run(server, site, link, *chart, other, given_as("Medication/axi"))
    assert sorted(call.path for call in server.calls) == ["/fhir/Medication/axi", "/fhir/Specimen/sp1"]
    assert report.references == 2
    assert state(made) == "unknown", "a count in blood is no tumour status (H-17)"


def test_never_more_than_a_few_references_and_drugs_first(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    drugs = [given_as(f"Medication/d{number}", id=f"a{number}") for number in range(30)]
    report, _ = run(server, site, link, condition(), *drugs, given_as("Medication/axi", id="z"))
    assert report.references == len(server.calls) == MOST_REFERENCES
    assert {call.type for call in server.calls} == {"Medication"}


def test_what_is_named_or_given_is_not_read(server: LyingServer, site: Site, link: FhirLink) -> None:
    chart = (condition(), given_as("Medication/axi", display="Axicabtagene ciloleucel"))
    assert run(server, site, link, *chart)[0].references == 0
    chart = (condition(), given_as("Medication/axi"))
    assert run(server, site, link, *chart, drugs=bundle([DRUG]))[0].references == 0
    assert run(server, site, link, *chart, scope="patient/Condition.read")[0].references == 0
    assert server.calls == []


def test_a_record_read_by_reference_says_nothing_of_its_type(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    """Neither complete nor cut short: a card that called medications cut short would be noise."""
    _, made = run(server, site, link, condition(), given_as("Medication/axi"))
    assert "Medication" not in {row.type for row in made.facts.seen}
    server.tricks["Medication"] = lying.status(403)
    _, made = run(server, site, link, condition(), given_as("Medication/axi"))
    (row,) = (row for row in made.facts.seen if row.type == "Medication")
    assert (row.state, row.reason) == ("not-seen", "the EHR gave no right to read it")


def test_h01_what_another_patients_record_points_at_is_not_read(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    """T-11: a lying server must not lead us from a stranger's record to what belongs to the stranger."""
    theirs = {**given_as("Medication/axi"), "subject": {"reference": "Patient/somebody-else"}}
    report, made = run(server, site, link, condition(), theirs, stain("Negative"))
    assert report.references == 0
    assert not any("Medication/axi" in call.path for call in server.calls)
    assert category(made) != "cd19-negative"
