"""The secret of the store: patients and users are kept as keyed hashes, comments sealed, the audit signed with it.

Each purpose has a key of its own, derived from the one in the file (HKDF, RFC 5869), so that none can stand in
for another (T-18, T-30).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
_NONCE = 12


class KeyFault(ValueError):
    """A key file that must not be used: one sentence for the person and one for the fix."""


def keyed_hash(key: bytes, site: str, text: str) -> str:
    """Who a row is about, without saying who: HMAC-SHA256 in hex of site and text under the store's key.

    The length of the site stands before it, so that no two pairs give the same bytes.
    """
    message = f"{len(site)}:{site}:{text}".encode("utf-8", "surrogatepass")
    return hmac.digest(derived(key, "patient and user"), message, hashlib.sha256).hex()


@lru_cache(maxsize=32)
def derived(key: bytes, purpose: str) -> bytes:
    """The key of one purpose, from the one in the file."""
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=f"postcart store: {purpose}".encode()).derive(key)


def key_id(key: bytes) -> str:
    """A short public name of a key, kept in each signed row to tell another key from a changed row."""
    return hmac.digest(derived(key, "name"), b"name", hashlib.sha256).hex()[:8]


def seal_text(key: bytes, text: str) -> bytes:
    """Free text of a user, encrypted (AES-256-GCM): it may name a patient; empty stays empty."""
    if not text:
        return b""
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(derived(key, "comments")).encrypt(nonce, text.encode("utf-8", "replace"), None)


def open_text(key: bytes, sealed: bytes) -> str | None:
    """The text that was sealed, or None where the key is another one or the bytes were changed."""
    if not sealed:
        return ""
    try:
        return AESGCM(derived(key, "comments")).decrypt(sealed[:_NONCE], sealed[_NONCE:], None).decode()
    except (InvalidTag, ValueError):
        return None


def load_or_make_key(path: Path) -> bytes:
    """The key in a file that only its owner may read; made there once, whichever process comes first.

    Raises `KeyFault` for a file of wrong length or one that others may read.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        _make(path)
    return read_key(path)


def read_key(path: Path) -> bytes:
    """The key in a file; raises `KeyFault` for one that must not be used, `OSError` where there is none."""
    if path.stat().st_mode & 0o077:
        raise KeyFault(f"{path.name} may be read by others. Set its mode to 0600.")
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise KeyFault(
            f"{path.name} is not a key of {KEY_BYTES} bytes. Put the right file back from your backup."
        )
    return key


def _make(path: Path) -> None:
    """Writes a whole new key beside the place and links it there: never half a key, never two."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
