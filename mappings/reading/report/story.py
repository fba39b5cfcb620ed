"""What runs through a report while its sentences are read: the sentence, and the story so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from mappings.reading.report.model import Claim
from mappings.reading.report.quantity import Step
from mappings.reading.report.tokens import Token
from mappings.reading.report.words import Words

CHOICE = frozenset(("pos", "neg", "low", "failed", "pending", "hedge", "v", "mask"))


@dataclass(slots=True)
class Sentence:
    """The tokens of one sentence with the section and the line it stands on."""

    tokens: list[Token]
    section: str
    line: int
    first: bool
    indent: bool
    groups: list[int] = field(default_factory=list)
    group_kinds: dict[int, set[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Story:
    """What runs through the whole text while its sentences are read one by one."""

    words: Words
    claims: list[Claim] = field(default_factory=list)
    mentions: dict[str, list[tuple[str, int, int]]] = field(default_factory=dict)
    present: list[tuple[int, int, bool]] = field(default_factory=list)
    other_absent: bool = False
    other_present: list[tuple[int, int, bool]] = field(default_factory=list)
    absent: list[tuple[int, int]] = field(default_factory=list)
    carried_pop: str = ""
    carried_past: bool = False
    carried_value: str = ""
    method: str = ""
    bare_percent: bool = False
    last: list[Claim] = field(default_factory=list)
    two: bool = False
    specimen: str = ""
    undetermined: bool = False
    final_absent: bool = False
    final_present: bool = False
    small_disease: bool = False
    header_past: bool = False
    old_lines: frozenset[int] = frozenset()
    newest_lines: frozenset[int] = frozenset()
    mrd: str = ""
    mrd_spans: list[tuple[int, int]] = field(default_factory=list)
    past_spans: list[tuple[int, int]] = field(default_factory=list)
    shown: dict[str, set[str]] = field(default_factory=dict)
    shown_span: tuple[int, int] = (0, 0)
    large: bool = False
    legend: dict[str, str] = field(default_factory=dict)
    scale: tuple[Step, ...] = ()
    hscore: bool = False
    mfi: bool = False
    denominator: float = 0.0
    mrd_text: bool = False

    def past_at(self, position: int) -> bool:
        """Whether a place in the text speaks of the past or of another specimen."""
        return any(a <= position < b for a, b in self.past_spans)

    def mention(self, antigen: str, why: str, start: int, end: int) -> None:
        """Notes an antigen that was named without a usable result."""
        self.mentions.setdefault(antigen, []).append((why, start, end))
