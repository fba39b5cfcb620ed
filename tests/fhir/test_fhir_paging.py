"""Long answers page by page: the same facts as in one piece, or visibly incomplete (H-09, T-11)."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import lying
import pytest
from builders import (
    PATIENT,
    category,
    codes_of,
    condition,
    judge_bytes,
    observation,
    patient,
    procedure,
    report,
    stain,
    state,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from lying import LyingServer

from cds_hooks.needs import queries
from ehr.asking import Limits
from ehr.breaker import Breaker
from ehr.fhir import FhirLink
from ehr.paging import PageFault, read_page
from ehr.queries import Fetched, Query, ReadState
from ehr.reading import charts_from
from ehr.site import Site
from ehr.transport import Deadline, Transport
from mappings.evaluation import Evaluation

MANY = 5_000
LABS = [
    observation("Sodium", {"valueQuantity": {"value": 140, "unit": "mmol/L"}}, id=f"s{number}")
    for number in range(MANY - 1)
]


@pytest.fixture
def wide() -> FhirLink:
    """A link that takes as many pages as there are."""
    return FhirLink(Transport(), limits=Limits(pages=1000), breaker=Breaker(failures=1000))


def chart(server: LyingServer, place: int = 0) -> None:
    """A relapse whose only CD19 result stands at `place` among 5,000 observations."""
    server.store["Observation"] = [*LABS[:place], stain("Negative"), *LABS[place:]]


def judged(
    site: Site, link: FhirLink, seconds: float = 60.0, wanted: tuple[Query, ...] = queries(PATIENT)
) -> tuple[Evaluation, dict[str, Fetched]]:
    fetched = link.fetch(site, wanted, token=None, deadline=Deadline.after(seconds))
    return judge_bytes(charts_from(fetched, fhir_base=site.fhir_base)), fetched


def seen(made: Evaluation, kind: str = "Observation") -> tuple[str, str]:
    row = next(row for row in made.facts.seen if row.type == kind)
    return row.state, row.reason


@pytest.mark.parametrize(
    ("page", "opaque"), [(0, False), (10, False), (100, False), (250, True), (1000, True)]
)
def test_h09_five_thousand_results_give_the_same_facts_in_any_pages(
    server: LyingServer, site: Site, wide: FhirLink, page: int, opaque: bool
) -> None:
    chart(server, MANY - 1)
    server.page, server.opaque = page, opaque
    made, fetched = judged(site, wide)
    assert (category(made), state(made)) == ("cd19-negative", "negative")
    assert seen(made) == ("complete", "")
    pages = -(-MANY // page) if page else 1
    assert len(fetched["observations"].pages) == fetched["observations"].requests == pages
    assert len(server.calls) == len(queries(PATIENT)) - 1 + pages, "never more than keys plus pages"


FAILURES = [
    (lying.status(500), "the EHR answered with a fault of its own"),
    (lying.status(403), "the EHR gave no right to read it"),
    (lying.html, "the EHR's answer could not be read"),
    (lying.short, "the EHR's answer could not be read"),
    (lying.hang_up, "the EHR could not be reached"),
]


@pytest.mark.parametrize("number", range(1, 21))
def test_h09_each_page_failing_in_turn_is_visible(
    server: LyingServer, site: Site, link: FhirLink, number: int
) -> None:
    """Twenty pages of 250; the deciding result stands on the last one, and is never silently missed."""
    chart(server, MANY - 1)
    server.page = 250
    trick, words = FAILURES[number % len(FAILURES)]
    server.tricks["Observation"] = lying.at(range(number, 1000), trick)
    made, _ = judged(site, link)
    expected = (
        ("not-seen", words)
        if number == 1
        else ("incomplete", f"{words} (after {(number - 1) * 250:,} entries)")
    )
    assert seen(made) == expected
    assert (category(made), state(made)) == ("cd19-unknown", "unknown")
    assert any("Observation" in item.what for item in made.assessment.missing)


@pytest.mark.parametrize("number", [1, 2, 50])
def test_h09_a_page_that_fails_once_is_asked_again_and_nothing_is_lost(
    server: LyingServer, site: Site, link: FhirLink, number: int
) -> None:
    chart(server, MANY - 1)
    server.page = 100
    server.tricks["Observation"] = lying.at([number], lying.status(502))
    made, fetched = judged(site, link)
    assert (seen(made), state(made)) == (("complete", ""), "negative")
    assert fetched["observations"].requests == 51


def test_h09_what_came_newest_first_still_counts_when_the_rest_is_cut(
    server: LyingServer, site: Site
) -> None:
    """The search asks for the newest first, so that a cut loses the oldest; the cut shows."""
    chart(server, 0)
    server.page = 100
    made, _ = judged(site, FhirLink(Transport(), limits=Limits(pages=40)))
    assert seen(made) == ("incomplete", "page limit reached (after 4,000 entries)")
    assert server.seen("Observation")[0].parameters["_sort"] == "-date"
    assert state(made) == "negative"


def test_a_search_whose_pages_were_forgotten_is_begun_anew_once(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    chart(server, 150)
    server.store["Observation"] = server.store["Observation"][:300]
    server.page = 100
    server.tricks["Observation"] = lying.at([3], lying.status(410))
    made, fetched = judged(site, link)
    assert (seen(made), state(made)) == (("complete", ""), "negative")
    assert fetched["observations"].requests == 6
    server.calls.clear()
    server.tricks["Observation"] = lying.at([3, 6], lying.status(410))
    made, fetched = judged(site, link)
    assert (fetched["observations"].code, seen(made)[0]) == ("not-found", "incomplete")
    assert len(server.seen("Observation")) == 6


def test_h09_a_total_larger_than_all_pages_is_incomplete(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    def boast(handler: lying.Handler, call: lying.Call) -> bool:
        handler.send(200, json.dumps({**server.bundle(call), "total": 7}).encode())
        return True

    server.tricks["Observation"] = boast
    made, _ = judged(site, link)
    assert seen(made) == ("incomplete", "7 results were announced and 1 given")


@pytest.mark.parametrize(
    ("code", "wanted"), [("4101", "complete"), ("4119", "complete"), ("59204", "incomplete")]
)
def test_outcomes_among_the_entries_keep_their_meaning(
    server: LyingServer, site: Site, link: FhirLink, code: str, wanted: str
) -> None:
    from builders import outcome

    def withhold(handler: lying.Handler, call: lying.Call) -> bool:
        made = server.bundle(call)
        made["entry"].append({"resource": outcome(code), "search": {"mode": "outcome"}})
        handler.send(200, json.dumps(made).encode())
        return True

    server.tricks["Observation"] = withhold
    assert seen(judged(site, link)[0])[0] == wanted


def test_an_empty_complete_answer_is_complete(server: LyingServer, site: Site, link: FhirLink) -> None:
    server.store["Observation"] = []
    made, _ = judged(site, link)
    assert seen(made) == ("complete", "")


def test_h08_nothing_but_failures_gives_no_negative_answer(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    for kind in ("Condition", "Procedure", "MedicationAdministration", "Observation", "DiagnosticReport"):
        for trick, words in FAILURES:
            server.tricks = {kind: trick}
            made, _ = judged(site, link)
            assert seen(made, kind) == ("not-seen", words)
            assert not category(made).startswith("no-")


# ---- T-11: a lying server's facts


def test_t11_entries_of_another_type_are_set_aside_and_make_no_type_complete(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    server.store["Observation"] = [procedure("Tisagenlecleucel infusion", id="liar")]
    made, _ = judged(site, link, wanted=queries(PATIENT, "Patient", "Condition", "Observation"))
    assert seen(made) == ("incomplete", "the EHR answered with entries of another type")
    assert seen(made, "Procedure")[0] == "not-seen"
    assert made.facts.infusions == ()
    assert "wrong-type" in codes_of(made, "set-aside")


STRANGERS = (
    lambda n: stain("Positive", id=f"x{n}", subject={"reference": f"Patient/other-{n}"}),
    lambda n: condition(id=f"x{n}", subject={"reference": f"Patient/other-{n}"}),
    lambda n: procedure(
        "Idecabtagene vicleucel infusion", id=f"x{n}", subject={"reference": "Patient/syn-11"}
    ),
    lambda n: report("CD19 positive relapse", id=f"x{n}", subject={"reference": f"Patient/other-{n}"}),
)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from(range(4)), st.integers(0, 3)), min_size=1, max_size=6))
def test_t11_h01_strangers_on_any_page_change_no_fact(rows: list[tuple[int, int]]) -> None:
    store: dict[str, list[dict[str, Any]]] = {
        "Patient": [patient()],
        "Condition": [condition()],
        "Procedure": [procedure()],
        "Observation": [stain("Negative")],
    }
    plain = judge_bytes(charts_from(fetched_of(store)))
    for number, (kind, place) in enumerate(rows):
        made = STRANGERS[kind](number)
        store.setdefault(made["resourceType"], []).insert(place, made)
    mixed = judge_bytes(charts_from(fetched_of(store)))
    assert (category(mixed), state(mixed)) == (category(plain), state(plain)) == ("cd19-negative", "negative")
    assert replace(mixed.facts, seen=(), remarks=()) == replace(plain.facts, seen=(), remarks=())
    assert "other-patient" in codes_of(mixed, "set-aside") | codes_of(mixed, "unread")


def fetched_of(store: dict[str, list[dict[str, Any]]]) -> dict[str, Fetched]:
    """What a read of this store in pages of two would bring."""
    fetched = {}
    for query in queries(PATIENT):
        held = store.get(query.type, [])
        pages = [held[start : start + 2] for start in range(0, max(len(held), 1), 2)]
        bodies = [
            {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in page]}
            for page in pages
        ]
        content = bodies if query.search else held[:1]
        fetched[query.key] = Fetched(
            query, ReadState.COMPLETE, tuple(json.dumps(one).encode() for one in content)
        )
    return fetched


# ---- one page


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{", b'{"resourceType":1}', b"\xff\xfe{}", b'{"resourceType":"Bundle"' + b" " * 9,
     b'{"resourceType":"Bundle","x":' + b"[" * 70 + b"]" * 70 + b"}", b"<html></html>", b'{"resourceType":"bundle"}'],
)  # fmt: skip
def test_what_is_no_searchset_is_bad(body: bytes) -> None:
    with pytest.raises(PageFault) as fault:
        read_page(body, "Bundle")
    assert fault.value.code == "bad"


@pytest.mark.parametrize("piece", [b"[", b"[{},", b"[[1],[[2]],"])
def test_t10_a_deep_page_costs_no_more_than_a_flat_one(piece: bytes) -> None:
    """Ten megabytes of openings: telling their depth once took twenty seconds of a core."""
    body = b'{"resourceType":"Bundle","entry":' + piece * (10_000_000 // len(piece)) + b"}"
    began = time.process_time()
    with pytest.raises(PageFault):
        read_page(body, "Bundle")
    assert time.process_time() - began < 2.0


@pytest.mark.parametrize(
    ("link", "following"),
    [
        ("[]", ""),
        ("null", ""),
        ('[{"relation":"self","url":"u"}]', ""),
        ('[{"relation":"next","url":"u"}]', "u"),
        ('[{"relation":"self","url":"s"},{"relation":"next","url":"u"}]', "u"),
        ('{"relation":"next","url":"u"}', "u"),
        ('[{"relation":"next"}]', " "),
        ('[7,{"relation":"next","url":"u"}]', "u"),
    ],
)
def test_a_next_link_is_found_however_it_is_written(link: str, following: str) -> None:
    page = read_page(f'{{"resourceType":"Bundle","link":{link},"entry":[{{}},{{}}]}}'.encode(), "Bundle")
    assert (page.entries, page.following) == (2, following)


def test_a_long_search_goes_as_post(server: LyingServer, site: Site, link: FhirLink) -> None:
    codes = ",".join(f"http://loinc.org|{number}-1" for number in range(200))
    query = Query("labs", "Observation", "Observation", (("patient", PATIENT), ("code", codes)))
    found = link.fetch(site, [query], token=None, deadline=Deadline.after(2))["labs"]
    (call,) = server.calls
    assert found.state is ReadState.COMPLETE
    assert (call.method, call.path) == ("POST", "/fhir/Observation/_search")
    assert call.headers["content-type"] == "application/x-www-form-urlencoded"
    assert call.parameters == {"patient": PATIENT, "code": codes}


def test_keys_must_differ(site: Site, link: FhirLink) -> None:
    with pytest.raises(ValueError, match="key of its own"):
        link.fetch(site, [*queries(PATIENT), *queries(PATIENT)], token=None, deadline=Deadline.after(1))
