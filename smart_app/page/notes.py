"""What is missing, in conflict, set aside or not readable, as lists of notes: each with reason and record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cds_hooks.remark_words import remark_sentence
from mappings.facts import Remark
from smart_app.page import words
from smart_app.page.view import PageView

STRANGER = "other-patient"
_NOTES_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Note:
    """Something missing, set aside, in conflict or unread: what, then why or what settles it."""

    glyph: str
    lead: str
    rest: str
    reference: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Notes:
    """A list of notes under one heading, and how many more the JSON form holds."""

    id: str
    title: str
    rows: tuple[Note, ...]
    more: int = 0


def note_lists(view: PageView) -> Iterable[Notes]:
    assessment = view.evaluation.assessment
    yield Notes("missing", "Missing", tuple(_missing(view)))
    for name, title, glyph, remarks in (
        ("conflicts", "Conflicts", "discordant", assessment.conflicts),
        ("aside", "Set aside", "aside", assessment.set_aside),
        ("unread", "Not readable", "missing", assessment.unread),
        ("remarks", "Notes", "value", assessment.remarks),
    ):
        rows = tuple(_note(view, remark, glyph) for remark in remarks[:_NOTES_SHOWN])
        yield Notes(name, title, rows, max(0, len(remarks) - _NOTES_SHOWN))


def _missing(view: PageView) -> Iterable[Note]:
    for item in view.evaluation.assessment.missing:
        if item.code == "unseen":
            lead = words.ended(words.upper_first(words.short(item.what, 120)))
            why = words.ended(f"Why: {words.short(item.remedy, 120)}")
            yield Note("missing", lead, f"{why} Not seen does not mean absent.")
        else:
            remedy = words.ended(f"Settled by: {words.short(item.remedy, 160)}")
            yield Note("missing", f"{words.upper_first(words.short(item.what, 120))}.", remedy)


def _note(view: PageView, remark: Remark, glyph: str) -> Note:
    reference = remark.source.reference if remark.source is not None else ""
    kind = "user" if remark.code == "stated" else glyph
    sentence = words.ended(words.upper_first(words.short(remark_sentence(remark), 300)))
    raw = "" if remark.code == STRANGER else words.raw_path(view.base, reference)
    return Note(kind, sentence, "", words.short(reference, 90), raw)
