"""The knowledge a chart is judged with, as frozen types; the JSON files carry the same field names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mappings.loading.codes import Systems

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
    """Approval of an option in one region as last seen; `as_of` is the date of the source."""

    region: str
    state: str
    indication: str
    as_of: str
    seen: bool
    citation_id: str | None


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
    value: float | None
    unit: str
    ci_low: float | None
    ci_high: float | None
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
    value: float | None
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
class Setting:
    """One value of the local policy with unit, basis and sources."""

    value: bool | int | float | str | None
    unit: str
    basis: str
    note: str
    citation_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TimingBin:
    """A display bin of days from the first bag of the latest infusion; it selects no treatment (rules 5)."""

    id: str
    label: str
    from_day: int
    to_day: int | None
    basis: str
    evidence_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limit:
    """A site's own limit for a laboratory value; none ships, so values are shown without pass or fail."""

    fact: str
    min: float | None
    max: float | None
    unit: str
    basis: str


@dataclass(frozen=True, slots=True)
class Policy:
    """Local policy: bands, windows, ages, what is shown (rules 8, 11.1); `settings` keeps the basis."""

    share_bands_on: bool
    share_positive_from: float
    share_negative_below: float
    h_score_bands_on: bool
    h_score_positive_from: float
    h_score_negative_below: float
    window_days: int
    max_age_days_lymphoma: int
    max_age_days_b_all: int
    merge_days: int
    gestation_weeks: int
    cns_needs_cns_specimen: bool
    region: str | None
    show_off_label: bool
    show_trial_only: bool
    washout_days: int | None
    timing_bins: tuple[TimingBin, ...]
    limits: tuple[Limit, ...]
    settings: Mapping[str, Setting] = field(default_factory=dict, hash=False, compare=False)

    def max_age_days(self, disease_group: str) -> int:
        """Days after which newer evidence of a later episode outdates an antigen result (rules 11.3)."""
        return self.max_age_days_b_all if disease_group == "b-all" else self.max_age_days_lymphoma

    def timing_bin(self, days: int) -> TimingBin | None:
        """The display bin of a day count; none for a day before the infusion."""
        for row in self.timing_bins:
            if row.from_day <= days and (row.to_day is None or days <= row.to_day):
                return row
        return None


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
