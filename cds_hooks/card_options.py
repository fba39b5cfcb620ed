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
MAX_HOLDERS = 3


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
    """Names in order, a large group under its own name, what was given before beside its name.

    In a group it stands with the option it is of: a partner drug that was given says nothing of the group.
    """
    matches = list(matches)
    sizes = Counter(match.card_group for match in matches)
    shown: dict[str, list[OptionMatch]] = {}
    folded: set[str] = set()
    for match in matches:
        in_group = bool(match.card_group) and sizes[match.card_group] >= FOLD_FROM
        name = plain(match.card_group if in_group else _own(match), 60)
        folded |= {name} if in_group else set()
        shown.setdefault(name, []).append(match)
    words = [_with_given(name, group, name in folded) for name, group in shown.items()]
    if len(words) > MAX_NAMES:
        words = [*words[:MAX_NAMES], f"{len(words) - MAX_NAMES} more"]
    return ("; " if any("," in word for word in words) else ", ").join(words)


def _own(match: OptionMatch) -> str:
    return match.short_name or match.label


def _with_given(name: str, group: list[OptionMatch], folded: bool) -> str:
    """A name with what was given before in brackets; in a folded group each under the options that hold it."""
    if not folded:
        given = [one for match in group for one in _given(match.given_before)]
        return f"{name} (given before: {listed(given)})" if given else name
    holders: dict[str, list[str]] = {}
    for match in group:
        if drugs := _given(match.given_before):
            holders.setdefault(listed(drugs), []).append(plain(_own(match), 60))
    parts = [f"{_few(options)}: {drugs} given before" for drugs, options in holders.items()]
    return f"{name} ({', '.join(parts)})" if parts else name


def _few(options: list[str]) -> str:
    if len(options) > MAX_HOLDERS:
        return f"{', '.join(options[:MAX_HOLDERS])} and {len(options) - MAX_HOLDERS} more"
    return " and ".join([", ".join(options[:-1]), options[-1]] if len(options) > 1 else options)


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
