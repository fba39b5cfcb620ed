"""What reading the disease course gives: one statement for each thing a text says of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CourseStatement:
    """One thing a report or note says about the course of a disease (rules 7, 11.3, 11.9).

    `kind`: relapse, progression, refractory, partial-response, response, remission, stable, undetermined,
    no-malignancy, new-episode, cns, isolated-cns, transformation, lineage-switch, t-cell-malignancy,
    localised, disseminated. `certainty`: stated or suspected. `time`: current, or prior where the text
    tells history or does not say that it speaks of now. `about`: this-disease, other-cancer or family.
    `change`: growth or shrinkage beside a Deauville score. `after_car_t`: the words place it after CAR
    T cells. `dated`: the date written beside it, as written. `section`: kind of heading it stands
    under. `span` lies in the text given.
    """

    kind: str
    words: str
    span: tuple[int, int]
    certainty: str = "stated"
    time: str = "current"
    about: str = "this-disease"
    deauville: int | None = None
    change: str = ""
    after_car_t: bool = False
    dated: str = ""
    section: str = ""


@dataclass(frozen=True, slots=True)
class CourseReading:
    """All statements of one text in its order; `cut` where only the head of a very long text was read."""

    statements: tuple[CourseStatement, ...] = ()
    cut: bool = False

    def current(self, *kinds: str) -> tuple[CourseStatement, ...]:
        """Statements about this disease now, of the kinds asked for (all where none is named)."""
        return tuple(
            s
            for s in self.statements
            if s.time == "current" and s.about == "this-disease" and (not kinds or s.kind in kinds)
        )
