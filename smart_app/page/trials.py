"""Searches of ClinicalTrials.gov, prefilled with disease, target and age group: nothing of the patient (H-42)."""

from __future__ import annotations

from urllib.parse import urlencode

from mappings.evaluation import OptionMatch
from smart_app.page import words
from smart_app.page.view import PageView

_AGES = ((18, "child"), (65, "adult"))


def age_filter(age: int | None) -> str:
    """The age group of a trial search; empty where the age is not known."""
    if age is None:
        return ""
    return next((name for below, name in _AGES if age < below), "older")


def trial_link(view: PageView, match: OptionMatch | None = None) -> str:
    """A ClinicalTrials.gov search by disease, target and age group: nothing of the patient, no chart text (H-42)."""
    assessment = view.evaluation.assessment
    disease = words.GROUP_WORDS.get(assessment.disease_group, "B-cell malignancy")
    if match is not None and match.kind not in ("testing", "clinical-trial", "supportive"):
        term = match.label.split(" (")[0]
    else:
        term = "CD19 OR CD20 OR CD22"
    ages = age_filter(assessment.age_years)
    filters = f"ages:{ages},status:rec" if ages else "status:rec"
    query = urlencode({"cond": disease, "term": term, "aggFilters": filters})
    return f"https://clinicaltrials.gov/search?{query}"
