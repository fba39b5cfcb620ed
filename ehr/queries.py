"""What is asked of a FHIR server and what came back, per prefetch key: the types of FHIR reads.

A read never ends in a bare absence: it is complete, incomplete or failed, and says why (invariants 3 and 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ReadState(StrEnum):
    """How much of an answer came: only `complete` may be answered with *no* (rules 11.5)."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Query:
    """One read or search relative to the FHIR base, for one prefetch key.

    `search` is empty for a read (`path` = `Patient/123`), else the parameters (`path` = `Condition`). `url`
    continues a search that was cut short, from its `next` link.
    """

    key: str
    type: str
    path: str
    search: tuple[tuple[str, str], ...] = ()
    url: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one query brought: response bodies in order, how complete they are, and why not more.

    `reason` is a sentence fragment for clinicians ("the EHR did not answer in time"); `code` is a closed label for
    logs and metrics (`ok`, `down`, `deadline`, `no-right`, `not-found`, `limited`, `bad`, `cap`, `loop`, `origin`,
    `breaker`, `server-error`); `requests` counts what left, `milliseconds` how long it took.
    """

    query: Query
    state: ReadState
    pages: tuple[bytes, ...] = ()
    reason: str = ""
    code: str = "ok"
    status: int = 0
    requests: int = 0
    milliseconds: float = 0.0
