"""`postcart check`: settings, files, keys, database, knowledge and each site's servers, with what to mend."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ehr.own_keys import KeyFault, read_secret
from ehr.registrations import ConfigError, read_config
from ehr.site import Config, Site
from ehr.transport import Transport
from smart_app.cli import DONE, FAULTS, fail
from smart_app.it import here
from smart_app.it.finding import Finding, Level
from smart_app.it.servers import Visit
from smart_app.it.words import one_line


class CannotRun(ValueError):
    """Why the check could not even begin."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `postcart check`."""
    parser.add_argument(
        "--config", metavar="FILE", default="", help="registration file; also $POSTCART_CONFIG"
    )
    parser.add_argument("--site", metavar="NAME", default="", help="the servers of this site only")
    parser.add_argument("--offline", action="store_true", help="look at this machine only, ask no server")
    parser.add_argument(
        "--patient", metavar="ID", default="", help="try every search for this (test) patient"
    )
    parser.add_argument("--token-file", metavar="FILE", default="", help="access token for that, mode 0600")
    parser.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS", help="for each answer")
    parser.add_argument("--strict", action="store_true", help="warnings count as faults")


def run(options: argparse.Namespace) -> int:
    """Prints each finding; exit status 0, 1 where there is a fault, 2 where the check cannot run."""
    try:
        file = _file(options)
        config = _config(file)
        if config is None:
            return FAULTS
        sites = _sites(config, options)
        token = _token(options)
    except CannotRun as fault:
        return fail(str(fault))
    counts = dict.fromkeys(Level, 0)
    for finding in _findings(file, config, sites, token, options):
        counts[finding.level] += 1
        print(_line(finding), flush=True)
    print(f"{counts[Level.FAULT]} faults, {counts[Level.WARNING]} warnings")
    bad = counts[Level.FAULT] + (counts[Level.WARNING] if options.strict else 0)
    return FAULTS if bad else DONE


def _findings(
    file: Path, config: Config, sites: tuple[Site, ...], token: str | None, options: argparse.Namespace
) -> Iterator[Finding]:
    now = datetime.now(UTC)
    yield from here.registrations(config, now)
    yield from here.modes(file, config)
    yield from here.keys(file, config, now)
    yield from here.database(file, config)
    yield from here.knowledge(config)
    if options.offline:
        return
    transport = Transport()
    try:
        for site in sites:
            visit = Visit(config, site, transport, options.timeout)
            yield from visit.findings()
            if options.patient:
                yield from visit.searches(options.patient, token)
    finally:
        transport.close()


def _line(finding: Finding) -> str:
    where = f"{finding.area}, {finding.site}" if finding.site else finding.area
    text = f"{finding.level.value:8}{where}: {one_line(finding.words, 500)}"
    return text + (f"\n        mend: {one_line(finding.mend, 500)}" if finding.mend else "")


def _file(options: argparse.Namespace) -> Path:
    name = options.config or os.environ.get("POSTCART_CONFIG", "")
    if not name:
        raise CannotRun("No registration file is named. Give --config FILE or set POSTCART_CONFIG.")
    return Path(name)


def _config(file: Path) -> Config | None:
    """The registrations; None after its faults were printed. A file that cannot be read at all is no finding."""
    try:
        return read_config(file)
    except ConfigError as refused:
        if any(one.field == "the file" for one in refused.faults):
            raise CannotRun(str(refused)) from refused
        for one in refused.faults:
            place = f"site {one.site!r}, {one.field}" if one.site else one.field
            print(
                _line(Finding("settings", Level.FAULT, f"{one.file}: {place}: {one.problem}", f"{one.fix}"))
            )
        print(
            f"{len(refused.faults)} faults; nothing else was checked: the service does not start with this file"
        )
        return None


def _sites(config: Config, options: argparse.Namespace) -> tuple[Site, ...]:
    if options.patient and not options.site:
        raise CannotRun("--patient needs --site: a patient belongs to one EHR.")
    if not options.site:
        return config.sites
    site = config.site(options.site)
    if site is None:
        names = ", ".join(one.name for one in config.sites)
        raise CannotRun(f"No site {options.site!r} is registered. Registered: {names}.")
    if options.patient and not options.token_file and not site.test:
        raise CannotRun(
            "--patient needs --token-file: a file of mode 0600 with an access token, and nothing else."
        )
    return (site,)


def _token(options: argparse.Namespace) -> str | None:
    if not options.token_file:
        return None
    try:
        return read_secret(Path(options.token_file)).decode("ascii").strip()
    except KeyFault as fault:
        raise CannotRun(f"The token file cannot be used: {fault}.") from fault
    except UnicodeDecodeError as fault:
        raise CannotRun("The token file holds more than a token.") from fault
