"""The registration sheet's own types: a sheet of sections of rows, each value to be pasted as it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the sheet: what it is and its value or values, each to be pasted as it stands."""

    label: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the sheet."""

    key: str
    title: str
    rows: tuple[Row, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The whole sheet of one site for one kind of EHR."""

    site: str
    ehr: str
    made: datetime
    sections: tuple[Section, ...]

    def as_json(self) -> dict[str, Any]:
        """The sheet as an object: one member per section, one per row, each a list of texts."""
        parts = {
            section.key: {
                "title": section.title,
                **({"note": section.note} if section.note else {}),
                "rows": {row.label: list(row.values) for row in section.rows},
            }
            for section in self.sections
        }
        made = self.made.isoformat(timespec="seconds")
        return {"site": self.site, "ehr": self.ehr, "made": made, "sections": parts}
