"""The catalogue of salvage options and the evidence behind it, as frozen types (rules 9, 11.12, 11.17)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Target:
    """An antigen an option is directed against: `present`, `not-required` or `protocol-specific`."""

    antigen: str
    must_be: str


@dataclass(frozen=True, slots=True)
class Route:
    """How an option stands in one relapse category, with the one-line reason."""

    route: str
    reason: str


@dataclass(frozen=True, slots=True)
class StatusRow:
    """Approval of an option in one region as last seen; `as_of` is the date of the source.

    `diseases` are those that the indication words name, empty where they name none (H-39).
    """

    region: str
    state: str
    indication: str
    as_of: str
    seen: bool
    citation_id: str | None
    diseases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MustSay:
    """A statement that goes with an option; `boxed`: a boxed warning; `seen` false: check the label."""

    text: str
    boxed: bool
    seen: bool
    citation_id: str | None


@dataclass(frozen=True, slots=True)
class CheckBefore:
    """A fact to look at before an option; `fact` names a row of `checks.json`."""

    fact: str
    why: str
    seen: bool
    citation_id: str | None = None


@dataclass(frozen=True, slots=True)
class AgeLimit:
    """Label age in years for a region (rules 11.12, 11.21); with `agent` it excludes that agent only."""

    region: str
    min_age: float | None
    max_age: float | None
    basis: str
    agent: str | None = None
    citation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A fact that makes an option not suitable when it is current (rules 11.12)."""

    fact: str
    basis: str


@dataclass(frozen=True, slots=True)
class NoteWhen:
    """A sentence that goes with an option in a given antigen state, e.g. `CD20-negative` (rules 11.17)."""

    when: str
    text: str
    basis: str


@dataclass(frozen=True, slots=True)
class Option:
    """One salvage option: what it needs, how it stands per category, what must be said, its evidence."""

    id: str
    label: str
    short_name: str
    card_group: str
    kind: str
    agents: tuple[str, ...]
    contains: tuple[str, ...]
    targets: tuple[Target, ...]
    diseases: tuple[str, ...]
    route_to_category: Mapping[str, Route] = field(hash=False, compare=False)
    named_in_seed_abstract: bool
    status: tuple[StatusRow, ...]
    must_say: tuple[MustSay, ...]
    check_before: tuple[CheckBefore, ...]
    evidence_ids: tuple[str, ...]
    not_an_option_note: str | None
    age_limits: tuple[AgeLimit, ...]
    excluded_by: tuple[Exclusion, ...]
    notes_when: tuple[NoteWhen, ...]

    @property
    def routes(self) -> Mapping[str, Route]:
        """Route and reason by category id (the CD19 axis only)."""
        return self.route_to_category


@dataclass(frozen=True, slots=True)
class Outcome:
    """One figure of a study; percent, months, weeks, days, ratio or patients, with its interval if known."""

    measure: str
    value: int | float | None
    unit: str
    ci_low: int | float | None
    ci_high: int | float | None
    ci_level: int | None
    at: str | None
    numerator: int | None
    denominator: int | None
    note: str | None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class SafetyOutcome:
    """One adverse event of a study."""

    event: str
    grade: str | None
    value: int | float | None
    unit: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one study showed for one population and option; never compared with another as if one trial."""

    id: str
    option_id: str
    option_label: str
    disease: str
    population: str
    post_car_t: str
    adult_or_child: str
    design: str
    n: int | None
    outcomes: tuple[Outcome, ...]
    safety: tuple[SafetyOutcome, ...]
    cd19_requirement_in_study: str
    citation_id: str
    marks: str
    seen_at: str
    as_of: str
    reading: str
    also_cites: tuple[str, ...] = ()
