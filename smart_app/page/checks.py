"""What is to be checked before an option, with this patient's value and date beside it; never a pass or fail."""

from __future__ import annotations

from dataclasses import dataclass

from mappings.deciding.options_plan import NOT_SEEN
from mappings.evaluation import Check
from smart_app.page import words
from smart_app.page.view import PageView


@dataclass(frozen=True, slots=True)
class CheckLine:
    """A fact to look at before use: label, why it is asked, and what is on record; never pass or fail."""

    fact: str
    label: str
    why: str
    common: bool
    kind: str
    glyph: str
    value: str
    detail: str


def check_line(view: PageView, check: Check) -> CheckLine:
    """One check with the patient's value, or in words why there is none; never a pass or fail (rules 8)."""
    known = view.knowledge.checks.get(check.fact)
    label = words.upper_first(known.label if known is not None else check.fact.replace("-", " "))
    source = known.source if known is not None else "safety"
    kind, glyph, value, where = _said(view, check, source)
    return CheckLine(check.fact, label, check.why, not check.seen, kind, glyph, value, where)


def _said(view: PageView, check: Check, source: str) -> tuple[str, str, str, str]:
    """Kind, mark, value and place of a check."""
    if check.values or check.value not in ("", NOT_SEEN):
        unknown = source == "antigen" and "unknown" in check.value and "positive" not in check.value
        kind = "missing" if unknown else "value"
        return kind, kind, words.upper_first(words.short(f"{_measured(view, check)}{check.value}", 200)), ""
    if source in ("condition", "therapy"):
        types = ("Condition",) if source == "condition" else ("MedicationAdministration", "Procedure")
        if not _read_in_full(view, types):
            return "missing", "missing", "Not seen in full", "not everything was read"
        where = "problem list" if source == "condition" else "administrations and procedures"
        return "none", "none", "None found", f"{where}, read {words.iso_words(view.evaluation.as_of)}"
    if source == "ask":
        return "ask", "none", "To ask", "not kept in charts as a value"
    return "missing", "missing", "Not found", "no value in what was read"


def _measured(view: PageView, check: Check) -> str:
    """What was measured, where it is not what the check is called: a creatinine is no creatinine clearance."""
    kinds = {value.fact for value in check.values}
    if len(kinds) != 1 or check.fact in kinds:
        return ""
    concept = view.knowledge.concepts.get(kinds.pop())
    said = concept is None or concept.label.lower() in check.value.lower()
    return "" if said or concept is None else f"{concept.label} "


def _read_in_full(view: PageView, types: tuple[str, ...]) -> bool:
    """Whether a `none found` may be said of these types: all complete, and no entry of theirs unreadable (H-08, H-11)."""
    evaluation = view.evaluation
    seen = {row.type: row.state for row in evaluation.facts.seen}
    unread = {
        r.source.reference.partition("/")[0] for r in evaluation.assessment.unread if r.source is not None
    }
    return all(seen.get(kind) == "complete" and kind not in unread for kind in types)
