"""Whether a statement speaks of now or earlier, and whether it stands after CAR T cells (rules 11.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mappings.reading.course_text.lexicon import Term
from mappings.reading.course_text.scope import Scope
from mappings.reading.course_text.sentences import Hit
from mappings.reading.course_text.words import Words

_YEAR = re.compile(r"(?:19|20)\d\d\Z")
_DATE = re.compile(
    r"\b(?:\d{1,2}[ .]{1,2}[a-z]{3,10}\.? (?:19|20)\d\d|[a-z]{3,10}\.? \d{1,2}, (?:19|20)\d\d"
    r"|(?:19|20)\d\d-\d\d(?:-\d\d)?|\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d\d|\d{1,2}/(?:19|20)\d\d"
    r"|[a-z]{3,10}\.? (?:19|20)\d\d|(?:19|20)\d\d)\b"
)
_STATES = frozenset({"response", "remission", "partial-response", "stable"})
_LEAD_IN = 4
_NAME = 9
_LEADS = frozenset({"hedge", "hedge-adjacent", "assert"})


@dataclass(frozen=True, slots=True)
class When:
    """Time of a statement; `said` is false where the words only name a time, such as "before relapse"."""

    time: str
    after_car_t: bool = False
    dated: str = ""
    said: bool = True


@dataclass(frozen=True, slots=True)
class Calendar:
    """The latest year written in the text: an earlier year beside a statement makes it history."""

    latest_year: int

    @classmethod
    def of(cls, words: Words) -> Calendar:
        """Reads the years of a text."""
        return cls(max((int(w) for w in words.text if _YEAR.match(w)), default=0))


def time_of(scope: Scope, hit: Hit, term: Term, calendar: Calendar) -> When:
    """Now or earlier; where the text does not say that it speaks of now, earlier."""
    if _before_car_t(scope, hit):
        return When("prior")
    after = _after_car_t(scope, hit)
    dated = _date_beside(scope, hit)
    now = scope.near(hit.first, hit.last, 4, 4, "now") is not None
    year = int(dated[-4:]) if _YEAR.match(dated[-4:]) else int(dated[:4]) if _YEAR.match(dated[:4]) else 0
    old = bool(year) and (year < calendar.latest_year or _YEAR.match(dated) is not None)
    if scope.sentence.section == "history":
        current = (after or now) and not old and not scope.after(hit.last, "history-after", reach=12)
    elif old and not (after and year == calendar.latest_year):
        current = False
    elif term.kind in _STATES:
        current = scope.before(hit.first, "past-response", reach=3, label=True) is None and not _history(
            scope, hit, now
        )
    else:
        current = _is_now(scope, hit, term, after, now)
    return When("current" if current else "prior", after, dated)


def _is_now(scope: Scope, hit: Hit, term: Term, after: bool, now: bool) -> bool:
    if (_old_line(scope, hit) and not after) or (_both(scope, hit) and not now):
        return False
    if term.form == "adjective" and not after and not _as_diagnosis(scope, hit):
        return False
    if scope.before(hit.first, "for", reach=1) and not scope.before(hit.first, "assert", reach=3):
        return False
    if now or after:
        return scope.before(hit.first, "history", reach=5) is None or now
    return not _history(scope, hit, now)


def _history(scope: Scope, hit: Hit, now: bool) -> bool:
    if now:
        return False
    return (
        scope.before(hit.first, "history") is not None
        or scope.before(hit.first, "history-adjacent", reach=1) is not None
        or scope.after(hit.last, "history-after", reach=14) is not None
    )


def _old_line(scope: Scope, hit: Hit) -> bool:
    """Relapse or progression on a line of therapy that goes before CAR T cells: "progressed on R-CHOP"."""
    return any(
        "prior-line" in h.tags and 0 < h.first - hit.last <= 5 and not scope.breaks_between(hit.last, h.first)
        for h in scope.sentence.hits
    )


def _both(scope: Scope, hit: Hit) -> bool:
    """ "Relapsed/refractory" labels the disease that was treated; it is not an event."""
    words = scope.words
    return words.before[hit.first] in {"/", " / "} or words.after(hit.last) in {"/", " / "}


def _as_diagnosis(scope: Scope, hit: Hit) -> bool:
    """Whether an adjective stands in a diagnosis: under that heading, asserted, or in first place."""
    words, sentence = scope.words, scope.sentence
    if any("history-after" in h.tags and h.first > hit.last for h in sentence.hits):
        return False
    if scope.before(hit.first, "history", reach=6) or scope.before(hit.first, "patient", reach=4):
        return False
    if sentence.section == "diagnosis":
        return True
    if scope.before(hit.first, "assert", reach=4):
        return True
    start, _ = scope.clause(hit.first, hit.last)
    lead = hit.first - start
    ahead = [h for h in sentence.hits if start <= h.first < hit.first]
    if any("disease" in h.tags for h in ahead):  # "DLBCL, relapsed"
        return lead <= _LEAD_IN or (lead <= _NAME and words.before[hit.first].strip() in {",", "("})
    plain = sum(h.last - h.first + 1 for h in ahead if h.tags & _LEADS)
    return lead == plain and _opens(scope, hit, start)


def _opens(scope: Scope, hit: Hit, start: int) -> bool:
    """Whether the word begins a sentence, or follows the colon or dash of a label such as a site."""
    if start == scope.sentence.first:
        return scope.sentence.line_start or scope.sentence.section == "findings"
    gap = scope.words.before[start]
    return ":" in gap or " - " in gap


def _before_car_t(scope: Scope, hit: Hit) -> bool:
    return _beside_car_t(scope, hit, "before", "for")


def _after_car_t(scope: Scope, hit: Hit) -> bool:
    return _beside_car_t(scope, hit, "after")


def _beside_car_t(scope: Scope, hit: Hit, *tags: str) -> bool:
    """Whether "after CAR T" or the like stands in the same clause; "CAR T for relapse" counts as before."""
    hits = scope.sentence.hits
    for nth, found in enumerate(hits):
        if "car-t" not in found.tags:
            continue
        near = [
            h
            for h in hits[max(0, nth - 3) : nth]
            if found.first - h.last <= 5 and not h.tags.isdisjoint(tags)
        ]
        near = [h for h in near if "for" not in h.tags]
        if near and not scope.breaks_between(min(hit.last, found.first), max(hit.first, found.first)):
            closest = next(h for h in reversed(hits[max(0, nth - 3) : nth]) if {"after", "before"} & h.tags)
            if not closest.tags.isdisjoint(tags):
                return True
        if "for" in tags and found.last < hit.first and hit.first - found.last <= 5:
            between = [h for h in hits if found.last < h.first < hit.first]
            if any("for" in h.tags for h in between):
                return True
    return False


def _date_beside(scope: Scope, hit: Hit) -> str:
    """A date written in the clause, as in the original; the one nearest to the word."""
    start, end = scope.clause(hit.first, hit.last)
    words = scope.words
    if not any(w[0].isdigit() for w in words.text[start : end + 1]):
        return ""
    at = words.start[start]
    best, distance = "", 200
    for found in _DATE.finditer(words.folded, at, words.end[end]):
        away = min(abs(found.start() - words.end[hit.last]), abs(words.start[hit.first] - found.end()))
        if away < distance:
            best, distance = (
                words.source[words.original(found.start()) : words.original(found.end() - 1) + 1],
                away,
            )
    return best
