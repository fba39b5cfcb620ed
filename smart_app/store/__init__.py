"""The store: what the service remembers, in SQLite or PostgreSQL; nothing of a patient in the clear."""

from __future__ import annotations

from smart_app.store.engine import StoreRefused
from smart_app.store.keys import keyed_hash, load_or_make_key
from smart_app.store.memory import Store, open_store

__all__ = ["Store", "StoreRefused", "keyed_hash", "load_or_make_key", "open_store"]
