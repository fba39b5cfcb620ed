"""Of what a word of the course is said: this disease, another cancer, a relative, or no cancer."""

from __future__ import annotations

from mappings.reading.course_text.lexicon import Term
from mappings.reading.course_text.scope import Scope
from mappings.reading.course_text.sentences import Hit

THIS, OTHER, FAMILY, NOTHING = "this-disease", "other-cancer", "family", ""
# These name a malignancy of their own: myeloid words beside a lineage switch are part of it.
_OWN = frozenset({"lineage-switch", "t-cell-malignancy", "transformation"})


def subject_of(scope: Scope, hit: Hit, term: Term, other_before: bool) -> str:
    """`this-disease`, `other-cancer`, `family`, or empty where no cancer is meant (rules 11.9, 11.14)."""
    sentence = scope.sentence
    if sentence.section == "family" or scope.before(hit.first, "family", reach=12):
        return FAMILY
    if scope.before(hit.first, "donor", reach=8) or scope.after(hit.last, "donor", reach=4):
        return NOTHING
    if term.kind in _OWN:
        return THIS
    if term.kind == "cns" and scope.near(hit.first, hit.last, 8, 6, "benign"):
        return NOTHING
    if term.form in {"lesion", "extent"} or (term.form == "phrase" and term.kind not in {"refractory"}):
        return _other_cancer(scope, hit, other_before)
    if term.form == "abbreviation":
        return _other_cancer(scope, hit, other_before)
    if term.form == "adjective":
        return _adjective(scope, hit)
    of = _object_after_of(scope, hit)
    if of is not None:
        return of
    close = scope.near(hit.first, hit.last, 3, 2, "benign")
    if close and not scope.near(hit.first, hit.last, 2, 2, "disease"):
        return NOTHING
    if term.form == "verb":
        return _verb(scope, hit, other_before)
    return _other_cancer(scope, hit, other_before)


def _is_disease(scope: Scope, hit: Hit) -> bool:
    if "disease" not in hit.tags and ("absent-object" not in hit.tags or hit.terms):
        return False
    word = scope.words.text[hit.first]
    if word == "all" and hit.first == hit.last:  # the leukaemia is written in capitals
        start, end = scope.words.span(hit.first, hit.last)
        return scope.words.source[start:end] == "ALL"
    return True


def _object_after_of(scope: Scope, hit: Hit) -> str | None:
    """What follows "relapse of": decides alone. None where no "of" follows."""
    of = next((h for h in scope.sentence.hits if h.first == hit.last + 1 and "of" in h.tags), None)
    if of is None or scope.breaks_between(hit.last, of.first):
        return None
    for found in scope.sentence.hits:
        if found.first <= of.last or found.first - of.last > 6 or scope.breaks_between(of.last, found.first):
            continue
        if "other-cancer" in found.tags:
            return OTHER
        if _is_disease(scope, found) or "manifestation" in found.tags:
            return THIS
        if "benign" in found.tags:
            return NOTHING
        if "imaging" in found.tags or "car-t" in found.tags:
            continue
    return NOTHING


def _adjective(scope: Scope, hit: Hit) -> str:
    """An adjective speaks of the disease it stands beside: "relapsed DLBCL", "DLBCL, relapsed"."""
    for found in scope.sentence.hits:
        if (
            found.first > hit.last
            and found.first - hit.last <= 4
            and not scope.breaks_between(hit.last, found.first)
        ):
            if "," in scope.words.before[hit.last + 1]:
                break
            if "other-cancer" in found.tags:
                return OTHER
            if _is_disease(scope, found):
                return THIS
            if "benign" in found.tags:
                return NOTHING
            if "car-t" in found.tags and "after" in _tags_between(scope, hit.last, found.first):
                return THIS
    for found in reversed(scope.sentence.hits):
        if found.last < hit.first and hit.first - found.last <= 3:
            if "other-cancer" in found.tags:
                return OTHER
            if _is_disease(scope, found):
                return THIS
            if "benign" in found.tags:
                return NOTHING
    if scope.words.text[hit.last] == "relapsed":
        return _verb(scope, hit, False)
    return NOTHING


def _tags_between(scope: Scope, first: int, last: int) -> set[str]:
    return {tag for h in scope.sentence.hits if first < h.first < last for tag in h.tags}


def _verb(scope: Scope, hit: Hit, other_before: bool) -> str:
    """A verb needs a patient, disease, therapy or image as its company, or to stand alone."""
    about = _other_cancer(scope, hit, other_before)
    if about != THIS:
        return about
    start, end = scope.clause(hit.first, hit.last)
    company = {tag for h in scope.sentence.hits if start <= h.first <= end for tag in h.tags}
    if "benign" in company and not any(_is_disease(scope, h) for h in scope.sentence.hits):
        return NOTHING
    if (
        company & {"disease", "manifestation", "car-t", "patient", "now", "prior-line"}
        or "imaging" in company
    ):
        return THIS
    return THIS if end - start < 4 else NOTHING


def _other_cancer(scope: Scope, hit: Hit, other_before: bool) -> str:
    """Another cancer's name decides where it stands nearer than this disease's, or alone."""
    others = [_distance(h, hit) for h in scope.sentence.hits if "other-cancer" in h.tags and not h.terms]
    own = [
        _distance(h, hit)
        for h in scope.sentence.hits
        if _is_disease(scope, h) and "other-cancer" not in h.tags
    ]
    own += [0] if "disease" in hit.tags else []
    if others and (not own or min(others) < min(own)):
        return OTHER
    if other_before and not own and not scope.sentence.tagged("car-t"):
        return OTHER
    return THIS


def _distance(one: Hit, other: Hit) -> int:
    return max(one.first - other.last, other.first - one.last, 0)
