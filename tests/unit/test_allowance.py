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
    made = relapsed(old, *crowd(6, 2026), newest)
    assert state(made) == "negative"
    assert unread(made) == {"DiagnosticReport/r2026-0"}
    assert made.assessment.unread[0].reason.startswith("and an older one were not read")
    assert unread(relapsed(old, *crowd(6, 2026)[:5], newest)) == set()


def test_h08_no_chart_with_unread_reports_is_without_a_relapse() -> None:
    chart = (condition(clinical="remission"), procedure())
    assert category(judge(*chart, *crowd(5, 2026))) == "no-relapse"
    made = judge(*chart, *crowd(7, 2026), report(FILL, "2026-01-01"))
    assert category(made) == "insufficient-data"
    assert seen(made) == "incomplete"


def test_h43_reports_surely_from_before_the_infusion_hold_no_answer_back() -> None:
    chart = (condition(clinical="remission"), procedure())
    old = [report(filled("Letter. ", 2000), f"{2015 + at % 8}-05-01", id=f"o{at}") for at in range(400)]
    made = judge(*chart, *old)
    assert category(made) == "no-relapse"
    assert len(made.assessment.unread) == 1
    assert " and 99 older ones were not read" in f" {made.assessment.unread[0].reason}"


def test_h12_an_unread_correction_leaves_no_first_version_standing() -> None:
    """An amended report beyond the allowance takes the state of the one it corrects with it (rules 11.6)."""
    first = report(NEGATIVE, "2026-02-01", id="a", issued="2026-02-02T00:00:00Z")
    second = report(
        filled("Addendum, corrected report. Lymph node biopsy: malignant B cells, CD19 strongly positive. ", 150_000),
        "2026-02-01", id="z", status="amended", issued="2026-03-01T00:00:00Z",
    )  # fmt: skip
    letters = [report(filled("Letter. ", 100_000), f"2026-04-0{day}", id=f"f{day}") for day in range(1, 6)]
    assert state(relapsed(first, second)) == "positive"
    assert state(relapsed(first, second, *letters)) == "unknown"


def test_an_unread_report_of_the_same_days_leaves_a_result_unknown() -> None:
    known = report(NEGATIVE, "2026-02-01", id="known")
    other = report(
        filled("Lymph node biopsy: malignant B cells, CD19 positive. ", 150_000), "2026-01-28", id="o"
    )
    letters = [report(filled("Letter. ", 100_000), f"2026-04-0{day}", id=f"f{day}") for day in range(1, 6)]
    assert state(relapsed(known, other, *letters)) == "unknown"
    early = {**other, "effectiveDateTime": "2025-12-21"}
    assert state(relapsed(known, early, *letters)) == "negative"


REMISSION = (condition(clinical="remission"), procedure())
CLEAR = "Lymph node biopsy: no evidence of lymphoma. No malignant cells. "
AT_END = "Relapse of DLBCL, malignant B cells."


@pytest.mark.parametrize(
    "unread_in_part",
    [
        report(filled("Surveillance. ", 270_000, AT_END), "2026-03-01"),
        report(filled(CLEAR, 270_000, AT_END), "2026-03-01"),
        report("Complete remission. No relapse. No progression. " * 1200 + AT_END, "2026-03-01"),
    ],
)
def test_h08_a_report_read_in_part_tells_of_no_remission(unread_in_part: Resource) -> None:
    """Neither silence nor an all-clear: a suspicion told elsewhere stands (rules 11.5)."""
    made = judge(*REMISSION, unread_in_part)
    assert category(made) == "insufficient-data"
    assert len(unread(made)) == 1
    suspicion = report(
        "PET/CT: Deauville 5. Suspicious for progression.", "2026-02-01", id="pet", name="PET/CT"
    )
    assert category(judge(*REMISSION, suspicion, unread_in_part)) == "cd19-unknown"
