"""The invented patients of the sandbox: one per relapse category and hazard, dated from a given day backwards."""

from __future__ import annotations

from datetime import date

from sandbox_ehr.patients.chart import Chart
from sandbox_ehr.patients.leukaemia import CHARTS as LEUKAEMIA
from sandbox_ehr.patients.lymphoma import CHARTS as LYMPHOMA
from sandbox_ehr.patients.no_relapse import CHARTS as NO_RELAPSE
from sandbox_ehr.patients.other_lymphoma import CHARTS as OTHER_LYMPHOMA
from sandbox_ehr.patients.unknown import CHARTS as UNKNOWN

__all__ = ["Chart", "all_charts"]


def all_charts(today: date) -> tuple[Chart, ...]:
    """Every invented chart as it stands on a day; the same day always gives the same resources."""
    makers = (*LYMPHOMA, *OTHER_LYMPHOMA, *UNKNOWN, *LEUKAEMIA, *NO_RELAPSE)
    return tuple(sorted((make(today) for make in makers), key=lambda chart: chart.story.given))
