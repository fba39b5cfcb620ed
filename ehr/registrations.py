"""The registration file, read whole or not at all, and the set of sites in force while the service runs.

Sources: configuration contract; T-20, T-21 (files swapped, torn, huge), H-36, H-58, H-59.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from ehr.address import Address, AddressFault, parse_address
from ehr.config_overlap import overlaps, warnings_of
from ehr.config_reading import Fault
from ehr.config_schema import read_tables
from ehr.site import Config, Site

MAX_FILE_BYTES = 1 << 20
_READ_ATTEMPTS = 3
_LOOK_EVERY_SECONDS = 1.0

Stamp = tuple[int, int, int]


class ConfigError(ValueError):
    """A registration file that cannot be used: `faults` has one entry per fault, the text one line each."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


def read_config(path: Path) -> Config:
    """The registrations of a TOML file; raises `ConfigError` with all faults at once."""
    return _read(path)[0]


class Registry:
    """The sites in force. Thread-safe: a reader sees one whole set, the old or the new; a broken file changes nothing.

    `last_fault` says why the last reload was refused, '' if it was not.
    """

    def __init__(
        self,
        config: Config,
        path: Path | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        self._index = _Index(config)
        self._path = path
        self._monotonic = monotonic
        self._today = today
        self._lock = threading.Lock()
        self._stamp = _stamp(path)
        self._seen = self._stamp
        self._looked = monotonic()
        self.last_fault = ""

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._index.config

    @property
    def warnings(self) -> tuple[str, ...]:
        """What IT should look at, as sentences; silent mode past its day is one of them (H-59)."""
        return warnings_of(self.config, self._today())

    def site_of_token(self, iss: str, tenant: str) -> Site | None:
        """The one site of this exact issuer and tenant ('' where the token names none), or None."""
        return self._index.of_token(iss, tenant)

    def site_of_launch(self, iss_text: str) -> Site | None:
        """The one site whose SMART iss is this address; host case, usual port and trailing slash do not count."""
        return self._index.of_launch(iss_text)

    def reload(self) -> str:
        """Reads the file anew; '' when the new set is in force, else why the old one was kept."""
        with self._lock:
            return self._reload()

    def reload_if_changed(self) -> str:
        """As `reload`, when the file changed and then stood still for a second; cheap enough for each call.

        A file that is still being written may be whole TOML already but lack its last sites (T-21).
        """
        now = self._monotonic()
        if self._path is None or now - self._looked < _LOOK_EVERY_SECONDS:
            return ""
        with self._lock:
            if now - self._looked < _LOOK_EVERY_SECONDS:
                return ""
            self._looked = now
            before, self._seen = self._seen, _stamp(self._path)
            settled = self._seen == before
            return self._reload() if settled and self._seen != self._stamp else ""

    def _reload(self) -> str:
        if self._path is None:
            return ""
        self._stamp = _stamp(self._path)
        try:
            config, self._stamp = _read(self._path)
        except ConfigError as fault:
            self.last_fault = f"the registrations in force were kept, because the file has faults:\n{fault}"
            return self.last_fault
        self._index, self.last_fault = _Index(config), ""
        return ""


class _Index:
    """One configuration with its look-ups, never changed after it was made."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._tokens: dict[tuple[str, str | None], Site] = {}
        self._launches: dict[Address, Site] = {}
        for site in config.sites:
            for iss in site.iss:
                for tenant in site.tenants or (None,):
                    self._tokens[(iss, tenant)] = site
            if site.smart is not None:
                address = _address(site.smart.iss)
                if address is not None:
                    self._launches[address] = site

    def of_token(self, iss: str, tenant: str) -> Site | None:
        return self._tokens.get((iss, tenant)) or self._tokens.get((iss, None))

    def of_launch(self, text: str) -> Site | None:
        address = _address(text)
        return None if address is None else self._launches.get(address)


def _address(text: str) -> Address | None:
    """An address as a SMART iss may be spelled; http only on loopback, where only a test site can be registered."""
    try:
        return parse_address(text, allow_http=True)
    except AddressFault:
        return None


def _read(path: Path) -> tuple[Config, Stamp]:
    content, stamp = _content(path)
    values = _tables(path, content)
    config, faults = read_tables(values, path, hashlib.sha256(content).hexdigest())
    faults += overlaps(config, path.name)
    if faults:
        raise ConfigError(faults)
    return config, stamp


def _tables(path: Path, content: bytes) -> Mapping[str, Any]:
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as fault:
        raise _refused(path, "is not UTF-8 text", "Save it as UTF-8") from fault
    except (ValueError, RecursionError) as fault:
        raise _refused(path, f"is not TOML: {fault}", "Correct the line named") from fault


def _content(path: Path) -> tuple[bytes, Stamp]:
    """The file's bytes of one moment: through one handle, and only if nobody wrote meanwhile. A link is followed."""
    for _ in range(_READ_ATTEMPTS):
        try:
            with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as handle:
                before = os.fstat(handle.fileno())
                if not stat.S_ISREG(before.st_mode):
                    raise _refused(path, "is not a plain file", "Name the registration file itself")
                content = handle.read(MAX_FILE_BYTES + 1)
                after = os.fstat(handle.fileno())
        except OSError as fault:
            why = f"cannot be read ({fault.strerror})"
            raise _refused(path, why, "Check the path and the rights of the service's account") from fault
        if len(content) > MAX_FILE_BYTES:
            raise _refused(
                path, f"is larger than {MAX_FILE_BYTES} bytes", "Name the registration file itself"
            )
        if _stamp_of(before) == _stamp_of(after) and len(content) == after.st_size:
            return content, _stamp_of(after)
    raise _refused(path, "is being written", "Write it beside and rename it into place")


def _refused(path: Path, problem: str, fix: str) -> ConfigError:
    return ConfigError([Fault(path.name, "", "the file", problem, fix)])


def _stamp_of(state: os.stat_result) -> Stamp:
    return state.st_mtime_ns, state.st_size, state.st_ino


def _stamp(path: Path | None) -> Stamp | None:
    if path is None:
        return None
    try:
        return _stamp_of(path.stat())
    except OSError:
        return None
