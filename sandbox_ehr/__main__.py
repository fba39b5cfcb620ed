"""`python -m sandbox_ehr`: a box as a process of its own."""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import UTC, date, datetime

from sandbox_ehr.export import removal_bundle, seed_bundle
from sandbox_ehr.patients import all_charts
from sandbox_ehr.serve import serve
from sandbox_ehr.settings import CLIENT_IDS, SettingsFault, registration_toml


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox_ehr", description="An EHR with invented patients."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--app", default="http://127.0.0.1:8000", help="address of the service and app to try"
    )
    parser.add_argument("--cds", default="", help="address of the hook services, where it is another")
    parser.add_argument("--launch", default="", help="launch address of the app, where it is another")
    parser.add_argument(
        "--redirect", action="append", default=[], help="redirect address of the app; repeatable"
    )
    parser.add_argument("--jwks", default="", help="key set address of the app, where it is another")
    parser.add_argument("--today", type=date.fromisoformat, help="the day the stories are told on")
    parser.add_argument(
        "--registration",
        choices=sorted(CLIENT_IDS),
        help="only print the site table for the service's configuration; needs --port",
    )
    parser.add_argument(
        "--bundles",
        choices=("seed", "remove"),
        help="only print transaction Bundles for another FHIR server, one patient a line",
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Serves until it is stopped; exit status 2 for unusable settings. The symmetric client's secret comes from
    the environment variable SANDBOX_CLIENT_SECRET."""
    options = _options(arguments)
    if options.registration:
        print(registration_toml(f"http://{options.host}:{options.port}", options.registration), end="")
        return 0
    if options.bundles:
        make = seed_bundle if options.bundles == "seed" else removal_bundle
        for chart in all_charts(options.today or datetime.now(UTC).date()):
            print(json.dumps(make(chart)))
        return 0
    try:
        serve(
            options.host,
            options.port,
            app_base=options.app,
            cds_base=options.cds,
            app_launch_url=options.launch,
            redirect_uris=tuple(options.redirect),
            app_jwks_url=options.jwks,
            client_secret=os.environ.get("SANDBOX_CLIENT_SECRET", ""),
            today=options.today,
        )
    except (OSError, SettingsFault) as fault:
        print(f"sandbox EHR: {fault}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
