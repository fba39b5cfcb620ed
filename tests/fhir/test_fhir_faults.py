"""A server that lies, drips, hangs or fails: every way ends by the deadline, with a reason (T-10, H-57)."""

from __future__ import annotations

import json
import logging
import time
import tracemalloc
from collections.abc import Callable

import lying
import pytest
from builders import PATIENT
from lying import TOKEN, LyingServer, Trick

from cds_hooks.needs import queries
from ehr.asking import WORDS, Limits
from ehr.breaker import Breaker
from ehr.fhir import FhirLink
from ehr.queries import Fetched, ReadState
from ehr.site import Site
from ehr.transport import Deadline, Transport, TransportFault

BUDGET = 0.6
SLACK = 0.5  # machines that run tests are busy; a control that is missing costs many seconds
OBSERVATIONS = queries(PATIENT, "Observation")


def fetch(link: FhirLink, site: Site, seconds: float = BUDGET) -> tuple[Fetched, float]:
    began = time.monotonic()
    found = link.fetch(site, OBSERVATIONS, token=TOKEN, deadline=Deadline.after(seconds))
    return found["observations"], time.monotonic() - began


TRICKS: list[tuple[str, Trick, str]] = [
    ("drip", lying.drip, "deadline"),
    ("drip in the headers", lying.drip_headers, "deadline"),
    ("drip without a length", lying.drip_open, "deadline"),
    ("hang", lying.hang, "deadline"),
    ("endless body", lying.endless, "cap deadline"),
    ("gzip bomb", lying.gzip_bomb, "cap deadline"),
    ("page loop", lying.page_loop, "loop"),
    ("endless pages", lying.endless_pages, "cap deadline"),
    ("deep JSON", lying.deep, "bad deadline"),
    ("short body", lying.short, "bad"),
    ("no HTTP", lying.not_http, "bad"),
    ("hangs up", lying.hang_up, "down"),
    ("HTML", lying.html, "bad"),
    ("an array", lying.body(b"[]"), "bad"),
    ("nothing", lying.body(b""), "bad"),
    ("an outcome in place of a set", lying.body(b'{"resourceType":"OperationOutcome"}'), "bad"),
    ("another resource", lying.body(b'{"resourceType":"Patient","id":"x"}'), "bad"),
    ("Retry-After 9999", lying.status(429, Retry_After="9999"), "limited"),
    ("Retry-After far away", lying.status(503, Retry_After="Fri, 31 Dec 2199 23:59:59 GMT"), "limited"),
    ("Retry-After in words", lying.status(503, Retry_After="soon"), "limited"),
    ("500", lying.status(500), "server-error"),
    ("503", lying.status(503), "server-error"),
    ("400", lying.status(400), "bad"),
    ("401", lying.status(401), "no-right"),
    ("403", lying.status(403), "no-right"),
    ("404", lying.status(404), "not-found"),
    ("410", lying.status(410), "not-found"),
    ("redirect", lying.redirect("http://127.0.0.1:9/"), "origin"),
]


@pytest.mark.parametrize(("trick", "codes"), [row[1:] for row in TRICKS], ids=[row[0] for row in TRICKS])
def test_t10_every_lie_ends_by_the_deadline_and_never_looks_complete(
    server: LyingServer, site: Site, link: FhirLink, trick: Trick, codes: str
) -> None:
    server.tricks["Observation"] = trick
    found, spent = fetch(link, site)
    assert found.state is not ReadState.COMPLETE
    assert found.code in codes.split()
    assert found.reason
    assert len(found.reason) <= 80, "a card shows no more"
    assert spent <= BUDGET * 1.1 + SLACK


def test_t10_the_body_of_a_redirect_is_not_read(server: LyingServer, site: Site, link: FhirLink) -> None:
    server.tricks["Observation"] = lying.endless_redirect
    found, spent = fetch(link, site, 5.0)
    assert found.code == "origin"
    assert spent < 1.0


def test_t10_a_packed_bomb_never_unfolds(server: LyingServer, site: Site, link: FhirLink) -> None:
    """512 MB in half a megabyte, once for each of seven queries: less than 50 MB are ever held."""
    for kind in ("Patient", "Condition", "Procedure", "Observation", "DiagnosticReport"):
        server.tricks[kind] = lying.gzip_bomb
    fetch(link, site)
    tracemalloc.start()
    found = link.fetch(site, queries(PATIENT), token=None, deadline=Deadline.after(3))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 << 20
    assert {found[key].code for key in ("patient", "conditions", "observations")} <= {"cap", "deadline"}


@pytest.mark.parametrize("trick", [lying.drip, lying.hang, lying.drip_headers])
def test_t10_the_transport_itself_ends_by_the_deadline(server: LyingServer, trick: Trick) -> None:
    """Key sets and tokens are fetched without the FHIR link around it."""
    server.tricks["Observation"] = trick
    began = time.monotonic()
    with pytest.raises(TransportFault) as fault:
        Transport().get(
            f"{server.base}/Observation", headers={}, deadline=Deadline.after(BUDGET), max_bytes=1000
        )
    assert fault.value.code == "deadline"
    assert time.monotonic() - began <= BUDGET * 1.1 + SLACK


def test_what_came_before_the_deadline_is_kept_and_incomplete(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    server.store["Observation"] *= 3
    server.page = 1
    server.tricks["Observation"] = lying.at([3], lying.hang)
    found, _ = fetch(link, site)
    assert (found.state, found.code, len(found.pages)) == (ReadState.INCOMPLETE, "deadline", 2)
    assert found.reason == "the EHR did not answer in time (after 2 entries)"


def test_one_slow_type_holds_none_of_the_others(server: LyingServer, site: Site, link: FhirLink) -> None:
    server.tricks["Observation"] = lying.hang
    found = link.fetch(site, queries(PATIENT), token=None, deadline=Deadline.after(BUDGET))
    assert found.pop("observations").code == "deadline"
    assert {one.code for one in found.values()} == {"ok"}


def test_a_pool_that_is_busy_answers_by_the_deadline_all_the_same(server: LyingServer, site: Site) -> None:
    link = FhirLink(Transport(), threads=1)
    server.tricks["Observation"] = lying.hang
    began = time.monotonic()
    found = link.fetch(site, queries(PATIENT), token=None, deadline=Deadline.after(BUDGET))
    assert time.monotonic() - began <= BUDGET * 1.1 + SLACK
    assert found["reports"].code == "deadline"
    link.close()


def test_a_dead_name_server_holds_no_call(monkeypatch: pytest.MonkeyPatch, link: FhirLink) -> None:
    """A name look-up cannot be interrupted: it runs on a thread of its own (T-10)."""

    def stuck(*_: object) -> None:
        time.sleep(3)

    monkeypatch.setattr("socket.getaddrinfo", stuck)
    found, spent = fetch(link, Site("far", fhir_base="https://fhir.example.org/r4"))
    assert found.code == "deadline"
    assert spent <= BUDGET * 1.1 + SLACK


def test_a_dead_name_server_holds_no_transport_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *_: time.sleep(3))
    began = time.monotonic()
    with pytest.raises(TransportFault, match="deadline"):
        Transport().get(
            "https://keys.example.org/", headers={}, deadline=Deadline.after(BUDGET), max_bytes=1000
        )
    assert time.monotonic() - began <= BUDGET * 1.1 + SLACK


# ---- what is asked again, and what is not


@pytest.mark.parametrize("trick", [lying.status(500), lying.status(503), lying.hang_up])
def test_a_fault_of_the_moment_is_asked_about_once_more(
    server: LyingServer, site: Site, link: FhirLink, trick: Trick
) -> None:
    server.tricks["Observation"] = lying.at([1], trick)
    found, _ = fetch(link, site)
    assert (found.code, found.requests, len(server.seen("Observation"))) == ("ok", 2, 2)


@pytest.mark.parametrize(
    ("trick", "requests"),
    [(lying.status(500), 2), (lying.hang_up, 2), (lying.status(403), 1), (lying.status(404), 1)],
)
def test_nothing_is_asked_a_third_time(
    server: LyingServer, site: Site, link: FhirLink, trick: Trick, requests: int
) -> None:
    server.tricks["Observation"] = trick
    found, _ = fetch(link, site)
    assert found.requests == len(server.seen("Observation")) == requests


def test_a_short_retry_after_is_waited_for(server: LyingServer, site: Site, link: FhirLink) -> None:
    server.tricks["Observation"] = lying.at([1], lying.status(429, Retry_After="1"))
    found, spent = fetch(link, site, 3.0)
    assert (found.code, found.requests) == ("ok", 2)
    assert spent >= 1.0


def test_a_long_retry_after_costs_no_time(server: LyingServer, site: Site, link: FhirLink) -> None:
    server.tricks["Observation"] = lying.status(429, Retry_After="9999")
    found, spent = fetch(link, site, 5.0)
    assert (found.code, found.requests) == ("limited", 1)
    assert spent < 1.0


def test_a_refused_token_is_renewed_once_for_all_queries(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    asked: list[int] = []

    def renew() -> str:
        asked.append(1)
        return "fresh"

    def guard(handler: lying.Handler, call: lying.Call) -> bool:
        if call.headers["authorization"] == "Bearer fresh":
            return False
        return bool(lying.status(401)(handler, call))

    server.tricks = {"Observation": guard, "Condition": guard, "Procedure": guard}
    wanted = queries(PATIENT, "Observation", "Condition", "Procedure")
    found = link.fetch(site, wanted, token=TOKEN, deadline=Deadline.after(3), renew=renew)
    assert {one.code for one in found.values()} == {"ok"}
    assert len(asked) == 1


def test_a_renewal_that_does_not_help_is_no_loop(server: LyingServer, site: Site, link: FhirLink) -> None:
    asked: list[str] = []

    def renew() -> str:
        asked.append(f"fresh-{len(asked)}")
        return asked[-1]

    server.tricks["Observation"] = lying.status(401)
    found = link.fetch(site, OBSERVATIONS, token=TOKEN, deadline=Deadline.after(3), renew=renew)
    assert found["observations"].code == "no-right"
    assert len(server.seen("Observation")) == 2
    assert asked == ["fresh-0"]


def test_a_renewal_that_hangs_holds_no_call(server: LyingServer, site: Site, link: FhirLink) -> None:
    """The reading thread may be stuck where no watchdog sees it: the call ends by the deadline all the same."""
    server.tricks["Observation"] = lying.status(401)
    began = time.monotonic()
    found = link.fetch(
        site, OBSERVATIONS, token=TOKEN, deadline=Deadline.after(BUDGET), renew=lambda: time.sleep(3)
    )
    assert found["observations"].code == "deadline"
    assert time.monotonic() - began <= BUDGET * 1.1 + SLACK


def test_a_server_that_is_not_there_is_down(link: FhirLink, server: LyingServer, site: Site) -> None:
    server.stop()
    found, spent = fetch(link, site)
    assert (found.code, found.reason) == ("down", WORDS["down"])
    assert spent <= BUDGET * 1.1 + SLACK


# ---- the breaker


def test_h57_an_open_breaker_answers_at_once_and_asks_nothing(server: LyingServer, site: Site) -> None:
    link = FhirLink(Transport(), breaker=Breaker(failures=2, pause=60))
    server.tricks["Observation"] = lying.status(500)
    assert [fetch(link, site, 2.0)[0].code for _ in range(2)] == ["server-error"] * 2
    before = len(server.calls)
    found, spent = fetch(link, site)
    assert (found.state, found.code, found.requests) == (ReadState.FAILED, "breaker", 0)
    assert spent <= 0.05
    assert len(server.calls) == before
    link.close()


def test_refusals_are_answers_and_open_no_breaker(server: LyingServer, site: Site) -> None:
    link = FhirLink(Transport(), breaker=Breaker(failures=1, pause=60))
    server.tricks["Observation"] = lying.status(403)
    assert [fetch(link, site)[0].code for _ in range(3)] == ["no-right"] * 3
    link.close()


def test_one_slow_type_alone_opens_the_breaker_for_no_other(server: LyingServer, site: Site) -> None:
    link = FhirLink(Transport(), breaker=Breaker(failures=1, pause=60))
    server.tricks["Observation"] = lying.hang
    for _ in range(2):
        found = link.fetch(site, queries(PATIENT), token=None, deadline=Deadline.after(BUDGET))
        assert (found["observations"].code, found["conditions"].code) == ("deadline", "ok")
    link.close()


def test_a_call_with_no_time_left_says_nothing_of_the_server(server: LyingServer, site: Site) -> None:
    link = FhirLink(Transport(), breaker=Breaker(failures=1, pause=60))
    assert [fetch(link, site, 0.0)[0].code, fetch(link, site, 2.0)[0].code] == ["deadline", "ok"]
    assert len(server.calls) == 1
    link.close()


def test_after_the_pause_one_read_tries_and_its_success_closes() -> None:
    now = [0.0]
    breaker = Breaker(failures=2, pause=10, clock=lambda: now[0])
    breaker.note("a", False)
    assert breaker.lets("a")
    breaker.note("a", False)
    assert (breaker.lets("a"), breaker.lets("b"), breaker.open_servers()) == (False, True, ("a",))
    now[0] = 10.0
    assert [breaker.lets("a"), breaker.lets("a")] == [True, False]
    breaker.note("a", False)
    now[0] = 19.9
    assert not breaker.lets("a")
    now[0] = 20.0
    assert breaker.lets("a")
    breaker.note("a", True)
    assert [breaker.lets("a"), breaker.lets("a")] == [True, True]


# ---- in parallel


def test_all_queries_are_under_way_at_the_same_time(server: LyingServer, site: Site, link: FhirLink) -> None:
    kinds = ("Patient", "Condition", "Procedure", "Observation", "DiagnosticReport")
    for kind in kinds:
        server.tricks[kind] = lying.delay(0.3)
    found = link.fetch(site, queries(PATIENT, *kinds), token=None, deadline=Deadline.after(3))
    assert {one.code for one in found.values()} == {"ok"}
    assert server.peak == len(kinds)


def test_connections_are_kept_from_call_to_call(server: LyingServer, site: Site, link: FhirLink) -> None:
    ports: set[int] = set()

    def note(handler: lying.Handler, _: lying.Call) -> None:
        ports.add(handler.client_address[1])

    server.tricks["Observation"] = note
    for _ in range(5):
        assert fetch(link, site)[0].code == "ok"
    assert len(ports) == 1


# ---- what is never said (invariant 9)


def everything_said(caplog: pytest.LogCaptureFixture) -> str:
    return caplog.text + json.dumps([str(record.__dict__) for record in caplog.records])


@pytest.mark.parametrize("trick", [None, lying.bad_header, lying.hang_up, lying.short, lying.status(500)])
def test_h66_no_log_line_of_any_library_names_patient_or_token(
    server: LyingServer, site: Site, link: FhirLink, caplog: pytest.LogCaptureFixture, trick: Trick | None
) -> None:
    caplog.set_level(logging.DEBUG)
    if trick is not None:
        server.tricks["Observation"] = trick
    fetch(link, site)
    assert server.calls
    assert PATIENT not in everything_said(caplog)
    assert TOKEN not in everything_said(caplog)


def _chain(error: BaseException | None) -> str:
    said = ""
    while error is not None:
        said += f"{error!r} {error.args!r}"
        error = error.__cause__ or error.__context__
    return said


@pytest.mark.parametrize(
    "trick", [lying.short, lying.hang_up, lying.not_http, lying.redirect("http://x/"), None]
)
def test_h66_a_fault_quotes_neither_address_nor_token(server: LyingServer, trick: Trick | None) -> None:
    if trick is None:
        server.stop()
    else:
        server.tricks["Patient"] = trick
    with pytest.raises(TransportFault) as fault:
        Transport().get(
            f"{server.base}/Patient/{PATIENT}",
            headers={"Authorization": f"Bearer {TOKEN}"},
            deadline=Deadline.after(2),
            max_bytes=1000,
        )
    assert PATIENT not in _chain(fault.value)
    assert TOKEN not in _chain(fault.value)


def test_a_token_that_cannot_stand_in_a_header_does_not_leave(
    server: LyingServer, site: Site, link: FhirLink
) -> None:
    token = "a\r\nX-Evil: 1"  # noqa: S105
    found = link.fetch(site, OBSERVATIONS, token=token, deadline=Deadline.after(2))
    assert found["observations"].code == "ok"
    assert "authorization" not in server.calls[0].headers
    assert "x-evil" not in server.calls[0].headers


def test_caps_are_shown_in_words(server: LyingServer, site: Site) -> None:
    rows: list[tuple[Limits, str]] = [
        (Limits(pages=2), "page limit reached (after 2 entries)"),
        (Limits(entries=3), "limit of entries reached (after 3 entries)"),
        (Limits(page_bytes=200), f"{WORDS['cap']}"),
        (Limits(bytes_in_all=3000), f"{WORDS['cap']} (after"),
    ]
    server.store["Observation"] *= 9
    server.page = 1
    for limits, words in rows:
        link = FhirLink(Transport(), limits=limits)
        found, _ = fetch(link, site, 3.0)
        assert found.state is not ReadState.COMPLETE
        assert found.code == "cap"
        assert found.reason.startswith(words)
        link.close()


def test_progress_is_told_page_by_page(server: LyingServer, site: Site, link: FhirLink) -> None:
    server.store["Observation"] *= 3
    server.page = 1
    told: list[tuple[str, int, str]] = []
    report: Callable[..., None] = lambda query, pages, state: told.append((query.key, pages, state))  # noqa: E731
    link.fetch(site, OBSERVATIONS, token=None, deadline=Deadline.after(3), progress=report)
    assert told == [
        ("observations", 1, "reading"),
        ("observations", 2, "reading"),
        ("observations", 3, "complete"),
    ]
