"""The parts of one process put together: sites, keys, the way to FHIR servers, the store, knowledge per site."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from cds_hooks.advice import Evaluator
from cds_hooks.trust import Gate
from ehr.asking import Limits
from ehr.breaker import Breaker
from ehr.fhir import FhirLink
from ehr.jwks import KeyCache
from ehr.own_keys import KeyFault as OwnKeyFault
from ehr.own_keys import KeyFolder
from ehr.registrations import Registry
from ehr.site import Config
from ehr.transport import Transport
from mappings.loading import Knowledge, KnowledgeError
from smart_app.judges import Judges
from smart_app.launch.parts import LaunchParts, Note
from smart_app.launch.seal import Sealer, load_sealer
from smart_app.log import write_log
from smart_app.operations.metrics import Metrics
from smart_app.settings import Settings, SettingsError
from smart_app.sites import read_sites
from smart_app.store import Store, StoreRefused, keyed_hash, load_or_make_key, open_store
from smart_app.store.keys import KeyFault, derived
from smart_app.store.place import store_place

_APP_THREADS = 16
_APP_PAGES = 600


@dataclass(slots=True)
class Parts:
    """Everything a process holds on to while it runs; nothing in it belongs to a patient.

    The app reads through a link of its own, so that long page loads leave threads to the hook calls.
    """

    settings: Settings
    registry: Registry
    judges: Judges
    transport: Transport
    keys: KeyCache
    link: FhirLink
    app_link: FhirLink
    store: Store
    gate: Gate | None
    own_keys: KeyFolder
    sealer: Sealer
    metrics: Metrics
    secret: bytes = field(repr=False)

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.registry.config

    def pseudonym(self, site: str, text: str) -> str:
        """Who a stored row is about without saying who: a keyed hash."""
        return keyed_hash(self.secret, site, text)

    def key_for(self, purpose: str) -> bytes:
        """A key of its own for each purpose, so that nothing signed for one passes for another."""
        return derived(self.secret, purpose)

    def close(self) -> None:
        """Writes what waits and gives connections back."""
        self.store.close()
        self.link.close()
        self.app_link.close()
        self.transport.close()


def assemble(
    settings: Settings, knowledge: Knowledge, metrics: Metrics, evaluate: Evaluator | None = None
) -> Parts:
    """Opens what a process needs; raises `SettingsError` for what would be unsafe to run with.

    `metrics` hears where keys came from and when a caller was let in without the store.
    """
    config = read_sites(settings)
    if not settings.config and not settings.state_dir:
        settings = replace(settings, state_dir=_passing_folder())
    place = store_place(config, settings.state, settings.database_url)
    key_dir = place.key_file.parent
    judges = Judges(knowledge, settings.regions, evaluate)
    try:
        secret = load_or_make_key(place.key_file)
        judges.load(config)
        sealer = load_sealer(key_dir)
        store = open_store(place.url, key=secret, folder=place.folder)
    except (KeyFault, OwnKeyFault, StoreRefused, KnowledgeError) as fault:
        raise SettingsError("state", str(fault), "") from fault
    except OSError as error:
        raise SettingsError(
            "state",
            f"The folder for database and keys cannot be used ({error.strerror}).",
            "Name folders this account may write: database_url and key_dir in the registration file.",
        ) from error
    registry = Registry(config, Path(settings.config) if settings.config else None)
    transport, breaker = Transport(), Breaker()
    keys = KeyCache(
        transport, note=lambda site, state: metrics.count("postcart_jwks_total", site, state=state)
    )
    return Parts(
        settings=settings,
        registry=registry,
        judges=judges,
        transport=transport,
        keys=keys,
        link=FhirLink(transport, breaker=breaker),
        app_link=FhirLink(transport, threads=_APP_THREADS, breaker=breaker, limits=Limits(pages=_APP_PAGES)),
        store=store,
        gate=_gate(registry, keys, store, metrics) if config.sites else None,
        own_keys=KeyFolder(key_dir, lambda: datetime.now(UTC)),
        sealer=sealer,
        metrics=metrics,
        secret=secret,
    )


def _gate(registry: Registry, keys: KeyCache, store: Store, metrics: Metrics) -> Gate:
    def note(site: str, code: str) -> None:
        metrics.count("postcart_database_events_total", event=code)

    return Gate(registry, keys, store, note=note)


def launch_parts(parts: Parts, note: Note, chosen_id: Callable[[], str]) -> LaunchParts:
    """What the SMART app is put together from."""
    settings = parts.settings
    return LaunchParts(
        registry=parts.registry,
        transport=parts.transport,
        keys=parts.keys,
        own_keys=parts.own_keys,
        workspaces=parts.store.workspaces,
        link=parts.app_link,
        judging=parts.judges.of,
        sealer=parts.sealer,
        public_url=parts.config.public_url.rstrip("/"),
        memory=parts.store,
        context_key=parts.key_for("card link"),
        as_of=settings.moment,
        regions=settings.regions,
        note=note,
        request_id=chosen_id,
    )


def _passing_folder() -> str:
    """A folder for trying things out, gone with the process."""
    folder = tempfile.mkdtemp(prefix="postcart-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


Reloader = Callable[[], None]


def reloader(parts: Parts, tell: Callable[[Config], None]) -> Reloader:
    """A check, cheap enough for each call, that takes over a changed registration file with its overlays.

    `tell` hears of the new configuration.
    """

    def look() -> None:
        before = parts.config.digest
        fault = parts.registry.reload_if_changed()
        if fault:
            parts.metrics.add("postcart_faults_total", "kind", "registrations_kept")
            write_log("registrations-kept", level="error", code="registrations_kept", message=_first(fault))
        elif parts.config.digest != before:
            parts.judges.reload(parts.config)
            tell(parts.config)
            write_log("registrations-taken", count=len(parts.config.sites))

    return look


def _first(text: str) -> str:
    return " ".join(text.split())[:300]
