"""Encryption of what a workspace row holds: AES-GCM, key from a file, key id in the row, bound to the row's name.

A thief of the database gets nothing readable, and a row copied under another name does not open (T-18).
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ehr.own_keys import KeyFault, read_secret, write_secret

_NAME = re.compile(r"seal-([0-9]{4}-[0-9a-f]{8})\.key")
_KEY_BYTES = 32
_NONCE_BYTES = 12
_MOST = 9999


class SealBroken(Exception):
    """A sealed value that does not open: another key, another row, or altered bytes; the user launches again."""


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals with the newest key and opens with any that is still there."""

    keys: Mapping[str, bytes]
    current: str

    def seal(self, plain: bytes, bound_to: str) -> bytes:
        """The sealed bytes; `bound_to` names the row and has to be given again to open it."""
        nonce = os.urandom(_NONCE_BYTES)
        head = self.current.encode()
        aad = head + b"\0" + bound_to.encode()
        return head + b"." + nonce + AESGCM(self.keys[self.current]).encrypt(nonce, plain, aad)

    def open(self, sealed: bytes, bound_to: str) -> bytes:
        """What was sealed; raises `SealBroken`."""
        head, dot, rest = bytes(sealed).partition(b".")
        key = self.keys.get(head.decode("ascii", "replace")) if dot else None
        if key is None or len(rest) <= _NONCE_BYTES:
            raise SealBroken
        try:
            aad = head + b"\0" + bound_to.encode()
            return AESGCM(key).decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], aad)
        except InvalidTag as error:
            raise SealBroken from error


def load_sealer(folder: Path) -> Sealer:
    """The sealing keys of a key folder; makes the first one where there is none. Raises `KeyFault`."""
    keys = _read_keys(folder)
    if not keys:
        add_sealing_key(folder)
        keys = _read_keys(folder)
    return Sealer(keys, max(keys))


def fresh_sealer() -> Sealer:
    """A sealer whose key lives as long as the process, for services without a key folder."""
    return Sealer({"0000-memory00": secrets.token_bytes(_KEY_BYTES)}, "0000-memory00")


def add_sealing_key(folder: Path) -> str:
    """Adds a key that seals from now on; rows of the older keys still open while their files are there."""
    newest = max(_read_keys(folder), default="0000-")
    number = int(newest[:4]) + 1
    if number > _MOST:
        raise KeyFault("full", "there are too many sealing keys in the folder")
    name = f"{number:04d}-{secrets.token_hex(4)}"
    write_secret(folder, f"seal-{name}.key", secrets.token_bytes(_KEY_BYTES))
    return name


def _read_keys(folder: Path) -> dict[str, bytes]:
    keys = {}
    for path in sorted(folder.glob("seal-*.key")) if folder.is_dir() else ():
        name = _NAME.fullmatch(path.name)
        content = read_secret(path)
        if name is None or len(content) != _KEY_BYTES:
            raise KeyFault("bad-file", f"{path.name} is not a sealing key of this service")
        keys[name[1]] = content
    return keys
