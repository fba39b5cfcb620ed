"""The one line of reason beside an option: the patient's own result, as a clinician would quote it.

Sources: rules CD-7 to CD-9 (which result decides), 11.1 (a band is named), 11.6 (preliminary is named).
"""

from __future__ import annotations

from mappings.evaluation import AntigenView, Assessment
from mappings.facts import Antigen, AntigenResult, AntigenState, Method, SpecimenKind

_STATES = {
    AntigenState.POSITIVE: "positive",
    AntigenState.LOW_OR_PARTIAL: "low or partial",
    AntigenState.NEGATIVE: "negative",
    AntigenState.UNKNOWN: "unknown",
}
_METHODS = {Method.FLOW: "flow", Method.IHC: "IHC", Method.UNSPECIFIED: "method not stated"}
_SPECIMENS = {
    SpecimenKind.TISSUE: "tissue",
    SpecimenKind.MARROW: "bone marrow",
    SpecimenKind.BLOOD: "blood",
    SpecimenKind.CSF: "CSF",
    SpecimenKind.EFFUSION: "effusion",
    SpecimenKind.UNSPECIFIED: "specimen not stated",
}
_LONGEST_NAME = 60
_LONGEST_REASON = 220


def one_line(text: str, limit: int) -> str:
    """Chart text on one line, cut at a word where it is long."""
    flat = " ".join(text.split())
    if len(flat) <= limit:
        return flat
    return flat[:limit].rsplit(" ", 1)[0].rstrip(" ,;:") + " …"


class Quotes:
    """The quotes of one assessment, each made when first asked for."""

    def __init__(self, assessment: Assessment) -> None:
        self._views = {view.antigen.value: view for view in assessment.antigens}
        self._made: dict[str, str] = {}

    def view(self, antigen: str) -> AntigenView | None:
        """The view of an antigen; None for one that is not followed (CD79b)."""
        return self._views.get(antigen)

    def state(self, antigen: str) -> AntigenState:
        """The state of an antigen; unknown for one that is not followed."""
        view = self._views.get(antigen)
        return view.state if view is not None else AntigenState.UNKNOWN

    def of(self, antigen: str) -> str:
        """`CD20 positive, lymph node, flow, 12 May 2025`, or why it is unknown."""
        made = self._made.get(antigen)
        if made is None:
            view = self._views.get(antigen)
            made = self._made[antigen] = quote(view) if view is not None else f"{antigen} unknown"
        return made

    def gap(self, antigen: str) -> str:
        """Why there is no valid result, on one line."""
        view = self._views.get(antigen)
        reason = one_line(view.because, _LONGEST_REASON).rstrip(".") if view is not None else ""
        if view is not None and view.before and view.before not in reason:
            reason = f"{reason} ({view.before})" if reason else view.before
        return reason or "no valid result was read"


def quote(view: AntigenView) -> str:
    """State, specimen, method and date of the result a state rests on."""
    head = f"{view.antigen.value} {_STATES[view.state]}"
    if view.discordant:
        head += " (discordant)"
    if view.state is AntigenState.UNKNOWN or not view.results:
        reason = one_line(view.because, _LONGEST_REASON).rstrip(".")
        return f"{head}: {reason}" if reason else head
    parts = [head, *_of_result(view.results[0])]
    if len(view.results) > 1:
        parts.append(f"{len(view.results)} results agree")
    parts += [words for words, holds in _marks(view) if holds]
    return ", ".join(part for part in parts if part)


def _marks(view: AntigenView) -> tuple[tuple[str, bool], ...]:
    return (
        ("preliminary", view.preliminary),
        ("taken on treatment", view.on_treatment),
        ("by local policy band, not validated", view.band),
    )


def _of_result(result: AntigenResult) -> list[str]:
    parts = [
        one_line(result.specimen_text, _LONGEST_NAME) or _SPECIMENS[result.specimen],
        _METHODS[result.method],
    ]
    if result.percent:
        shown = result.percent if "%" in result.percent else f"{result.percent} %"
        parts.append(one_line(shown, _LONGEST_NAME))
    if result.h_score:
        parts.append(f"H-score {one_line(result.h_score, _LONGEST_NAME)}")
    if result.collected is None:
        parts.append("date not known")
    else:
        parts.append(f"{'by ' if result.collected_is_bound else ''}{result.collected.display()}")
    return parts


def antigens_named(antigens: tuple[str, ...]) -> tuple[Antigen, ...]:
    """The followed antigens among names of the catalogue."""
    return tuple(Antigen(name) for name in antigens if name in Antigen.__members__)
