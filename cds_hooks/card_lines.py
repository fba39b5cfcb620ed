"""The lines of a card that say what the chart holds: results, confirmation, conflicts, gaps, monitoring."""

from __future__ import annotations

from datetime import datetime

from cds_hooks.names import CardNames
from cds_hooks.needs import words_of
from cds_hooks.plain import all_of, plain, sentence, upper_first
from mappings.dates import ClinicalDate, before, parse_date
from mappings.evaluation import AntigenView, Assessment, Branch, Evaluation
from mappings.facts import (
    Antigen,
    AntigenResult,
    AntigenState,
    CarTInfusion,
    Method,
    SpecimenKind,
)

_ANTIGENS = tuple(antigen.value for antigen in Antigen)

STATE_WORDS = {
    AntigenState.POSITIVE: "positive",
    AntigenState.LOW_OR_PARTIAL: "low or partial",
    AntigenState.NEGATIVE: "negative",
    AntigenState.UNKNOWN: "unknown",
}
_SPECIMEN_WORDS = {
    SpecimenKind.TISSUE: "tissue",
    SpecimenKind.MARROW: "marrow",
    SpecimenKind.BLOOD: "blood",
    SpecimenKind.CSF: "CSF",
    SpecimenKind.EFFUSION: "effusion",
    SpecimenKind.UNSPECIFIED: "a specimen not described",
}
_PLACES_SHOWN = 3
_METHOD_WORDS = {Method.FLOW: "flow", Method.IHC: "IHC", Method.UNSPECIFIED: ""}


def shown_date(when: ClinicalDate | None) -> str:
    """A date as people read it, or the words that none is known."""
    return when.display() if when is not None else "date not known"


def shown_moment(text: str) -> str:
    """The moment of judgement as people read it, with its zone: `22 Nov 2026 09:14 UTC`."""
    when = parse_date(text)
    if when is None:
        return plain(text, 40)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return when.display()
    zone = "UTC" if moment.tzinfo is not None and not moment.utcoffset() else moment.strftime("%z")
    return f"{when.display()} {moment:%H:%M} {zone}".strip()


def result_lines(assessment: Assessment) -> list[str]:
    """What was reported of CD19, CD20 and CD22 with method and date; unknown ones with the reason."""
    settled: dict[str, list[str]] = {}
    loose: list[str] = []
    open_: dict[str, list[str]] = {}
    for view in assessment.antigens:
        if view.discordant:
            loose.append(_disagreement(view))
        elif view.state is AntigenState.UNKNOWN or not view.results:
            open_.setdefault(_why_unknown(view), []).append(view.antigen.value)
        else:
            places = _by_place(view.results)
            for number, (place, results) in enumerate(places[:_PLACES_SHOWN]):
                newest = number == 0 and len(places) > 1 and _later(results[0], places[1][1][0])
                settled.setdefault(place, []).append(_finding(view, results, newest))
            if len(places) > _PLACES_SHOWN:
                loose.append(
                    f"{view.antigen.value}: the same in {len(places) - _PLACES_SHOWN} more specimens."
                )
    lines = [f"Reported on {place}: {', '.join(found)}." for place, found in settled.items()]
    return [*lines, *loose, *(f"{all_of(names)} unknown: {because}" for because, names in open_.items())]


def _by_place(results: tuple[AntigenResult, ...]) -> list[tuple[str, list[AntigenResult]]]:
    """Results by specimen and date, the newest first: a date or place is never lent to another result."""
    newest_first = sorted(
        results, key=lambda r: r.collected.first.toordinal() if r.collected else 0, reverse=True
    )
    places: dict[str, list[AntigenResult]] = {}
    for result in newest_first:
        places.setdefault(_place(result), []).append(result)
    return list(places.items())


def _later(one: AntigenResult, other: AntigenResult) -> bool:
    """Whether one specimen is known to be newer than another."""
    return bool(one.collected and other.collected and before(other.collected, one.collected))


def _place(result: AntigenResult) -> str:
    specimen = plain(result.specimen_text, 50) or _SPECIMEN_WORDS[result.specimen]
    verb = "issued" if result.collected_is_bound else "collected"
    day = f"{verb} {result.collected.display()}" if result.collected else "date not known"
    return f"{specimen}, {day}"


def _measure(results: list[AntigenResult]) -> str:
    methods = [_METHOD_WORDS[result.method] for result in results]
    parts = [" and ".join(dict.fromkeys(word for word in methods if word))]
    percent = next((result.percent for result in results if result.percent), "")
    h_score = next((result.h_score for result in results if result.h_score), "")
    if percent:
        parts.append(f"reported {plain(percent, 20)}")
    if h_score:
        parts.append(f"H-score {plain(h_score, 20)}")
    return ", ".join(part for part in parts if part)


def _finding(view: AntigenView, results: list[AntigenResult], newest: bool) -> str:
    """One antigen at one place; `newest`: it stands at other places too, and this is the last of them."""
    measure = _measure(results)
    notes = [measure] if measure else []
    if newest:
        notes.append("newest")
    if view.preliminary or all(result.preliminary for result in results):
        notes.append("preliminary")
    if view.on_treatment:
        notes.append("taken on treatment")
    if view.band or all(result.band for result in results):
        notes.append("by a local policy band, not validated")
    words = f"{view.antigen.value} {STATE_WORDS[view.state]}"
    return f"{words} ({'; '.join(notes)})" if notes else words


def _why_unknown(view: AntigenView) -> str:
    line = sentence(view.because or "no result seen", 200)
    if view.before and plain(view.before) not in line:
        line += f" {sentence(upper_first(view.before))}"
    return line


def _disagreement(view: AntigenView) -> str:
    parts = []
    for result in view.results[:4]:
        method = _METHOD_WORDS[result.method]
        by = f" by {method}" if method else ""
        parts.append(f"{STATE_WORDS[result.state]}{by} ({_place(result)})")
    return f"{view.antigen.value} unknown, results disagree (discordant): {'; '.join(parts)}."


def branch_line(assessment: Assessment) -> str:
    """What a branch or a disease outside the rule set changes, if any (rules 7, 11.16)."""
    if assessment.branch is Branch.CNS:
        return "CNS relapse: antigens count only from CSF or CNS tissue; local neuro-oncology practice first."
    if assessment.disease is not None and assessment.disease_scope in ("outside", "excluded"):
        label = plain(assessment.disease.label, 60)
        if assessment.disease_group == "richter":
            rest = "lymphoma options are for a specialist only, by analogy, evidence is from LBCL"
        else:
            rest = "only testing, trial and supportive care are listed"
        return f"Disease outside this rule set ({label}): {rest}."
    return ""


def infusion_line(infusion: CarTInfusion | None, names: CardNames) -> str:
    """What was infused and when, and what is not certain about it (rules 11.6, 11.10)."""
    if infusion is None:
        return ""
    notes = []
    if infusion.possibly_incomplete:
        notes.append("dose may be incomplete")
    if infusion.split_doses:
        notes.append("split doses: day counted from the first, order of events from the last")
    when = f" {infusion.first.display()}" if infusion.first else ", date not known"
    tail = f"; {'; '.join(notes)}" if notes else ""
    return f"{upper_first(names.infusion(infusion))} infused{when}{tail}."


def missing_words(assessment: Assessment) -> list[str]:
    """What was looked for and not found, antigens in one word; types not read have a line of their own."""
    antigens = {item.code: item for item in assessment.missing if item.code in _ANTIGENS}
    words = []
    for item in assessment.missing:
        if item.code == "unseen":
            continue
        if item.code not in antigens:
            words.append(plain(item.what, 70).rstrip(" ."))
        elif item is next(iter(antigens.values())):
            _, _, rest = item.what.partition(" ")
            words.append(f"{all_of(list(antigens))} {plain(rest, 60)}".strip())
    return list(dict.fromkeys(words))


def missing_lines(assessment: Assessment, prompted: bool) -> list[str]:
    """The gaps and what would settle them; `prompted`: the biopsy prompt already says it for antigens."""
    words = missing_words(assessment)
    if not words:
        return []
    steps = []
    for item in assessment.missing:
        if item.code != "unseen" and not (prompted and item.code in (*_ANTIGENS, "tissue")):
            steps.append(plain(item.remedy, 110).rstrip(" ."))
    lines = [f"Missing: {'; '.join(words[:6])}."]
    settle = [step for step in dict.fromkeys(steps) if step][:3]
    return [*lines, f"To settle it: {'; '.join(settle)}."] if settle else lines


def unseen_lines(evaluation: Evaluation) -> list[str]:
    """Which parts of the chart were not read or cut short; unseen is never absent (rules 11.5, H-08)."""
    lines = []
    for state, label in (("not-seen", "Not read"), ("incomplete", "Cut short")):
        parts = []
        for seen in evaluation.facts.seen:
            if seen.state == state:
                reason = f" ({plain(seen.reason, 80)})" if seen.reason else ""
                parts.append(f"{words_of(seen.type)}{reason}")
        if parts:
            lines.append(f"{label}: {', '.join(parts)}.")
    return lines


def monitoring_line(evaluation: Evaluation) -> str:
    """The newest blood B-cell count, named so that nobody reads it as tumour status (rules 4)."""
    results = [m for m in evaluation.facts.monitoring if m.value]
    if not results:
        return ""
    newest = max(results, key=lambda m: (m.when is not None, m.when.last.toordinal() if m.when else 0))
    return (
        f"Monitoring, not tumour status: {plain(newest.label, 50)} {plain(newest.value, 30)}, "
        f"{shown_date(newest.when)}."
    )


def _newest_entry(evaluation: Evaluation) -> ClinicalDate | None:
    """The newest date that an entry bears: the moment of judgement closes an open period and is no entry's date."""
    facts = evaluation.facts
    if facts.newest is None or facts.newest.text != evaluation.as_of:
        return facts.newest
    moment = parse_date(evaluation.as_of)
    dates = [
        *(result.collected for result in facts.antigens),
        *(event.when for event in facts.events),
        *(infusion.last for infusion in facts.infusions),
        *(date for therapy in facts.therapies for date in (therapy.first, therapy.last)),
        *(fact.when for fact in facts.safety),
    ]
    known = [d for d in dates if d is not None and d.text != evaluation.as_of]
    in_time = [d for d in known if moment is None or d.first <= moment.last]
    return max(in_time, key=lambda date: date.last, default=None)


def closing_line(evaluation: Evaluation) -> str:
    """Options not orders, the dates of the data, the region and the knowledge the card rests on."""
    newest = _newest_entry(evaluation)
    result = f"Newest entry used {newest.display()}. " if newest else ""
    regions = " and ".join(plain(region, 8) for region in evaluation.regions)
    labels = f"Region {regions}. " if regions else ""
    return (
        "Options, not orders; no ranking, figures or checks on this card. "
        f"{labels}{result}Chart read {shown_moment(evaluation.as_of)}, "
        f"knowledge {plain(evaluation.knowledge.version, 24)}."
    )
