"""This service's own signing keys: files in the key folder, rotation without a gap, and the public key set.

A new key is published a day before it signs and its predecessor for a week after, so that an EHR that keeps a copy
of the key set never meets a signature it cannot check (SMART App Launch 2.2, asymmetric client authentication).
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

ALGORITHMS = ("ES384", "RS384")
LEAD = timedelta(days=1)
OVERLAP = timedelta(days=7)
RENEW_AFTER = timedelta(days=365)
"""A key older than this should get a successor: a local policy, not a clause."""
_PREFIX = "sign-"
_RSA_BITS = 3072


class KeyFault(ValueError):
    """A key folder or file that cannot be used; `code` is a closed label, the text names no key material."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class OwnKey:
    """One key pair of ours: its RFC 7638 thumbprint as `kid`, when it was made, and whether it may sign at once."""

    kid: str
    alg: str
    created: datetime
    at_once: bool
    key: ECKey | RSAKey

    @property
    def public(self) -> dict[str, Any]:
        """The public half as a JWK with `kid`, `use` and `alg` (RFC 7517)."""
        return {**self.key.as_dict(private=False), "kid": self.kid, "use": "sig", "alg": self.alg}

    def signs_from(self) -> datetime:
        """The moment from which it signs, where an older key is there to sign before."""
        return self.created if self.at_once else self.created + LEAD


def new_key(folder: Path, alg: str, now: datetime, *, at_once: bool = False) -> OwnKey:
    """Makes a key pair and writes it (mode 0600) to the folder (made with mode 0700); raises `KeyFault`."""
    if alg not in ALGORITHMS:
        raise KeyFault("algorithm", f"the algorithm is one of {', '.join(ALGORITHMS)}")
    key: ECKey | RSAKey
    key = ECKey.generate_key("P-384") if alg == "ES384" else RSAKey.generate_key(_RSA_BITS)
    made = OwnKey(key.thumbprint(), alg, now.astimezone(UTC), at_once, key)
    body = {
        "created": made.created.isoformat(),
        "alg": alg,
        "at_once": at_once,
        "jwk": key.as_dict(private=True),
    }
    write_secret(folder, f"{_PREFIX}{alg.lower()}-{made.kid}.json", json.dumps(body).encode())
    return made


def rotate(folder: Path, alg: str, now: datetime, *, at_once: bool = False) -> OwnKey:
    """Adds a successor of the key in use and deletes keys whose time of overlap is long over; raises `KeyFault`."""
    made = new_key(folder, alg, now, at_once=at_once)
    for old in _past(load(folder).of(alg), now - OVERLAP):
        (folder / f"{_PREFIX}{alg.lower()}-{old.kid}.json").unlink(missing_ok=True)
    return made


def load(folder: Path) -> OwnKeys:
    """All keys of the folder; none where it does not exist. Raises `KeyFault` for a file others may read."""
    found = []
    for path in sorted(folder.glob(f"{_PREFIX}*.json")) if folder.is_dir() else ():
        found.append(_read(path))
    return OwnKeys(tuple(sorted(found, key=lambda own: (own.created, own.kid))))


def write_secret(folder: Path, name: str, content: bytes) -> Path:
    """Writes a new file that only its owner may read; never over a file that is there (raises `KeyFault`)."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / name
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as out:
            os.fchmod(out.fileno(), 0o600)
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        raise KeyFault("unwritable", f"the key folder cannot be written ({error.strerror})") from error
    return path


def read_secret(path: Path) -> bytes:
    """The content of a secret file; raises `KeyFault` where it cannot be read or others may read it."""
    try:
        handle = os.open(path, os.O_RDONLY)
        with os.fdopen(handle, "rb") as source:
            if os.fstat(source.fileno()).st_mode & 0o077:
                raise KeyFault("open-file", f"{path.name} can be read by others; set its mode to 0600")
            return source.read(1 << 16)
    except OSError as error:
        raise KeyFault("unreadable", f"{path.name} cannot be read ({error.strerror})") from error


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """The keys of one folder as read, oldest first."""

    keys: tuple[OwnKey, ...] = ()

    def of(self, alg: str) -> tuple[OwnKey, ...]:
        """The keys of one algorithm, oldest first."""
        return tuple(own for own in self.keys if own.alg == alg)

    def signing(self, alg: str, now: datetime) -> OwnKey | None:
        """The key that signs now: the newest whose time has come, else the oldest; None where there is none."""
        mine = self.of(alg)
        ripe = [own for own in mine if own.signs_from() <= now]
        return ripe[-1] if ripe else mine[0] if mine else None

    def days_left(self, now: datetime) -> float | None:
        """Days until the first signing key is due for rotation, below nought when overdue; None without keys."""
        signing = [own for alg in ALGORITHMS if (own := self.signing(alg, now)) is not None]
        ends = [own.created + RENEW_AFTER - now for own in signing]
        return min(ends) / timedelta(days=1) if ends else None

    def published(self, now: datetime) -> tuple[OwnKey, ...]:
        """The keys an EHR may meet: all but those whose successor has signed for longer than the overlap."""
        gone = {own.kid for alg in ALGORITHMS for own in _past(self.of(alg), now - OVERLAP)}
        return tuple(own for own in self.keys if own.kid not in gone)

    def public_set(self, now: datetime) -> dict[str, list[dict[str, Any]]]:
        """The JSON Web Key Set to serve or to paste: public halves only (RFC 7517)."""
        return {"keys": [own.public for own in self.published(now)]}


class KeyFolder:
    """The folder's keys, read again when a file in it comes or goes, so that a rotation needs no restart."""

    def __init__(self, folder: Path | None, clock: Callable[[], datetime]) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._stamp: int | None = None
        self._keys = OwnKeys()

    def keys(self) -> OwnKeys:
        """The keys as they stand in the folder now; raises `KeyFault`."""
        if self._folder is None or not self._folder.is_dir():
            return OwnKeys()
        stamp = self._folder.stat().st_mtime_ns
        with self._lock:
            if stamp != self._stamp:
                self._keys = load(self._folder)
                self._stamp = stamp
            return self._keys

    def signing(self, alg: str) -> OwnKey | None:
        """The key that signs now with this algorithm, or None."""
        return self.keys().signing(alg, self._clock())

    def days_left(self, now: datetime) -> float | None:
        """Days until a signing key is due for rotation; raises `KeyFault`."""
        return self.keys().days_left(now)

    def public_set(self) -> dict[str, list[dict[str, Any]]]:
        """The public key set as of now."""
        return self.keys().public_set(self._clock())


def _past(mine: tuple[OwnKey, ...], before: datetime) -> tuple[OwnKey, ...]:
    """Keys with a successor that was already signing at `before`."""
    successors = [number for number, own in enumerate(mine) if own.signs_from() <= before]
    return mine[: successors[-1]] if successors else ()


def _read(path: Path) -> OwnKey:
    content = read_secret(path)
    try:
        body: Mapping[str, Any] = json.loads(content)
        alg = body["alg"]
        if alg not in ALGORITHMS:
            raise ValueError(alg)
        key: ECKey | RSAKey
        key = ECKey.import_key(body["jwk"]) if alg == "ES384" else RSAKey.import_key(body["jwk"])
        created = datetime.fromisoformat(body["created"])
        if created.tzinfo is None or not key.is_private:
            raise ValueError(alg)
        return OwnKey(key.thumbprint(), alg, created, bool(body.get("at_once")), key)
    except (ValueError, KeyError, TypeError, JoseError) as error:
        raise KeyFault("bad-file", f"{path.name} is not a key file of this service") from error
