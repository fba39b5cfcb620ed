"""Demos run as people run them: the installed command, in processes of its own. Helps tests of demo and e2e."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

POSTCART = str(Path(sys.executable).parent / "postcart")
ADDRESS_LINES = ("Patients", "Service", "Settings", "FHIR base")


class Running:
    """A `postcart demo` that runs; `addresses` are those it printed."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("POSTCART_")}
        environment |= {"TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
        environment.pop("DISPLAY", None)
        self.folder = folder
        self.process = subprocess.Popen(
            [POSTCART, "demo", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            start_new_session=True,
        )
        self.addresses: dict[str, str] = {}
        self.printed: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed.append(line)
            for name in ADDRESS_LINES:
                if line.strip().startswith(name):
                    self.addresses[name] = line.strip().removeprefix(name).split()[0]
            if line.startswith("Ctrl-C"):
                break
        assert self.addresses, "".join(self.printed)
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    @property
    def root(self) -> str:
        """The address of the EHR."""
        return self.addresses["Patients"].rstrip("/")

    def processes(self) -> set[int]:
        """The ids of all processes of its group."""
        found = subprocess.run(
            ["ps", "-eo", "pid=,pgid="], capture_output=True, text=True, check=True
        ).stdout.split()
        pairs = zip(found[::2], found[1::2], strict=True)
        return {int(pid) for pid, group in pairs if int(group) == self.process.pid}

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stops it with a signal to it alone; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(timeout=40)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status
