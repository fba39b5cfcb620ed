"""What an authorization server says of itself, held against a site's registration (SMART App Launch 2.2). Pure.

T-14: endpoints on listed hosts. H-58: another issuer, another system.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ehr.address import Address, AddressFault, parse_address
from ehr.site import ClientKind, Site, SmartClient
from smart_app.it.finding import Finding, fault, good, note, warning
from smart_app.it.words import one_line
from smart_app.launch.discovery import check_host
from smart_app.launch.fault import LaunchFault

AREA = "sign-in"
_CLIENT = {
    ClientKind.PUBLIC: ("client-public", ""),
    ClientKind.SYMMETRIC: ("client-confidential-symmetric", "client_secret_basic"),
    ClientKind.ASYMMETRIC: ("client-confidential-asymmetric", "private_key_jwt"),
}


def configured(said: Mapping[str, Any], site: Site, smart: SmartClient) -> Iterator[Finding]:
    """All findings of one smart-configuration."""
    base = parse_address(smart.iss, allow_http=site.test)
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        yield from _endpoint(said.get(name), name, site, base)
    yield from _issuer(said.get("issuer"), site, smart)
    yield from _challenge(said, site)
    yield from _capabilities(said, site, smart)
    yield from _token_endpoint(said, site, smart)


def _endpoint(value: object, name: str, site: Site, base: Address) -> Iterator[Finding]:
    if not isinstance(value, str) or not value:
        if name == "jwks_uri":
            yield note(AREA, "no jwks_uri: it is looked for in the issuer's openid-configuration", site.name)
        else:
            yield fault(
                AREA, f"no {name}", "Ask the EHR's team to complete its smart-configuration", site.name
            )
        return
    if "://" not in value:
        value = f"{base.text.rstrip('/')}/{value.lstrip('/')}"
    try:
        address = parse_address(value, allow_http=site.test, allow_query=name == "authorization_endpoint")
        check_host(address, site, base)
    except AddressFault as refused:
        mend = "The EHR's team has to give a plain https address"
        yield fault(AREA, f"{name} is not acceptable: {refused}", mend, site.name)
    except LaunchFault:
        host = address.host if address.port == 443 else f"{address.host}:{address.port}"
        mend = f'If this is the EHR\'s sign-in host, add it: auth_hosts = ["{host}"]'
        yield fault(AREA, f"{name} is on {host}, which is not listed: launches stop", mend, site.name)
    else:
        yield good(AREA, f"{name} is on {address.origin}, listed", site.name)


def _issuer(value: object, site: Site, smart: SmartClient) -> Iterator[Finding]:
    """Another issuer than any registered address is allowed, and is how a test system in a live site shows (H-58)."""
    if not isinstance(value, str) or not value or value in (smart.iss, *site.iss):
        return
    yield note(AREA, f"its issuer is {one_line(value, 200)}: is that the system you mean?", site.name)


def _challenge(said: Mapping[str, Any], site: Site) -> Iterator[Finding]:
    methods = _texts(said.get("code_challenge_methods_supported"))
    if not methods:
        mend = "SMART 2 asks for S256, and this app always sends it: ask whether the server takes it"
        yield warning(AREA, "PKCE is not announced", mend, site.name)
    elif "S256" not in methods:
        yield fault(AREA, "PKCE with S256 is not offered", "The EHR's team has to enable S256", site.name)
    else:
        yield good(AREA, "PKCE with S256", site.name)


def _capabilities(said: Mapping[str, Any], site: Site, smart: SmartClient) -> Iterator[Finding]:
    told = _texts(said.get("capabilities"))
    if not told:
        yield warning(
            AREA, "no capabilities are announced", "Try a launch, and look at /diagnostics", site.name
        )
        return
    other = "v1" if smart.scopes == "v2" else "v2"
    if f"permission-{smart.scopes}" not in told:
        words = f"scopes of {smart.scopes} are not announced"
        if f"permission-{other}" in told:
            mend = f'Set scopes = "{other}", and register the scopes in that syntax'
            yield fault(AREA, f"{words}, those of {other} are: they may be dropped silently", mend, site.name)
        else:
            yield warning(AREA, words, "Try a launch: /diagnostics shows what was granted", site.name)
    if not told & {"launch-ehr", "launch-standalone"}:
        yield fault(
            AREA, "no kind of launch is announced", "The EHR's team has to enable launch-ehr", site.name
        )
    elif "launch-ehr" not in told:
        yield warning(
            AREA, "launch from a chart (launch-ehr) is not announced", "Standalone launch only", site.name
        )
    wanted = {
        _CLIENT[smart.auth][0]: f'Set auth to what the EHR registered (now "{smart.auth.value}")',
        "sso-openid-connect": "Without it the user is not known to the app; ask the EHR's team",
        f"permission-{smart.scope_prefix}": f'Set scope_prefix (now "{smart.scope_prefix}") to what the EHR grants',
    }
    for name, mend in wanted.items():
        if name not in told:
            yield warning(AREA, f"{name} is not announced", mend, site.name)
    if told.isdisjoint({"context-ehr-patient", "context-standalone-patient"}):
        yield warning(
            AREA, "no patient context is announced", "The app needs the patient of the launch", site.name
        )


def _token_endpoint(said: Mapping[str, Any], site: Site, smart: SmartClient) -> Iterator[Finding]:
    method = _CLIENT[smart.auth][1]
    methods = _texts(said.get("token_endpoint_auth_methods_supported"))
    if method and methods and method not in methods:
        mend = "Register another kind of client, or have the EHR's team enable it"
        yield fault(AREA, f"the token endpoint does not take {method}", mend, site.name)
    algorithms = _texts(said.get("token_endpoint_auth_signing_alg_values_supported"))
    if smart.auth is ClientKind.ASYMMETRIC and algorithms and smart.alg not in algorithms:
        mend = f"Set alg to one of: {one_line(', '.join(sorted(algorithms)), 80)}"
        yield fault(AREA, f"assertions signed with {smart.alg} are not taken", mend, site.name)


def _texts(value: object) -> frozenset[str]:
    return frozenset(one for one in value if isinstance(one, str)) if isinstance(value, list) else frozenset()
