"""The registration file's fields and what each may hold: from TOML tables to `Config`, `Site` and `SmartClient`.

Source: the configuration contract. What holds between sites is checked in `ehr.config_overlap`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from ehr.address import AddressFault, parse_address
from ehr.config_reading import Fault, Table, each
from ehr.own_keys import KeyFault, load
from ehr.public_keys import KeyRefused, read_public_key
from ehr.site import ClientKind, Config, Site, SmartClient

HOOKS = ("patient-view", "order-select", "order-sign", "encounter-start")
REGIONS = ("US", "EU")
PREFETCH_KEYS = (
    "patient",
    "conditions",
    "procedures",
    "observations",
    "medicationAdministrations",
    "medicationRequests",
    "reports",
    "serviceRequests",
)
_PREFETCH_FAULTS = ("fail", "omit", "show")
_ALGORITHMS = ("ES384", "RS384")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,62}[A-Za-z0-9])?")
_DEFAULTS = Config(public_url="", sites=())
_SITE = Site(name="")


def read_tables(values: Mapping[str, Any], file: Path, digest: str) -> tuple[Config, list[Fault]]:
    """The whole file as a `Config` and all faults of single fields; the `Config` counts only without faults."""
    faults: list[Fault] = []
    top = Table(file, "", "", values, faults)
    raw_sites = top.tables("site")
    sites = tuple(_read_site(raw, number, file, faults) for number, raw in enumerate(raw_sites, 1))
    if not raw_sites:
        top.blame("site", "no site is registered", "Add a [[site]] section for each EHR")
    tests_only = bool(sites) and all(site.test for site in sites)
    config = Config(
        public_url=_public_url(top, tests_only),
        sites=sites,
        database_url=top.text("database_url"),
        key_dir=_key_dir(top),
        deadline_s=float(top.number("deadline_s", _DEFAULTS.deadline_s, 0.1, 10, whole=False)),
        cors_origins=_origins(top, "cors_origins", tests_only),
        admin_addresses=each(
            top,
            "admin_addresses",
            top.texts("admin_addresses", _DEFAULTS.admin_addresses),
            _ip,
            "Give plain IP addresses",
        ),
        offered_hooks=top.choices("offered_hooks", HOOKS, _DEFAULTS.offered_hooks),
        discovery_version=top.flag("discovery_version", _DEFAULTS.discovery_version),
        discovery_authenticated=top.flag("discovery_authenticated", _DEFAULTS.discovery_authenticated),
        max_body_mb=int(top.number("max_body_mb", _DEFAULTS.max_body_mb, 1, 256)),
        leeway_s=int(top.number("leeway_s", _DEFAULTS.leeway_s, 0, 120)),
        digest=digest,
    )
    top.finish()
    return config, faults


def _public_url(top: Table, tests_only: bool) -> str:
    value = top.text("public_url", needed='Give the address the EHR calls, as in public_url = "https://…"')
    address = top.checked("public_url", value, allow_http=tests_only) if value else None
    return "" if address is None else address.text.rstrip("/")


def _key_dir(top: Table) -> Path | None:
    folder = top.path("key_dir")
    if folder is not None:
        try:
            load(folder)
        except KeyFault as fault:
            top.blame("key_dir", str(fault), "Make its files readable for the service alone: chmod 600")
    return folder


def _read_site(raw: Mapping[str, Any], number: int, file: Path, faults: list[Fault]) -> Site:
    named = raw.get("name")
    table = Table(file, named if isinstance(named, str) and named else f"number {number}", "", raw, faults)
    environment = table.choice("environment", ("production", "test"), "production")
    test = environment == "test"
    fhir_base = table.text("fhir_base")
    site = Site(
        name=_name(table),
        environment=environment,
        iss=table.texts("iss"),
        jku=table.addresses("jku", allow_http=test, allow_query=True),
        keys=_keys(table),
        aud=table.texts("aud"),
        tenants=table.texts("tenants"),
        fhir_base=fhir_base if fhir_base and table.checked("fhir_base", fhir_base, allow_http=test) else "",
        auth_hosts=each(
            table,
            "auth_hosts",
            table.texts("auth_hosts"),
            _host,
            "Give a host, or host:port if it is not 443",
        ),
        region=_region(table, test),
        frame_ancestors=_origins(table, "frame_ancestors", test),
        hooks=table.choices("hooks", HOOKS),
        silent=table.flag("silent", _SITE.silent),
        silent_until=table.day("silent_until"),
        overlay=_overlay(table),
        smart=_smart(table, test),
        prefetch_faults=_prefetch_faults(table),
        rate_per_minute=int(table.number("rate_per_minute", _SITE.rate_per_minute, 1, 100_000)),
        replay_on_outage=table.choice("replay_on_outage", ("memory", "refuse"), _SITE.replay_on_outage),
        suggestion_intent=table.choice("suggestion_intent", ("order", "proposal"), _SITE.suggestion_intent),
        suppress_overridden=table.flag("suppress_overridden", _SITE.suppress_overridden),
        idle_minutes=int(table.number("idle_minutes", _SITE.idle_minutes, 1, 60)),
    )
    table.finish()
    _check_site(table, site)
    return site


def _check_site(table: Table, site: Site) -> None:
    """What fields of one site ask of each other."""
    if site.silent and site.silent_until is None and not table.given("silent_until"):
        table.blame(
            "silent_until", "is missing", "Silent mode needs its last day, as in silent_until = 2027-03-31"
        )
    if table.given("silent_until") and not site.silent:
        table.blame("silent_until", "stands without silent = true", "Set silent = true or take the date out")
    trusted = table.given("jku") or table.given("keys")
    if site.iss and not trusted:
        table.blame("jku", "is missing", "Give the address of the EHR's key set in jku, or paste its keys")
    if trusted and not site.iss:
        table.blame("iss", "is missing", "List the iss values of the EHR's tokens exactly as it sends them")
    if not site.iss and not trusted and not table.given("smart"):
        table.blame(
            "iss", "is missing", "A site needs iss with jku or keys (hooks), or [site.smart] (app), or both"
        )


def _name(table: Table) -> str:
    name = table.text("name", needed='Give the site a short name, as in name = "north"')
    if name and not _NAME.fullmatch(name):
        table.blame("name", "has odd characters", "Use letters, digits, blank, dot, - and _, at most 64")
    return name


def _region(table: Table, test: bool) -> str:
    """Labels differ by region, so none is taken for granted (H-36)."""
    if not table.given("region") and not test:
        table.blame("region", "is missing", f"Say whose drug labels hold at the site: {' or '.join(REGIONS)}")
    return table.choice("region", REGIONS, "")


def _overlay(table: Table) -> Path | None:
    path = table.path("overlay")
    if path is not None and not path.exists():
        table.blame(
            "overlay", "does not exist", "Correct the path; a relative one counts from this file's folder"
        )
    return path


def _keys(table: Table) -> tuple[Mapping[str, Any], ...]:
    kept = []
    kids = set()
    for jwk in table.tables("keys"):
        kid = jwk.get("kid")
        label = f"the key {kid!r}" if isinstance(kid, str) else "a key"
        try:
            read_public_key(jwk)
        except KeyRefused as fault:
            fix = "Paste a public RSA key of 2048 bits or more, or an EC key on P-384, with its kid"
            table.blame("keys", f"{label} is refused: {fault}", fix)
            continue
        if kid in kids:
            table.blame("keys", f"{label} stands twice", "Give each key a kid of its own")
        kids.add(kid)
        kept.append(jwk)
    return tuple(kept)


def _prefetch_faults(table: Table) -> Mapping[str, str]:
    inner = table.table("prefetch_faults")
    if inner is None:
        return {}
    read = {key: inner.choice(key, _PREFETCH_FAULTS, "") for key in PREFETCH_KEYS}
    inner.finish()
    return {key: word for key, word in read.items() if word}


def _smart(table: Table, test: bool) -> SmartClient | None:
    inner = table.table("smart")
    if inner is None:
        return None
    iss = inner.text("iss", needed="Give the FHIR address exactly as the EHR sends it at launch")
    if iss:
        inner.checked("iss", iss, allow_http=test)
    auth = inner.choice("auth", tuple(ClientKind), ClientKind.PUBLIC)
    client = SmartClient(
        iss=iss,
        client_id=inner.text("client_id", needed="Give the client id of the app's registration at the EHR"),
        auth=ClientKind(auth),
        secret_file=inner.secret("secret_file"),
        alg=inner.choice("alg", _ALGORITHMS, "ES384"),
        scopes=inner.choice("scopes", ("v1", "v2"), "v2"),
        scope_prefix=inner.choice("scope_prefix", ("patient", "user"), "patient"),
        name=inner.text("name"),
    )
    if client.auth is ClientKind.SYMMETRIC and not inner.given("secret_file"):
        inner.blame(
            "secret_file", "is missing", "Give the path of a file (mode 0600) that holds the client secret"
        )
    if client.auth is not ClientKind.SYMMETRIC and inner.given("secret_file"):
        inner.blame(
            "secret_file", f'does not go with auth = "{auth}"', 'Use auth = "symmetric" or take it out'
        )
    inner.finish()
    return client


def _origins(table: Table, name: str, allow_http: bool) -> tuple[str, ...]:
    def origin(value: str) -> str | None:
        try:
            address = parse_address(value, allow_http=allow_http)
        except AddressFault:
            return None
        return None if address.path else address.origin

    fix = "Give scheme and host (and port) alone, as in https://ehr.example.org; no path, no *"
    return each(table, name, table.texts(name), origin, fix)


def _ip(value: str) -> str | None:
    try:
        return str(ip_address(value))
    except ValueError:
        return None


def _host(value: str) -> str | None:
    """`host` or `host:port`, without the port where it is 443; a whole origin is taken as well."""
    try:
        address = parse_address(value if "://" in value else f"https://{value}", allow_http=True)
    except AddressFault:
        return None
    if address.path:
        return None
    host = f"[{address.host}]" if ":" in address.host else address.host
    return host if address.port == 443 else f"{host}:{address.port}"
