"""A few threads that do database work for others, so that a caller can stop waiting for a server that hangs.

A network connection to a halted server gives no error for minutes; a thread pool of the standard library would
also hold up the end of the process for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class TooSlow(Exception):
    """The work was not done in time; it may still end later, or was never started."""


class _Task:
    __slots__ = ("abandoned", "done", "error", "result", "work")

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.done = threading.Lock()
        self.done.acquire()
        self.result: Any = None
        self.error: BaseException | None = None
        self.abandoned = False


class Hands:
    """`many` daemon threads, started with the first piece of work."""

    def __init__(self, many: int, name: str) -> None:
        self._many = many
        self._name = name
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._started = False

    def call(self, work: Callable[[], T], seconds: float) -> T:
        """The result of the work, or its error, or `TooSlow` after `seconds`."""
        if not self._started:
            self._start()
        task = _Task(work)
        self._tasks.put(task)
        if not task.done.acquire(timeout=seconds):
            task.abandoned = True
            raise TooSlow
        if task.error is not None:
            raise task.error
        result: T = task.result
        return result

    def close(self) -> None:
        """Lets the threads end once they have nothing to do."""
        with self._lock:
            if self._started:
                for _ in range(self._many):
                    self._tasks.put(None)
                self._started = False

    def _start(self) -> None:
        with self._lock:
            if self._started:
                return
            for number in range(self._many):
                threading.Thread(target=self._work, name=f"{self._name}-{number}", daemon=True).start()
            self._started = True

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            if task.abandoned:
                continue
            try:
                task.result = task.work()
            except BaseException as error:  # noqa: BLE001  carried to the caller, who raises it
                task.error = error
            task.done.release()
            del task
