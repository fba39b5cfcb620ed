"""Local policy: what no evidence fixes, shipped as visible defaults a site can change (rules 8, 11.1)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import isfinite

from mappings.dates import parse_date


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
    """A site's own limit for a laboratory value; none ships, so values are shown without pass or fail.

    A value in `unit` that is less than `min` is below it; with the comparator `<=` one that equals it too.
    """

    fact: str
    min: float | None
    max: float | None
    unit: str
    basis: str
    comparator: str = "<"
    approved_by: str = ""
    approved_on: str = ""

    def breached_by(self, number: float | None) -> bool:
        """Whether a number, already in the unit of the limit, lies below it."""
        if self.min is None or number is None:
            return False
        return number < self.min or (self.comparator == "<=" and number == self.min)

    def words(self) -> str:
        """The limit with its unit, and who set it when."""
        said = f"{self.min:g} {self.unit}" if self.min is not None else "none"
        by = f"set by {self.approved_by}" if self.approved_by else ""
        return f"{said} ({by}, {self.approved_on})" if by else said


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteLimit:
    """A limit as an overlay sets it: a value of `fact` that compares so with `value` gets a warning (H-40)."""

    fact: str
    comparator: str
    value: float
    unit: str
    approved_by: str
    approved_on: str

    def fault(self, facts: Collection[str]) -> str:
        """What is wrong with it, empty where it can be used; `facts` are those that a rule holds against a limit."""
        approved = parse_date(self.approved_on)
        if self.fact not in facts:
            return f"no rule holds {self.fact!r} against a limit"
        if self.comparator not in ("<", "<="):
            return f"the comparator {self.comparator!r} is neither < nor <="
        if not isfinite(self.value) or self.value <= 0:
            return "the value is no number above zero"
        if not self.unit.strip() or not self.approved_by.strip():
            return "unit and approver have to be named"
        if approved is None or not approved.exact:
            return "the date of approval is no day"
        return ""

    def as_limit(self) -> Limit:
        """The limit that takes the place of the shipped one."""
        basis = f"local policy, approved by {self.approved_by}, {self.approved_on}"
        return Limit(
            self.fact,
            self.value,
            None,
            self.unit,
            basis,
            self.comparator,
            self.approved_by,
            self.approved_on,
        )


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

    def faults(self) -> tuple[tuple[str, str], ...]:
        """Settings out of range, each with what is wrong; bands must not cross (rules 11.1)."""
        share = 0 <= self.share_negative_below < self.share_positive_from <= 100
        h_score = 0 <= self.h_score_negative_below < self.h_score_positive_from <= 300
        days = ("window_days", "max_age_days_lymphoma", "max_age_days_b_all", "merge_days", "gestation_weeks")
        rows = [] if share else [("share_positive_from", "bands overlap or leave the scale 0 to 100")]
        rows += [] if h_score else [("h_score_positive_from", "bands overlap or leave the scale 0 to 300")]
        rows += [(name, "is less than zero") for name in days if getattr(self, name) < 0]
        return tuple(rows)

    def max_age_days(self, disease_group: str) -> int:
        """Days after which newer evidence of a later episode outdates an antigen result (rules 11.3)."""
        return self.max_age_days_b_all if disease_group == "b-all" else self.max_age_days_lymphoma

    def timing_bin(self, days: int) -> TimingBin | None:
        """The display bin of a day count; none for a day before the infusion."""
        for row in self.timing_bins:
            if row.from_day <= days and (row.to_day is None or days <= row.to_day):
                return row
        return None
