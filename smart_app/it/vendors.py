"""What is known of each kind of EHR, as data: every fact says whether it was seen or is not confirmed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

import msgspec

KINDS = ("epic", "oracle", "athena", "meditech", "generic")
SEEN, NOT_CONFIRMED = "seen", "not confirmed"
ABOUT = Literal[
    "registration",
    "hooks",
    "discovery",
    "prefetch",
    "token",
    "client",
    "scopes",
    "launch",
    "frame",
    "searches",
    "cards",
    "feedback",
    "time",
]


class Fact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing said of an EHR. `mark` is `seen` (read in `source`) or `not confirmed` (ask the vendor)."""

    about: ABOUT
    mark: Literal["seen", "not confirmed"]
    source: str
    text: str


class Vendor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of EHR with what is known of it."""

    name: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """A fact as it may be shown: never without its mark."""

    about: str
    words: str


@cache
def vendors() -> dict[str, Vendor]:
    """All kinds by key; raises `msgspec.ValidationError` for a file of another shape."""
    content = resources.files("smart_app").joinpath("it", "vendors.json").read_bytes()
    raw = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    return {kind: msgspec.json.decode(raw[kind], type=Vendor) for kind in KINDS}


def told(vendor: Vendor) -> tuple[Told, ...]:
    """The facts of a vendor in words, each with mark and source; what is seen stands first."""
    rows = sorted(vendor.facts, key=lambda fact: fact.mark != SEEN)
    return tuple(Told(fact.about, f"[{fact.mark}] {fact.text} ({fact.source})") for fact in rows)
