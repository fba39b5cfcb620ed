"""The relapse category and its trail: ordered questions, each HOLDS, FAILS or UNKNOWN, with what it rests on.

Sources: rules 11.5, 11.7, 11.8 (order of questions), 11.9, 11.16, 7 (branches).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mappings.dates import ClinicalDate, before
from mappings.deciding.course_model import Course, Dated
from mappings.evaluation import Branch, CriterionResult, Outcome, RelapseCategory
from mappings.facts import Antigen, AntigenState, Certainty, Diagnosis, EventKind, Facts, Sighting, SourceRef

_LYMPHOID_SCOPES = frozenset({"in", "outside", "unspecified", "excluded"})
_DISEASE = frozenset(
    {
        EventKind.RELAPSE,
        EventKind.PROGRESSION,
        EventKind.REFRACTORY,
        EventKind.MALIGNANT_CELLS,
        EventKind.MRD_POSITIVE,
        EventKind.SUSPECTED,
    }
)
_GIVEN = ("MedicationAdministration/", "MedicationStatement/")
_GROUPS_NOT_LYMPHOID = frozenset({"myeloid"})
_BY_STATE = {
    AntigenState.POSITIVE: RelapseCategory.CD19_POSITIVE,
    AntigenState.LOW_OR_PARTIAL: RelapseCategory.CD19_LOW_OR_PARTIAL,
    AntigenState.NEGATIVE: RelapseCategory.CD19_NEGATIVE,
    AntigenState.UNKNOWN: RelapseCategory.CD19_UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Completeness:
    """What was seen in full, by resource type (rules 11.5)."""

    facts: Facts

    def complete(self, *types: str) -> bool:
        """Whether all of the given types were seen in full."""
        seen = {row.type: row.state for row in self.facts.seen}
        return all(seen.get(kind) == "complete" for kind in types)

    def gaps(self, *types: str) -> str:
        """The types that were not seen in full, with the reason, for a sentence."""
        rows = {row.type: row for row in self.facts.seen}
        parts = []
        for kind in types:
            row = rows.get(kind)
            if row is None or row.state != "complete":
                parts.append(f"{kind} ({row.reason or row.state})" if row else f"{kind} (not given)")
        return ", ".join(parts)


def is_deceased(facts: Facts, as_of: ClinicalDate) -> CriterionResult:
    """Deceased by flag, or by a date not after the time of judgement (11.8)."""
    patient = facts.patient
    sources = (patient.source,) if patient.source else ()
    if patient.deceased:
        return CriterionResult(
            "deceased", Outcome.HOLDS, "the patient is recorded as deceased", "11.8", sources
        )
    if patient.deceased_date is not None and patient.deceased_date.first <= as_of.last:
        because = f"a date of death is recorded: {patient.deceased_date.display()}"
        return CriterionResult("deceased", Outcome.HOLDS, because, "11.8", sources)
    outcome = Outcome.FAILS if patient.source else Outcome.UNKNOWN
    because = "no death is recorded" if patient.source else "the Patient resource was not seen"
    return CriterionResult("deceased", outcome, because, "11.8", sources)


def has_lymphoid_malignancy(facts: Facts, course: Course) -> CriterionResult:
    """A lymphoid malignancy on the problem list or in a report with malignant cells; family history never counts."""
    name = "lymphoid-malignancy"
    found = [d for d in facts.diagnoses if is_lymphoid(d)]
    if found:
        labels = "; ".join(dict.fromkeys(d.label for d in found))
        return CriterionResult(name, Outcome.HOLDS, labels, "11.8", tuple(d.source for d in found))
    if facts.antigens and course.anchor is not None and course.in_relapse:
        sources = tuple(r.source for r in facts.antigens)
        return CriterionResult(
            name, Outcome.HOLDS, "malignant cells were reported after CD19 CAR T", "11.8", sources
        )
    seen = Completeness(facts)
    doubted = [r for r in facts.remarks if r.code == "unconfirmed" and r.about == "diagnosis"]
    if doubted:
        sources = tuple(r.source for r in doubted if r.source)
        return CriterionResult(
            name, Outcome.UNKNOWN, "only unconfirmed diagnoses were found", "11.8", sources
        )
    if not seen.complete("Condition"):
        return CriterionResult(name, Outcome.UNKNOWN, f"not seen in full: {seen.gaps('Condition')}", "11.5")
    return CriterionResult(
        name, Outcome.FAILS, "no active lymphoid malignancy in the conditions read", "11.8"
    )


def is_lymphoid(diagnosis: Diagnosis) -> bool:
    """Whether a diagnosis is a lymphoid malignancy of this patient that is or was active, not a mere history code."""
    return (
        not diagnosis.history
        and diagnosis.scope in _LYMPHOID_SCOPES
        and diagnosis.group not in _GROUPS_NOT_LYMPHOID
    )


def has_cd19_car_t(facts: Facts, course: Course) -> CriterionResult:
    """An administered CD19-directed CAR T infusion (EN-1); target unknown is UNKNOWN, never no (11.7)."""
    name = "cd19-car-t"
    anchor = course.anchor
    if anchor is not None:
        when = anchor.first.display() if anchor.first else "date not recorded"
        extra = "; dose may be incomplete" if anchor.possibly_incomplete else ""
        extra += "; split doses, day count from the first" if anchor.split_doses else ""
        return CriterionResult(name, Outcome.HOLDS, f"{anchor.label}, {when}{extra}", "EN-1", anchor.sources)
    if course.unknown_target:
        sources = tuple(s for i in course.unknown_target for s in i.sources)
        because = "CAR T is on record, but the product and its target are not"
        return CriterionResult(name, Outcome.UNKNOWN, because, "11.7", sources)
    ahead = [r.source for r in facts.remarks if r.code == "future" and r.about == "car-t" and r.source]
    if ahead:
        because = "the only infusion on record is dated after the time of judgement"
        return CriterionResult(name, Outcome.UNKNOWN, because, "EN-1", tuple(ahead))
    seen = Completeness(facts)
    needed = ("Procedure", "MedicationAdministration", "Condition")
    if not seen.complete(*needed):
        return CriterionResult(name, Outcome.UNKNOWN, f"not seen in full: {seen.gaps(*needed)}", "11.5")
    unnamed = _unnamed_drugs(facts)
    if unnamed:
        because = "a drug that was given is named by a reference that was not read; it may be CAR T"
        return CriterionResult(name, Outcome.UNKNOWN, because, "11.5", unnamed)
    other = tuple(s for i in (*facts.infusions, *facts.other_cellular) for s in i.sources)
    because = (
        "only cellular therapy against another target was found" if other else "no infusion in the data read"
    )
    return CriterionResult(name, Outcome.FAILS, because, "EN-1", other)


def _unnamed_drugs(facts: Facts) -> tuple[SourceRef, ...]:
    """Administrations whose drug could not be told: each may be the infusion that is looked for."""
    return tuple(
        r.source
        for r in facts.remarks
        if r.code == "no-drug" and r.source is not None and r.source.reference.startswith(_GIVEN)
    )


def has_relapse(facts: Facts, course: Course) -> CriterionResult:
    """Active disease after the anchor: confirmed, stated, suspected or at MRD level (11.9)."""
    name = "relapse-after-car-t"
    if course.in_relapse:
        rows = "; ".join(
            dict.fromkeys(
                _words(item.event.words or item.event.kind.value, item.date) for item in course.relapse
            )
        )
        sources = tuple(item.event.source for item in course.relapse)
        return CriterionResult(name, Outcome.HOLDS, rows, "11.9", sources)
    seen = Completeness(facts)
    needed = ("Condition", "Observation", "DiagnosticReport")
    active = [item for item in course.may_be_relapse if not _answered(item, course)]
    if active:
        because = "disease is reported, but its date cannot be put after the infusion"
        if all(item.event.unreadable for item in active):
            because = "what is said of the disease could not be read"
        return CriterionResult(name, Outcome.UNKNOWN, because, "11.11", tuple(u.event.source for u in active))
    if not seen.complete(*needed):
        return CriterionResult(name, Outcome.UNKNOWN, f"not seen in full: {seen.gaps(*needed)}", "11.5")
    told = _without_infusion(facts, course)
    if told:
        because = "disease is reported, but the infusion to judge it against is not known"
        return CriterionResult(name, Outcome.UNKNOWN, because, "11.11", told)
    sources = tuple(r.event.source for r in (*course.responses, *course.partial))
    because = "no relapse in the data read" + (", a response is recorded" if sources else "")
    return CriterionResult(name, Outcome.FAILS, because, "11.9", sources)


def _without_infusion(facts: Facts, course: Course) -> tuple[SourceRef, ...]:
    """Disease that is told while it is open whether and when CAR T was given: no *no* can be said of it."""
    if course.anchor is not None or has_cd19_car_t(facts, course).outcome is not Outcome.UNKNOWN:
        return ()
    return tuple(event.source for event in facts.events if event.kind in _DISEASE)


def _answered(item: Dated, course: Course) -> bool:
    """Whether a later response makes it no matter whether this was a relapse."""
    return item.date is not None and any(
        response.date is not None and before(item.date, response.date) for response in course.responses
    )


def _words(text: str, date: ClinicalDate | None) -> str:
    return f"{text} ({date.display()})" if date else text


def has_lineage_switch(facts: Facts, course: Course) -> CriterionResult:
    """Myeloid or mixed phenotype at this relapse (CD-10)."""
    found = after_anchor(facts.lineage_switch, course)
    if found:
        because = (
            "; ".join(dict.fromkeys(s.source.quote for s in found if s.source.quote))
            or "lineage switch is reported"
        )
        return CriterionResult(
            "lineage-switch", Outcome.HOLDS, because, "CD-10", tuple(s.source for s in found)
        )
    return CriterionResult(
        "lineage-switch", Outcome.FAILS, "no switch of lineage in the reports read", "CD-10"
    )


def after_anchor(sightings: Iterable[Sighting], course: Course) -> list[Sighting]:
    """Sightings that are not known to lie before the anchor."""
    anchor = course.anchor
    if anchor is None or anchor.last is None:
        return list(sightings)
    return [s for s in sightings if s.when is None or before(anchor.last, s.when) is not False]


def cd19_state(state: AntigenState, because: str, sources: tuple[SourceRef, ...]) -> CriterionResult:
    """The CD19 question; unknown is an outcome of its own."""
    outcome = {
        AntigenState.POSITIVE: Outcome.HOLDS,
        AntigenState.NEGATIVE: Outcome.FAILS,
    }.get(state, Outcome.UNKNOWN)
    if state is AntigenState.LOW_OR_PARTIAL:
        outcome = Outcome.HOLDS
    return CriterionResult("cd19-on-relapse", outcome, f"{Antigen.CD19.value} {because}", "CD-1", sources)


def categorise(trail: list[CriterionResult], cd19: AntigenState) -> RelapseCategory:
    """The first question that decides, in the order of 11.8; one that cannot be answered gives insufficient-data."""
    answers = {step.criterion: step.outcome for step in trail}
    if answers["deceased"] is Outcome.HOLDS:
        return RelapseCategory.DECEASED
    for criterion, no in (
        ("lymphoid-malignancy", RelapseCategory.NO_LYMPHOID_MALIGNANCY),
        ("cd19-car-t", RelapseCategory.NO_CD19_CAR_T),
        ("relapse-after-car-t", RelapseCategory.NO_RELAPSE),
    ):
        if answers[criterion] is Outcome.FAILS:
            return no
        if answers[criterion] is Outcome.UNKNOWN:
            return RelapseCategory.INSUFFICIENT_DATA
    if answers["lineage-switch"] is Outcome.HOLDS:
        return RelapseCategory.LINEAGE_SWITCH
    return _BY_STATE[cd19]


def branch_of(
    category: RelapseCategory, t_cell: list[Sighting], in_cns: bool, course: Course
) -> Branch | None:
    """A situation that leaves the CD19 tree or stands beside it (rules 7)."""
    if t_cell and category is not RelapseCategory.DECEASED:
        return Branch.T_CELL_MALIGNANCY
    if in_cns and course.in_relapse:
        return Branch.CNS
    if category is RelapseCategory.NO_RELAPSE and course.partial and not _complete_after(course):
        return Branch.PARTIAL_RESPONSE
    return None


def _complete_after(course: Course) -> bool:
    """Whether a complete response followed the last partial one."""
    last = max((p.date for p in course.partial if p.date), key=lambda d: d.last, default=None)
    if last is None:
        return bool(course.responses)
    return any(r.date is None or before(last, r.date) for r in course.responses)


def is_cns_lymphoma(facts: Facts) -> bool:
    """Whether a lymphoma that is of the CNS by its name is on the list and not said to be over (rules 7)."""
    return any(
        d.disease == "primary-cns-lymphoma"
        and not (d.history or d.remission_code)
        and d.status not in ("remission", "resolved", "inactive")
        for d in facts.diagnoses
    )


def isolated_cns_relapse(cns: list[Sighting], course: Course) -> bool:
    """CNS disease after the anchor with nothing that places the relapse elsewhere (tissue of the brain is CNS)."""
    if not cns:
        return False
    if any(sighting.isolated for sighting in cns):
        return True
    events = [item.event for item in course.relapse]
    of_cns = {event.source.reference for event in events if event.site == "cns"}
    sites = {event.site for event in events if event.source.reference not in of_cns}
    return (
        bool(course.relapse)
        and not sites & {"tissue", "marrow", "effusion", "blood"}
        and course.certainty is not Certainty.NONE
    )
