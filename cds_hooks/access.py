"""What a request allows to read and where: its `fhirServer`, compared as parsed address, and its `fhirAuthorization`.

The token is read out of the request's own bytes for one call, and goes to no log, message or store (T-07).
Source: CDS Hooks 2.0.1, FHIR resource access.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec import Struct

from ehr.address import AddressFault, parse_address
from ehr.scopes import Scopes, parse_scopes
from ehr.site import Site
from mappings.reading.wire import HookRequest, peek


@dataclass(frozen=True, slots=True)
class Access:
    """Whether anything may be read (`usable`), with which token, within which scopes."""

    usable: bool = False
    server_not_registered: bool = False
    token: str | None = field(default=None, repr=False)
    scopes: Scopes = field(default_factory=lambda: parse_scopes(None))


class _Authorization(Struct):
    access_token: str | None = None
    token_type: str | None = None
    scope: str | None = None
    patient: str | None = None


def read_access(request: HookRequest | None, site: Site | None, patient_id: str) -> Access:
    """The access a request gives at its site; none without a server of the site's own and a token for this patient.

    A test site may be read without a token.
    """
    server = request.fhirServer if request is not None else None
    if request is None or not server or site is None:
        return Access()
    if not is_own_server(server, site):
        return Access(server_not_registered=True)
    given = peek(request.fhirAuthorization, _Authorization)
    if given is None or not given.access_token:
        return Access(usable=site.test)
    if (given.token_type or "").lower() != "bearer" or given.patient not in (None, "", patient_id):
        return Access()
    return Access(True, False, given.access_token, parse_scopes(given.scope))


def is_own_server(server: str, site: Site) -> bool:
    """Whether an address is the site's registered FHIR base: same origin, same path, nothing more (T-07)."""
    try:
        named = parse_address(server, allow_http=site.test)
        return named == parse_address(site.fhir_base, allow_http=site.test)
    except AddressFault:
        return False
