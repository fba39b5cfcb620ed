"""Texts longer than what is read, and charts with more text than is read at once: nothing of that is *no* (11.5)."""

from __future__ import annotations

import pytest
from builders import (
    Resource,
    category,
    condition,
    judge,
    knowledge,
    procedure,
    relapsed,
    report,
    stain,
    state,
)

from mappings.evaluation import Evaluation
from mappings.reading.narrative import MAX_TEXT

CHART = knowledge().lexicon["report_policy"]["chart_limit"]
FILL = "The appointment was kept, and the next one was arranged by telephone. "
NEGATIVE = "Lymph node biopsy: malignant B cells, CD19 negative, CD20 positive. "


def filled(head: str, size: int, tail: str = "") -> str:
    """A text of `size` characters between its first and its last sentence."""
    return head + (FILL * (size // len(FILL) + 1))[: size - len(head) - len(tail)] + tail


def unread(made: Evaluation) -> set[str]:
    """What is named as not read."""
    return {remark.source.reference for remark in made.assessment.unread if remark.source is not None}


def seen(made: Evaluation, kind: str = "DiagnosticReport") -> str:
    return next(row.state for row in made.facts.seen if row.type == kind)


def test_a_text_up_to_the_limit_is_read_to_its_end() -> None:
    made = relapsed(report(filled("", MAX_TEXT, " " + NEGATIVE)))
    assert state(made) == "negative"
    assert unread(made) == set()


@pytest.mark.parametrize(
    "text", [filled(NEGATIVE, MAX_TEXT + 1), filled(NEGATIVE, MAX_TEXT + 90, "CD19 positive.")]
)
def test_h08_no_result_rests_on_a_text_read_in_part(text: str) -> None:
    """What was not read may take back what was: an amendment stands at the end."""
    made = relapsed(report(text, id="long"))
    assert state(made) == "unknown"
    assert category(made) == "cd19-unknown"
    assert unread(made) == {"DiagnosticReport/long"}


def test_h08_no_result_rests_on_more_statements_than_are_weighed() -> None:
    made = relapsed(report("CD19 negative on the blasts. CD20 positive, CD22 dim. " * 400, id="dense"))
    assert state(made) == "unknown"
    assert unread(made) == {"DiagnosticReport/dense"}


def test_h08_a_coded_results_own_long_words_settle_nothing() -> None:
    assert state(relapsed(stain("Negative. " + "CD19 negative on the blasts. " * 400))) != "negative"


def crowd(count: int, year: int) -> list[Resource]:
    """Reports that fill the allowance of a chart together."""
    return [
        report(filled("Letter. ", CHART // count), f"{year}-{1 + at % 12:02}-03", id=f"r{year}-{at}")
        for at in range(count)
    ]


def test_the_newest_reports_are_read_first_and_the_rest_is_named() -> None:
    old = report(NEGATIVE, "2024-02-01", id="old")
    newest = report(NEGATIVE, "2026-04-20", id="newest")
    made = relapsed(old, *crowd(6, 2025), newest)
    assert state(made) == "negative"
    assert "DiagnosticReport/old" in unread(made)
    assert "DiagnosticReport/newest" not in unread(made)
    assert seen(made) == "incomplete"
    assert seen(relapsed(old, *crowd(6, 2025)[:5], newest)) == "complete"


def test_h08_no_chart_with_unread_reports_is_without_a_relapse() -> None:
    chart = (condition(clinical="remission"), procedure())
    assert category(judge(*chart, *crowd(5, 2026))) == "no-relapse"
    made = judge(*chart, *crowd(7, 2026), report(FILL, "2026-01-01"))
    assert category(made) == "insufficient-data"
    assert seen(made) == "incomplete"
