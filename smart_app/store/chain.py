"""The hash chain of the audit: each row signs itself and the row before it, so that a change shows (T-30)."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from smart_app.store.keys import derived, key_id
from smart_app.store.schema import GENESIS
from smart_app.store.tables import AUDIT, moment_text

SIGNED = tuple(column.name for column in AUDIT.columns if column.name != "hash")


@dataclass(frozen=True, slots=True)
class Tail:
    """The last row of the chain: its number and hash. Written down outside, it is an anchor."""

    seq: int
    hash: str

    def text(self) -> str:
        """As it stands in the database and in the log: `SEQ:HASH`."""
        return f"{self.seq}:{self.hash}"


def read_tail(text: str) -> Tail:
    """Reads `SEQ:HASH`; raises `ValueError` for anything else."""
    seq, _, digest = text.strip().partition(":")
    if not seq.isascii() or not seq.isdigit() or len(digest) != len(GENESIS):
        raise ValueError("an anchor is written SEQ:HASH")
    return Tail(int(seq), digest)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in the chain: row number and a closed code.

    `dropped` (rows before this one are missing), `unlinked` (does not follow the row before it), `altered` (its
    content is not what was signed), `other-key` (cannot be checked), `cut` (rows at the end are missing),
    `anchor` (the row of the anchor is missing or another one).
    """

    seq: int
    code: str


def sign(key: bytes, row: Mapping[str, Any]) -> str:
    """The hash of one row over all its other fields, under the store's key."""
    at = row["at"]
    values = [row[name] for name in SIGNED if name != "at"]
    values.append(moment_text(at) if isinstance(at, datetime) else at)
    text = json.dumps(values, ensure_ascii=True, separators=(",", ":"), default=repr)
    return hmac.digest(derived(key, "audit"), text.encode(), hashlib.sha256).hex()


def chained(key: bytes, tail: Tail, rows: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows with their numbers, links and hashes, following `tail`."""
    name = key_id(key)
    for row in rows:
        whole = {**row, "seq": tail.seq + 1, "key_id": name, "previous": tail.hash}
        whole["hash"] = sign(key, whole)
        tail = Tail(whole["seq"], whole["hash"])
        yield whole


class ChainCheck:
    """Checks a chain row by row, in order of `seq`, without holding it in memory."""

    def __init__(self, key: bytes, anchor: Tail | None = None) -> None:
        self._key = key
        self._key_id = key_id(key)
        self._last = Tail(0, GENESIS)
        self._anchor = anchor
        self._anchored = anchor is None or anchor.seq == 0
        self.rows = 0
        self.faults: list[Fault] = []

    def add(self, row: Mapping[str, Any]) -> None:
        """Takes the next row."""
        seq = row["seq"]
        self.rows += 1
        if seq != self._last.seq + 1:
            self.faults.append(Fault(seq, "dropped"))
        elif row["previous"] != self._last.hash:
            self.faults.append(Fault(seq, "unlinked"))
        if row["key_id"] != self._key_id:
            self.faults.append(Fault(seq, "other-key"))
        elif not hmac.compare_digest(sign(self._key, row).encode(), str(row["hash"]).encode()):
            self.faults.append(Fault(seq, "altered"))
        if self._anchor is not None and seq == self._anchor.seq and row["hash"] == self._anchor.hash:
            self._anchored = True
        self._last = Tail(seq, row["hash"])

    def end(self, tail: Tail) -> tuple[Fault, ...]:
        """All faults, once every row was taken; `tail` is what the database says the last row is."""
        if self._last != tail:
            self.faults.append(Fault(tail.seq, "cut"))
        if not self._anchored and self._anchor is not None:
            self.faults.append(Fault(self._anchor.seq, "anchor"))
        return tuple(self.faults)
