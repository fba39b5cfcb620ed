"""The FHIR address: what it finds, how it pages, and everything it refuses."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from boxed import ALMA, BRUNO, ask, switch, ward
from fhir.resources.R4B import get_fhir_model_class

from sandbox_ehr.fhir.search import PARAMETERS
from sandbox_ehr.serve import Box


def found(answer: requests.Response) -> list[dict[str, Any]]:
    """The resources a search matched."""
    assert answer.status_code == 200, answer.text[:300]
    entries = answer.json().get("entry", [])
    return [one["resource"] for one in entries if one["search"]["mode"] == "match"]


def test_capability_statement_is_valid_and_names_what_is_served(box: Box) -> None:
    """/metadata needs no token and lists each type with its parameters."""
    body = ask(box, "metadata", token="").json()
    get_fhir_model_class("CapabilityStatement").model_validate(body)
    rest = body["rest"][0]
    assert {one["type"] for one in rest["resource"]} == set(PARAMETERS)
    observation = next(one for one in rest["resource"] if one["type"] == "Observation")
    assert {"patient", "code", "date", "_id"} <= {one["name"] for one in observation["searchParam"]}


@pytest.mark.parametrize(
    ("query", "least", "most"),
    [
        (f"Patient?_id={ALMA}", 1, 1),
        (f"Condition?patient={ALMA}", 2, 2),
        (f"Condition?subject=Patient/{ALMA}", 2, 2),
        (f"Condition?patient={ALMA}&clinical-status=relapse", 1, 1),
        (f"Condition?patient={ALMA}&clinical-status=relapse,active", 2, 2),
        (f"Condition?patient={ALMA}&code=http://snomed.info/sct|109969005", 1, 1),
        (f"Condition?patient={ALMA}&code=http://loinc.org|109969005", 0, 0),
        (f"Procedure?patient={ALMA}&status=completed&date=ge2026-06-01", 2, 2),
        (f"Observation?patient={ALMA}&code=718-7&date=ge2026-11-01", 1, 3),
        (f"Observation?patient={ALMA}&code=http://loinc.org|8116-6&date=2026-11-16", 1, 1),
        (f"Observation?patient={ALMA}&category=exam", 2, 2),
        (f"Observation?patient={ALMA}&code=8116-6&date=lt2026-08", 1, 1),
        (f"Observation?patient={ALMA}&_id=alma-o1,alma-o2", 2, 2),
        (f"DiagnosticReport?patient={ALMA}&status=final&date=gt2026-11-01&date=lt2026-11-10", 1, 1),
        (f"MedicationRequest?patient={ALMA}&intent=order&status=active", 3, 3),
        (f"Specimen?patient={ALMA}&collected=2026-11-11", 1, 1),
    ],
)
def test_searches_find_what_they_should(box: Box, query: str, least: int, most: int) -> None:
    """Reference, token and date parameters, alternatives by comma, several as AND."""
    assert least <= len(found(ask(box, query))) <= most


def test_sort_orders_by_date_and_post_gives_the_same(box: Box) -> None:
    """`_sort=-date` is newest first, and POST _search is the same search."""
    pairs = {"patient": ALMA, "code": "8116-6", "_sort": "-date"}
    dates = [one["effectiveDateTime"] for one in found(ask(box, "Observation", params=pairs))]
    assert dates == sorted(dates, reverse=True)
    assert len(set(dates)) == 4
    headers = {"Authorization": f"Bearer {box.token(ALMA)}"}
    posted = requests.post(f"{box.root}/fhir/Observation/_search", data=pairs, headers=headers, timeout=10)
    assert [one["effectiveDateTime"] for one in found(posted)] == dates


def test_pages_are_opaque_complete_and_without_repeats(box: Box) -> None:
    """Following next links to the end gives every result once; a link is good for its holder only."""
    token = box.token(BRUNO)
    url, seen, pages = f"Observation?patient={BRUNO}&_count=500", [], 0
    while url:
        body = ask(box, url, token=token).json()
        get_fhir_model_class("Bundle").model_validate({**body, "entry": body["entry"][:2]})
        assert "total" not in body  # as Oracle answers
        seen += [one["resource"]["id"] for one in body["entry"]]
        following = [one["url"] for one in body["link"] if one["relation"] == "next"]
        if following:
            parts = urlsplit(following[0])
            assert parts.query.startswith("_page=")
            assert BRUNO not in parts.query
            assert ask(box, f"Observation?{parts.query}").status_code == 410  # another patient's token
            assert ask(box, f"Condition?{parts.query}", token=token).status_code == 410
        url = following[0].removeprefix(f"{box.root}/fhir/") if following else ""
        pages += 1
    every = ward(box).records.of_type("Observation", frozenset((BRUNO,)))
    assert pages == 4
    assert seen == [one["id"] for one in every]


def test_epic_answers_carry_outcomes_and_totals_of_the_page(box: Box) -> None:
    """4119 with nearly every answer, 4101 alone where nothing was found, total of the page."""
    full = ask(box, f"Condition?patient={ALMA}").json()
    assert full["total"] == 2
    issue = full["entry"][-1]["resource"]["issue"][0]
    assert issue["details"]["coding"][0]["code"] == "4119"
    empty = ask(box, f"Condition?patient={ALMA}&code=nothing").json()
    assert [one["search"]["mode"] for one in empty["entry"]] == ["outcome"]
    assert empty["entry"][0]["resource"]["issue"][0]["details"]["coding"][0]["code"] == "4101"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"Observation?patient={ALMA}&flavour=sweet", 400),
        (f"Observation?patient={ALMA}&_include=Observation:specimen", 400),
        (f"Observation?patient={ALMA}&code:in=http://example.org/vs", 400),
        (f"Observation?patient={ALMA}&_sort=code", 400),
        (f"Observation?patient={ALMA}&_count=many", 400),
        (f"Observation?patient={ALMA}&_count=-1", 400),
        (f"Observation?patient={ALMA}&date=yesterday", 400),
        (f"Observation?patient={ALMA}&date=2026-13", 400),
        (f"Observation?patient={ALMA}&code=", 400),
        (f"Observation?patient={ALMA}&_format=xml", 400),
        ("Observation", 400),
        ("Observation?code=718-7", 403),
        (f"Observation?patient={BRUNO}", 403),
        (f"Observation?patient={ALMA},{BRUNO}", 403),
        ("Patient?family=ZZTEST", 403),
        (f"Patient/{BRUNO}", 403),
        ("Observation/bruno-o1", 403),
        (f"Encounter?patient={ALMA}", 404),
        ("Observation/alma-o99999", 404),
        (f"Patient/{ALMA}?_format=json", 400),
    ],
)
def test_what_a_careful_server_refuses(box: Box, path: str, status: int) -> None:
    """Every refusal is an OperationOutcome with a sentence."""
    answer = ask(box, path)
    assert answer.status_code == status
    body = answer.json()
    get_fhir_model_class("OperationOutcome").model_validate(body)
    assert body["issue"][0]["diagnostics"]


def test_token_is_needed_in_the_header_and_its_scopes_count(box: Box) -> None:
    """No token, a wrong one, one in the address, one without the scope; a read needs r and a search s."""
    path = f"Condition?patient={ALMA}"
    for token in ("", "made-up"):
        answer = ask(box, path, token=token)
        assert answer.status_code == 401
        assert "Bearer" in answer.headers["WWW-Authenticate"]
    assert ask(box, f"{path}&access_token={box.token(ALMA)}").status_code == 400
    only = box.token(ALMA, "patient/Observation.rs")
    assert ask(box, path, token=only).status_code == 403
    reads = box.token(ALMA, "patient/Condition.r")
    assert ask(box, path, token=reads).status_code == 403
    assert ask(box, "Condition/alma-c1", token=reads).status_code == 200
    v1 = box.token(ALMA, "patient/Condition.read")
    assert len(found(ask(box, path, token=v1))) == 2


def test_granular_scopes_narrow_what_is_found(box: Box) -> None:
    """A v2 scope with a category gives that category and nothing else."""
    token = box.token(ALMA, "patient/Observation.rs?category=exam")
    rows = found(ask(box, f"Observation?patient={ALMA}&_count=1000", token=token))
    assert {one["category"][0]["coding"][0]["code"] for one in rows} == {"exam"}


def test_user_scope_reaches_other_charts(box: Box) -> None:
    """With user scopes the search itself names the patient."""
    token = box.token(ALMA, "user/Condition.rs")
    assert len(found(ask(box, f"Condition?patient={BRUNO}", token=token))) == 1
    assert ask(box, "Condition", token=token).status_code == 400


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_is_written_from_outside(box: Box, method: str) -> None:
    """The box reads and searches only."""
    headers = {"Authorization": f"Bearer {box.token(ALMA)}"}
    url = f"{box.root}/fhir/Condition/alma-c1" if method != "post" else f"{box.root}/fhir/Condition"
    assert getattr(requests, method)(url, json={}, headers=headers, timeout=5).status_code == 405


def test_only_json_is_answered(box: Box) -> None:
    """An Accept without JSON is 406; POST _search takes a form."""
    answer = ask(box, f"Condition?patient={ALMA}", headers={"Accept": "application/fhir+xml"})
    assert answer.status_code == 406
    url = f"{box.root}/fhir/Condition/_search"
    headers = {"Authorization": f"Bearer {box.token(ALMA)}"}
    assert requests.post(url, json={"patient": ALMA}, headers=headers, timeout=5).status_code == 415


def test_switches_make_searches_fail_page_and_mix_in_strangers(box: Box) -> None:
    """Each awkward switch does what its label says, and only to its type."""
    path = f"Observation?patient={ALMA}&_count=1000"
    switch(box, "failing_observations")
    assert ask(box, path).status_code == 500
    assert ask(box, f"Condition?patient={ALMA}").status_code == 200
    switch(box, "small_pages")
    assert len(found(ask(box, path))) == 20
    switch(box, "wrong_patient")
    subjects = {one["subject"]["reference"] for one in found(ask(box, path))}
    assert len(subjects) == 2


def test_every_query_is_seen_without_its_token(box: Box) -> None:
    """What just happened shows the query, its client and its answer, never the token."""
    token = box.token(ALMA)
    ask(box, f"Condition?patient={ALMA}", token=token)
    newest = ward(box).happened.queries(ALMA)[0]
    assert (newest.what, newest.status, newest.entries) == (f"Condition?patient={ALMA}", 200, 2)
    assert token not in repr(newest)
