"""The registration sheet: all that an EHR's IT asks for, taken from the running program's own lists, none typed twice.

Sources: smart_fhir 2 (what hospital IT needs), CDS Hooks 2.0.1 discovery, contract; vendor facts keep their marks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cds_hooks.listing import SERVICE_HOOKS, discovery
from cds_hooks.needs import NEEDS
from cds_hooks.trust import ALGORITHMS, LONGEST_LIFE_SECONDS
from ehr.address import parse_address
from ehr.own_keys import OwnKeys, load
from ehr.site import Config, Site
from mappings.loading import Knowledge
from smart_app.it.kept import kept
from smart_app.it.sheet_app import app_sections, searches_section
from smart_app.it.sheet_types import Row, Section, Sheet
from smart_app.it.vendors import told, vendors
from smart_app.log import FIELDS


def make_sheet(
    config: Config, site: Site, kind: str, *, key_folder: Path, knowledge: Knowledge, now: datetime
) -> Sheet:
    """The sheet of a site; `kind` is one of `vendors.KINDS`. Raises `KeyFault` for an unusable key folder."""
    keys = load(key_folder)
    sections = (
        _service(config, site, knowledge),
        _hooks(config, site),
        _prefetch(),
        _callers(config, site),
        _own_keys(config, keys, now),
        *app_sections(config, site),
        searches_section(site),
        _links(config),
        Section("egress", "Where this service connects to", tuple(_egress(config, site))),
        _time(config, site),
        _kept(config, site),
        _log(),
        _vendor(kind),
    )
    return Sheet(site.name, vendors()[kind].name, now.astimezone(UTC), sections)


def accepted_audiences(config: Config, site: Site, service: str) -> tuple[str, ...]:
    """The aud values of a token that are taken for calls of one service by one site, to the letter."""
    here = f"{_base(config)}/cds-services/{service}"
    return (here, f"{here}/feedback", *site.aud)


def _base(config: Config) -> str:
    return config.public_url.rstrip("/")


def _service(config: Config, site: Site, knowledge: Knowledge) -> Section:
    silent = f"on, to be ended by {site.silent_until}" if site.silent else "off"
    rows = (
        Row("site", (site.name,)),
        Row("environment", (site.environment,)),
        Row(
            "product",
            (f"postcart {version('postcart')}, knowledge {knowledge.version} ({knowledge.digest})",),
        ),
        Row("public address", (_base(config),)),
        Row("drug labels of region", (site.region or "all (test site)",)),
        Row("silent mode", (silent,)),
    )
    note = "For physicians who treat relapse after CAR T. Options, not orders. Not for emergencies, not for patients."
    return Section("service", "Service", rows, note)


def _offered(config: Config, site: Site) -> list[dict[str, Any]]:
    hooks = [hook for hook in config.offered_hooks if not site.hooks or hook in site.hooks]
    services: list[dict[str, Any]] = discovery(hooks)["services"]
    return services


def _hooks(config: Config, site: Site) -> Section:
    base = _base(config)
    needs = "with a token as for a call" if config.discovery_authenticated else "without a token"
    rows = [Row("discovery", (f"{base}/cds-services",)), Row("discovery is answered", (needs,))]
    for one in _offered(config, site):
        rows += [
            Row(f"{one['hook']}: title", (one["title"],)),
            Row(f"{one['hook']}: service URL", (f"{base}/cds-services/{one['id']}",)),
            Row(f"{one['hook']}: feedback URL", (f"{base}/cds-services/{one['id']}/feedback",)),
            Row(f"{one['hook']}: description", (one["description"],)),
        ]
    rows.append(Row("trigger condition", ("none is needed: the service is silent for every other patient",)))
    return Section("hooks", "CDS Hooks services (2.0.1)", tuple(rows))


def _prefetch() -> Section:
    rows = tuple(Row(need.key, (need.query,)) for need in NEEDS)
    note = "The same for every hook. What cannot be sent may be left out: it is read from the FHIR server, or named."
    return Section("prefetch", "Prefetch templates", rows, note)


def _callers(config: Config, site: Site) -> Section:
    services = {one["id"] for one in _offered(config, site)}
    aud = [
        value
        for name in SERVICE_HOOKS
        if name in services
        for value in accepted_audiences(config, site, name)
    ]
    rows = [
        Row("iss taken", site.iss or ("none: this site is not registered for hooks",)),
        Row("tenant taken", site.tenants or ("any",)),
        Row("jku taken", site.jku or ("none: pasted keys only",)),
        Row("aud taken", tuple(dict.fromkeys((*aud, f"{_base(config)}/cds-services", *site.aud)))),
        Row("algorithms taken", tuple(sorted(ALGORITHMS))),
        Row(
            "longest life of a token",
            (f"{LONGEST_LIFE_SECONDS // 60} minutes, clocks within {config.leeway_s} s",),
        ),
        Row("jti", ("needed; each token is good for one call",)),
        Row("FHIR server taken", (site.fhir_base or "none: nothing is read, prefetch only",)),
    ]
    if site.keys:
        rows.append(Row("pasted keys", tuple(str(jwk.get("kid", "")) for jwk in site.keys)))
    note = "Compared to the letter. An aud naming a service is taken for that service alone."
    return Section("callers", "The token of each call", tuple(rows), note)


def _own_keys(config: Config, keys: OwnKeys, now: datetime) -> Section:
    shown = tuple(f"{own.alg} {own.kid}" for own in keys.published(now))
    rows = (
        Row("JWKS URL", (f"{_base(config)}/.well-known/jwks.json",)),
        Row("keys (algorithm, thumbprint = kid)", shown or ("none yet: postcart keys new",)),
    )
    return Section("keys", "This service's own keys", rows)


def _links(config: Config) -> Section:
    rows = (
        Row("SMART launch link on cards", (f"{_base(config)}/launch",)),
        Row("source of cards", (f"{_base(config)}/",)),
    )
    return Section("links", "Links to allow", rows, "Cards are complete without them.")


def _egress(config: Config, site: Site) -> Iterator[Row]:
    wanted: dict[str, list[str]] = {}

    def reach(url: str, why: str) -> None:
        if url:
            address = parse_address(url, allow_http=True, allow_query=True)
            wanted.setdefault(f"{address.host}:{address.port}", []).append(why)

    reach(site.fhir_base, "FHIR")
    if site.smart is not None:
        reach(site.smart.iss, "sign-in discovery")
    for jku in site.jku:
        reach(jku, "key set")
    for host in site.auth_hosts:
        reach(f"https://{host}", "sign-in")
    for place, reasons in wanted.items():
        yield Row(place, (", ".join(dict.fromkeys(reasons)),))
    if not wanted:
        yield Row("none", ("nothing is read from this site",))
    if config.database_url.startswith("postgres"):
        yield Row("database", ("PostgreSQL as in database_url",))
    yield Row("anything else", ("no: no telemetry, no update check, no third-party address",))


def _time(config: Config, site: Site) -> Section:
    rows = (
        Row("answer with full prefetch", ("made for the 500 ms that CDS Hooks asks for",)),
        Row(
            "answer with reads from the EHR",
            (f"by {config.deadline_s:g} s (deadline_s), with the gaps named",),
        ),
        Row("give the EHR's own limit", (f"at least {config.deadline_s * 1.1:.1f} s",)),
        Row("calls a minute", (f"{site.rate_per_minute} before 429",)),
        Row("largest body", (f"{config.max_body_mb} MB before 413",)),
    )
    return Section(
        "time", "Time and size", rows, "An EHR that waits less may show no card and say nothing of it."
    )


def _kept(config: Config, site: Site) -> Section:
    rows = tuple(
        Row(f"{one.name} ({one.place})", (one.what, f"kept: {one.until}")) for one in kept(config, site)
    )
    note = "No chart is written to disk. Patient and user stand in the database as keyed hashes only."
    return Section("kept", "Data kept", rows, note)


def _log() -> Section:
    rows = (
        Row("fields", (", ".join(("time", "level", "event", *sorted(FIELDS))),)),
        Row("never", ("names, ids of patients or users, chart text, tokens, addresses with a query",)),
    )
    return Section(
        "log",
        "Log lines (JSON on standard error)",
        rows,
        "The list is closed: no other field can be written.",
    )


def _vendor(kind: str) -> Section:
    facts: Sequence[Any] = told(vendors()[kind])
    names = dict.fromkeys(fact.about for fact in facts)
    rows = tuple(Row(name, tuple(fact.words for fact in facts if fact.about == name)) for name in names)
    note = "Facts marked [not confirmed] were not seen in a text of the vendor: ask before you rely on them."
    return Section("ehr", f"What is known of {vendors()[kind].name}", rows, note)
