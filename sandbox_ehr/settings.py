"""Where the box stands and whom it knows: its own address, the hook service, the app."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from urllib.parse import urlsplit

from sandbox_ehr.smart.models import Registration

CLIENT_IDS = {"public": "postcart-public", "symmetric": "postcart-secret", "asymmetric": "postcart-keys"}


class SettingsFault(ValueError):
    """A setting the box cannot work with; the text says which."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One box. `root` is its own address, `app_base` that of the service and app under test, both without a
    trailing slash; `today` is the day the stories are told on; `client_secret` is for the symmetric client."""

    root: str
    app_base: str
    today: date
    cds_base: str = ""
    app_launch_url: str = ""
    redirect_uris: tuple[str, ...] = ()
    app_jwks_url: str = ""
    client_secret: str = ""
    extra_clients: tuple[Registration, ...] = ()

    @property
    def fhir_base(self) -> str:
        """The FHIR base address, which is also the SMART issuer."""
        return f"{self.root}/fhir"

    @property
    def app_origin(self) -> str:
        """The origin of the app, which may stand in the chart's frame."""
        parts = urlsplit(self.app_launch_url)
        return f"{parts.scheme}://{parts.netloc}"

    def registrations(self) -> tuple[Registration, ...]:
        """The app in each of the three client kinds, and whoever else was named."""
        made = tuple(
            Registration(
                client_id=name,
                kind=kind,
                name=f"postcart ({kind} client)",
                redirect_uris=self.redirect_uris,
                launch_url=self.app_launch_url,
                secret=self.client_secret if kind == "symmetric" else "",
                jwks_url=self.app_jwks_url if kind == "asymmetric" else "",
            )
            for kind, name in CLIENT_IDS.items()
        )
        return made + self.extra_clients

    def registration(self, kind: str = "asymmetric", secret_file: str = "") -> str:
        """The site table of the product's configuration for this box, as TOML."""
        return registration_toml(self.root, kind, secret_file)


def registration_toml(root: str, kind: str = "asymmetric", secret_file: str = "") -> str:
    """The `[[site]]` table that tells the service to trust a box at an address, for one client kind."""
    host = urlsplit(root).netloc
    rows = [
        "[[site]]",
        'name = "sandbox"',
        'environment = "test"',
        f'iss = ["{root}"]',
        f'jku = ["{root}/.well-known/jwks.json"]',
        f'fhir_base = "{root}/fhir"',
        f'auth_hosts = ["{host}"]',
        'region = "US"',
        f'frame_ancestors = ["{root}"]',
        "",
        "[site.smart]",
        f'iss = "{root}/fhir"',
        f'client_id = "{CLIENT_IDS[kind]}"',
        f'auth = "{kind}"',
    ]
    if kind == "symmetric":
        rows.append(f'secret_file = "{secret_file}"')
    if kind == "asymmetric":
        rows.append('alg = "ES384"')
    rows.append('scopes = "v2"')
    return "\n".join(rows) + "\n"


def make_settings(
    root: str,
    app_base: str,
    *,
    cds_base: str = "",
    app_launch_url: str = "",
    redirect_uris: tuple[str, ...] = (),
    app_jwks_url: str = "",
    client_secret: str = "",
    today: date | None = None,
    extra_clients: tuple[Registration, ...] = (),
) -> Settings:
    """Settings with the usual paths of the service under `app_base` where nothing else is said."""
    for name, address in (("root", root), ("app_base", app_base)):
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise SettingsFault(f"{name} is no web address: {address}")
    base = app_base.rstrip("/")
    return Settings(
        root=root.rstrip("/"),
        app_base=base,
        today=today or datetime.now(UTC).date(),
        cds_base=(cds_base or base).rstrip("/"),
        app_launch_url=app_launch_url or f"{base}/launch",
        redirect_uris=redirect_uris or (f"{base}/callback",),
        app_jwks_url=app_jwks_url or f"{base}/.well-known/jwks.json",
        client_secret=client_secret,
        extra_clients=extra_clients,
    )
