"""The discovery answer: which service answers which hook, with the prefetch each needs (CDS Hooks 2.0.1)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from cds_hooks.needs import prefetch_templates

RELAPSE = "post-car-t-relapse"
ORDER_CHECK = "post-car-t-order-check"
SERVICE_HOOKS: dict[str, tuple[str, ...]] = {
    RELAPSE: ("patient-view", "encounter-start"),
    ORDER_CHECK: ("order-select", "order-sign"),
}
OFFERED = ("patient-view", "order-select", "order-sign")
_VERSION = "2.0.1"

_WORDS = {
    RELAPSE: (
        "Relapse after CD19 CAR T",
        "Reads the chart for relapse after CD19 CAR T-cell therapy, names the relapse category "
        "and lists salvage options by route. Silent for every other patient. Options, not "
        "orders; for health professionals; not for emergencies.",
    ),
    ORDER_CHECK: (
        "Order check after CD19 CAR T",
        "Looks at draft orders against the tumour's CD19, CD20 and CD22 results and against earlier "
        "treatment after CD19 CAR T-cell therapy. Silent on every order it knows nothing about. "
        "Options, not orders; for health professionals; not for emergencies.",
    ),
}
_USAGE = (
    "Prefetch of Condition and of Procedure or MedicationAdministration, or FHIR access to them; otherwise 412. "
    "Without Observation and DiagnosticReport the antigen state stays unknown."
)


def discovery(hooks: Collection[str] = OFFERED, *, version: bool = False) -> dict[str, Any]:
    """The discovery answer for the hooks offered; one id for both order hooks, so that newer advice replaces older.

    `version` adds the version of the specification to each entry, for clients that know the 3.0.0 ballot.
    """
    services = []
    for service, answered in SERVICE_HOOKS.items():
        title, description = _WORDS[service]
        for hook in answered:
            if hook not in hooks:
                continue
            entry: dict[str, Any] = {
                "hook": hook,
                "id": service,
                "title": title,
                "description": description,
                "prefetch": prefetch_templates(),
                "usageRequirements": _USAGE,
            }
            if version:
                entry["version"] = _VERSION
            services.append(entry)
    return {"services": services}
