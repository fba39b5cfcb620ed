"""The registered sites a process starts with; light, so that the parent process loads little."""

from __future__ import annotations

from pathlib import Path

from ehr.registrations import ConfigError, read_config
from ehr.site import Config
from smart_app.settings import Settings, SettingsError


def read_sites(settings: Settings) -> Config:
    """The registrations a process starts with; raises `SettingsError` naming every fault of the file."""
    if not settings.config:
        return Config(public_url=settings.url, sites=(), discovery_authenticated=False)
    try:
        config = read_config(Path(settings.config))
    except ConfigError as fault:
        raise SettingsError("config", str(fault), "Nothing is served until the file is right.") from fault
    if settings.as_of and not settings.opened:
        live = [site.name for site in config.sites if not site.test]
        if live:
            raise SettingsError(
                "as-of-live",
                f"A fixed moment of judgement is refused with a production site ({', '.join(live)}).",
                "Use --as-of with --open or with sites of environment test only.",
            )
    return config
