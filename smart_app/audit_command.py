"""`postcart audit export` and `postcart audit verify`: the audit for IT, with its hash chain checked (T-30)."""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Connection

from smart_app.cli import DONE, FAULTS, fail
from smart_app.settings import SettingsError, parse_moment
from smart_app.store.audit import audit_rows, stored_tail
from smart_app.store.chain import ChainCheck, Fault, Tail, read_tail
from smart_app.store.engine import StoreRefused
from smart_app.store.place import Place, place_told, reading
from smart_app.store.restore import database_id, read_anchor
from smart_app.store.tables import AUDIT, moment_text

_COLUMNS = tuple(column.name for column in AUDIT.columns)
_STRUCTURED = frozenset({"keys", "cards", "detail"})
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MOST_LINES = 20
_MEANINGS = {
    "dropped": "rows before this one are missing",
    "unlinked": "does not follow the row before it",
    "altered": "is not as it was written",
    "other-key": "was written under another key and cannot be checked",
    "cut": "rows at the end are missing or were added",
    "anchor": "the row written down outside the database is missing or another one",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `postcart audit`."""
    parser.add_argument("action", choices=("export", "verify"))
    parser.add_argument(
        "--config", metavar="FILE", default="", help="registration file; also $POSTCART_CONFIG"
    )
    parser.add_argument("--format", choices=("csv", "jsonl"), default="csv", help="of export")
    parser.add_argument("--since", metavar="T", default="", help="export rows from this moment or day on")
    parser.add_argument("--site", metavar="NAME", default="", help="export rows of this site only")
    parser.add_argument(
        "--out", metavar="FILE", default="", help="write the export there; default standard output"
    )
    parser.add_argument(
        "--anchor", metavar="SEQ:HASH", default="", help="an end of the chain as the log once named it"
    )


def run(options: argparse.Namespace) -> int:
    """Exports or verifies; exit status 1 where the chain is broken, 2 where nothing could be read or written."""
    try:
        since = since_moment(options.since)
        anchor = _anchor(options.anchor)
        place = place_told(options.config, os.environ)
        with reading(place) as (connection, key):
            if options.action == "verify":
                return _report(*_verified(connection, key, place, anchor, _nothing), sys.stdout)
            wanted = _wanted(since, options.site)
            with _output(options.out) as out:
                write = _csv(out) if options.format == "csv" else _jsonl(out)
                result = _verified(
                    connection, key, place, anchor, lambda row: write(row) if wanted(row) else None
                )
            return _report(*result, sys.stderr)
    except (StoreRefused, SettingsError) as fault:
        return fail(str(fault))
    except BrokenPipeError:
        raise
    except OSError as error:
        return fail(f"The export cannot be written ({error.strerror}).")


def _anchor(text: str) -> Tail | None:
    try:
        return read_tail(text) if text else None
    except ValueError as error:
        raise SettingsError(
            "anchor", "The anchor cannot be read.", "Write it SEQ:HASH as the log has it."
        ) from error


def since_moment(text: str) -> datetime | None:
    """The moment of `--since`: a date-time, or the first second of a day (UTC)."""
    if not text:
        return None
    return parse_moment(text if "T" in text or " " in text.strip() else f"{text}T00:00:00Z")


def _verified(
    connection: Connection,
    key: bytes,
    place: Place,
    anchor: Tail | None,
    take: Callable[[Mapping[str, Any]], None],
) -> tuple[tuple[Fault, ...], Tail, int, Counter[str]]:
    tail = stored_tail(connection)
    kept = read_anchor(place.folder, database_id(connection))
    checks = (
        [ChainCheck(key, anchor), ChainCheck(key, kept)]
        if anchor and kept
        else [ChainCheck(key, anchor or kept)]
    )
    events: Counter[str] = Counter()
    for row in audit_rows(connection):
        values = dict(row._mapping)
        for check in checks:
            check.add(values)
        events[values["event"]] += 1
        take(values)
    faults = {fault: None for check in checks for fault in check.end(tail)}
    return tuple(faults), tail, checks[0].rows, events


def _report(faults: tuple[Fault, ...], tail: Tail, rows: int, events: Counter[str], out: TextIO) -> int:
    for fault in faults[:_MOST_LINES]:
        print(f"row {fault.seq}: {fault.code}: {_MEANINGS[fault.code]}", file=out)
    if len(faults) > _MOST_LINES:
        print(f"and {len(faults) - _MOST_LINES} more", file=out)
    if events["restored"]:
        print(
            f"{events['restored']} times an old copy of the database was put back; rows are missing there",
            file=out,
        )
    state = f"{len(faults)} faults" if faults else "whole"
    print(f"audit: {rows} rows, {state}, end {tail.text()}", file=out)
    return FAULTS if faults else DONE


def _nothing(_: Mapping[str, Any]) -> None:
    return None


def _wanted(since: datetime | None, site: str) -> Callable[[Mapping[str, Any]], bool]:
    begin = moment_text(since) if since is not None else ""
    return lambda row: str(row["at"]) >= begin and (not site or row["site"] == site)


def _csv(out: TextIO) -> Callable[[Mapping[str, Any]], None]:
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    return lambda row: writer.writerow([_cell(row[name]) for name in _COLUMNS])


def _cell(value: object) -> str:
    """A cell no spreadsheet takes for a formula: text from callers stands in some columns."""
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def _jsonl(out: TextIO) -> Callable[[Mapping[str, Any]], None]:
    def write(row: Mapping[str, Any]) -> None:
        values = {name: _structure(row[name]) if name in _STRUCTURED else row[name] for name in _COLUMNS}
        out.write(json.dumps(values, separators=(",", ":"), default=str) + "\n")

    return write


def _structure(text: str) -> object:
    """The value that was stored as JSON; the text itself where somebody changed it into something else."""
    try:
        return json.loads(text)
    except ValueError:
        return text


@contextmanager
def _output(name: str) -> Iterator[TextIO]:
    """Standard output, or a file that is there whole or not at all and that only its owner may read."""
    if not name:
        yield sys.stdout
        return
    path = Path(name)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
