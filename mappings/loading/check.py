"""Checks a knowledge folder before it is trusted: shape first, then codes, then sources and figures.

Slow on purpose (JSON Schema and FHIR models); plain loading never comes here.
"""

from __future__ import annotations

from pathlib import Path

from mappings.loading.check_codes import code_faults
from mappings.loading.check_options import option_faults
from mappings.loading.check_order_rules import order_rule_faults
from mappings.loading.check_shape import Contents, shape_faults
from mappings.loading.check_sources import source_faults
from mappings.loading.errors import Fault, KnowledgeError
from mappings.loading.load import build, packaged_folder, read_folder


def check_knowledge(folder: Path | None = None, overlay: Path | None = None) -> tuple[Fault, ...]:
    """Every fault of a knowledge folder, with an overlay laid on, by file, field and fix; empty where sound.

    Shape is checked first: while a file is torn or misshapen nothing that builds on it is judged.
    """
    place = folder or packaged_folder()
    try:
        files = read_folder(place, overlay)
    except KnowledgeError as error:
        return (Fault(error.file, "", error.message, error.fix),)
    contents, faults = shape_faults(files, place / "schemas")
    if faults:
        return tuple(faults)
    faults = [
        *_links_of(contents),
        *code_faults(contents),
        *option_faults(contents),
        *order_rule_faults(contents),
        *source_faults(contents),
    ]
    if not faults:
        try:
            build(files)
        except KnowledgeError as error:
            faults.append(Fault(error.file, "", error.message, error.fix))
    return tuple(sorted(faults, key=lambda fault: (fault.file, fault.field, fault.message)))


def _links_of(contents: Contents) -> list[Fault]:
    """Ten categories in one order, policy in range, the thirteen source attributes numbered."""
    faults: list[Fault] = []
    rows = contents.under("categories")
    orders = sorted(row["order"] for row in rows.values())
    for path, row in rows.items():
        if path != f"categories/{row['id']}.json":
            faults.append(
                Fault(path, "id", f"is {row['id']}, not the file's name", "Name the file after it.")
            )
        if row["order"] not in range(1, len(rows) + 1) or orders.count(row["order"]) > 1:
            faults.append(Fault(path, "order", "leaves the one order of rules 11.8", "Number from 1."))
    missing = set(contents.category_ids) - {row["id"] for row in rows.values()}
    faults += [
        Fault(f"categories/{one}.json", "", "category is missing", "Add the file.") for one in sorted(missing)
    ]
    numbers = [row["number"] for row in contents["disclosure.json"]["source_attributes"]]
    if numbers != list(range(1, 14)):
        faults.append(Fault("disclosure.json", "source_attributes", "are not numbered 1 to 13", "List all."))
    return faults + _policy_faults(contents)


def _policy_faults(contents: Contents) -> list[Fault]:
    file = "policy.json"
    faults: list[Fault] = []
    expected = 0
    for number, row in enumerate(contents[file]["timing_bins"]):
        if row["from_day"] != expected:
            field = f"timing_bins[{number}].from_day"
            faults.append(Fault(file, field, f"is {row['from_day']}, not {expected}", "Leave no gap."))
        expected = (row["to_day"] if row["to_day"] is not None else row["from_day"]) + 1
    if contents[file]["timing_bins"][-1]["to_day"] is not None:
        faults.append(Fault(file, "timing_bins", "the last bin must be open", "Set to_day to null."))
    return faults
