"""`postcart seed`: the invented patients on another FHIR server, to test there with charts that fit."""

from __future__ import annotations

import argparse
from datetime import date

from ehr.transport import Transport
from smart_app.cli import DONE, fail
from smart_app.demo.open_server import ServerFault, open_server
from smart_app.demo.running import installed
from smart_app.demo.seeding import TAG, Seeder, SeedFault, invented_bundles
from smart_app.summary import shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `postcart seed`."""
    parser.add_argument("--fhir", required=True, metavar="BASE", help="FHIR R4 base, https or loopback")
    parser.add_argument("--token-file", metavar="FILE", default="", help="file with an access token")
    parser.add_argument("--remove", action="store_true", help="delete what carries our tag instead")
    parser.add_argument(
        "--today", type=date.fromisoformat, help="the day the stories are told on, default today"
    )
    parser.add_argument("--yes", action="store_true", help="needed where the server is not this machine")


def run(options: argparse.Namespace) -> int:
    """Loads or removes; exit status 2 where the server did not take it. What was written until then stays, tagged."""
    try:
        server = open_server(options.fhir, token_file=options.token_file)
        if not server.loopback and not options.yes:
            what = "delete the records tagged" if options.remove else "write invented patients, tagged"
            return fail(f"This would {what} {TAG[1]}, on {server.base.text}. Say --yes if that is meant.")
        if not options.remove and not installed():
            return fail("The invented patients (sandbox_ehr) are not part of this installation.")
        transport = Transport()
        try:
            seeder = Seeder(server, transport)
            today = options.today.isoformat() if options.today else ""
            lines = seeder.remove() if options.remove else seeder.load(invented_bundles(today))
            for line in lines:
                print(line, flush=True)
        finally:
            transport.close()
    except (ServerFault, SeedFault) as fault:
        return fail(shown(str(fault)))
    return DONE
