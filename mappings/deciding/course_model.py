"""The course after CAR T as deciding works it out: the anchor, dated evidence, the relapse that stands now."""

from __future__ import annotations

from dataclasses import dataclass, field

from mappings.dates import ClinicalDate
from mappings.facts import CarTInfusion, Certainty, DiseaseEvent, Remark


@dataclass(frozen=True, slots=True)
class Dated:
    """A disease event with the date it has after the anchor; None where it is the state now, undated."""

    event: DiseaseEvent
    date: ClinicalDate | None


@dataclass(slots=True)
class Course:
    """What happened after the anchor infusion. `relapse` is the active evidence of the current episode;
    `may_be_relapse` is evidence whose meaning or place in time is not known and that may be one (11.11).
    """

    anchor: CarTInfusion | None = None
    unknown_target: tuple[CarTInfusion, ...] = ()
    relapse: list[Dated] = field(default_factory=list)
    start: ClinicalDate | None = None
    earlier_starts: list[ClinicalDate] = field(default_factory=list)
    responses: list[Dated] = field(default_factory=list)
    partial: list[Dated] = field(default_factory=list)
    unordered: list[Dated] = field(default_factory=list)
    may_be_relapse: list[Dated] = field(default_factory=list)
    certainty: Certainty = Certainty.NONE
    refractory_stated: bool = False
    remarks: list[Remark] = field(default_factory=list)
    outdone: str = ""

    @property
    def in_relapse(self) -> bool:
        """Whether disease is active now after the anchor, on whatever evidence."""
        return bool(self.relapse)
