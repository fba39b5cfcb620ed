"""What is registered of one EHR site and of this service: the types every check of trust starts from.

Source: the configuration contract (TOML). Values here have been read and checked by `ehr.registrations`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any


class ClientKind(StrEnum):
    """How the SMART client proves itself at a token endpoint (SMART App Launch 2.2, client authentication)."""

    PUBLIC = "public"
    SYMMETRIC = "symmetric"
    ASYMMETRIC = "asymmetric"


@dataclass(frozen=True, slots=True)
class SmartClient:
    """The SMART client registered at one site. `iss` is the FHIR base exactly as the EHR sends it."""

    iss: str
    client_id: str
    auth: ClientKind
    secret_file: Path | None = None
    alg: str = "ES384"
    scopes: str = "v2"
    scope_prefix: str = "patient"
    name: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """One registered EHR site. Lists are exact values, compared as parsed addresses, never by prefix.

    `keys` are public JWKs pasted by IT; `test` sites may use http on loopback. `prefetch_faults` says for a
    prefetch key what an OperationOutcome or a failed read does: `fail` (412), `omit`, or `show` (named on the card).
    """

    name: str
    environment: str = "production"
    iss: tuple[str, ...] = ()
    jku: tuple[str, ...] = ()
    keys: tuple[Mapping[str, Any], ...] = ()
    aud: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    fhir_base: str = ""
    auth_hosts: tuple[str, ...] = ()
    region: str = ""
    frame_ancestors: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    silent: bool = False
    silent_until: date | None = None
    overlay: Path | None = None
    smart: SmartClient | None = None
    prefetch_faults: Mapping[str, str] = field(default_factory=dict)
    rate_per_minute: int = 600
    replay_on_outage: str = "memory"
    suggestion_intent: str = "order"
    suppress_overridden: bool = True
    idle_minutes: int = 15

    @property
    def test(self) -> bool:
        """Whether http and loopback addresses are allowed and the extension stands on every response."""
        return self.environment == "test"


@dataclass(frozen=True, slots=True)
class Config:
    """One configuration file as read: this service and its sites. `digest` names the file's content."""

    public_url: str
    sites: tuple[Site, ...]
    database_url: str = ""
    key_dir: Path | None = None
    deadline_s: float = 2.0
    cors_origins: tuple[str, ...] = ()
    admin_addresses: tuple[str, ...] = ("127.0.0.1", "::1")
    offered_hooks: tuple[str, ...] = ("patient-view", "order-select", "order-sign")
    discovery_version: bool = False
    discovery_authenticated: bool = True
    max_body_mb: int = 64
    leeway_s: int = 60
    digest: str = ""

    def site(self, name: str) -> Site | None:
        """The site of a name, or None."""
        return next((site for site in self.sites if site.name == name), None)
