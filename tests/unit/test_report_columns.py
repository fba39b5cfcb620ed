"""Tables and forms whose layout once turned a sign: ticks under heads, an empty first head, export lines (H-23)."""

from __future__ import annotations

import pytest

from mappings.reading.report import answers, read_report


@pytest.mark.parametrize(
    "text",
    [
        "Lymphoma cells\nMarker\tPositive\tNegative\nCD19\t\tX\nCD20\tX\t",
        "<p>Lymphoma cells</p><table><tr><td></td><td>Sep 2023</td><td>this sample</td></tr>"
        "<tr><td>CD19</td><td>positive</td><td>negative</td></tr>"
        "<tr><td>CD20</td><td>negative</td><td>positive</td></tr></table>",
    ],
)
def test_the_column_decides(text: str) -> None:
    found = answers(text, "tissue")
    assert (found["CD19"], found["CD20"]) == ("negative", "positive")


@pytest.mark.parametrize(
    "text",
    [
        "B lymphoblasts\nblast_pct=47\ncd19_expressed=false\ncd20_expressed=false",
        "Relapsed DLBCL. CD19 expected positive on tumour cells.",
        "Relapsed DLBCL. DLBCL cells usually express CD19.",
        "Marrow relapse. Taken from the file of 03/2022: CD19 +. Today's CD19 tube clotted.",
    ],
)
def test_what_is_answered_no_expected_or_copied_is_never_positive(text: str) -> None:
    assert answers(text)["CD19"] in (None, "unknown", "negative")


@pytest.mark.parametrize(
    "text",
    [
        "Colon: adenoma. Clinical info: DLBCL.",
        "Pleural fluid: reactive mesothelial cells. Clinical: lymphoma.",
        "Bone marrow: blasts <5 %.",
    ],
)
def test_a_disease_only_asked_about_or_bounded_is_not_present(text: str) -> None:
    assert read_report(text).malignancy != "present"
