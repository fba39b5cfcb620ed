"""Tries every kind of work of a store and says how it is refused."""

from __future__ import annotations

import time
from collections.abc import Callable

from records import LATER, an_override

from cds_hooks.memory import StoreDown
from smart_app.store import Store

BACK_WITHIN = 5.0
"""Seconds until the store must work again once its database does (R-06)."""


def all_calls(store: Store) -> dict[str, Callable[[], object]]:
    return {
        "first_use": lambda: store.first_use("north", "issuer", "id", LATER),
        "overridden": lambda: store.overridden("north", "u", "p", "f"),
        "feedback": lambda: store.record_feedback([an_override()]),
        "workspaces": lambda: store.workspaces.get("w"),
    }


def codes(store: Store) -> tuple[set[str], float]:
    """The codes with which every kind of work is refused, and the longest wait in seconds."""
    found, longest = set(), 0.0
    for work in all_calls(store).values():
        begun = time.monotonic()
        try:
            work()
            found.add("ok")
        except StoreDown as down:
            found.add(down.code)
        longest = max(longest, time.monotonic() - begun)
    return found, longest


def works(store: Store) -> bool:
    return store.state() == "ok" and codes(store)[0] == {"ok"}
