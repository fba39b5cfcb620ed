"""Approval is of a disease: row, print and filters show what is read for this patient's own (rules 9.8, H-39)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from staging import CASES, Viewer

from mappings.evaluation import Assessment
from smart_app.page import PageView
from smart_app.page.options import OptionRow, build_options
from smart_app.page.takeaway import SheetRow, build_sheet
from smart_app.page.view import Filters

LBCL = CASES["cd19-positive"]


def of_disease(view: PageView, group: str, pmbcl: bool = False) -> PageView:
    """The same options, judged for another disease group: only the words of status and the filters may change."""
    made: Assessment = replace(view.evaluation.assessment, disease_group=group, pmbcl=pmbcl)
    return replace(view, evaluation=replace(view.evaluation, assessment=made))


def row_of(view: PageView, option: str) -> OptionRow:
    rows = [row for group in build_options(view).groups for row in group.rows]
    return next(row for row in rows if row.id == option)


def printed(view: PageView, option: str) -> SheetRow:
    label = row_of(view, option).label
    sheet = build_sheet(view, build_options(view))
    return next(row for group in sheet.groups for row in group.rows if row.label == label)


def shown(view: PageView, option: str, **filters: str) -> bool:
    return not row_of(replace(view, filters=Filters(**filters)), option).hidden


SAID = [
    ("lbcl", False, "mosunetuzumab", "Off-label for DLBCL", "off"),
    ("fl", False, "mosunetuzumab", "Accelerated approval for FL", "label"),
    ("mcl", False, "mosunetuzumab", "MCL not read", "other"),
    ("lbcl", False, "pd1-blockade", "Off-label for LBCL", "off"),
    ("lbcl", True, "pd1-blockade", "Accelerated approval for PMBCL", "label"),
    ("lbcl", True, "glofitamab", "Accelerated approval for DLBCL; PMBCL not read", "other"),
    ("lbcl", True, "loncastuximab-tesirine", "Accelerated approval for LBCL", "label"),
    ("lbcl", False, "glofitamab", "Accelerated approval for DLBCL", "label"),
    ("richter", False, "glofitamab", "Accelerated approval for DLBCL; this disease not read", "other"),
]


@pytest.mark.parametrize(("group", "pmbcl", "option", "told", "found_by"), SAID)
def test_row_print_and_filter_show_the_status_of_this_disease(
    group: str, pmbcl: bool, option: str, told: str, found_by: str, view_of: Viewer
) -> None:
    view = of_disease(view_of(LBCL), group, pmbcl)
    us = next(line for line in row_of(view, option).here if line.region == "US")
    assert told in us.said
    assert printed(view, option).status.startswith(us.said)
    for status in ("label", "off", "trial", "other"):
        assert shown(view, option, region="US", status=status) is (status == found_by)


def test_a_label_of_another_disease_is_never_shown_without_its_name(view_of: Viewer) -> None:
    """Over every option and disease: an approval stands beside the disease or the words that it was read with."""
    for group in ("lbcl", "fl", "mcl", "b-all", "cll", ""):
        view = of_disease(view_of(LBCL), group)
        for part in build_options(view).groups:
            for row in part.rows:
                for line in row.here:
                    if "approval" in line.said.lower() or "Approved" in line.said:
                        assert " for " in line.said or ": " in line.said, (group, row.id)


def test_two_rows_of_one_region_hold_a_set_in_the_filter(view_of: Viewer) -> None:
    """Where the words name no disease nothing is chosen: all rows are told and the filter holds each of them."""
    view = view_of(LBCL)
    bare = tuple(
        {key: value for key, value in row.items() if key != "diseases"}
        for match in view.evaluation.matches
        if match.option == "mosunetuzumab"
        for row in match.status
    )
    matches = tuple(
        replace(m, status=bare) if m.option == "mosunetuzumab" else m for m in view.evaluation.matches
    )
    untold = replace(view, evaluation=replace(view.evaluation, matches=matches))
    us = next(line for line in row_of(untold, "mosunetuzumab").here if line.region == "US")
    assert us.said == "Accelerated approval: FL after 2 or more lines (IV Dec 2022, SC Dec 2025); Off-label"
    assert us.as_of == ""
    for status, found in (("label", True), ("off", True), ("trial", False)):
        assert shown(untold, "mosunetuzumab", region="US", status=status) is found


def test_every_row_of_the_list_keeps_all_its_words(view_of: Viewer) -> None:
    row = row_of(view_of(LBCL), "mosunetuzumab")
    assert [line.state for line in row.status if line.region == "US"] == ["Accelerated approval", "Off-label"]
