"""The knowledge a chart is judged with, as frozen types; the JSON files carry the same field names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mappings.loading.catalogue import Evidence, Option
from mappings.loading.codes import Systems
from mappings.loading.order_rules import OrderKnowledge
from mappings.loading.policy import Policy

CodeKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Concept:
    """One meaning (a product, a disease, a drug, a value) and the value set that holds its codes."""

    id: str
    kind: str
    label: str
    value_set: str
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)

    def text(self, name: str) -> str:
        """An attribute that is a word; empty where it is not stated."""
        value = self.attributes.get(name, "")
        return value if isinstance(value, str) else ""

    def flag(self, name: str) -> bool:
        """An attribute that is true or false; false where it is not stated."""
        return self.attributes.get(name) is True

    def names(self, name: str) -> tuple[str, ...]:
        """An attribute that is a list of words; empty where it is not stated."""
        value = self.attributes.get(name, ())
        return tuple(value) if isinstance(value, (list, tuple)) else ()


@dataclass(frozen=True, slots=True)
class Category:
    """One of the ten relapse categories; `order` is the order of the questions (rules 11.8)."""

    id: str
    label: str
    meaning: str
    card: bool
    order: int
    cd19_axis: bool
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """What a `check_before` fact is called on screen and which concepts answer it.

    `source`: `safety` (value), `condition`, `antigen`, `therapy`, `chart` or `ask` (not in a chart).
    """

    fact: str
    label: str
    source: str
    concepts: tuple[str, ...]
    antigen: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One decision rule as shown to a clinician, with its basis and sources."""

    id: str
    title: str
    text: str
    basis: str
    citation_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Everything the core knows, read once; holds no patient data and never changes.

    `by_code` holds verified codes; `stops` those that may only stop a wrong conclusion (rules 11.18).
    `synonyms` are lower-case phrases, longest first; `whole_texts` match a whole text, never a part.
    """

    version: str
    digest: str
    overlay: str | None
    systems: Systems
    concepts: Mapping[str, Concept]
    by_code: Mapping[CodeKey, tuple[Concept, ...]]
    stops: Mapping[CodeKey, tuple[Concept, ...]]
    prefixes: tuple[tuple[str, str, Concept], ...]
    synonyms: tuple[tuple[str, Concept], ...]
    whole_texts: Mapping[str, tuple[Concept, ...]]
    result_codes: Mapping[CodeKey, str]
    trend_codes: Mapping[CodeKey, str]
    deauville_codes: Mapping[CodeKey, str]
    clinical_status: Mapping[str, str]
    categories: Mapping[str, Category]
    options: tuple[Option, ...]
    evidence: Mapping[str, Evidence]
    citations: Mapping[str, Mapping[str, Any]]
    policy: Policy
    checks: Mapping[str, Check]
    rules: Mapping[str, Rule]
    lexicon: Mapping[str, Any]
    disclosure: Mapping[str, Any]
    orders: OrderKnowledge

    def normalise_system(self, uri: str | None) -> str:
        """The canonical URI of a code system, whatever alias, case or stray blank the chart holds."""
        return self.systems.normalise(uri)

    def lookup(self, system: str | None, code: str | None) -> tuple[Concept, ...]:
        """The concepts a coding stands for by a verified code; empty where the code is not known."""
        found = self.systems.find(self.by_code, system, code)
        return found if found else self._by_prefix(system, code)

    def stopped_by(self, system: str | None, code: str | None) -> tuple[Concept, ...]:
        """The concepts by which a coding may only stop a conclusion, never make one (rules 11.18)."""
        return self.systems.find(self.stops, system, code) or ()

    def state_of(self, system: str | None, code: str | None) -> str | None:
        """The antigen state a coded result stands for, or `no-polarity`, `discard`, or none (rules 11.19)."""
        return self.systems.find(self.result_codes, system, code)

    def trend_of(self, system: str | None, code: str | None) -> str | None:
        """The disease trend a coded value stands for, or none."""
        return self.systems.find(self.trend_codes, system, code)

    def deauville_of(self, system: str | None, code: str | None) -> str | None:
        """The Deauville point (1 to 5, or X) a coded value stands for, or none."""
        return self.systems.find(self.deauville_codes, system, code)

    def of_kind(self, kind: str) -> tuple[Concept, ...]:
        """All concepts of one kind, in file order."""
        return tuple(concept for concept in self.concepts.values() if concept.kind == kind)

    def option(self, option_id: str) -> Option:
        """One option by id; `KeyError` where there is none."""
        for option in self.options:
            if option.id == option_id:
                return option
        raise KeyError(option_id)

    def evidence_for(self, option: Option) -> tuple[Evidence, ...]:
        """The evidence of an option in its listed order."""
        return tuple(self.evidence[key] for key in option.evidence_ids)

    def _by_prefix(self, system: str | None, code: str | None) -> tuple[Concept, ...]:
        canonical, tidy = self.systems.normalise(system), (code or "").strip().upper()
        return tuple(c for uri, start, c in self.prefixes if uri == canonical and tidy.startswith(start))
