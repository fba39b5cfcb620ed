"""Whose page this is, as every face of it says: name, birth date with age, sex, record number (H-03, H-06)."""

from __future__ import annotations

from dataclasses import dataclass

from mappings.evaluation import Evaluation
from mappings.facts import PatientFacts
from smart_app.page import words

_UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Identity:
    """The patient in words; what is not known is said in words."""

    name: str
    born: str
    sex: str
    record: str
    record_label: str

    @property
    def line(self) -> str:
        """Everything after the name on one line."""
        return f"Born {self.born} · {self.sex_words} · {self.record_label} {self.record}"

    @property
    def sex_words(self) -> str:
        """The sex where no label stands before it."""
        return f"Sex {_UNKNOWN}" if self.sex == _UNKNOWN else self.sex


def identity_of(evaluation: Evaluation) -> Identity:
    """The patient of an evaluation."""
    return identity_of_patient(evaluation.facts.patient, evaluation.assessment.age_years)


def identity_of_patient(patient: PatientFacts, age: int | None = None) -> Identity:
    """A patient whose own record was read; without an age only the day of birth is said."""
    born = _UNKNOWN
    if patient.birth_date is not None:
        born = words.date_words(patient.birth_date)
        if age is not None and not patient.deceased and patient.deceased_date is None:
            born += f" ({age}\u00a0y)"
    numbers = [words.short(number, 40) for number in patient.identifiers]
    return Identity(
        name=words.short(patient.name, 90) or "Name not known",
        born=born,
        sex=words.upper_first(words.short(patient.sex.replace("unknown", ""), 20)) or _UNKNOWN,
        record=", ".join(numbers[:2]) if numbers else words.short(patient.id, 64),
        record_label="MRN" if numbers else "Record",
    )
