"""Telling a statement of the user from a record of the chart, wherever a source is weighed or shown (H-46)."""

from __future__ import annotations

from mappings.facts import SourceRef

STATED = "stated by the user"
STATED_PREFIX = "stated/"
BLOOD_WITH_CELLS = "blood with lymphoma cells or blasts"
"""Blood as the user states it: without malignant cells in it blood tells nothing of the tumour (CD-2)."""


def is_stated(source: SourceRef | None) -> bool:
    """Whether a source is a statement of the user and no record of the chart."""
    return source is not None and source.reference.startswith(STATED_PREFIX)
