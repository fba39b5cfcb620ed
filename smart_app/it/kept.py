"""What this service keeps and for how long: one row for each table, file and memory; a test holds it to the store.

Nothing of a patient is kept in the clear: ids are keyed hashes, tokens and comments are encrypted (T-18).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from cds_hooks.trust import LONGEST_LIFE_SECONDS
from ehr.site import Config, Site
from smart_app.launch.charts import MOST_CHARTS
from smart_app.launch.vault import SIGN_IN_LIFE, WORKSPACE_LIFE
from smart_app.store.spool import MOST_ROWS


@dataclass(frozen=True, slots=True)
class Kept:
    """One store of data: its name, where it lies, what is in it, until when, and of what kind it is.

    `kind`: `pseudonym` (keyed hashes of patient and user), `secret` (encrypted or a hash), `state` (nothing of a
    person), `chart` (patient data in the clear, in memory only).
    """

    name: str
    place: str
    what: str
    until: str
    kind: str


def kept(config: Config, site: Site) -> tuple[Kept, ...]:
    """Every store of data, for this configuration."""
    return (*_records(), *_passing(config, site), *_files(), *_memory(site))


def _records() -> tuple[Kept, ...]:
    no_end = "no end in this release; the hospital decides, and removes rows with its database's own means"
    return (
        Kept(
            "audit",
            "database",
            "one row per call and event: time, site, service, hook, hook instance, tenant, keyed hashes of patient "
            "and user, category, knowledge digest, duration, state of each prefetch key, ids and kinds of cards; "
            "signed in a chain",
            f"{no_end} (a row taken out breaks the chain: export and verify first)",
            "pseudonym",
        ),
        Kept(
            "card",
            "database",
            "one row per card: id, time, site, service, category, kind, silent or not, keyed hashes of patient and "
            "user, digest of the facts",
            no_end,
            "pseudonym",
        ),
        Kept(
            "feedback",
            "database",
            "accepted or overridden, time, accepted suggestions, coded reason; a user's comment encrypted",
            no_end,
            "pseudonym",
        ),
    )


def _passing(config: Config, site: Site) -> tuple[Kept, ...]:
    longest = LONGEST_LIFE_SECONDS + config.leeway_s
    return (
        Kept(
            "replay",
            "database",
            "hash of site, issuer and id of each token used",
            f"until the token has run out, at most {longest // 60} minutes after it was made; pruned each minute",
            "secret",
        ),
        Kept(
            "launch_state",
            "database",
            "a sign-in under way, encrypted",
            f"until its answer comes, at most {_minutes(SIGN_IN_LIFE)} minutes",
            "secret",
        ),
        Kept(
            "workspace",
            "database",
            "one open page of the app: its tokens and launch context, encrypted; hash of its cookie",
            f"until it is closed, {site.idle_minutes} minutes without use, at most "
            f"{WORKSPACE_LIFE // timedelta(hours=1)} hours",
            "secret",
        ),
        Kept(
            "node", "database", "each process and the knowledge it serves", "one day after it ended", "state"
        ),
        Kept(
            "meta",
            "database",
            "id of the database, end of the audit chain",
            "as long as the database",
            "state",
        ),
    )


def _files() -> tuple[Kept, ...]:
    return (
        Kept(
            "audit spool",
            "state folder",
            "audit rows while the database is away, as above",
            f"until the database is back; at most {MOST_ROWS} rows for each process",
            "pseudonym",
        ),
        Kept("audit anchor", "state folder", "end of the audit chain", "overwritten each minute", "state"),
        Kept(
            "key folder",
            "key_dir",
            "signing keys, sealing keys, the store's key",
            "until rotated (signing), or as long as the database (store.key: without it nothing opens)",
            "secret",
        ),
    )


def _memory(site: Site) -> tuple[Kept, ...]:
    return (
        Kept(
            "hook call",
            "memory",
            "the chart of one call",
            "until it is answered",
            "chart",
        ),
        Kept(
            "chart cache of the app",
            "memory of one process",
            "the chart of each open page",
            f"until the page is closed or {site.idle_minutes} minutes idle; at most {MOST_CHARTS} charts, the "
            "oldest goes first",
            "chart",
        ),
        Kept(
            "report text memo",
            "memory of one process",
            "short report texts with what they say of the antigens, without patient or id, to read equal texts once",
            "the last 512 of at most 8,000 characters and the last 4 longer ones, and gone with the process",
            "chart",
        ),
    )


def _minutes(time: timedelta) -> int:
    return time // timedelta(minutes=1)
