"""The service without a database: the floor that token checks and the audit are compared with."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flask import Flask

import smart_app.parts as parts
from smart_app.app import create_app
from smart_app.settings import Settings


class NoStore:
    """A store that keeps nothing and knows nothing."""

    counts: Mapping[str, int] = {}
    workspaces = SimpleNamespace()

    def first_use(self, *row: object) -> bool:
        """Every token is new."""
        return True

    def record_call(self, record: object) -> None:
        """Nothing is kept."""

    def record_feedback(self, rows: object) -> None:
        """Nothing is kept."""

    def overridden(self, *row: object) -> frozenset[str]:
        """Nothing was overridden."""
        return frozenset()

    def note_served(self, *row: object) -> tuple[Any, ...]:
        """No other process."""
        return ()

    def anchor(self) -> SimpleNamespace:
        """The end of no chain."""
        return SimpleNamespace(text=lambda: "none")

    def state(self) -> str:
        """Always well."""
        return "ok"

    def close(self) -> None:
        """Nothing to give back."""


def application() -> Flask:
    """The app of a worker: open, judged at a fixed moment, without a database."""
    threading.stack_size(1 << 20)
    parts.open_store = lambda url, **more: NoStore()  # type: ignore[assignment,return-value]
    settings = Settings(opened=True, as_of="2026-02-01T12:00:00Z", state_dir=str(Path("/tmp")))  # noqa: S108
    return create_app(settings, collect=True)
