"""What one running service is told: where it listens, which sites it serves, which moment it judges at."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path


class SettingsError(ValueError):
    """Settings that cannot be used: a stable code, one sentence for the person and one for the fix."""

    def __init__(self, code: str, message: str, fix: str) -> None:
        super().__init__(f"{message} {fix}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one process group. `regions`: whose labels are shown, both without a site (rules 11.22).

    `config` is the registration file; `state_dir` is where database and keys go when the file does not say.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    opened: bool = False
    as_of: str = ""
    regions: tuple[str, ...] = ("US", "EU")
    config: str = ""
    database_url: str = ""
    state_dir: str = ""

    @property
    def url(self) -> str:
        """The address a client on this machine uses."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def moment(self) -> datetime | None:
        """The fixed moment of judgement, or None for the time of each call."""
        return parse_moment(self.as_of) if self.as_of else None

    @property
    def state(self) -> Path:
        """The folder of database and keys: as told, else beside the registration file."""
        if self.state_dir:
            return Path(self.state_dir)
        return Path(self.config).resolve().parent / "postcart-state"

    def dumped(self) -> str:
        """The settings as JSON, to hand to a worker process."""
        return json.dumps(asdict(self))


def settings_from(text: str) -> Settings:
    """Reads settings that `dumped` wrote."""
    fields = json.loads(text)
    fields["regions"] = tuple(fields["regions"])
    return Settings(**fields)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's loopback."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def parse_moment(text: str) -> datetime:
    """Reads `2026-02-01T12:00:00Z`, a date-time without zone (taken as UTC) or a date (its last second)."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise SettingsError(
            "as-of", "The moment of judgement is not a date-time.", "Write it as 2026-02-01T12:00:00Z."
        ) from error
    if len(text.strip()) <= len("2026-02-01"):
        moment = moment.replace(hour=23, minute=59, second=59)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def check_settings(settings: Settings) -> None:
    """Refuses settings under which calls could be answered unsafely (hazard H-07)."""
    if not settings.opened and not settings.config:
        raise SettingsError(
            "no-sites",
            "No registration file is named, so no caller could be trusted.",
            "Give --config FILE (or POSTCART_CONFIG), or try it on loopback with --open.",
        )
    if settings.opened and not is_loopback(settings.host):
        raise SettingsError(
            "open-not-loopback",
            "--open answers without authentication and is refused on this address.",
            "Use --host 127.0.0.1.",
        )
    if settings.config and not Path(settings.config).is_file():
        raise SettingsError(
            "config-missing",
            f"The registration file {settings.config} is not there.",
            "Check the path given with --config.",
        )
    if settings.as_of:
        parse_moment(settings.as_of)
