"""What each site's charts are judged with: the knowledge that ships, with the site's own overlay."""

from __future__ import annotations

import threading
from pathlib import Path

from cds_hooks.advice import Evaluator, Judgement
from cds_hooks.names import card_names
from cds_hooks.outcome import Refusal
from ehr.site import Config, Site
from mappings.loading import Knowledge, KnowledgeError, packaged_folder
from mappings.loading.load import build, read_folder
from smart_app.log import write_log
from smart_app.selftest import evaluator_of


class Judges:
    """What each site's charts are judged with; an overlay that breaks later leaves the last good one in force."""

    def __init__(
        self, knowledge: Knowledge, regions: tuple[str, ...], evaluate: Evaluator | None = None
    ) -> None:
        self.knowledge = knowledge
        self._regions = regions
        self._replaced = evaluate
        self._lock = threading.Lock()
        self._overlays: dict[Path, Knowledge] = {}
        self._made: dict[tuple[str, str], Judgement] = {}
        self.kept = ""

    def of(self, site: Site | None) -> Judgement:
        """The judgement of a site; `Refusal` 503 where its overlay was never readable."""
        overlay = site.overlay if site is not None else None
        knowledge = self.knowledge if overlay is None else self._with(overlay)
        region = site.region if site is not None else ""
        found = self._made.get((knowledge.digest, region))
        if found is None:
            regions = (region,) if region else self._regions
            evaluate = self._replaced or evaluator_of(knowledge, regions)
            on_orders = self._replaced or evaluator_of(knowledge, regions, safety=True)
            found = Judgement(evaluate, card_names(knowledge), knowledge, on_orders)
            self._made[(knowledge.digest, region)] = found
        return found

    def load(self, config: Config) -> None:
        """Reads the overlays of all sites; raises `KnowledgeError` for one that was never good."""
        for site in config.sites:
            if site.overlay is not None:
                self._read(site.overlay)

    def reload(self, config: Config) -> None:
        """Reads all overlays again; of a broken one the last good stays in force, and `kept` names it."""
        kept = []
        for site in config.sites:
            if site.overlay is None:
                continue
            try:
                self._read(site.overlay)
            except KnowledgeError as fault:
                kept.append(f"{site.name}: {fault}")
                write_log("overlay-kept", level="error", code="overlay_kept", site=site.name)
        self.kept = " ".join(kept)
        in_force = {knowledge.digest for knowledge in (self.knowledge, *self._overlays.values())}
        self._made = {key: made for key, made in self._made.items() if key[0] in in_force}

    def _with(self, overlay: Path) -> Knowledge:
        found = self._overlays.get(overlay)
        if found is not None:
            return found
        try:
            return self._read(overlay)
        except KnowledgeError as fault:
            raise Refusal(503, "not-ready", "this site's own knowledge cannot be read") from fault

    def _read(self, overlay: Path) -> Knowledge:
        with self._lock:
            knowledge = build(read_folder(packaged_folder(), overlay))
            self._overlays[overlay] = knowledge
        return knowledge
