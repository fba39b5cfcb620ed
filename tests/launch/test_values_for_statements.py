"""A chart without a relapse keeps its values for what a statement brings up (H-46, invariant 3)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from launching import AS_OF, Served, site_of
from peer import Peer

from mappings.dates import parse_date
from mappings.evaluation import RelapseCategory
from mappings.facts import SpecimenKind
from mappings.reading.decode import decode_chart
from mappings.stated import StatedConfirmation, evaluate_with

CASE = Path(__file__).parents[1] / "vignettes" / "complete-no-relapse-young" / "request.json"


def test_h46_a_value_in_the_chart_is_not_called_missing_when_a_statement_brings_options_up(
    serve: Callable[..., Served],
) -> None:
    body = json.loads(CASE.read_bytes())
    patient = body["context"]["patientId"]
    platelets = {
        "resourceType": "Observation",
        "id": "zz-platelets",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "777-3"}], "text": "Platelet count"},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": AS_OF.date().isoformat(),
        "valueQuantity": {
            "value": 135,
            "unit": "10*9/L",
            "system": "http://unitsofmeasure.org",
            "code": "10*9/L",
        },
    }
    body["prefetch"]["observations"].setdefault("entry", []).append({"resource": platelets})
    with Peer({}) as ehr:
        site = site_of(ehr)
        parts = serve(site).parts
        moment = AS_OF
        chart = parts.judged(site, decode_chart(json.dumps(body).encode()), patient, moment)
        assert chart.assessment.category is RelapseCategory.NO_RELAPSE
        day = parse_date(moment.date().isoformat())
        assert day is not None
        said = [StatedConfirmation(SpecimenKind.TISSUE, day)]
        shown = evaluate_with(chart.facts, said, parts.knowledge_of(site), moment, chart.regions)
        asked = [check for match in shown.matches for check in match.checks if check.fact == "platelets"]
        assert asked
        assert all(check.values for check in asked)
