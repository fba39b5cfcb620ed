"""Whether the database can be used just now, so that a call never waits for one that is known to be away."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

from cds_hooks.memory import StoreDown

_SLOW_IN_A_ROW = 3


class Health:
    """State shared by all work on one database. Codes are closed labels; `ok` or what is wrong.

    After one failure, or three slow answers in a row, every call is refused at once until a probe has passed
    (safety paper 5, database).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._code = "db_down"
        self._was_up = False
        self._slow = 0
        self._counts: Counter[str] = Counter()
        self.alarm = threading.Event()

    @property
    def code(self) -> str:
        """`ok` or the code of what is wrong."""
        return self._code

    def refuse_if_down(self) -> None:
        """Raises `StoreDown` at once while the database is away."""
        if self._code != "ok":
            raise StoreDown(self._code)

    def failed(self, code: str) -> None:
        """One piece of work failed with this code; wakes the probing thread."""
        with self._lock:
            self._counts[code] += 1
            if code == "db_slow":
                self._slow += 1
                if self._slow < _SLOW_IN_A_ROW:
                    return
            self._code = code
        self.alarm.set()

    def worked(self) -> None:
        """One piece of work went well."""
        if self._slow:
            self._slow = 0

    def passed(self) -> None:
        """A probe has passed: the database is there."""
        with self._lock:
            self._slow = 0
            if self._code != "ok" and self._was_up:
                self._counts["db_reconnect"] += 1
            self._was_up = True
            self._code = "ok"

    def count(self, name: str, many: int = 1) -> None:
        """Counts something for the metrics under a closed name."""
        with self._lock:
            self._counts[name] += many

    @property
    def counts(self) -> Mapping[str, int]:
        """All counts so far."""
        with self._lock:
            return dict(self._counts)
