"""Sentences that say no malignancy was found: a strong denial of the disease itself (rules 11.9)."""

from __future__ import annotations

from collections.abc import Callable

from mappings.reading.course_text.scope import Scope
from mappings.reading.course_text.sentences import Hit
from mappings.reading.course_text.statements import CourseStatement

_MAX_OBJECT = 9


def absence_statement(scope: Scope, build: Callable[..., CourseStatement]) -> CourseStatement | None:
    """The statement that no malignancy was found, or None: "no CNS disease" is not that."""
    sentence = scope.sentence
    if sentence.section in {"history", "family"} or sentence.tagged(
        "weakening", "other-cancer", "family", "donor"
    ):
        return None
    if "?" in scope.words.after(sentence.last) or sentence.tagged("break"):
        return None
    for cue in sentence.hits:
        if cue.tags.isdisjoint({"absence", "plain-absence"}) or _hedged(scope, cue):
            continue
        if "plain-absence" in cue.tags:
            if _closes(scope, cue) and not scope.before(cue.first, "plan", "history", "negation"):
                return build(scope, "no-malignancy", cue.first, cue.last)
            continue
        if scope.before(cue.first, "plan", "history", "negation") or scope.before(
            cue.first, "history-adjacent", reach=1
        ):
            continue
        last = _disease_object(scope, cue)
        if last is not None and not _limited(scope, last):
            return build(scope, "no-malignancy", cue.first, last)
    return None


def _disease_object(scope: Scope, cue: Hit) -> int | None:
    """Last word of what is denied, if it is disease, lymphoma or relapse and nothing narrower."""
    hits = {h.first: h for h in scope.sentence.hits}
    at, last = cue.last + 1, None
    own_object = _ends_in_object(scope, cue)
    while at <= min(scope.sentence.last, cue.last + _MAX_OBJECT):
        if scope.breaks_between(at - 1, at) or "," in scope.words.before[at]:
            break
        hit = hits.get(at)
        if hit is None or hit.tags.isdisjoint({"absent-object", "qualifier", "of", "list"}):
            narrower = hit is not None and bool(hit.terms or "disease" in hit.tags)
            return (
                None
                if narrower or (last is None and not own_object)
                else (last if last is not None else cue.last)
            )
        if "absent-object" in hit.tags:
            last = hit.last
        elif last is not None and "of" in hit.tags and "qualifier" not in hit.tags:
            break
        at = hit.last + 1
    return last if last is not None else (cue.last if own_object else None)


def _closes(scope: Scope, cue: Hit) -> bool:
    """Whether "no lymphoma" is all that is said, or only "seen" or "identified" follows."""
    at = cue.last + 1
    if at > scope.sentence.last or scope.breaks_between(cue.last, at) or "," in scope.words.before[at]:
        return True
    return scope.sentence_tag(at, "found") and not _limited(scope, cue.last)


def _hedged(scope: Scope, cue: Hit) -> bool:
    start, end = scope.clause(cue.first, cue.last)
    tags = {tag for h in scope.sentence.hits if start <= h.first <= end for tag in h.tags}
    return not tags.isdisjoint({"hedge", "hedge-after", "hedge-adjacent"})


def _ends_in_object(scope: Scope, cue: Hit) -> bool:
    return "absent-object" in cue.tags


def _limited(scope: Scope, last: int) -> bool:
    """Whether a place follows that is not the specimen or study itself: "no disease in the neck"."""
    hits = {h.first: h for h in scope.sentence.hits}
    at = last + 1
    if at > scope.sentence.last or scope.breaks_between(last, at) or "," in scope.words.before[at]:
        return False
    hit = hits.get(at)
    if hit is None or "site-preposition" not in hit.tags:
        return hit is not None and bool(hit.terms)
    for place in range(hit.last + 1, min(scope.sentence.last, hit.last + 4) + 1):
        if scope.breaks_between(place - 1, place) or "," in scope.words.before[place]:
            break
        inner = hits.get(place)
        if inner is None or "site-ok" not in inner.tags:
            if any(h.first <= place <= h.last and "site-ok" in h.tags for h in scope.sentence.hits):
                continue
            return True
    return False
