"""The demo as a command: it comes up, leaves nothing behind, runs twice, and its check can fail."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from demos import POSTCART, Running

from ehr.registrations import read_config
from sandbox_ehr.serve import start
from sandbox_ehr.settings import registration_toml
from smart_app.cli import main
from smart_app.demo import running as demo_running
from smart_app.demo.children import Child, ChildFault, quiet_environment, stop, wait_until_ready
from smart_app.demo.place import HeldPort, Place, registration
from smart_app.demo.running import Demo, browser_is_there, open_browser

StartDemo = Callable[..., Running]


def shell(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A verb of the installed command."""
    environment = {**quiet_environment(), **more}
    return subprocess.run(
        [POSTCART, *arguments], capture_output=True, text=True, timeout=120, env=environment, check=False
    )


def gone(processes: set[int]) -> bool:
    """Whether all these processes end within a few seconds."""
    for _ in range(100):
        if not any(Path(f"/proc/{pid}").exists() for pid in processes):
            return True
        time.sleep(0.1)
    return False


def test_the_check_walks_the_whole_way_and_says_what_it_saw(tmp_path: Path) -> None:
    """List, chart, hook, card, launch, page; nothing is left in the temporary folder."""
    done = shell("demo", "--check", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    heads = [line.split("  ")[0] for line in done.stdout.splitlines()]
    assert heads == ["patient list", "chart", "hook", "card", "launch", "page", "category"]
    assert "cd19-negative: story, card and page agree" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_it_prints_addresses_and_three_things_and_two_run_at_once(start_demo: StartDemo) -> None:
    """Ports are its own: a second demo beside the first answers on others."""
    one, two = start_demo(), start_demo("--no-browser")
    assert len({*one.addresses.values(), *two.addresses.values()}) == 6
    for demo in (one, two):
        assert sum(line.strip()[:2] in ("1.", "2.", "3.") for line in demo.printed) == 3
        assert "ZZTEST, Alma" in requests.get(demo.root, timeout=10).text
        assert requests.get(demo.addresses["Service"].replace("/cds-services", "/ready"), timeout=10).ok


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_leaves_no_process_and_no_folder(start_demo: StartDemo, number: signal.Signals) -> None:
    """A signal to the command alone ends its whole group, and the keys it made are gone."""
    demo = start_demo()
    processes = demo.processes()
    assert len(processes) >= 4
    folder = Path(demo.addresses["Settings"]).parent
    assert folder.is_dir()
    assert demo.stop(number) == 0
    assert gone(processes)
    assert not folder.exists()


def test_leaving_it_ends_its_parts_before_anything_else() -> None:
    """The parts are stopped by us and waited for, not left to what the system does when we end."""
    with Demo(app="http://127.0.0.1:9") as demo:
        parts = list(demo._children)
        assert all(child.running for child in parts)
    assert parts
    assert not any(child.running for child in parts)
    assert not demo.place.folder.exists()


def test_ctrl_c_in_a_terminal_ends_it_in_order(start_demo: StartDemo) -> None:
    """A terminal sends the signal to the whole group at once; the exit status is still 0 and the folder gone."""
    demo = start_demo()
    processes = demo.processes()
    folder = Path(demo.addresses["Settings"]).parent
    os.killpg(demo.process.pid, signal.SIGINT)
    assert demo.process.wait(timeout=40) == 0
    assert gone(processes)
    assert not folder.exists()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="Linux alone has the signal for it")
def test_a_killed_demo_takes_its_parts_along(start_demo: StartDemo) -> None:
    """Even SIGKILL leaves no server behind that holds a port."""
    demo = start_demo()
    processes = demo.processes()
    demo.process.kill()
    demo.process.wait(timeout=10)
    assert gone(processes)


def test_the_ehr_alone_serves_another_service(start_demo: StartDemo) -> None:
    """`--only ehr` starts one server and no service; it names the app it is for."""
    with HeldPort() as free:
        pass
    demo = start_demo("--only", "ehr", "--app", "http://127.0.0.1:9", "--port", str(free.number))
    assert demo.root.endswith(f":{free.number}")
    assert demo.addresses["FHIR base"] == f"{demo.root}/fhir"
    assert requests.get(f"{demo.root}/fhir/metadata", timeout=10).json()["fhirVersion"] == "4.0.1"
    assert "http://127.0.0.1:9/launch" in requests.get(f"{demo.root}/addresses", timeout=10).text
    assert len(demo.processes()) == 2


def test_the_site_it_registers_is_the_one_the_ehr_asks_for(tmp_path: Path) -> None:
    """Our table and the EHR's own are the same, and the file is one the service takes."""
    ehr, service = "http://127.0.0.1:18001", "http://127.0.0.1:18002"
    place = Place(tmp_path, ehr, service)
    place.furnish()
    assert (
        tomllib.loads(place.config.read_text("utf-8"))["site"]
        == tomllib.loads(registration_toml(ehr))["site"]
    )
    config = read_config(place.config)
    assert config.site("sandbox") is not None
    assert place.config.stat().st_mode & 0o077 == 0
    assert all(one.stat().st_mode & 0o077 == 0 for one in (tmp_path / "keys").iterdir())


def test_a_folder_with_odd_letters_stands_in_the_settings(tmp_path: Path) -> None:
    """Quotes and backslashes of a folder's name do not break the file."""
    odd = tmp_path / 'a "quoted" \\ folder'
    found = tomllib.loads(registration("http://127.0.0.1:1", "http://127.0.0.1:2", odd))
    assert found["key_dir"] == str(odd / "keys")


def test_a_held_port_is_given_to_nobody_else() -> None:
    """As long as it is held no other program is given it, and one that insists is refused once somebody listens."""
    with HeldPort() as held:
        others = [HeldPort() for _ in range(50)]
        assert held.number not in {one.number for one in others}
        for one in others:
            one.let_go()
        with (
            start("127.0.0.1", held.number, app_base="http://127.0.0.1:9"),
            pytest.raises(OSError, match="in use"),
        ):
            HeldPort(held.number)


def test_a_part_that_does_not_come_up_is_named(tmp_path: Path) -> None:
    """The reason a process gave stands in the message."""
    child = Child("EHR", ["-c", "import sys; sys.exit('no luck today')"], tmp_path, quiet_environment())
    with pytest.raises(ChildFault, match=r"(?s)EHR did not come up.*no luck today"):
        wait_until_ready([child], lambda: False)
    stop([child])


def test_a_part_that_does_not_listen_to_signals_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking and insisting are tried first; then it is killed."""
    monkeypatch.setattr("smart_app.demo.children._GENTLE_S", 0.3)
    monkeypatch.setattr("smart_app.demo.children._FIRM_S", 0.3)
    deaf = (
        "import signal, time\n"
        "for one in (2, 15): signal.signal(one, signal.SIG_IGN)\n"
        "print('deaf ready now', flush=True)\n"
        "time.sleep(60)"
    )
    child = Child("EHR", ["-c", deaf], tmp_path, quiet_environment())
    assert wait_until_ready([child], lambda: False)
    stop([child])
    assert not child.running


def test_settings_of_another_service_are_not_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database or registration named in the environment stays out of the demo."""
    monkeypatch.setenv("POSTCART_DATABASE_URL", "sqlite:////elsewhere.db")
    assert not any(name.startswith("POSTCART_") for name in quiet_environment())
    assert os.environ["POSTCART_DATABASE_URL"]


def test_a_browser_opens_on_a_desktop_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a display nothing is opened; with one the address is."""
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: bool(opened.append(address)) or True)
    monkeypatch.setattr(demo_running.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not open_browser("http://127.0.0.1:1/")
    assert opened == []
    monkeypatch.setenv("DISPLAY", ":0")
    assert browser_is_there()
    assert open_browser("http://127.0.0.1:1/")
    assert opened == ["http://127.0.0.1:1/"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--app", "http://127.0.0.1:9"], "--only ehr"), (["--check", "--only", "ehr"], "leave --only out")],
)
def test_arguments_that_do_not_go_together_are_refused(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2 and one sentence."""
    assert main(["demo", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_port_that_is_taken_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2; nothing is started."""
    with start("127.0.0.1", 0, app_base="http://127.0.0.1:9") as box:
        assert main(["demo", "--no-browser", "--port", box.root.rpartition(":")[2]]) == 2
    assert re.search(r"cannot start \(.*in use\)", capsys.readouterr().err)
