"""Whether a statement speaks of now or earlier, and whether it stands after CAR T cells (rules 11.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mappings.reading.course_text.lexicon import CourseLexicon, Term
from mappings.reading.course_text.scope import Scope
from mappings.reading.course_text.sentences import Hit
from mappings.reading.course_text.words import Words

_YEAR = re.compile(r"(?:19|20)\d\d\Z")
_STATES = frozenset({"response", "remission", "partial-response", "stable"})
_LEAD_IN = 4
_NAME = 9
_SITES = frozenset({"manifestation", "site-ok", "site-preposition", "qualifier", "of"})
_LEADS = frozenset({"hedge", "hedge-adjacent", "assert"})
_OTHER_EVENTS = frozenset({"prior-line", "history-after", "before"})


@dataclass(frozen=True, slots=True)
class When:
    """Time of a statement, whether its words place it after CAR T cells, and the date beside it."""

    time: str
    after_car_t: bool = False
    dated: str = ""


@dataclass(frozen=True, slots=True)
class Calendar:
    """The latest year written in the text: an earlier year beside a statement makes it history."""

    latest_year: int
    lexicon: CourseLexicon

    @classmethod
    def of(cls, words: Words, lexicon: CourseLexicon) -> Calendar:
        """Reads the years of a text."""
        return cls(max((int(w) for w in words.text if _YEAR.match(w)), default=0), lexicon)


def time_of(scope: Scope, hit: Hit, term: Term, calendar: Calendar) -> When:
    """Now or earlier; where the text does not say that it speaks of now, earlier."""
    if _beside_car_t(scope, hit, "before") or _given_for(scope, hit):
        return When("prior")
    after = _beside_car_t(scope, hit, "after")
    dated = _date_beside(scope, hit, calendar)
    year = next((int(dated[part]) for part in (slice(-4, None), slice(0, 4)) if _YEAR.match(dated[part])), 0)
    lone_year = _YEAR.match(dated) is not None
    old = bool(year) and (year < calendar.latest_year or (lone_year and not after))
    now = _now(scope, hit)
    if old:
        current = False
    elif scope.sentence.section == "history":
        current = (after or now) and not scope.after(hit.last, "history-after", reach=12)
    elif term.kind in _STATES:
        current = not (
            scope.before(hit.first, "past-response", reach=3, label=True)
            or scope.before(hit.first, "history", reach=2)
            or scope.before(hit.first, "history-adjacent", reach=1)
        )
    else:
        current = _is_now(scope, hit, term, after, now)
    return When("current" if current else "prior", after, dated)


def _now(scope: Scope, hit: Hit) -> bool:
    """Whether "now" or the like stands before the word, or closes the clause right after it."""
    if scope.near(hit.first, hit.last, 4, 0, "now"):
        return True
    _, end = scope.clause(hit.first, hit.last)
    return any("now" in h.tags and h.first == hit.last + 1 and h.last == end for h in scope.sentence.hits)


def _is_now(scope: Scope, hit: Hit, term: Term, after: bool, now: bool) -> bool:
    if (_old_line(scope, hit) and not after) or (_both(scope, hit) and not now):
        return False
    adjective = term.form == "adjective" and not _as_verb(scope, hit)
    if adjective and not (after or now) and not _as_diagnosis(scope, hit):
        return False
    if scope.before(hit.first, "for", reach=1) and not scope.before(hit.first, "assert", reach=3):
        return False
    if scope.before(hit.first, "history", reach=1) and not after:
        return False
    if after and not now:
        return scope.before(hit.first, "history", reach=5) is None
    return now or not _history(scope, hit)


def _history(scope: Scope, hit: Hit) -> bool:
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
    """Whether it is the label "relapsed/refractory" of the disease that was treated, which is no event."""
    words, sentence = scope.words, scope.sentence
    for other in sentence.hits:
        if not any(t.kind in {"refractory", "relapse"} and t.form == "adjective" for t in other.terms):
            continue
        low, high = (hit.last, other.first) if other.first > hit.last else (other.last, hit.first)
        joined = high == low + 2 and scope.sentence_tag(low + 1, "list")
        if joined or (high == low + 1 and "/" in words.before[high]):
            return True
    return False


def _as_verb(scope: Scope, hit: Hit) -> bool:
    """ "Relapsed" with no disease after it nor comma before it: "DLBCL relapsed 5/2026"."""
    if "participle" not in hit.tags or hit.first == scope.sentence.first:
        return False
    if "," in scope.words.before[hit.first] or scope.breaks_between(hit.first - 1, hit.first):
        return False
    return scope.near(hit.first, hit.last, 0, 4, "disease") is None


def _as_diagnosis(scope: Scope, hit: Hit) -> bool:
    """Whether an adjective stands in a diagnosis: under that heading, asserted, or in first place."""
    words, sentence = scope.words, scope.sentence
    if any("history-after" in h.tags and h.first > hit.last for h in sentence.hits):
        return False
    if scope.before(hit.first, "history", reach=6) or scope.before(hit.first, "patient", reach=4):
        return False
    if sentence.section == "diagnosis":
        return True
    if scope.before(hit.first, "assert", "hedge", reach=4):
        return True
    start, _ = scope.clause(hit.first, hit.last)
    lead = hit.first - start
    ahead = [h for h in sentence.hits if start <= h.first < hit.first]
    if any("disease" in h.tags or h.terms for h in ahead):  # "DLBCL, relapsed"
        return lead <= _LEAD_IN or (lead <= _NAME and words.before[hit.first].strip() in {",", "("})
    if "," in words.before[hit.first] and lead <= _LEAD_IN and sentence.line_start:  # "Node, recurrent DLBCL"
        site = not any(w[0].isdigit() for w in words.text[start : hit.first])
        return site and all(h.tags & _SITES for h in ahead)
    plain = sum(h.last - h.first + 1 for h in ahead if h.tags & _LEADS)
    return lead == plain and _opens(scope, hit, start)


def _opens(scope: Scope, hit: Hit, start: int) -> bool:
    """Whether the word begins a sentence, or follows the colon or dash of a label such as a site."""
    if start == scope.sentence.first:
        return scope.sentence.line_start or scope.sentence.section == "findings"
    gap = scope.words.before[start]
    return ":" in gap or " - " in gap or ".." in gap


def _given_for(scope: Scope, hit: Hit) -> bool:
    """Whether CAR T cells were given for it: "axi-cel for relapsed DLBCL"."""
    cue = scope.before(hit.first, "for", reach=2)
    if cue is None:
        return False
    return any("car-t" in h.tags and h.last < cue.first for h in scope.sentence.hits)


def _beside_car_t(scope: Scope, hit: Hit, tag: str) -> bool:
    """Whether "after CAR T", or "before CAR T", stands beside the word with no other event between."""
    hits = scope.sentence.hits
    for nth, found in enumerate(hits):
        if "car-t" not in found.tags:
            continue
        cue = next((h for h in reversed(hits[max(0, nth - 3) : nth]) if h.tags & {"after", "before"}), None)
        if cue is None or tag not in cue.tags or found.first - cue.last > 5:
            continue
        low, high = (hit.last, cue.first) if hit.last < cue.first else (found.last, hit.first)
        if high < low or scope.breaks_between(low, high) or high - low > 12:
            continue
        between = [h for h in hits if low < h.first and h.last < high]
        if any(h.terms or h.tags & _OTHER_EVENTS for h in between):
            continue
        commas = sum("," in scope.words.before[at] for at in range(low + 1, high + 1))
        if commas == 0 or (commas == 1 and high - low <= 6):
            return True
    return False


def _date_beside(scope: Scope, hit: Hit, calendar: Calendar) -> str:
    """The date written beside the word, as in the original: rather after it, and not across a comma."""
    start, end = scope.clause(hit.first, hit.last)
    words = scope.words
    if not any(w[0].isdigit() for w in words.text[start : end + 1]):
        return ""
    here, there = words.start[hit.first], words.end[hit.last]
    best: tuple[int, str] = (9999, "")
    for found in calendar.lexicon.dates.finditer(words.folded, words.start[start], words.end[end]):
        ahead = found.start() >= there
        gap = words.folded[there : found.start()] if ahead else words.folded[found.end() : here]
        if ahead and "," in gap and len(gap.strip(", ")) > 4:  # the date of something else
            continue
        rank = len(gap) + (0 if ahead else 40) + (400 if not ahead and "," in gap else 0)
        if rank < best[0]:
            first, last = words.original(found.start()), words.original(found.end() - 1) + 1
            best = (rank, words.source[first:last])
    return best[1]
