"""Every command marked runnable in the paper for hospital IT runs, in order, against a live service and EHR."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from standing import REQUESTS, Hospital, bare_environment

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "hospital-it.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh runnable\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
VERBS = ("check", "registration show", "call", "keys", "audit verify", "audit export", "feedback", "selftest")


def test_the_paper_shows_each_command() -> None:
    told = "".join(BLOCKS)
    assert len(BLOCKS) >= 10
    for verb in VERBS:
        assert f"postcart {verb}" in told, verb
    assert set(re.findall(r"^```(\S*)", TEXT, re.MULTILINE)) == {"", "sh", "console", "toml"}


@pytest.fixture(scope="module")
def place(hospital: Hospital) -> Path:
    """The hospital's folder, with an access token for a test patient in it."""
    folder = hospital.config.parent
    (folder / "token").write_text(hospital.box.token("zztest-alma"))
    (folder / "token").chmod(0o600)
    return folder


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_a_runnable_block_runs(hospital: Hospital, place: Path, block: str) -> None:
    """With paths and addresses of this machine in place of the hospital's, and not a word changed beside."""
    assert (REQUESTS / "cd19-negative-dlbcl.json").is_file()
    script = block.replace("/var/lib/postcart", str(place))
    script = script.replace("https://postcart.hospital.example", hospital.base)
    script = script.replace("http://127.0.0.1:8000", hospital.base)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT,
        env={**bare_environment(), "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, script + done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_alerts_of_the_paper_are_those_that_ship() -> None:
    shipped = set(re.findall(r"alert: (\w+)", (ROOT / "deploy" / "alerts.yml").read_text("utf-8")))
    section = TEXT[TEXT.index("## 8.") : TEXT.index("## 9.")]
    assert set(re.findall(r"Postcart\w+", section)) == shipped


def test_no_vendor_fact_is_told_as_certain_that_is_not() -> None:
    """Hooks, limits and feedback of vendors stand in the paper only as not seen or not confirmed."""
    for row in re.findall(r"^\| (?:Epic|Oracle Health|athenahealth|MEDITECH) \|.*$", TEXT, re.MULTILINE):
        assert re.search(r"not seen|not confirmed|was found", row), row
