"""What must hold between registered sites: no caller, server or key belongs to two of them (H-58, T-02).

Only sites of one issuer that serves many tenants may share its key address, and then their tenants tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from itertools import combinations

from ehr.address import AddressFault, parse_address
from ehr.config_reading import Fault
from ehr.public_keys import read_public_key
from ehr.site import Config, Site

_FIX = "One EHR is one site; correct the address, or take one of the two out"


def overlaps(config: Config, file: str) -> list[Fault]:
    """Every pair of sites that a call or an address could be taken for both of, with both names."""
    faults = []
    for one, other in combinations(config.sites, 2):
        for field, problem, fix in _between(one, other):
            text = f"{problem} stands at site {one.name!r} too"
            faults.append(Fault(file, other.name, field, text, fix))
    return faults


def warnings_of(config: Config, today: date) -> tuple[str, ...]:
    """What is allowed but wants a look: silent mode past its day (it stays silent, H-59), differing FHIR addresses."""
    return tuple(text for site in config.sites for text in _warn(site, today))


def _between(one: Site, other: Site) -> Iterator[tuple[str, str, str]]:
    if one.name.lower() == other.name.lower():
        yield "name", f"the name {other.name!r}", "Give each site a name of its own"
    shared_issuers = sorted(set(one.iss) & set(other.iss))
    tenants_apart = bool(one.tenants and other.tenants) and not set(one.tenants) & set(other.tenants)
    if shared_issuers and not tenants_apart:
        fix = "Sites of one issuer need tenants, and none in common; or take one of the two out"
        yield "iss", f"the issuer {shared_issuers[0]!r} with the same or any tenant", fix
    if not shared_issuers:
        for field, parts in (("jku", _key_addresses), ("keys", _thumbprints)):
            for value in sorted(parts(one) & parts(other)):
                yield field, f"the key source {value!r}" if field == "jku" else "the same key", _FIX
    for field, base in _BASES.items():
        if base(one) and base(one) == base(other):
            yield field, "the same FHIR address", _FIX


def _warn(site: Site, today: date) -> Iterator[str]:
    if site.silent and site.silent_until is not None and today > site.silent_until:
        day = site.silent_until.isoformat()
        yield f"site {site.name!r}: silent mode should have ended on {day} and is still on; no card goes out"
    base, smart = _fhir_base(site), _smart_base(site)
    if base and smart and base != smart:
        yield f"site {site.name!r}: fhir_base and smart.iss are different addresses; one EHR mostly has one"
    if site.test and site.region == "":
        yield f"site {site.name!r}: no region; labels of all regions are shown"


def _key_addresses(site: Site) -> set[str]:
    return {_normal(value) for value in site.jku}


def _thumbprints(site: Site) -> set[str]:
    return {read_public_key(jwk).thumbprint for jwk in site.keys}


def _fhir_base(site: Site) -> str:
    return _normal(site.fhir_base)


def _smart_base(site: Site) -> str:
    return _normal(site.smart.iss) if site.smart else ""


def _normal(text: str) -> str:
    """One spelling of an address (host case, default port, trailing slash), or '' for none."""
    try:
        address = parse_address(text, allow_http=True, allow_query=True)
    except AddressFault:
        return ""
    return address.origin + "/" + "/".join(address.path) + (f"?{address.query}" if address.query else "")


_BASES: dict[str, Callable[[Site], str]] = {"fhir_base": _fhir_base, "smart.iss": _smart_base}
