"""Where the store of a service lies, and how a shell command reads it without changing anything."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from ehr.registrations import ConfigError, read_config
from ehr.site import Config
from smart_app.settings import Settings
from smart_app.store.engine import READER, StoreRefused, database_url, down_code, make_engine, sqlite_file
from smart_app.store.keys import KeyFault, read_key
from smart_app.store.schema import has_tables, refuse_newer

KEY_FILE = "store.key"
DATABASE_FILE = "postcart.db"

_WORDS = {
    "db_slow": "The database does not answer in time.",
    "db_corrupt": "The database is damaged.",
    "db_readonly": "The database refuses this account.",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Address of the database, file of the key, folder of spool and anchor."""

    url: str = field(repr=False)
    key_file: Path
    folder: Path


def store_place(config: Config, state: Path, given_url: str = "") -> Place:
    """Where the store of this configuration lies; `state` is the folder for what the file leaves open."""
    key_dir = config.key_dir or state / "keys"
    url = given_url or config.database_url or f"sqlite:///{state / DATABASE_FILE}"
    return Place(url, key_dir / KEY_FILE, state)


def place_of(file: Path, config: Config, environ: Mapping[str, str] = os.environ) -> Place:
    """Database, key folder (`key_file.parent`) and state folder of a registration file, as the service works them out."""
    return store_place(config, Settings(config=str(file)).state, environ.get("POSTCART_DATABASE_URL", ""))


def place_told(config_file: str, environ: Mapping[str, str]) -> Place:
    """The place a shell command is told by `--config` or the environment; raises `StoreRefused`."""
    name = config_file or environ.get("POSTCART_CONFIG", "")
    if not name:
        raise StoreRefused(
            "config", "No registration file is named.", "Give --config FILE or set POSTCART_CONFIG."
        )
    try:
        config = read_config(Path(name))
    except ConfigError as fault:
        raise StoreRefused("config", str(fault), "") from fault
    return place_of(Path(name), config, environ)


@contextmanager
def reading(place: Place) -> Iterator[tuple[Connection, bytes]]:
    """A connection that sees one moment of the database and cannot change it, with the key.

    Raises `StoreRefused` where there is no store, none of ours, a newer one, or the key is not there.
    """
    try:
        key = read_key(place.key_file)
    except (KeyFault, OSError) as fault:
        words = str(fault) if isinstance(fault, KeyFault) else f"The key {place.key_file} cannot be read."
        raise StoreRefused("key", words, "Run this as the account of the service.") from fault
    address = database_url(place.url)
    file = sqlite_file(address)
    if file is not None and not file.is_file():
        raise StoreRefused(
            "none", f"There is no database at {file}.", "Has the service run with this file yet?"
        )
    engine = make_engine(address, READER)
    try:
        with engine.begin() as connection:
            if not has_tables(connection):
                raise StoreRefused("none", "This database holds no store.", "Check database_url.")
            refuse_newer(connection)
            yield connection, key
    except SQLAlchemyError as error:
        code = down_code(error)
        raise StoreRefused(
            code, _WORDS.get(code, "The database cannot be reached."), "See the log of the database."
        ) from None
    finally:
        engine.dispose()
