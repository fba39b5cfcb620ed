"""`postcart feedback summary`: which cards were accepted or overridden, and for which reasons."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from smart_app.audit_command import since_moment
from smart_app.cli import DONE, fail
from smart_app.settings import SettingsError
from smart_app.store.acceptance import Acceptance, acceptance
from smart_app.store.engine import StoreRefused
from smart_app.store.place import place_told, reading


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `postcart feedback`."""
    parser.add_argument("action", choices=("summary",))
    parser.add_argument(
        "--config", metavar="FILE", default="", help="registration file; also $POSTCART_CONFIG"
    )
    parser.add_argument("--site", metavar="NAME", default="", help="this site only")
    parser.add_argument(
        "--since", metavar="T", default="", help="cards and feedback from this moment or day on"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(options: argparse.Namespace) -> int:
    """Prints counts; comments are counted, never shown, since they may name a patient. Exit status 2 for wrong input."""
    try:
        since = since_moment(options.since)
        with reading(place_told(options.config, os.environ)) as (connection, _):
            found = acceptance(connection, options.site, since)
    except (StoreRefused, SettingsError) as fault:
        return fail(str(fault))
    if options.format == "json":
        print(json.dumps([asdict(one) for one in found], indent=2))
    else:
        for line in summary_lines(found):
            print(line)
    return DONE


def summary_lines(found: Sequence[Acceptance]) -> Iterator[str]:
    """The counts as lines, the most frequent reason first."""
    if not found:
        yield "No card went out and no feedback came in."
    for one in found:
        name = one.category if one.kind in ("", one.category) else f"{one.category}, {one.kind}"
        yield f"{one.site}: {name}"
        share = f" ({one.accepted / one.shown:.0%} of shown)" if one.shown else ""
        yield f"  shown {one.shown}, accepted {one.accepted}{share}, overridden {one.overridden}, comments {one.comments}"
        reasons = sorted(one.reasons.items(), key=lambda item: (-item[1], item[0]))
        if reasons:
            yield "  override reasons: " + ", ".join(f"{code} {many}" for code, many in reasons)
