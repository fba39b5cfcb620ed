"""`postcart call`: signs a hook request as a client would, sends it, and prints what came back."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

from ehr.registrations import ConfigError, read_config
from ehr.transport import Deadline, Transport, TransportFault
from smart_app.cli import DONE, FAULTS, fail
from smart_app.it.answers import answer_text
from smart_app.it.caller import (
    CallFault,
    Signer,
    address_to_call,
    ask_discovery,
    send_request,
    signer_of_file,
    signer_of_site,
)
from smart_app.store.place import place_of

_FAULTS = {
    "down": "No connection: is the service running there, and does its certificate hold?",
    "deadline": "No answer within the time given with --timeout.",
    "too-large": "The answer is larger than any answer of this service.",
    "redirect": "The address answers with a redirect, which no client should follow with a token. Give the final one.",
    "bad": "What came back is no whole HTTP answer.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `postcart call`."""
    parser.add_argument(
        "request", nargs="?", metavar="REQUEST.json", help="a hook request; - = standard input"
    )
    parser.add_argument(
        "--url", required=True, help="address of the service, https or loopback; also the token's aud"
    )
    parser.add_argument("--discovery", action="store_true", help="get the list of services instead")
    parser.add_argument(
        "--key", metavar="FILE", default="", help="private key of the caller, JWK or PEM, mode 0600"
    )
    parser.add_argument("--kid", default="", help="the key's name in the caller's key set")
    parser.add_argument("--iss", default="", help="issuer as registered")
    parser.add_argument("--jku", default="", help="key set address as registered")
    parser.add_argument("--tenant", default="", help="tenant as registered")
    parser.add_argument(
        "--config", metavar="FILE", default="", help="sign with this service's own key, as --site"
    )
    parser.add_argument("--site", metavar="NAME", default="", help="the registered site to call as")
    parser.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS")


def run(options: argparse.Namespace) -> int:
    """Sends one call; exit status 0 for an answer of status 200, 1 for any other, 2 where none could be got."""
    try:
        address = address_to_call(options.url)
        signer = _signer(options)
        body = b"" if options.discovery else _body(options.request)
    except CallFault as fault:
        return fail(str(fault))
    transport = Transport()
    began = time.monotonic()
    try:
        deadline = Deadline.after(options.timeout)
        if options.discovery:
            answer = ask_discovery(transport, address, signer, deadline)
        else:
            answer = send_request(transport, address, signer, body, deadline)
    except TransportFault as fault:
        return fail(_FAULTS[fault.code])
    finally:
        transport.close()
    print(answer_text(answer, (time.monotonic() - began) * 1000))
    return DONE if answer.status == 200 else FAULTS


def _signer(options: argparse.Namespace) -> Signer:
    if options.key:
        return signer_of_file(Path(options.key), options.kid, options.iss, options.jku, options.tenant)
    name = options.config or os.environ.get("POSTCART_CONFIG", "")
    if not (name and options.site):
        raise CallFault(
            "Say who calls: --key FILE --kid KID --iss ISS [--jku URL], or --config FILE --site NAME."
        )
    try:
        config = read_config(Path(name))
    except ConfigError as fault:
        raise CallFault(str(fault)) from fault
    site = config.site(options.site)
    if site is None:
        names = ", ".join(one.name for one in config.sites)
        raise CallFault(f"No site {options.site!r} is registered. Registered: {names}.")
    return signer_of_site(config, site, place_of(Path(name), config).key_file.parent)


def _body(name: str | None) -> bytes:
    if not name:
        raise CallFault(
            "Name the hook request to send (REQUEST.json), or ask for the services with --discovery."
        )
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        json.loads(content)
    except OSError as error:
        raise CallFault(f"{name} cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise CallFault(f"{name} is not JSON. Give a CDS Hooks request as the EHR would send it.") from error
    return content
