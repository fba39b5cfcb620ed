"""The machine-readable object every card carries under `org.postcart` (contract, the extension)."""

from __future__ import annotations

from typing import Any

from mappings.evaluation import Evaluation, Route

NAME = "org.postcart"

_LISTS = (
    ("offers", Route.CONSIDER),
    ("specialist", Route.SPECIALIST),
    ("needs_result", Route.NEEDS_RESULT),
    ("not_suitable", Route.NOT_SUITABLE),
)


def extension(evaluation: Evaluation) -> dict[str, Any]:
    """Category, axes, options by route and knowledge stamp, in the names of the contract."""
    assessment = evaluation.assessment
    stamp = evaluation.knowledge
    fields: dict[str, Any] = {
        "category": assessment.category.value,
        "antigens": {view.antigen.value: view.state.value for view in assessment.antigens},
        "timing": {
            "days": assessment.timing.days,
            "bin": assessment.timing.bin,
            "primary_refractory": assessment.timing.primary_refractory,
        },
        "confirmation": assessment.confirmation.value,
        "branch": assessment.branch.value if assessment.branch else None,
    }
    for name, route in _LISTS:
        fields[name] = [match.label for match in evaluation.matches if match.route is route]
    fields["knowledge"] = {"version": stamp.version, "digest": stamp.digest, "overlay": stamp.overlay}
    return fields
