"""Every state of every prefetch key: what is read, what is not, and what the chart then says of it (H-08, H-09)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import lying
import pytest
from builders import (
    PATIENT,
    TYPES,
    body,
    bundle,
    category,
    condition,
    judge_bytes,
    outcome,
    patient,
    prefetch,
    procedure,
    report,
    stain,
    state,
)
from lying import TOKEN, LyingServer

from cds_hooks.gaps import GapReport, fill_gaps
from cds_hooks.needs import NEEDS, prefetch_templates, queries
from cds_hooks.outcome import Refusal
from ehr.fhir import FhirLink
from ehr.scopes import Right, parse_scopes
from ehr.site import Site
from ehr.transport import Deadline
from mappings.evaluation import Evaluation
from mappings.reading.decode import Decoded, decode_request

CONTEXT: Any = SimpleNamespace(patientId=PATIENT)
CHART = (condition(), procedure(), stain("Negative"))
ALL_TYPES = {**TYPES, "patient": "Patient"}


def decoded_of(
    given: dict[str, Any], server: str = "", scope: str = "patient/*.rs", token: str = TOKEN
) -> Decoded:
    whole = json.loads(body(given))
    if server:
        whole["fhirServer"] = server
    if server and token:
        whole["fhirAuthorization"] = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": scope,
            "subject": "postcart",
        }
    return decode_request(json.dumps(whole).encode())


def fill(
    decoded: Decoded, site: Site | None, link: FhirLink | None, seconds: float = 3.0
) -> tuple[GapReport, Evaluation]:
    made = fill_gaps(decoded, CONTEXT, site, link, Deadline.after(seconds))
    return made, judge_bytes(decoded)


def seen(made: Evaluation, kind: str) -> tuple[str, str]:
    row = next(row for row in made.facts.seen if row.type == kind)
    return row.state, row.reason


@pytest.fixture(autouse=True)
def _whole_chart(server: LyingServer) -> None:
    server.store["Observation"] = [stain("Negative")]


# ---- the state table

WRONG = bundle([report("Nothing.", id="r")])
HTML_AS_RESOURCE = {"resourceType": "Basic", "id": "page"}
TABLE: list[tuple[str, Any, str, str, int]] = [
    ("absent", ..., "absent", "fetched", 1),
    ("null", None, "null", "fetched", 1),
    ("complete", bundle([stain("Negative")], "Observation"), "complete", "complete", 0),
    ("complete and empty", bundle([], "Observation"), "complete", "complete", 0),
    ("4101 nothing found", bundle([outcome("4101")], "Observation"), "complete", "complete", 0),
    ("outcome", outcome(), "outcome", "outcome", 0),
    ("withheld", bundle([stain("Negative"), outcome("59204")]), "withheld", "withheld", 0),
    ("total larger", bundle([], "Observation", total=3), "cut", "fetched", 1),
    ("a page without address", bundle([], link=[{"relation": "next"}]), "cut", "fetched", 1),
    ("wrong type", WRONG, "wrong-type", "fetched", 1),
    ("a single resource", HTML_AS_RESOURCE, "wrong-type", "fetched", 1),
    ("another patient's", bundle([stain("Positive", subject={"reference": "Patient/x"})]), "other-patient",
     "fetched", 1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "given", "after", "requests"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
def test_each_state_of_a_key_is_told_apart_and_read_or_not(
    server: LyingServer, site: Site, link: FhirLink, value: Any, given: str, after: str, requests: int
) -> None:
    decoded = decoded_of(prefetch(*CHART, observations=value), server.base)
    report_, made = fill(decoded, site, link)
    assert (report_.given["observations"], report_.keys["observations"]) == (given, after)
    assert report_.requests == len(server.calls) == requests
    if requests:
        assert (seen(made, "Observation"), state(made)) == (("complete", ""), "negative")


@pytest.mark.parametrize("key", list(ALL_TYPES))
@pytest.mark.parametrize("value", [..., None])
def test_every_key_is_read_by_its_own_query(
    server: LyingServer, site: Site, link: FhirLink, key: str, value: Any
) -> None:
    decoded = decoded_of(prefetch(*CHART, **{key: value}), server.base)
    report_, made = fill(decoded, site, link)
    assert report_.keys[key] == "fetched"
    assert [call.type for call in server.calls] == [ALL_TYPES[key]]
    assert category(made) == "cd19-negative"
    assert report_.codes == ("ok",)


def test_a_whole_chart_is_read_with_as_many_requests_as_keys(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    report_, made = fill(decoded_of({}, server.base), site, link)
    assert report_.requests == len(server.calls) == len(NEEDS)
    assert set(report_.keys.values()) == {"fetched"}
    assert category(made) == "cd19-negative"


def test_a_complete_chart_is_not_read(server: LyingServer, site: Site, link: FhirLink) -> None:
    report_, _ = fill(decoded_of(prefetch(*CHART), server.base), site, link)
    assert (report_.requests, server.calls, report_.codes) == (0, [], ())
    assert set(report_.keys.values()) == {"complete"}


def test_a_type_that_another_key_holds_in_full_is_not_read(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    given = prefetch(*CHART, observations=..., labs=bundle([stain("Negative")], "Observation"))
    report_, _ = fill(decoded_of(given, server.base), site, link)
    assert (report_.keys["observations"], server.calls) == ("elsewhere", [])


def test_results_under_an_older_number_of_the_same_person_are_no_strangers(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    """rules 11.14: a record that this one replaces names the same person."""
    old = stain("Negative", subject={"reference": "Patient/old"})
    person = patient(link=[{"other": {"reference": "Patient/old"}, "type": "replaces"}])
    given = prefetch(person, condition(), procedure(), observations=bundle([old], "Observation"))
    report_, _ = fill(decoded_of(given, server.base), site, link)
    assert (report_.keys["observations"], report_.keys["patient"]) == ("complete", "complete")
    assert server.calls == []


# ---- cut short


def cut(server: LyingServer, place: int) -> dict[str, Any]:
    """A prefetch of the first of four results, with the link to the others."""
    server.page = 1
    server.store["Observation"] = [
        *(stain("Positive", "CD20", id=f"f{n}") for n in range(3)),
        stain("Negative"),
    ]
    first = server.bundle(lying.Call("GET", "", "Observation", {}, {}, 0))
    return prefetch(condition(), procedure(), observations={**first, "entry": first["entry"][:place]})


def test_h09_a_cut_key_is_read_on_from_its_next_link(server: LyingServer, site: Site, link: FhirLink) -> None:
    report_, made = fill(decoded_of(cut(server, 1), server.base), site, link)
    assert (report_.given["observations"], report_.keys["observations"]) == ("cut", "fetched")
    assert [call.parameters["_page"] for call in server.calls] == ["1", "2", "3"]
    assert [call.headers["authorization"] for call in server.calls] == [f"Bearer {TOKEN}"] * 3
    assert (seen(made, "Observation"), state(made)) == (("complete", ""), "negative")
    assert sum(row.antigen.value == "CD20" for row in made.facts.antigens) == 3, "what was given still counts"


@pytest.mark.parametrize(
    ("trick", "words"),
    [
        (lying.status(403), "the EHR gave no right to read it"),
        (lying.hang, "the EHR did not answer in time"),
        (lying.html, "the EHR's answer could not be read"),
    ],
)
def test_h09_a_cut_key_that_cannot_be_read_on_stays_incomplete(
    server: LyingServer, site: Site, link: FhirLink, trick: lying.Trick, words: str
) -> None:
    given = cut(server, 1)
    server.tricks["Observation"] = trick
    report_, made = fill(decoded_of(given, server.base), site, link, 0.6)
    assert report_.keys["observations"].startswith("failed:")
    assert seen(made, "Observation") == ("incomplete", words)
    assert state(made) == "unknown"
    assert any(row.antigen.value == "CD20" for row in made.facts.antigens), "what was given still counts"


def test_a_forgotten_next_link_begins_the_search_anew(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    given = cut(server, 1)
    server.tricks["Observation"] = lying.at([1], lying.status(410))
    report_, made = fill(decoded_of(given, server.base), site, link)
    assert (report_.keys["observations"], len(server.calls)) == ("fetched", 5)
    assert (seen(made, "Observation"), state(made)) == (("complete", ""), "negative")


def test_h09_a_second_reading_that_is_cut_again_stays_incomplete(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    server.page = 1
    server.store["Observation"] = [stain("Positive", "CD20"), stain("Negative")]
    server.tricks["Observation"] = lying.at([2], lying.status(403))
    given = prefetch(condition(), procedure(), observations=bundle([stain("Positive", "CD22")], total=3))
    report_, made = fill(decoded_of(given, server.base), site, link)
    assert report_.keys["observations"] == "fetched-incomplete"
    assert seen(made, "Observation") == ("incomplete", "the EHR gave no right to read it (after 1 entry)")
    assert {row.antigen.value for row in made.facts.antigens} == {"CD20", "CD22"}


# ---- failures keep their reason, and no negative answer rests on them

FAULTS: list[tuple[lying.Trick, str, str]] = [
    (lying.status(403), "no-right", "the EHR gave no right to read it"),
    (lying.status(404), "not-found", "the EHR did not find it"),
    (lying.status(429, Retry_After="9999"), "limited", "the EHR asked to wait longer than a call may"),
    (lying.status(500), "server-error", "the EHR answered with a fault of its own"),
    (lying.hang, "deadline", "the EHR did not answer in time"),
    (lying.html, "bad", "the EHR's answer could not be read"),
    (lying.page_loop, "loop", "the EHR's pages lead in a circle (after 3 entries)"),
]


@pytest.mark.parametrize(("trick", "code", "words"), FAULTS, ids=[row[1] for row in FAULTS])
@pytest.mark.parametrize("key", list(TYPES))
def test_h08_each_type_failing_is_named_and_never_denied(
    server: LyingServer, site: Site, link: FhirLink, key: str, trick: lying.Trick, code: str, words: str
) -> None:
    server.tricks[TYPES[key]] = trick
    if code == "loop":
        server.store.setdefault(TYPES[key], [condition(id="other")])
    quiet = (condition(clinical="active"), procedure())
    given = {name: value for name, value in prefetch(*quiet).items() if name != key}
    report_, made = fill(decoded_of(given, server.base), site, link, 0.5)
    assert report_.keys[key] == ("fetched-incomplete" if code == "loop" else f"failed:{code}")
    assert report_.codes == (code,)
    if key != "medicationRequests":
        assert seen(made, TYPES[key])[1] == words
    if key not in ("medicationRequests", "serviceRequests"):  # no category rests on orders
        assert any(item.what.startswith(TYPES[key]) for item in made.assessment.missing)
    if key in ("conditions", "observations", "reports"):
        assert category(made) not in ("no-relapse", "no-lymphoid-malignancy")
    if key in ("procedures", "conditions"):
        assert category(made) != "no-cd19-car-t"


def test_another_patients_record_is_not_taken(server: LyingServer, site: Site, link: FhirLink) -> None:
    """T-11, H-01: a server that answers with somebody else."""
    server.tricks["Patient"] = lying.body(json.dumps(patient("other")).encode())
    report_, made = fill(decoded_of(prefetch(*CHART, patient=...), server.base), site, link)
    assert report_.keys["patient"] == "failed:bad"
    assert seen(made, "Patient") == ("not-seen", "the EHR answered with another record than was asked for")
    assert category(made) == "cd19-negative"


def test_strangers_given_and_nothing_readable_is_not_seen(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    server.tricks["Observation"] = lying.status(403)
    strangers = bundle([stain("Negative", subject={"reference": "Patient/x"})], "Observation")
    _, made = fill(decoded_of(prefetch(*CHART[:2], observations=strangers), server.base), site, link)
    assert seen(made, "Observation")[0] == "not-seen"


def test_strangers_given_make_no_half_read_type_complete(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    """H-01 with H-08: the set of another patient is complete, the own one is not."""
    server.page = 1
    server.store["Observation"] = [stain("Positive", "CD20"), stain("Negative")]
    server.tricks["Observation"] = lying.at([2], lying.status(403))
    strangers = bundle([stain("Negative", subject={"reference": "Patient/x"})], "Observation")
    _, made = fill(decoded_of(prefetch(*CHART[:2], observations=strangers), server.base), site, link)
    assert seen(made, "Observation")[0] == "incomplete"


def test_entries_under_a_wrong_key_are_still_read_by_their_type(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    swapped = bundle([stain("Negative")], "Observation")
    given = prefetch(procedure(), conditions=swapped, observations=...)
    report_, made = fill(decoded_of(given, server.base), site, link)
    assert (report_.keys["conditions"], report_.keys["observations"]) == ("fetched", "elsewhere")
    assert category(made) == "cd19-negative"


# ---- without a site, a link, a server or a token


@pytest.mark.parametrize("missing", ["site", "link", "server"])
def test_nothing_is_read_without_site_link_or_server(
    server: LyingServer, site: Site, link: FhirLink, missing: str
) -> None:
    decoded = decoded_of(prefetch(*CHART, observations=...), "" if missing == "server" else server.base)
    report_, made = fill(decoded, None if missing == "site" else site, None if missing == "link" else link)
    assert (report_.keys["observations"], report_.server_not_registered) == ("absent", False)
    assert server.calls == []
    assert seen(made, "Observation") == ("not-seen", "not given")


def test_a_test_site_is_read_without_a_token_and_a_live_one_is_not(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    report_, _ = fill(decoded_of(prefetch(*CHART, observations=...), server.base, token=""), site, link)
    assert (report_.keys["observations"], server.calls[0].headers.get("authorization")) == ("fetched", None)
    live = Site("live", fhir_base="https://fhir.example.org/r4")
    decoded = decoded_of(prefetch(*CHART, observations=...), live.fhir_base, token="")
    assert fill(decoded, live, link)[0].keys["observations"] == "absent"


# ---- scopes


@pytest.mark.parametrize(
    ("scope", "search", "read"),
    [
        ("patient/Observation.read", Right.WHOLE, Right.WHOLE),
        ("user/*.read", Right.WHOLE, Right.WHOLE),
        ("system/*.*", Right.WHOLE, Right.WHOLE),
        ("patient/Observation.rs", Right.WHOLE, Right.WHOLE),
        ("patient/*.cruds", Right.WHOLE, Right.WHOLE),
        ("patient/Observation.r", Right.NONE, Right.WHOLE),
        ("patient/Observation.s", Right.WHOLE, Right.NONE),
        ("patient/Observation.write", Right.NONE, Right.NONE),
        ("patient/Observation.cud", Right.NONE, Right.NONE),
        ("patient/Condition.read", Right.NONE, Right.NONE),
        ("patient/observation.read", Right.NONE, Right.NONE),
        ("patient/Observation.sr", Right.NONE, Right.NONE),
        ("launch openid fhirUser", Right.NONE, Right.NONE),
        ("", Right.UNKNOWN, Right.UNKNOWN),
        ("patient/Observation.rs?category=laboratory", Right.PART, Right.PART),
        ("patient/Observation.rs?category=laboratory patient/*.s", Right.WHOLE, Right.PART),
        ("  launch\npatient/Observation.read ", Right.WHOLE, Right.WHOLE),
    ],
)
def test_scopes_are_read_in_both_spellings(scope: str, search: Right, read: Right) -> None:
    scopes = parse_scopes(scope)
    assert scopes.right("Observation", search=True) is search
    assert scopes.right("Observation", search=False) is read


def test_a_type_without_scope_is_not_asked_for_and_named(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    given = prefetch(*CHART, observations=..., conditions=...)
    decoded = decoded_of(given, server.base, scope="launch patient/Condition.rs patient/Patient.r")
    report_, made = fill(decoded, site, link)
    assert (report_.keys["observations"], report_.keys["conditions"]) == ("failed:no-right", "fetched")
    assert [call.type for call in server.calls] == ["Condition"]
    assert seen(made, "Observation") == ("not-seen", "the EHR gave no right to read it")


def test_h08_a_scope_for_a_part_never_makes_a_type_complete(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    server.store["Observation"] = []
    given = prefetch(condition(clinical="active"), procedure(), observations=...)
    decoded = decoded_of(given, server.base, scope="patient/Observation.rs?category=laboratory")
    report_, made = fill(decoded, site, link)
    assert report_.keys["observations"] == "fetched-incomplete"
    assert seen(made, "Observation") == ("incomplete", "the EHR gave the right to read a part of it only")
    assert category(made) != "no-relapse"


# ---- the site's wish per key


@pytest.mark.parametrize("value", [outcome(), ...])
def test_a_site_may_want_412_for_a_faulty_key(
    server: LyingServer, site: Site, link: FhirLink, value: Any
) -> None:
    server.tricks["Observation"] = lying.status(403)
    strict = replace(site, prefetch_faults={"observations": "fail"})
    with pytest.raises(Refusal) as refusal:
        fill(decoded_of(prefetch(*CHART, observations=value), server.base), strict, link)
    assert (refusal.value.status, refusal.value.field) == (412, "prefetch.observations")


@pytest.mark.parametrize("value", [outcome(), ...])
@pytest.mark.parametrize(("wish", "worded"), [("omit", False), ("show", True)])
def test_a_site_may_want_no_words_of_it_but_never_a_denial(
    server: LyingServer, site: Site, link: FhirLink, value: Any, wish: str, worded: bool
) -> None:
    server.tricks["Observation"] = lying.status(403)
    wishful = replace(site, prefetch_faults={"observations": wish})
    _, made = fill(decoded_of(prefetch(*CHART[:2], observations=value), server.base), wishful, link)
    assert seen(made, "Observation")[0] == "not-seen"
    assert (seen(made, "Observation")[1] != "not given") is worded


def test_h09_a_cut_key_stays_incomplete_whatever_words_are_wanted(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    given = cut(server, 1)
    server.tricks["Observation"] = lying.status(403)
    wishful = replace(site, prefetch_faults={"observations": "omit"})
    _, made = fill(decoded_of(given, server.base), wishful, link)
    assert seen(made, "Observation") == ("incomplete", "cut short")


def test_a_site_that_wants_412_gets_answers_where_nothing_failed(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    strict = replace(site, prefetch_faults={need.key: "fail" for need in NEEDS})
    assert fill(decoded_of({}, server.base), strict, link)[0].requests == len(NEEDS)


# ---- time


def test_h57_gaps_end_by_the_deadline_whatever_hangs(server: LyingServer, site: Site, link: FhirLink) -> None:
    for kind in ("Condition", "Procedure", "Observation"):
        server.tricks[kind] = lying.drip
    began = time.monotonic()
    report_, _ = fill(decoded_of({}, server.base), site, link, 0.6)
    assert time.monotonic() - began < 0.6 * 1.1 + 0.5
    assert report_.keys["observations"] == "failed:deadline"
    assert report_.keys["patient"] == "fetched"
    assert 500 < report_.milliseconds < 1200


# ---- the one list


SUBSET = re.compile(
    r"[A-Z][A-Za-z]+(?:/\{\{context\.patientId\}\}|\?patient=\{\{context\.patientId\}\}"
    r"(?:&(?:_count=[1-9][0-9]*|_sort=-?[a-z-]+|date=(?:eq|lt|gt|le|ge)[0-9-]+|category=[^&:]+|code=[^&:]+|status=[^&:]+))*)"
)


@pytest.mark.parametrize("template", prefetch_templates().values())
def test_templates_stay_in_the_recommended_query_subset(template: str) -> None:
    """CDS Hooks 2.0.1: instance read, or type search by reference, token, date, `_count`, `_sort`; no modifiers."""
    assert SUBSET.fullmatch(template)


def test_templates_and_queries_are_one_list() -> None:
    templates = prefetch_templates()
    for query in queries("p1"):
        search = "&".join(f"{name}={value}" for name, value in query.search)
        assert f"{query.path}?{search}".rstrip("?") == templates[query.key].replace(
            "{{context.patientId}}", "p1"
        )
    assert [one.type for one in queries("p1", "Condition", "Patient")] == ["Patient", "Condition"]


def test_a_token_is_in_no_picture_of_what_is_kept() -> None:
    from cds_hooks.access import read_access

    site = Site("s", fhir_base="https://fhir.example.org/r4")
    decoded = decoded_of({}, site.fhir_base)
    access = read_access(decoded.request, site, PATIENT)
    assert access.token == TOKEN
    assert TOKEN not in repr(access)


def test_names_of_this_module_are_free_of_the_app() -> None:
    """The gaps need neither Flask nor the app: the shell and the page may fill gaps, too."""
    code = "import cds_hooks.gaps, sys; assert not {'flask', 'smart_app'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
