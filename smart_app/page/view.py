"""What one page is drawn from: an evaluation, the workspace it belongs to, and what the user has said so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from mappings.evaluation import Evaluation
from mappings.stated import Statement

if TYPE_CHECKING:
    from mappings.loading import Knowledge


class ContextNote(StrEnum):
    """What became of the context a card's link carried (H-05)."""

    NONE = "none"
    OK = "ok"
    EXPIRED = "expired"
    OTHER_PATIENT = "other-patient"
    NOT_CHECKED = "not-checked"


@dataclass(frozen=True, slots=True)
class Stated:
    """One statement of the user with the moment it was made and where the user read it."""

    statement: Statement
    at: datetime
    where: str = ""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which options are on screen; empty means all. Filters never reach print, text or JSON (H-39)."""

    target: str = ""
    region: str = ""
    status: str = ""
    disease: str = ""

    @property
    def active(self) -> bool:
        """Whether any filter is set."""
        return bool(self.target or self.region or self.status or self.disease)


_TARGETS = frozenset({"cd19", "cd20", "cd22", "free"})
_STATUSES = frozenset({"label", "off", "trial", "other"})


def read_filters(query: Mapping[str, str], evaluation: Evaluation) -> Filters:
    """The filters of a page address; what is not known is left out, never guessed."""
    target, status = query.get("target", ""), query.get("status", "")
    region, disease = query.get("region", "").upper(), query.get("disease", "")
    return Filters(
        target=target if target in _TARGETS else "",
        region=region if region in evaluation.regions else "",
        status=status if status in _STATUSES else "",
        disease=disease if disease.replace("-", "").isalnum() and len(disease) < 20 else "",
    )


@dataclass(frozen=True, slots=True)
class PageView:
    """Everything `render_page` needs; it reads no clock, no file of the patient and no network.

    `evaluation` is what is shown, statements applied; `chart` is the evaluation of the chart alone while statements
    stand, and `stated_left_s` the seconds until the first of them ends. `base` is the path of the workspace without a
    slash at its end. `records` holds the raw JSON of resources by `Type/id`; only those that decided are looked up.
    """

    evaluation: Evaluation
    knowledge: Knowledge
    base: str
    csrf: str
    read_at: datetime
    user: str = ""
    site: str = ""
    environment: str = ""
    need_banner: bool = True
    highlighted: tuple[str, ...] = ()
    app_context: ContextNote = ContextNote.NONE
    statements: tuple[Stated, ...] = ()
    chart: Evaluation | None = None
    filters: Filters = Filters()
    records: Mapping[str, bytes] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    form_faults: Mapping[str, str] = field(default_factory=dict)
    message: str = ""
    stated_left_s: int | None = None

    @property
    def root(self) -> str:
        """The path that the product is served under, before the workspace; empty at the top of a host."""
        return self.base.rsplit("/w/", 1)[0] if "/w/" in self.base else ""
