"""Judges each word of the course in its sentence: said, sure, now, and of what (rules 11.9)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from mappings.reading.course_text.absence import absence_statement
from mappings.reading.course_text.deauville import Score, change_beside, deauville_scores
from mappings.reading.course_text.lexicon import CourseLexicon, Term
from mappings.reading.course_text.scope import Scope
from mappings.reading.course_text.sentences import Hit, Sentence
from mappings.reading.course_text.statements import CourseStatement
from mappings.reading.course_text.subject import subject_of
from mappings.reading.course_text.timing import Calendar, time_of
from mappings.reading.course_text.words import Words

_SILENT_SECTIONS = frozenset({"plan", "question", "technique"})
_ACTIVE = frozenset({"relapse", "progression", "refractory"})
_REMITTED = frozenset({"response", "remission", "partial-response"})
_UNTICKED = re.compile(r"(?:\[ ?\]|\( \))[ \t]*\Z")
_QUOTE = 240
TERM_CAP = 2000  # no report says so much of its course; keeps hostile text cheap


@dataclass(slots=True)
class Judge:
    """Reads sentence after sentence; keeps whether the last one spoke of another cancer."""

    words: Words
    lexicon: CourseLexicon
    calendar: Calendar
    other_before: bool = False
    found: list[CourseStatement] = field(default_factory=list)
    judged: int = 0

    def read(self, sentence: Sentence, neighbours: tuple[Sentence, ...] = ()) -> None:
        """Adds what one sentence says."""
        if any(word in self.lexicon.foreign for word in self.words.text[sentence.first : sentence.last + 1]):
            return
        if sentence.section in _SILENT_SECTIONS:
            return
        scope = Scope(self.words, sentence)
        said: list[tuple[Hit, CourseStatement]] = []
        for hit in sentence.hits:
            for term in hit.terms if self.judged < TERM_CAP else ():
                self.judged += 1
                if statement := self._term(scope, hit, term):
                    said.append((hit, statement))
                    said.extend((hit, extra) for extra in _implied(statement, term))
        self.found.extend(_one_state(scope, said))
        absent = absence_statement(scope, self._statement)
        relapsed = any(s.kind in _ACTIVE and s.time == "current" and s.certainty == "stated" for _, s in said)
        if absent and not relapsed:
            self.found.append(absent)
        for score in deauville_scores(self.words, sentence, self.lexicon) if self.judged < TERM_CAP else ():
            self.judged += 1
            change = change_beside(scope) or self._change_around(neighbours)
            self.found.append(self._score(scope, score, change))
        here = sentence.tagged("other-cancer")
        self.other_before = here and not sentence.tagged("disease")

    def settled(self) -> tuple[CourseStatement, ...]:
        """All statements; "no lymphoma" of one part does not stand beside a relapse the same report states."""
        relapsed = any(
            s.kind in _ACTIVE and s.certainty == "stated" and s.time == "current" and s.section != "history"
            for s in self.found
            if s.about == "this-disease"
        )
        return tuple(s for s in self.found if not (relapsed and s.kind == "no-malignancy"))

    def _term(self, scope: Scope, hit: Hit, term: Term) -> CourseStatement | None:
        if term.form == "abbreviation" and not self._is_abbreviation(scope, hit):
            return None
        if self._unsaid(scope, hit, term):
            return None
        about = subject_of(scope, hit, term, self.other_before)
        if not about:
            return None
        certainty, kind = self._certainty(scope, hit, term)
        if not certainty:
            return None
        when = time_of(scope, hit, term, self.calendar)
        if scope.sentence.section == "history" and certainty == "suspected":
            return None
        return self._statement(
            scope, kind, hit.first, hit.last, certainty=certainty, time=when.time, about=about,
            after_car_t=when.after_car_t, dated=when.dated,
        )  # fmt: skip

    def _is_abbreviation(self, scope: Scope, hit: Hit) -> bool:
        """PD, CR and the like count in capitals beside words of response, not as laboratory or ECG values."""
        start, end = self.words.span(hit.first, hit.last)
        if not self.words.source[start : min(end, start + 2)].isupper():
            return False
        if self.words.after(hit.last)[:1] in {"-", "/", "+"} or self.words.before[hit.first].endswith(
            ("-", "/")
        ):
            return False
        if hit.last < scope.sentence.last and self.words.text[hit.last + 1][:1].isdigit():
            return False
        short = scope.sentence.last - scope.sentence.first < 3
        return short or scope.sentence.tagged("imaging", "car-t") or scope.sentence.section == "diagnosis"

    def _unsaid(self, scope: Scope, hit: Hit, term: Term) -> bool:
        """Whether the word is negated, only planned for, asked, or an unmarked choice."""
        if _UNTICKED.search(self.words.before[hit.first]):
            return True
        denial = scope.before(hit.first, "negation", "absence", label=True)
        # "no blasts, complete remission": the denial of disease does not reach over the comma
        if denial and not (term.kind in _REMITTED and self._past_comma(scope, denial.last, hit.first)):
            return True
        if scope.after(hit.last, "negation-after", "plan-after") or scope.before(
            hit.first, "negation-after", reach=1
        ):
            return True
        if scope.before(hit.first, "plan", reach=7, label=True) or self._planned_next(scope, hit, term):
            return True
        if "?" in self.words.before[hit.first] or "?" in self.words.after(hit.last)[:3]:
            return True
        if "?" in self.words.after(scope.sentence.last) and not scope.sentence.tagged("assert"):
            return True
        if term.kind in _REMITTED and (
            scope.before(hit.first, "unmet", reach=1, label=True)
            or scope.after(hit.last, "unmet-after", reach=1)
        ):
            return True
        return self._answered_no(scope, hit) or self._in_definition(scope, hit, term)

    def _past_comma(self, scope: Scope, first: int, last: int) -> bool:
        """Whether a comma parts two places, and it is not the comma of one list of responses."""
        between = [h for h in scope.sentence.hits if first < h.first < last]
        if any("list" in h.tags or any(t.kind in _REMITTED for t in h.terms) for h in between):
            return False
        return any("," in self.words.before[at] for at in range(first + 1, last + 1))

    def _planned_next(self, scope: Scope, hit: Hit, term: Term) -> bool:
        """ "At relapse" and "when relapse" name a time to come; "when he relapsed" tells what happened."""
        if term.form in {"verb", "adjective"}:
            return False
        return scope.before(hit.first, "plan-adjacent", reach=1) is not None

    def _answered_no(self, scope: Scope, hit: Hit) -> bool:
        """A form field: "Relapse: no", "Progression (yes/no)", "Relapse: unknown"."""
        last = hit.last
        for named in scope.sentence.hits:  # "Recurrent disease: not identified"
            if named.first == last + 1 and named.tags & {"disease", "manifestation"}:
                last = named.last
        gap = self.words.after(last)
        if last >= scope.sentence.last or not (gap == " - " or any(sign in gap for sign in ":\t=(|")):
            return False
        answer = next((h for h in scope.sentence.hits if h.first == last + 1), None)
        if gap == " - " and (answer is None or answer.last != scope.sentence.last):
            return False
        if answer is None and self.words.text[last + 1] == "0":
            return True
        return answer is not None and not answer.tags.isdisjoint(
            {"answer-no", "blank", "negation", "absence", "negation-after"}
        )

    def _in_definition(self, scope: Scope, hit: Hit, term: Term) -> bool:
        """New lesions named as part of a scale: "5: uptake well above liver and/or new lesions"."""
        if term.form != "lesion":
            return False
        before = self.words.text[max(scope.sentence.first, hit.first - 2) : hit.first]
        return (
            before == ["and", "or"]
            or before[-1:] in (["or"], ["oder"], ["ou"], ["o"])
            or scope.sentence.tagged("legend")
        )

    def _certainty(self, scope: Scope, hit: Hit, term: Term) -> tuple[str, str]:
        """Certainty and kind; empty where the report leaves it open in a way that is not even a suspicion."""
        if term.kind == "undetermined":
            return "stated", term.kind
        start, end = scope.clause(hit.first, hit.last)
        doubt = any(
            "doubt" in h.tags and not h.terms and start <= h.first <= end for h in scope.sentence.hits
        )
        hedged = (
            scope.before(hit.first, "hedge", label=True)
            or scope.before(hit.first, "hedge-adjacent", reach=1)
            or scope.after(hit.last, "hedge-after")
            or (term.form == "lesion" and scope.after(hit.last, "hedge", "hedge-adjacent"))
            or "hedge" in hit.tags
        )
        if doubt and (term.kind in _ACTIVE or term.form == "lesion"):
            return "stated", "undetermined"
        if hedged:
            return ("suspected", term.kind) if term.kind not in _REMITTED | {"stable"} else ("", term.kind)
        if term.form == "lesion" and scope.sentence.tagged("benign"):
            return "stated", "undetermined"
        return "stated", term.kind

    def _change_around(self, neighbours: tuple[Sentence, ...]) -> str:
        """Growth or shrinkage said in the sentence after or before, where the two do not contradict."""
        told = {
            change
            for near in neighbours
            if near.section not in _SILENT_SECTIONS | {"history"} and not near.tagged("benign")
            for change in (change_beside(Scope(self.words, near)),)
            if change
        }
        return told.pop() if len(told) == 1 else ""

    def _score(self, scope: Scope, score: Score, change: str) -> CourseStatement:
        """A Deauville score: 5, or 4 with growth, is suspicion; all else settles nothing (rules 11.9)."""
        active = not score.open and (score.grade == 5 or (score.grade == 4 and change == "growth"))
        prior = score.prior or scope.sentence.section == "history"
        return self._statement(
            scope, "relapse" if active else "undetermined", score.first, score.last,
            certainty="suspected" if active else "stated", time="prior" if prior else "current",
            deauville=score.grade, change=change,
        )  # fmt: skip

    def _statement(
        self, scope: Scope, kind: str, first: int, last: int, *, certainty: str = "stated",
        time: str = "current", about: str = "this-disease", deauville: int | None = None, change: str = "",
        after_car_t: bool = False, dated: str = "",
    ) -> CourseStatement:  # fmt: skip
        start, end = self.words.span(scope.sentence.first, scope.sentence.last)
        if end - start > _QUOTE:
            near_start, near_end = self.words.span(
                max(scope.sentence.first, first - 14), min(scope.sentence.last, last + 10)
            )
            start, end = near_start, min(near_end, near_start + 2 * _QUOTE)
        return CourseStatement(
            kind=kind, words=self.words.source[start:end], span=(start, end), certainty=certainty, time=time,
            about=about, deauville=deauville, change=change, after_car_t=after_car_t, dated=dated,
            section=scope.sentence.section,
        )  # fmt: skip


def _implied(statement: CourseStatement, term: Term) -> list[CourseStatement]:
    extra = []
    if term.implies and statement.kind != term.implies:
        extra.append(replace(statement, kind=term.implies))
    if term.new_episode:
        extra.append(replace(statement, kind="new-episode"))
    return extra


def _one_state(scope: Scope, said: list[tuple[Hit, CourseStatement]]) -> list[CourseStatement]:
    """Of a sentence that tells a course ("CR, then relapse") only the last state is the present."""
    states = [
        (hit, s)
        for hit, s in said
        if s.time == "current" and s.about == "this-disease" and s.kind in _ACTIVE | _REMITTED
    ]
    earlier: set[int] = set()
    for nth, (hit, statement) in enumerate(states):
        later = [(h, s) for h, s in states[nth + 1 :] if h.first > hit.last]
        opposite = _REMITTED if statement.kind in _ACTIVE else _ACTIVE
        if any(s.kind in opposite and s.certainty == "stated" for _, s in later):
            earlier.add(hit.first)
    return [
        replace(s, time="prior")
        if hit.first in earlier and s.time == "current" and s.kind != "undetermined"
        else s
        for hit, s in said
    ]
