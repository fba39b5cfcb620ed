"""Where an EHR signs in: its smart-configuration, fetched from the registered FHIR base only, checked, kept for minutes.

Sources: SMART App Launch 2.2, conformance; T-14 (nothing is asked of an address that is not registered).
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ehr.address import Address, AddressFault, parse_address, same_origin
from ehr.site import Site
from ehr.transport import Deadline, Transport, TransportFault
from smart_app.launch.fault import LaunchFault

KEEP_S = 300.0
WAIT_S = 4.0
MAX_BYTES = 256 * 1024
_RELATIVE = re.compile(r"/?[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*")
_TAIL = "/.well-known/smart-configuration"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What is used of a smart-configuration, every address checked against the site's registration."""

    authorize: str
    token: str
    issuer: str
    jwks: str
    post: bool
    online: bool
    names_issuer: bool
    clock_skew_s: int | None = None


class Discovery:
    """Fetches and keeps the endpoints of each site; a fault is not kept, so the next launch asks again."""

    def __init__(self, transport: Transport, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Endpoints]] = {}

    def endpoints(self, site: Site, *, again: bool = False) -> Endpoints:
        """The site's endpoints; `again` asks the EHR whatever is kept. Raises `LaunchFault`."""
        smart = site.smart
        if smart is None:
            raise LaunchFault("unknown-iss")
        name = f"{site.name}\n{smart.iss}\n{','.join(site.auth_hosts)}"
        with self._lock:
            kept = self._kept.get(name)
        if kept and not again and self._monotonic() - kept[0] < KEEP_S:
            return kept[1]
        found = self._fetch(site, smart.iss)
        with self._lock:
            self._kept[name] = (self._monotonic(), found)
        return found

    def forget(self, site: Site) -> None:
        """Drops what is kept of a site, after one of its endpoints failed."""
        with self._lock:
            for name in [name for name in self._kept if name.startswith(f"{site.name}\n")]:
                del self._kept[name]

    def _fetch(self, site: Site, iss: str) -> Endpoints:
        deadline = Deadline.after(WAIT_S)
        body, headers = self._json(iss.rstrip("/") + _TAIL, deadline)
        base = parse_address(iss, allow_http=site.test)
        authorize = _endpoint(body, "authorization_endpoint", site, base)
        token = _endpoint(body, "token_endpoint", site, base)
        named = body.get("issuer")
        issuer = named if isinstance(named, str) and named else iss
        jwks = _endpoint(body, "jwks_uri", site, base) if body.get("jwks_uri") else ""
        if not jwks:
            jwks = self._oidc_jwks(issuer, site, base, deadline)
        capabilities = body.get("capabilities")
        announced = set(map(str, capabilities)) if isinstance(capabilities, list) else set()
        return Endpoints(
            authorize=authorize,
            token=token,
            issuer=issuer,
            jwks=jwks,
            post="authorize-post" in announced,
            online="permission-offline" in announced or "permission-online" in announced or not announced,
            names_issuer=body.get("authorization_response_iss_parameter_supported") is True,
            clock_skew_s=_skew(headers),
        )

    def _oidc_jwks(self, issuer: str, site: Site, base: Address, deadline: Deadline) -> str:
        """The key address from the issuer's own OpenID configuration; empty where it has none we may use."""
        try:
            address = parse_address(issuer, allow_http=site.test)
            check_host(address, site, base)
            body, _ = self._json(issuer.rstrip("/") + "/.well-known/openid-configuration", deadline)
            return _endpoint(body, "jwks_uri", site, base) if body.get("issuer") == issuer else ""
        except (AddressFault, LaunchFault):
            return ""

    def _json(self, url: str, deadline: Deadline) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        try:
            answer = self._transport.get(
                url, headers={"Accept": "application/json"}, deadline=deadline, max_bytes=MAX_BYTES
            )
        except TransportFault as fault:
            raise LaunchFault("discovery-down", str(fault.code)) from fault
        if answer.status != 200:
            raise LaunchFault("discovery-down", f"status-{answer.status}")
        try:
            body = json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            raise LaunchFault("discovery-bad", "not-json") from error
        if not isinstance(body, dict):
            raise LaunchFault("discovery-bad", "not-json")
        return body, answer.headers


def check_host(address: Address, site: Site, base: Address) -> None:
    """Refuses an address that is neither on the FHIR server's origin nor on a listed host (T-14)."""
    if same_origin(address, base):
        return
    for listed in site.auth_hosts:
        host, _, port = listed.rpartition(":") if listed.rpartition(":")[2].isdigit() else (listed, "", "443")
        if address.host == host.lower().rstrip(".") and address.port == int(port):
            return
    raise LaunchFault("endpoint-host", "host")


def _endpoint(body: Mapping[str, Any], name: str, site: Site, base: Address) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise LaunchFault("discovery-bad", name)
    if _RELATIVE.fullmatch(value):
        value = base.text.rstrip("/") + "/" + value.lstrip("/")
    try:
        address = parse_address(value, allow_http=site.test, allow_query=name == "authorization_endpoint")
    except AddressFault as fault:
        raise LaunchFault("endpoint-host", fault.code) from fault
    check_host(address, site, base)
    return address.text


def _skew(headers: Mapping[str, str]) -> int | None:
    """Seconds by which the EHR's clock is ahead of ours, from its Date header."""
    from email.utils import parsedate_to_datetime

    try:
        return round(parsedate_to_datetime(headers.get("date", "")).timestamp() - time.time())
    except (TypeError, ValueError, IndexError):
        return None
