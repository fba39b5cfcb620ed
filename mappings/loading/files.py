"""The parts of FHIR ValueSet and ConceptMap, and of the plain files, that loading reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mappings.loading.policy import Limit, Setting, SiteLimit, TimingBin


@dataclass(frozen=True, slots=True)
class Designation:
    """A text form of a concept; `use` marks one that matches whole texts only."""

    value: str
    language: str | None = None
    use: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A code of a value set."""

    code: str
    display: str | None = None
    designation: tuple[Designation, ...] = ()


@dataclass(frozen=True, slots=True)
class Filter:
    """All codes under one code, e.g. every personal history of a neoplasm."""

    property: str
    op: str
    value: str


@dataclass(frozen=True, slots=True)
class Include:
    """Codes of one system."""

    system: str
    concept: tuple[Member, ...] = ()
    filter: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Compose:
    """The content of a value set."""

    include: tuple[Include, ...]


@dataclass(frozen=True, slots=True)
class ValueSetFile:
    """A FHIR R4 ValueSet as far as loading reads it."""

    id: str
    url: str
    compose: Compose


@dataclass(frozen=True, slots=True)
class MapTarget:
    """What a code is mapped to."""

    code: str
    equivalence: str


@dataclass(frozen=True, slots=True)
class MapElement:
    """One mapped code."""

    code: str
    target: tuple[MapTarget, ...]


@dataclass(frozen=True, slots=True)
class MapGroup:
    """The mapped codes of one system."""

    source: str
    target: str
    element: tuple[MapElement, ...]


@dataclass(frozen=True, slots=True)
class ConceptMapFile:
    """A FHIR R4 ConceptMap as far as loading reads it."""

    id: str
    group: tuple[MapGroup, ...]


@dataclass(frozen=True, slots=True)
class DenyRow:
    """A verified code that may only stop a conclusion."""

    system: str
    code: str
    concept: str


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """A code not confirmed with its meaning: it never yields a fact, it may stop one (`stops`)."""

    system: str
    code: str | None
    display: str | None
    group: str
    concepts: tuple[str, ...]
    stops: bool
    reason: str


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """The local policy file."""

    settings: Mapping[str, Setting]
    timing_bins: tuple[TimingBin, ...]
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class OverlayFile:
    """A site's own policy values and limits; further files of the overlay replace shipped files of the same path."""

    id: str
    policy: Mapping[str, Any] = field(default_factory=dict)
    limits: tuple[SiteLimit, ...] = ()
