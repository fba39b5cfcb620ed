"""The parts of the registration sheet about the SMART app and what is asked of the FHIR server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import unquote

from cds_hooks.needs import queries
from ehr.references import MOST_REFERENCES
from ehr.site import ClientKind, Config, Site, SmartClient
from smart_app.it.sheet_types import Row, Section
from smart_app.launch.browser import ancestors_of
from smart_app.launch.queries import MOST_REFERENCES as MOST_APP_REFERENCES
from smart_app.launch.scopes import wanted_scopes

_PROVES = {
    ClientKind.PUBLIC: "public client with PKCE, no secret",
    ClientKind.SYMMETRIC: "confidential client, client_secret_basic",
    ClientKind.ASYMMETRIC: "confidential client, private_key_jwt",
}
_PATIENT = "{{context.patientId}}"


def app_sections(config: Config, site: Site) -> tuple[Section, ...]:
    """How the app is registered, and its scopes in both syntaxes."""
    client = site.smart or SmartClient("", "", ClientKind.PUBLIC)
    base = config.public_url.rstrip("/")
    registered = site.smart is not None
    rows = (
        Row("launch URL", (f"{base}/launch", f"{base}/launch.html")),
        Row("redirect URI", (f"{base}/callback",)),
        Row(
            "iss expected at launch",
            (client.iss if registered else "[site.smart] is not in the registration file",),
        ),
        Row("client id", (client.client_id or "given by the EHR at registration",)),
        Row("proves itself as", (_PROVES[client.auth] if registered else "public, symmetric or asymmetric",)),
        *((Row("signs with", (client.alg,)),) if registered and client.auth is ClientKind.ASYMMETRIC else ()),
        Row("FHIR version", ("R4",)),
        Row(
            "opens in",
            ("a frame of the chart or a tab of its own; needs cookies SameSite=None; Partitioned",),
        ),
    )
    frame = ancestors_of(config, site)
    framing = Row("frame-ancestors sent", (" ".join(frame) or "'none': no page may show it in a frame",))
    return (
        Section("app", "SMART app", (*rows, framing)),
        Section(
            "scopes", "Scopes", tuple(_scopes(client, registered)), "No wildcard and no write is asked for."
        ),
    )


def _scopes(client: SmartClient, registered: bool) -> Iterator[Row]:
    for syntax in ("v2", "v1"):
        used = " (in use)" if registered and client.scopes == syntax else ""
        asked = replace(client, scopes=syntax)
        yield Row(
            f"{syntax}, EHR launch{used}", (" ".join(wanted_scopes(asked, ehr_launch=True, refresh=True)),)
        )
        yield Row(
            f"{syntax}, standalone{used}", (" ".join(wanted_scopes(asked, ehr_launch=False, refresh=True)),)
        )


def searches_section(site: Site) -> Section:
    """Every request this service makes of a FHIR server, none left out."""
    base = (site.fhir_base or (site.smart.iss if site.smart else "")).rstrip("/")
    listed = []
    for query in queries(_PATIENT):
        words = "&".join(f"{name}={value}" for name, value in query.search)
        listed.append(f"GET {unquote(query.path)}" + (f"?{words}" if words else ""))
    rows = (
        Row("FHIR base", (base or "none registered",)),
        Row("searches and reads", tuple(listed)),
        Row(
            "reads by reference",
            (
                f"GET Medication/[id], Specimen/[id]: only what the chart points to; at most {MOST_REFERENCES} "
                f"for a hook call, {MOST_APP_REFERENCES} in the app",
            ),
        ),
        Row("pages", ("next links are followed below the FHIR base alone",)),
        Row("long searches", ("as POST [type]/_search",)),
        Row("never", ("create, update, delete, $operations, another patient",)),
    )
    return Section("searches", "FHIR requests, all of them", rows)
