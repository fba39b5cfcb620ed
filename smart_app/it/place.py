"""Where the files of a service lie, told as the running service works it out from file and environment."""

from __future__ import annotations

import os
from pathlib import Path

from ehr.site import Config
from smart_app.settings import Settings
from smart_app.store.place import Place, store_place


def place_of(file: Path, config: Config) -> Place:
    """Database, key folder (`key_file.parent`) and state folder of a registration file."""
    state = Settings(config=str(file)).state
    return store_place(config, state, os.environ.get("POSTCART_DATABASE_URL", ""))
