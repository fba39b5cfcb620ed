"""Antigen results in the words of a card, and the marks they carry."""

from __future__ import annotations

from collections.abc import Iterable

from mappings.dates import before
from mappings.evaluation import AntigenView
from mappings.facts import Antigen, AntigenResult, Method, PriorTherapy, SpecimenKind


def describe(result: AntigenResult) -> str:
    """One result in the words of a card: state, number, specimen, method, date."""
    parts = [result.state.value]
    if result.percent:
        parts.append(result.percent)
    if result.h_score:
        parts.append(f"H-score {result.h_score}")
    if result.specimen is not SpecimenKind.UNSPECIFIED:
        parts.append(_SITES[result.specimen])
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
    """After rituximab or obinutuzumab a CD20 result is accepted and marked (11.10)."""
    for therapy in therapies:
        if antigen is Antigen.CD20 and therapy.administered and "cd20-antibody" in therapy.classes:
            for result in view.results:
                if result.collected and therapy.last and before(therapy.last, result.collected):
                    return f"after {therapy.label}"
    return ""
