"""The testers' paper: every command in it is run against this machine, every file in it is one the service takes."""

from __future__ import annotations

import re
import shlex
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from demos import POSTCART, Running
from writable import Writable, running

from ehr.registrations import read_config
from smart_app.demo.children import quiet_environment
from smart_app.demo.place import HeldPort

PAPER = Path(__file__).parents[2] / "docs" / "testers.md"
TEXT = PAPER.read_text("utf-8")
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.S) for line in block.strip().splitlines()
]
FILES = re.findall(r"```toml\n(.*?)```", TEXT, re.S)
StartDemo = Callable[..., Running]


@pytest.fixture(scope="module")
def server() -> Iterator[Writable]:
    """A FHIR server on this machine in place of the public ones."""
    with running() as started:
        yield started


def given(command: str, **values: str) -> list[str]:
    """The arguments of a command of the paper with its variables filled in."""
    for name, value in values.items():
        command = command.replace(f"${name}", value)
    words = shlex.split(command)
    assert words[0] == "postcart"
    assert not any("$" in word for word in words)
    return words[1:]


def shell(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """A verb of the installed command."""
    return subprocess.run(
        [POSTCART, *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        env=quiet_environment(),
        check=False,
    )


def of(verb: str) -> list[str]:
    """The commands of a verb, in the paper's order."""
    return [one for one in COMMANDS if one.startswith(f"postcart {verb}")]


def test_no_command_is_left_untried() -> None:
    """Each verb that the paper uses has its test below."""
    verbs = {one.split()[1] for one in COMMANDS}
    assert verbs == {"demo", "feedback", "try", "seed", "serve"}
    assert [len(of(verb)) for verb in ("demo", "feedback", "try", "seed", "serve")] == [3, 1, 4, 2, 2]


def test_commands_on_a_server_of_somebody_else(server: Writable, tmp_path: Path) -> None:
    """Seed, look for candidates, read in each of the ways, remove."""
    token = tmp_path / "token"
    token.write_text("a-token")
    values = {"FHIR": server.base, "PATIENT": "zztest-alma", "TOKEN_FILE": str(token)}
    load, remove = of("seed")
    for command in (load, *of("try")):
        done = shell(given(command, **values))
        assert done.returncode == 0, (command, done.stderr)
        assert "zztest-alma" in done.stdout
    assert "Bearer a-token" in server.tokens
    assert shell(given(remove, **values)).returncode == 0
    assert server.held == {}


def test_the_demo_and_its_feedback(start_demo: StartDemo) -> None:
    """The demo runs as written, and the summary of its feedback is printed beside it."""
    whole, check, alone = of("demo")
    demo = start_demo(*given(whole)[1:])
    done = shell(given(of("feedback")[0], CONFIG=demo.addresses["Settings"]))
    assert (done.returncode, done.stdout) == (0, "No card went out and no feedback came in.\n")
    assert given(check) == ["demo", "--check"]  # run by the test of the demo itself
    with HeldPort() as free:
        pass
    start_demo(*given(alone.replace("8090", str(free.number)))[1:])


@pytest.mark.parametrize("number", range(len(FILES)))
def test_the_files_are_served(number: int, tmp_path: Path) -> None:
    """Each registration file is taken as it stands, and the service becomes ready with it."""
    with HeldPort() as free:
        pass
    config = tmp_path / "postcart.toml"
    config.write_text(FILES[number].replace("8000", str(free.number)), "utf-8")
    config.chmod(0o600)
    assert all(site.test for site in read_config(config).sites)
    variable = ("LAUNCHER", "SANDBOX")[number]
    command = of("serve")[number].replace("8000", str(free.number))
    process = subprocess.Popen(
        [POSTCART, *given(command, **{variable: str(config)})],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=quiet_environment(),
    )
    assert process.stdout is not None
    guard = threading.Timer(90, process.kill)
    guard.start()
    try:
        assert process.stdout.readline() == f"postcart ready http://127.0.0.1:{free.number}\n"
    finally:
        guard.cancel()
        process.terminate()
        process.wait(timeout=40)
        process.stdout.close()


def test_what_the_paper_points_at_is_there() -> None:
    """Pictures and sections that are named exist."""
    for path in re.findall(r"\]\((pictures/[^)]+)\)", TEXT):
        assert (PAPER.parent / path).is_file(), path


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux to measure")
def test_the_whole_demo_stays_below_300_mb(start_demo: StartDemo) -> None:
    """All its processes together, pages that several share counted once, after five charts were opened."""
    demo = start_demo()
    for key in ("alma", "bruno", "carla", "dev", "hugo"):
        with urllib.request.urlopen(f"{demo.root}/chart/zztest-{key}/open", timeout=30) as answer:  # noqa: S310
            assert answer.status == 200
    time.sleep(0.2)
    total = 0
    for pid in demo.processes():
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.M)
        assert found is not None
        total += int(found.group(1))
    assert total < 300_000, total
