"""One chart, five ways in: prefetch, own reads of the hook service, SMART app, `evaluate` and `try` say the same."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from demos import POSTCART

from sandbox_ehr.patients import Chart, all_charts
from sandbox_ehr.serve import Box, start
from smart_app.cli import main
from smart_app.demo.children import quiet_environment
from smart_app.demo.place import HeldPort, Place
from smart_app.demo.visitor import Visitor

CHARTS = all_charts(datetime.now(UTC).date())
SAME = (
    "category",
    "branch",
    "antigens",
    "timing",
    "confirmation",
    "offers",
    "specialist",
    "needs_result",
    "not_suitable",
)
_LOAD_S = 60


@dataclass(frozen=True)
class Pair:
    """A box, the service that has it registered, and a folder for files."""

    box: Box
    service: str
    folder: Path

    def fired(self, patient: str, *switches: str) -> dict[str, Any]:
        """The extension of the answer when the chart is opened under these switches."""
        ward = self.box.app.extensions["sandbox"]["ward"]
        ward.switches.set(set(switches))
        answered = ward.hooks.fire("patient-view", patient)
        ward.switches.set(set())
        assert answered.problems == []
        found: dict[str, Any] = answered.exchanges[0].extension["org.postcart"]
        return found

    def launched(self, patient: str) -> dict[str, Any]:
        """What the app says after a launch from the chart."""
        visitor = Visitor()
        try:
            chart = visitor.visit(f"{self.box.root}/chart/{patient}/app")
            page = visitor.visit(chart.body.all("iframe")[0].attributes["src"])
            deadline = time.monotonic() + _LOAD_S
            while not page.body.all("section", id="answer"):
                assert time.monotonic() < deadline, page.body.text
                time.sleep(0.1)
                page = visitor.visit(page.url)
            found = visitor.visit(f"{page.url}/evaluation.json").as_json()
        finally:
            visitor.close()
        assert isinstance(found, dict)
        return found


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The service in a process of its own, the box on a thread."""
    folder = tmp_path_factory.mktemp("same")
    with HeldPort() as port, start(app_base=port.address) as box:
        place = Place(folder, box.root, port.address)
        place.furnish()
        arguments = ["serve", "--config", str(place.config), "--port", str(port.number)]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [POSTCART, *arguments], stdout=subprocess.PIPE, stderr=log, text=True, env=quiet_environment()
            )
        assert process.stdout is not None
        try:
            assert process.stdout.readline().startswith("postcart ready"), (folder / "log").read_text()[
                -2000:
            ]
            yield Pair(box, port.address, folder)
        finally:
            process.terminate()
            process.wait(timeout=40)
            process.stdout.close()


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The JSON of a verb that judges one chart for the region of the box."""
    assert main([*arguments, "--region", "US", "--format", "json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def as_file(chart: Chart, folder: Path) -> str:
    """The chart as a Bundle in a file."""
    entries = [{"resource": one} for one in chart.resources]
    path = folder / f"{chart.story.key}.json"
    path.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    return str(path)


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.story.key)
def test_five_ways_give_one_answer(pair: Pair, chart: Chart, capsys: pytest.CaptureFixture[str]) -> None:
    """Category, branch, antigens, timing and every option's route are the same, and are those of the story."""
    story, patient = chart.story, chart.story.patient_id
    base, token = f"{pair.box.root}/fhir", pair.box.token(patient)
    answers = {
        "prefetch": pair.fired(patient),
        "own reads": pair.fired(patient, "no_prefetch"),
        "app": pair.launched(patient),
        "evaluate": said(capsys, "evaluate", as_file(chart, pair.folder), "--patient", patient),
        "try": said(capsys, "try", "--fhir", base, "--patient", patient, f"--token={token}"),
    }
    first = {name: answers["prefetch"][name] for name in SAME}
    assert (first["category"], first["branch"]) == (story.category, story.branch)
    assert {way: {name: one[name] for name in SAME} for way, one in answers.items()} == dict.fromkeys(
        answers, first
    )
