"""The invented patients put on another server and taken away; patients of other servers read, judged and looked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from writable import Writable, running

from sandbox_ehr.export import TAG as EXPORTED_TAG
from sandbox_ehr.patients import all_charts
from sandbox_ehr.serve import Box, start
from smart_app.cli import main
from smart_app.demo.open_server import ServerFault, open_server
from smart_app.demo.seeding import TAG, SeedFault, invented_bundles, pieces

TODAY = "2026-11-22"
ALMA = "zztest-alma"
OTHERS = {"resourceType": "Patient", "id": "somebody", "meta": {"tag": [{"system": "urn:x", "code": "y"}]}}


@pytest.fixture(scope="module")
def seeded() -> Iterator[Writable]:
    """A server with somebody's patient and, beside it, the invented ones."""
    with running() as server:
        server.held["Patient/somebody"] = OTHERS
        assert main(["seed", "--fhir", server.base, "--today", TODAY]) == 0
        yield server


@pytest.fixture
def empty() -> Iterator[Writable]:
    """A server that holds nothing."""
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    """The sandbox EHR as an open server that wants a token."""
    with start(app_base="http://127.0.0.1:9", today=date.fromisoformat(TODAY)) as running_box:
        yield running_box


def read(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The JSON of `postcart try`."""
    assert main(["try", *arguments, "--as-of", TODAY, "--region", "US", "--format", "json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_every_record_is_tagged_and_has_an_id_of_its_own(seeded: Writable) -> None:
    """No record can meet somebody else's: ids begin with the prefix, references follow, the tag is on each."""
    ours = {path: one for path, one in seeded.held.items() if path != "Patient/somebody"}
    assert len(ours) == sum(len(chart.resources) for chart in all_charts(date.fromisoformat(TODAY)))
    assert all(path.split("/")[1].startswith("zztest-") for path in ours)
    wanted = {"system": TAG[0], "code": TAG[1]}
    assert all(
        {"system": tag["system"], "code": tag["code"]} == wanted
        for one in ours.values()
        for tag in one["meta"]["tag"]
    )
    assert max(seeded.transactions) <= 200


def test_the_tag_is_the_one_the_sandbox_writes() -> None:
    """What is removed is what was put."""
    assert (EXPORTED_TAG["system"], EXPORTED_TAG["code"]) == TAG


def test_seeding_twice_changes_nothing(empty: Writable) -> None:
    """The same records under the same ids."""
    for _ in range(2):
        assert main(["seed", "--fhir", empty.base, "--today", TODAY]) == 0
        if len(empty.transactions) <= 60:
            first = dict(empty.held)
    assert empty.held == first


@pytest.mark.parametrize("ignores", [False, True], ids=["by-tag", "server-ignores-the-tag"])
def test_removing_takes_what_is_tagged_and_nothing_else(
    empty: Writable, ignores: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even a server that answers a search by tag with everything keeps what is not ours."""
    empty.held["Patient/somebody"] = OTHERS
    empty.held["Observation/o"] = {
        "resourceType": "Observation",
        "id": "o",
        "subject": {"reference": "Patient/somebody"},
    }
    bundle = invented_bundles(TODAY)[0]
    for piece in pieces(bundle):
        empty.apply(piece)
    assert len(empty.held) > 400
    empty.ignores_tag = ignores
    assert main(["seed", "--fhir", empty.base, "--remove"]) == 0
    assert set(empty.held) == {"Patient/somebody", "Observation/o"}
    assert "Patient                      1 removed" in capsys.readouterr().out


def test_a_patient_of_somebody_else_under_our_id_stops_it(
    empty: Writable, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written when one of our ids is taken by a record without our tag."""
    empty.held[f"Patient/{ALMA}"] = {"resourceType": "Patient", "id": ALMA}
    assert main(["seed", "--fhir", empty.base, "--today", TODAY]) == 2
    assert "not ours" in capsys.readouterr().err
    assert empty.transactions == []


def test_a_server_elsewhere_needs_a_yes(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --yes nothing leaves for a server that is not this machine."""
    for verb in ([], ["--remove"]):
        assert main(["seed", "--fhir", "https://fhir.example.org/r4", *verb]) == 2
        assert "Say --yes" in capsys.readouterr().err


def test_what_the_server_says_is_told(empty: Writable, capsys: pytest.CaptureFixture[str]) -> None:
    """A refusal comes with the server's own words."""
    empty.refuses = "Patient"
    assert main(["seed", "--fhir", empty.base, "--today", TODAY]) == 2
    assert "status 403, not for you" in capsys.readouterr().err


def test_pieces_put_what_is_pointed_at_first() -> None:
    """In every cut of a chart, no reference leads to a later piece."""
    for bundle in invented_bundles(TODAY):
        server = Writable()
        for piece in pieces(bundle):
            server.apply(piece)
        assert len(server.held) == len(bundle["entry"])


def test_stories_that_cannot_be_told_are_an_error() -> None:
    """A fault of the other process is said."""
    with pytest.raises(SeedFault, match="cannot be told"):
        invented_bundles("no day")


def test_every_seeded_patient_is_judged_as_its_story_says(
    seeded: Writable, capsys: pytest.CaptureFixture[str]
) -> None:
    """`try` over a server of another make gives category, branch and antigens of each story."""
    wrong = {}
    for chart in all_charts(date.fromisoformat(TODAY)):
        story = chart.story
        found = read(capsys, "--fhir", seeded.base, "--patient", story.patient_id)
        same = not story.antigens or found["antigens"] == dict(story.antigens)
        if (found["category"], found["branch"]) != (story.category, story.branch) or not same:
            wrong[story.key] = (found["category"], found["branch"], found["antigens"])
    assert wrong == {}


def test_it_says_what_each_search_brought_and_prints_summary_and_cards(
    seeded: Writable, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text: searches, summary, cards."""
    assert main(["try", "--fhir", seeded.base, "--patient", ALMA, "--as-of", TODAY]) == 0
    said = capsys.readouterr().out
    assert "Observation?…                        complete, 41" in said
    assert "RELAPSE, CD19 NEGATIVE  [cd19-negative]" in said
    assert "CARDS OF patient-view: 1" in said
    assert "[info] CD19-negative relapse" in said
    assert main(["try", "--fhir", seeded.base, "--patient", ALMA, "--format", "cards"]) == 0
    assert json.loads(capsys.readouterr().out)["cards"][0]["indicator"] == "info"


def test_a_refused_type_is_said_and_never_taken_for_a_no(
    seeded: Writable, capsys: pytest.CaptureFixture[str]
) -> None:
    """H-09: with reports and results refused the antigen is unknown, and the refusal stands in the list."""
    seeded.refuses = "Observation"
    try:
        found = read(capsys, "--fhir", seeded.base, "--patient", ALMA)
    finally:
        seeded.refuses = ""
    row = next(one for one in found["reads"] if one["type"] == "Observation")
    assert (row["state"], row["code"], row["status"]) == ("failed", "no-right", 403)
    assert found["category"] in ("cd19-unknown", "cd19-negative", "insufficient-data")
    assert any(one["code"] == "unseen" for one in found["assessment"]["missing"])


def test_a_patient_that_is_not_there_ends_with_2(
    seeded: Writable, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is judged where nothing was read."""
    assert main(["try", "--fhir", seeded.base, "--patient", "nobody"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Patient/nobody                       not read, status 404: the EHR did not find it" in said.err


def test_the_token_of_a_file_goes_to_the_server_and_nowhere_else(
    box: Box, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that wants a token answers with it, refuses without; no output shows it."""
    token = tmp_path / "token"
    token.write_text(box.token(ALMA) + "\n")
    found = read(capsys, "--fhir", f"{box.root}/fhir", "--patient", ALMA, "--token-file", str(token))
    assert found["category"] == "cd19-negative"
    assert main(["try", "--fhir", f"{box.root}/fhir", "--patient", ALMA]) == 2
    said = capsys.readouterr().err
    assert "status 401" in said
    assert token.read_text().strip() not in said


def test_candidates_are_named_with_the_reason(seeded: Writable, capsys: pytest.CaptureFixture[str]) -> None:
    """CAR T with disease first; a plain patient, or the same code of another system, is not named; searches are few."""
    foreign = {"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/somebody"}}
    foreign["code"] = {"coding": [{"system": "urn:local", "code": "C83.38"}]}
    seeded.held["Condition/c"] = foreign
    seeded.searched.clear()
    assert main(["try", "--fhir", seeded.base, "--search-candidates", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    by_name = {one["patient"]: one for one in found["candidates"]}
    assert "axicabtagene ciloleucel" in " ".join(by_name[ALMA]["car_t"])
    assert any("diffuse large" in one for one in by_name[ALMA]["disease"])
    assert not {"somebody", "zztest-tilda"} & set(by_name)
    order = [(not one["car_t"], not one["disease"]) for one in found["candidates"]]
    assert order == sorted(order)
    assert len(seeded.searched) <= 6


def test_candidates_on_a_server_that_refuses_searches_over_everybody(
    box: Box, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each refused search is named; with all refused the exit status is 2."""
    arguments = ["try", "--fhir", f"{box.root}/fhir", f"--token={box.token(ALMA)}", "--search-candidates"]
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert "Procedure?…                          not read, status 40" in said.out
    assert "refused every search" in said.err


@pytest.mark.parametrize(
    "base",
    [
        "http://fhir.example.org/r4",
        "ftp://127.0.0.1/",
        "https://user:word@fhir.example.org",
        "127.0.0.1:80",
        "",
    ],
)
def test_bases_that_cannot_be_trusted_are_refused(base: str) -> None:
    """T-09: plain http counts on loopback only; nothing hides in an address."""
    with pytest.raises(ServerFault):
        open_server(base)


def test_a_token_that_cannot_stand_in_a_header_is_refused(tmp_path: Path) -> None:
    """A file with two lines would be sent as none at all, and is said instead."""
    token = tmp_path / "token"
    token.write_text("one\ntwo")
    for wrong in ({"token": "a b"}, {"token_file": str(token)}, {"token_file": str(tmp_path / "none")}):
        with pytest.raises(ServerFault):
            open_server("https://fhir.example.org/r4", **wrong)
    assert "secret" not in repr(open_server("https://fhir.example.org/r4", "secret"))


def test_today_is_told_where_no_day_is_given() -> None:
    """The stories follow the calendar."""
    latest = {
        entry["resource"].get("effectiveDateTime", "")[:10]
        for bundle in invented_bundles()
        for entry in bundle["entry"]
    }
    assert max(latest) <= datetime.now(UTC).date().isoformat()
    assert max(latest) > "2026-11-01"
