"""The target of what is ordered against what is reported of it: one standing per target, in the chart's own words.

Sources: rules CD-1, CD-4 to CD-9, 11.7, 11.10. Of a CAR with several targets the trial decides: it is spoken of only
where none of its targets is reported present.
"""

from __future__ import annotations

from dataclasses import dataclass

from mappings.deciding.antigen_words import describe
from mappings.deciding.order_case import Case, Found, is_car, shown
from mappings.evaluation import AntigenView
from mappings.facts import Antigen, AntigenResult, AntigenState, Remark
from mappings.loading import Concept, OrderCondition

ONE_OF_SEVERAL = "one-of-several-negative"
_STALE = frozenset({"before-therapy", "before-infusion", "before-relapse", "out-of-date"})
_TARGET_OPEN = "CAR T is on record without product and target, so no result can be put after it"
_NO_DRUG = "no-drug"
_DOSES = ("MedicationAdministration/", "MedicationStatement/")
_TUMOUR_TARGETS = frozenset(Antigen)
_NOT_KNOWN = frozenset({"unknown", "stale", "discordant"})


@dataclass(frozen=True, slots=True)
class _Standing:
    """How one target stands now: a state, or why there is none, in words."""

    target: str
    said: str
    because: str

    @property
    def words(self) -> str:
        known = "not known now" if self.said in _NOT_KNOWN else "reported"
        return f"{self.target} {known} ({self.open_because})"

    @property
    def open_because(self) -> str:
        """The reason in words that nobody takes for a state of today."""
        return f"last result, out of date: {self.because}" if self.said == "stale" else self.because


def antigen_state(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether the target is reported negative or low, or not known now and why (rules CD-1, CD-4 to CD-9, 11.7)."""
    antigen = Antigen(condition.antigen)
    view = case.assessment.antigen(antigen)
    own = _standing_of(case, view)
    targets = ordered.names("targets") if is_car(ordered) else ()
    others = [_standing(case, target) for target in targets if target != antigen]
    said = _of_several(own.said, [one.said for one in others]) if others else own.said
    if said not in condition.states:
        return None
    newest = _newest(view.results)
    fills = (
        ("antigen", antigen.value),
        ("because", own.because if condition.states == ("stale",) else own.open_because),
        ("date", shown(newest.collected if newest else None)),
        ("others", "; ".join(one.words for one in others)),
    )
    return Found(fills, tuple(result.source for result in view.results))


def later_not_seen(case: Case, condition: OrderCondition, ordered: Concept) -> Found | None:
    """Whether the target stands as reported only as far as was seen: doses or results after it may not have been read.

    A dose of an unknown drug counts as well: it may have been one that voids the result (rules 11.5, 11.10; H-18).
    """
    view = case.assessment.antigen(Antigen(condition.antigen))
    own = _standing_of(case, view)
    if own.said not in condition.states:
        return None
    unnamed = [r.source for r in case.evaluation.facts.remarks if r.code == _NO_DRUG and _is_dose(r)]
    missed = [*case.not_read(condition.types), *(["the drug of a dose"] if unnamed else [])]
    if not missed:
        return None
    newest = _newest(view.results)
    fills = (
        ("antigen", view.antigen.value),
        ("state", own.said),
        ("because", own.because),
        ("date", shown(newest.collected if newest else None)),
        ("missed", ", ".join(missed)),
    )
    sources = (*(result.source for result in view.results), *(one for one in unnamed if one is not None))
    return Found(fills, sources)


def _is_dose(remark: Remark) -> bool:
    return remark.source is not None and remark.source.reference.startswith(_DOSES)


def _standing(case: Case, target: str) -> _Standing:
    if target not in _TUMOUR_TARGETS:
        return _Standing(target, "unknown", "not looked at here")
    return _standing_of(case, case.assessment.antigen(Antigen(target)))


def _standing_of(case: Case, view: AntigenView) -> _Standing:
    said, because = _said_of(case, view)
    if said == "stale":
        because = _stale_words(case, view) or because
    return _Standing(view.antigen.value, said, because)


def _said_of(case: Case, view: AntigenView) -> tuple[str, str]:
    if view.antigen is Antigen.CD19 and case.target_open and view.state is not AntigenState.NEGATIVE:
        shown_here = f"; reported: {view.because}" if view.results else ""
        return "unknown", f"{_TARGET_OPEN}{shown_here}"
    if view.state is not AntigenState.UNKNOWN:
        return view.state.value, view.because
    if view.discordant:
        return "discordant", view.because
    if view.voided or (not view.results and _set_aside(case, view)):
        return "stale", view.because
    return "unknown", view.because


def _of_several(own: str, others: list[str]) -> str:
    """Of a CAR with several targets the trial decides: silent where one is present, absent only where all are."""
    if AntigenState.POSITIVE in (own, *others):
        return "by-protocol"
    if own == AntigenState.NEGATIVE and set(others) != {AntigenState.NEGATIVE}:
        return ONE_OF_SEVERAL
    return own


def _set_aside(case: Case, view: AntigenView) -> list[Remark]:
    rows = case.assessment.set_aside
    return [r for r in rows if r.about == view.antigen.value and r.code in _STALE and r.source is not None]


def _stale_words(case: Case, view: AntigenView) -> str:
    """The newest result that no longer counts, with its date and the reason."""
    reasons = {(r.source.reference, r.source.element): r.reason for r in _set_aside(case, view) if r.source}
    aside = [
        result
        for result in case.evaluation.facts.antigens
        if result.antigen is view.antigen and (result.source.reference, result.source.element) in reasons
    ]
    newest = _newest(tuple(aside))
    if newest is None:
        return ""
    reason = reasons[newest.source.reference, newest.source.element]
    return f"{describe(newest)}, which {reason}"


def _newest(results: tuple[AntigenResult, ...]) -> AntigenResult | None:
    return max(
        results,
        key=lambda r: (r.collected.last.isoformat() if r.collected else "", r.source.reference),
        default=None,
    )
