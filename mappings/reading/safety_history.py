"""Earlier treatments under the names by which options ask for them (`check_before`).

Sources: rules 7 (PD-1 and transplant), 11.10 (administered only); hazard H-38.
"""

from __future__ import annotations

from collections.abc import Iterable

from mappings.facts import PriorTherapy, SafetyFact, SourceRef

_BY_CLASS = {
    "pd-1": ("prior-pd1-blockade", "recent-checkpoint-inhibitor"),
    "btk-inhibitor": ("prior-btk-inhibitor",),
    "cd20xcd3": ("prior-bispecific",),
    "cd19-directed": ("prior-cd19-directed",),
    "allo": ("prior-allo-hct",),
    "unspecified": ("prior-allo-hct",),  # the donor may have been another person
    "radiotherapy": ("prior-rt-field",),
    "steroid": ("corticosteroid-use",),
}
_BY_DRUG = {
    "blinatumomab": ("prior-blinatumomab-response",),
    "inotuzumab-ozogamicin": ("prior-inotuzumab",),
    "bendamustine": ("prior-bendamustine",),
}


def facts_from_therapies(therapies: Iterable[PriorTherapy]) -> Iterable[SafetyFact]:
    """What was given, with dates; of an order only that an allogeneic transplant is planned."""
    for course in therapies:
        source = course.sources[0] if course.sources else SourceRef("")
        span = course_dates(course)
        if not course.administered:
            if "allo" in course.classes:
                value = f"{course.label} ordered{f' {span}' if span else ''}"
                yield SafetyFact("planned-allo-hct", "present", value, course.last, source)
            continue
        names = [name for key in course.classes for name in _BY_CLASS.get(key, ())]
        names += _BY_DRUG.get(course.therapy, ())
        for name in dict.fromkeys(names):
            said = ", response not read" if name == "prior-blinatumomab-response" else ""
            value = f"{course.label}{f', {span}' if span else ', date not known'}{said}"
            state = "value" if "unspecified" in course.classes else "present"
            yield SafetyFact(name, state, value, course.last, source)


def course_dates(course: PriorTherapy) -> str:
    """First and last dose as shown to people; one date where they are the same day."""
    first, last = course.first, course.last
    if first is None:
        return ""
    if last is None or last.display() == first.display():
        return first.display()
    return f"{first.display()} to {last.display()}"
