"""The invented patients of the sandbox: one per relapse category and hazard, dated from a given day backwards."""

from __future__ import annotations

from datetime import date

from sandbox_ehr.patients import leukaemia, lymphoma, no_relapse, unknown
from sandbox_ehr.patients.chart import Chart

__all__ = ["Chart", "all_charts"]


def all_charts(today: date) -> tuple[Chart, ...]:
    """Every invented chart as it stands on a day; the same day always gives the same resources."""
    makers = (*lymphoma.CHARTS, *unknown.CHARTS, *leukaemia.CHARTS, *no_relapse.CHARTS)
    return tuple(sorted((make(today) for make in makers), key=lambda chart: chart.story.given))
