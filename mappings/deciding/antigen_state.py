"""Which antigen results describe this relapse, and what they say together.

Sources: rules CD-1, CD-3, CD-6, CD-9, 11.2 (discordance), 11.3 (age, change), 11.6 (preliminary, amended), 11.10
(exposure), 11.11 (order), 11.16 (CNS); hazards H-12, H-18, H-21.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from mappings.dates import before
from mappings.deciding.antigen_order import (
    ClearSpecimens,
    Window,
    against_therapy,
    days_before,
    other_car,
    outside_window,
)
from mappings.deciding.antigen_words import describe
from mappings.deciding.course_model import Course
from mappings.evaluation import AntigenView
from mappings.facts import (
    Antigen,
    AntigenResult,
    AntigenState,
    Facts,
    Method,
    Remark,
    SpecimenKind,
)

_SITE_WORD = re.compile(r"[^\W\d_]{3,}")
_NO_SITE = frozenset(
    {
        "biopsy",
        "tissue",
        "core",
        "needle",
        "specimen",
        "sample",
        "left",
        "right",
        "excision",
        "excisional",
        "mass",
        "the",
    }
    | {"and", "from", "tumor", "tumour", "structure", "procedure", "surgical", "section", "block", "material"}
)


_UNPLACED = "cannot be put before or after the infusion: whether and when CAR T was given is not known"


@dataclass(slots=True)
class _Weighed:
    """Results of one antigen as they pass each question."""

    valid: list[AntigenResult] = field(default_factory=list)
    on_treatment: list[AntigenResult] = field(default_factory=list)
    voided: list[tuple[AntigenResult, str]] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)


def view_antigen(
    antigen: Antigen,
    facts: Facts,
    course: Course,
    window: Window,
    only_cns: bool,
    *,
    unplaced: bool = False,
) -> tuple[AntigenView, list[Remark]]:
    """The state of one antigen on this relapse, with what was set aside and why.

    `unplaced`: whether and when CAR T was given is not known, so that no result can be put after it (CD-1, 11.11).
    """
    weighed = _Weighed()
    results = _newest_versions([r for r in facts.antigens if r.antigen is antigen], weighed)
    clear = ClearSpecimens(facts)
    for result in sorted(results, key=_order):
        if clear.covers(result):
            reason = "is of a specimen in which no malignancy was found: it tells of normal cells"
            weighed.remarks.append(_aside(result, reason, "clear-specimen"))
            continue
        if unplaced and not _after_every_car_t(result, course):
            weighed.remarks.append(_aside(result, _UNPLACED, "order-unknown"))
            continue
        _weigh(result, antigen, facts, course, window, only_cns, weighed)
    return _conclude(antigen, weighed, window), weighed.remarks


def _after_every_car_t(result: AntigenResult, course: Course) -> bool:
    """Whether a result is surely later than every CAR T on record of which the target is not known."""
    ends = [infusion.last for infusion in course.unknown_target]
    if not ends or result.collected is None or result.collected_is_bound:
        return False
    return all(end is not None and before(end, result.collected) is True for end in ends)


def _order(result: AntigenResult) -> tuple[str, str, str]:
    return (
        result.collected.first.isoformat() if result.collected else "",
        result.source.reference,
        result.source.element,
    )


def _aside(result: AntigenResult, reason: str, code: str) -> Remark:
    quote = f"{result.antigen.value} {result.state.value}: {result.source.quote}".strip(": ")
    return Remark(
        "set-aside", reason, replace(result.source, quote=quote), about=result.antigen.value, code=code
    )


def _newest_versions(results: list[AntigenResult], weighed: _Weighed) -> list[AntigenResult]:
    """Amended and corrected results replace the earlier ones of the same specimen; final ones the preliminary (11.6)."""
    groups: dict[object, list[AntigenResult]] = {}
    for result in results:
        day = result.collected.text if result.collected else result.source.reference
        same = result.accession or (day, result.specimen, result.specimen_text)
        groups.setdefault((same, result.method), []).append(result)
    kept: list[AntigenResult] = []
    for group in groups.values():
        newest = _latest([r for r in group if r.amended]) or [r for r in group if not r.preliminary] or group
        kept.extend(newest)
        for result in group:
            if result not in newest:
                weighed.remarks.append(
                    _aside(result, "was replaced by a later version of the same specimen", "replaced")
                )
    return kept


def _latest(amended: list[AntigenResult]) -> list[AntigenResult]:
    """Of several amended versions those issued last, where all tell when they were issued."""
    issued = [r.issued for r in amended if r.issued is not None]
    if len(amended) < 2 or len(issued) < len(amended):
        return amended
    last = max(issued, key=lambda date: (date.last, date.text))
    return [r for r in amended if r.issued is not None and r.issued.text == last.text]


def _weigh(
    result: AntigenResult,
    antigen: Antigen,
    facts: Facts,
    course: Course,
    window: Window,
    only_cns: bool,
    weighed: _Weighed,
) -> None:
    refusal = _refuse(result, course, window, only_cns)
    if refusal is not None:
        weighed.remarks.append(_aside(result, *refusal))
        return
    for therapy in facts.therapies:
        if antigen.value not in therapy.voids or not therapy.administered:
            continue
        verdict = against_therapy(result, therapy)
        if verdict == "before":
            weighed.voided.append((result, therapy.label))
            weighed.remarks.append(_aside(result, f"was collected before {therapy.label}", "before-therapy"))
            return
        if verdict == "unknown":
            reason = f"cannot be put before or after {therapy.label}: one of the dates is missing or partial"
            weighed.remarks.append(_aside(result, reason, "order-unknown"))
            return
        if verdict == "during":
            weighed.on_treatment.append(result)
    other = other_car(result, antigen, facts, course)
    if other:
        weighed.voided.append((result, other))
        weighed.remarks.append(_aside(result, f"was collected before {other}", "before-therapy"))
        return
    weighed.valid.append(result)


def _refuse(result: AntigenResult, course: Course, window: Window, only_cns: bool) -> tuple[str, str] | None:
    """Why a result is not of this relapse: order against the infusion and the relapse (CD-1, 11.3, 11.11)."""
    if only_cns and not result.cns:
        return "is not of CSF or CNS tissue, while the relapse is in the CNS alone", "not-cns"
    anchor = course.anchor
    if anchor is None:
        return None
    if result.collected is None or anchor.last is None:
        return "has no date that can be compared with the infusion", "order-unknown"
    after = before(anchor.last, result.collected)
    if result.collected_is_bound:
        # issued is only an upper bound: the specimen may be older (11.11)
        after = False if after is False else None
    if after is False:
        return days_before(anchor, result.collected), "before-infusion"
    if after is None:
        return (
            "cannot be put before or after the infusion: a date is missing, partial or only that of issue",
            "order-unknown",
        )
    return outside_window(result, course, window)


def _conclude(antigen: Antigen, weighed: _Weighed, window: Window) -> AntigenView:
    definite = [r for r in weighed.valid if r.state is not AntigenState.UNKNOWN]
    if not definite:
        return _no_state(antigen, weighed)
    present = _present(definite, window, weighed)
    lost = [r for r in weighed.valid if r.unreadable and not _outlived(r, present, window)]
    if lost:
        because = "a result that could not be read may say otherwise: " + "; ".join(
            dict.fromkeys(describe(r) for r in (*lost, *present))
        )
        return AntigenView(antigen, AntigenState.UNKNOWN, because, (*lost, *present))
    states = {r.state for r in present}
    on_treatment = any(r in weighed.on_treatment for r in present)
    if len(states) > 1:
        for result in present:
            weighed.remarks.append(
                Remark(
                    "conflict",
                    f"disagrees with another valid result of {antigen.value}",
                    result.source,
                    about=antigen.value,
                    code="discordant",
                )
            )
        because = "valid results disagree: " + "; ".join(describe(r) for r in present)
        return AntigenView(
            antigen, AntigenState.UNKNOWN, because, tuple(present), discordant=True, on_treatment=on_treatment
        )
    state = present[0].state
    return AntigenView(
        antigen,
        state,
        "; ".join(dict.fromkeys(describe(r) for r in present)),
        tuple(present),
        band=all(r.band for r in present),
        preliminary=all(r.preliminary for r in present),
        on_treatment=on_treatment,
    )


def _outlived(lost: AntigenResult, present: list[AntigenResult], window: Window) -> bool:
    """Whether a later or settling result describes the present, whatever the lost one says (11.2, 11.3)."""
    return any(
        _replaces(newer, lost, window)
        or ((newer.integrated or (newer.amended and not lost.amended)) and _one_specimen(newer, lost))
        for newer in present
    )


def _no_state(antigen: Antigen, weighed: _Weighed) -> AntigenView:
    voided = [(r, label) for r, label in weighed.voided if r.state is not AntigenState.UNKNOWN]
    before_text = ""
    if voided:
        result, label = voided[-1]
        before_text = f"before {label}: {result.state.value}"
    if weighed.valid and all(r.untested for r in weighed.valid):
        because = "reported as not tested: " + "; ".join(describe(r) for r in weighed.valid)
    elif weighed.valid:
        because = "reported without a state: " + "; ".join(describe(r) for r in weighed.valid)
    elif before_text:
        because = f"no result since then ({before_text})"
    elif weighed.remarks:
        because = "no result that counts for this relapse"
    else:
        because = "no result found in what was read"
    return AntigenView(
        antigen,
        AntigenState.UNKNOWN,
        because,
        tuple(weighed.valid),
        before=before_text,
        voided=bool(voided),
    )


def _present(definite: list[AntigenResult], window: Window, weighed: _Weighed) -> list[AntigenResult]:
    """The results that describe the present: later of one method and kind of site, or much later of another (11.3)."""
    settled = _settled(definite)
    if settled:
        return settled
    if len({r.state for r in definite}) < 2:
        return definite
    gone: set[int] = set()
    newest_first = sorted(definite, key=_order, reverse=True)
    for number, older in enumerate(definite):
        for newer in newest_first:
            if newer.state is not older.state and _replaces(newer, older, window):
                gone.add(number)
                reason = f"has changed since: {describe(newer)}"
                weighed.remarks.append(_aside(older, reason, "changed"))
                break
    return [result for number, result in enumerate(definite) if number not in gone]


def _settled(definite: list[AntigenResult]) -> list[AntigenResult]:
    """An integrated interpretation or amended result settles a disagreement within its own specimen (11.2)."""
    if len({r.state for r in definite}) < 2:
        return []
    settling = [r for r in definite if r.integrated or r.amended]
    if len({r.state for r in settling}) != 1:
        return []
    others = [r for r in definite if r not in settling]
    if all(any(_one_specimen(r, s) for s in settling) for r in others):
        return settling
    return []


def _one_specimen(one: AntigenResult, other: AntigenResult) -> bool:
    if one.accession and other.accession:
        return one.accession == other.accession
    if one.collected is None or other.collected is None or one.collected.first != other.collected.first:
        return False
    sites = {one.specimen, other.specimen} - {SpecimenKind.UNSPECIFIED}
    texts = {one.specimen_text, other.specimen_text} - {""}
    return len(sites) <= 1 and len(texts) <= 1


def _one_kind_of_site(one: AntigenResult, other: AntigenResult) -> bool:
    """Whether two specimens are of one kind of site; tissues are so where their names share a word of the site (11.2)."""
    if one.specimen is not other.specimen or one.cns is not other.cns:
        return False
    if one.specimen is not SpecimenKind.TISSUE:
        return True
    sites = [set(_SITE_WORD.findall(r.specimen_text.lower())) - _NO_SITE for r in (one, other)]
    return not all(sites) or bool(sites[0] & sites[1])


def _replaces(newer: AntigenResult, older: AntigenResult, window: Window) -> bool:
    if (
        newer.collected is None
        or older.collected is None
        or before(older.collected, newer.collected) is not True
    ):
        return False
    same_kind = (
        newer.method is older.method
        and newer.method is not Method.UNSPECIFIED
        and _one_kind_of_site(newer, older)
    )
    if same_kind:
        return True
    days = (newer.collected.first - older.collected.last).days
    return days > window.max_age
