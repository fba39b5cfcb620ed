"""The one answer that feeds every face: category with its trail, options with their routes, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mappings.dates import ClinicalDate
from mappings.facts import (
    Antigen,
    AntigenResult,
    AntigenState,
    CarTInfusion,
    Certainty,
    Diagnosis,
    DiseaseEvent,
    Facts,
    Remark,
    SafetyFact,
    SourceRef,
)


class RelapseCategory(StrEnum):
    """The ten answers (design, categories; rules 11.8)."""

    NO_LYMPHOID_MALIGNANCY = "no-lymphoid-malignancy"
    NO_CD19_CAR_T = "no-cd19-car-t"
    NO_RELAPSE = "no-relapse"
    CD19_POSITIVE = "cd19-positive"
    CD19_LOW_OR_PARTIAL = "cd19-low-or-partial"
    CD19_NEGATIVE = "cd19-negative"
    CD19_UNKNOWN = "cd19-unknown"
    LINEAGE_SWITCH = "lineage-switch"
    DECEASED = "deceased"
    INSUFFICIENT_DATA = "insufficient-data"


class Branch(StrEnum):
    """Situations that leave the CD19 tree or stand beside it (rules 7)."""

    T_CELL_MALIGNANCY = "t-cell-malignancy"
    CNS = "cns"
    PARTIAL_RESPONSE = "partial-response"


class Outcome(StrEnum):
    """What became of a criterion; UNKNOWN is a value, never a no (invariant 3)."""

    HOLDS = "HOLDS"
    FAILS = "FAILS"
    UNKNOWN = "UNKNOWN"


class Route(StrEnum):
    """How an option stands for this patient; the order is the order of display."""

    CONSIDER = "consider"
    NEEDS_RESULT = "needs-result"
    SPECIALIST = "specialist"
    NOT_SUITABLE = "not-suitable"
    OUT_OF_SCOPE = "out-of-scope"


@dataclass(frozen=True, slots=True)
class CriterionResult:
    """One step of the trail: the question, what became of it, why, by which rule, resting on which resources."""

    criterion: str
    outcome: Outcome
    because: str
    rule: str
    sources: tuple[SourceRef, ...] = ()


@dataclass(frozen=True, slots=True)
class AntigenView:
    """The state of one antigen now: the result(s) it rests on, or why there is none.

    `discordant` marks valid results that disagree; `before` names a state that was voided by a later therapy
    ("before loncastuximab: positive"); `band` marks a state that rests on a local policy band.
    """

    antigen: Antigen
    state: AntigenState
    because: str
    results: tuple[AntigenResult, ...] = ()
    discordant: bool = False
    before: str = ""
    band: bool = False
    preliminary: bool = False
    on_treatment: bool = False
    voided: bool = False


@dataclass(frozen=True, slots=True)
class Timing:
    """Days from the first bag of the latest CD19 CAR T infusion to the relapse, and the display bin (rules 5)."""

    days: int | None
    bin: str | None
    primary_refractory: bool | None
    relapse_date: ClinicalDate | None = None
    relapse_source: SourceRef | None = None
    response: DiseaseEvent | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that was looked for and not found, and what would settle it."""

    what: str
    remedy: str
    code: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """Category, axes, trail and gaps, before any option is looked at.

    `confirmation_sources`: what the relapse stands on as firmly as `confirmation` says, statements included (H-46).
    """

    category: RelapseCategory
    branch: Branch | None
    confirmation: Certainty
    antigens: tuple[AntigenView, ...]
    timing: Timing
    disease: Diagnosis | None
    disease_group: str
    disease_scope: str
    age_years: int | None
    pmbcl: bool
    cns: bool
    anchor: CarTInfusion | None
    trail: tuple[CriterionResult, ...]
    missing: tuple[Missing, ...]
    conflicts: tuple[Remark, ...]
    set_aside: tuple[Remark, ...]
    unread: tuple[Remark, ...]
    remarks: tuple[Remark, ...]
    confirmation_sources: tuple[SourceRef, ...] = ()

    def antigen(self, antigen: Antigen) -> AntigenView:
        """The view of one antigen."""
        return next(view for view in self.antigens if view.antigen is antigen)


@dataclass(frozen=True, slots=True)
class Check:
    """A fact to check before use: the patient's value and date, or that it was not seen; never pass or fail."""

    fact: str
    why: str
    seen: bool
    citation: str | None
    value: str
    values: tuple[SafetyFact, ...] = ()


@dataclass(frozen=True, slots=True)
class OptionMatch:
    """One option with its route and the one-line reason that quotes the patient's own data."""

    option: str
    label: str
    short_name: str
    card_group: str
    kind: str
    route: Route
    why: str
    rule: str
    checks: tuple[Check, ...]
    notes: tuple[str, ...]
    evidence: tuple[str, ...]
    status: tuple[dict[str, object], ...]
    boxed: tuple[dict[str, object], ...]
    must_say: tuple[dict[str, object], ...]
    given_before: str = ""
    no_evidence: bool = False


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One dated thing of the course, for picture and table."""

    when: ClinicalDate | None
    day: int | None
    lane: str
    label: str
    detail: str
    source: SourceRef | None
    set_aside: bool = False


@dataclass(frozen=True, slots=True)
class KnowledgeStamp:
    """Which knowledge the answer rests on."""

    version: str
    digest: str
    overlay: str | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything a face may show: it adds words and layout, never a clinical decision (invariant 2).

    Without `safety_read` the values that options and orders ask about were not looked for: none of them is "not seen".
    """

    assessment: Assessment
    matches: tuple[OptionMatch, ...]
    timeline: tuple[TimelineEntry, ...]
    knowledge: KnowledgeStamp
    facts: Facts
    as_of: str
    regions: tuple[str, ...]
    safety_read: bool = True
