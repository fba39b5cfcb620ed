"""One demo as a whole: an EHR with invented patients, the service it calls, and their end."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

from smart_app.demo.children import Child, ChildFault, quiet_environment, stop, wait_until_ready
from smart_app.demo.place import HeldPort, Place, new_folder

_LOOK_S = 0.2


class Demo:
    """A running demo; a context manager that leaves neither process nor folder behind.

    `app` is the address of another service to try with the EHR alone. Raises `ChildFault` where a part does not come
    up, OSError where a port is taken. Stops at SIGINT and SIGTERM.
    """

    def __init__(self, *, ehr_port: int = 0, app: str = "") -> None:
        self._alone = app
        self._stopping = threading.Event()
        self._ports = [HeldPort(ehr_port)]
        self._before: dict[signal.Signals, object] = {}
        self._folder = new_folder()
        self._children: list[Child] = []
        if not app:
            self._ports.append(HeldPort())
        service = "" if app else self._ports[1].address
        self.place = Place(self._folder, self._ports[0].address, service)

    @property
    def stopped(self) -> bool:
        """Whether somebody asked to stop."""
        return self._stopping.is_set()

    def __enter__(self) -> Demo:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._asked)
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def wait(self) -> None:
        """Until somebody stops it; raises `ChildFault` where a part goes away by itself."""
        while not self._stopping.wait(_LOOK_S):
            for child in self._children:
                if not child.running and not self._stopping.wait(_LOOK_S):
                    raise ChildFault(f"The {child.name} has ended. {child.last_words()}")

    def _asked(self, number: int, frame: FrameType | None) -> None:
        self._stopping.set()

    def _start(self) -> None:
        environment = quiet_environment()
        place = self.place
        ehr = ["-m", "sandbox_ehr", "--port", _port(place.ehr), "--app", self._alone or place.service]
        self._children.append(Child("EHR", ehr, self._folder, environment))
        if place.service:
            place.furnish(environment)
            serve = ["-m", "smart_app.demo.service", str(place.config), _port(place.service)]
            self._children.append(Child("service", serve, self._folder, environment))
        if not wait_until_ready(self._children, self._stopping.is_set):
            return
        for port in self._ports:
            port.let_go()

    def _end(self) -> None:
        stop(self._children)
        for port in self._ports:
            port.let_go()
        self.place.clear()
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]


def _port(address: str) -> str:
    return address.rpartition(":")[2]


def browser_is_there() -> bool:
    """Whether this is a desktop where a browser window can open."""
    if sys.platform in ("darwin", "win32"):
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_browser(address: str, there: Callable[[], bool] = browser_is_there) -> bool:
    """Opens the address where there is a desktop; says whether it did."""
    if not there():
        return False
    import webbrowser

    try:
        return webbrowser.open(address)
    except webbrowser.Error:
        return False


def installed() -> bool:
    """Whether the EHR of the demo came with this installation."""
    return importlib.util.find_spec("sandbox_ehr") is not None
