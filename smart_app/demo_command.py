"""`postcart demo`: an EHR with invented patients beside the service, so that anyone can see it work at once."""

from __future__ import annotations

import argparse

from smart_app.cli import DONE, FAULTS, fail
from smart_app.demo.children import ChildFault
from smart_app.demo.running import Demo, installed, open_browser

_DEFAULT_APP = "http://127.0.0.1:8000"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `postcart demo`."""
    parser.add_argument(
        "--check", action="store_true", help="walk the demo once without a browser, print what was seen, end"
    )
    parser.add_argument(
        "--only", choices=("ehr",), help="the EHR alone, for trying another service or app with it"
    )
    parser.add_argument(
        "--app", metavar="URL", default="", help=f"with --only ehr: what to try, default {_DEFAULT_APP}"
    )
    parser.add_argument("--port", type=int, default=0, help="port of the EHR; 0 (default) takes a free one")
    parser.add_argument("--no-browser", action="store_true", help="open no browser")


def run(options: argparse.Namespace) -> int:
    """Runs until it is stopped. Exit status 0; 2 where it cannot start; with --check 0, or 1 for any fault."""
    if options.app and not options.only:
        return fail("--app goes with --only ehr; the demo brings its own service.")
    if options.check and options.only:
        return fail("--check walks the whole demo; leave --only out.")
    if not installed():
        return fail("The EHR of the demo (sandbox_ehr) is not part of this installation.")
    failed = FAULTS if options.check else 2
    try:
        with Demo(ehr_port=options.port, app=(options.app or _DEFAULT_APP) if options.only else "") as demo:
            if demo.stopped:
                return DONE
            if options.check:
                return _check(demo)
            print(_words(demo, options.app or _DEFAULT_APP), flush=True)
            if not options.no_browser:
                open_browser(f"{demo.place.ehr}/")
            demo.wait()
    except ChildFault as fault:
        return fail(str(fault), failed)
    except OSError as error:
        return fail(f"The demo cannot start ({error.strerror}).", failed)
    return DONE


def _check(demo: Demo) -> int:
    from smart_app.demo.visitor import VisitFault
    from smart_app.demo.walk import walk

    try:
        for line in walk(demo.place.ehr):
            print(line, flush=True)
    except VisitFault as fault:
        print(f"not as it should be: {fault}", flush=True)
        return FAULTS
    return DONE


def _words(demo: Demo, app: str) -> str:
    place = demo.place
    if not place.service:
        return _ALONE.format(ehr=place.ehr, app=app)
    return _BOTH.format(ehr=place.ehr, service=place.service, config=place.config)


_BOTH = """\
An EHR with invented patients, and postcart beside it. Nobody in it exists.

  Patients    {ehr}/
  Service     {service}/cds-services
  Settings    {config}

Three things to try:
  1. Open ZZTEST, Alma. The card beside the chart says what kind of relapse it is; its button opens the app.
  2. Accept the stain that card suggests, then order loncastuximab tesirine under Orders: a warning answers.
  3. Below the chart, switch on "Withhold DiagnosticReport" and open the chart anew: what is not seen is unknown.

What became of the cards: postcart feedback summary --config {config}
Ctrl-C ends both and removes everything."""
_ALONE = """\
An EHR with invented patients, for {app}. Nobody in it exists.

  Patients    {ehr}/
  FHIR base   {ehr}/fhir  (SMART issuer, R4; a token is needed)
  Key set     {ehr}/.well-known/jwks.json  (hook calls are signed as {ehr})
  Addresses   {ehr}/addresses

Three things to try:
  1. Open a chart: patient-view goes to {app}/cds-services.
  2. Under SMART app, launch {app}/launch in a frame.
  3. Below the chart, make the EHR awkward and do both again.

Ctrl-C ends it."""
