"""How firmly the relapse stands, as a sentence and as a short mark, and what not reading a type leaves open.

What a user stated is said to be stated; what was not read is never said to be absent (rules 11.5, 11.9; H-46, H-54).
"""

from __future__ import annotations

from cds_hooks.needs import words_of
from cds_hooks.plain import all_of, plain, upper_first
from mappings.evaluation import Assessment, Evaluation, RelapseCategory
from mappings.facts import Certainty
from mappings.sources import STATED, is_stated

_SPECIMENS = ("Observation", "DiagnosticReport")
_THERAPIES = ("Procedure", "MedicationAdministration")
_RESTS_ON_LATEST_THERAPY = frozenset(
    {RelapseCategory.CD19_POSITIVE, RelapseCategory.CD19_LOW_OR_PARTIAL, RelapseCategory.CD19_NEGATIVE}
)
_BADGES = {
    Certainty.CONFIRMED: "Confirmed by a specimen",
    Certainty.STATED: "Stated, no specimen confirms it",
    Certainty.SUSPECTED: "Suspected, not confirmed",
    Certainty.MRD: "MRD level",
    Certainty.NONE: "",
}


def confirmation_line(evaluation: Evaluation) -> str:
    """How firmly the relapse stands; suspected and MRD level are said before anything else (rules 11.9)."""
    assessment = evaluation.assessment
    when = _date_words(assessment)
    unread = specimens_unread(evaluation)
    if assessment.confirmation is Certainty.SUSPECTED:
        lead = f"Suspected, not confirmed, {when}{_relapse_words(assessment)}. Imaging alone can mislead."
        return f"{lead} No specimen seen: {unread}." if unread else lead
    if assessment.confirmation is Certainty.MRD:
        lead = f"MRD level, below morphological relapse, {when}."
        return f"{lead} Morphological relapse not ruled out: {unread}." if unread else lead
    if assessment.confirmation is Certainty.CONFIRMED:
        return _confirmed(assessment, when)
    if unread:
        return f"Relapse stated in the chart, {when}; no specimen seen: {unread}."
    partly = assessment.unread or any(seen.state != "complete" for seen in evaluation.facts.seen)
    place = "in what was read" if partly else "on record"
    return f"Relapse stated in the chart, {when}; no specimen {place} confirms it."


def confirmation_mark(evaluation: Evaluation) -> str:
    """The same in a few words, for a badge."""
    assessment = evaluation.assessment
    unread = specimens_unread(evaluation)
    said = _BADGES[assessment.confirmation]
    if confirmed_by_user(assessment):
        return f"{said}, {STATED}"
    if unread and assessment.confirmation is Certainty.STATED:
        return f"Stated, no specimen seen: {unread}"
    if unread and assessment.confirmation in (Certainty.SUSPECTED, Certainty.MRD):
        return f"{said}; {unread}"
    return said


def confirmed_by_user(assessment: Assessment) -> bool:
    """Whether nothing but statements of the user makes the relapse a confirmed one (H-46)."""
    sources = assessment.confirmation_sources
    confirmed = assessment.confirmation is Certainty.CONFIRMED
    return confirmed and bool(sources) and all(is_stated(source) for source in sources)


def specimens_unread(evaluation: Evaluation) -> str:
    """Which types that bear specimen results were not read in full; without them no specimen can be denied (H-54)."""
    return unread_words(evaluation, _SPECIMENS)


def unread_words(evaluation: Evaluation, types: tuple[str, ...]) -> str:
    """Which of these types were not read in full: `procedures not read, administrations read in part`; else empty."""
    parts = []
    for state, said in (("not-seen", "not read"), ("incomplete", "read in part")):
        found = [seen for seen in evaluation.facts.seen if seen.type in types and seen.state == state]
        names = dict.fromkeys(words_of(seen.type) for seen in found)
        if names:
            parts.append(f"{all_of(list(names))} {said}")
    return ", ".join(parts)


def partly_line(evaluation: Evaluation) -> str:
    """`Not everything was read: …`, every type with its reason; empty where all was read (rules 11.5, H-08)."""
    parts = []
    for state, said in (("not-seen", "not read"), ("incomplete", "read in part")):
        names: dict[str, list[str]] = {}
        for seen in evaluation.facts.seen:
            if seen.state == state:
                names.setdefault(plain(seen.reason, 80), []).append(words_of(seen.type))
        for reason, types in names.items():
            parts.append(f"{all_of(types)} {said}" + (f" ({reason})" if reason else ""))
    return f"Not everything was read: {'; '.join(parts)}. Not seen does not mean absent." if parts else ""


def later_therapy_line(evaluation: Evaluation) -> str:
    """What a CD19 state leaves open while a later CD19-directed therapy may stand in what was not read (CD-1)."""
    if evaluation.assessment.category not in _RESTS_ON_LATEST_THERAPY:
        return ""
    unread = unread_words(evaluation, _THERAPIES)
    return f"{upper_first(unread)}: a later CD19-directed therapy is not ruled out." if unread else ""


def _confirmed(assessment: Assessment, when: str) -> str:
    if not confirmed_by_user(assessment):
        return f"Relapse first on record {when}, confirmed by malignant cells in a specimen."
    if is_stated(assessment.timing.relapse_source):
        date = assessment.timing.relapse_date
        day = date.display() if date else "date not known"
        return f"Relapse {day}, confirmed by malignant cells in a specimen: {STATED}, not in the chart."
    return (
        f"Relapse first on record {when}. "
        f"Confirmed by malignant cells in a specimen: {STATED}, not in the chart."
    )


def _date_words(assessment: Assessment) -> str:
    """The day of the relapse; a day that only a statement gives says so."""
    date = assessment.timing.relapse_date
    if date is None:
        return "date not known"
    by_user = is_stated(assessment.timing.relapse_source)
    return f"{date.display()} (date {STATED})" if by_user else date.display()


def _relapse_words(assessment: Assessment) -> str:
    source = assessment.timing.relapse_source
    return f" (“{plain(source.quote, 70)}”)" if source is not None and source.quote else ""
