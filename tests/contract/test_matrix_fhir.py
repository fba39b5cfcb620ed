"""Failure matrix, rows "FHIR server" and "Prefetch": what the hook answers when the EHR's data do not come."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import lying
import pytest
from builders import bundle, outcome, patient, stain
from lying import Canary
from matrix_stage import ESSENTIALS, NEGATIVE, TOKEN, WHOLE, Stage, category, details, timed

Staging = Callable[..., Stage]
DEADLINE = 2.0
BEYOND = DEADLINE * 1.1
RESULTS = "laboratory and pathology results"
REPORTS = "pathology and imaging reports"


def gap_card(answer: Any, *words: str) -> None:
    """A card of a known relapse without a state of CD19, that names what was not read."""
    assert answer.status_code == 200
    assert category(answer) == "cd19-unknown"
    told = details(answer)
    for word in (RESULTS, REPORTS, *words):
        assert word in told, (word, told)


def test_the_intact_chart_is_read_from_the_server(stage: Staging) -> None:
    """What all rows are held against: nothing in prefetch, all on the server."""
    made = stage()
    answer = made.call()
    assert answer.status_code == 200
    assert category(answer) == "cd19-negative"
    assert {call.headers["authorization"] for call in made.fhir.calls} == {f"Bearer {TOKEN}"}


def _refused_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"http://127.0.0.1:{probe.getsockname()[1]}/fhir"


NOWHERE = {"refused": _refused_port, "dns": lambda: "https://fhir.nowhere.invalid/r4"}


@pytest.mark.parametrize("how", NOWHERE)
def test_fhir_down_gives_a_card_with_named_gaps_or_412(stage: Staging, how: str) -> None:
    """Row FHIR server down, refused, DNS."""
    made = stage(fhir_base=NOWHERE[how]())
    gap_card(made.call(made.request(ESSENTIALS)), "could not be reached")
    assert made.call(made.request({"patient": patient()})).status_code == 412
    assert 'code="down"' in made.figures()


def test_h57_an_open_breaker_answers_at_once(stage: Staging) -> None:
    """Row FHIR server down: at most 50 ms when the breaker is open (the best of a few, on a busy machine)."""
    made = stage(fhir_base=_refused_port())
    for _ in range(5):
        gap_card(made.call(made.request(ESSENTIALS)))
    answers = [timed(lambda: made.call(made.request(ESSENTIALS))) for _ in range(8)]
    gap_card(answers[0][0], "asked again shortly")
    assert min(seconds for _, seconds in answers) <= 0.05


SLOW = {
    "late": lying.delay(5),
    "hang": lying.hang,
    "drip": lying.drip,
    "drip in headers": lying.drip_headers,
    "endless": lying.endless,
}


@pytest.mark.parametrize("how", SLOW)
def test_fhir_slow_is_answered_at_the_deadline_with_gaps(stage: Staging, how: str) -> None:
    """Row FHIR server slow: answer at 2.0 s, never beyond 2.2 s; a second try where the machine was busy."""
    made = stage()
    for kind in ("Observation", "DiagnosticReport"):
        made.fhir.tricks[kind] = SLOW[how]
    answer, seconds = timed(made.call)
    gap_card(answer)
    if seconds > BEYOND:
        answer, seconds = timed(made.call)
        gap_card(answer)
    assert seconds <= BEYOND
    figures = made.figures()
    assert 'code="deadline"' in figures or 'code="cap"' in figures


def test_fhir_slow_in_everything_is_412_at_the_deadline(stage: Staging) -> None:
    """Row FHIR server slow, essentials missing."""
    made = stage()
    made.fhir.tricks = dict.fromkeys(("Condition", "Procedure", "MedicationAdministration"), lying.hang)
    runs = [timed(made.call) for _ in range(2)]
    assert {answer.status_code for answer, _ in runs} == {412}
    assert min(seconds for _, seconds in runs) <= BEYOND


LIES: dict[str, lying.Trick] = {
    "html": lying.html,
    "no http": lying.not_http,
    "truncated": lying.short,
    "hangs up": lying.hang_up,
    "redirect": lying.redirect("http://127.0.0.1:9/"),
    "deep": lying.deep,
    "no json": lying.body(b'{"resourceType":"Bundle"'),
    "wrong type": lying.body(b'{"resourceType":"Patient","id":"syn-1"}'),
    "a bomb": lying.gzip_bomb,
    "bad header": lying.bad_header,
}


@pytest.mark.parametrize("how", LIES)
def test_fhir_lying_is_a_gap_and_no_exception(stage: Staging, how: str) -> None:
    """Row FHIR server lying: wrong type, HTML, truncated and other nonsense."""
    made = stage()
    for kind in ("Observation", "DiagnosticReport"):
        made.fhir.tricks[kind] = LIES[how]
    answer = made.call()
    if how == "bad header":  # the answer itself is whole: either reading is honest, a gap or an empty set
        assert answer.status_code == 200
        assert category(answer) == "cd19-unknown"
        return
    gap_card(answer)


def test_fhir_pages_in_a_circle_are_cut_short(stage: Staging) -> None:
    """Row FHIR server lying: a loop of pages; what came before it is kept and said to be part."""
    made = stage(chart=(*WHOLE_CHART, stain("Positive", when="2024-01-01", id="older")))
    made.fhir.tricks["Observation"] = lying.page_loop
    answer = made.call()
    assert answer.status_code == 200
    assert category(answer) == "cd19-negative"
    assert "Cut short" in details(answer)


def test_h01_a_server_that_gives_another_patients_results(stage: Staging) -> None:
    """Row FHIR server lying: other patient; set aside, and no state comes of it."""
    other = {**stain("Negative"), "subject": {"reference": "Patient/somebody-else"}}
    made = stage(chart=(*WHOLE_CHART[:2], other))
    answer = made.call()
    assert category(answer) == "cd19-unknown"
    assert RESULTS in details(answer)


def test_h01_a_server_that_gives_another_patient_record(stage: Staging) -> None:
    """Row FHIR server lying: another Patient than asked for is not taken."""
    made = stage()
    made.fhir.tricks["Patient"] = lying.body(
        b'{"resourceType":"Patient","id":"somebody-else","birthDate":"1990"}'
    )
    answer = made.call()
    assert answer.status_code == 200
    assert "1990" not in answer.get_data(as_text=True)
    assert "patient record" in details(answer)


WHOLE_CHART = tuple(
    entry["resource"] for key in ("conditions", "procedures", "observations") for entry in WHOLE[key]["entry"]
)
STATUSES = {401: "no right", 403: "no right", 404: "did not find", 410: "", 500: "fault of its own"}


@pytest.mark.parametrize("code", STATUSES)
def test_fhir_refusals_are_gaps_in_words(stage: Staging, code: int) -> None:
    """Row FHIR server 401, 403, 404, 410."""
    made = stage()
    for kind in ("Observation", "DiagnosticReport"):
        made.fhir.tricks[kind] = lying.status(code)
    gap_card(made.call(), STATUSES[code])


def test_fhir_429_does_not_wait_beyond_the_budget(stage: Staging) -> None:
    """Row FHIR server 429."""
    made = stage()
    for kind in ("Observation", "DiagnosticReport"):
        made.fhir.tricks[kind] = lying.status(429, Retry_After="30")
    answer, seconds = timed(made.call)
    gap_card(answer, "asked to wait longer")
    assert seconds < BEYOND


def test_fhir_410_on_a_page_begins_the_search_again_once(stage: Staging) -> None:
    """Row FHIR server 410: the search is begun again, once."""
    made = stage(chart=(*WHOLE_CHART, stain("Positive", when="2024-01-01", id="older")))
    made.fhir.page = 1
    made.fhir.tricks["Observation"] = lying.at([2], lying.status(410))
    answer = made.call()
    assert category(answer) == "cd19-negative"
    assert "Cut short" not in details(answer)
    assert len(made.fhir.seen("Observation")) == 4


# ---- prefetch without a way to the server

CUT_NEXT = [{"relation": "next", "url": "https://ehr.example.org/fhir/Observation?page=2"}]
PREFETCH: dict[str, tuple[dict[str, Any], str, str]] = {
    "absent": ({"observations": ..., "reports": ...}, "cd19-unknown", "Not read"),
    "null": ({"observations": None, "reports": None}, "cd19-unknown", "null"),
    "OperationOutcome": ({"observations": outcome(), "reports": outcome()}, "cd19-unknown", "error"),
    "cut by next": (
        {"observations": bundle([], "Observation", link=CUT_NEXT), "reports": ...},
        "cd19-unknown",
        "Cut short",
    ),
    "cut by total": (
        {"observations": bundle([], "Observation", total=7), "reports": ...},
        "cd19-unknown",
        "7 results were announced",
    ),
    "infusions absent": (
        {"procedures": ..., "medicationAdministrations": None},
        "412",
        "",
    ),
    "infusions in part": (
        {"procedures": bundle([], "Procedure", total=3), "medicationAdministrations": outcome()},
        "insufficient-data",
        "Cut short",
    ),
    "problem list absent": ({"conditions": ...}, "cd19-negative", "Not read: problem list"),
}


@pytest.mark.parametrize("state", PREFETCH)
def test_h08_prefetch_states_without_a_server(stage: Staging, state: str) -> None:
    """Row Prefetch absent, null, OperationOutcome, cut: by the state table, and never a no (H-08, H-09)."""
    changes, wanted, words = PREFETCH[state]
    made = stage()
    given = {key: value for key, value in {**WHOLE, **changes}.items() if value is not ...}
    answer = made.call(made.request(given, server=""))
    assert made.fhir.calls == []
    if wanted == "412":
        assert answer.status_code == 412
        return
    assert category(answer) == wanted
    assert words in details(answer)
    assert category(answer) not in NEGATIVE


# ---- nothing leaves for an address not registered


@pytest.mark.parametrize("given", [None, ESSENTIALS], ids=["no prefetch", "essentials"])
def test_t07_nothing_goes_to_a_server_that_is_not_registered(
    stage: Staging, canary: Canary, given: Any
) -> None:
    """T-07: the canary hears nothing, nor does the registered server; the card says "not registered"."""
    made = stage()
    for server in (
        f"http://127.0.0.1:{canary.port}/fhir",
        f"{made.fhir.base}/../../x",
        f"{made.fhir.base}@127.0.0.1:{canary.port}/fhir",
        f"http://127.0.0.1:{canary.port}/?{made.fhir.base}",
    ):
        answer = made.call(made.request(given, server=server))
        if given is None:
            assert answer.status_code in (400, 412)
        elif answer.status_code != 400:
            gap_card(answer, "not registered")
        assert canary.heard == []
        assert made.fhir.calls == []


@pytest.mark.parametrize("trick", ["redirect", "next"])
def test_t07_the_registered_server_cannot_lead_elsewhere(stage: Staging, canary: Canary, trick: str) -> None:
    """T-07, T-08: a redirect or a `next` link to another origin is not followed, and the gap shows."""
    made = stage()
    away = f"http://127.0.0.1:{canary.port}/fhir/Observation?page=2"
    made.fhir.tricks["Observation"] = lying.redirect(away) if trick == "redirect" else lying.next_at(away)
    answer = made.call()
    assert answer.status_code == 200
    assert RESULTS in details(answer)
    assert canary.heard == []
