"""Does every figure have a source: citations, evidence links, ranges, intervals, counts, figures in texts."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator
from typing import Any

from mappings.loading.check_shape import Contents
from mappings.loading.errors import Fault

_FIGURE = re.compile(
    r"(\d+(?:\.\d+)?)(?:\s?-\s?\d+(?:\.\d+)?)?\s?(%|months?\b|weeks?\b|days?\b|/uL|patients?\b)"
)
_COUNT = re.compile(r"\b(\d+) of (?:the )?(\d+)\b")
_CONTEXT = "context-"


def source_faults(contents: Contents) -> Iterator[Fault]:
    """Faults of citations, evidence and every text that shows a figure."""
    items = [(path, row) for path, rows in contents.under("evidence").items() for row in rows]
    yield from _citation_faults(contents)
    yield from _evidence_links(contents, items)
    for path, row in items:
        for number, outcome in enumerate(row["outcomes"]):
            yield from _outcome_faults(path, f"{row['id']}.outcomes[{number}]", row, outcome)
        for number, event in enumerate(row["safety"]):
            if event["unit"] == "%" and not 0 <= (event["value"] or 0) <= 100:
                yield Fault(
                    path, f"{row['id']}.safety[{number}].value", "is out of 0 to 100 %", "Read it again."
                )
    yield from _option_figures(contents, {row["id"]: row for _, row in items})
    yield from _rule_figures(contents)
    yield from _date_faults(contents)


def _citations_in(body: Any, field: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(body, dict):
        for key, value in body.items():
            here = f"{field}.{key}".lstrip(".")
            if key == "citation_id" and value:
                yield here, value
            elif key in ("citation_ids", "also_cites"):
                yield from ((here, one) for one in value)
            else:
                yield from _citations_in(value, here)
    elif isinstance(body, list):
        for number, value in enumerate(body):
            yield from _citations_in(value, f"{field}[{number}]")


def _citation_faults(contents: Contents) -> Iterator[Fault]:
    rows = contents["citations.json"]
    ids = [row["id"] for row in rows]
    for one in sorted({i for i in ids if ids.count(i) > 1}):
        yield Fault("citations.json", one, "id stands twice", "Keep one.")
    for name in ("DOI", "PMID", "PMCID"):
        values = [row[name] for row in rows if name in row]
        for value in sorted({v for v in values if values.count(v) > 1}):
            yield Fault("citations.json", value, f"{name} stands twice", "Keep one.")
    used: set[str] = set()
    for path, body in contents.files.items():
        if path == "citations.json" or path.startswith("lexicon/"):
            continue
        for field, one in _citations_in(body):
            used.add(one)
            if one not in ids:
                yield Fault(path, field, f"cites {one}, which is not in citations.json", "Add the source.")
    for one in sorted(set(ids) - used):
        yield Fault("citations.json", one, "is cited nowhere", "Cite it or remove it.")


def _evidence_links(contents: Contents, items: list[tuple[str, Any]]) -> Iterator[Fault]:
    options = {row["id"]: (path, row) for path, row in contents.under("options").items()}
    ids = [row["id"] for _, row in items]
    for path, row in items:
        if ids.count(row["id"]) > 1:
            yield Fault(path, f"{row['id']}.id", "id stands twice", "Rename one.")
        if path != f"evidence/{row['option_id']}.json":
            yield Fault(path, f"{row['id']}.option_id", "is not the file's option", "Move the item.")
        if not row["outcomes"] and not row["safety"]:
            yield Fault(path, row["id"], "holds no figure", "Remove it.")
        if row["option_id"].startswith(_CONTEXT):
            continue
        if row["option_id"] not in options:
            yield Fault(path, f"{row['id']}.option_id", "names no option", "Use an option id or context-.")
            continue
        where, option = options[row["option_id"]]
        if option["label"] != row["option_label"]:
            yield Fault(path, f"{row['id']}.option_label", f"differs from {where}", "Copy the label.")
        if row["id"] not in option["evidence_ids"]:
            yield Fault(where, "evidence_ids", f"does not list {row['id']}", "List it.")
    for path, option in options.values():
        for one in option["evidence_ids"]:
            if one not in ids:
                yield Fault(path, "evidence_ids", f"names no evidence: {one}", "Remove it or add the item.")


def _outcome_faults(path: str, field: str, row: Any, outcome: Any) -> Iterator[Fault]:
    value, unit, low, high = outcome["value"], outcome["unit"], outcome["ci_low"], outcome["ci_high"]
    if value is None:
        if not outcome["note"]:
            yield Fault(path, f"{field}.value", "is empty without a note", "Say why.")
        return
    if unit == "%" and any(number is not None and not 0 <= number <= 100 for number in (value, low, high)):
        yield Fault(path, f"{field}.value", "is out of 0 to 100 %", "Read it again.")
    if unit == "ratio" and not 0 < value < 50:
        yield Fault(path, f"{field}.value", "is no plausible ratio", "Read it again.")
    if (low is not None and low > value) or (high is not None and high < value):
        yield Fault(path, f"{field}.ci_low", "the interval does not hold the value", "Read it again.")
    if (low is not None or high is not None) and outcome["ci_level"] is None:
        yield Fault(path, f"{field}.ci_level", "the interval has no level", "Give 90 or 95.")
    if (low is None) != (high is None) and not outcome["note"]:
        yield Fault(path, f"{field}.ci_high", "the interval is open without a note", "Say why.")
    yield from _count_faults(path, field, row, outcome)


def _count_faults(path: str, field: str, row: Any, outcome: Any) -> Iterator[Fault]:
    part, whole, value = outcome["numerator"], outcome["denominator"], outcome["value"]
    if (part is None) != (whole is None):
        yield Fault(path, f"{field}.numerator", "numerator and denominator go together", "Give both or none.")
    if part is None or whole is None:
        return
    if part > whole:
        yield Fault(path, f"{field}.numerator", "is more than the denominator", "Read it again.")
    decimals = len(str(value).partition(".")[2].rstrip("0"))
    if outcome["unit"] == "%" and abs(100.0 * part / whole - value) > 0.5 * 10**-decimals + 0.06:
        yield Fault(path, f"{field}.value", f"is not {part} of {whole}", "Read it again.")
    if row["n"] and whole > row["n"] and not row["option_id"].startswith(_CONTEXT):
        yield Fault(path, f"{field}.denominator", f"is more than n = {row['n']}", "Read it again.")


def _option_figures(contents: Contents, evidence: dict[str, Any]) -> Iterator[Fault]:
    """A percentage must stand in the option's own evidence, an advised limit at least in a cited source."""
    for path, row in contents.under("options").items():
        known = json.dumps([evidence.get(one) for one in row["evidence_ids"]])
        for field, text, citation in _texts_of(row):
            for number, unit in _FIGURE.findall(text):
                backed = re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.]*\d)", known) is not None
                if not backed and (unit == "%" or not citation):
                    said = f"shows {number} {unit}, which is not in its evidence"
                    yield Fault(path, field, said, "Show figures from the evidence only.")
            for part, whole in _COUNT.findall(text):
                if not re.search(rf"(?<!\d){whole}(?!\d)", known):
                    said = f"shows {part} of {whole}, which is not in its evidence"
                    yield Fault(path, field, said, "Show figures from the evidence only.")


def _texts_of(row: Any) -> Iterator[tuple[str, str, str | None]]:
    """Field, text and citation of everything an option shows in words."""
    yield "not_an_option_note", row["not_an_option_note"] or "", None
    for category, cell in row["route_to_category"].items():
        yield f"route_to_category.{category}", cell["reason"], None
    for name, key in (("must_say", "text"), ("check_before", "why"), ("notes_when", "text")):
        for number, cell in enumerate(row[name]):
            yield f"{name}[{number}].{key}", cell[key], cell.get("citation_id")


def _rule_figures(contents: Contents) -> Iterator[Fault]:
    settings = contents["policy.json"]["settings"].values()
    ours = {str(row["value"]) for row in settings}
    for rule in contents["rules.json"]:
        if rule["basis"] == "local policy" or rule["citation_ids"]:
            continue
        for number, unit in _FIGURE.findall(rule["text"]):
            if number not in ours:
                said = f"shows {number} {unit} without a source"
                yield Fault("rules.json", rule["id"], said, "Cite it or mark it as local policy.")


def _date_faults(contents: Contents) -> Iterator[Fault]:
    for path in (*contents.under("options"), *contents.under("evidence")):
        for match in re.finditer(r'"as_of": "(\d{4}-\d{2}-\d{2})"', json.dumps(contents[path])):
            try:
                datetime.date.fromisoformat(match[1])
            except ValueError:
                yield Fault(path, "as_of", f"{match[1]} is no day", "Correct it.")
