"""A FHIR server that is tried by hand: its address, a token for it, and the product's own way to read from it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ehr.address import Address, AddressFault, parse_address
from ehr.asking import Limits
from ehr.fhir import FhirLink
from ehr.queries import Fetched, Query
from ehr.site import Site
from ehr.transport import Deadline, Transport
from smart_app.settings import is_loopback

_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")


class ServerFault(ValueError):
    """An address or token that cannot be used; the text says why. Holds no token."""


@dataclass(frozen=True, slots=True)
class OpenServer:
    """A server named on the command line. The token goes to addresses at or below its base, and nowhere else."""

    base: Address
    token: str | None = field(default=None, repr=False)

    @property
    def loopback(self) -> bool:
        """Whether it runs on this machine."""
        return is_loopback(self.base.host)

    @property
    def site(self) -> Site:
        """It as the one registered site of the reads; plain http counts on loopback only."""
        environment = "test" if self.base.scheme == "http" else "production"
        return Site(name="by-hand", environment=environment, fhir_base=self.base.text)

    def fetch(
        self, queries: Sequence[Query], seconds: float, limits: Limits | None = None
    ) -> Mapping[str, Fetched]:
        """What these queries brought within that long, by key; never raises for what the server does."""
        transport = Transport()
        link = FhirLink(transport, limits=limits)
        try:
            return link.fetch(self.site, queries, token=self.token, deadline=Deadline.after(seconds))
        finally:
            link.close()


def open_server(base: str, token: str = "", token_file: str = "") -> OpenServer:
    """The server at an address; raises `ServerFault` for an address that is not https or loopback, or a bad token."""
    try:
        address = parse_address(base.strip().rstrip("/"), allow_http=True)
    except AddressFault as fault:
        raise ServerFault(
            f"{base!r} is no FHIR base that can be used ({fault}). Give https, or http on loopback."
        ) from fault
    given = token
    if token_file:
        try:
            given = Path(token_file).read_text("ascii")
        except (OSError, ValueError) as error:
            raise ServerFault(f"The token file {token_file} cannot be read.") from error
    given = given.strip().removeprefix("Bearer ").strip()
    if (token or token_file) and not _TOKEN.fullmatch(given):
        raise ServerFault("The token holds characters that cannot stand in a header, or nothing at all.")
    return OpenServer(address, given or None)
