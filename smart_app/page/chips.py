"""One antigen as the head of the page shows it: state in words and shape, method, place and date, and its doubts."""

from __future__ import annotations

from dataclasses import dataclass

from mappings.evaluation import AntigenView
from mappings.facts import AntigenResult, AntigenState
from mappings.stated import STATED, is_stated
from smart_app.page import words


@dataclass(frozen=True, slots=True)
class Chip:
    """One antigen as the head shows it: state in words and shape, then method, place and date."""

    antigen: str
    state: str
    glyph: str
    method: str
    place: str
    notes: tuple[str, ...]
    stated: bool


def chip_of(view: AntigenView) -> Chip:
    """An antigen with the result it rests on; unknown with the reason."""
    stated = any(is_stated(result.source) for result in view.results)
    notes = []
    if view.discordant:
        notes.append("results disagree, all are shown")
    for holds, text in (
        (view.preliminary, "preliminary"),
        (view.on_treatment, "taken on treatment"),
        (view.band, "by local policy band, not validated"),
    ):
        if holds:
            notes.append(text)
    if view.before:
        notes.append(words.upper_first(view.before))
    if view.state is AntigenState.UNKNOWN:
        if view.discordant:
            notes += [_brief(result) for result in view.results[:4]]
        reason = "" if view.discordant else words.upper_first(words.short(view.because, 160))
        return Chip(view.antigen.value, _state_word(view), _glyph(view), reason, "", tuple(notes), stated)
    newest = _newest_result(view)
    if newest is None:
        return Chip(view.antigen.value, _state_word(view), _glyph(view), "", "", tuple(notes), stated)
    notes = [*_measures(newest), *notes]
    return Chip(
        view.antigen.value,
        _state_word(view),
        _glyph(view),
        _methods(view),
        _place_of(newest).replace(f", {STATED}", "") if stated else _place_of(newest),
        tuple(notes),
        stated,
    )


def _state_word(view: AntigenView) -> str:
    return "Discordant" if view.discordant else words.STATE_WORDS[view.state]


def _glyph(view: AntigenView) -> str:
    return "discordant" if view.discordant else words.GLYPHS[view.state]


def _newest_result(view: AntigenView) -> AntigenResult | None:
    """The result collected last among those a state rests on."""
    return max(
        view.results,
        key=lambda r: (r.collected.last.toordinal() if r.collected else 0, r.source.reference),
        default=None,
    )


def _methods(view: AntigenView) -> str:
    methods = list(dict.fromkeys(words.METHOD_WORDS[result.method] for result in view.results))
    if len(methods) > 1:
        return f"{words.upper_first(words.joined(methods))} agree"
    return words.upper_first("".join(methods))


def _brief(result: AntigenResult) -> str:
    """One of several results that disagree, in a few words."""
    state, method = words.STATE_WORDS[result.state], words.METHOD_WORDS[result.method]
    return f"{state}: {method}, {words.SPECIMEN_WORDS[result.specimen]}, {words.date_words(result.collected)}"


def _place_of(result: AntigenResult) -> str:
    """Specimen and date of a result."""
    specimen = words.short(result.specimen_text, 60) or words.SPECIMEN_WORDS[result.specimen]
    verb = "issued" if result.collected_is_bound else "collected"
    day = f"{verb} {words.date_words(result.collected)}" if result.collected else "date not known"
    return f"{words.upper_first(specimen)}, {day}"


def _measures(result: AntigenResult) -> list[str]:
    notes = []
    if result.percent:
        shown = words.short(result.percent, 24)
        notes.append(f"{shown if '%' in shown else shown + ' %'} as reported")
    if result.h_score:
        notes.append(f"H-score {words.short(result.h_score, 24)}")
    if result.clone:
        notes.append(f"clone {words.short(result.clone, 24)}")
    return notes
