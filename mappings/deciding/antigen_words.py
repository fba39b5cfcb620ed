"""Antigen results in the words of a card, and the marks they carry."""

from __future__ import annotations

from collections.abc import Iterable

from mappings.dates import before
from mappings.evaluation import AntigenView
from mappings.facts import Antigen, AntigenResult, Method, PriorTherapy, SpecimenKind
from mappings.sources import BLOOD_WITH_CELLS, is_stated


def describe(result: AntigenResult) -> str:
    """One result in the words of a card: state, number, specimen, method, date."""
    parts = [] if result.untested else [result.state.value]
    if result.percent:
        parts.append(result.percent)
    if result.h_score:
        parts.append(f"H-score {result.h_score}")
    if result.specimen is not SpecimenKind.UNSPECIFIED:
        stated_blood = result.specimen is SpecimenKind.BLOOD and is_stated(result.source)
        parts.append(BLOOD_WITH_CELLS if stated_blood else _SITES[result.specimen])
    if result.method is not Method.UNSPECIFIED:
        parts.append({Method.FLOW: "flow", Method.IHC: "IHC"}[result.method])
    if result.collected is not None:
        parts.append(result.collected.display())
    return ", ".join(parts)


_SITES = {
    SpecimenKind.TISSUE: "tissue",
    SpecimenKind.MARROW: "marrow",
    SpecimenKind.BLOOD: "blood",
    SpecimenKind.CSF: "CSF",
    SpecimenKind.EFFUSION: "effusion",
}


def marks_on(antigen: Antigen, view: AntigenView, therapies: Iterable[PriorTherapy]) -> str:
    """The mark of a result after an antibody against CD20, or after a drug whose last dose is not told (11.10)."""
    for therapy in therapies:
        against = antigen.value in therapy.voids and therapy.open_end
        if not therapy.administered or not (
            against or (antigen is Antigen.CD20 and "cd20-antibody" in therapy.classes)
        ):
            continue
        for result in view.results:
            if result.collected and therapy.last and before(therapy.last, result.collected):
                mark = f"after {therapy.label}"
                return f"{mark} began, its last dose is not recorded" if against else mark
    return ""
