"""The option lines of a card: names by route, folded by group, in the fixed order of display (rules 9.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from cds_hooks.names import CardNames
from cds_hooks.plain import listed, plain, upper_first
from mappings.evaluation import Assessment, Evaluation, OptionMatch, Route
from mappings.facts import AntigenState

MAX_NAMES = 16
FOLD_FROM = 4


def option_lines(evaluation: Evaluation, names: CardNames) -> list[str]:
    """One line per route with options: can be considered, needs a result first, specialist, not suitable."""
    assessment = evaluation.assessment
    routes = {route: [m for m in evaluation.matches if m.route is route] for route in Route}
    lines = []
    if routes[Route.CONSIDER]:
        lines.append(f"Can be considered, not ranked: {fold_names(routes[Route.CONSIDER])}.")
    lines += _needing(routes[Route.NEEDS_RESULT], assessment, names)
    if routes[Route.SPECIALIST]:
        lines.append(f"Specialist or trial only: {fold_names(routes[Route.SPECIALIST])}.")
    lines += _unsuited(routes[Route.NOT_SUITABLE], assessment, names)
    return lines


def fold_names(matches: Iterable[OptionMatch]) -> str:
    """Names in order, a large group under its own name, what was given before beside its name."""
    matches = list(matches)
    sizes = Counter(match.card_group for match in matches)
    shown: dict[str, list[str]] = {}
    for match in matches:
        folded = bool(match.card_group) and sizes[match.card_group] >= FOLD_FROM
        own = match.short_name or match.label
        given = shown.setdefault(plain(match.card_group if folded else own, 60), [])
        given += _given(match.given_before)
    words = [f"{name} (given before: {listed(given)})" if given else name for name, given in shown.items()]
    if len(words) > MAX_NAMES:
        words = [*words[:MAX_NAMES], f"{len(words) - MAX_NAMES} more"]
    return ("; " if any("," in word for word in words) else ", ").join(words)


def _given(before: str) -> list[str]:
    """The names out of `drug, first to last; drug, first to last`; the dates stand in the full evaluation."""
    return [plain(part.split(",")[0], 40) for part in before.split(";") if part.strip()]


def _with_state(match: OptionMatch, assessment: Assessment, names: CardNames, *states: AntigenState) -> str:
    """The antigens this option needs that are in one of the given states, joined by `and`."""
    found = [
        view.antigen.value
        for view in assessment.antigens
        if view.antigen.value in names.needs.get(match.option, ()) and view.state in states
    ]
    return " and ".join(found)


def _needing(matches: list[OptionMatch], assessment: Assessment, names: CardNames) -> list[str]:
    groups: dict[str, list[OptionMatch]] = {}
    for match in matches:
        groups.setdefault(_with_state(match, assessment, names, AntigenState.UNKNOWN), []).append(match)
    order = sorted(groups, key=lambda antigens: (antigens == "", antigens != "CD20", antigens))
    return [f"Needs {antigens or 'a result'} first: {fold_names(groups[antigens])}." for antigens in order]


def _unsuited(matches: list[OptionMatch], assessment: Assessment, names: CardNames) -> list[str]:
    absent: dict[str, list[OptionMatch]] = {}
    other: list[OptionMatch] = []
    for match in matches:
        antigens = _with_state(match, assessment, names, AntigenState.NEGATIVE)
        if antigens:
            absent.setdefault(antigens, []).append(match)
        else:
            other.append(match)
    lines = [
        f"Not suitable, {antigens} absent: {fold_names(group)}." for antigens, group in sorted(absent.items())
    ]
    by_reason: dict[str, list[OptionMatch]] = {}
    for match in other:
        by_reason.setdefault(plain(match.why, 110).rstrip(" ."), []).append(match)
    for reason, group in list(by_reason.items())[:3]:
        lines.append(f"Not suitable: {fold_names(group)}. {upper_first(reason)}.")
    rest = [match for group in list(by_reason.values())[3:] for match in group]
    if rest:
        lines.append(f"Not suitable for other reasons: {fold_names(rest)}.")
    return lines
