"""No word of denial where the data do not carry it, and no value under another measurement's name (H-08, H-11, H-01)."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from staging import CASES, Viewer, case

from mappings.facts import Remark, SourceRef
from smart_app.page import render_page
from smart_app.page.course import build_course

RELAPSED_BUT_INFUSION_UNSEEN = (
    "outcome-in-place-of-bundle",
    "procedures-and-medications-absent",
    "procedures-denied-59204",
)


def words_of(text: str) -> str:
    """A page as its reader sees it."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def body_of(name: str) -> dict[str, Any]:
    """The request of a case."""
    found: dict[str, Any] = json.loads(case(name).read_bytes())
    return found


@pytest.mark.parametrize("name", RELAPSED_BUT_INFUSION_UNSEEN)
def test_h08_an_open_infusion_never_denies_the_relapse_that_is_on_record(name: str, view_of: Viewer) -> None:
    """H-08: relapse is on record, procedures were not seen: the trail may not say that there is no relapse."""
    view = view_of(name)
    assert any(event.kind.value == "relapse" for event in view.evaluation.facts.events)
    shown = words_of(render_page(view))
    assert "No: no relapse" not in shown
    assert "No: no switch" not in shown
    assert "whether and when a CD19 CAR T was given is not known" in shown


def test_h08_a_chart_read_in_full_still_says_no_relapse(view_of: Viewer) -> None:
    """The other side: where everything was read, no is said."""
    assert "No: no relapse" in words_of(render_page(view_of(CASES["no-relapse"])))


def test_h11_none_found_is_not_said_beside_an_entry_that_could_not_be_read(view_of: Viewer) -> None:
    """H-11: a condition whose code cannot be read may be the one that is asked for."""
    body = body_of(CASES["cd19-negative"])
    assert "None found problem list" in words_of(render_page(view_of(body)))
    patient = body["context"]["patientId"]
    odd = {
        "resourceType": "Condition",
        "id": "odd",
        "code": 5,
        "subject": {"reference": f"Patient/{patient}"},
    }
    body["prefetch"]["conditions"]["entry"].append({"resource": odd})
    view = view_of(body)
    unread = [one.source.reference for one in view.evaluation.assessment.unread if one.source]
    assert unread == ["Condition/odd"]
    assert "None found problem list" not in words_of(render_page(view))


def test_a_value_is_named_after_what_was_measured(view_of: Viewer) -> None:
    """A serum creatinine stands under the check of creatinine clearance as creatinine, with its unit."""
    body = body_of(CASES["cd19-negative"])
    patient = body["context"]["patientId"]
    made = {
        "resourceType": "Observation",
        "id": "crea",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2160-0"}], "text": "Creatinine"},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2025-05-19",
        "valueQuantity": {"value": 1.02, "unit": "mg/dL"},
    }
    body["prefetch"]["observations"].setdefault("entry", []).append({"resource": made})
    shown = words_of(render_page(view_of(body)))
    rows = re.findall(r"Creatinine clearance (?:(?!Creatinine clearance).){0,80}?1\.02 mg/dL", shown)
    assert rows
    assert all("Creatinine 1.02 mg/dL" in row for row in rows)


def test_h01_another_patients_record_has_no_link(view_of: Viewer) -> None:
    """H-01: named with its reason, without a way to its content."""
    view = view_of(CASES["cd19-negative"])
    told = Remark(
        "set-aside", "belongs to another patient", SourceRef("Observation/x1"), code="other-patient"
    )
    assessment = replace(view.evaluation.assessment, set_aside=(told,))
    page = render_page(replace(view, evaluation=replace(view.evaluation, assessment=assessment)))
    assert "Observation/x1" in page
    assert "/raw/Observation/x1" not in page


def test_the_course_runs_by_the_calendar_where_no_day_is_known(view_of: Viewer) -> None:
    """Without an infusion whose target is known no row has a day number, and the order is still that of the dates."""
    body = body_of("generic-cpt-target-unknown")
    patient = {"reference": f"Patient/{body['context']['patientId']}"}
    for number, (month, day) in enumerate((("2024-12", "01"), ("2025-01", "30"), ("2025-02", "02"))):
        body["prefetch"]["observations"].setdefault("entry", []).append(
            {
                "resource": {
                    "resourceType": "Observation",
                    "id": f"pet{number}",
                    "status": "final",
                    "code": {"text": "PET/CT response"},
                    "valueString": "Complete metabolic response, Deauville 2",
                    "subject": patient,
                    "effectiveDateTime": f"{month}-{day}",
                }
            }
        )
    view = view_of(body)
    dated = [row for row in build_course(view).rows if row.date != "undated" and row.lane != "monitoring"]
    assert not any(row.day for row in dated)
    assert len(dated) >= 4
    days = [datetime.strptime(row.date.replace("\u00a0", " "), "%d %b %Y") for row in dated]
    assert days == sorted(days)
