"""`postcart registration show`: the sheet that an EHR's IT pastes from, as text or JSON."""

from __future__ import annotations

import argparse
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from ehr.own_keys import KeyFault
from ehr.registrations import ConfigError, read_config
from smart_app.cli import DONE, fail
from smart_app.it.sheet import make_sheet
from smart_app.it.sheet_types import Sheet
from smart_app.it.vendors import KINDS
from smart_app.it.words import indented
from smart_app.store.place import place_of

_SENTENCES = frozenset({"app", "time", "kept", "log", "ehr", "egress"})
"""Sections that are read; what stands in the others is pasted and must not be folded."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `postcart registration`."""
    parser.add_argument("action", choices=("show",))
    parser.add_argument(
        "--config", metavar="FILE", default="", help="registration file; also $POSTCART_CONFIG"
    )
    parser.add_argument("--site", metavar="NAME", required=True, help="the registered site")
    parser.add_argument("--ehr", choices=KINDS, default="generic", help="whose registration is filled in")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(options: argparse.Namespace) -> int:
    """Prints the sheet; exit status 2 where the registration file or the keys cannot be used."""
    from mappings.loading import KnowledgeError, load_knowledge

    name = options.config or os.environ.get("POSTCART_CONFIG", "")
    if not name:
        return fail("No registration file is named. Give --config FILE or set POSTCART_CONFIG.")
    try:
        config = read_config(Path(name))
        site = config.site(options.site)
        if site is None:
            names = ", ".join(one.name for one in config.sites)
            return fail(f"No site {options.site!r} is registered. Registered: {names}.")
        folder = place_of(Path(name), config).key_file.parent
        sheet = make_sheet(
            config,
            site,
            options.ehr,
            key_folder=folder,
            knowledge=load_knowledge(),
            now=datetime.now(UTC),
        )
    except (ConfigError, KeyFault, KnowledgeError) as fault:
        return fail(str(fault))
    print(json.dumps(sheet.as_json(), indent=2) if options.format == "json" else sheet_text(sheet), end="\n")
    return DONE


def sheet_text(sheet: Sheet) -> str:
    """The sheet for people: values stand alone on their lines, so that they can be copied whole."""
    lines = [
        f"postcart registration sheet: site {sheet.site}, {sheet.ehr}, made {sheet.made:%Y-%m-%d %H:%M} UTC"
    ]
    for section in sheet.sections:
        lines += ["", section.title, "-" * len(section.title)]
        lines += indented(section.note, "") if section.note else []
        for row in section.rows:
            lines.append(f"{row.label}:")
            for value in row.values:
                lines += indented(value) if section.key in _SENTENCES else [f"  {value}"]
    return "\n".join(lines)
