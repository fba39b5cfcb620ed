"""What a report said of CD19, CD20 and CD22 on malignant cells, with the words that decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mappings.facts import Antigen, AntigenState, Method, SpecimenKind


@dataclass(frozen=True, slots=True)
class AntigenFinding:
    """The state of one antigen on the current malignant cells (rules CD-4), quoted from the original text.

    `band` is true where a number alone decided (rules 11.1); `reason` is a short code saying why it is unknown.
    """

    state: AntigenState
    words: tuple[str, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()
    method: Method = Method.UNSPECIFIED
    percent: str = ""
    h_score: str = ""
    intensity: str = ""
    clone: str = ""
    band: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ReportReading:
    """One report read: antigens, malignant cells in this specimen, MRD, lineage, specimen (rules 11.1-11.2)."""

    findings: Mapping[Antigen, AntigenFinding | None]
    malignancy: str = "not-stated"
    mrd: str = ""
    lineage: str = ""
    specimen: SpecimenKind = SpecimenKind.UNSPECIFIED
    integrated: bool = False
    malignancy_words: tuple[str, ...] = ()
    mrd_words: tuple[str, ...] = ()
    lineage_words: tuple[str, ...] = ()
    specimen_words: tuple[str, ...] = ()
    cut: bool = False


@dataclass(slots=True)
class Claim:
    """One statement on one antigen before the report is weighed as a whole."""

    antigen: str
    value: str
    start: int
    end: int
    reason: str = ""
    pop: str = ""
    past: bool = False
    current: bool = False
    section: str = ""
    order: int = 0
    line: int = 0
    method: str = ""
    corrects: bool = False
    second: bool = False
    band: bool = False
    percent: str = ""
    h_score: str = ""
    intensity: str = ""
    clone: str = ""
    mention: bool = False
    strong: bool = False
    worded: bool = False
    scope: tuple[int, int] = field(default=(0, 0))
