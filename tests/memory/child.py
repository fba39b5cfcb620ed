"""A worker process for tests: opens the store and does one kind of work until it is told or killed.

`feedback`: stores rows of two, then prints their numbers, for ever. `race N AT`: N token ids from the moment AT
on, prints those it was first to use. `calls N`: records N calls and closes.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from records import LATER, PATIENT, a_call, an_override

from smart_app.store import Store, memory, open_store


def main() -> None:
    """Does what the command line says."""
    work, url, folder, *more = sys.argv[1:]
    memory.HOT = PATIENT
    store = open_store(url, key=bytes(range(32)), folder=Path(folder))
    print("open", flush=True)
    if work == "feedback":
        _feedback(store, more[0])
    elif work == "race":
        _race(store, int(more[0]))
    else:
        for number in range(int(more[0])):
            store.record_call(a_call(hook_instance=f"{more[1]}-{number}", at=datetime.now(UTC)))
        store.close()
        print("closed", flush=True)


def _feedback(store: Store, name: str) -> None:
    number = 0
    while True:
        pair = (f"{name}-{number}", f"{name}-{number + 1}")
        store.record_feedback([an_override(card=card, comment="c" * 200) for card in pair])
        print(*pair, flush=True)
        number += 2


def _race(store: Store, many: int) -> None:
    begin = float(sys.stdin.readline())
    while time.time() < begin:
        pass
    won = [str(one) for one in range(many) if store.first_use("north", "issuer", f"id-{one}", LATER)]
    print(" ".join(won), flush=True)
    store.close()


if __name__ == "__main__":
    main()
