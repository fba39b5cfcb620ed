"""Says what the knowledge cannot do by code: what is in quarantine, what is recognised by text alone."""

from __future__ import annotations

from pathlib import Path

from mappings.loading.files import QuarantineRow, ValueSetFile
from mappings.loading.load import build, packaged_folder, read_folder

# Kinds whose concepts are read from codings in a chart; of the others a code is not expected.
_CODED_KINDS = (
    "car-t-product",
    "diagnosis",
    "therapy",
    "transplant",
    "radiotherapy",
    "safety",
    "safety-condition",
    "lineage-switch",
    "t-cell-malignancy-after-car-t",
    "antigen-observation",
)
# Where an infusion of a product is documented in practice (terminology, evidence ladder).
_PRODUCT_SYSTEMS = frozenset({"snomed", "icd-10-pcs", "hcpcs", "rxnorm", "ndc"})


def lint_knowledge(folder: Path | None = None) -> list[str]:
    """Lines for the maintainer: codes in quarantine, concepts without a verified code (rules 11.18)."""
    files = read_folder(folder or packaged_folder())
    knowledge = build(files)
    local = knowledge.normalise_system(files.decode("manifest.json", dict[str, str])["concept_system"])
    held = files.decode("quarantine.json", tuple[QuarantineRow, ...])
    lines = [_held(row) for row in held if row.code]
    lines += [f"no code found: {row.group}: {row.display or row.reason}" for row in held if row.code is None]
    for concept in knowledge.concepts.values():
        if concept.kind not in _CODED_KINDS:
            continue
        include = files.decode(f"value_sets/{concept.value_set}.json", ValueSetFile).compose.include
        systems = {row.system for row in include} - {local}
        if not systems:
            lines.append(f"text only: {concept.kind} {concept.id}")
        elif concept.kind == "car-t-product":
            wanted = [row for row in knowledge.systems.rows if row.id in _PRODUCT_SYSTEMS]
            lines += [
                f"no verified {row.name} code: {concept.id}" for row in wanted if row.uri not in systems
            ]
    return lines


def _held(row: QuarantineRow) -> str:
    use = "may stop a conclusion" if row.stops else "is not used"
    return f"quarantine: {row.group} {row.code} {row.display or '(no name)'}: {use}"
