"""The processes of a demo: started beside each other, waited for until they are ready, stopped together."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_PATIENCE_S = 60.0
_LOOK_S = 0.05
_GENTLE_S = 8.0
_FIRM_S = 15.0
_PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of Linux's prctl(2)."""


class ChildFault(RuntimeError):
    """A process of the demo that did not come up or went away; the text says which and its last words."""


class Child:
    """One process in our own process group; `ready` once it has printed its line with that word in it."""

    def __init__(
        self, name: str, arguments: Sequence[str], folder: Path, environment: dict[str, str]
    ) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        self._ready = threading.Event()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter and our own modules
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                preexec_fn=_end_with_parent(os.getpid()),
            )
        threading.Thread(target=self._listen, name=f"{name}-output", daemon=True).start()

    @property
    def ready(self) -> bool:
        """Whether it has said that it answers."""
        return self._ready.is_set()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def last_words(self, lines: int = 5) -> str:
        """The end of what it wrote to standard error."""
        return "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-lines:])

    def send(self, number: signal.Signals) -> None:
        """Sends a signal if it is still there."""
        if self.running:
            self._process.send_signal(number)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended after that long."""
        try:
            self._process.wait(timeout=max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return False
        return True

    def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  asked for above
        with self._process.stdout as lines:
            for line in lines:
                if b" ready " in line:
                    self._ready.set()


def wait_until_ready(children: Sequence[Child], stopping: Callable[[], bool]) -> bool:
    """Whether all came up before somebody asked to stop; raises `ChildFault` where one did not come up."""
    deadline = time.monotonic() + _PATIENCE_S
    while not all(child.ready for child in children):
        if stopping():
            return False
        for child in children:
            if not child.running:
                raise ChildFault(f"The {child.name} did not come up. {child.last_words()}")
        if time.monotonic() > deadline:
            slow = ", ".join(child.name for child in children if not child.ready)
            raise ChildFault(f"The {slow} did not come up within {_PATIENCE_S:.0f} seconds.")
        time.sleep(_LOOK_S)
    return True


def stop(children: Sequence[Child]) -> None:
    """Ends all: asks, insists, and at last leaves them no choice."""
    for number, seconds in ((signal.SIGINT, _GENTLE_S), (signal.SIGTERM, _FIRM_S), (signal.SIGKILL, _FIRM_S)):
        for child in children:
            child.send(number)
        deadline = time.monotonic() + seconds
        ended = [child.wait(deadline - time.monotonic()) for child in children]
        if all(ended):
            return


def quiet_environment() -> dict[str, str]:
    """Our environment without settings of another service that may be meant for this account."""
    return {name: value for name, value in os.environ.items() if not name.startswith("POSTCART_")}


def _end_with_parent(parent: int) -> Callable[[], None] | None:
    """What a child does first on Linux: asks to be ended when we are gone, however that came about."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)

    def ask() -> None:
        libc.prctl(_PARENT_DEATH_SIGNAL, int(signal.SIGTERM))
        if os.getppid() != parent:
            os._exit(1)

    return ask
