"""`postcart keys new|rotate|show`: the signing keys of this service, made and shown on the shell."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from ehr.own_keys import ALGORITHMS, KeyFault, load, new_key, rotate
from ehr.registrations import ConfigError, read_config
from smart_app.cli import DONE, fail
from smart_app.store.place import place_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `postcart keys`."""
    parser.add_argument("action", choices=("new", "rotate", "show"))
    parser.add_argument("--config", metavar="FILE", default="", help="take key_dir from this file")
    parser.add_argument("--dir", metavar="DIR", default="", help="the key folder; wins over --config")
    parser.add_argument("--alg", choices=ALGORITHMS, action="append", help="default: both")
    parser.add_argument(
        "--at-once", action="store_true", help="the new key signs at once (after a leak), not in a day"
    )


def run(options: argparse.Namespace) -> int:
    """Makes, rotates or shows keys; what goes to standard output is public. Exit status 2 for what cannot be done."""
    try:
        folder = _folder(options)
    except ConfigError as fault:
        return fail(str(fault))
    if folder is None:
        return fail("Name the key folder: --dir DIR, or --config FILE.")
    now = datetime.now(UTC)
    algorithms = tuple(options.alg or ALGORITHMS)
    try:
        keys = load(folder)
        if options.action == "new":
            there = [alg for alg in algorithms if keys.of(alg)]
            if there:
                return fail(f"There is a key for {', '.join(there)} already; use rotate to replace it.")
            for alg in algorithms:
                new_key(folder, alg, now, at_once=options.at_once)
        if options.action == "rotate":
            missing = [alg for alg in algorithms if not keys.of(alg)]
            if missing:
                return fail(f"There is no key for {', '.join(missing)} yet; use new.")
            for alg in algorithms:
                rotate(folder, alg, now, at_once=options.at_once)
        keys = load(folder)
    except KeyFault as fault:
        return fail(str(fault))
    for own in keys.published(now):
        signing = keys.signing(own.alg, now)
        state = (
            "signs"
            if signing is not None and signing.kid == own.kid
            else (
                f"signs from {own.signs_from():%Y-%m-%d %H:%M} UTC"
                if own.signs_from() > now
                else "published only"
            )
        )
        print(f"{own.alg} {own.kid} made {own.created:%Y-%m-%d}: {state}", file=sys.stderr)
    print(json.dumps(keys.public_set(now), indent=2))
    return DONE


def _folder(options: argparse.Namespace) -> Path | None:
    if options.dir:
        return Path(options.dir)
    if not options.config:
        return None
    file = Path(options.config)
    return place_of(file, read_config(file)).key_file.parent
