"""Which disease the relapse is of: the group that options and evidence are matched by (rules 6, 11.16)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from mappings.dates import before
from mappings.facts import CarTInfusion, Diagnosis, EventKind, Facts

RULE_GROUPS = frozenset({"lbcl", "fl", "mcl", "b-all"})
_STATUS_RANK = {"relapse": 0, "active": 1, "reported": 2, "": 3, "unknown": 3, "remission": 4}
_SCOPE_RANK = {"in": 0, "outside": 1, "unspecified": 2, "excluded": 4}


@dataclass(frozen=True, slots=True)
class DiseaseChoice:
    """The diagnosis in question; `group` is empty where no rule set fits, `note` says what was inferred."""

    diagnosis: Diagnosis | None
    group: str
    scope: str
    pmbcl: bool
    note: str = ""


def choose_disease(facts: Facts, anchor: CarTInfusion | None) -> DiseaseChoice:
    """The lymphoid malignancy that CAR T was given for: the relapsed one first, a transformed one before its origin."""
    candidates = [
        d for d in facts.diagnoses if not d.history and d.scope != "excluded" and d.group != "myeloid"
    ]
    if not candidates:
        candidates = [d for d in facts.diagnoses if not d.history and d.group != "myeloid"]
    if not candidates:
        return DiseaseChoice(None, "", "", False)
    best, note = min(candidates, key=_rank), ""
    if best.group == "fl":
        best, note = _transformed(best, [d for d in candidates if d.scope == "in"], anchor)
    specified = _same_disease_named_better(best, candidates)
    pmbcl = specified.pmbcl
    if specified.group in RULE_GROUPS:
        return DiseaseChoice(specified, specified.group, "in", pmbcl, note)
    if specified.group == "unspecified" and specified.disease.startswith("all") and anchor is not None:
        note = "B lineage is inferred: the code does not state it, and CD19 CAR T was given"
        return DiseaseChoice(specified, "b-all", "in", False, note)
    return DiseaseChoice(specified, specified.group, specified.scope, pmbcl)


def _transformed(
    best: Diagnosis, candidates: list[Diagnosis], anchor: CarTInfusion | None
) -> tuple[Diagnosis, str]:
    """Follicular lymphoma is checked for transformation: tissue after CAR T decides, else an entry that names it (6)."""
    large = [d for d in candidates if d.group == "lbcl"]
    shown = [d for d in candidates if d.group in ("lbcl", "fl") and _after(d, anchor)]
    if shown:
        newest = max(shown, key=lambda d: (d.seen_on.last if d.seen_on else date.min, d.group == "lbcl"))
        if newest.group == "lbcl" and newest.seen_on is not None:
            return newest, (
                f"tissue of {newest.seen_on.display()} shows {newest.label}; {best.label} stands on the problem list"
            )
        return best, ""
    named = [d for d in large if d.transformed and d.status != "remission"]
    if named or (large and best.status != "relapse"):
        return min(named or large, key=_rank), ""
    return best, ""


def _after(diagnosis: Diagnosis, anchor: CarTInfusion | None) -> bool:
    """Whether a specimen taken surely after CAR T shows the diagnosis."""
    if diagnosis.seen_on is None or anchor is None or anchor.last is None:
        return False
    return before(anchor.last, diagnosis.seen_on) is True


def _rank(diagnosis: Diagnosis) -> tuple[int, int, int, int, str]:
    return (
        _SCOPE_RANK.get(diagnosis.scope, 5) // 2,
        0 if diagnosis.relapse_code else _STATUS_RANK.get(diagnosis.status, 3),
        0 if diagnosis.transformed else 1,
        _SCOPE_RANK.get(diagnosis.scope, 5),
        diagnosis.source.reference,
    )


def _same_disease_named_better(best: Diagnosis, candidates: list[Diagnosis]) -> Diagnosis:
    """An entry without entity or lineage gives way to one that names them; PMBCL and Richter before their umbrella."""
    if best.scope == "unspecified":
        named = [d for d in candidates if d.scope in ("in", "outside")]
        if named:
            return min(named, key=_rank)
    for other in candidates:
        if other.group == best.group and other.pmbcl and not best.pmbcl:
            return other
        if best.group == "cll" and other.group == "richter":
            return other
    return best


def has_event(facts: Facts, *kinds: EventKind) -> bool:
    """Whether any event of the kinds was read."""
    return any(event.kind in kinds for event in facts.events)
