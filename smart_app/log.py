"""Log lines as JSON with a closed list of fields, so that nothing of a patient can slip in (invariant 9)."""

from __future__ import annotations

import json
import sys
import threading
from datetime import UTC, datetime
from typing import TextIO

FIELDS = frozenset({"status", "category", "cards", "keys", "ms", "repaired", "error", "case"})
_lock = threading.Lock()


def write_log(event: str, *, level: str = "info", stream: TextIO | None = None, **fields: object) -> None:
    """Writes one line to standard error; a field outside the closed list is a fault of the program."""
    strangers = set(fields) - FIELDS
    if strangers:
        raise KeyError(f"log fields outside the closed list: {sorted(strangers)}")
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = json.dumps({"time": moment, "level": level, "event": event, **fields}, separators=(",", ":"))
    out = stream if stream is not None else sys.stderr
    with _lock:
        out.write(line + "\n")
        out.flush()
