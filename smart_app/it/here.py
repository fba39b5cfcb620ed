"""What can be checked on this machine: files and their modes, keys, database, knowledge, self-test. Changes nothing.

Sources: T-20 (secrets in files), H-59 (silent mode), H-61 (newer database), H-65 (keys), H-70 (self-test).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from ehr.config_overlap import warnings_of
from ehr.own_keys import ALGORITHMS, KeyFault, load
from ehr.site import ClientKind, Config
from mappings.loading import KnowledgeError, check_knowledge, load_knowledge
from mappings.loading.load import build, packaged_folder, read_folder
from smart_app.it.finding import Finding, fault, good, note, warning
from smart_app.operations.readiness import KEY_WARN_DAYS
from smart_app.selftest import evaluator_of, run_selftest
from smart_app.store.engine import READER, StoreRefused, database_url, down_code, make_engine, sqlite_file
from smart_app.store.keys import KeyFault as StoreKeyFault
from smart_app.store.keys import read_key
from smart_app.store.place import Place, place_of, reading
from smart_app.store.schema import check_sound

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def registrations(config: Config, now: datetime) -> Iterator[Finding]:
    """What the file allows but somebody should look at: silent mode past its day, two FHIR addresses of one site."""
    yield good(
        "settings", f"{len(config.sites)} sites; no issuer, key or FHIR address belongs to two of them"
    )
    for words in warnings_of(config, now.astimezone(UTC).date()):
        mend = "Set silent = false after the validation, or a later silent_until" if "silent" in words else ""
        yield warning(
            "settings", words, mend or "Correct the registration file, or leave it if it is meant so"
        )
    for site in config.sites:
        if site.silent:
            yield note("settings", f"silent mode until {site.silent_until}: no card goes out", site.name)
        if site.test:
            yield note(
                "settings", "a test site: http on loopback is taken, pages and cards say so", site.name
            )
        if site.iss and not site.fhir_base:
            yield note("settings", "no fhir_base: gaps of a prefetch cannot be read", site.name)


def modes(file: Path, config: Config) -> Iterator[Finding]:
    """Who else may read or write the files of the service (T-20)."""
    place = place_of(file, config)
    mode = file.stat().st_mode
    if mode & _OTHERS_WRITE:
        yield fault("files", f"{file.name} may be written by others", f"chmod go-w {file}")
    if mode & _OTHERS and _holds_password(config):
        yield fault(
            "files",
            f"{file.name} holds a database password and may be read by others",
            f"chmod 600 {file}, or move database_url into POSTCART_DATABASE_URL",
        )
    for folder in dict.fromkeys((place.folder, place.key_file.parent)):
        if not folder.exists():
            yield note("files", f"{folder} is not there yet: the service makes it at its first start")
        elif folder.stat().st_mode & _OTHERS_WRITE:
            yield fault("files", f"others may write into {folder}", f"chmod 700 {folder}")
        elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            yield fault(
                "files", f"this account cannot use {folder}", "Run the check as the account of the service"
            )
        else:
            yield good("files", f"{folder} is closed to writing by others")
    database = _file_of(place)
    if database is not None and database.exists() and database.stat().st_mode & _OTHERS:
        yield fault("files", f"{database.name} may be read by others", f"chmod 600 {database}")


def keys(file: Path, config: Config, now: datetime) -> Iterator[Finding]:
    """The service's own signing keys: there, readable by it alone, and not due (H-65)."""
    folder = place_of(file, config).key_file.parent
    try:
        own = load(folder)
    except KeyFault as trouble:
        yield fault("keys", str(trouble), "Make its files readable for the service alone: chmod 600")
        return
    needed = {
        site.smart.alg: site.name
        for site in config.sites
        if site.smart is not None and site.smart.auth is ClientKind.ASYMMETRIC
    }
    for alg, name in needed.items():
        if own.signing(alg, now) is None:
            yield fault(
                "keys", f"no {alg} key to sign with", f"postcart keys new --alg {alg} --dir {folder}", name
            )
    for alg in ALGORITHMS:
        signing = own.signing(alg, now)
        if signing is not None:
            yield good("keys", f"{alg} {signing.kid} signs, made {signing.created:%Y-%m-%d}")
    days = own.days_left(now)
    if days is not None and days <= KEY_WARN_DAYS:
        state = f"is due for rotation in {int(days)} days" if days > 0 else "is past its day of rotation"
        yield warning("keys", f"a signing key {state}", f"postcart keys rotate --dir {folder}")
    if days is None and not needed:
        yield note("keys", "no signing keys, and no site needs one")


def database(file: Path, config: Config) -> Iterator[Finding]:
    """Whether the database is there, sound, ours and not newer than this program; nothing is made or changed."""
    place = place_of(file, config)
    try:
        read_key(place.key_file)
    except FileNotFoundError:
        yield from _before_first_start(place)
        return
    except (StoreKeyFault, OSError) as trouble:
        words = str(trouble) if isinstance(trouble, StoreKeyFault) else "the store's key cannot be read"
        yield fault("database", words, "Run the check as the account of the service; put back the right file")
        return
    try:
        with reading(place) as (connection, _):
            sound = check_sound(connection)
            kind = connection.dialect.name
    except StoreRefused as refused:
        if refused.code == "none":
            yield from _before_first_start(place)
            return
        yield fault("database", str(refused), "The service answers cards without it, but takes no feedback")
        return
    if sound:
        yield good("database", f"{kind}: sound, and of a revision this program knows")
    else:
        yield fault("database", "the file is damaged", "Stop the service and restore the last backup")


def _before_first_start(place: Place) -> Iterator[Finding]:
    try:
        address = database_url(place.url)
    except StoreRefused as refused:
        yield fault("database", str(refused), "Correct database_url")
        return
    if sqlite_file(address) is not None:
        yield note("database", "SQLite, not made yet: the service makes it at its first start")
        return
    engine = make_engine(address, READER)
    try:
        with engine.connect():
            yield good("database", "PostgreSQL answers; the service makes its tables at its first start")
    except SQLAlchemyError as error:
        yield fault(
            "database",
            f"PostgreSQL cannot be used ({down_code(error)})",
            "Check host, name, account and password of database_url, and that this machine may connect",
        )
    finally:
        engine.dispose()


def knowledge(config: Config) -> Iterator[Finding]:
    """The knowledge that ships, each site's overlay, and the self-test with each (H-40, H-70)."""
    try:
        faults = check_knowledge()
        whole = load_knowledge()
    except KnowledgeError as trouble:
        yield fault("knowledge", str(trouble), "Install the package anew")
        return
    for one in faults:
        yield fault(
            "knowledge", f"{one.file}: {one.field}: {one.message}", one.fix or "Install the package anew"
        )
    if not faults:
        yield good("knowledge", f"version {whole.version} ({whole.digest})")
    yield from _tested("", run_selftest(evaluator_of(whole, ("US", "EU"))))
    for site in config.sites:
        if site.overlay is None:
            continue
        try:
            laid_on = build(read_folder(packaged_folder(), site.overlay))
        except KnowledgeError as trouble:
            yield fault("knowledge", str(trouble), "Correct the overlay, or take it out", site.name)
            continue
        yield note("knowledge", f"with the overlay {laid_on.overlay} ({laid_on.digest})", site.name)
        regions = (site.region,) if site.region else ("US", "EU")
        yield from _tested(site.name, run_selftest(evaluator_of(laid_on, regions)))


def _tested(site: str, failed: tuple[str, ...]) -> Iterator[Finding]:
    if failed:
        mend = (
            "Take the overlay back"
            if site
            else "Install the package anew; nothing is answered until it passes"
        )
        yield fault("self-test", f"failed: {', '.join(failed)}", mend, site)
    else:
        yield good("self-test", "every category is given where it should be", site)


def _file_of(place: Place) -> Path | None:
    try:
        return sqlite_file(database_url(place.url))
    except StoreRefused:
        return None


def _holds_password(config: Config) -> bool:
    try:
        return bool(config.database_url) and database_url(config.database_url).password is not None
    except StoreRefused:
        return False
